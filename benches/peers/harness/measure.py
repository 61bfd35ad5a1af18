"""Runs executables and reads what they print: times, instructions, system calls, memory."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .peers import Peer, run
from .plan import Cell

# A peer lost, invented or disordered something.
wrong_results: list[str] = []


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
    return results(peer, cell.arguments, run(*command))


def counted(of, peers: list[Peer], rows) -> list[tuple]:
    """(row, peer -> count per operation), from one run per workload and peer, several at a time:
    counts do not depend on what else runs."""
    workloads = dict.fromkeys(row.arguments for row in rows)
    pairs = [(peer, words) for words in workloads for peer in peers if peer.takes_part(words)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {(peer.name, words): pool.submit(of, peer, words) for peer, words in pairs}
    table = []
    for row in rows:
        values = {}
        for peer in peers:
            job = jobs.get((peer.name, row.arguments))
            totals, said = job.result() if job else ({}, {})
            if row.metric in said:
                spent = totals[row.metric]
                number = sum(spent[name] for name in row.only.split() or spent)
                values[peer.name] = number / said[row.metric].get("operations", 1)
        table.append((row, values))
    return table


# ---- instructions ----


def instructions(peer: Peer, arguments) -> tuple[dict, dict]:
    """What callgrind collected in the regions of each metric. It dumps under the metric's name;
    what entering and leaving a region takes is known from an empty one."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "callgrind.out"
        options = ["--collect-atstart=no", "--combine-dumps=yes", f"--callgrind-out-file={file}"]
        command = ["valgrind", "--tool=callgrind", *options, peer.executable, "--fixed"]
        done = run(*command, *arguments)
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


# ---- system calls, memory ----


def system_calls(peer: Peer, arguments) -> tuple[dict, dict]:
    """metric -> system call -> how often, between the marks of its regions"""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "trace"
        command = ["strace", "-f", "-qq", "-e", "signal=none", "-o", file]
        done = run(*command, peer.executable, "--mark", *arguments)
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


def memory(peer: Peer, arguments) -> tuple[dict, dict]:
    said = results(peer, arguments, run(peer.executable, *arguments))
    return {metric: Counter(bytes=line["value"]) for metric, line in said.items()}, said


def has(tool: str) -> bool:
    if shutil.which(tool):
        return True
    print(f"not found, skipped: {tool} (Debian package {tool})")
    return False
