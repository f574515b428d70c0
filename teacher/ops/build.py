"""The one place that compiles kernels and keeps the results on disk.

    prelude.cuh + <op>/kernel.cu + constants ─┬─ g++   ─► <op>-<key>.so     for CPU tensors
    (one text: what it includes is pasted in) └─ NVRTC ─► <op>-<key>.cubin  for CUDA tensors

The key hashes the source, the flags, the compiler and the processor, so that no stale or foreign
file is loaded. Files appear whole, under their final name: several processes may build the same
kernel at once. Nothing is compiled at import. A compile that fails raises with the compiler's log.
"""

import errno
import functools
import hashlib
import importlib
import os
import re
import shlex
import shutil
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from teacher.errors import UserError
from teacher.files import replacing

FOLDER = Path(__file__).parent
# No -ffast-math: loading such a library flushes denormals to zero in the whole process (GCC < 13).
CXX_FLAGS = (
    *("-x", "c++", "-std=c++17", "-O3", "-march=native", "-fopenmp", "-shared", "-fPIC"),
    *("-fno-math-errno", "-fno-trapping-math"),
)
_building = threading.Lock()


@dataclass(frozen=True)
class Kernels:
    """One op's `kernel.cu` with the constants it is compiled for."""

    op: str
    """Name of the op's folder."""
    constants: tuple[tuple[str, int], ...] = ()
    """Macros, as (name, value)."""
    exact: bool = False
    """Forbid fused multiply-add, so that float32 results equal torch's bit for bit."""

    def source(self) -> str:
        """The text that both compilers read; `#line` makes their messages point at `kernel.cu`."""
        defines = "".join(f"#define {name} {value}\n" for name, value in self.constants)
        return defines + _paste("prelude.cuh") + _paste(f"{self.op}/kernel.cu")


def _paste(name: str) -> str:
    """The text of the file `name`, every `#include "x.cuh"` replaced by that file.

    Guarded, as a file may come twice: on both sides of an #if, say, of which a compiler sees one.
    """
    guard = "PASTED_" + re.sub(r"\W", "_", name)
    text = [f'#ifndef {guard}\n#define {guard}\n#line 1 "{name}"\n']
    for number, line in enumerate((FOLDER / name).read_text().splitlines(keepends=True), 1):
        included = re.fullmatch(r'#include "(\S+\.cuh)"\s*', line)
        if included:
            text += [_paste(included[1]), f'#line {number + 1} "{name}"\n']
        else:
            text.append(line)
    return "".join([*text, "#endif\n"])


def cache_folder() -> Path:
    """Where compiled kernels are kept: `$POCKETFIELD_CACHE`, else `~/.cache/pocketfield`."""
    given = os.environ.get("POCKETFIELD_CACHE")
    return Path(given) if given else Path.home() / ".cache" / "pocketfield"


def compiler() -> tuple[str, ...] | None:
    """The C++ compiler's command: `$CXX` with its arguments, else g++, c++ or clang++, else None.

    Raises:
        UserError: `$CXX` names something that cannot be run.
    """
    return _find_compiler(os.environ.get("CXX"), os.environ.get("PATH"))


def library(kernels: Kernels) -> Path:
    """The shared library of `kernels` for this CPU, compiled unless the cache has it.

    Raises:
        UserError: the compiler failed (its log is in the message), or there is none.
    """
    command = compiler()
    if command is None:
        raise _failed("g++", "no C++ compiler was found")
    flags = (*CXX_FLAGS, *(["-ffp-contract=off"] if kernels.exact else []))
    source = kernels.source()
    key = _key(source, *flags, _compiler_identity(command, flags))
    return _cached(f"{kernels.op}-{key}.so", lambda path: _run_cxx(command, flags, source, path))


def cubin(kernels: Kernels, arch: str) -> bytes:
    """The machine code of `kernels` for GPUs of `arch`, compiled unless the cache has it.

    Args:
        kernels: what to compile.
        arch: the GPU's architecture, as "sm_90".

    Raises:
        UserError: NVRTC is not installed, or refused the source (its log is in the message).
    """
    source = kernels.source()
    options = ("-fmad=false",) if kernels.exact else ()
    key = _key(source, *options, str(_nvrtc().nvrtcVersion()))
    name = f"{kernels.op}-{arch}-{key}.cubin"
    path = _cached(name, lambda path: path.write_bytes(compile_cubin(source, arch, options)))
    return path.read_bytes()


def compile_cubin(source: str, arch: str, options: tuple[str, ...] = ()) -> bytes:
    """Compile CUDA C++ by NVRTC to machine code; needs neither a GPU nor a driver.

    Args:
        source: the whole program.
        arch: the GPU's architecture, as "sm_90".
        options: NVRTC's command line, beside architecture and language.

    Raises:
        UserError: NVRTC is not installed, or refused the source (its log is in the message).
    """
    nvrtc = _nvrtc()
    arguments = [o.encode() for o in (f"-arch={arch}", "-std=c++17", *options)]
    program = checked(nvrtc.nvrtcCreateProgram(source.encode(), b"kernel.cu", 0, [], []))
    (status,) = nvrtc.nvrtcCompileProgram(program, len(arguments), arguments)
    if int(status):
        log = _nvrtc_output(program, nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog)
        raise _failed(f"NVRTC for {arch}", log.decode(errors="replace").rstrip("\0"))
    machine_code = _nvrtc_output(program, nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN)
    checked(nvrtc.nvrtcDestroyProgram(program))
    return machine_code


def has_nvrtc() -> bool:
    """Whether `compile_cubin` works here: by torch's CUDA build, or by the extra `nvrtc`."""
    try:
        return bool(_nvrtc())
    except UserError:
        return False


def checked(result: tuple[Any, ...]) -> Any:
    """The value of a cuda-bindings call, which returns (status, value); raises on a bad status."""
    status, *values = result
    if int(status):
        raise RuntimeError(f"a CUDA call failed: {status!r}")
    return values[0] if values else None


@functools.cache
def _find_compiler(given: str | None, path: str | None) -> tuple[str, ...] | None:
    if not given:
        found = (shutil.which(name, path=path) for name in ("g++", "c++", "clang++"))
        return next(((command,) for command in found if command), None)
    command = tuple(shlex.split(given))
    if shutil.which(command[0], path=path) is None:
        expected = "a C++ compiler that can be run"
        raise UserError("the environment variable CXX", given, expected, "correct it or unset it")
    return command


@functools.cache
def _compiler_identity(command: tuple[str, ...], flags: tuple[str, ...]) -> str:
    """The macros it predefines: its version, and all that -march=native found on this CPU."""
    return _output_of([*command, *flags, "-dM", "-E", "-"], "")


def _run_cxx(command: tuple[str, ...], flags: tuple[str, ...], source: str, path: Path) -> None:
    _output_of([*command, *flags, "-", "-o", str(path)], source)


def _output_of(arguments: list[str], text: str) -> str:
    done = subprocess.run(arguments, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise _failed(shlex.join(arguments), done.stderr)
    return done.stdout


def _failed(command: str, log: str) -> UserError:
    return UserError(
        "compiling a kernel",
        f"{command}\n{log}",
        "a compiler that accepts it: g++ 9 or newer, clang++ with OpenMP, NVRTC 12 or newer",
        "name a compiler in CXX, or set POCKETFIELD_OPS=reference to go without (slower)",
    )


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]


def _cached(name: str, build: Callable[[Path], Any]) -> Path:
    path = cache_folder() / name
    with _building:  # a process builds under a name of its own, but its threads would share that
        if not path.exists():
            _build(path, build)
    return path


def _build(path: Path, build: Callable[[Path], Any]) -> None:
    try:
        with replacing(path) as partial:
            build(partial)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # shown as a full disk, as anywhere else
        raise UserError(
            "the cache of compiled kernels",
            str(error),
            "a folder that can be written to",
            "name one in the environment variable POCKETFIELD_CACHE",
        ) from error


def _nvrtc() -> Any:
    try:
        nvrtc = importlib.import_module("cuda.bindings.nvrtc")
        nvrtc.nvrtcVersion()
    except (ImportError, RuntimeError) as error:
        raise UserError(
            "compiling CUDA kernels",
            f"no NVRTC ({error})",
            "the packages cuda-bindings and nvidia-cuda-nvrtc",
            "pip install 'pocketfield[nvrtc]'",
        ) from error
    return nvrtc


def _nvrtc_output(program: Any, size: Callable[..., Any], read: Callable[..., Any]) -> bytes:
    # A bytearray, since the call writes into it: b" " * 1 is CPython's one object of that value.
    buffer = bytearray(checked(size(program)))
    checked(read(program, buffer))
    return bytes(buffer)
