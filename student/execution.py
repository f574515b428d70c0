"""How a step is computed: number format, memory layout, compiled or not. Never what is computed.

bfloat16 has 8 bits of mantissa: enough for the layers of a network, whose sums stay float32, and far
too few for rays, positions and frequencies. So autocast surrounds only the parts of a student that
are made of convolutions; what goes in and out of them, feature grids, losses and weights stay
float32.
"""

import copy
import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch._dynamo.exc import TorchDynamoException

from student.models.base import LightField, LightFieldOutput
from student.models.grids import PointFeatures

Precision = Literal["auto", "fp32", "bf16"]
Layout = Literal["contiguous", "channels_last"]
_LONGEST_REASON = 300  # characters: compilers say more than anybody wants to read
_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


@dataclass(frozen=True)
class ExecutionConfig:
    """How steps are computed."""

    precision: Precision = "fp32"
    """Number format of the convolutions; weights and everything else are fp32. `auto`: bf16 where the
    device multiplies it faster, on a CPU with AVX-512 BF16 or a GPU from Ampere on.
    """
    layout: Layout = "contiguous"
    """Memory layout of what flows through the convolutions."""
    compiled: bool = False
    """Compile the network with torch.compile, where there is a compiler; its time counts."""


class ExecutedPart(nn.Module):
    """A part made of convolutions, in the configured format; float32 outside."""

    def __init__(self, part: nn.Module, config: ExecutionConfig) -> None:
        super().__init__()
        self.part, self.config = part, config

    def forward(self, x: Tensor) -> Tensor:
        """`part(x)`."""
        if self.config.layout == "channels_last":
            x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(x.device.type, torch.bfloat16, self.config.precision == "bf16"):
            return self.part(x).float()


Network = Callable[..., LightFieldOutput]
"""Called as a `LightField` is."""


def executed(model: LightField, config: ExecutionConfig) -> Network:
    """`model` with its very parameters, computed as `config` says; `model` itself stays as it is.

    Only its convolutions' weights change their place in memory, where the layout asks for it.
    """
    config = replace(config, precision=resolved(config.precision, model.aabb.device))
    if config == ExecutionConfig():
        return model
    if config.layout == "channels_last":
        _lay_out(model)
    network = model
    if (config.precision, config.layout) != ("fp32", "contiguous"):
        network = _with_parts(model, config)
    return Compiled(network, model.aabb.device) if config.compiled else network


def resolved(precision: Precision, device: torch.device) -> Literal["fp32", "bf16"]:
    """What `auto` means on `device`; anything else means itself."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        fast = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        fast = torch.cpu._is_avx512_bf16_supported()
    return "bf16" if fast else "fp32"


def _with_parts(module: nn.Module, config: ExecutionConfig) -> Any:
    """A copy that shares all tensors, with an `ExecutedPart` around each part of convolutions."""
    if _is_part(module):
        return ExecutedPart(module, config)
    copied = copy.copy(module)
    children = {k: _with_parts(child, config) for k, child in module._modules.items() if child}
    copied._modules = {**module._modules, **children}
    return copied


def _is_part(module: nn.Module) -> bool:
    """Whether it has convolutions, is called with one tensor, and reads no feature grids."""
    inside = list(module.modules())
    return (
        not isinstance(module, (LightField, nn.ModuleList, nn.ModuleDict))
        and any(isinstance(part, _CONVOLUTIONS) for part in inside)
        and not any(isinstance(part, PointFeatures) for part in inside)
    )


def _lay_out(model: nn.Module) -> None:
    """Store the weights of convolutions with their channels last; their values stay."""
    for part in model.modules():
        if isinstance(part, (nn.Conv2d, nn.ConvTranspose2d)):
            weight = part.weight.data
            part.weight.data = weight.contiguous(memory_format=torch.channels_last)


class Compiled:
    """A network that torch.compile compiles at its first call, and again for each new size.

    Where that fails it says why, once, and goes on as it is.
    """

    def __init__(self, network: Network, device: torch.device) -> None:
        self._plain, self._compiled = network, None
        missing = missing_compiler(device)
        if missing is None:
            # sizes change rarely (progressive resolution), so each gets code of its own
            self._compiled = torch.compile(network, dynamic=False)
        else:
            _say_not_compiled(f"there is no {missing}")

    def __call__(self, *given: Any) -> LightFieldOutput:
        """The network's pictures."""
        if self._compiled is None:
            return self._plain(*given)
        try:
            return self._compiled(*given)
        except TorchDynamoException as error:
            _say_not_compiled(" ".join(str(error).split())[:_LONGEST_REASON])
            self._compiled = None
            return self._plain(*given)


def missing_compiler(device: torch.device) -> str | None:
    """What torch.compile lacks for code on `device`, or None."""
    if device.type == "cuda":
        return None if importlib.util.find_spec("triton") else "triton package"
    found = any(shutil.which(name) for name in ("g++", "c++", "clang++"))
    return None if found else "C++ compiler (g++)"


def _say_not_compiled(why: str) -> None:
    print(f"note: training goes on without torch.compile: {why}")
