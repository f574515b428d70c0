"""Pictures that a student is measured on and never trained on.

    test split of the teacher's data (photographs) -> truth, as a pinhole camera would have seen it
    source.renderer at the same cameras            -> teacher

A teacher that is cropped (`teacher.crop`) shows the object alone; a photograph then counts where that teacher sees it,
as if the rest were masked out. Not the whole picture, which has a background that nobody learned; not the teacher
alone either, which would not tell how far from the truth both are.

A teacher that has learned corrections of its cameras says itself where a photograph was taken from
(`Photographer`), and the student looks from there too: it learnt the corrected scene.

Without photographs: cameras drawn from the envelope with another seed; truth is then unknown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from teacher.cameras import Camera, project
from teacher.config import from_plain
from teacher.errors import UserError
from teacher.files import read_json
from teacher.metrics import psnr
from teacher.model import as_described, read_description
from teacher.presets import DataConfig
from teacher.pseudo.source import Source
from teacher.pseudo.view import View, ViewRenderer
from teacher.scene import Frame, Scene, composite_over, premultiply

Item = TypeVar("Item")
HELD_OUT_SEED = 2 << 20  # far from any seed of a training pool
_MOSTLY = 0.99  # of a resampled pixel must come from pixels that count


@dataclass(frozen=True)
class HeldOut:
    """One camera with what the teacher sees there and, where it is known, the truth."""

    name: str
    camera: Camera
    """Pinhole, in the norm frame."""
    teacher: View
    truth: Float[Tensor, "height width 4"] | None
    """Premultiplied RGBA."""
    kept: Bool[Tensor, "height width"]
    """Pixels to compare: neither masked out nor outside of the photograph."""


@runtime_checkable
class Photographer(Protocol):
    """A renderer that knows of photographs where they were taken from: `teacher.model.Teacher`."""

    def photograph(self, frame: Frame) -> View:
        """Its version of the photograph, with the camera it believes in."""
        ...


def frames_of(source_path: str, data: DataConfig | None, split: str) -> tuple[Frame, ...] | None:
    """Frames of `split` in `data`, or in the data that the teacher at `source_path` was trained on.

    Returns None if no data is given and the source is not a trained teacher (an oracle, a store).
    Cameras are in the norm frame of the source, whatever frame the data would get by itself.

    Raises:
        UserError: the data cannot be loaded, or it has no such split.
    """
    if data is None:
        config = Path(source_path) / "config.json"
        if not config.is_file():
            return None
        plain = read_json(config, "a teacher's configuration", "train the teacher again")
        data = from_plain(DataConfig, plain["data"], str(config))
    splits = _load(data, Path(source_path)).splits
    if not splits.get(split):
        known = ", ".join(name for name, frames in splits.items() if frames)
        raise UserError("--split", split, f"a split with frames: {known}", "choose one of them")
    return splits[split]


def _load(data: DataConfig, source: Path) -> Scene:
    """The scene of `data` in the frame of the teacher in `source`, if there is one."""
    scene = data.load()
    known = (source / "config.json").is_file() and (source / "scene.json").is_file()
    return as_described(scene, read_description(source)) if known else scene


def spread(frames: Sequence[Item], count: int) -> list[Item]:
    """At most `count` of `frames`, spread evenly."""
    count = min(count, len(frames))
    return [frames[(2 * k + 1) * len(frames) // (2 * count)] for k in range(count)]


def photographed(source: Source, frame: Frame, size: tuple[int, int] | None = None) -> HeldOut:
    """A frame as a held-out view; a lens's distortion is taken out of the photograph.

    Args:
        source: renders the teacher's picture.
        frame: photograph and camera.
        size: (height, width) to shrink the photograph to; None keeps its own.
    """
    camera, truth, kept = pinhole_picture(frame, size)
    teacher = _teachers_version(source, replace(frame, camera=camera))
    if is_cropped(source.renderer):
        truth, kept = cut_out(truth, kept, teacher)
    return HeldOut(frame.name, teacher.camera, teacher, truth, kept)


def pinhole_picture(
    frame: Frame, size: tuple[int, int] | None = None
) -> tuple[Camera, Float[Tensor, "height width 4"], Bool[Tensor, "height width"]]:
    """What a pinhole camera would have photographed: camera, premultiplied RGBA, pixels that count.

    Args:
        frame: photograph and camera.
        size: (height, width) to shrink the photograph to; None keeps its own.
    """
    camera, mask = frame.camera.undistorted(), frame.picture.mask()
    truth = premultiply(frame.picture.rgba())
    kept = torch.ones(truth.shape[:2]) if mask is None else torch.from_numpy(mask).float()
    # weighted by what is kept, so that resampling mixes nothing else into it
    picture = torch.cat([truth * kept[..., None], kept[..., None]], -1)
    if frame.camera.lens != "pinhole":
        picture = undistort(frame.camera, picture)
    if size is not None:
        camera = camera.resized(size[1], size[0])
        picture = F.interpolate(picture.permute(2, 0, 1)[None], size, mode="area")[0].permute(
            1, 2, 0
        )
    truth, weight = picture.split([4, 1], -1)
    truth = truth / weight.clamp_min(1e-6)
    return camera, truth, weight[..., 0] > _MOSTLY


def is_cropped(renderer: object) -> bool:
    """Whether a renderer shows less than photographs do: `teacher.model.Teacher.cropped`."""
    return bool(getattr(renderer, "cropped", False))


def seen_inside(
    teacher: View, kept: Bool[Tensor, "height width"], least: float = 0.5
) -> Bool[Tensor, "height width"]:
    """The pixels of a photograph that count where a cropped teacher's alpha is above `least`."""
    return kept & (teacher.rgba[..., 3] > least)


def cut_out(
    truth: Float[Tensor, "height width 4"], kept: Bool[Tensor, "height width"], teacher: View
) -> tuple[Float[Tensor, "height width 4"], Bool[Tensor, "height width"]]:
    """A photograph of what a cropped teacher sees, and which of its pixels count.

    Where the object is not in the picture, that should be empty: nothing is there, and all of it counts.
    """
    inside = seen_inside(teacher, kept)
    return truth * inside[..., None], inside if inside.any() else kept


def _teachers_version(source: Source, frame: Frame) -> View:
    """As the source shows it; of held-out photographs in neutral light, as students learn it."""
    if isinstance(source.renderer, Photographer):
        return source.renderer.photograph(frame)
    return source.renderer.render(frame.camera)


def imagined(source: Source, number: int, size: tuple[int, int]) -> HeldOut:
    """Held-out view `number` of a source without photographs."""
    view = source.unseen(number, size)
    kept = torch.ones(view.depth.shape, dtype=torch.bool)
    return HeldOut(f"view_{number:03d}", view.camera, view, None, kept)


def undistort(
    camera: Camera, picture: Float[Tensor, "height width channels"]
) -> Float[Tensor, "height width channels"]:
    """The picture that `camera` without its lens's distortion would have taken; 0 where it saw
    more.

    Each pixel of the pinhole camera is looked up, bilinearly, where its ray meets the photograph.
    """
    rays = camera.undistorted().rays()
    pixels, _ = project(camera, rays.origins + rays.directions)
    grid = pixels * torch.tensor([2 / camera.width, 2 / camera.height]) - 1
    grid = grid.reshape(1, camera.height, camera.width, 2)
    sampled = F.grid_sample(picture.permute(2, 0, 1)[None], grid, align_corners=False)
    return sampled[0].permute(1, 2, 0)


def measure_psnr(
    renderer: ViewRenderer, views: Sequence[HeldOut], background: float
) -> dict[str, float]:
    """Mean PSNR over `views` of what `renderer` makes, against the teacher and, where known, the
    truth.
    """
    against: dict[str, list[float]] = {"teacher": [], "truth": []}
    for view in views:
        image = composite_over(renderer.render(view.camera).rgba, background)
        for name, reference in (("teacher", view.teacher.rgba), ("truth", view.truth)):
            if reference is not None:
                pair = (x[view.kept] for x in (image, composite_over(reference, background)))
                against[name].append(psnr(*pair))
    return {name: sum(values) / len(values) for name, values in against.items() if values}
