"""What every loader returns: a scene in its data set's own frame, before normalisation.

A loader is `load(path, options) -> RawScene`. It raises `NotThisFormat` with the reason where the
path holds some other kind of data set, `UserError` where it is its kind but cannot be used.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from teacher.errors import UserError
from teacher.scene import Frame


class NotThisFormat(Exception):
    """The path does not hold this loader's format; the message says what is missing."""


@dataclass(frozen=True)
class LoadOptions:
    """What a user may ask of any loader."""

    downscale: int = 1
    """Pictures are shrunk by this whole number."""
    test_every: int = 8
    """Where the data set names no test pictures, every n-th one from the first is held out."""
    splits: Path | None = None
    """File of names that divides the data set (`teacher.datasets.splits`); None: the one in its folder, if any."""
    invert_masks: bool = False
    """Masks have the opposite polarity of what their format says."""


@dataclass(frozen=True)
class RawScene:
    """A loaded data set; cameras (poses in float64) and box are in its own frame ("world")."""

    name: str
    splits: dict[str, tuple[Frame, ...]]
    has_alpha: bool
    """Whether every picture has an alpha channel, used or not."""
    aabb: Float[Tensor, "2 3"] | None = None
    """The box that the data set itself asks for, where it does."""
    T_world_source: Float[Tensor, "4 4"] = field(default_factory=lambda: torch.eye(4).double())
    """From the frame of the reconstruction (COLMAP's, say), where that is on record."""
    warnings: tuple[str, ...] = ()
    points: Float64[Tensor, "n 3"] | None = None
    """Sparse points of the reconstruction, mistakes removed; None where there are none."""


Loader = Callable[[Path, LoadOptions], RawScene]


def natural_order(name: str) -> list[tuple[int, str]]:
    """Sorting key that puts "frame_2" before "frame_10"."""
    pieces = re.split(r"(\d+)", name)
    return [(int(piece), "") if piece.isdecimal() else (-1, piece) for piece in pieces]


def hold_out(frames: tuple[Frame, ...], every: int) -> dict[str, tuple[Frame, ...]]:
    """Every n-th frame from the first is "test" (as in mip-NeRF 360), the others are "train"."""
    if len(frames) < 2:
        expected = "at least two: one to train on and one to hold out"
        raise UserError("data set", f"{len(frames)} usable image", expected, "add images")
    ordered = sorted(frames, key=lambda frame: natural_order(frame.name))
    return {
        "train": tuple(frame for i, frame in enumerate(ordered) if i % every != 0),
        "test": tuple(frame for i, frame in enumerate(ordered) if i % every == 0),
    }


def with_test_split(
    splits: dict[str, tuple[Frame, ...]], every: int
) -> dict[str, tuple[Frame, ...]]:
    """`splits` with a "test": "val" under that name where there is none, else held-out frames."""
    splits = {name: frames for name, frames in splits.items() if frames}
    if "test" not in splits and "val" in splits:
        splits["test"] = splits.pop("val")
    if "test" in splits:
        return splits
    return {**splits, **hold_out(splits["train"], every)}
