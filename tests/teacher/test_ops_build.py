"""Compiling, caching and starting kernels: what happens when it works, and when it does not."""

import ctypes
import itertools
import logging
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from teacher.errors import UserError
from teacher.ops import build, launch
from teacher.ops.build import Kernels
from teacher.ops.checks import expect
from teacher.ops.distortion import distortion
from teacher.ops.launch import Blocks
from tests.kernels import running

needs_compiler = pytest.mark.skipif(build.compiler() is None, reason="no C++ compiler")
needs_nvrtc = pytest.mark.skipif(not build.has_nvrtc(), reason="NVRTC is not installed")

_tests = itertools.count()
ECHO = """
#define CHUNK 1
ENTRY echo(i64 items, i64 whole, float real, float* none, i64* wholes, float* reals, i64 threads) {
  FOR_EACH_ITEM(i) {
    wholes[i] = whole + i + (none != nullptr);
    reals[i] = real;
  }
}
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of compiled kernels."""
    monkeypatch.setenv("POCKETFIELD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def echo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> Kernels:
    """A kernel that hands its arguments back, in a folder of ops of its own."""
    (tmp_path / "echo").mkdir()
    (tmp_path / "echo" / "kernel.cu").write_text(ECHO)
    prelude = (build.FOLDER / "prelude.cuh").read_text()
    (tmp_path / "prelude.cuh").write_text(prelude)
    monkeypatch.setattr(build, "FOLDER", tmp_path)
    return Kernels("echo", (("TEST", next(_tests)),))  # loaded libraries are kept by this value


@pytest.mark.parametrize(
    "way", ["c++", "gpu threads", pytest.param("cuda", marks=pytest.mark.cuda)]
)
def test_arguments_arrive_whole(echo: Kernels, way: str) -> None:
    """Integers keep 64 bits, floats are floats, None is null; each item runs once, and no other."""
    with running(way) as device:
        wholes = torch.zeros(300, dtype=torch.int64, device=device)
        reals = torch.zeros(300, device=device)
        launch.run(echo, "echo", device, 7, 2**40 + 3, 0.1, None, wholes, reals)
    assert wholes.tolist() == [2**40 + 3 + i for i in range(7)] + [0] * 293
    assert reals.tolist() == [torch.tensor(0.1).item()] * 7 + [0.0] * 293


def test_no_items_start_nothing() -> None:
    """Empty work returns before anything is compiled or looked up."""
    launch.run(Kernels("there is no such op"), "entry", torch.device("cpu"), 0)


@needs_compiler
def test_a_kernel_is_compiled_once(echo: Kernels, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second request finds the file; nothing temporary is left beside it."""
    path = build.library(echo)
    monkeypatch.setattr(build, "_run_cxx", None)
    assert build.library(echo) == path
    assert list(path.parent.iterdir()) == [path]


@needs_compiler
def test_every_ingredient_changes_the_key(echo: Kernels, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another source, constant, flag or processor is another file."""
    paths = {build.library(echo), build.library(Kernels("echo", (("TEST", -1),)))}
    paths.add(build.library(Kernels("echo", echo.constants, exact=True)))
    monkeypatch.setattr(build, "_compiler_identity", lambda command, flags: "another processor")
    paths.add(build.library(echo))
    kernel = build.FOLDER / "echo" / "kernel.cu"
    kernel.write_text(kernel.read_text() + "// changed\n")
    paths.add(build.library(echo))
    assert len(paths) == 5


@needs_compiler
def test_the_identity_names_the_processors_extensions() -> None:
    """A library built for another processor would be another file: -march=native is spelt out."""
    command = build.compiler()
    assert command is not None
    native = build._compiler_identity(command, ("-x", "c++", "-march=native"))
    plain = build._compiler_identity(command, ("-x", "c++"))
    assert "__VERSION__" in native
    assert native != plain


@needs_compiler
def test_a_failing_compile_shows_the_compilers_log(echo: Kernels) -> None:
    """The error points at the line of the kernel, and the cache stays empty."""
    (build.FOLDER / "echo" / "kernel.cu").write_text("\n\nENTRY wrong(oops) {}\n")
    with pytest.raises(UserError, match=r"echo/kernel\.cu:3") as failure:
        build.library(echo)
    assert "POCKETFIELD_OPS=reference" in failure.value.remedy
    assert not list(build.cache_folder().glob("*"))


@needs_nvrtc
def test_a_failing_cuda_compile_shows_nvrtcs_log() -> None:
    """As for the C++ compiler."""
    with pytest.raises(UserError, match='identifier "nonsense" is undefined'):
        build.compile_cubin("__global__ void f() { nonsense; }", "sm_90")


@needs_nvrtc
def test_nvrtc_leaves_pythons_own_bytes_alone() -> None:
    """The log of a clean compile is one NUL; read into b" ", it would be there for everybody."""
    nvrtc = build._nvrtc()
    source = b"__global__ void f() {}"
    program = build.checked(nvrtc.nvrtcCreateProgram(source, b"f.cu", 0, [], []))
    build.checked(nvrtc.nvrtcCompileProgram(program, 1, [b"-arch=sm_90"]))
    log = build._nvrtc_output(program, nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog)
    assert list(log) == [0]
    assert list(b" ") == [32]


@needs_nvrtc
def test_a_cubin_is_compiled_once(echo: Kernels, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cubins are cached like libraries, one per architecture."""
    machine_code = build.cubin(echo, "sm_90")
    assert build.cubin(echo, "sm_80") != machine_code
    monkeypatch.setattr(build, "compile_cubin", None)
    assert build.cubin(echo, "sm_90") == machine_code


@needs_compiler
def test_processes_may_build_the_same_kernel_at_once(cache: Path) -> None:
    """Several start together on an empty cache: all succeed, and one whole file is there."""
    program = (
        "from teacher.ops.build import Kernels, library\n"
        "import ctypes; ctypes.CDLL(str(library(Kernels('distortion')))).distortion_forward"
    )
    command = [sys.executable, "-c", program]
    workers = [subprocess.Popen(command, cwd=build.FOLDER.parents[1]) for _ in range(3)]
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    assert [path.suffix for path in cache.iterdir()] == [".so"]


def test_cxx_is_honoured_with_its_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """$CXX may be a command line; one that cannot be run is the user's mistake."""
    monkeypatch.setenv("CXX", f"'{sys.executable}' -O1")
    assert build.compiler() == (sys.executable, "-O1")
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(UserError, match="no-such-compiler"):
        build.compiler()


def test_without_a_compiler_the_reference_runs_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """The op still works; `backend` tells which build runs, one line in the log tells the user."""
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    launch._say_slower.cache_clear()
    offsets = torch.tensor([0, 2], dtype=torch.int32)
    with caplog.at_level(logging.WARNING):
        inputs = (torch.ones(2), torch.zeros(2), torch.ones(2), offsets)
        spread, _ = distortion(*inputs), distortion(*inputs)
    assert launch.backend(torch.device("cpu")) == "reference"
    assert spread.tolist() == pytest.approx([2 / 3])
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "no C++ compiler" in caplog.text


def test_the_reference_can_be_forced(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """POCKETFIELD_OPS=reference needs no compiler, on any device, and is not worth a warning."""
    monkeypatch.setenv("POCKETFIELD_OPS", "reference")
    for name in ("cpu", "cuda"):
        assert launch.backend(torch.device(name)) == "reference"
    assert not caplog.records


@needs_compiler
def test_a_cache_that_cannot_be_written_names_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file where the cache's folder should be."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("POCKETFIELD_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(UserError) as failure:
        build.library(Kernels("distortion"))
    assert "POCKETFIELD_CACHE" in failure.value.remedy


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (torch.zeros(3, 4, dtype=torch.float64), "float64"),
        (torch.zeros(4, 3).T, "non-contiguous"),
        (torch.zeros(4, 3), "[4, 3]"),
        (torch.zeros(3, 4, 1), "[3, 4, 1]"),
        (torch.zeros(3, 4, device="meta"), "meta"),
    ],
)
def test_checks_name_what_was_given(given: torch.Tensor, shown: str) -> None:
    """Type, layout, shape and device are each refused, and shown beside what was expected."""
    with pytest.raises(UserError) as failure:
        expect("op: values", given, ("n", 4), torch.device("cpu"))
    assert failure.value.thing == "op: values"
    assert shown in failure.value.given
    assert failure.value.expected == "contiguous float32 [n, 4] on cpu"
    expect("op: values", torch.zeros(3, 4), ("n", 4), torch.device("cpu"))


@needs_compiler
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_ops_share_torchs_threads() -> None:
    """One OpenMP runtime in the process: a second would fight torch's for the cores."""
    offsets = torch.tensor([0, 2], dtype=torch.int32)
    distortion(torch.ones(2), torch.zeros(2), torch.ones(2), offsets)
    files = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines()}
    assert len([file for file in files if file.endswith("/libgomp.so.1")]) <= 1


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the driver is asked for, in order, on a machine that seems to have an sm_90."""
    calls: list[tuple[Any, ...]] = []
    driver = SimpleNamespace(
        cuModuleLoadData=lambda code: (0, code),
        cuModuleGetFunction=lambda module, name: (0, (module[:4], name)),
        cuFuncSetAttribute=lambda *arguments: calls.append(arguments) or (0,),
        cuLaunchKernel=lambda *arguments: calls.append(arguments) or (0,),
        CUfunction_attribute=SimpleNamespace(
            CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES="dynamic shared memory"
        ),
    )
    monkeypatch.setattr(launch, "_driver", lambda: driver)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: (9, 0))
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "device", lambda device: torch.no_grad())
    stream = SimpleNamespace(cuda_stream=42)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: stream)
    return calls


@needs_nvrtc
def test_the_cuda_launch_hands_the_driver_what_it_wants(
    echo: Kernels, launches: list[tuple[Any, ...]]
) -> None:
    """Without a GPU: the cubin for its chip, a grid that covers the items, torch's stream."""
    launch.run(echo, "echo", torch.device("cuda", 0), 257, 5, 0.5, None)
    function, *grid, shared, on, (numbers, types), extra = launches[0]
    assert function == (b"\x7fELF", b"echo")
    assert grid == [2, 1, 1, 256, 1, 1]
    assert (shared, on, extra) == (0, 42, 0)
    assert numbers == (257, 5, 0.5, 0, torch.get_num_threads())
    long, real, pointer = ctypes.c_longlong, ctypes.c_float, ctypes.c_void_p
    assert types == (long, long, real, pointer, long)


@needs_nvrtc
def test_a_launch_of_blocks_asks_for_much_shared_memory(
    echo: Kernels, launches: list[tuple[Any, ...]]
) -> None:
    """As CUDA wants it from 48 KiB on; arguments go as they are, and no blocks start nothing."""
    for blocks in (Blocks(3, 64, 48 * 1024), Blocks(3, 64, 60_000), Blocks(0, 64, 60_000)):
        launch.run_blocks(echo, "echo", torch.device("cuda", 0), blocks, 5, 0.5)
    function = (b"\x7fELF", b"echo")
    values = (5, 0.5), (ctypes.c_longlong, ctypes.c_float)
    assert launches == [
        (function, 3, 1, 1, 64, 1, 1, 48 * 1024, 42, values, 0),
        (function, "dynamic shared memory", 60_000),
        (function, 3, 1, 1, 64, 1, 1, 60_000, 42, values, 0),
    ]


def test_a_bad_status_of_a_cuda_call_raises() -> None:
    """No status is dropped."""
    with pytest.raises(RuntimeError, match="700"):
        build.checked((700, None))
    assert build.checked((0, "value")) == "value"
    assert build.checked((0,)) is None
