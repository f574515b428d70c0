"""What mapping found: cameras, points and which picture shows which point, as arrays, free of pycolmap's types.

Cameras are in the project's convention (OpenGL axes, camera-to-world), in the reconstruction's own frame: its origin,
scale and orientation mean nothing yet (`world.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

MAPPED = 15
"""Matches from which mapping uses a pair of pictures (COLMAP's default)."""


@dataclass(frozen=True)
class LensFit:
    """Calibrated intrinsics, in pixels of the pictures written."""

    model: str
    """COLMAP's name, which nerfstudio's files use too."""
    width: int
    height: int
    values: dict[str, float]
    """fl_x, fl_y, cx, cy and the model's coefficients, under transforms.json's names."""


@dataclass(frozen=True)
class Model:
    """A reconstruction; images are ordered by name, which for a video is the order of filming."""

    names: tuple[str, ...]
    T_world_camera: Float[np.ndarray, "images 4 4"]
    lens: Int[np.ndarray, " images"]
    """Which of `lenses` took each picture."""
    lenses: tuple[LensFit, ...]
    points: Float[np.ndarray, "points 3"]
    colours: UInt8[np.ndarray, "points 3"]
    errors: Float[np.ndarray, " points"]
    """Mean reprojection error of each point, pixels."""
    seen_image: Int[np.ndarray, " observations"]
    seen_point: Int[np.ndarray, " observations"]

    @property
    def positions(self) -> Float[np.ndarray, "images 3"]:
        """The cameras' centres."""
        return self.T_world_camera[:, :3, 3]

    @property
    def points_per_image(self) -> Int[np.ndarray, " images"]:
        """How many points each picture shows."""
        return np.bincount(self.seen_image, minlength=len(self.names))

    @property
    def track_lengths(self) -> Int[np.ndarray, " points"]:
        """In how many pictures each point is seen."""
        return np.bincount(self.seen_point, minlength=len(self.points))

    @property
    def error_per_image(self) -> Float[np.ndarray, " images"]:
        """Mean over a picture's points of their reprojection errors, pixels."""
        total = np.bincount(self.seen_image, self.errors[self.seen_point], len(self.names))
        return total / np.maximum(self.points_per_image, 1)

    def without(self, dropped: Bool[np.ndarray, " images"]) -> "Model":
        """The model without some images; points that fewer than two others show go with them."""
        keep = ~dropped
        number = np.cumsum(keep) - 1
        seen = keep[self.seen_image]
        tracks = np.bincount(self.seen_point[seen], minlength=len(self.points))
        alive = tracks >= 2
        seen &= alive[self.seen_point]
        point_number = np.cumsum(alive) - 1
        return replace(
            self,
            names=tuple(name for name, kept in zip(self.names, keep, strict=True) if kept),
            T_world_camera=self.T_world_camera[keep],
            lens=self.lens[keep],
            points=self.points[alive],
            colours=self.colours[alive],
            errors=self.errors[alive],
            seen_image=number[self.seen_image[seen]],
            seen_point=point_number[self.seen_point[seen]],
        )


@dataclass(frozen=True)
class Pair:
    """What comparing two pictures by themselves gave, and whether the model agrees."""

    first: str
    second: str
    matches: int
    """Details matched that fit one rigid scene seen from two places."""
    same: int = 0
    """Of these, how many are one point of the model."""
    either: int = 0
    """Of these, how many are a point of the model on at least one side."""
    panoramic: bool = False
    """Whether a turn on the spot, or a plane, explains the matches as well."""


@dataclass(frozen=True)
class Comparison:
    """Everything that matching found, registered or not."""

    features: dict[str, int]
    """Details found in each picture."""
    pairs: tuple[Pair, ...]
    """Pairs with at least one verified match."""
    model_sizes: tuple[int, ...] = ()
    """Images in each sub-model, largest first."""
    homographies: Float[np.ndarray, "n 3 3"] = field(
        default_factory=lambda: np.zeros((0, 3, 3)), compare=False
    )
    """Of the pairs that mapping would use and that a turn on the spot, or a plane, explains as well; from the first
    picture to the second, in coordinates from their middles, by their longer sides."""

    def strong(self, matches: int) -> list[Pair]:
        """Pairs with at least so many matches."""
        return [pair for pair in self.pairs if pair.matches >= matches]


def median(values: Sequence[float | int] | np.ndarray) -> float:
    """The median; 0 of nothing."""
    return float(np.median(values)) if len(values) else 0.0
