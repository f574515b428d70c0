"""Which build of an op runs on a device, and how it is started there.

    backend(device) ─┬─ "c++"        CPU tensors: the library, on as many threads as torch
                     ├─ "cuda"       CUDA tensors: the cubin, on torch's stream
                     └─ "reference"  pure torch: no compiler, or POCKETFIELD_OPS=reference

Arguments get their C types here, so that nothing is passed as a default type: a tensor (or None,
the null pointer) is a pointer, every int a `long long`, every float a `float`. An entry point is
`name(long long items, <arguments>, long long threads)`.
"""

import ctypes
import functools
import importlib
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
"""Threads of a GPU's block."""
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


def run(
    kernels: Kernels, entry: str, device: torch.device, items: int, *arguments: Argument
) -> None:
    """Run the entry point `entry` of `kernels` over independent `items`, where the tensors are.

    Args:
        kernels: what to run; compiled now if it never was for this device.
        entry: name of the entry point in `kernel.cu`.
        device: where the tensors are, all of them contiguous.
        items: number of items; zero runs nothing.
        arguments: the entry point's own, in order.
    """
    if items == 0:
        return
    numbers, types = zip(*map(_typed, (items, *arguments, torch.get_num_threads())), strict=True)
    start = _run_cuda if backend(device) == "cuda" else _run_cpu
    start(kernels, entry, device, numbers, types)


def _typed(argument: Argument) -> tuple[Any, Any]:
    """An argument's value, and the C type it is passed as."""
    if argument is None:
        return 0, ctypes.c_void_p
    if isinstance(argument, Tensor):
        assert argument.is_contiguous()
        return argument.data_ptr(), ctypes.c_void_p
    return argument, ctypes.c_float if isinstance(argument, float) else ctypes.c_longlong


@functools.cache
def _say_slower(device_type: str) -> None:
    reason = "no C++ compiler (g++, or $CXX)" if device_type == "cpu" else "no kernels for it"
    _log.warning("ops on %s: %s; running the slower pure-torch references", device_type, reason)


@functools.cache
def _library(kernels: Kernels) -> ctypes.CDLL:
    # torch is imported above: the library then shares its OpenMP runtime and threads (one soname).
    return ctypes.CDLL(str(build.library(kernels)))


def _run_cpu(
    kernels: Kernels, entry: str, _: torch.device, numbers: tuple[Any, ...], types: tuple[Any, ...]
) -> None:
    function = getattr(_library(kernels), entry)
    function(*(kind(number) for number, kind in zip(numbers, types, strict=True)))


@functools.cache
def _driver() -> Any:
    return importlib.import_module("cuda.bindings.driver")


@functools.cache
def _cuda_function(kernels: Kernels, entry: str, index: int) -> Any:
    """The entry point, loaded into the primary context of GPU `index`, which torch made current."""
    major, minor = torch.cuda.get_device_capability(index)
    machine_code = build.cubin(kernels, f"sm_{major}{minor}")
    module = build.checked(_driver().cuModuleLoadData(machine_code))
    return build.checked(_driver().cuModuleGetFunction(module, entry.encode()))


def _run_cuda(
    kernels: Kernels,
    entry: str,
    device: torch.device,
    numbers: tuple[Any, ...],
    types: tuple[Any, ...],
) -> None:
    with torch.cuda.device(device):
        function = _cuda_function(kernels, entry, torch.cuda.current_device())
        stream = torch.cuda.current_stream().cuda_stream
        grid, block = (-(-numbers[0] // _BLOCK), 1, 1), (_BLOCK, 1, 1)
        launch = _driver().cuLaunchKernel
        build.checked(launch(function, *grid, *block, 0, stream, (numbers, types), 0))
