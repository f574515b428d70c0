"""The benchmarks' own logic, and that their lines run: a GPU's time is too short for typing errors."""

import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch

from teacher.datasets import load_scene
from teacher.errors import UserError, exit_on_user_error
from teacher.fields.hash_grid import HashGridConfig
from teacher.ops import build, launch
from teacher.ops.build import Kernels
from teacher.ops.hash_encode import HashGrid
from teacher.presets import PRESETS
from teacher.samplers.density_grid import DensityGridConfig
from teacher.samplers.occupancy import OccupancyConfig
from teacher.samplers.proposal import ProposalConfig
from teacher.trainer import Trainer
from tests.bench import bench_cuda, first_step, kernel_report, report
from tests.bench.peers import nerfacc_occ
from tests.bench.training import train_for
from tests.emulator import emulated
from tests.kernels import running
from tests.scenes import all_round, ellipsoid_shots, write_blender

LACKING = ("tyro", "av", "flip_evaluator", "beartype", "torchmetrics")
"""What a lent machine lacks (and torchmetrics, which nothing here should want)."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An ellipsoid from all around, in the layout of NeRF-synthetic."""
    centre = (0.2, -0.1, 0.3)
    cameras = all_round(centre, (16, 12))
    write_blender(tmp_path / "ellipsoid", ellipsoid_shots((0.6, 0.5, 0.4), centre, cameras))
    return tmp_path / "ellipsoid"


def test_a_section_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    """Only what stands between its comments."""
    document = tmp_path / "x.md"
    document.write_text("a\n<!-- one: begin -->\nold\n<!-- one: end -->\nb <!-- two: begin -->")
    for text in ("new", "newer"):
        report.write_section("one", text, document)
    expected = "a\n<!-- one: begin -->\nnewer\n<!-- one: end -->\nb <!-- two: begin -->"
    assert document.read_text() == expected
    with pytest.raises(UserError, match="two: begin"):
        report.write_section("two", "", document)


def test_the_document_has_all_sections() -> None:
    """What `--write` looks for is there."""
    text = report.DOCUMENT.read_text()
    for name in ("ops", "cpu", "cuda", "kernels"):
        assert text.count(f"<!-- {name}: begin -->") == text.count(f"<!-- {name}: end -->") == 1


def test_tables_show_three_digits() -> None:
    """Numbers that are not there are dashes."""
    lines = report.table(("a", "b"), [[1234.5, None], [0.012345, "x"]]).splitlines()
    assert lines == ["| a | b |", "| --- | --- |", "| 1234 | – |", "| 0.0123 | x |"]


@pytest.mark.parametrize("runs_ahead", [False, True])
def test_a_budget_ends_the_schedule(monkeypatch: pytest.MonkeyPatch, runs_ahead: bool) -> None:
    """Steps of a second each: as many as the budget has seconds, and planned to be as many."""
    clock, planned = [0.0], []

    class Clocked:
        device, step = torch.device("cpu"), 0

        def train_step(self) -> None:
            clock[0] += 1
            self.step += 1

    trainer: Any = Clocked()
    trainer.runs_ahead = runs_ahead
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    assert train_for(trainer, 40, planned.append) == (40, 40)
    assert planned == ([40] * 2 if runs_ahead else [40] * 39)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_bench_cuda_says_so() -> None:
    """Before it renders or writes anything; exit code 2."""
    with pytest.raises(UserError, match="--device"):
        bench_cuda.main([])
    with pytest.raises(SystemExit) as exit_:
        exit_on_user_error(lambda: bench_cuda.main([]))
    assert exit_.value.code == 2


def test_bench_cuda_needs_what_a_lent_machine_has() -> None:
    """It is imported where the other packages cannot be."""
    program = f"import sys; sys.modules |= dict.fromkeys({LACKING}); import tests.bench.bench_cuda as b; b.parse([])"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=report.ROOT)


def test_bench_cuda_rehearsed(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every section on a CPU; one that fails is reported, and the others go on."""
    if build.compiler() is None:
        pytest.skip("no C++ compiler on this machine")
    monkeypatch.setattr(nerfacc_occ.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(first_step, "measure", lambda *_: {"first_step": 1.0})
    monkeypatch.setenv("OUT", str(tmp_path / "out"))
    small = "--preset demo --device cpu --samples-per-step 512 --warmup-steps 2 --block-steps 2"
    short = "--blocks 1 --budgets 0.1 --views 1 --roofline-steps 2"
    files = ["--data", str(data), "--output", str(tmp_path / "cuda.json")]
    bench_cuda.main([*small.split(), *short.split(), *files])
    shown = capsys.readouterr().out
    found = json.loads((tmp_path / "cuda.json").read_text())
    assert found == json.loads((tmp_path / "out" / "cuda.json").read_text())
    assert list(found["errors"]) == ["peer"]
    assert "not installed" in found["errors"]["peer"]
    assert {"training", "psnr_at", "rendering", "roofline", "seconds_to"} <= found.keys()
    assert found["gpu"] is None
    assert "NO GPU" in shown
    assert "0.1 s" in shown


def test_calls_add_up(tmp_path: Path) -> None:
    """Budgets of all, else the later; what failed in any."""
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    calls = [{"ours": {"5": 1, "15": 2}, "nerfacc": {"5": 3}}, {"ours": {"15": 4, "300": 5}}]
    for path, learned in zip(paths, calls, strict=True):
        found = {"psnr_at": learned, "gpu": path.stem, "errors": {path.stem: "why"}}
        path.write_text(json.dumps(found))
    both = bench_cuda.merged(paths)
    assert both["psnr_at"] == {"ours": {"5": 1, "15": 4, "300": 5}, "nerfacc": {"5": 3}}
    assert both["gpu"] == "b"
    assert both["errors"] == {"a": "why", "b": "why"}


PROPOSALS = ProposalConfig(
    samples=4,
    proposals=(8,),
    finest=(16,),
    density=DensityGridConfig(HashGrid(levels=2, features=2, log2_size=8)),
)


@pytest.mark.parametrize("sampler", [OccupancyConfig(resolution=16, step=0.05), PROPOSALS])
def test_the_report_lists_what_a_gpu_loads(
    data: Path, sampler: OccupancyConfig | ProposalConfig
) -> None:
    """Training and rendering on an emulated GPU start the modules of the list, and no others."""
    if build.compiler() is None:
        pytest.skip("no C++ compiler on this machine")
    grid = HashGrid(levels=4, features=4, log2_size=10, base=4, finest=64)
    config = dataclasses.replace(
        PRESETS["demo"][1],
        field=HashGridConfig(grid, width=16),
        sampler=sampler,
        samples_per_step=64,
        first_rays=128,
    )
    started: set[Kernels] = set()
    scene = load_scene(data)
    # Kernels for single threads, and those for whole warps.
    with running("gpu threads"), emulated():
        with (
            patch.object(launch, "run", _recorded(launch.run, started)),
            patch.object(launch, "run_blocks", _recorded(launch.run_blocks, started)),
        ):
            trainer = Trainer(scene, config)
            trainer.train_step()
            trainer.teacher().render(scene.splits["test"][0].camera)
    assert started == set(kernel_report.kernels_of(config))


def _recorded(start: Callable[..., None], started: set[Kernels]) -> Callable[..., None]:
    def recorded(kernels: Kernels, *arguments: Any) -> None:
        started.add(kernels)
        start(kernels, *arguments)

    return recorded


@pytest.mark.skipif(not build.has_nvrtc(), reason="NVRTC is not installed (extra: nvrtc)")
def test_the_kernel_report_of_one_module() -> None:
    """Each entry's registers on each chip, and no local memory."""
    kernels = Kernels("distortion")
    compiled = kernel_report.compile_all({kernels: ["demo"]}, ("sm_75", "sm_90"))
    assert compiled[kernels]["sm_90"].seconds > 0
    assert kernel_report.spills(compiled) == []
    text = kernel_report.markdown({kernels: ["demo"]}, compiled)
    registers = compiled[kernels]["sm_90"].entries["distortion_forward"].registers
    row = next(line for line in text.splitlines() if "`distortion_forward`" in line)
    assert row.endswith(f"{registers} |")
