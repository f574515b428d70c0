"""The second stage: cameras for the pictures, in steps that are not repeated after an interruption.

images --features--> --matches--> --cameras--> the largest sub-model: Solution
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from teacher.capture.frames import Frames
from teacher.capture.matching import (
    build,
    comparison,
    find_features,
    load_pycolmap,
    match,
    model_of,
)
from teacher.capture.model import Comparison, Model
from teacher.capture.pairs import pairs_for
from teacher.capture.settings import PoseSettings


@dataclass(frozen=True)
class Solution:
    """What mapping found; no model where it found none."""

    model: Model | None
    compared: Comparison


def solve(work: Path, frames: Frames, settings: PoseSettings, verbose: bool = False) -> Solution:
    """Find the cameras of `work`/images; goes on after the last step that `work` has whole.

    Raises:
        UserError: pycolmap is not installed.
    """
    load_pycolmap(verbose)
    images, folder = work / "images", work / "colmap"
    database = folder / "database.db"
    if not (folder / "features").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        find_features(database, images, frames.groups, settings)
        (folder / "features").touch()
    if not (folder / "matches").exists():
        names = frames.names
        match(
            database, names, pairs_for(len(names), settings.matching_method, frames.video), settings
        )
        (folder / "matches").touch()
    models = _mapped(folder, database, images, len(frames.names), settings)
    sizes = [model.num_reg_images() for model in models]
    best = models[0] if models else None
    return Solution(None if best is None else model_of(best), comparison(database, best, sizes))


def _mapped(
    folder: Path, database: Path, images: Path, count: int, settings: PoseSettings
) -> list[Any]:
    """Sub-models, largest first: read where they were finished, else built."""
    colmap = load_pycolmap()
    done = folder / "cameras"
    if not done.exists():
        shutil.rmtree(folder / "models", ignore_errors=True)
        models = build(database, images, count, settings)
        shutil.rmtree(folder / "models", ignore_errors=True)
        for k, model in enumerate(models):
            (folder / "models" / str(k)).mkdir(parents=True)
            model.write_binary(folder / "models" / str(k))
        done.write_text(str(len(models)))
    return [colmap.Reconstruction(folder / "models" / str(k)) for k in range(int(done.read_text()))]
