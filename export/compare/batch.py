"""All held-out views of a run compared, and kept on disk: a second call renders only what has changed or is missing.

    photographs of a split | cameras drawn from the envelope --compare each--> RUN/compare/ --> [ViewRecord]

`export.compare.cache` says what is kept where, and for how long. After a kill, or Ctrl-C between two views, the same
call goes on with the views that are not whole.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from export.compare.cache import (
    RECORD,
    Stored,
    cache_folder,
    cached_records,
    prune,
    read_stored,
    view_folder,
    view_key,
    write_record,
)
from export.compare.contenders import Contenders, open_contenders
from export.compare.identity import identities
from export.compare.novelty import novelty
from export.compare.records import MODELS, ViewRecord
from export.compare.surroundings import Surroundings, find_surroundings
from export.compare.targets import Target, targets_of
from export.compare.views import Comparison
from export.runs import Run
from student.held_out import spread
from teacher.evaluate import write_view
from teacher.images import straight_alpha, to_bytes, write_png
from teacher.machine import Device

__all__ = ["Progress", "cached_records", "compare_run"]

Progress = Callable[[int, int, str], None]
"""Is told how many views are done, of how many, and the name of the last."""


def compare_run(
    run: Run,
    *,
    split: str = "test",
    background: str = "white",
    models: Sequence[str] = MODELS,
    limit: int | None = None,
    progress: Progress | None = None,
    device: Device = "auto",
) -> list[ViewRecord]:
    """Compare `models` on the views of a split; what is on disk and still holds is not rendered again.

    Where there are no photographs (an oracle, a store of views, a data set that is gone), views are drawn from the
    envelope, as `student.evaluate` draws them, and there is no truth.

    Args:
        run: what to compare.
        split: of the photographs.
        background: "white" or "black".
        models: those wanted; a run may have fewer.
        limit: at most so many views, spread evenly; None: all.
        progress: is told about every view, those found on disk too; may raise to end early.
        device: where teacher and student render.

    Raises:
        UserError: the run has no cameras, or its data no such split.
    """
    return _Batch(run, split, background, models, limit, device).work(progress)


@dataclass(frozen=True)
class _Batch:
    run: Run
    split: str
    background: str
    models: Sequence[str]
    limit: int | None
    device: Device

    def work(self, progress: Progress | None) -> list[ViewRecord]:
        targets = targets_of(self.run, self.split, self._surroundings)
        chosen = targets if self.limit is None else spread(targets, self.limit)
        found = self._found(chosen)
        records = []
        for done, target in enumerate(chosen, 1):
            records.append((found[target.name] or self._compare(target)).record)
            if progress is not None:
                progress(done, len(chosen), target.name)
        if self.limit is None and cache_folder(self.run, self.split, self.background).is_dir():
            names = {target.name for target in targets}
            prune(self.run, self.split, self.background, names)
        return records

    @cached_property
    def _contenders(self) -> Contenders:
        return open_contenders(self.run, self.models, self.device)

    @cached_property
    def _surroundings(self) -> Surroundings:
        return find_surroundings(self.run)

    def _found(self, targets: Sequence[Target]) -> dict[str, Stored | None]:
        """What is on disk and serves, by name of the view."""
        known = identities(self.run)
        wanted = known.keys() & set(self.models)
        found = {target.name: self._stored(target, wanted, known) for target in targets}
        if all(found.values()):
            return found
        able = wanted & self._contenders.renderers.keys()  # no view waits for what cannot be opened
        return {target.name: self._stored(target, able, known) for target in targets}

    def _stored(self, target: Target, wanted: set[str], known: dict[str, str]) -> Stored | None:
        stored = read_stored(self._folder(target))
        if stored is None or stored.key != view_key(target.description):
            return None
        whole = wanted <= stored.identities.keys() and stored.files == target.files
        return stored if whole and stored.serves(known) else None

    def _folder(self, target: Target) -> Path:
        return view_folder(self.run, self.split, self.background, target.name)

    def _compare(self, target: Target) -> Stored:
        comparison = target.compare(self._contenders, self.background)
        folder = self._folder(target)
        (folder / RECORD).unlink(missing_ok=True)  # from here to the end its files are of two
        record = self._write(folder, target, comparison)
        rendered = {model: self._contenders.identity(model) for model in comparison.views}
        key = view_key(target.description)
        stored = Stored(record, target.number, key, rendered, target.files)
        write_record(folder, stored)
        return stored

    def _write(self, folder: Path, target: Target, comparison: Comparison) -> ViewRecord:
        """Write the pictures into `folder`; returns what is known of the view."""
        pictures, depths, around = {}, {}, self._surroundings
        if comparison.truth is not None:
            pictures["truth"] = _write_rgba(folder / "truth.png", comparison.truth)
        for model, view in comparison.views.items():
            stem = model.replace(" ", "-")
            write_view(folder / stem, view)
            pictures[model], depths[model] = (
                folder / f"{stem}.{suffix}" for suffix in ("png", "depth.png")
            )
        kept = None
        if not comparison.kept.all():
            kept = folder / "kept.png"
            write_png(kept, to_bytes(comparison.kept.float()))
        camera = comparison.camera
        return ViewRecord(
            run=self.run.name,
            name=target.name,
            split=target.split,
            background=self.background,
            width=camera.width,
            height=camera.height,
            novelty=novelty(camera, around.cameras, around.envelope.pivot),
            pictures=pictures,
            depths=depths,
            scores=comparison.scores,
            milliseconds=comparison.milliseconds,
            sizes=comparison.sizes,
            kept=kept,
        )


def _write_rgba(path: Path, rgba: Float[Tensor, "height width 4"]) -> Path:
    write_png(path, to_bytes(straight_alpha(rgba)))
    return path
