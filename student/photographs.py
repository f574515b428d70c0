"""Photographs mixed into the last part of a distillation, without learning them by heart.

    train split --every 8th--> held back: judges the averaged weights now and then; the best are kept
                --the rest---> a share of each batch, beside the teacher's views

A student can get sharper on photographs than on its teacher's views of them, and within a thousand
steps it overfits them (R2L, Wang et al., ECCV 2022, reports both). The teacher's views in the same
batch hold it where no photograph was taken; test photographs are never looked at. Of a teacher that is
cropped, photographs teach what it sees wholly, and nothing of their background.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from student.held_out import Photographer, is_cropped, pinhole_picture, seen_inside
from student.lessons import Lesson
from student.models.base import LightField
from student.render import StudentRenderer
from student.schedule import passed
from teacher.cameras import Camera
from teacher.errors import UserError
from teacher.metrics import psnr
from teacher.pseudo.source import Size, Source
from teacher.scene import Frame, composite_over

_WHITE = 1.0
_WHOLLY = (
    0.99  # alpha of a cropped teacher from which a photograph's pixel shows nothing but the object
)
_TINY = 4  # pixels a side: enough to ask a teacher for a camera


@dataclass(frozen=True)
class PhotographsConfig:
    """Fine-tuning on the photographs that the teacher was trained on."""

    fraction: float = 0.0
    """Last part of the budget in which photographs are learned from too; 0: never."""
    share: float = 0.5
    """Share of each batch that is photographs then; the rest are the teacher's views."""
    hold_back: int = 8
    """Every so manieth training photograph is held back to judge the weights by."""
    checks: int = 8
    """How often they are judged after the beginning of the phase, evenly; the best are kept."""

    def begun(self, fraction: float) -> bool:
        """Whether the phase has begun once `fraction` of the budget is used up."""
        return self.fraction > 0 and fraction >= 1 - self.fraction

    def judges(self, before: float, now: float) -> bool:
        """Whether weights are due to be judged between two fractions of the budget."""
        if not self.begun(now):
            return False
        last, over = (1 - (1 - fraction) / self.fraction for fraction in (before, now))
        return last < 0 or passed(last, over, self.checks)


class Photographs:
    """Training photographs as a pinhole camera would have taken them, all of one size.

    Args:
        source: where the teacher's views come from; knows corrected cameras, where there are any.
        frames: the training split.
        size: (height, width) of the pictures.
        config: what is held back.
        device: where pictures are kept, at 5 bytes a pixel.
    """

    def __init__(
        self,
        source: Source,
        frames: Sequence[Frame],
        size: Size,
        config: PhotographsConfig,
        device: torch.device | str = "cpu",
    ) -> None:
        held = range(config.hold_back - 1, len(frames), config.hold_back)
        learned = [frame for k, frame in enumerate(frames) if k not in held]
        if not held or not learned:
            raise UserError(
                "--photographs.hold-back",
                f"{config.hold_back} of {len(frames)} training photographs",
                "at least one photograph to hold back, and one to learn from",
                "choose a smaller number, or --photographs.fraction 0",
            )
        self.held_back = _taken(source, [frames[k] for k in held], size)
        taken = _taken(source, learned, size)
        cameras = [camera for camera, _, _ in taken]
        self._poses = torch.stack([c.T_world_camera for c in cameras]).float().to(device)
        self._intrinsics = torch.tensor([c.fractions for c in cameras]).to(device)
        self._rgba = torch.stack([to_uint8(rgba) for _, rgba, _ in taken]).to(device)
        self._kept = torch.stack([kept for _, _, kept in taken]).to(device)

    def __len__(self) -> int:
        return len(self._rgba)

    def draw(self, n: int, generator: torch.Generator) -> Lesson:
        """`n` of the photographs to learn from, with replacement; they teach colour alone.

        Their alpha shows in colour, over random backgrounds; their depth is not known.
        """
        pick = torch.randint(len(self), (n,), generator=generator).to(self._rgba.device)
        rgba = self._rgba[pick].float().permute(0, 3, 1, 2) / 255
        kept, nothing = self._kept[pick][:, None].float(), torch.zeros_like(rgba[:, :1])
        seen = (self._poses[pick], self._intrinsics[pick], rgba, nothing, kept)
        return Lesson(*seen, nothing[:, :, :1, :1])

    def judge(self, student: LightField) -> float:
        """Mean PSNR of `student`, over white, on the photographs that are held back."""
        renderer, values = StudentRenderer(student), []
        for camera, rgba, kept in self.held_back:
            image = composite_over(renderer.render(camera).rgba, _WHITE)
            values.append(psnr(image[kept], composite_over(rgba, _WHITE)[kept]))
        return sum(values) / len(values)


def _taken(
    source: Source, frames: Sequence[Frame], size: Size
) -> list[tuple[Camera, Tensor, Tensor]]:
    """Photographs of which some pixel counts; raises UserError if there is none."""
    found = [_take(source, frame, size) for frame in frames]
    counting = [one for one in found if one[2].any()]
    if not counting:
        raise UserError(
            "photographs to learn from",
            f"{len(found)} in which no pixel counts: masks hide it, or a cropped teacher sees through all of it",
            "photographs that show the object",
            "--photographs.fraction 0, or another crop",
        )
    return counting


def _take(source: Source, frame: Frame, size: Size) -> tuple[Camera, Tensor, Tensor]:
    camera, rgba, kept = pinhole_picture(frame, size)
    if not is_cropped(source.renderer):
        return taken_from(source, frame, camera), rgba, kept
    assert isinstance(source.renderer, Photographer)
    teacher = source.renderer.photograph(replace(frame, camera=camera))
    return teacher.camera, rgba, seen_inside(teacher, kept, _WHOLLY)


def taken_from(source: Source, frame: Frame, camera: Camera) -> Camera:
    """`camera` of `frame` where the teacher believes it was: what it says of a tiny picture."""
    if not isinstance(source.renderer, Photographer):
        return camera
    tiny = replace(frame, camera=camera.resized(_TINY, _TINY))
    return source.renderer.photograph(tiny).camera.resized(camera.width, camera.height)


def to_uint8(rgba: Float[Tensor, "height width 4"]) -> Tensor:
    """Colours in [0, 1] in 8 bits each, as the pool keeps them."""
    return (rgba.clamp(0, 1) * 255).round().to(torch.uint8)
