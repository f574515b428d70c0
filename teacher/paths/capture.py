"""What a path is planned around: the captured cameras of a run, and the point of interest.

scene.json of a teacher's or a student's run folder -> Capture
optical axes, or a trained teacher's depth along them -> point of interest
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from teacher.cameras import Camera
from teacher.config import from_plain
from teacher.errors import UserError
from teacher.files import read_json
from teacher.model import CameraDescription
from teacher.pseudo.envelope import Envelope, fit_envelope
from teacher.pseudo.view import ViewRenderer

LOOKS = 64
"""Cameras that are looked through."""
PART = 0.5
"""Of the picture's shorter side: the middle that counts."""
RAYS = 16
"""Of each look, in both directions."""
_OPAQUE = 0.5
_ITERATIONS = 100
_REMEDY = "give the run folder of a teacher or a student, as their `train` has written it"


@dataclass(frozen=True)
class Capture:
    """The training cameras of a run, in the norm frame."""

    names: tuple[str, ...]
    cameras: tuple[Camera, ...]
    of_teacher: bool = True
    """Whether the run is a teacher's, which can tell depth."""

    @cached_property
    def envelope(self) -> Envelope:
        """What the cameras span."""
        return fit_envelope(self.cameras)

    def camera(self, chosen: str) -> Camera:
        """A camera by name or, counted from 0, by number; raises UserError where there is none such."""
        if chosen in self.names:
            return self.cameras[self.names.index(chosen)]
        if chosen.isdecimal() and int(chosen) < len(self.cameras):
            return self.cameras[int(chosen)]
        close = difflib.get_close_matches(chosen, self.names, 3) or self.names[:3]
        expected = f"a number below {len(self.cameras)}, or a name such as {', '.join(close)}"
        raise UserError("--camera", chosen, expected, "choose one of the training cameras")

    def radius(self, target: Float[Tensor, "3"]) -> float:
        """The captured radius: the median distance of the cameras from `target`."""
        return float(self._offsets(target).norm(dim=-1).median())

    def elevation(self, target: Float[Tensor, "3"]) -> float:
        """Median angle of the cameras above the horizontal plane through `target`, in radians."""
        offsets = self._offsets(target)
        return float(torch.atan2(offsets[:, 2], offsets[:, :2].norm(dim=-1)).median())

    def _offsets(self, target: Float[Tensor, "3"]) -> Float[Tensor, "cameras 3"]:
        return torch.stack([camera.position for camera in self.cameras]).double() - target.double()


def read_capture(run: Path) -> Capture:
    """The training cameras that scene.json in `run` describes, a teacher's or a student's.

    Raises:
        UserError: there is no such file, or it is damaged.
    """
    where = f"{run}/scene.json"
    plain = read_json(run / "scene.json", "a run's scene", _REMEDY)
    try:
        found: Any = plain["cameras"]
        of_teacher = isinstance(found, dict)  # a student's has no splits
        rows = found["train"] if of_teacher else found
        described = [from_plain(CameraDescription, row, f"{where}: cameras") for row in rows]
        cameras = tuple(one.camera() for one in described)
    except (KeyError, TypeError, RuntimeError) as error:
        raise UserError(where, repr(error), "a scene with training cameras", _REMEDY) from error
    if not cameras:
        raise UserError(where, "no cameras", "a scene with training cameras", _REMEDY)
    return Capture(tuple(one.name for one in described), cameras, of_teacher)


def point_of_interest_in_depth(
    renderer: ViewRenderer, cameras: Sequence[Camera]
) -> Float[Tensor, "3"]:
    """The middle of the things that the cameras look at, which need not be where their optical axes meet.

    Each of up to `LOOKS` cameras gives the point of its optical axis at the median depth of what is opaque in the
    middle of its picture; the result is the geometric median of these points: it turns along with the scene, and a
    minority of cameras that look past the object, however far, does not move it far.

    Raises:
        UserError: fewer than half of the cameras see anything there.
    """
    # every n-th could always be the same height of a spiral
    drawn = torch.randperm(len(cameras), generator=torch.Generator().manual_seed(0))[:LOOKS]
    looks = [middle(cameras[k]) for k in drawn.tolist()]
    seen = [point for look in looks if (point := _seen_on_axis(renderer, look)) is not None]
    if 2 * len(seen) < len(looks):
        given = f"nothing in the middle of {len(looks) - len(seen)} of {len(looks)} pictures"
        remedy = "use --target cameras, or X Y Z"
        raise UserError("--target depth", given, "something to look at", remedy)
    return geometric_median(torch.stack(seen))


def middle(camera: Camera) -> Camera:
    """The part of `camera`'s picture around its optical axis, seen by few rays."""
    scale = RAYS / (PART * min(camera.width, camera.height))
    part = replace(camera.undistorted(), fx=camera.fx * scale, fy=camera.fy * scale)
    return replace(part, cx=RAYS / 2, cy=RAYS / 2, width=RAYS, height=RAYS)


def geometric_median(points: Float[Tensor, "n 3"]) -> Float[Tensor, "3"]:
    """The point with the least sum of distances to `points`: Weiszfeld's iteration, from the coordinates' medians."""
    at = points.median(0).values
    near = 1e-6 * (points - at).norm(dim=-1).median().clamp_min(1e-6)
    for _ in range(_ITERATIONS):
        weights = 1 / (points - at).norm(dim=-1).clamp_min(near)
        at = (weights[:, None] * points).sum(0) / weights.sum()
    return at


def _seen_on_axis(renderer: ViewRenderer, look: Camera) -> Float[Tensor, "3"] | None:
    """The point of the optical axis at the depth of what `look` sees; None where it sees nothing."""
    view = renderer.render(look)
    opaque = view.rgba[..., 3] > _OPAQUE
    return look.position + view.depth[opaque].median() * look.forward if opaque.any() else None
