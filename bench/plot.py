"""A bar chart (SVG, logarithmic scale) of all measurements that can be compared with the bare loop."""

import math
from html import escape

LABELS, BARS, LINE, MARGIN = 430, 520, 34, 24
COLOURS = {"ours": "#2a7f62", "original": "#b5543c"}


def svg(rows, medians):
    """The chart. A bar shows how many times worse than the bare loop a subject is: shorter is better."""
    bars = [(row, medians[row.key]) for row in rows if _is_comparable(medians.get(row.key))]
    factors = [_factor(row, figures, name) for row, figures in bars for name in COLOURS if name in figures]
    top = max([10, *factors])
    height = MARGIN * 3 + LINE * len(bars)
    width = LABELS + BARS + 90
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{LABELS}" y="16">times the cost of the bare loop, logarithmic: shorter is better</text>',
    ]
    for exponent in range(int(math.log10(top)) + 1):
        x = LABELS + _length(10**exponent, top)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{MARGIN * 1.6:.0f}" y2="{height - MARGIN}" stroke="#ccc"/>')
        parts.append(f'<text x="{x:.1f}" y="{MARGIN * 1.4:.0f}" text-anchor="middle" fill="#666">{10**exponent:,}</text>')
    for index, (row, figures) in enumerate(bars):
        parts += _bar(row, figures, MARGIN * 2 + LINE * index, top)
    parts += _legend(height)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _is_comparable(figures):
    return bool(figures) and figures.get("limit", 0) > 0 and figures.get("ours", 0) > 0


def _factor(row, figures, name):
    ratio = figures[name] / figures["limit"]
    return max(1 / ratio if row.more_is_better else ratio, 1e-9)


def _length(factor, top):
    return BARS * max(0.004, math.log10(max(factor, 1)) / math.log10(top))


def _bar(row, figures, y, top):
    parts = [f'<text x="{LABELS - 8}" y="{y + 18}" text-anchor="end">{escape(row.title.replace("`", ""))}</text>']
    for place, (name, colour) in enumerate(COLOURS.items()):
        if figures.get(name):
            factor = _factor(row, figures, name)
            length, at = _length(factor, top), y + 3 + 13 * place
            parts.append(f'<rect x="{LABELS}" y="{at}" width="{length:.1f}" height="11" fill="{colour}"/>')
            parts.append(f'<text x="{LABELS + length + 4:.1f}" y="{at + 10}" fill="#333">{factor:,.2f}</text>')
    return parts


def _legend(height):
    parts = []
    for place, (name, colour) in enumerate(COLOURS.items()):
        x = LABELS + place * 120
        parts.append(f'<rect x="{x}" y="{height - 14}" width="11" height="11" fill="{colour}"/>')
        parts.append(f'<text x="{x + 16}" y="{height - 4}">{name}</text>')
    return parts
