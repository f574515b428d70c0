"""A grid is trained once whatever happens in between, and its table is what numpy says of its cells."""

import csv
import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from teacher import __main__ as command
from teacher import checkpoint
from teacher.config import to_plain
from teacher.demo import write_demo_scene
from teacher.errors import UserError, exit_on_user_error
from teacher.fields.hash_grid import HashGridConfig
from teacher.files import read_json, write_json
from teacher.machine import Machine
from teacher.ops.hash_encode import HashGrid
from teacher.optimiser import OptimiserConfig
from teacher.presets import PRESETS, DataConfig, TrainConfig
from teacher.samplers.occupancy import OccupancyConfig
from teacher.sweep import cells as cells_module
from teacher.sweep.cells import COLUMNS, is_finished
from teacher.sweep.grid import Cell, Grid, Settings
from teacher.sweep.run import Sweep

TINY = TrainConfig(
    field=HashGridConfig(HashGrid(levels=4, features=4, log2_size=12, finest=64), width=16),
    sampler=OccupancyConfig(resolution=32, step=0.04, warmup=32),
    optimiser=OptimiserConfig(warmup=10),
    samples_per_step=1 << 10,
    first_rays=128,
    steps=30,
)
BOX = ((-1.3, -1.3, -0.15), (1.3, 1.3, 1.1))
SEEDS, FRAMES, STEPS = (0, 1), ("2", "50%", "100%"), 30
NAMES = [f"tiny_frames-{frames}_steps-30_seed-{seed}" for seed in SEEDS for frames in (2, 3, 6)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built-in scene at 16 pixels: six pictures to train on, two to judge by, two to report on."""
    folder = tmp_path_factory.mktemp("scene")
    write_demo_scene(folder, size=16, train=6, test=4)
    return folder


def _arguments(data: Path, output: Path) -> list[str]:
    box = [str(value) for corner in BOX for value in corner]
    return [
        *("sweep", "--data", str(data), "--output", str(output), "--aabb", *box),
        *("--presets", "tiny", "--seeds", *map(str, SEEDS), "--train-frames", *FRAMES),
        *("--measurements", "3", "--save-seconds", "0.2", "--device", "cpu"),
    ]


def _run(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """The command line's exit code, with `tiny` among the presets."""
    monkeypatch.setitem(PRESETS, "tiny", ("for tests", TINY))
    monkeypatch.setattr(sys, "argv", ["python -m teacher", *arguments])
    try:
        exit_on_user_error(command.main)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.fixture(scope="module")
def killed(
    data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, dict[str, str]]]:
    """A sweep killed by SIGKILL in the middle of its third cell and run again, and what was finished when it died.

    Two processes of which the first dies: nothing that it had in memory helps the second one.
    """
    output = tmp_path_factory.mktemp("sweep")
    process = _start(data, output, slow=True)
    victim, deadline = output / NAMES[2], time.monotonic() + 120
    while not (victim / "training.safetensors").exists() and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (victim / "training.safetensors").exists() and not (victim / "row.json").exists()
    before = _contents(output, NAMES[:2])
    again = _start(data, output, slow=False)
    said, errors = again.communicate(timeout=120)
    assert again.returncode == 0, errors
    yield output, {**before, "said": said, "errors": errors}


def _start(data: Path, output: Path, slow: bool) -> "subprocess.Popen[str]":
    """The command line in a process of its own; `slow` leaves time to kill it within a training."""
    arguments = _arguments(data, output)
    code = (
        "import sys, time; sys.path.insert(0, sys.argv.pop(1))\n"
        "from tests.teacher import test_sweep as tests\n"
        "from teacher.trainer import Trainer\n"
        "step = Trainer.train_step\n"
        f"Trainer.train_step = lambda *a, **k: (time.sleep({0.03 if slow else 0}), step(*a, **k))[1]\n"
        "tests.PRESETS['tiny'] = ('for tests', tests.TINY)\n"
        "tests.exit_on_user_error(tests.command.main)\n"
    )
    root = str(Path(__file__).parents[2])
    return subprocess.Popen(
        [sys.executable, "-c", code, root, *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _contents(output: Path, names: list[str]) -> dict[str, str]:
    """Hash and time of every file of these cells."""
    files = [
        path for name in names for path in sorted((output / name).rglob("*")) if path.is_file()
    ]
    return {
        str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest()
        + f" {path.stat().st_mtime_ns}"
        for path in files
    }


def test_finished_cells_are_not_touched_again(killed: tuple[Path, dict[str, str]]) -> None:
    """Neither trained nor evaluated; the one that was killed went on at its checkpoint."""
    output, before = killed
    after = _contents(output, NAMES[:2])
    assert len(after) > 12 and after.items() <= before.items()
    assert f"resuming {output / NAMES[2]} at step" in before["said"]
    assert before["said"].count("resuming") == 1


def test_the_csv_has_a_row_for_every_cell(killed: tuple[Path, dict[str, str]]) -> None:
    output, _ = killed
    with (output / "results.csv").open(newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    assert tuple(reader.fieldnames or ()) == COLUMNS
    keys = [
        (row["preset"], int(row["frames"]), int(row["steps"]), int(row["seed"])) for row in rows
    ]
    assert keys == [("tiny", frames, 30, seed) for frames in (2, 3, 6) for seed in SEEDS]
    for row in rows:
        assert (row["split"], row["views"], row["background"]) == ("test", "2", "white")
        assert (row["width"], row["height"], row["error"]) == ("16", "16", "")
        assert 3 < float(row["psnr"]) < 40 and 0 < float(row["flip"]) < 1
        assert row["lpips"].startswith("n/a") or float(row["lpips"]) >= 0
        assert int(row["best_step"]) in (10, 20, 30)
        assert float(row["training_seconds"]) > 0
        assert float(row["rays_per_second"]) == pytest.approx(256 * float(row["fps"]))
        run = output / f"tiny_frames-{row['frames']}_steps-30_seed-{row['seed']}"
        metrics = read_json(run / "eval" / "metrics.json", "metrics", "")
        assert float(row["psnr"]) == metrics["mean"]["psnr"]
        cameras = read_json(run / "scene.json", "scene", "")["cameras"]
        assert len(cameras["train"]) == int(row["frames"]) and len(cameras["val"]) == 2


def test_table_and_plot_are_there_and_printed(killed: tuple[Path, dict[str, str]]) -> None:
    """A line for each number of frames; frames differ, steps do not, so there is one plot."""
    output, before = killed
    table = (output / "table.md").read_text()
    assert table.strip() in before["said"]
    assert [line.split("|")[2].strip() for line in table.splitlines()[4:7]] == ["2", "3", "6"]
    assert table.count("±") > 9 and "nan" not in table
    drawn = ElementTree.parse(output / "frames.svg").getroot()
    assert drawn.tag.endswith("svg") and not (output / "steps.svg").exists()
    texts = [element.text for element in drawn.iter() if element.tag.endswith("text")]
    assert {"2", "3", "6", "training pictures", "PSNR, dB"} <= set(texts)
    assert (output / "frames.png").read_bytes()[1:4] == b"PNG"


def test_a_killed_cell_is_what_it_would_have_been(
    killed: tuple[Path, dict[str, str]], data: Path, tmp_path: Path
) -> None:
    """Bit for bit: weights kept and newest."""
    output, _ = killed
    settings = Settings(data, aabb=BOX, measurements=3)
    Sweep(settings, Grid(("tiny",), (0,), (), ("100%",)), tmp_path, known=_known()).run()
    models = [folder / NAMES[2] / "model.safetensors" for folder in (tmp_path, output)]
    assert models[0].read_bytes() == models[1].read_bytes()
    states = [
        checkpoint.load_tensors(p.with_name("training.safetensors"), "a", "b") for p in models
    ]
    (alone, _), (resumed, _) = states
    assert all(alone[name].equal(resumed[name]) for name in alone | resumed)


def _known() -> dict[str, tuple[str, TrainConfig]]:
    return {"tiny": ("for tests", TINY), "wide": ("for tests", replace(TINY, first_rays=64))}


def test_the_same_command_again_does_nothing_and_others_are_refused(
    killed: tuple[Path, dict[str, str]],
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output, _ = killed
    before = _contents(output, NAMES)
    assert _run(_arguments(data, output), monkeypatch) == 0
    assert "| `tiny` | 2 | 30 | 2 |" in capsys.readouterr().out
    assert _run([*_arguments(data, output), "--background", "black"], monkeypatch) == 2
    assert "settings.background" in capsys.readouterr().err
    monkeypatch.setattr(sys.modules[__name__], "TINY", replace(TINY, first_rays=99))
    assert _run(_arguments(data, output), monkeypatch) == 2
    assert "train.first_rays" in capsys.readouterr().err
    assert _contents(output, NAMES) == before


def _stub(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Cells that take no time: what would be trained; 6 frames fail."""
    trained: list[str] = []

    def train(data: DataConfig, config: TrainConfig, run: Path, machine: Machine) -> None:
        frames = int(data.train_frames)
        if frames == 6:
            raise RuntimeError("no\nluck")
        trained.append(run.name)
        write_json(run / "progress.json", {"seconds": 1.5 + config.seed})

    def evaluate(run: Path, *_: object) -> dict[str, object]:
        seed = int(run.name[-1])
        view = {"seconds": 0.5}
        mean = {"psnr": 20.0 + seed * seed, "ssim": 0.5, "flip": 0.25, "lpips": "n/a"}
        same = {
            "split": "test",
            "views": 2,
            "background": "white",
            "width": 4,
            "height": 2,
            "threads": 1,
        }
        return {**same, "step": 10**9, "mean": mean, "per_view": [view] * 3}

    monkeypatch.setattr(cells_module, "train", train)
    monkeypatch.setattr(cells_module, "evaluate", evaluate)
    return trained


def test_a_failed_cell_has_its_reason_and_the_others_go_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1 after everything else; the same command tries it again."""
    trained = _stub(monkeypatch)
    arguments = [*_arguments(data, tmp_path), "--seeds", "0", "--train-frames", "6", "1"]
    assert _run(arguments, monkeypatch) == 1
    assert trained == ["tiny_frames-1_steps-30_seed-0"]
    out = capsys.readouterr().out
    assert "frames 6, steps 30, seed 0: RuntimeError: no luck" in out
    with (tmp_path / "results.csv").open(newline="") as file:
        errors = [row["error"] for row in csv.DictReader(file)]
    assert errors == ["", "RuntimeError: no luck"]
    assert (
        "RuntimeError: no\nluck"
        in (tmp_path / "tiny_frames-6_steps-30_seed-0" / "error.txt").read_text()
    )
    assert not is_finished(tmp_path / "tiny_frames-6_steps-30_seed-0")
    monkeypatch.setattr(cells_module, "train", lambda *_: trained.append("again"))
    assert _run(arguments, monkeypatch) == 1
    assert trained[1:] == ["again"]  # what had succeeded is left alone


def test_a_full_disk_ends_the_sweep(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The other cells would fail alike; no cell is blamed for it."""

    def train(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/runs/x")

    monkeypatch.setattr(cells_module, "train", train)
    assert _run(_arguments(data, tmp_path), monkeypatch) == 2
    assert "a full disk" in capsys.readouterr().err
    assert not list(tmp_path.glob("*/row.json"))


def test_more_pictures_than_there_are_is_the_cell_s_failure(data: Path, tmp_path: Path) -> None:
    settings = Settings(data, aabb=BOX)
    failed = Sweep(settings, Grid(("tiny",), (0,), (5,), ("7",)), tmp_path, known=_known()).run()
    assert [row["error"] for row in failed] == [
        "--train-frames: 7 (expected: at most 6, the training pictures that there are)"
    ]
    assert "No cell is finished" in (tmp_path / "table.md").read_text()


def test_another_grid_adds_its_cells(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One row each, in order; only what is new is trained."""
    trained, settings = _stub(monkeypatch), Settings(data, aabb=BOX)
    for grid in (
        Grid(("tiny",), (0,), (30,), ("2",)),
        Grid(("tiny", "wide"), (0, 1), (30, 50), ("2",)),
    ):
        sweep = Sweep(settings, grid, tmp_path, known=_known())
        assert sweep.run() == []
    assert len(trained) == len(set(trained)) == 8
    table = sweep.table
    assert table.count("| 2 | 20.50 ± 0.71 |") == 4
    assert (tmp_path / "steps.svg").exists() and not (tmp_path / "frames.svg").exists()
    changed = Sweep(replace(settings, downscale=2), grid, tmp_path, known=_known())
    with pytest.raises(UserError, match=r"settings\.downscale"):
        changed.run()


def test_ctrl_c_keeps_what_is_done(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 130, as training's; the finished cells are in the results already."""
    trained, go_on = _stub(monkeypatch), cells_module.train

    def train(data: DataConfig, config: TrainConfig, run: Path, machine: Machine) -> None:
        if len(trained) == 2:
            raise KeyboardInterrupt
        go_on(data, config, run, machine)

    monkeypatch.setattr(cells_module, "train", train)
    arguments = [*_arguments(data, tmp_path), "--train-frames", "1", "2"]
    assert _run(arguments, monkeypatch) == 130
    with (tmp_path / "results.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 2
    monkeypatch.setattr(cells_module, "train", go_on)
    assert _run(arguments, monkeypatch) == 0
    assert len(trained) == len(set(trained)) == 4


def test_cells_of_a_grid_come_seed_by_seed_and_once() -> None:
    """A share and the number that it comes to are the same cell."""
    grid = Grid(("tiny", "wide"), (3, 1), (), ("10", "50%", "100%"))
    cells = grid.cells(20, _known())
    assert [cell.seed for cell in cells] == [3] * 4 + [1] * 4
    assert cells[:2] == [Cell("tiny", 10, 30, 3), Cell("tiny", 20, 30, 3)]
    assert len({cell.name for cell in cells}) == 8


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        (Grid(("dmeo",)), "--presets"),
        (Grid(("demo",), train_frames=("half",)), "--train-frames"),
        (Grid(("demo",), steps=(0,)), "--steps"),
        (Grid(("demo",), ()), "at least one"),
    ],
)
def test_a_wrong_grid_is_refused_before_anything_is_read(
    grid: Grid, said: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said):
        Sweep(Settings(tmp_path / "nowhere"), grid, tmp_path / "out").run()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["measurements", "judges"])
def test_nothing_measured_is_refused(name: str, tmp_path: Path) -> None:
    settings = replace(Settings(tmp_path / "nowhere"), **{name: 0})
    with pytest.raises(UserError, match=f"--{name}"):
        Sweep(settings, Grid(("demo",)), tmp_path / "out").run()


def test_several_processes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="torchrun"):
        Sweep(Settings(tmp_path), Grid(("demo",)), tmp_path / "out").run()


def test_a_longer_training_is_another_one_from_its_first_cooler_step() -> None:
    """Why each number of steps is trained for itself: in any preset a step's rate depends on how many follow."""
    for name, (_, config) in PRESETS.items():
        rates = [config.optimiser.rate(400, steps) for steps in (500, 1000)]
        assert rates[0] < rates[1] / 2, name


def test_settings_survive_their_file(data: Path) -> None:
    """What is compared is what was written."""
    settings = Settings(data, aabb=BOX, splits=Path("s.json"))
    plain = json.loads(json.dumps(to_plain(settings)))
    assert plain == to_plain(settings)
