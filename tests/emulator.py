"""Running the CUDA side of a kernel on a CPU, thread by thread, matrix instructions and all.

`emulator.hpp` stands before the source, and g++ compiles both. Whatever the kernel's threads do
together (barriers, shuffles, ldmatrix, mma) works as PTX describes it; a launch that a GPU would
hang on, or answer with nonsense, raises.
"""

import contextlib
import ctypes
import functools
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from teacher.ops import build, launch
from teacher.ops.build import Kernels
from teacher.ops.launch import Blocks

PROCESSORS = 2
"""Multiprocessors of the GPU that is emulated: few, so that blocks take turns."""
_SHARED_LIMIT = 99 * 1024
_ENTRY = re.compile(r"^WARP_ENTRY\(.*\) (\w+)\(", re.MULTILINE)
_LAUNCH = """
extern "C" const char* launch_{0}(int blocks, int threads, long bytes, unsigned seed, void** values) {{
  static void** given;
  given = values;
  return emulator::run([] {{ emulator::call({0}, given); }}, blocks, threads, bytes, seed);
}}
"""
_seed = 1


@contextlib.contextmanager
def emulated() -> Iterator[torch.device]:
    """Ops inside the block run as on a GPU, on CPU tensors."""
    with (
        patch.object(launch, "backend", lambda device: "cuda"),
        patch.object(launch, "_start_cuda", _start),
        patch.object(launch, "processors", lambda device: PROCESSORS),
        patch.object(launch, "shared_limit", lambda device: _SHARED_LIMIT),
    ):
        yield torch.device("cpu")


@contextlib.contextmanager
def order_of(seed: int) -> Iterator[None]:
    """Blocks, warps and lanes inside the block run in another order for each `seed`."""
    with patch(f"{__name__}._seed", seed):
        yield


def _start(
    kernels: Kernels,
    entry: str,
    _: torch.device,
    blocks: Blocks,
    numbers: Sequence[Any],
    types: Sequence[Any],
) -> None:
    values = [kind(number) for number, kind in zip(numbers, types, strict=True)]
    pointers = (ctypes.c_void_p * len(values))(*map(ctypes.addressof, values))
    function = getattr(library(kernels.source()), f"launch_{entry}")
    function.restype = ctypes.c_char_p
    size = (ctypes.c_int(blocks.count), ctypes.c_int(blocks.threads), ctypes.c_long(blocks.shared))
    wrong = function(*size, ctypes.c_uint(_seed), pointers).decode()
    if wrong:
        raise RuntimeError(f"{kernels.op}, {entry}: {wrong}")


@functools.cache
def library(source: str) -> ctypes.CDLL:
    """The emulator, a kernel's whole source and, for each entry point, what launches it."""
    header = (Path(__file__).parent / "emulator.hpp").read_text()
    text = header + source + "".join(map(_LAUNCH.format, _ENTRY.findall(source)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "emulated.so"
        flags = "-x c++ -std=c++17 -O1 -ffp-contract=off -shared -fPIC -".split()
        command = [*(build.compiler() or ()), *flags, "-o", str(path)]
        subprocess.run(command, input=text, text=True, check=True)
        return ctypes.CDLL(str(path))
