"""Runs executables and reads what they say: times, instructions, system calls, memory."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .peers import BUILD, Peer
from .plan import Cell


class WrongResult(Exception):
    """A peer lost, invented or disordered something."""


def execute(command: list, timeout: float, **environment: str) -> subprocess.CompletedProcess:
    """In a process group of its own, ended as a whole if it takes too long."""
    process = subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, errors = process.communicate()
        errors += "wrong result: did not end\n"
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def results(peer: Peer, arguments, done: subprocess.CompletedProcess) -> dict[str, dict] | None:
    """The metrics of one run; None if the peer cannot do the workload."""
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if "wrong result" in line] or done.stderr.splitlines()[-3:]
        raise WrongResult(f"{peer.name} {' '.join(arguments)}: " + "; ".join(lines) + f" (exit code {done.returncode})")
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if any("skip" in line for line in lines):
        return None
    return {line["metric"]: line for line in lines}


def timed(peer: Peer, cell: Cell) -> dict[str, dict] | None:
    under = [BUILD / cell.under[0], *cell.under[1:]] if cell.under else []
    done = execute([*under, peer.executable, "--seconds", cell.seconds, *cell.arguments], timeout=cell.seconds * 40 + 400)
    return results(peer, [cell.title], done)


# ---- memory ----


def memory(peer: Peer) -> dict[str, dict] | None:
    done = execute([peer.executable, "memory"], timeout=120, LD_PRELOAD=str(BUILD / "allocations.so"))
    return results(peer, ["memory"], done)


# ---- instructions ----


def callgrind_totals(text: str) -> dict[str, int]:
    """Instructions inside each measured_ function, what it calls included.

    A function's block has lines "position cost": its own, and after each "calls=" the cost of the callee.
    """
    totals: dict[str, int] = defaultdict(int)
    names: dict[str, str] = {}
    current = None
    for line in text.splitlines():
        if line.startswith("fn="):
            number, _, name = line[3:].partition(" ")
            current = names.setdefault(number, name)
        elif line.startswith("cfn="):
            number, _, name = line[4:].partition(" ")
            names.setdefault(number, name)
        elif current and current.startswith("measured_") and re.match(r"[0-9+*-]", line):
            totals[current.split(".")[0]] += int(line.split()[-1])
    return totals


def instructions(peer: Peer, arguments) -> tuple[dict[str, int], dict[str, dict]] | None:
    """What each measured function cost, and how many operations it did."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "callgrind.out"
        command = [BUILD / "without_auxv", "valgrind", "--tool=callgrind", f"--callgrind-out-file={file}", "--toggle-collect=measured_*", "--toggle-collect=driver_*"]
        done = execute([*command, peer.executable, "--fixed", *arguments], timeout=400)
        said = results(peer, arguments, done)
        return None if said is None else (callgrind_totals(file.read_text()), said)


def all_instructions(peers: list[Peer], counts) -> dict[str, dict[str, float | None]]:
    """title -> peer -> instructions per operation"""
    workloads = list(dict.fromkeys(count.arguments for count in counts))
    table: dict[str, dict[str, float | None]] = {count.title: {} for count in counts}
    # Counts do not depend on what else runs, so all processors may be used.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {(peer.name, arguments): pool.submit(instructions, peer, arguments) for arguments in workloads for peer in peers if peer.takes_part(arguments)}
    for count in counts:
        for peer in peers:
            if not peer.takes_part(count.arguments):
                continue
            try:
                got = jobs[peer.name, count.arguments].result()
            except WrongResult as wrong:
                table[count.title][peer.name] = None
                note_wrong(wrong)
                continue
            totals, said = got if got else ({}, {})
            spent = instructions_of(count, totals, said)
            table[count.title][peer.name] = spent
    return table


def instructions_of(count, totals: dict[str, int], said: dict[str, dict]) -> float | None:
    metric = said.get(count.metric)
    if not metric:
        return None
    regions = [region for region in count.regions if totals.get(region)]
    if count.metric == "chain":  # a library with means of its own for chains does two kinds
        regions = regions[:1]
    return sum(totals[region] for region in regions) / metric["operations"] if regions else None


wrong_results: list[str] = []


def note_wrong(wrong: WrongResult) -> None:
    text = str(wrong)
    if text not in wrong_results:
        wrong_results.append(text)
        print(f"WRONG RESULT: {text}", flush=True)


# ---- system calls ----


def trace_totals(text: str) -> dict[str, dict[str, int]]:
    """metric -> system call -> how often, between the marks of its regions"""
    totals: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    metric = None
    for line in text.splitlines():
        mark = re.search(r'access\("//bench/(begin|end)/(\w+)"', line)
        if mark:
            metric = mark[2] if mark[1] == "begin" else None
            continue
        call = re.match(r"(?:\d+ +)?(\w+)\(", line)
        if metric and call and call[1] != "sched_yield":  # the producers', when a queue is full
            totals[metric][call[1]] += 1
    return totals


def system_calls(peer: Peer, arguments) -> tuple[dict, dict] | None:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "trace"
        done = execute(["strace", "-f", "-qq", "-e", "signal=none", "-o", file, peer.executable, "--mark", *arguments], timeout=400)
        said = results(peer, arguments, done)
        return None if said is None else (trace_totals(file.read_text()), said)


def all_system_calls(peers: list[Peer], rows) -> dict[str, dict[str, float | None]] | None:
    if not shutil.which("strace"):
        print("not found, skipped: system calls (Debian package strace)")
        return None
    table: dict[str, dict[str, float | None]] = {row.title: {} for row in rows}
    seen: dict = {}
    for row in rows:
        for peer in peers:
            if not peer.takes_part(row.arguments):
                continue
            key = (peer.name, row.arguments)
            try:
                if key not in seen:
                    seen[key] = system_calls(peer, row.arguments)
            except WrongResult as wrong:
                seen[key] = None
                note_wrong(wrong)
            totals, said = seen[key] or ({}, {})
            metric = said.get(row.metric)
            if not metric:
                table[row.title][peer.name] = None
                continue
            made = totals.get(row.metric) or {}
            # a chain is told under the name it was begun with
            if row.metric == "chain" and not made:
                made = totals.get("chain_no_poll") or {}
            number = sum(times for name, times in made.items() if not row.only or name in row.only)
            table[row.title][peer.name] = number / metric["operations" if row.per == "operation" else "rounds"]
    return table
