"""The few HTML elements that the report is made of; whatever comes from files is escaped here.

Functions take plain text and return HTML. `Markup` is HTML already, which only code of ours makes.
"""

import base64
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teacher.charts import COLOURS, to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Markup(str):
    """HTML that is not to be escaped again."""


@dataclass(frozen=True)
class Cell:
    """Of a table: what it shows and what it is sorted by."""

    shown: str
    key: float | str | None = None
    """None: as shown."""
    title: str = ""
    """More, for a pointer that rests on it."""


@dataclass(frozen=True)
class Column:
    """Of a table."""

    name: str
    numeric: bool = True
    title: str = ""


def escape(value: object) -> Markup:
    """`value` as text, safe between tags and in quoted attributes."""
    return value if isinstance(value, Markup) else Markup(html.escape(str(value), quote=True))


def join(parts: Sequence[str], between: str = "") -> Markup:
    """HTML parts, one after the other; those that are not `Markup` are escaped."""
    return Markup(between.join(escape(part) for part in parts))


def table(caption: str, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> Markup:
    """A table whose columns can be sorted by their headings; the first cell of a row is its heading."""
    head = join([_heading(number, column) for number, column in enumerate(columns)])
    body = join([Markup(f"<tr>{_cells(columns, row)}</tr>") for row in rows])
    return Markup(
        '<div class="scroll" tabindex="0" role="region" '
        f'aria-label="{escape(caption)}"><table class="sortable">'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _heading(number: int, column: Column) -> Markup:
    kind = ' class="number"' if column.numeric else ""
    title = f' title="{escape(column.title)}"' if column.title else ""
    button = f'<button type="button" data-column="{number}"{title}>{escape(column.name)}</button>'
    return Markup(f'<th scope="col"{kind}>{button}</th>')


def _cells(columns: Sequence[Column], row: Sequence[Cell]) -> Markup:
    return join([_cell(k, c, cell) for k, (c, cell) in enumerate(zip(columns, row, strict=True))])


def _cell(number: int, column: Column, cell: Cell) -> Markup:
    tag, scope = ("th", ' scope="row"') if number == 0 else ("td", "")
    kind = ' class="number"' if column.numeric else ""
    key = "" if cell.key is None else f' data-key="{escape(cell.key)}"'
    title = f' title="{escape(cell.title)}"' if cell.title else ""
    return Markup(f"<{tag}{scope}{kind}{key}{title}>{escape(cell.shown)}</{tag}>")


def facts(pairs: Sequence[tuple[str, str]]) -> Markup:
    """A list of names and values."""
    items = [f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in pairs]
    return Markup(f"<dl>{''.join(items)}</dl>")


def chart_figure(figure: "Figure", caption: str, prefix: str) -> Markup:
    """A chart in the page's own colours, light and dark; `prefix` tells its ids from other charts'."""
    svg = themed(to_svg(figure), prefix)
    label = f'<svg role="img" aria-label="{escape(caption)}"'
    return Markup(
        f'<figure class="chart">{svg.replace("<svg", label, 1)}'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


_PAINT = {
    "#ffffff": "var(--panel)",
    "#000000": "var(--ink)",
    "#dddddd": "var(--grid)",
    **{colour: f"var(--series-{number})" for number, colour in enumerate(COLOURS)},
}


def themed(svg: str, prefix: str) -> str:
    """`svg` with the style sheet's variables for colours and with ids that begin with `prefix`."""
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r'(url\(|href=")#(?=[a-zA-Z])', rf"\1#{prefix}-", svg)

    def paint(style: re.Match[str]) -> str:
        return re.sub(r"#[0-9a-f]{6}", lambda m: _PAINT.get(m[0], m[0]), style[0])

    return re.sub(r'style="[^"]*"', paint, svg)


def png_uri(data: bytes) -> Markup:
    """A PNG file as the address of an image."""
    return Markup(f"data:image/png;base64,{base64.b64encode(data).decode()}")


def section(ident: str, title: str, *parts: str) -> Markup:
    """A part of the page with a heading that the table of contents links to."""
    heading = f'<h2 id="{ident}-title">{escape(title)}</h2>'
    return Markup(
        f'<section id="{ident}" aria-labelledby="{ident}-title">{heading}{join(parts)}</section>'
    )


def paragraph(text: str, kind: str = "") -> Markup:
    """One paragraph."""
    named = f' class="{kind}"' if kind else ""
    return Markup(f"<p{named}>{escape(text)}</p>")
