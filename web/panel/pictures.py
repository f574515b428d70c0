"""Panes of one view: pictures, and what is computed from pairs of them.

ViewRecord, Source, kind --pane--> Pane with PNG bytes, caption and colour bar
"""

import math
from dataclasses import dataclass

from export.compare.records import REFERENCES, ViewRecord
from web.panel.panes import Pane

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


def pane(record_by_run: dict[str, ViewRecord], source: Source, kind: str, reference: str) -> Pane:
    """The pane that shows `source` as `kind`; errors are from `reference`."""
    several = len(record_by_run) > 1
    record = record_by_run[source.run]
    return Pane(
        source.label(several), (record.pictures[source.model],), _caption(record, source, reference)
    )


def _caption(record: ViewRecord, source: Source, reference: str) -> str:
    """Quality against `reference` and the time it took."""
    parts = []
    value = record.scores.get(reference, {}).get(source.model, {}).get("psnr")
    if isinstance(value, float) and not math.isnan(value):
        parts.append(f"{value:.2f} dB")
    if source.model in record.milliseconds:
        parts.append(f"{record.milliseconds[source.model]:.0f} ms")
    return " · ".join(parts)
