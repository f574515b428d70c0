"""Panes of one view: pictures, and what is computed from pairs of them.

ViewRecord, Source, kind --pane--> Pane with PNG bytes, caption and colour bar
"""

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from export.compare.records import REFERENCES, ViewRecord
from web.panel.panes import Legend, Pane

if TYPE_CHECKING:
    from export.compare.maps import ColourBar

KINDS = ("Picture", "Error", "FLIP", "Depth", "Alpha")
TRUTH = "truth"


@dataclass(frozen=True)
class Source:
    """Whose picture: a model's of a run, or the truth."""

    run: str
    model: str

    def label(self, several: bool) -> str:
        """What to call it; with its run's name where there are several."""
        return f"{self.run} · {self.model}" if several and self.model != TRUTH else self.model


def sources(records: dict[str, ViewRecord]) -> list[Source]:
    """What there are pictures of, by run: the truth first, and once."""
    found = []
    for run, record in records.items():
        for model in record.pictures:
            if model != TRUTH or all(source.model != TRUTH for source in found):
                found.append(Source(run, model))
    return sorted(found, key=lambda source: source.model != TRUTH)


def references(records: dict[str, ViewRecord]) -> list[str]:
    """What pictures can be compared with."""
    return [r for r in REFERENCES if any(r in record.pictures for record in records.values())]


def pane(records: dict[str, ViewRecord], source: Source, kind: str, reference: str) -> Pane:
    """The pane that shows `source` as `kind`; errors are from `reference`, which is shown as it is."""
    record = records[source.run]
    title = source.label(len(records) > 1)
    if kind in ("Error", "FLIP"):
        against = reference_picture(records, source.run, reference)
        if source.model == reference or against is None:
            return Pane(f"{title}, the reference", (record.pictures[source.model],))
        return _difference(
            record, source.model, kind, against, title, _caption(record, source, reference)
        )
    if kind == "Depth":
        return _depth(records, record, source.model, title)
    if kind == "Alpha":
        return _alpha(record, source.model, title)
    return Pane(title, (record.pictures[source.model],), _caption(record, source, reference))


def reference_picture(records: dict[str, ViewRecord], run: str, reference: str) -> Path | None:
    """What the pictures of `run` are held against: its own, or the photograph that another run has."""
    own = records[run].pictures.get(reference)
    if own is not None or reference != TRUTH:
        return own
    return next((r.pictures[TRUTH] for r in records.values() if TRUTH in r.pictures), None)


def _difference(
    record: ViewRecord, model: str, kind: str, against: Path, title: str, caption: str
) -> Pane:
    from export.compare import maps

    draw, name = (maps.error_map, "error") if kind == "Error" else (maps.flip_map, "flip")
    pixels = draw(record.pictures[model], against, record.background, kept=record.kept)
    return Pane(f"{title}, {kind}", (to_png(pixels),), caption, legend(maps.colour_bar(name)))


def _depth(records: dict[str, ViewRecord], record: ViewRecord, model: str, title: str) -> Pane:
    """Depth in the same colours for all models of the view."""
    from export.compare import maps

    path = record.depths.get(model)
    if path is None:
        return Pane(f"{title}, no depth", ())
    there = [p for r in records.values() for p in r.depths.values() if p.is_file()]
    limits = maps.depth_limits(there)
    bar = legend(maps.colour_bar("depth", limits))
    return Pane(f"{title}, depth", (to_png(maps.depth_picture(path, limits)),), "", bar)


def _alpha(record: ViewRecord, model: str, title: str) -> Pane:
    from export.compare import maps

    pixels = maps.alpha_picture(record.pictures[model])
    return Pane(f"{title}, alpha", (to_png(pixels),), "", legend(maps.colour_bar("alpha")))


def legend(bar: "ColourBar") -> Legend:
    """The bar of a map as the panes draw it."""
    return Legend(bar.low, bar.high, bar.colours, bar.unit)


def to_png(pixels: np.ndarray) -> bytes:
    """PNG of [h w], [h w 3] or [h w 4] bytes, packed quickly rather than tightly."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _caption(record: ViewRecord, source: Source, reference: str) -> str:
    """Quality against `reference` and the time it took."""
    parts = []
    value = record.scores.get(reference, {}).get(source.model, {}).get("psnr")
    if isinstance(value, float) and not math.isnan(value):
        parts.append(f"{value:.2f} dB")
    if source.model in record.milliseconds:
        parts.append(f"{record.milliseconds[source.model]:.0f} ms")
    return " · ".join(parts)
