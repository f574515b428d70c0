"""What all views of a run say together: means, the best and the worst, quality by how new a view is.

    ViewRecord ... --means--> Mean for each model and reference
                   --worst_first--> the same records in another order
                   --novelty_buckets--> Bucket for each range of degrees

A figure that a view does not have is left out of its mean; where no view has it, the reason is kept. Nothing here
knows torch.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, pstdev

from export.compare.records import MODELS, REFERENCES, Scores, ViewRecord

DEGREES = (0.0, 1.0, 2.0, 4.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 180.0)
"""Bounds of the ranges of novelty; the last one is in the last range."""


@dataclass(frozen=True)
class Mean:
    """One model against one reference, over all views of one run."""

    run: str
    model: str
    reference: str
    views: int
    scores: Scores
    """Means over views, or why there is none."""
    deviation: float | None
    """Standard deviation of PSNR over views, in dB; None of fewer than two views."""
    milliseconds: float | None
    """Mean time of rendering one view."""
    rays_per_second: float | None
    """Pixels that the model computes, over that time."""

    @property
    def fps(self) -> float | None:
        """Views a second."""
        return 1000 / self.milliseconds if self.milliseconds else None


@dataclass(frozen=True)
class Bucket:
    """Views whose novelty is in [low, high) degrees."""

    low: float
    high: float
    views: int
    mean: float
    worst: float
    deviation: float


def number(scores: Scores | None, metric: str) -> float | None:
    """`metric` if it is a finite number."""
    value = None if scores is None else scores.get(metric)
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    return None


def score(record: ViewRecord, model: str, reference: str, metric: str) -> float | None:
    """One figure of one view, or None."""
    return number(record.scores.get(reference, {}).get(model), metric)


def main_reference(records: Sequence[ViewRecord]) -> str:
    """ "truth" if any view has a photograph, else "teacher"."""
    return "truth" if any(record.scores.get("truth") for record in records) else "teacher"


def mean_score(
    records: Sequence[ViewRecord], model: str, reference: str, metric: str
) -> float | None:
    """Mean over views of one figure, or None where no view has it."""
    values = [score(record, model, reference, metric) for record in records]
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def means(records: Iterable[ViewRecord]) -> list[Mean]:
    """For each run, reference and model with at least one figure, in the order in which they are shown."""
    runs: dict[str, list[ViewRecord]] = {}
    for record in records:
        runs.setdefault(record.run, []).append(record)
    return [
        found
        for run, mine in runs.items()
        for reference in REFERENCES
        for model in _models(mine)
        if (found := _mean(run, mine, model, reference)) is not None
    ]


def _models(records: Sequence[ViewRecord]) -> list[str]:
    """The models in `records`: those we know in our order, then any others."""
    seen = dict.fromkeys(m for r in records for table in r.scores.values() for m in table)
    return [model for model in MODELS if model in seen] + [m for m in seen if m not in MODELS]


def _mean(run: str, records: list[ViewRecord], model: str, reference: str) -> Mean | None:
    tables = [r.scores[reference][model] for r in records if model in r.scores.get(reference, {})]
    if not tables:
        return None
    decibels = [value for table in tables if (value := number(table, "psnr")) is not None]
    times = [r.milliseconds[model] for r in records if model in r.milliseconds]
    return Mean(
        *(run, model, reference, len(tables)),
        scores={metric: _mean_metric(tables, metric) for metric in _metrics(tables)},
        deviation=pstdev(decibels) if len(decibels) > 1 else None,
        milliseconds=fmean(times) if times else None,
        rays_per_second=_rays_per_second(records, model),
    )


def _metrics(tables: Sequence[Scores]) -> list[str]:
    return list(dict.fromkeys(metric for table in tables for metric in table))


def _mean_metric(tables: Sequence[Scores], metric: str) -> float | str:
    values = [value for table in tables if (value := number(table, metric)) is not None]
    if values:
        return fmean(values)
    return next((str(table[metric]) for table in tables if metric in table), "n/a")


def _rays_per_second(records: Sequence[ViewRecord], model: str) -> float | None:
    timed = [record for record in records if record.milliseconds.get(model)]
    if not timed:
        return None
    rays = sum(
        math.prod(record.sizes.get(model, (record.width, record.height))) for record in timed
    )
    return rays / (sum(record.milliseconds[model] for record in timed) / 1000)


def worst_first(
    records: Sequence[ViewRecord], model: str, reference: str, metric: str = "psnr"
) -> list[ViewRecord]:
    """`records` by a figure of theirs, the worst first; those without it at the end, as they came.

    PSNR, SSIM and MS-SSIM are better when larger; FLIP and LPIPS are errors.
    """
    errors = metric in ("flip", "lpips")
    known = [r for r in records if score(r, model, reference, metric) is not None]
    rest = [r for r in records if score(r, model, reference, metric) is None]

    def goodness(record: ViewRecord) -> tuple[float, str]:
        value = score(record, model, reference, metric) or 0.0
        return (-value if errors else value, record.name)

    return sorted(known, key=goodness) + rest


def novelty_buckets(
    records: Sequence[ViewRecord],
    model: str,
    reference: str,
    metric: str = "psnr",
    bounds: Sequence[float] = DEGREES,
) -> list[Bucket]:
    """Quality by the angle to the nearest training camera; ranges without views are left out."""
    buckets = []
    for low, high in pairwise(bounds):
        last = high == bounds[-1]
        inside = [r for r in records if _is_within(r.novelty.degrees, low, high, last)]
        values = [v for r in inside if (v := score(r, model, reference, metric)) is not None]
        if values:
            buckets.append(
                Bucket(low, high, len(values), fmean(values), min(values), pstdev(values))
            )
    return buckets


def _is_within(degrees: float, low: float, high: float, last: bool) -> bool:
    return low <= degrees < high or (last and degrees == high)


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Spearman's: 1 if the second grows whenever the first does; None of fewer than three pairs or equal values.

    >>> rank_correlation([(1.0, 5.0), (2.0, 7.0), (9.0, 8.0)])
    1.0
    """
    if len(pairs) < 3:
        return None
    first, second = (_ranks([pair[k] for pair in pairs]) for k in (0, 1))
    scale = pstdev(first) * pstdev(second)
    if scale == 0:
        return None
    centre = fmean(first)
    return fmean((a - centre) * (b - centre) for a, b in zip(first, second, strict=True)) / scale


def _ranks(values: Sequence[float]) -> list[float]:
    """Places in the order of size; equal values share the mean of theirs."""
    return [sum(v < x for v in values) + (sum(v == x for v in values) - 1) / 2 for x in values]
