"""Charts as SVG, on logarithmic axes: grouped horizontal bars, one chart per table row group; and lines over n. Standard library only."""

import math
from html import escape
from pathlib import Path

COLOURS = {
    "raw": "#9aa0a6",
    "wheel": "#c4c8cc",
    "libev": "#4e79a7",
    "libuv": "#59a14f",
    "libevent": "#b07aa1",
    "libuev": "#76b7b2",
    "sd-event": "#9c755f",
    "glib": "#bab0ac",
    "mio": "#edc948",
    "polling": "#ff9da7",
    "calloop": "#86bcb6",
    "pirn": "#e15759",
    "pirn-poll": "#b5383a",
    "pirn-select": "#7f2526",
    "pirn-rust": "#f28e2b",
}
LEFT, BAR, GAP, PLOT, RIGHT, TOP = 330, 11, 14, 560, 90, 92
LEGEND_ROW = 10  # names


def label(value: float) -> str:
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"


def decades(values: list[float]) -> tuple[int, int]:
    return math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)) + 1e-9)


def head(width: float, height: float, title: str, unit: str, shown: list[str]) -> list[str]:
    """The frame, and which colour is whose."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="12" y="22" font-size="15" font-weight="bold">{escape(title)}</text>',
        f'<text x="12" y="40" fill="#555">{escape(unit)}</text>',
    ]
    for index, peer in enumerate(shown):
        at, line = 12 + index % LEGEND_ROW * 92, 50 + index // LEGEND_ROW * 16
        parts.append(f'<rect x="{at}" y="{line}" width="10" height="10" fill="{COLOURS.get(peer, "#333")}"/>')
        parts.append(f'<text x="{at + 14}" y="{line + 9}">{escape(peer)}</text>')
    return parts


def bars(path: Path, title: str, unit: str, rows: list[tuple[str, dict[str, float]]], peers: list[str]) -> None:
    """Writes one chart; `rows` in order, each name -> peer -> value. Values that are missing or zero have no bar."""
    rows = [(name, {peer: values[peer] for peer in peers if values.get(peer)}) for name, values in rows]
    rows = [row for row in rows if row[1]]
    if not rows:
        return
    low, high = decades([value for _, values in rows for value in values.values()])
    if high == low:
        high += 1

    def x(value: float) -> float:
        return LEFT + PLOT * (math.log10(value) - low) / (high - low)

    height = TOP + sum(len(values) * BAR + GAP for _, values in rows) + 30
    width = LEFT + PLOT + RIGHT
    parts = head(width, height, title, f"{unit}, logarithmic", [peer for peer in peers if any(peer in values for _, values in rows)])
    for decade in range(low, high + 1):
        at = x(10**decade)
        parts.append(f'<line x1="{at:.1f}" y1="{TOP - 6}" x2="{at:.1f}" y2="{height - 22}" stroke="#ddd"/>')
        parts.append(f'<text x="{at:.1f}" y="{height - 8}" text-anchor="middle" fill="#555">{label(10.0**decade)}</text>')
    y = TOP
    for name, values in rows:
        middle = y + len(values) * BAR / 2 + 4
        parts.append(f'<text x="{LEFT - 8}" y="{middle:.1f}" text-anchor="end">{escape(name)}</text>')
        for peer, value in values.items():
            length = max(x(value) - LEFT, 1)
            parts.append(f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR - 2}" fill="{COLOURS.get(peer, "#333")}"/>')
            parts.append(f'<text x="{LEFT + length + 4:.1f}" y="{y + BAR - 3}" font-size="9">{label(value)}</text>')
            y += BAR
        y += GAP
    finish(path, parts)


def lines(path: Path, title: str, axis: str, unit: str, values: dict[int, dict[str, float | None]], peers: list[str]) -> None:
    """Writes one chart with a line for each peer; `values`: n -> peer -> value. Fewer than two numbers make no line."""
    points = {peer: [(n, row[peer]) for n, row in values.items() if row.get(peer)] for peer in peers}
    points = {peer: line for peer, line in points.items() if len(line) >= 2}
    if not points:
        return
    left, plot, tall, right = 60, 780, 380, 140
    bottom = TOP + tall
    numbers = sorted({n for line in points.values() for n, _ in line})
    low, high = decades([value for line in points.values() for _, value in line])
    high += high == low

    def x(n: int) -> float:
        return left + plot * math.log(n / numbers[0]) / math.log(numbers[-1] / numbers[0])

    def y(value: float) -> float:
        return bottom - tall * (math.log10(value) - low) / (high - low)

    parts = head(left + plot + right, bottom + 34, title, f"{unit}, over {axis}; both logarithmic", list(points))
    for n in numbers:
        parts.append(f'<line x1="{x(n):.1f}" y1="{TOP}" x2="{x(n):.1f}" y2="{bottom}" stroke="#ddd"/>')
        parts.append(f'<text x="{x(n):.1f}" y="{bottom + 16}" text-anchor="middle" fill="#555">{n:,}</text>')
    for decade in range(low, high + 1):
        at = y(10**decade)
        parts.append(f'<line x1="{left}" y1="{at:.1f}" x2="{left + plot}" y2="{at:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 6}" y="{at + 4:.1f}" text-anchor="end" fill="#555">{label(10.0**decade)}</text>')
    for peer, line in points.items():
        colour, width = COLOURS.get(peer, "#333"), 2.5 if peer.startswith("pirn") else 1.5
        path_of = " ".join(f"{x(n):.1f},{y(value):.1f}" for n, value in line)
        parts.append(f'<polyline points="{path_of}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        for n, value in line:
            parts.append(f'<circle cx="{x(n):.1f}" cy="{y(value):.1f}" r="2.5" fill="{colour}"/>')
    # Each line's name stands at its end; from the bottom up, so that names that would lie on one another are moved apart.
    lowest = bottom + 3
    for peer, line in sorted(points.items(), key=lambda item: item[1][-1][1]):
        n, value = line[-1]
        at = min(y(value) + 3, lowest)
        lowest = at - 11
        parts.append(f'<text x="{x(n) + 8:.1f}" y="{at:.1f}" fill="{COLOURS.get(peer, "#333")}">{escape(peer)} {label(value)}</text>')
    finish(path, parts)


def finish(path: Path, parts: list[str]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([*parts, "</svg>"]) + "\n")
