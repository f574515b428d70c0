"""The one place that compiles kernels and keeps the results on disk.

    prelude.cuh + <op>/kernel.cu + constants ──┬─ g++   ─► <op>-<key>.so      for CPU tensors
              (one source, no headers)         └─ NVRTC ─► <op>-<key>.cubin   for CUDA tensors; needs no nvcc

The key hashes the source, the flags, the compiler and the processor, so that a stale or foreign file is never loaded.
Files appear whole, under their final name: several processes may build the same kernel at once. Nothing is compiled at
import. A compile that fails raises with the compiler's log.
"""

import functools
import hashlib
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from teacher.errors import UserError
from teacher.files import replacing

FOLDER = Path(__file__).parent
# No -ffast-math: its start-up code would flush denormals to zero in the whole process, and NaN checks would go.
CXX_FLAGS = (
    *("-x", "c++", "-std=c++17", "-O3", "-march=native", "-fopenmp", "-shared", "-fPIC"),
    *("-fno-math-errno", "-fno-trapping-math"),
)


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
        """The text that both compilers read; `#line` keeps their messages pointing at `kernel.cu`."""
        defines = "".join(f"#define {name} {value}\n" for name, value in self.constants)
        prelude = (FOLDER / "prelude.cuh").read_text()
        kernel = (FOLDER / self.op / "kernel.cu").read_text()
        return f'{defines}{prelude}#line 1 "{self.op}/kernel.cu"\n{kernel}'


def cache_folder() -> Path:
    """Where compiled kernels are kept: `$POCKETFIELD_CACHE`, else `~/.cache/pocketfield`."""
    given = os.environ.get("POCKETFIELD_CACHE")
    return Path(given) if given else Path.home() / ".cache" / "pocketfield"


def compiler() -> tuple[str, ...] | None:
    """The C++ compiler's command: `$CXX` (arguments allowed), else g++, c++ or clang++; None without one.

    Raises:
        UserError: `$CXX` names something that cannot be run.
    """
    given = os.environ.get("CXX")
    if not given:
        found = filter(None, map(shutil.which, ("g++", "c++", "clang++")))
        return next(((path,) for path in found), None)
    command = tuple(shlex.split(given))
    if shutil.which(command[0]) is None:
        expected = "a C++ compiler that can be run"
        raise UserError("the environment variable CXX", given, expected, "correct it or unset it")
    return command


def library(kernels: Kernels) -> Path:
    """The shared library of `kernels` for this CPU, compiled unless the cache has it.

    Raises:
        UserError: the compiler failed; its log is in the message.
    """
    command = compiler()
    assert command is not None, "ask launch.backend first"
    contract = ("-ffp-contract=off",) if kernels.exact else ()
    flags = (*CXX_FLAGS, *contract)
    source = kernels.source()
    key = _key(source, *flags, _compiler_identity(command, flags))
    return _cached(f"{kernels.op}-{key}.so", lambda path: _run_cxx(command, flags, source, path))


def cubin(kernels: Kernels, arch: str) -> bytes:
    """The machine code of `kernels` for GPUs of `arch` ("sm_90"), compiled unless the cache has it."""
    source = kernels.source()
    options = ("-fmad=false",) if kernels.exact else ()
    key = _key(source, arch, *options, str(_nvrtc().nvrtcVersion()))
    name = f"{kernels.op}-{arch}-{key}.cubin"
    path = _cached(name, lambda path: path.write_bytes(compile_cubin(source, arch, options)))
    return path.read_bytes()


def compile_cubin(source: str, arch: str, options: tuple[str, ...] = ()) -> bytes:
    """Compile CUDA C++ `source` with NVRTC to machine code for `arch`; needs neither a GPU nor a driver.

    Raises:
        UserError: NVRTC is not installed, or refused the source (its log is in the message).
    """
    nvrtc = _nvrtc()
    arguments = [f"-arch={arch}", "-std=c++17", *options]
    program = checked(nvrtc.nvrtcCreateProgram(source.encode(), b"kernel.cu", 0, [], []))
    encoded = [argument.encode() for argument in arguments]
    (status,) = nvrtc.nvrtcCompileProgram(program, len(encoded), encoded)
    if int(status):
        log = _nvrtc_output(program, nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog)
        raise _failed(f"NVRTC for {arch}", log.decode(errors="replace").rstrip("\0"))
    machine_code = _nvrtc_output(program, nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN)
    checked(nvrtc.nvrtcDestroyProgram(program))
    return machine_code


def has_nvrtc() -> bool:
    """Whether `compile_cubin` can work here: NVRTC comes with torch's CUDA build, or with the extra `nvrtc`."""
    try:
        return bool(_nvrtc())
    except UserError:
        return False


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]


def _cached(name: str, build: Callable[[Path], Any]) -> Path:
    path = cache_folder() / name
    if not path.exists():
        with replacing(path) as partial:
            build(partial)
    return path


def _run_cxx(command: tuple[str, ...], flags: tuple[str, ...], source: str, path: Path) -> None:
    arguments = [*command, *flags, "-", "-o", str(path)]
    done = subprocess.run(arguments, input=source, capture_output=True, text=True, check=False)
    if done.returncode:
        raise _failed(shlex.join(arguments), done.stderr)


@functools.cache
def _compiler_identity(command: tuple[str, ...], flags: tuple[str, ...]) -> str:
    """The macros that the compiler predefines: its version, and all that -march=native found on this CPU."""
    arguments = [*command, *flags, "-dM", "-E", "-"]
    done = subprocess.run(arguments, input="", capture_output=True, text=True, check=False)
    if done.returncode:
        raise _failed(shlex.join(arguments), done.stderr)
    return done.stdout


def _failed(command: str, log: str) -> UserError:
    return UserError(
        "compiling a kernel",
        f"{command}\n{log}",
        "a compiler that accepts it (g++ 9 or newer, clang with OpenMP, NVRTC 12 or newer)",
        "name another compiler in CXX, or set POCKETFIELD_OPS=reference to run without compiled kernels",
    )


def _nvrtc() -> Any:
    try:
        from cuda.bindings import nvrtc

        nvrtc.nvrtcVersion()
    except (ImportError, RuntimeError) as error:
        raise UserError(
            "compiling CUDA kernels",
            f"no NVRTC ({error})",
            "the packages cuda-bindings and nvidia-cuda-nvrtc",
            "pip install 'pocketfield[nvrtc]'",
        ) from error
    return nvrtc


def checked(result: tuple[Any, ...]) -> Any:
    """The value of a cuda-bindings call, which returns (status, value); raises if the status is not success."""
    status, *values = result
    if int(status):
        raise RuntimeError(f"CUDA call failed: {status!r}")
    return values[0] if values else None


def _nvrtc_output(program: Any, size: Callable[..., Any], read: Callable[..., Any]) -> bytes:
    # A bytearray, since the call writes into it: b" " * 1 is CPython's one shared object of that value.
    buffer = bytearray(checked(size(program)))
    checked(read(program, buffer))
    return bytes(buffer)
