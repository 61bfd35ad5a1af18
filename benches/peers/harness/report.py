"""Tables in Markdown, and charts with a line for each peer."""

import math
import statistics
from html import escape

from .peers import Peer
from .plan import CELLS, COUNTED, FIBER_ROWS, GROUPS, LATENESS_TARGETS, Growth

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
    others = [peer.name for peer in peers if peer.is_library]
    has_ratio = any(peer.name == "pirn" for peer in peers)
    lines = [[title, *(peer.name for peer in peers)]]
    lines[0] += ["pirn / raw", "pirn / best"] * has_ratio + ["target"] * has_target
    lines.append(["---", *["---:"] * (len(lines[0]) - 1)])
    for name, values, target in rows:
        best = max if "[1/s]" in name else min
        of_others = [values[peer] for peer in others if peer in values]
        own, line = values.get("pirn"), [name, *(number(values.get(peer.name)) for peer in peers)]
        if has_ratio:
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
    parts = []
    for group, explanation in GROUPS.items():
        rows = []
        for title in [cell.title for cell in CELLS if cell.group == group]:
            for metric, values in [(key[1], row) for key, row in middle.items() if key[0] == title]:
                name = title if metric == title.split()[0] else f"{title}: {metric}"
                target = LATENESS_TARGETS.get(metric) if group == "lateness" else None
                rows.append((name, values, target))
        if rows:
            parts.append(f"{explanation}. Medians of {rounds} interleaved rounds.")
            parts.append(table(group, rows, peers))
    return "\n\n".join(parts)


def counts_report(kind: str, counts: list[tuple], peers: list[Peer]) -> str:
    rows = [(row.title, values, row.target) for row, values in counts]
    return f"{COUNTED[kind]}.\n\n{table(kind, rows, peers)}"


def fibers_report(middle: dict, counts: list[tuple], peers: list[Peer], rounds: int) -> str:
    """First the table of docs/PERFORMANCE.md: pirn's figures, the others' as multiples of them."""
    others = [peer for peer in peers if peer.name != "pirn-fiber"]
    lines = [["fibers", "pirn", *(peer.name for peer in others)]]
    lines.append(["---", *["---:"] * (len(others) + 1)])
    for title, cell, metric, unit in FIBER_ROWS:
        row = middle.get((cell, metric), {})
        own = row.get("pirn-fiber")
        pirn = f"{number(own)} {unit}" if own is not None else "-"
        if own:
            rest = [ratio(row.get(peer.name), own) for peer in others]
        else:  # no multiples of nothing
            rest = [number(row.get(peer.name)) for peer in others]
        lines.append([title, pirn, *rest])
    rows = [(f"{cell}: {metric}", row, None) for (cell, metric), row in middle.items()]
    parts = [
        "Programs that wait, side by side: fibers of pirn, of State Threads and of GNU Pth, and "
        "threads. Boost.Context switches and does nothing else: the practical limit. Medians of "
        f"{rounds} interleaved rounds; of the others, multiples of pirn's figure.",
        "\n".join("| " + " | ".join(line) + " |" for line in lines),
        "The same, in ns and bytes.",
        table("fibers", rows, peers),
    ]
    if counts:
        parts.append(counts_report("instructions", counts, peers))
    return "\n\n".join(parts)


# ---- charts: SVG, both axes logarithmic ----

COLOURS = dict(
    zip(
        "raw wheel libev libuv libevent libuev sd-event mio polling pirn pirn-poll pirn-select "
        "pirn-rust pirn-fiber context state-threads pth threads".split(),
        "#9aa0a6 #5f6368 #4e79a7 #59a14f #b07aa1 #76b7b2 #9c755f #edc948 #ff9da7 #e15759 #b5383a "
        "#7f2526 #f28e2b #e15759 #5f6368 #4e79a7 #59a14f #9aa0a6".split(),
    )
)
LEFT, TOP, WIDTH, HEIGHT = 60, 50, 640, 340


def label(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value / 1000:.3g}k"


def text(x: float, y: float, words: str, how: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {how}>{escape(words)}</text>'


def rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'


def chart(growth: Growth, of: str, figures: dict, peers: list[Peer]) -> str | None:
    """`figures`: (title, metric) -> peer -> value. Fewer than two numbers make no line."""
    points: dict = {}
    for n in growth.numbers:
        row = figures.get((growth.arguments.format(n), growth.metric), {})
        for peer in peers:
            if row.get(peer.name):
                points.setdefault(peer.name, []).append((n, row[peer.name]))
    points = {peer: line for peer, line in points.items() if len(line) >= 2}
    if not points:
        return None
    values = [value for line in points.values() for _, value in line]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    first, last = growth.numbers[0], growth.numbers[-1]

    def x(n: int) -> float:
        return LEFT + WIDTH * math.log(n / first) / math.log(last / first)

    def y(value: float) -> float:
        return TOP + HEIGHT - HEIGHT * (math.log10(value) - low) / max(high - low, 1)

    size = f'width="{LEFT + WIDTH + 140}" height="{TOP + HEIGHT + 34}"'
    font = 'font-family="sans-serif" font-size="11"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>']
    parts.append('<rect width="100%" height="100%" fill="white"/>')
    parts.append(text(12, 22, growth.title, 'font-size="15" font-weight="bold"'))
    parts.append(text(12, 40, f"{of}, over {growth.axis}; both logarithmic", 'fill="#555"'))
    for n in growth.numbers:
        parts.append(rule(x(n), TOP, x(n), TOP + HEIGHT))
        parts.append(text(x(n), TOP + HEIGHT + 16, f"{n:,}", 'text-anchor="middle"'))
    for decade in range(low, high + 1):
        at = y(10**decade)
        parts.append(rule(LEFT, at, LEFT + WIDTH, at))
        parts.append(text(LEFT - 6, at + 4, label(10.0**decade), 'text-anchor="end"'))
    # Names stand at the lines' ends; from the bottom up, those that would overlap are moved apart.
    lowest = TOP + HEIGHT + 3.0
    for peer, line in sorted(points.items(), key=lambda item: item[1][-1][1]):
        path = " ".join(f"{x(n):.1f},{y(value):.1f}" for n, value in line)
        stroke = f'stroke="{COLOURS[peer]}" stroke-width="{2.5 if "pirn" in peer else 1.5}"'
        parts.append(f'<polyline points="{path}" fill="none" {stroke}/>')
        n, value = line[-1]
        lowest = min(y(value) + 3, lowest)
        name = f"{peer} {label(value)}"
        parts.append(text(x(n) + 8, lowest, name, f'fill="{COLOURS[peer]}"'))
        lowest -= 11
    return "\n".join([*parts, "</svg>"]) + "\n"
