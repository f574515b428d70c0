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
from teacher.files import read_json
from teacher.metrics import psnr
from teacher.presets import TrainConfig
from teacher.pseudo.view import View
from teacher.scene import Frame, Scene, composite_over, premultiply
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


def describe_camera(name: str, camera: Camera) -> CameraDescription:
    """The description of `camera`, without its lens."""
    c, pose = camera, tuple(map(tuple, camera.T_world_camera.tolist()))
    return CameraDescription(name, pose, (c.fx, c.fy), (c.cx, c.cy), (c.width, c.height))


class Teacher:
    """Renders views of one scene; see the module's docstring."""

    def __init__(self, variant: Variant, scene: SceneDescription) -> None:
        self.variant, self.scene = variant.eval(), scene

    @property
    def aabb(self) -> Float[Tensor, "2 3"]:
        """The scene's box in the norm frame."""
        return self.variant.sampler.aabb

    def render(self, camera: Camera) -> View:
        """The picture of `camera` (norm frame), at its own size and through its own lens."""
        return self.variant.render_view(camera)

    def psnr(self, frames: Sequence[Frame]) -> float:
        """Mean PSNR over `frames`, on white where they are transparent."""
        values = []
        for frame in frames:
            truth = composite_over(premultiply(frame.picture.rgba()), WHITE)
            values.append(psnr(composite_over(self.render(frame.camera).rgba, WHITE), truth))
        return sum(values) / len(values)

    def save(self, folder: Path) -> None:
        """Write `model.safetensors`."""
        checkpoint.save_tensors(folder / "model.safetensors", self.variant.state_dict(), {})

    @staticmethod
    def load(folder: Path) -> "Teacher":
        """The teacher trained in `folder`; raises UserError if there is none or a file is damaged."""
        plain = read_json(folder / "config.json", "a teacher's configuration", _REMEDY)
        config = from_plain(TrainConfig, plain["train"], f"{folder}/config.json")
        plain_scene = read_json(folder / "scene.json", "a teacher's scene", _REMEDY)
        scene = from_plain(SceneDescription, plain_scene, f"{folder}/scene.json")
        tensors, _ = checkpoint.load_tensors(folder / "model.safetensors", "a teacher", _REMEDY)
        variant = config.build(torch.tensor(scene.aabb), len(scene.cameras["train"]))
        variant.load_state_dict(tensors)
        return Teacher(variant, scene)
