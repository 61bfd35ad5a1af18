"""Tables: Markdown to the terminal and to results/, everything as JSON."""

import json
import statistics
from pathlib import Path

from .measure import wrong_results
from .peers import Peer
from .plan import CALLS, CELLS, COUNTS, GROUPS, TIME_TARGETS

# What a table shows of a workload: metric -> unit in the table, factor, more is better.
SHOWN = {
    "throughput": ("1/s", 1.0, True),
    "p50": ("us", 1e-3, False),
    "p99": ("us", 1e-3, False),
    "cpu": ("us", 1e-3, False),
    "alone_p50": ("us", 1e-3, False),
    "alone_p99": ("us", 1e-3, False),
    "alone_early": ("us", 1e-3, False),
    "short_p50": ("us", 1e-3, False),
    "short_p99": ("us", 1e-3, False),
    "short_early": ("us", 1e-3, False),
    "thousand_p50": ("us", 1e-3, False),
    "thousand_p99": ("us", 1e-3, False),
    "thousand_early": ("us", 1e-3, False),
    "empty_turns": ("turns", 1.0, False),
}
HIDDEN = {"requests"}
WITHOUT_RATIO = {"alone_early", "short_early", "thousand_early", "empty_turns"}
# The echo server's own time is in "cpu"; how long it ran says nothing.
HIDDEN_IN = {"echo": {"echo"}, "mix": {"echo"}}


def number(value: float | None) -> str:
    if value is None:
        return "-"
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2g}" if abs(value) < 1 else f"{value:.1f}"


def ratio(value: float | None, base: float | None) -> str:
    return "-" if not value or not base else f"{value / base:.2f}"


def subject(peers: list[Peer]) -> str | None:
    """Whose ratios are shown."""
    return next((peer.name for peer in peers if peer.name == "pirn"), None)


def best_peer(row: dict[str, float | None], peers: list[Peer], more_is_better: bool) -> float | None:
    """The best library other than the subject; the hand-written loops are no libraries."""
    values = [row.get(peer.name) for peer in peers if not peer.is_limit and not peer.is_pirn]
    values = [value for value in values if value is not None]
    return (max if more_is_better else min)(values) if values else None


def markdown(head: list[str], rows: list[list[str]]) -> str:
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = []
    for index, row in enumerate([head, *rows]):
        lines.append("| " + " | ".join(text.ljust(w) if i == 0 else text.rjust(w) for i, (text, w) in enumerate(zip(row, widths))) + " |")
        if index == 0:
            lines.append("|" + "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|")
    return "\n".join(lines)


def table(title: str, rows: list[tuple], peers: list[Peer]) -> str:
    """rows: (name, peer -> value, more is better, command, target or None, shows ratios)"""
    peers = [peer for peer in peers if not peer.workloads or any(peer.name in row[1] for row in rows)]
    own = subject(peers)
    has_target = any(row[4] is not None for row in rows)
    head = [title, *(peer.name for peer in peers)]
    if own:
        head += [f"{own} / raw", f"{own} / best peer"]
    if has_target:
        head.append("target")
    head.append("command")
    lines = []
    for name, values, more, command, target, ratios in rows:
        line = [name, *(number(values.get(peer.name)) for peer in peers)]
        if own:
            line += [ratio(values.get(own), values.get("raw")), ratio(values.get(own), best_peer(values, peers, more))] if ratios else ["", ""]
        if has_target:
            line.append("" if target is None else f"<= {target}")
        line.append(f"`{command}`")
        lines.append(line)
    return markdown(head, lines)


def medians(samples: dict) -> dict:
    """(cell title, metric) -> peer -> median over the rounds"""
    return {key: {peer: statistics.median(values) for peer, values in row.items()} for key, row in samples.items()}


def times_report(samples: dict, peers: list[Peer], rounds: int) -> str:
    text = []
    middle = medians(samples)
    for group, explanation in GROUPS.items():
        rows = []
        for cell in CELLS:
            if cell.group != group:
                continue
            for (title, metric), values in middle.items():
                if title != cell.title or metric in HIDDEN or metric in HIDDEN_IN.get(group, ()):
                    continue
                unit, factor, more = SHOWN.get(metric, ("", 1.0, False))
                name = title if metric == cell.arguments[0] else f"{title}: {metric}"
                name += f" [{unit}]" if unit else ""
                scaled = {peer: value * factor for peer, value in values.items()}
                rows.append((name, scaled, more, cell.command, TIME_TARGETS.get(metric), metric not in WITHOUT_RATIO))
        if rows:
            text.append(f"\n{explanation}. Medians of {rounds} interleaved rounds.\n\n" + table(group, rows, peers))
    return "\n".join(text)


def counts_report(table_of: dict, peers: list[Peer]) -> str:
    rows = []
    for count in COUNTS:
        command = f"build/without_auxv valgrind --tool=callgrind {count.toggles} build/PEER --fixed {' '.join(count.arguments)}"
        rows.append((count.title, table_of[count.title], False, command, count.target, True))
    return (
        "\nInstructions in user space per operation, exact: what callgrind collects in the measured region, divided by the operations in it; "
        "nothing is subtracted.\n\n" + table("operation", rows, peers)
    )


def calls_report(table_of: dict, peers: list[Peer]) -> str:
    rows = []
    for row in CALLS:
        command = f"strace -f build/PEER --mark {' '.join(row.arguments)}"
        rows.append((row.title, table_of[row.title], False, command, None, False))
    return "\nSystem calls per operation, between the marks that --mark makes.\n\n" + table("operation", rows, peers)


def memory_report(table_of: dict, peers: list[Peer]) -> str:
    rows = [(metric, values, False, "LD_PRELOAD=build/allocations.so build/PEER memory", None, False) for metric, values in table_of.items()]
    return (
        "\nMemory: heap calls of the library at init, per fd, per timer, and in a steady state; bytes per fd and per timer, the caller's "
        "part (watcher, handle) included. 1000 fds, 10,000 timers (calloop 1000, libuev 100).\n\n" + table("memory", rows, peers)
    )


def about(data: dict) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in data["versions"].items() if version)
    return (
        f"{data['cpu']}, {data['processors']} processors, Linux {data['kernel']}, load {data['load']} at the beginning. {data['compiler']}. "
        f"{versions}. `{data['command']}`, {data['date']}."
    )


def write(directory: Path, name: str, text: str, data: dict) -> None:
    directory.mkdir(exist_ok=True)
    (directory / f"{name}.md").write_text(f"{text.strip()}\n\n{about(data)}\n")
    (directory / f"{name}.json").write_text(json.dumps(data | {"wrong_results": wrong_results}, indent=1) + "\n")
