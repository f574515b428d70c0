"""The pictures of each view, side by side in the page itself.

    ViewRecord --pictures.shots_of--> Shot ... --encode_strips--> Strip ... --strips_html--> HTML

Pictures are opaque PNG files over the comparison's background, inside the page as base64. They are shrunk until all of
them together stay within a budget; figures are always of the full size.
"""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image

from export.compare import maps
from export.compare.records import ViewRecord
from export.report.markup import Markup, escape, join, png_uri
from export.report.pictures import Shot, shots_of
from export.report.summary import main_reference, score

LARGEST = 400
"""No picture in the page has a longer side, in pixels."""
SMALLEST = 48
BUDGET = 16_000_000
"""Bytes of PNG in one page; base64 adds a third."""


@dataclass(frozen=True)
class Strip:
    """The pictures of one view as PNG files, with what they are."""

    record: ViewRecord
    shots: tuple[tuple[Shot, bytes], ...]

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(len(data) for _, data in self.shots)


def encode_strips(records: Sequence[ViewRecord], budget: int = BUDGET) -> tuple[list[Strip], int]:
    """The strips of all `records`, and the longest side that a picture has in them.

    The first few views tell how many bytes to expect; what is still too much is shrunk further.
    """
    side, count = LARGEST, len(records)
    strips: dict[int, Strip] = {}
    for chosen in (range(0, count, max(1, count // 4)), range(count)):
        for number in chosen:
            strips[number] = strips.get(number) or _strip(records[number], side)
        while (expected := _expected(strips, count)) > budget and side > SMALLEST:
            side = max(SMALLEST, math.floor(side * min(0.95, math.sqrt(budget / expected))))
            strips = {number: _strip(records[number], side) for number in strips}
    return [strips[number] for number in range(count)], side


def _expected(strips: Mapping[int, Strip], count: int) -> float:
    """Bytes of `count` strips, if all are like those that are known."""
    return sum(strip.size for strip in strips.values()) * count / max(1, len(strips))


def _strip(record: ViewRecord, side: int) -> Strip:
    return Strip(record, tuple((shot, encode(shot.pixels, side)) for shot in shots_of(record)))


def encode(pixels: maps.Pixels, side: int) -> bytes:
    """A PNG file whose longer side is at most `side` pixels."""
    image = Image.fromarray(pixels)
    scale = side / max(image.size)
    if scale < 1:
        size = tuple(max(1, round(length * scale)) for length in image.size)
        image = image.resize((size[0], size[1]), Image.Resampling.BOX)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def strips_html(strips: Sequence[Strip], runs: int) -> Markup:
    """All views, the worst first; the same view of several runs one below the other."""
    views: dict[str, list[Strip]] = {}
    for strip in strips:
        views.setdefault(strip.record.name, []).append(strip)
    ordered = sorted(views.values(), key=_worst)
    return Markup(f'<div id="strips">{join([_view(group, runs > 1) for group in ordered])}</div>')


def _worst(group: Sequence[Strip]) -> float:
    values = [quality(strip.record) for strip in group]
    return min((value for value in values if value is not None), default=math.inf)


def quality(record: ViewRecord) -> float | None:
    """What views are ordered by: PSNR of the student, else the teacher, against truth or the teacher."""
    reference = main_reference([record])
    values = [score(record, model, reference, "psnr") for model in ("student", "teacher")]
    return next((value for value in values if value is not None), None)


def _view(group: Sequence[Strip], several: bool) -> Markup:
    record = group[0].record
    psnr = _worst(group)
    data = f'data-name="{escape(record.name)}" data-degrees="{record.novelty.degrees:.4f}"'
    data += f' data-psnr="{psnr if math.isfinite(psnr) else 1e9:.4f}"'
    heading = f"{escape(record.name)} <span class=quiet>{record.novelty.degrees:.1f}° from what was captured</span>"
    rows = join([_row(strip, several) for strip in group])
    return Markup(f'<article class="view" {data}><h3>{heading}</h3>{rows}</article>')


def _row(strip: Strip, several: bool) -> Markup:
    name = f"<p>{escape(strip.record.run)}</p>" if several else ""
    if not strip.shots:
        return Markup(f"{name}<p class=note>The pictures of this view are gone.</p>")
    where = f"{strip.record.run}, {strip.record.name}"
    figures = join([_picture(shot, data, where) for shot, data in strip.shots])
    return Markup(f'{name}<div class="strip">{_pair(strip)}{figures}</div>')


def _picture(shot: Shot, data: bytes, where: str) -> Markup:
    height, width = shot.pixels.shape[:2]
    role = f' data-role="{escape(shot.role)}"' if shot.scenic else ""
    return Markup(
        f'<figure><img src="{png_uri(data)}" alt="{escape(f"{shot.role}: {where}")}" '
        f'width="{width}" height="{height}"{role}>'
        f"<figcaption><strong>{escape(shot.role)}</strong> {escape(shot.note)}</figcaption></figure>"
    )


def _pair(strip: Strip) -> Markup:
    """Two pictures over each other, filled from the strip by the page's script."""
    height, width = strip.shots[0][0].pixels.shape[:2]
    where = escape(f"{strip.record.run}, {strip.record.name}")
    image = f'<img alt="" width="{width}" height="{height}">'
    return Markup(
        f'<figure class="pair" hidden><div class="stack">{image}{image}</div>'
        f'<input type="range" min="0" max="100" value="50" step="0.5" aria-label="Divide {where}">'
        "<figcaption><strong></strong> | <strong></strong></figcaption></figure>"
    )
