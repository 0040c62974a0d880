"""A network's graph as SVG: a box a row, from top to bottom, without Graphviz."""

from __future__ import annotations

from html import escape
from unicodedata import east_asian_width

from cnndsl.ir.layout import Layout, Point, Sizes, lay_out
from cnndsl.ir.network import Network, RowFacts
from cnndsl.ops.activation import Activation
from cnndsl.ops.base import Op
from cnndsl.ops.conv import Conv
from cnndsl.ops.dropout import Dropout
from cnndsl.ops.input import Input
from cnndsl.ops.kinds import Step
from cnndsl.ops.pool import Pool
from cnndsl.ops.text import format_op

_MARGIN = 16.0
_TITLE = 44.0
_LINE = 17.0
_PADDING = 12.0
_LONGEST = 44
"""Characters of a line of a box; a longer one is cut."""

# Boxes bring their own background, and lines are of a middle grey: legible on white and on black.
# Every selector names the class: a page that shows the picture inline keeps its own style.
_STYLE = """\
.cnndsl text { font: 13px system-ui, "Noto Sans", "Noto Sans CJK KR", sans-serif; fill: #1c2430 }
.cnndsl .title { font-size: 16px; font-weight: 600; fill: #7b8794 }
.cnndsl .name { font-weight: 700 }
.cnndsl .dim { fill: #55606e }
.cnndsl .edge { fill: none; stroke: #7b8794; stroke-width: 1.5 }
.cnndsl .head { fill: #7b8794 }
.cnndsl .input { fill: #e4e7ec; stroke: #8a94a3 }
.cnndsl .filters { fill: #d7e6fb; stroke: #5b8fd6 }
.cnndsl .units { fill: #fde3cd; stroke: #dd8a3e }
.cnndsl .plain { fill: #dcf1df; stroke: #5fae6d }
.cnndsl .output { stroke-width: 3 }"""


def draw_svg(network: Network) -> str:
    """
    The network as the text of an SVG picture, to be shown inline or saved.

    A box says the row's name, its type, one image's output size and its parameters; hovering shows
    the operator with all its values. Grey boxes are inputs, blue ones slide filters, green ones
    have no weights, orange ones read vectors. Where the table names the network's outputs, their
    boxes have thick borders.
    """
    facts = {row.name: row for row in network}
    lines = {name: _lines(network, row) for name, row in facts.items()}
    widest = max((_width(a) + _width(b) for rows in lines.values() for a, b in rows), default=0.0)
    sizes = Sizes(max(widest + 3 * _PADDING, 150.0), 2 * _LINE + 1.5 * _PADDING)
    layout = lay_out(row_parents(network), sizes)
    title = f"{network.name}: {network.params:,} parameters, {network.macs:,} MACs"
    width = max(layout.width, 1.25 * _width(title)) + 2 * _MARGIN
    height = layout.height + _TITLE + _MARGIN
    shift = (width - layout.width) / 2
    named = network.ir.outputs if network.names_outputs else ()
    body = [
        *(_edge(layout, ends, sizes) for ends in layout.bends),
        *(
            _box(facts[n], lines[n], centre, sizes, is_output=facts[n].row.result in named)
            for n, centre in layout.boxes.items()
        ),
    ]
    return "\n".join(
        [
            f'<svg class="cnndsl" xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" '
            f'height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" role="img">',
            f"<title>{_escape(title)}</title>",
            f"<style>\n{_STYLE}\n</style>",
            '<defs><marker id="cnndsl-head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto"><path class="head" d="M0 0 8 4 0 8z"/></marker></defs>',
            f'<text class="title" x="{width / 2:.1f}" y="26" text-anchor="middle">'
            f"{_escape(title)}</text>",
            f'<g transform="translate({shift:.1f} {_TITLE:.0f})">',
            *body,
            "</g>",
            "</svg>\n",
        ]
    )


def row_parents(network: Network) -> dict[str, list[str]]:
    """For each row the rows that it reads, in order, each once."""
    owner = {node: row.name for row in network.rows for node in row.nodes}
    nodes = {node.name: node for node in network.ir.nodes}
    return {
        row.name: list(
            dict.fromkeys(
                owner[name]
                for node in row.nodes
                for name in nodes[node].inputs
                if owner[name] != row.name
            )
        )
        for row in network.rows
    }


def _lines(network: Network, row: RowFacts) -> list[tuple[str, str]]:
    """Two lines of a box, each with a left and a right part."""
    followers = [
        op.activation if isinstance(op, Activation) else f"dropout {op.rate:g}"
        for op in (node.op for node in network.nodes_of(row.row) if node.name != row.name)
        if isinstance(op, Activation | Dropout)
    ]
    kind = " + ".join([f"{row.op.row_type}{_window(row.op)}", *followers])
    params = f"{row.params:,} params" if row.params else ""
    return [(_cut(row.name), _cut(kind)), ("×".join(map(str, row.shape)), params)]


def _window(op: Op) -> str:
    """The window of an operator that has one, as papers write it: ` 3×3/2`."""
    if not isinstance(op, Conv | Pool):
        return ""
    stride = Step().format(op.stride)
    return f" {'×'.join(map(str, op.kernel))}{'' if stride == '1' else f'/{stride}'}"


def _box(
    row: RowFacts, lines: list[tuple[str, str]], centre: Point, sizes: Sizes, *, is_output: bool
) -> str:
    x, y = centre[0] - sizes.width / 2, centre[1] - sizes.height / 2
    left, right = x + _PADDING, x + sizes.width - _PADDING
    baseline = y + _PADDING / 2 + _LINE - 1
    family = f"{_family(row)} output" if is_output else _family(row)
    texts = [
        f'<text class="{left_class}" x="{left:.1f}" y="{baseline + i * _LINE:.1f}">'
        f'{_escape(first)}</text><text class="{right_class}" x="{right:.1f}" '
        f'y="{baseline + i * _LINE:.1f}" text-anchor="end">{_escape(second)}</text>'
        for i, (first, second) in enumerate(lines)
        for left_class, right_class in [("name", "kind") if i == 0 else ("size", "dim")]
    ]
    return (
        f'<g><title>{_escape(format_op(row.op))}</title><rect class="{family}" '
        f'x="{x:.1f}" y="{y:.1f}" width="{sizes.width:.1f}" height="{sizes.height:.1f}" rx="6"/>'
        f"{''.join(texts)}</g>"
    )


def _family(row: RowFacts) -> str:
    """What colours a box: what the operator is, not which."""
    if isinstance(row.op, Input):
        return "input"
    if row.op.reads == "vector":
        return "units"
    return "filters" if row.params else "plain"


def _edge(layout: Layout, ends: tuple[str, str], sizes: Sizes) -> str:
    """A line from the lower edge of one box to the upper edge of another, past those between."""
    half = sizes.height / 2
    (x, y), (to_x, to_y) = layout.boxes[ends[0]], layout.boxes[ends[1]]
    y += half
    path = [f"M{x:.1f} {y:.1f}"]
    for bend_x, bend_y in layout.bends[ends]:
        path.append(_curve(y, (bend_x, bend_y - half), x))
        path.append(f"V{bend_y + half:.1f}")
        x, y = bend_x, bend_y + half
    path.append(_curve(y, (to_x, to_y - half), x))
    return f'<path class="edge" marker-end="url(#cnndsl-head)" d="{" ".join(path)}"/>'


def _curve(y: float, to: Point, x: float) -> str:
    """From (x, y) to a point: straight down where it can, else an S that leaves upright."""
    if abs(x - to[0]) < 0.05:
        return f"V{to[1]:.1f}"
    middle = (y + to[1]) / 2
    return f"C{x:.1f} {middle:.1f} {to[0]:.1f} {middle:.1f} {to[0]:.1f} {to[1]:.1f}"


def _width(text: str) -> float:
    """About how wide a text of 13 pixels is: no font is at hand to ask."""
    return sum(13.5 if east_asian_width(c) in "WF" else 8.2 for c in text)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _escape(text: str) -> str:
    """Markup characters as entities, and characters that XML does not have as a box."""
    return escape("".join(c if c.isprintable() else "\ufffd" for c in text))
