"""What one frame of a student costs: parameters, operations and memory traffic, by counting.

Everything is counted on the form that is exported, by running it once on the "meta" device, where
tensors have shapes and no values, so that it costs neither time nor memory.

Traffic is what operations read and write of activations, in float32, each as if alone:

* an operation reads its inputs and writes its output; views (reshapes, splits, expansions) are free
* ReLU and BatchNorm right after a convolution are part of it, as in every runtime: no traffic
* weights are not counted; a gather reads the rows that it gathers
* whatever is a tensor operation here counts: rays, points and encodings too

The literature counts less. 2.63 GB for MobileR2L at 800 x 800 (and 1.72 GB for its 1008 x 756, 1.88
GB at half the width) is the traffic of convolutions alone: each reads its input and writes its
output once, residual sums are part of the second convolution and so cost one more read, and
encoding, sigmoid and the long skip are free. `convolution_bytes` is that number, and
tests/student/test_budget.py reproduces all three. ONNX Runtime Web fuses no sums on WebGPU.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from student.models.base import LightField
from student.models.blocks import ResidualBlock
from student.presets import PRESETS
from teacher.errors import UserError

SIDES = (128, 400, 800)
"""Pictures that budgets are stated for, in pixels along each side."""
_GATHERS = ("aten::embedding", "aten::index", "aten::index_select", "aten::gather")


@dataclass(frozen=True)
class FrameBudget:
    """Cost of a student's pictures at one size."""

    size: tuple[int, int]
    """(height, width) of the picture."""
    parameters: int
    gflop: float
    """Of convolutions and matrix products, in 10^9 per frame; a multiply-add counts as two."""
    activation_bytes: int
    """Read and written by all operations of one frame; see the module's docstring."""
    convolution_bytes: int
    """Read and written by convolutions alone, sums fused: as the literature counts."""

    def __str__(self) -> str:
        size = f"{self.size[1]}x{self.size[0]}"
        megabytes = (
            f"{self.parameters * 4e-6:.1f} MB, {self.parameters * 2e-6:.1f} in half precision"
        )
        return (
            f"{self.parameters / 1e6:.2f} M parameters ({megabytes}), {self.gflop:.2f} GFLOP and "
            f"{self.activation_bytes / 1e6:.0f} MB of activations moved per {size} frame"
        )


class _Traffic(TorchDispatchMode):
    """Adds up the bytes that operations read and write."""

    def __init__(self, weights: Iterable[Tensor]) -> None:
        super().__init__()
        self.total = self.convolutions = 0
        self._weights = {_storage(value) for value in weights}
        self._writers: dict[int, str] = {}
        self._alive: list[Tensor] = []  # so that no storage takes another's place; they are empty

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        inputs = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        known = {_storage(value) for value in inputs}
        for value in tree_leaves(output):
            fresh = isinstance(value, Tensor) and _storage(value) not in known
            if fresh or func._schema.is_mutable:
                self._count(func._schema.name, inputs, value)
        return output

    def _count(self, name: str, inputs: list[Tensor], output: Tensor) -> None:
        writer = self._writers.get(_storage(inputs[0])) if inputs else None
        self._alive.append(output)
        self._writers[_storage(output)] = name
        if writer == "aten::convolution" and "batch_norm" in name:
            self._writers[_storage(output)] = "aten::convolution"
            return
        if writer == "aten::convolution" and name == "aten::relu":
            return
        read = sum(_bytes(value) for value in inputs if _storage(value) not in self._weights)
        if name in _GATHERS:
            read += _bytes(output)
        self.total += read + _bytes(output)
        if name == "aten::convolution":
            self.convolutions += read + _bytes(output)


def _storage(value: Tensor) -> int:
    return value.untyped_storage()._cdata  # tells tensors on the meta device apart too


def _bytes(value: Tensor) -> int:
    """Of the tensor, or of the memory behind it where it is expanded."""
    return min(value.numel() * value.element_size(), value.untyped_storage().nbytes())


@torch.no_grad()
def count_budget(model: LightField, size: tuple[int, int]) -> FrameBudget:
    """The cost of one frame of `size` = (height, width), a multiple of the model's upsampling."""
    exported = model.for_export().to("meta")
    weights = (*exported.parameters(), *exported.buffers())
    with torch.device("meta"), _Sums(exported) as sums:
        camera = (torch.eye(4)[None], torch.tensor([[1.0, 1.0, 0.5, 0.5]]))
        with FlopCounterMode(display=False) as flops, _Traffic(weights) as traffic:
            exported(*camera, size)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    gflop = flops.get_total_flops() / 1e9
    convolutions = traffic.convolutions + sums.total
    return FrameBudget(size, parameters, gflop, traffic.total, convolutions)


class _Sums:
    """Adds up what residual blocks' sums read beside the convolution they are fused with."""

    def __init__(self, model: LightField) -> None:
        self.total = 0
        self._blocks = [m for m in model.modules() if isinstance(m, ResidualBlock)]

    def __enter__(self) -> "_Sums":
        self._hooks = [block.register_forward_hook(self._add) for block in self._blocks]
        return self

    def __exit__(self, *error: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def _add(self, block: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self.total += _bytes(inputs[0])


def preset_budget(preset: str, size: tuple[int, int]) -> FrameBudget:
    """What a frame of the preset costs; nothing is computed.

    Raises:
        UserError: there is no such preset, or it makes no pictures of that size.
    """
    if preset not in PRESETS:
        known = ", ".join(PRESETS)
        raise UserError("preset", repr(preset), f"one of {known}", "choose one of them")
    config = PRESETS[preset][1].model
    if any(side <= 0 or side % config.upsampling for side in size):
        expected = f"positive multiples of {config.upsampling}, the pixels per ray of {preset}"
        raise UserError("--size", f"{size} (height, width)", expected, "choose another size")
    with torch.device("meta"):
        return count_budget(config.build(torch.zeros(2, 3)), size)


def budget_table(presets: Iterable[str], sizes: Iterable[tuple[int, int]]) -> str:
    """A Markdown table, one row for each preset: what it is, and what a frame costs at each of `sizes`."""
    sizes = list(sizes)
    columns = [
        f"{text} {width}x{height}" for height, width in sizes for text in ("GFLOP", "MB moved")
    ]
    head = ["preset", "M parameters", "MB fp32", "MB fp16", *columns]
    lines = [head, ["---"] * len(head)]
    for preset in presets or PRESETS:
        budgets = [preset_budget(preset, size) for size in sizes]
        count = budgets[0].parameters
        row = [f"`{preset}`", *(f"{count * scale:.2f}" for scale in (1e-6, 4e-6, 2e-6))]
        for budget in budgets:
            row += [f"{budget.gflop:.2f}", f"{budget.activation_bytes / 1e6:.0f}"]
        lines.append(row)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
