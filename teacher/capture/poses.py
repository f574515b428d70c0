"""The second stage: cameras for the pictures, in steps that are not repeated after an interruption.

images --features--> --matches--> a turn on the spot? --cameras--> the largest sub-model: Solution
"""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from teacher.capture.colmap import Job, Stage
from teacher.capture.frames import Frames, masks_of
from teacher.capture.matching import NoStartError, run_stage
from teacher.capture.model import Comparison, Model
from teacher.capture.pairs import pairs_for
from teacher.capture.reading import comparison, load_pycolmap, model_of
from teacher.capture.settings import PoseSettings
from teacher.capture.turning import only_turns


@dataclass(frozen=True)
class Solution:
    """What mapping found; no model where it found none."""

    model: Model | None
    compared: Comparison


def solve(work: Path, frames: Frames, settings: PoseSettings, verbose: bool = False) -> Solution:
    """Find the cameras of `work`/images; goes on after the last step that `work` has whole.

    Raises:
        UserError: pycolmap is not installed, or one of its stages failed.
    """
    colmap = load_pycolmap()
    folder = (work / "colmap").absolute()
    if not (folder / "features").exists():  # half a database cannot be gone on with
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    names, masks = frames.names, masks_of((work / "images").absolute())
    numbers = pairs_for(len(names), settings.matching_method, frames.video)
    job = Job(
        *("features", folder, (work / "images").absolute(), settings, frames.groups),
        pairs=tuple((names[i], names[j]) for i, j in numbers),
        verbose=verbose,
        masks=masks if masks.is_dir() else None,
    )
    _run(job, "features", "matches")
    compared = comparison(job.database, None, ())
    if only_turns(compared) is not None:
        return Solution(None, compared)
    try:
        _run(job, "cameras")
    except NoStartError:
        return Solution(None, compared)
    paths = sorted((folder / "models").iterdir(), key=lambda path: int(path.name))
    models = [colmap.Reconstruction(path) for path in paths]
    best = models[0] if models else None
    sizes = [model.num_reg_images() for model in models]
    compared = comparison(job.database, best, sizes)
    return Solution(None if best is None else model_of(best), compared)


def _run(job: Job, *stages: Stage) -> None:
    """Run the stages that are not finished yet."""
    for stage in stages:
        if not (job.folder / stage).exists():
            run_stage(replace(job, stage=stage))
            (job.folder / stage).touch()
