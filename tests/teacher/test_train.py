"""Training learns, is a function of its seed alone, and survives being killed."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from teacher import checkpoint, machine
from teacher.__main__ import main
from teacher.data import PixelPool, RayBatch
from teacher.demo import write_demo_scene
from teacher.errors import UserError, exit_on_user_error
from teacher.evaluate import evaluate, render
from teacher.fields.hash_grid import HashGridConfig
from teacher.machine import Machine, pick_device
from teacher.metrics import psnr
from teacher.model import Teacher
from teacher.ops.hash_encode import HashGrid
from teacher.optimiser import OptimiserConfig
from teacher.presets import DataConfig, TrainConfig
from teacher.samplers.occupancy import OccupancyConfig
from teacher.train import train
from teacher.trainer import READ_EVERY, Trainer

TINY = TrainConfig(
    field=HashGridConfig(HashGrid(levels=4, features=4, log2_size=12, finest=64), width=16),
    sampler=OccupancyConfig(resolution=32, step=0.04, warmup=32),
    optimiser=OptimiserConfig(warmup=10),
    steps=120,
    samples_per_step=1 << 11,
    first_rays=256,
    log_every=10,
    eval_every=60,
    eval_views=1,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataConfig:
    """The built-in scene at 24 pixels."""
    folder = tmp_path_factory.mktemp("scene")
    write_demo_scene(folder, size=24, train=12, test=2)
    return DataConfig(data=folder, aabb=((-1.3, -1.3, -0.15), (1.3, 1.3, 1.1)))


@pytest.fixture(scope="module")
def trained(data: DataConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was never interrupted."""
    folder = tmp_path_factory.mktemp("run") / "teacher"
    train(data, TINY, folder)
    return folder


def test_training_beats_the_mean_picture(trained: Path, data: DataConfig) -> None:
    """Held-out PSNR rises, and ends above what one constant colour per view could reach."""
    rows = [r for r in checkpoint.Log(trained / "log.jsonl").rows() if "test_psnr" in r]
    assert rows[-1]["test_psnr"] > rows[0]["test_psnr"] > 0
    best_constant = []
    for frame in data.load().splits["test"]:
        rgb = torch.from_numpy(frame.picture.rgba()).float() / 255
        white = rgb[..., :3] * rgb[..., 3:] + 1 - rgb[..., 3:]
        error = (white - white.mean((0, 1))).square().mean()
        best_constant.append(float(-10 * torch.log10(error)))
    assert rows[-1]["test_psnr"] > sum(best_constant) / len(best_constant) + 3


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    data: DataConfig, trained: Path, tmp_path: Path
) -> None:
    """Stopped after 25 of 120 steps, in the middle of everything."""
    scene = data.load()
    first = Trainer(scene, TINY)
    for _ in range(25):
        first.train_step()
    tensors, numbers = first.state()
    second = Trainer(scene, TINY)
    second.load({name: tensor.clone() for name, tensor in tensors.items()}, numbers)
    while second.step < TINY.steps:
        second.train_step()
    second.teacher().save(tmp_path)
    expected, _ = checkpoint.load_tensors(trained / "model.safetensors", "a", "b")
    resumed, _ = checkpoint.load_tensors(tmp_path / "model.safetensors", "a", "b")
    assert expected.keys() == resumed.keys()
    assert all(torch.equal(expected[name], resumed[name]) for name in expected)


def test_another_seed_gives_another_model(data: DataConfig) -> None:
    """Guards the tests above: equality must not be trivial."""
    a, b = (Trainer(data.load(), replace(TINY, seed=seed)) for seed in (0, 1))
    for trainer in (a, b):
        trainer.train_step()
    assert not torch.equal(
        a.variant.state_dict()["field.table"], b.variant.state_dict()["field.table"]
    )


def test_kill_minus_nine_and_the_same_command_again(data: DataConfig, tmp_path: Path) -> None:
    """The curve of a run killed by SIGKILL equals that of one left alone."""
    command = [
        *(sys.executable, "-m", "teacher", "train", "demo", "--data", str(data.data)),
        *("--output", str(tmp_path / "killed"), "--steps", "120", "--samples-per-step", "2000"),
        *("--field.grid.log2-size", "12", "--field.width", "16", "--log-every", "10"),
        *("--sampler.resolution", "32", "--eval-every", "1000", "--save-seconds", "0.2"),
    ]
    victim = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    saved = tmp_path / "killed" / "training.safetensors"
    deadline = time.monotonic() + 60
    while not saved.exists() and victim.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    assert saved.exists() and not checkpoint.is_complete(tmp_path / "killed")
    subprocess.run(command, check=True, capture_output=True)
    alone = [str(tmp_path / "alone") if "killed" in word else word for word in command]
    subprocess.run(alone, check=True, capture_output=True)
    assert _curve(tmp_path / "killed") == _curve(tmp_path / "alone")


def test_a_signal_ends_training_after_a_whole_step(
    data: DataConfig, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Raised in the middle of step 7: the next one is the last, and the run goes on as if it had not been stopped."""
    draw = PixelPool.draw

    def interrupted_draw(self: PixelPool, count: int, generator: torch.Generator) -> RayBatch:
        if len(drawn) == 7:
            signal.raise_signal(signal.SIGTERM)
        drawn.append(count)
        return draw(self, count, generator)

    drawn: list[int] = []
    monkeypatch.setattr(PixelPool, "draw", interrupted_draw)
    with pytest.raises(KeyboardInterrupt):
        train(data, TINY, tmp_path)
    assert json.loads((tmp_path / "progress.json").read_text())["step"] == len(drawn) == 9
    train(data, TINY, tmp_path)
    assert _model(tmp_path) == _model(trained)


def _model(run: Path) -> bytes:
    return (run / "model.safetensors").read_bytes()


def test_deterministic_runs_give_the_same_bytes(data: DataConfig, tmp_path: Path) -> None:
    """And on a CPU those that a run gives anyway."""
    runs = [tmp_path / name for name in ("one", "two", "anyway")]
    config = replace(TINY, steps=40, eval_every=40)
    try:
        for run in runs:
            train(data, config, run, Machine("cpu", deterministic=run is not runs[2]))
            assert torch.are_deterministic_algorithms_enabled() == (run is not runs[2])
    finally:
        torch.use_deterministic_algorithms(False)
    assert _model(runs[0]) == _model(runs[1]) == _model(runs[2])


def test_a_gpu_that_is_not_there_is_an_error(
    data: DataConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="--device cpu"):
        train(data, TINY, tmp_path / "run", Machine("cuda"))
    assert pick_device("auto").type == "cpu"
    assert not (tmp_path / "run").exists()


def test_processes_of_a_machine_get_a_gpu_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as there are."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(machine, "has_nvrtc", lambda: True)
    for rank, expected in (("0", "cuda:0"), ("1", "cuda:1")):
        monkeypatch.setenv("LOCAL_RANK", rank)
        assert str(pick_device()) == expected
        assert str(pick_device("cpu")) == "cpu"
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(UserError, match="at most 2, one for each GPU"):
        pick_device()


@pytest.mark.cuda
def test_a_gpu_is_not_waited_for_and_its_teacher_renders_on_a_cpu(
    data: DataConfig, tmp_path: Path
) -> None:
    trainer = Trainer(data.load(), replace(TINY, steps=64), "cuda")
    while trainer.step < 64:
        looks = trainer.step % READ_EVERY in (0, READ_EVERY - 1)
        torch.cuda.set_sync_debug_mode("default" if looks else "error")
        trainer.train_step()
    torch.cuda.set_sync_debug_mode("default")
    train(data, replace(TINY, steps=64), tmp_path, Machine("cuda"))
    teachers = [Teacher.load(tmp_path, "cuda"), Teacher.load(tmp_path, "cpu")]
    camera = teachers[0].scene.split("test")[0]
    on_gpu, on_cpu = (teacher.render(camera).rgba for teacher in teachers)
    assert on_gpu.device.type == "cpu"
    assert psnr(on_gpu, on_cpu) > 40


def _curve(run: Path) -> list[tuple[int, float]]:
    rows = checkpoint.Log(run / "log.jsonl").rows()
    return [(row["step"], row["loss"]) for row in rows if "loss" in row]


def test_a_trained_teacher_renders_without_its_data(trained: Path) -> None:
    """Everything needed is in the run folder."""
    teacher = Teacher.load(trained)
    view = teacher.render(teacher.scene.split("test")[0])
    assert view.rgba.shape == (24, 24, 4)
    assert 0.05 < float(view.rgba[..., 3].mean()) < 0.95


def test_eval_writes_what_it_says(trained: Path) -> None:
    metrics = evaluate(trained, "test", "white")
    assert (metrics["views"], metrics["width"], metrics["background"]) == (2, 24, "white")
    per_view = [row["metrics"]["psnr"] for row in metrics["per_view"]]
    assert metrics["mean"]["psnr"] == pytest.approx(sum(per_view) / 2)
    assert str(metrics["mean"]["lpips"]).startswith("n/a (no weights")
    names = {path.name for path in (trained / "eval").iterdir()}
    assert {"metrics.json", "sheet.png"} < names
    assert sum(name.endswith(".depth.png") for name in names) == 2
    with pytest.raises(UserError, match="train"):
        evaluate(trained, "val", "white")


def test_render_writes_a_video_that_decodes(trained: Path, tmp_path: Path) -> None:
    import av

    render(trained, "orbit", 5, 10, tmp_path / "orbit.mp4", "white")
    with av.open(str(tmp_path / "orbit.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 5 and frames[0].shape == (24, 24, 3)
    assert frames[0].std() > 5


def test_other_settings_do_not_overwrite_a_run(trained: Path, data: DataConfig) -> None:
    with pytest.raises(UserError, match=r"train\.steps"):
        train(data, replace(TINY, steps=121), trained)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "dmeo", "--data", "x", "--output", "y"], "synthetic"),
        (["train", "demo", "--data", "/nowhere", "--output", "y"], "no such file or folder"),
        (["eval", "--run", "/nowhere"], "python -m teacher train"),
        (["polish"], "train"),
    ],
)
def test_mistakes_end_with_exit_code_2_and_advice(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["python -m teacher", *arguments])
    with pytest.raises(SystemExit) as ended:
        exit_on_user_error(main)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
