"""Which build of an op runs on a device, and how it is started there.

    backend(device) ─┬─ "c++"       CPU tensors: the library, through ctypes, on torch's number of OpenMP threads
                     ├─ "cuda"      CUDA tensors: the cubin, through the driver, on torch's current stream
                     └─ "reference" no compiler, another kind of device, or POCKETFIELD_OPS=reference: pure torch

Arguments are typed by their Python type, so that nothing is passed as C's default: a tensor (or None) is a pointer, every
int a `long long`, every float a `float`. Entry points are `name(long long items, <arguments>, long long threads)`.
"""

import ctypes
import functools
import logging
import os
from typing import Any, Literal

import torch
from torch import Tensor

from teacher.ops import build
from teacher.ops.build import Kernels

Backend = Literal["c++", "cuda", "reference"]
Argument = Tensor | int | float | None

_BLOCK = 256
_log = logging.getLogger(__name__)


def backend(device: torch.device) -> Backend:
    """What runs the ops on `device`'s tensors; a reference that nobody asked for is logged once."""
    if os.environ.get("POCKETFIELD_OPS") == "reference":
        return "reference"
    if device.type == "cuda":
        return "cuda"
    if device.type == "cpu" and build.compiler():
        return "c++"
    _say_slower(device.type)
    return "reference"


def launch(kernels: Kernels, entry: str, device: torch.device, items: int, *arguments: Argument) -> None:
    """Run the entry point `entry` of `kernels` over independent `items`, where the tensors are.

    Args:
        kernels: what to run; compiled now if it never was for this device.
        entry: name of the entry point in `kernel.cu`.
        device: where the tensors are, all of them contiguous.
        items: number of items; zero runs nothing.
        arguments: the entry point's own arguments; the tensors must outlive the call, not the kernel.
    """
    if items == 0:
        return
    values = (items, *arguments, torch.get_num_threads())
    if device.type == "cuda":
        _launch_cuda(kernels, entry, device, items, values)
    else:
        function = getattr(_library(kernels), entry)
        function(*(kind(value) for value, kind in map(_typed, values)))


def _typed(argument: Argument) -> tuple[Any, Any]:
    """An argument's value and the C type that it is passed as."""
    if argument is None:
        return 0, ctypes.c_void_p
    if isinstance(argument, Tensor):
        assert argument.is_contiguous()
        return argument.data_ptr(), ctypes.c_void_p
    return argument, ctypes.c_float if isinstance(argument, float) else ctypes.c_longlong


@functools.cache
def _say_slower(device_type: str) -> None:
    reason = "no C++ compiler (g++, or $CXX)" if device_type == "cpu" else "no kernels for this device"
    _log.warning("ops on %s: %s; running the slower pure-torch references", device_type, reason)


@functools.cache
def _library(kernels: Kernels) -> ctypes.CDLL:
    # torch is imported above: the library then shares torch's OpenMP runtime and its threads (same soname).
    return ctypes.CDLL(str(build.library(kernels)))


@functools.cache
def _cuda_function(kernels: Kernels, entry: str, index: int) -> Any:
    """The entry point, loaded into the primary context of GPU `index`, which torch has made current."""
    from cuda.bindings import driver

    major, minor = torch.cuda.get_device_capability(index)
    module = build.checked(driver.cuModuleLoadData(build.cubin(kernels, f"sm_{major}{minor}")))
    return build.checked(driver.cuModuleGetFunction(module, entry.encode()))


def _launch_cuda(
    kernels: Kernels, entry: str, device: torch.device, items: int, values: tuple[Argument, ...]
) -> None:
    from cuda.bindings import driver

    with torch.cuda.device(device):
        stream = torch.cuda.current_stream().cuda_stream
        function = _cuda_function(kernels, entry, torch.cuda.current_device())
        numbers, types = zip(*map(_typed, values), strict=True)
        blocks = (items + _BLOCK - 1) // _BLOCK
        build.checked(
            driver.cuLaunchKernel(
                function, blocks, 1, 1, _BLOCK, 1, 1, 0, stream, (numbers, types), 0
            )
        )
