"""Running an op's kernels in every way there is, and measuring how well results agree.

    "c++"          the CPU build, as users run it
    "gpu threads"  the CUDA side of the same source, built by g++ and run one GPU thread at a time
    "emulated"     the same for kernels whose threads work together: see emulator.py
    "cuda"         the CUDA build, where there is a GPU
    "reference"    the op, falling back on its reference

The second way runs what a GPU would run (its loops, its indices, its atomics), so that a machine
without one can tell whether it is right.
"""

import ctypes
import functools
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from teacher.ops import build, launch
from teacher.ops.build import Kernels
from tests.emulator import emulated

WAYS = ("c++", "gpu threads", "reference", pytest.param("cuda", marks=pytest.mark.cuda))
every_way = pytest.mark.parametrize("way", WAYS)
WARP_WAYS = ("emulated", pytest.param("cuda", marks=pytest.mark.cuda))
"""Of what is written for a GPU's warps."""

_AS_THREADS = """
#include <cmath>
#define __CUDACC_RTC__
#define __device__
#define __global__
#define __forceinline__ inline
struct Index { unsigned x; };
static Index blockIdx, blockDim = {1}, threadIdx;
static inline float atomicAdd(float* at, float value) { float old = *at; *at += value; return old; }
static inline void atomicMax(int* at, int value) { if (*at < value) *at = value; }
static inline int __float_as_int(float x) { int bits; __builtin_memcpy(&bits, &x, 4); return bits; }
extern "C" void be_thread(unsigned index) { blockIdx.x = index; }
"""


@contextmanager
def running(way: str) -> Iterator[torch.device]:
    """Ops inside the block run in this `way`, on tensors of the device that it gives."""
    if way == "cuda":
        yield torch.device("cuda")
        return
    if way == "reference":
        with patch.dict(os.environ, POCKETFIELD_OPS="reference"):
            yield torch.device("cpu")
        return
    if build.compiler() is None:
        pytest.skip("no C++ compiler on this machine")
    if way == "c++":
        yield torch.device("cpu")
        return
    if way == "emulated":
        with emulated() as device:
            yield device
        return
    with (
        patch.object(launch, "backend", lambda device: "cuda"),
        patch.object(launch, "_run_cuda", _run_threads),
    ):
        yield torch.device("cpu")


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Torch, and so the ops, use `count` threads inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _run_threads(
    kernels: Kernels, entry: str, _: torch.device, numbers: Sequence[Any], types: Sequence[Any]
) -> None:
    library = _thread_library(kernels)
    arguments = [kind(number) for number, kind in zip(numbers, types, strict=True)]
    for thread in range(-(-numbers[0] // 32) * 32):  # whole blocks: some threads are past the end
        library.be_thread(thread)
        getattr(library, entry)(*arguments)


@functools.cache
def _thread_library(kernels: Kernels) -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "threads.so"
        flags = "-x c++ -std=c++17 -O1 -ffp-contract=off -shared -fPIC -".split()
        command = [*(build.compiler() or ()), *flags, "-o", str(path)]
        subprocess.run(command, input=_AS_THREADS + kernels.source(), text=True, check=True)
        return ctypes.CDLL(str(path))


def discrepancy(actual: Tensor, expected: Tensor) -> float:
    """Largest difference, relative to the largest expected value."""
    assert actual.shape == expected.shape
    if not expected.numel():
        return 0.0
    difference = (actual.detach().cpu().double() - expected.detach().cpu().double()).abs().max()
    return float(difference / expected.detach().abs().max().clamp_min(1e-30))


def assert_agree(
    actual: Sequence[Tensor | None], expected: Sequence[Tensor | None], tolerance: float = 1e-5
) -> None:
    """Every tensor is within `tolerance` of its expected one, relative to that one's maximum."""
    for index, (a, b) in enumerate(zip(actual, expected, strict=True)):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            found = discrepancy(a, b)
            assert found <= tolerance, f"tensor {index} is off by {found:.1e} of its maximum"


def slope(f: Callable[[Tensor], Tensor], x: Tensor, direction: Tensor, h: float = 1e-6) -> Tensor:
    """Directional derivative of the scalar f at x by central differences, in float64."""
    x, direction = x.detach().double(), direction.double()
    return (f(x + h * direction) - f(x - h * direction)) / (2 * h)


def packed(counts: Sequence[int], generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Starts and ends of random, increasing, disjoint intervals, and the offsets of their rays."""
    offsets = torch.tensor([0, *counts]).cumsum(0).int()
    total = int(offsets[-1])
    lengths = 0.01 + 0.05 * torch.rand(total, generator=generator)
    gaps = 0.02 * torch.rand(total, generator=generator)
    starts = (lengths + gaps).cumsum(0) - lengths
    for first, last in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        starts[first:last] -= starts[first:last].min() - 0.5 if last > first else 0.0
    return starts, starts + lengths, offsets
