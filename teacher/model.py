"""A trained teacher: a variant and what it knows of its scene. Needs no data set to render.

run folder --Teacher.load--> Teacher --render(camera)--> View
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from teacher import checkpoint
from teacher.cameras import Camera
from teacher.config import from_plain
from teacher.crop.files import CropFile, read_crop
from teacher.crop.shape import Crop
from teacher.datasets.normalise import reframed
from teacher.files import read_json, write_json
from teacher.machine import Device, pick_device
from teacher.metrics import psnr
from teacher.presets import TrainConfig
from teacher.pseudo.view import View
from teacher.scene import Frame, Scene, composite_over, premultiply
from teacher.selection import JUDGES, without
from teacher.variant import Variant

WHITE = 1.0
_REMEDY = "run `python -m teacher train` first (the same command resumes an unfinished run)"


@dataclass(frozen=True)
class CameraDescription:
    """A `Camera` as JSON; see teacher.cameras for units and frames."""

    name: str
    T_norm_camera: tuple[tuple[float, ...], ...]
    focal: tuple[float, float]
    centre: tuple[float, float]
    size: tuple[int, int]
    """(width, height) in pixels."""

    def camera(self) -> Camera:
        """The pinhole camera (a renderer has no use for a photograph's lens distortion)."""
        T = torch.tensor(self.T_norm_camera)
        return Camera(T, *self.focal, *self.centre, *self.size)


@dataclass(frozen=True)
class SceneDescription:
    """scene.json: what stages downstream must know of the scene a teacher was trained on."""

    name: str
    cameras: dict[str, tuple[CameraDescription, ...]]
    """Cameras by split, in the norm frame."""
    T_norm_world: tuple[tuple[float, ...], ...]
    aabb: tuple[tuple[float, float, float], tuple[float, float, float]]
    has_alpha: bool

    def split(self, name: str) -> list[Camera]:
        """The cameras of one split."""
        return [description.camera() for description in self.cameras[name]]


def describe_scene(scene: Scene) -> SceneDescription:
    """The description of `scene`."""
    cameras = {
        split: tuple(describe_camera(frame.name, frame.camera) for frame in frames)
        for split, frames in scene.splits.items()
    }
    T, box = scene.T_norm_world.tolist(), scene.aabb.tolist()
    return SceneDescription(
        scene.name, cameras, tuple(map(tuple, T)), (tuple(box[0]), tuple(box[1])), scene.has_alpha
    )


def read_description(folder: Path) -> SceneDescription:
    """The description in the run folder `folder`; raises UserError if there is none or it is damaged."""
    plain = read_json(folder / "scene.json", "a teacher's scene", _REMEDY)
    return from_plain(SceneDescription, plain, f"{folder}/scene.json")


def as_described(scene: Scene, description: SceneDescription) -> Scene:
    """`scene` in the norm frame and box of `description`: with other pictures it may have got others by itself.

    Views that chose the weights of a run are not among the test views that it is measured on.
    """
    judges = [camera.name for camera in description.cameras.get(JUDGES, ())]
    return _in_frame(without(scene, judges), description)


def _in_frame(scene: Scene, description: SceneDescription) -> Scene:
    T_norm_world = torch.tensor(description.T_norm_world)
    if torch.equal(T_norm_world, scene.T_norm_world):
        return scene
    return reframed(scene, T_norm_world, torch.tensor(description.aabb))


def describe_camera(name: str, camera: Camera) -> CameraDescription:
    """The description of `camera`, without its lens."""
    c, pose = camera, tuple(map(tuple, camera.T_world_camera.tolist()))
    return CameraDescription(name, pose, (c.fx, c.fy), (c.cx, c.cy), (c.width, c.height))


class Teacher:
    """Renders views of one scene; see the module's docstring."""

    def __init__(self, variant: Variant, scene: SceneDescription, crop: Crop | None = None) -> None:
        self.variant, self.scene, self.crop = variant.eval(), scene, crop
        if crop is not None:
            variant.sampler.confine(crop)
        self._numbers = {camera.name: row for row, camera in enumerate(scene.cameras["train"])}

    @property
    def cropped(self) -> bool:
        """Whether it shows the object alone, so that photographs have more in them than its views."""
        return self.crop is not None

    @property
    def aabb(self) -> Float[Tensor, "2 3"]:
        """The box in the norm frame of all that views may show: the scene's, or the crop's."""
        return self.variant.sampler.aabb.cpu()

    @property
    def unbounded(self) -> bool:
        """Whether views show what lies beyond that box."""
        return self.crop is None and self.variant.field.unbounded

    def render(self, camera: Camera) -> View:
        """The picture of `camera` (norm frame), at its own size and through its own lens."""
        return self.variant.render_view(camera)

    def photograph(self, frame: Frame) -> View:
        """The teacher's version of a frame of its data set, in the light and from where it was taken.

        A training frame has its own corrected camera and code, known by its name; any other gets the neutral code,
        and a camera that moves along with the training cameras.
        """
        number = self._numbers.get(frame.name)
        if number is None:
            return self.variant.render_view(self.variant.corrections.aligned(frame.camera))
        return self.variant.render_frame(frame.camera, number)

    def as_given(self, frame: Frame) -> View:
        """As `photograph`, but with the camera that the frame came with: what corrections changed shows."""
        return self.variant.render_view(frame.camera, self._numbers.get(frame.name))

    def psnrs(self, frames: Sequence[Frame], background: float = WHITE) -> list[float]:
        """PSNR of each of `frames` without masked pixels, on `background` where it is transparent."""
        values = []
        for frame in frames:
            truth = composite_over(premultiply(frame.picture.rgba()), background)
            image, mask = (
                composite_over(self.photograph(frame).rgba, background),
                frame.picture.mask(),
            )
            kept = slice(None) if mask is None else torch.from_numpy(mask)
            values.append(psnr(image[kept], truth[kept]))
        return values

    def save(self, folder: Path) -> None:
        """Write `model.safetensors` and, where cameras were corrected, `corrections.json`."""
        checkpoint.save_tensors(folder / "model.safetensors", self.variant.state_dict(), {})
        summary = self.variant.corrections.summary(list(self._numbers))
        if summary:
            write_json(folder / "corrections.json", summary)

    @staticmethod
    def load(folder: Path, device: Device = "auto", whole: bool = False) -> "Teacher":
        """The teacher trained in `folder`, on any device; views come back on the CPU wherever it renders.

        Args:
            folder: run folder.
            device: where to render.
            whole: show everything, even if `folder` has a crop.

        Raises:
            UserError: there is none, a file is damaged, or `device` is not there.
        """
        plain = read_json(folder / "config.json", "a teacher's configuration", _REMEDY)
        config = from_plain(TrainConfig, plain["train"], f"{folder}/config.json")
        scene = read_description(folder)
        path = folder / "model.safetensors"
        tensors, _ = checkpoint.load_tensors(path, "a teacher", _REMEDY)
        variant = config.build(torch.tensor(scene.aabb), scene.split("train"))
        checkpoint.fill(variant, tensors, path, "teacher")
        place = pick_device(device)
        stored = None if whole else read_crop(folder)
        return Teacher(variant.to(place), scene, None if stored is None else _crop(stored, place))


def _crop(stored: CropFile, device: torch.device) -> Crop:
    cells = None if stored.cells is None else torch.from_numpy(stored.cells)
    return Crop(torch.tensor(stored.box), cells).to(device)
