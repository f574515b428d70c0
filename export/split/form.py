"""A student's split form, ready to ship, and the proof that it draws what torch draws.

    LightField --split--> Split: two shaders, ray network, in both precisions; tables
    poses -> torch's encode, shade with rounded tables, ONNX Runtime's ray network --prove_split-->
             Agreement with torch's picture

The shaders themselves need a graphics card: tests/browser/split.test.mjs holds them to the same
pictures, in a browser.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from onnx import ModelProto, ValueInfoProto
from torch import Tensor
from torch.nn import functional as F

from export.graph import pose_tensors
from export.half import with_rounding
from export.manifest import CameraPose, Precision
from export.split.encode import arranged, encoding
from export.split.network import ray_networks
from export.split.protocol import Splittable
from export.split.shade import shading
from export.split.stages import Part, Slots, Stage
from export.verify import Agreement, hold_to_torch, session
from student.models.base import LightField, LightFieldOutput, grid_rays
from student.models.hashed import rounded

_ALIGNMENT = 256
"""Of a part within the tables' file: WebGPU's largest minStorageBufferOffsetAlignment."""


@dataclass(frozen=True)
class Split:
    """The three stages in one precision."""

    encode: Stage
    network: ModelProto
    shade: Stage
    slots: Slots
    """Torch's channels in the order of the network's input."""

    encoded: tuple[int, int, int, int]
    """Shape of the network's input: 1, coarse height, coarse width, channels."""
    ends: tuple[int, int, int, int]
    """Shape of its output."""
    pooled: int
    """Pixels of the network for one of the picture, along each side."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """All that the shaders read of the tables, in the order of the file."""
        return self.encode.parts + self.shade.parts


def split(model: LightField, size: tuple[int, int], pooled: int = 1) -> dict[Precision, Split]:
    """The split form of `model` for pictures of `size` = (height, width); empty if it has none.

    With `pooled` the network is that of a picture so many times as wide and high, and the last
    shader averages what it says: one network then serves both sizes.
    """
    if not isinstance(model, Splittable):
        return {}
    forms: dict[Precision, Split] = {}
    networks: dict[Precision, ModelProto] = {}
    for precision in ("fp16", "fp32"):
        predicted = size[0] * pooled, size[1] * pooled
        encoded = encoding(model, predicted, precision)
        networks = networks or ray_networks(model, encoded.slots, model.coarse_size(predicted))
        network, shade = networks[precision], shading(model, size, precision, pooled)
        shapes = _shape(network.graph.input[0]), _shape(network.graph.output[0])
        forms[precision] = Split(encoded.stage, network, shade, encoded.slots, *shapes, pooled)
    return forms


def _shape(value: ValueInfoProto) -> tuple[int, int, int, int]:
    one, height, width, channels = (d.dim_value for d in value.type.tensor_type.shape.dim)
    return one, height, width, channels


def tables(parts: Sequence[Part]) -> tuple[bytes, list[int]]:
    """The parts in one file, and where each of them begins."""
    data, offsets = bytearray(), []
    for part in parts:
        data += bytes(-len(data) % _ALIGNMENT)
        offsets.append(len(data))
        data += part.data
    return bytes(data), offsets


class SplitPicture:
    """The split form on the CPU: the ray network in ONNX Runtime, shaders by torch.

    Tables are rounded as they are shipped, and in half precision the buffers between the stages.
    """

    def __init__(
        self, model: LightField, form: Split, precision: Precision, size: tuple[int, int]
    ) -> None:
        copy = deepcopy(model).eval()
        assert isinstance(copy, Splittable)
        for grid in (copy.volume, copy.shape, copy.colour):
            grid.table.data = rounded(grid.table)
        self.model, self.form, self.size = copy, form, size
        self.predicted = size[0] * form.pooled, size[1] * form.pooled
        self.half = precision == "fp16"
        network = with_rounding(form.network) if self.half else form.network
        self.session = session(network.SerializeToString(), as_written=self.half)

    @torch.no_grad()
    def render(self, pose: CameraPose) -> LightFieldOutput:
        """The picture from `pose`."""
        T, intrinsics = (tensor[None] for tensor in pose_tensors(pose))
        coarse = grid_rays(T, intrinsics, self.model.coarse_size(self.predicted))
        encoded = arranged(self.model.encode(*coarse), self.form.slots)
        ends = self.predict(self._stored(encoded)).permute(0, 3, 1, 2)
        shuffled = F.pixel_shuffle(self._stored(ends), self.model.upsampling)
        pooled = F.avg_pool2d(shuffled, self.form.pooled)
        return self.model.shade(pooled, *grid_rays(T, intrinsics, self.size))

    def predict(self, encoded: Tensor) -> Tensor:
        """The ray network on what the encoding shader writes."""
        (ends,) = self.session.run(None, {"encoded": encoded.numpy()})
        return torch.from_numpy(np.asarray(ends))

    def _stored(self, values: Tensor) -> Tensor:
        return values.half().float() if self.half else values


def prove_split(
    model: LightField,
    forms: dict[Precision, Split],
    size: tuple[int, int],
    references: Sequence[tuple[CameraPose, LightFieldOutput]],
) -> dict[Precision, Agreement]:
    """Hold every form to torch's pictures; the result is the worst agreement of each.

    Raises:
        UserError: a picture differs by more than `export.verify.REQUIRED`, or is no picture.
    """
    found: dict[Precision, Agreement] = {}
    for precision, form in forms.items():
        picture = SplitPicture(model, form, precision, size)
        name = f"the split form in {precision}"
        found[precision] = hold_to_torch(precision, picture.render, name, references)
    return found
