"""`python -m teacher path {circle,cone,orbit,spiral,interpolate}`: plan a camera path, write it as a file.

run folder, shape -> cameras -> camera-path JSON (`teacher.paths.files`)
"""

import math
import pathlib
from dataclasses import dataclass, replace
from itertools import chain
from typing import Annotated, Any, ClassVar, Literal

import torch
import tyro
from jaxtyping import Float
from torch import Tensor

from teacher.cameras import Camera, point_of_interest
from teacher.errors import UserError
from teacher.machine import Device
from teacher.paths.capture import Capture, point_of_interest_in_depth, read_capture
from teacher.paths.files import CameraPath, write_path
from teacher.paths.shapes import PATHS, angles, circle, cone
from teacher.paths.spline import in_nearest_order, interpolate
from teacher.pseudo.envelope import widened
from teacher.pseudo.view import ViewRenderer

Target = Literal["cameras", "depth"] | tuple[float, float, float]
TOLERANCE = 0.02
"""A view this far past the envelope (see `widened`) is not called outside yet: edges are not that sharp."""


@dataclass(frozen=True, kw_only=True)
class _Shape:
    run_folder: Annotated[pathlib.Path, tyro.conf.arg(name="run")]
    """Run folder of a teacher or a student."""
    output: pathlib.Path
    """Camera-path JSON file to write."""
    frames: int = 120
    """Number of cameras (of each ring, where there are several)."""
    fps: float = 30.0
    """How many are shown in a second."""
    height: int | None = None
    """Height of the pictures in pixels, the width follows; by default the training pictures'."""
    title: str = ""
    """The path's name; by default the file's."""
    kind: ClassVar[str]

    def write(self) -> None:
        """Plan, write and say what was written."""
        _positive("--frames", self.frames)
        _positive("--fps", self.fps)
        capture = read_capture(self.run_folder)
        planned = self.plan(capture, self._like(capture.cameras[0]))
        name = self.title or self.output.stem
        path = replace(planned, fps=self.fps, name=name, kind=self.kind)
        write_path(self.output, path)
        print(_said(self.output, path, capture))

    def plan(self, capture: Capture, like: Camera) -> CameraPath:
        """The path; its name and speed come later."""
        raise NotImplementedError

    def _like(self, camera: Camera) -> Camera:
        if self.height is None:
            return camera.undistorted()
        _positive("--height", self.height)
        width = max(1, round(self.height * camera.width / camera.height))
        return camera.undistorted().resized(width, self.height)


@dataclass(frozen=True, kw_only=True)
class _AroundTarget(_Shape):
    target: Target = "cameras"
    """What to look at: where the training cameras' optical axes meet, where a trained teacher sees what they look at
    ("depth"), or X Y Z in the norm frame."""
    device: Device = "auto"
    """Where to render, for --target depth."""

    def find_target(self, capture: Capture) -> Float[Tensor, "3"]:
        """The point of interest, in the norm frame."""
        if self.target == "cameras":
            return point_of_interest(capture.cameras)
        if self.target == "depth":
            teacher = _open_teacher(self.run_folder, capture, self.device)
            return point_of_interest_in_depth(teacher, capture.cameras)
        if not all(map(math.isfinite, self.target)):
            raise UserError("--target", f"{self.target}", "finite numbers", "give X Y Z")
        return torch.tensor(self.target)


@dataclass(frozen=True, kw_only=True)
class Circle(_AroundTarget):
    """Level circles around the point of interest: on, inside or outside the captured path."""

    radius: tuple[float, ...] = (1.0,)
    """As a multiple of the captured radius (the cameras' median distance): 1 on the captured path, 0.8 inside,
    1.25 outside. Several: one circle after another."""
    elevation: float | None = None
    """Degrees above the horizontal plane through the target; by default the captured median."""
    kind: ClassVar[str] = "circle"

    def plan(self, capture: Capture, like: Camera) -> CameraPath:
        """One circle for each radius, beginning at the first training camera's azimuth."""
        for radius in self.radius:
            _positive("--radius", radius)
        target = self.find_target(capture)
        elevation = self._elevation(capture, target)
        start, _ = angles(capture.cameras[0].position - target)
        unit = capture.radius(target)
        rings = [
            circle(target, radius * unit, elevation, self.frames, like, start)
            for radius in self.radius
        ]
        return CameraPath(tuple(chain(*rings)), closed=True, target=_point(target))

    def _elevation(self, capture: Capture, target: Float[Tensor, "3"]) -> float:
        if self.elevation is None:
            return capture.elevation(target)
        if not abs(self.elevation) < 90:
            expected = "degrees between -90 and 90"
            raise UserError("--elevation", f"{self.elevation:g}", expected, "leave it out, or 30")
        return math.radians(self.elevation)


@dataclass(frozen=True, kw_only=True)
class Cone(_AroundTarget):
    """Rings of views at an angle from a captured camera's direction: how far from it does the model hold?"""

    camera: str = "0"
    """The captured camera, by name or number: the axis goes from the target through it."""
    angle: tuple[float, ...] = (15.0,)
    """Degrees between the axis and the views' directions, below 90. Several: one ring after another."""
    distance: float = 1.0
    """Of the views from the target, as a multiple of the captured camera's."""
    kind: ClassVar[str] = "cone"

    def plan(self, capture: Capture, like: Camera) -> CameraPath:
        """One ring for each angle, beginning at its highest view."""
        _positive("--distance", self.distance)
        for angle in self.angle:
            if not 0 < angle < 90:
                given, expected = f"{angle:g}", "degrees between 0 and 90, both excluded"
                raise UserError("--angle", given, expected, "give an angle such as 15")
        target = self.find_target(capture)
        axis = capture.camera(self.camera).position - target
        distance = self.distance * float(axis.norm())
        rings = [
            cone(target, axis, math.radians(angle), distance, self.frames, like)
            for angle in self.angle
        ]
        return CameraPath(tuple(chain(*rings)), closed=True, target=_point(target))


@dataclass(frozen=True, kw_only=True)
class Orbit(_Shape):
    """Along what was captured, at mean elevation and distance: round it, or there and back."""

    kind: ClassVar[str] = "orbit"

    def plan(self, capture: Capture, like: Camera) -> CameraPath:
        """The envelope's orbit."""
        e = capture.envelope
        cameras = PATHS[self.kind](e, like, self.frames)
        return CameraPath(tuple(cameras), closed=self.kind == "orbit", target=e.pivot)


@dataclass(frozen=True, kw_only=True)
class Spiral(Orbit):
    """Twice round what was captured, from the lowest to the highest elevation."""

    kind: ClassVar[str] = "spiral"


@dataclass(frozen=True, kw_only=True)
class Interpolate(_Shape):
    """Smoothly through the training cameras themselves, at even speed."""

    order: Literal["captured", "nearest"] = "captured"
    """As they were taken, which suits a video; or always on to the nearest, for pictures in no order."""
    every: int = 1
    """Every n-th camera only: a smoother way."""
    loop: bool = False
    """Come back to the first camera at the end."""
    kind: ClassVar[str] = "interpolate"

    def plan(self, capture: Capture, like: Camera) -> CameraPath:
        """A spline through the cameras."""
        _positive("--every", self.every)
        cameras = list(capture.cameras)
        ordered = in_nearest_order(cameras) if self.order == "nearest" else cameras
        way = interpolate(ordered[:: self.every], self.frames, self.loop, like)
        return CameraPath(tuple(way), closed=self.loop)


def _verb(name: str) -> Any:
    return tyro.conf.subcommand(name, prefix_name=False)


@dataclass(frozen=True)
class Path:
    """Plan a camera path as a file, which `render`, the panel and the page read."""

    shape: Annotated[
        Annotated[Circle, _verb("circle")]
        | Annotated[Cone, _verb("cone")]
        | Annotated[Orbit, _verb("orbit")]
        | Annotated[Spiral, _verb("spiral")]
        | Annotated[Interpolate, _verb("interpolate")],
        tyro.conf.arg(name=""),
    ]
    """Which path."""

    def run(self) -> None:
        """Plan and write."""
        self.shape.write()


def _said(output: pathlib.Path, path: CameraPath, capture: Capture) -> str:
    """What was written, for people."""
    count = len(path.cameras)
    trained = widened(capture.envelope, TOLERANCE)
    outside = sum(not trained.contains(camera) for camera in path.cameras)
    lines = [f"{output}: {count} cameras, {count / path.fps:.1f} s at {path.fps:g} a second"]
    if path.target is not None:
        target = torch.tensor(path.target)
        radii = sorted(float((c.position - target).norm()) for c in path.cameras)
        captured = capture.radius(target)
        at = " ".join(f"{value:.3f}" for value in path.target)
        lines.append(
            f"around {at} at {radii[0] / captured:.3g} to {radii[-1] / captured:.3g} of the captured radius, "
            f"{captured:.4g}"
        )
    lines.append(f"{outside} of them are outside the views that students are trained for")
    return "\n  ".join(lines)


def _point(target: Float[Tensor, "3"]) -> tuple[float, float, float]:
    x, y, z = target.tolist()
    return x, y, z


def _positive(option: str, value: int | float) -> None:
    if not (value > 0 and math.isfinite(value)):
        raise UserError(option, f"{value:g}", "a number above 0", "leave it out for the default")


def _open_teacher(run: pathlib.Path, capture: Capture, device: Device) -> ViewRenderer:
    if capture.of_teacher:
        from teacher.model import Teacher

        return Teacher.load(run, device)
    given, expected = f"--run {run}, a student's folder", "a trained teacher"
    remedy = "give the teacher's run folder, or --target cameras"
    raise UserError("--target depth", given, expected, remedy)
