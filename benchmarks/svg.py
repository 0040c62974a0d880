"""Scalable vector graphics as text: elements, and the sheet that charts are drawn on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

# The sheet brings its own background: legible on a white page and on a black one.
_STYLE = """\
.chart text { font: 12px system-ui, "Noto Sans", sans-serif; fill: #1c2430 }
.chart .title { font-size: 15px; font-weight: 600 }
.chart .head { font-weight: 600 }
.chart .dim { fill: #55606e; font-size: 11px }
.chart .sheet { fill: #ffffff; stroke: #d5dae1 }
.chart .grid { stroke: #e4e7ec }
.chart .axis { stroke: #8a94a3 }
.chart .spread { stroke: #1c2430; stroke-opacity: .55 }"""

COLOURS = ("#2f6fca", "#e07b39", "#4f9d5d", "#a05fb5", "#c7a233", "#7b8794")
"""One for each contestant, ourselves first."""

Attribute = str | float | int


def element(name: str, *content: str, **attributes: Attribute) -> str:
    """
    An element. Underscores in attribute names stand for hyphens; a last one is dropped.

    >>> element("text", "a < b", x=1.25, text_anchor="end", class_="dim")
    '<text x="1.2" text-anchor="end" class="dim">a < b</text>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
    )
    return f"<{name}{written}>{''.join(content)}</{name}>" if content else f"<{name}{written}/>"


def text(words: str, x: float, y: float, **attributes: Attribute) -> str:
    """A text, with its markup characters escaped."""
    return element("text", escape(words), x=x, y=y, **attributes)


def line(start: tuple[float, float], end: tuple[float, float], **attributes: Attribute) -> str:
    """A straight line."""
    return element("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], **attributes)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A picture with a title, and a note in small letters at its foot."""

    title: str
    note: str
    width: float
    height: float

    def draw(self, body: Sequence[str]) -> str:
        """The whole picture's text."""
        parts = [
            element("title", escape(self.title)),
            f"<style>\n{_STYLE}\n</style>",
            element("rect", class_="sheet", x=0.5, y=0.5, width=self.width - 1,
                    height=self.height - 1, rx=8),
            text(self.title, self.width / 2, 26, class_="title", text_anchor="middle"),
            *body,
            text(self.note, self.width / 2, self.height - 12, class_="dim", text_anchor="middle"),
        ]  # fmt: skip
        width, height = f"{self.width:.0f}", f"{self.height:.0f}"
        return "\n".join(
            [
                f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" width="{width}" '
                f'height="{height}" viewBox="0 0 {width} {height}" role="img">',
                *parts,
                "</svg>\n",
            ]
        )


def legend(names: Sequence[str], x: float, y: float) -> list[str]:
    """The names in a row, each behind a square of its colour."""
    parts: list[str] = []
    for name, colour in zip(names, COLOURS, strict=False):
        parts.append(element("rect", x=x, y=y - 9, width=10, height=10, rx=2, fill=colour))
        parts.append(text(name, x + 15, y))
        x += 34 + 7.2 * len(name)
    return parts


def _value(value: Attribute) -> str:
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return escape(str(value))
