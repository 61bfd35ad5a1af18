"""Tables in Markdown, and charts with a line for each peer."""

import math
import statistics
from html import escape

from .peers import Peer
from .plan import CELLS, GROUPS, Growth

# What a table shows of a metric whose unit is not ns: unit in the table, factor.
UNITS = {"throughput": ("1/s", 1.0), "empty_turns": ("turns", 1.0)}
MICROSECONDS = ("p50", "p99", "cpu", "_p50", "_p99", "_early")
# What pirn is to reach on an idle machine, in microseconds.
LATENESS_TARGETS = {"p50": 80, "p99": 200}


def unit(metric: str) -> tuple[str, float]:
    return UNITS.get(metric) or (("us", 1e-3) if metric.endswith(MICROSECONDS) else ("", 1.0))


def number(value: float | None) -> str:
    if value is None:
        return "-"
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2g}" if abs(value) < 1 else f"{value:.1f}"


def ratio(value: float | None, base: float | None) -> str:
    return f"{value / base:.2f}" if value and base and base >= 0.01 else "-"


def table(title: str, rows: list[tuple], peers: list[Peer]) -> str:
    """rows: (name, peer -> value, target or None); a peer without any value has no column."""
    peers = [peer for peer in peers if any(peer.name in values for _, values, _ in rows)]
    has_target = any(target for _, _, target in rows)
    others = [peer.name for peer in peers if not peer.is_limit and not peer.is_pirn]
    lines = [[title, *(peer.name for peer in peers), "pirn / raw", "pirn / best"]]
    lines[0] += ["target"] * has_target
    lines.append(["---", *["---:"] * (len(lines[0]) - 1)])
    for name, values, target in rows:
        best = max if "[1/s]" in name else min
        of_others = [values[peer] for peer in others if peer in values]
        own, line = values.get("pirn"), [name, *(number(values.get(peer.name)) for peer in peers)]
        line += [ratio(own, values.get("raw")), ratio(own, best(of_others, default=None))]
        lines.append(line + [f"<= {target}" if target else ""] * has_target)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def medians(samples: dict) -> dict:
    """(title, metric) -> peer -> median over the rounds"""
    return {
        key: {peer: statistics.median(values) for peer, values in row.items()}
        for key, row in samples.items()
    }


def times_report(middle: dict, peers: list[Peer], rounds: int) -> str:
    text = []
    for group, explanation in GROUPS.items():
        rows = []
        for title in [cell.title for cell in CELLS if cell.group == group]:
            for (of, metric), values in middle.items():
                if of != title:
                    continue
                name = title if metric == title.split()[0] else f"{title}: {metric}"
                suffix, factor = unit(metric)
                name += f" [{suffix}]" if suffix else ""
                scaled = {peer: value * factor for peer, value in values.items()}
                target = LATENESS_TARGETS.get(metric[-3:]) if group == "lateness" else None
                rows.append((name, scaled, target))
        if rows:
            text.append(f"{explanation}. Medians of {rounds} interleaved rounds.")
            text.append(table(group, rows, peers))
    return "\n\n".join(text)


def counts_report(counts: list[tuple], peers: list[Peer]) -> str:
    rows = [(count.title, values, count.target) for count, values in counts]
    return (
        "Instructions in user space per operation, exact: what callgrind collects in the measured "
        "regions, less what entering and leaving them takes, divided by the operations in them.\n\n"
    ) + table("operation", rows, peers)


def calls_report(calls: list[tuple], peers: list[Peer]) -> str:
    rows = [(row.title, values, None) for row, values in calls]
    text = "System calls per operation, between the marks that --mark makes.\n\n"
    return text + table("operation", rows, peers)


def memory_report(memory: dict, peers: list[Peer]) -> str:
    rows = [(metric.replace("_", ": "), values, None) for metric, values in memory.items()]
    return (
        "Memory: calls of the heap by the library at init, per fd, per timer, and in a steady "
        "state; bytes per fd and per timer, the caller's part (watcher, handle) included. 1000 "
        "fds, 10,000 timers (libuev 100).\n\n"
    ) + table("memory", rows, peers)


# ---- charts: SVG, both axes logarithmic ----

COLOURS = {
    "raw": "#9aa0a6",
    "wheel": "#5f6368",
    "libev": "#4e79a7",
    "libuv": "#59a14f",
    "libevent": "#b07aa1",
    "libuev": "#76b7b2",
    "sd-event": "#9c755f",
    "mio": "#edc948",
    "polling": "#ff9da7",
    "pirn": "#e15759",
    "pirn-poll": "#b5383a",
    "pirn-select": "#7f2526",
    "pirn-rust": "#f28e2b",
}


def label(value: float) -> str:
    for limit, suffix in ((1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g}{suffix}"
    return f"{value:.3g}"


def chart(growth: Growth, of: str, values: dict[int, dict], peers: list[Peer]) -> str | None:
    """`values`: number -> peer -> value. Fewer than two numbers make no line."""
    points = {}
    for peer in peers:
        line = [(n, row[peer.name]) for n, row in values.items() if row.get(peer.name)]
        if len(line) >= 2:
            points[peer.name] = line
    if not points:
        return None
    numbers = sorted({n for line in points.values() for n, _ in line})
    all_values = [value for line in points.values() for _, value in line]
    low, high = math.floor(math.log10(min(all_values))), math.ceil(math.log10(max(all_values)))
    left, top, plot, tall = 60, 50, 640, 340

    def x(n: int) -> float:
        return left + plot * math.log(n / numbers[0]) / math.log(numbers[-1] / numbers[0])

    def y(value: float) -> float:
        return top + tall - tall * (math.log10(value) - low) / max(high - low, 1)

    def text(at_x: float, at_y: float, words: str, how: str = "") -> str:
        return f'<text x="{at_x:.1f}" y="{at_y:.1f}" {how}>{escape(words)}</text>'

    def rule(x1: float, y1: float, x2: float, y2: float) -> str:
        return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'

    size = f'width="{left + plot + 140}" height="{top + tall + 34}"'
    font = 'font-family="sans-serif" font-size="11"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>']
    parts.append('<rect width="100%" height="100%" fill="white"/>')
    parts.append(text(12, 22, growth.title, 'font-size="15" font-weight="bold"'))
    parts.append(text(12, 40, f"{of}, over {growth.axis}; both logarithmic", 'fill="#555"'))
    for n in numbers:
        parts.append(rule(x(n), top, x(n), top + tall))
        parts.append(text(x(n), top + tall + 16, f"{n:,}", 'text-anchor="middle"'))
    for decade in range(low, high + 1):
        at = y(10**decade)
        parts.append(rule(left, at, left + plot, at))
        parts.append(text(left - 6, at + 4, label(10.0**decade), 'text-anchor="end"'))
    # Names stand at the lines' ends; from the bottom up, those that would overlap are moved apart.
    lowest = top + tall + 3.0
    for peer, line in sorted(points.items(), key=lambda item: item[1][-1][1]):
        width = 2.5 if peer.startswith("pirn") else 1.5
        path = " ".join(f"{x(n):.1f},{y(value):.1f}" for n, value in line)
        stroke = f'fill="none" stroke="{COLOURS[peer]}" stroke-width="{width}"'
        parts.append(f'<polyline points="{path}" {stroke}/>')
        at = min(y(line[-1][1]) + 3, lowest)
        lowest = at - 11
        name = f"{peer} {label(line[-1][1])}"
        parts.append(text(x(line[-1][0]) + 8, at, name, f'fill="{COLOURS[peer]}"'))
    return "\n".join([*parts, "</svg>"]) + "\n"
