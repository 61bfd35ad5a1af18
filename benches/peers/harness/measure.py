"""Runs executables and reads what they print: times, instructions, system calls, memory."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .peers import BUILD, Peer
from .plan import Cell

# A peer lost, invented or disordered something.
wrong_results: list[str] = []


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


def results(peer: Peer, arguments, done: subprocess.CompletedProcess) -> dict[str, dict]:
    """The metrics of one run; none if the peer cannot do the workload, or did it wrong."""
    if done.returncode != 0:
        lines = done.stderr.splitlines()
        lines = [line for line in lines if "wrong result" in line] or lines[-3:]
        text = f"{peer.name} {' '.join(arguments)}: {'; '.join(lines)} (status {done.returncode})"
        if text not in wrong_results:
            wrong_results.append(text)
            print(f"WRONG RESULT: {text}", flush=True)
        return {}
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {} if any("skip" in line for line in lines) else {line["metric"]: line for line in lines}


def timed(peer: Peer, cell: Cell) -> dict[str, dict]:
    command = [peer.executable, "--seconds", cell.seconds, *cell.arguments]
    return results(peer, cell.arguments, execute(command, timeout=cell.seconds * 40 + 400))


def memory(peer: Peer) -> dict[str, dict]:
    preload = str(BUILD / "allocations.so")
    done = execute([peer.executable, "memory"], timeout=120, LD_PRELOAD=preload)
    return results(peer, ["memory"], done)


def counted(run, peers: list[Peer], rows) -> list[tuple]:
    """(row, peer -> count per operation), from one run per workload and peer, several at a time:
    counts do not depend on what else runs."""
    workloads = dict.fromkeys(row.arguments for row in rows)
    pairs = [(peer, words) for words in workloads for peer in peers if peer.takes_part(words)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {(peer.name, words): pool.submit(run, peer, words) for peer, words in pairs}
    table = []
    for row in rows:
        values = {}
        for peer in peers:
            job = jobs.get((peer.name, row.arguments))
            totals, said = job.result() if job else ({}, {})
            if row.metric in said:
                spent = totals[row.metric]
                only = getattr(row, "only", "")
                number = spent[only] if only else sum(spent.values())
                values[peer.name] = number / said[row.metric]["operations"]
        table.append((row, values))
    return table


# ---- instructions ----


def instructions(peer: Peer, arguments) -> tuple[dict, dict]:
    """What callgrind collected in the regions of each metric. It dumps under the metric's name;
    what entering and leaving a region takes is known from an empty one."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "callgrind.out"
        options = ["--collect-atstart=no", "--combine-dumps=yes", f"--callgrind-out-file={file}"]
        command = [BUILD / "without_auxv", "valgrind", "--tool=callgrind", *options]
        done = execute([*command, peer.executable, "--fixed", *arguments], timeout=400)
        said = results(peer, arguments, done)
        text = file.read_text() if said else ""
    totals: dict = defaultdict(Counter)
    for part in text.split("\npart: ")[1:]:
        metric = re.search(r"^desc: Trigger: Client Request: (\w+)$", part, re.MULTILINE)
        if metric:
            total = re.search(r"^totals: (\d+)$", part, re.MULTILINE)
            totals[metric[1]]["instructions"] += int(total[1])
    empty = totals["empty"]["instructions"]
    for metric, line in said.items():
        totals[metric]["instructions"] -= empty * line.get("rounds", 0)
    return totals, said


# ---- system calls ----


def system_calls(peer: Peer, arguments) -> tuple[dict, dict]:
    """metric -> system call -> how often, between the marks of its regions"""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "trace"
        command = ["strace", "-f", "-qq", "-e", "signal=none", "-o", file]
        done = execute([*command, peer.executable, "--mark", *arguments], timeout=400)
        said = results(peer, arguments, done)
        text = file.read_text() if said else ""
    totals: dict = defaultdict(Counter)
    metric = None
    for line in text.splitlines():
        mark = re.search(r'access\("//bench/(begin|end)/(\w+)"', line)
        call = re.match(r"(?:\d+ +)?(\w+)\(", line)
        if mark:
            metric = mark[2] if mark[1] == "begin" else None
        elif metric and call and call[1] != "sched_yield":  # the producers', when a queue is full
            totals[metric][call[1]] += 1
    return totals, said


def has(tool: str) -> bool:
    if shutil.which(tool):
        return True
    print(f"not found, skipped: {tool} (Debian package {tool})")
    return False
