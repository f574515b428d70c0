"""What a step is taught with: pictures, and how much each pixel of them counts.

    teacher's views (pool) \\
    photographs            -> Lesson -> crop, shrink, parts -> network, distillation_loss

Cropping and shrinking keep a lesson true: its cameras are those that would have taken such a picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from student.models.base import crop_intrinsics
from teacher.pseudo.pool import Batch


@dataclass(frozen=True)
class Lesson:
    """Pictures from known cameras; all of one size."""

    T_norm_camera: Float[Tensor, "batch 4 4"]
    intrinsics: Float[Tensor, "batch 4"]
    """fx / width, fy / height, cx / width, cy / height."""
    rgba: Float[Tensor, "batch 4 height width"]
    """Premultiplied sRGB and alpha in [0, 1]."""
    depth: Float[Tensor, "batch 1 height width"]
    """Distance along the unit ray, in norm units; 0 where alpha is 0."""
    kept: Float[Tensor, "batch 1 height width"]
    """How much a pixel counts, in [0, 1]; masked pixels of photographs do not."""
    shape: Float[Tensor, "batch 1 1 1"]
    """How much a picture's alpha and depth count; a photograph's do not."""

    def __len__(self) -> int:
        return len(self.rgba)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.rgba.shape[2], self.rgba.shape[3]

    @staticmethod
    def of(views: Batch) -> "Lesson":
        """The teacher's views, of which everything counts."""
        ones = torch.ones_like(views.depth)
        seen = (views.T_norm_camera, views.intrinsics, views.rgba, views.depth)
        return Lesson(*seen, ones, ones[:, :, :1, :1])

    def parts(self, count: int) -> list["Lesson"]:
        """The lesson in `count` parts, as equal as they can be."""
        pieces = (value.tensor_split(count) for value in vars(self).values())
        return [Lesson(*part) for part in zip(*pieces, strict=True) if len(part[0])]

    @staticmethod
    def joined(lessons: Sequence["Lesson"]) -> "Lesson":
        """`lessons` of one size as one."""
        fields = zip(*(vars(lesson).values() for lesson in lessons), strict=True)
        return Lesson(*(torch.cat(values) for values in fields))


def random_corners(lesson: Lesson, side: int, generator: torch.Generator) -> Int[Tensor, "batch 2"]:
    """(row, column) of a square of `side` pixels in each picture, all places alike; on the CPU."""
    height, width = lesson.size
    room = torch.tensor([height - side + 1, width - side + 1])
    return (torch.rand(len(lesson), 2, generator=generator) * room).long()


def crop(lesson: Lesson, side: int, corners: Int[Tensor, "batch 2"]) -> Lesson:
    """A square of `side` pixels of each picture, from its corner (row, column) on."""
    parts = []
    for k, (top, left) in enumerate(corners.tolist()):
        one = slice(k, k + 1)
        window = (one, slice(None), slice(top, top + side), slice(left, left + side))
        intrinsics = crop_intrinsics(lesson.intrinsics[one], lesson.size, (top, left), (side, side))
        seen = (lesson.rgba[window], lesson.depth[window], lesson.kept[window])
        parts.append(Lesson(lesson.T_norm_camera[one], intrinsics, *seen, lesson.shape[one]))
    return Lesson.joined(parts)


def shrink(lesson: Lesson, size: tuple[int, int]) -> Lesson:
    """The same cameras' pictures with fewer pixels: `size` = (height, width).

    Colour and alpha are means over area, of what is kept; depth is the mean over what is seen, so
    weighted with alpha too. A size that does not divide the old one shares pixels among neighbours.
    """
    if size == lesson.size:
        return lesson
    seen = lesson.rgba[:, 3:] * lesson.kept
    channels = torch.cat([lesson.rgba * lesson.kept, lesson.depth * seen, lesson.kept], 1)
    rgba, depth, kept = F.adaptive_avg_pool2d(channels, size).split([4, 1, 1], 1)
    depth = torch.where(rgba[:, 3:] > 0, depth / rgba[:, 3:].clamp_min(1e-9), 0.0)
    rgba = rgba / kept.clamp_min(1e-9)
    return Lesson(lesson.T_norm_camera, lesson.intrinsics, rgba, depth, kept, lesson.shape)
