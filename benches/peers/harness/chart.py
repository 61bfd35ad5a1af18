"""Bar charts as SVG, one per table row group: grouped horizontal bars on a logarithmic axis. Standard library only."""

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
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="12" y="22" font-size="15" font-weight="bold">{escape(title)}</text>',
        f'<text x="12" y="40" fill="#555">{escape(unit)}, logarithmic</text>',
    ]
    shown = [peer for peer in peers if any(peer in values for _, values in rows)]
    for index, peer in enumerate(shown):
        at, line = 12 + index % LEGEND_ROW * 92, 50 + index // LEGEND_ROW * 16
        parts.append(f'<rect x="{at}" y="{line}" width="10" height="10" fill="{COLOURS.get(peer, "#333")}"/>')
        parts.append(f'<text x="{at + 14}" y="{line + 9}">{escape(peer)}</text>')
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
    parts.append("</svg>")
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(parts) + "\n")
