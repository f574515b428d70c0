"""What one frame of a student costs: parameters, operations and memory traffic, by counting.

Everything is counted on the form that is exported, by running it once.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from student.models.base import LightField


@dataclass(frozen=True)
class FrameBudget:
    """Cost of a student's pictures at one size."""

    size: tuple[int, int]
    """(height, width) of the picture."""
    parameters: int
    gflop: float
    """Of convolutions and matrix products, in 10^9 per frame; a multiply-add counts as two."""
    activation_bytes: int
    """Written by all operations of one frame in float32; the GPU's memory traffic is about twice
    that.
    """

    def __str__(self) -> str:
        size = f"{self.size[1]}x{self.size[0]}"
        megabytes = (
            f"{self.parameters * 4e-6:.1f} MB, {self.parameters * 2e-6:.1f} in half precision"
        )
        return (
            f"{self.parameters / 1e6:.2f} M parameters ({megabytes}), {self.gflop:.2f} GFLOP and "
            f"{self.activation_bytes / 1e6:.0f} MB of activations per {size} frame"
        )


class _WrittenBytes(TorchDispatchMode):
    """Adds up the bytes of tensors that operations create; views cost nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        inputs = {_storage(value) for value in args if isinstance(value, Tensor)}
        for value in output if isinstance(output, (tuple, list)) else [output]:
            if isinstance(value, Tensor) and _storage(value) not in inputs:
                self.total += value.numel() * value.element_size()
        return output


def _storage(value: Tensor) -> int:
    return value.untyped_storage().data_ptr()


@torch.no_grad()
def count_budget(model: LightField, size: tuple[int, int]) -> FrameBudget:
    """The cost of one frame of `size` = (height, width), a multiple of the model's upsampling."""
    exported = model.for_export()
    device = exported.aabb.device
    camera = (
        torch.eye(4, device=device)[None],
        torch.tensor([[1.0, 1.0, 0.5, 0.5]], device=device),
    )
    with FlopCounterMode(display=False) as flops, _WrittenBytes() as written:
        exported(*camera, size)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return FrameBudget(size, parameters, flops.get_total_flops() / 1e9, written.total)
