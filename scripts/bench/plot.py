"""Plain SVG, written by hand: grouped horizontal bars on a logarithmic axis, and lines over seconds.

Text and shapes only, on a white ground, readable in any viewer. No scripts, no fonts of its own, no dependencies.
"""

import math
from html import escape

COLOURS = {"holdfast": "#0b6e99", "activemq": "#c8553d", "artemis": "#93a034"}
OTHER_COLOURS = ["#7a5195", "#777777", "#ef9b20"]
WIDTH, LABEL, RIGHT, BAR, GAP, TOP = 860, 250, 110, 16, 14, 54
LINES_HEIGHT, LINES_LEFT = 260, 70


def bars(title, unit, rows):
    """`rows` are (label, [(name, median, least, most)]); bars end at the median, a thin line spans least to most."""
    values = [value for _, entries in rows for _, *found in entries for value in found if value and value > 0]
    if not values:
        return None
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values) * 1.001))
    low = min(low, high - 1)
    scale = lambda value: LABEL + (math.log10(max(value, 10**low)) - low) / (high - low) * (WIDTH - LABEL - RIGHT)
    height = TOP + sum(len(entries) * BAR + GAP for _, entries in rows) + 30
    out = _head(title, f"{unit}, logarithmic; bar: median, line: least to most", height)
    for power in range(low, high + 1):
        x = scale(10**power)
        out.append(_line(x, TOP - 8, x, height - 26, "#ddd"))
        out.append(_text(x, height - 10, _short(10**power), "middle"))
    y = TOP
    for label, entries in rows:
        out.append(_text(LABEL - 8, y + len(entries) * BAR / 2 + 4, label, "end"))
        for index, (name, middle, least, most) in enumerate(entries):
            out.append(f'<rect x="{LABEL}" y="{y + 2}" width="{max(1, scale(middle) - LABEL):.1f}" height="{BAR - 4}" fill="{_colour(name, index)}"/>')
            out.append(_line(scale(least), y + BAR / 2, scale(most), y + BAR / 2, "#222"))
            out.append(_text(max(scale(middle), scale(most)) + 6, y + BAR / 2 + 4, f"{name} {_short(middle)}", "start", 11))
            y += BAR
        y += GAP
    return "\n".join([*out, "</svg>"]) + "\n"


def lines(title, unit, series, marks=()):
    """`series` is {name: [value per second]}, `marks` are (second, text), drawn as ticks under the curve."""
    longest = max((len(values) for values in series.values()), default=0)
    top = max((value for values in series.values() for value in values if value), default=0)
    if longest < 2 or not top:
        return None
    height = TOP + LINES_HEIGHT + 60
    x = lambda second: LINES_LEFT + second / (longest - 1) * (WIDTH - LINES_LEFT - 30)
    y = lambda value: TOP + LINES_HEIGHT * (1 - value / (top * 1.05))
    out = _head(title, f"{unit} over seconds", height)
    for part in range(5):
        value = top * part / 4
        out.append(_line(LINES_LEFT, y(value), WIDTH - 30, y(value), "#ddd"))
        out.append(_text(LINES_LEFT - 6, y(value) + 4, _short(value), "end"))
    for part in range(7):
        second = (longest - 1) * part / 6
        out.append(_text(x(second), TOP + LINES_HEIGHT + 34, f"{second:.0f} s", "middle"))
    for index, (name, values) in enumerate(series.items()):
        points = " ".join(f"{x(second):.1f},{y(value or 0):.1f}" for second, value in enumerate(values))
        colour = [COLOURS["holdfast"], COLOURS["activemq"], *OTHER_COLOURS][index % 5]
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.3"/>')
        out.append(_text(LINES_LEFT + 10 + index * 150, TOP + LINES_HEIGHT + 54, f"- {name}", "start", 12, colour))
    for kind_index, kind in enumerate(dict.fromkeys(text for _, text in marks)):
        colour = OTHER_COLOURS[kind_index % len(OTHER_COLOURS)]
        for second in (second for second, text in marks if text == kind and second < longest):
            out.append(_line(x(second), TOP + LINES_HEIGHT, x(second), TOP + LINES_HEIGHT + 12, colour))
        out.append(_text(LINES_LEFT + 330 + kind_index * 170, TOP + LINES_HEIGHT + 54, f"| {kind}", "start", 12, colour))
    return "\n".join([*out, "</svg>"]) + "\n"


def _head(title, below, height):
    return [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
            f'<rect width="{WIDTH}" height="{height}" fill="white"/>', _text(12, 22, title, "start", 15), _text(12, 38, below, "start", 11, "#666")]


def _text(x, y, text, anchor, size=12, colour="#222"):
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'


def _line(x1, y1, x2, y2, colour):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _colour(name, index):
    return COLOURS.get(name, OTHER_COLOURS[index % len(OTHER_COLOURS)])


def _short(value):
    for limit, letter in ((1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g}{letter}"
    return f"{value:.3g}"
