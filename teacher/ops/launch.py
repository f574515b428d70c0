"""Which build of an op runs on a device, and how it is started there.

    backend(device) ─┬─ "c++"        CPU tensors: the library, on as many threads as torch
                     ├─ "cuda"       CUDA tensors: the cubin, on torch's stream
                     └─ "reference"  pure torch: no compiler, or POCKETFIELD_OPS=reference

Arguments get their C types here, so that nothing is passed as a default type: a tensor (or None,
the null pointer) is a pointer, every int a `long long`, every float a `float`. An entry point is
`name(long long items, <arguments>, long long threads)`. One that is written for whole blocks of a GPU
is `name(<arguments>)`, and is started by `run_blocks`.
"""

import ctypes
import functools
import importlib
import logging
import os
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from teacher.ops import build
from teacher.ops.build import Kernels

Backend = Literal["c++", "cuda", "reference"]
Argument = Tensor | int | float | None

_BLOCK = 256
"""Threads of a GPU's block."""
_PLAIN_SHARED = 48 * 1024
"""Bytes of dynamic shared memory that a kernel may have without asking."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Blocks:
    """How many threads of a GPU run a kernel, and how they are grouped."""

    count: int
    """Blocks."""
    threads: int
    """Threads of each."""
    shared: int = 0
    """Bytes of dynamic shared memory of each."""


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


def run_blocks(
    kernels: Kernels, entry: str, device: torch.device, blocks: Blocks, *arguments: Argument
) -> None:
    """Run the entry point `entry` of `kernels` on a GPU, on `blocks` that it deals its work out to.

    Args:
        kernels: what to run; compiled now if it never was for this device.
        entry: name of the entry point, a `WARP_ENTRY` (mma.cuh).
        device: where the tensors are, all of them contiguous.
        blocks: the launch's size; no blocks run nothing.
        arguments: the entry point's, in order.
    """
    if blocks.count:
        numbers, types = zip(*map(_typed, arguments), strict=True)
        _start_cuda(kernels, entry, device, blocks, numbers, types)


def processors(device: torch.device) -> int:
    """A GPU's multiprocessors."""
    return torch.cuda.get_device_properties(device).multi_processor_count


def shared_limit(device: torch.device) -> int:
    """The most bytes of shared memory that a block may have on a GPU."""
    return _shared_limit(torch.cuda.current_device() if device.index is None else device.index)


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
def _shared_limit(index: int) -> int:
    limit = _driver().CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN
    torch.cuda.init()
    gpu = build.checked(_driver().cuDeviceGet(index))
    return build.checked(_driver().cuDeviceGetAttribute(limit, gpu))


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
    blocks = Blocks(-(-numbers[0] // _BLOCK), _BLOCK)
    _start_cuda(kernels, entry, device, blocks, numbers, types)


def _start_cuda(
    kernels: Kernels,
    entry: str,
    device: torch.device,
    blocks: Blocks,
    numbers: tuple[Any, ...],
    types: tuple[Any, ...],
) -> None:
    with torch.cuda.device(device):
        function = _cuda_function(kernels, entry, torch.cuda.current_device())
        if blocks.shared > _PLAIN_SHARED:
            most = _driver().CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
            build.checked(_driver().cuFuncSetAttribute(function, most, blocks.shared))
        stream = torch.cuda.current_stream().cuda_stream
        size = (blocks.count, 1, 1, blocks.threads, 1, 1, blocks.shared)
        build.checked(_driver().cuLaunchKernel(function, *size, stream, (numbers, types), 0))
