"""The best weights are kept, chosen by views that nothing is reported on, however often training is stopped."""

import json
import signal
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from teacher import checkpoint
from teacher import train as training
from teacher.cameras import Camera
from teacher.config import to_plain
from teacher.data import PixelPool, RayBatch
from teacher.demo import write_demo_scene
from teacher.errors import UserError
from teacher.evaluate import evaluate
from teacher.fields.hash_grid import HashGridConfig
from teacher.files import write_json
from teacher.model import Teacher, as_described, describe_scene
from teacher.ops.hash_encode import HashGrid
from teacher.optimiser import OptimiserConfig
from teacher.parallel import World
from teacher.per_image import PerImageConfig
from teacher.pictures import Picture
from teacher.presets import DataConfig, TrainConfig
from teacher.samplers.occupancy import OccupancyConfig
from teacher.scene import Frame, Scene
from teacher.selection import drawn, spread, with_judges
from teacher.train import save, train
from teacher.trainer import Trainer, last_weights

TINY = TrainConfig(
    field=HashGridConfig(HashGrid(levels=4, features=4, log2_size=12, finest=64), width=16),
    sampler=OccupancyConfig(resolution=32, step=0.04, warmup=32),
    optimiser=OptimiserConfig(warmup=10),
    steps=64,
    samples_per_step=1 << 10,
    first_rays=128,
    log_every=16,
    eval_every=8,
    keep="best",
)
JUDGES, REST = ["test_r_000", "test_r_003"], ["test_r_001", "test_r_002", "test_r_004"]
BEST = 24
"""The step at which the judges of `peaked` are content most."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataConfig:
    """The built-in scene at 24 pixels, with five test views."""
    folder = tmp_path_factory.mktemp("scene")
    write_demo_scene(folder, size=24, train=4, test=5)
    return DataConfig(data=folder, aabb=((-1.3, -1.3, -0.15), (1.3, 1.3, 1.1)))


@pytest.fixture
def peaked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judges who say best things of step 24: where training really overfits is nobody's to choose."""
    monkeypatch.setattr(training, "_psnr", lambda trainer, frames: 20.0 - abs(trainer.step - BEST))


@pytest.fixture(scope="module")
def kept(data: DataConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose judges are the real ones."""
    folder = tmp_path_factory.mktemp("kept")
    train(data, TINY, folder)
    return folder


def _names(scene: Scene, split: str) -> list[str]:
    return [frame.name for frame in scene.splits[split]]


def test_one_of_every_two_test_views_judges(data: DataConfig) -> None:
    """The odd one out is reported on; the names alone say which."""
    whole = data.load()
    scene = with_judges(whole)
    assert _names(scene, "val") == JUDGES and _names(scene, "test") == REST
    assert with_judges(scene) is scene  # a split of that name is taken as it is
    described = as_described(whole, describe_scene(scene))
    assert {split: _names(described, split) for split in ("val", "test")} == {
        "val": JUDGES,
        "test": REST,
    }


def test_judges_do_not_follow_a_pattern() -> None:
    """Of a hundred pairs about half have the first chosen, and of these again any part is as good."""
    camera = Camera(torch.eye(4), 10.0, 10.0, 4.0, 4.0, 8, 8)
    test = tuple(Frame(f"test_r_{k:03d}", Picture(Path("x.png")), camera) for k in range(200))
    scene = Scene("d", {"train": (), "test": test}, torch.eye(4), torch.zeros(2, 3), True)
    judges = [int(name[-3:]) for name in _names(with_judges(scene), "val")]
    assert [k // 2 for k in judges] == list(range(100))
    assert 35 < sum(k % 2 for k in judges) < 65  # 3 standard deviations
    few = [int(frame.name[-3:]) for frame in drawn(with_judges(scene).splits["val"], 40)]
    assert len(set(few)) == 40 and 10 < sum(k % 2 for k in few) < 30
    assert 10 < sum(k < 100 for k in few) < 30


def test_a_single_test_view_cannot_judge_itself(data: DataConfig) -> None:
    scene = data.load()
    single = replace(scene, splits={**scene.splits, "test": scene.splits["test"][:1]})
    with pytest.raises(UserError, match="--keep last"):
        with_judges(single)


def test_frames_are_spread_from_the_first(data: DataConfig) -> None:
    """As measuring while training always chose them."""
    test = data.load().splits["test"]
    assert list(spread(test, 2)) == [test[0], test[2]]
    assert list(spread(test, 9)) == list(test)


def test_what_is_kept_is_the_best_of_the_log(kept: Path, data: DataConfig) -> None:
    """And the judges say of model.safetensors what they said while training."""
    rows = checkpoint.Log(kept / "log.jsonl").rows()
    measured = {row["step"]: row["val_psnr"] for row in rows if "val_psnr" in row}
    assert sorted(measured) == list(range(8, 65, 8)) and not any("test_psnr" in row for row in rows)
    best = json.loads((kept / "progress.json").read_text())["best"]
    assert best["psnr"] == max(measured.values()) == measured[best["step"]]
    teacher = Teacher.load(kept)
    frames = as_described(data.load(), teacher.scene).splits["val"]
    values = teacher.psnrs([frame for frame in frames if frame.name in best["judges"]])
    assert sum(values) / len(values) == pytest.approx(best["psnr"], abs=1e-9)


def test_judges_are_not_reported_on_and_named(kept: Path) -> None:
    metrics = evaluate(kept, "test", "white")
    assert [row["name"] for row in metrics["per_view"]] == REST
    chosen, best = metrics["chosen"], json.loads((kept / "progress.json").read_text())["best"]
    assert chosen["by"] == "half of the test views" and metrics["step"] == best["step"]
    assert sorted(chosen["judges"]) == JUDGES
    assert chosen["psnr_of_judges"] == best["psnr"]
    assert [row["name"] for row in evaluate(kept, "val", "white")["per_view"]] == JUDGES


@pytest.mark.usefixtures("peaked")
def test_a_split_of_the_data_s_own_judges_instead(data: DataConfig, tmp_path: Path) -> None:
    """Then the test split stays whole."""
    names = {split: _names(data.load(), split) for split in ("train", "test")}
    splits = {"train": names["train"][1:], "val": names["train"][:1], "test": names["test"]}
    write_json(tmp_path / "splits.json", splits)
    named = replace(data, splits=tmp_path / "splits.json")
    train(named, replace(TINY, steps=BEST), tmp_path / "run")
    metrics = evaluate(tmp_path / "run", "test", "white")
    assert metrics["views"] == 5
    assert metrics["chosen"]["by"] == "the data's val split"
    assert metrics["chosen"]["judges"] == names["train"][:1]


@pytest.mark.usefixtures("peaked")
@pytest.mark.parametrize("stopped", [7, 20, 40])
def test_stopped_and_resumed_it_keeps_the_same(
    stopped: int, data: DataConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first measurement, before the best one and after it; the newest state is where training stopped."""
    expected = Trainer(with_judges(data.load()), TINY)
    while expected.step < BEST:
        expected.train_step()
    expected.teacher().save(tmp_path / "expected")
    _stop_in_step(stopped, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        train(data, TINY, tmp_path / "run")
    _, numbers = checkpoint.load_tensors(tmp_path / "run" / "training.safetensors", "a", "b")
    assert numbers["step"] == stopped + 2
    train(data, TINY, tmp_path / "run")
    models = [(tmp_path / run / "model.safetensors").read_bytes() for run in ("expected", "run")]
    assert models[0] == models[1]
    progress = json.loads((tmp_path / "run" / "progress.json").read_text())
    assert (progress["best"]["step"], progress["step"]) == (BEST, TINY.steps)
    assert evaluate(tmp_path / "run", "test", "white")["step"] == BEST


def _stop_in_step(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM once, in the middle of step number `step`; the one after it is the last."""
    draw, drawn = PixelPool.draw, []

    def draw_and_stop(self: PixelPool, count: int, generator: torch.Generator) -> RayBatch:
        if len(drawn) == step:
            signal.raise_signal(signal.SIGTERM)
        drawn.append(count)
        return draw(self, count, generator)

    monkeypatch.setattr(PixelPool, "draw", draw_and_stop)


@pytest.mark.usefixtures("peaked")
def test_the_newest_state_is_the_last_step_s(data: DataConfig, tmp_path: Path) -> None:
    """And gives the model that would be there, had the last been kept."""
    train(data, TINY, tmp_path / "run")
    state, _ = checkpoint.load_tensors(tmp_path / "run" / "training.safetensors", "a", "b")
    last = Trainer(with_judges(data.load()), replace(TINY, keep="last"))
    while last.step < TINY.steps:
        last.train_step()
    expected = last.teacher().variant.state_dict()
    found = last_weights(state)
    assert found.keys() == expected.keys()
    assert all(found[name].equal(expected[name]) for name in found)
    kept, _ = checkpoint.load_tensors(tmp_path / "run" / "model.safetensors", "a", "b")
    assert not all(found[name].equal(kept[name]) for name in found)


def test_other_training_pictures_forget_the_best(data: DataConfig, tmp_path: Path) -> None:
    """Weights chosen before a picture was added never saw it; codes are matched as ever."""
    scene, config = with_judges(data.load()), replace(TINY, per_image=PerImageConfig(size=2))
    first = Trainer(scene, config)
    first.train_step()
    first.judge(30.0, ["test_r_000"])
    tensors, numbers = first.state()
    same = Trainer(scene, config)
    same.load(tensors, numbers)
    assert same.best is not None and same.best.psnr == 30.0
    fewer = replace(scene, splits={**scene.splits, "train": scene.splits["train"][1:]})
    other = Trainer(fewer, config)
    other.load(tensors, numbers)
    assert other.best is None and other.step == 1
    save(other, tmp_path)


class _Second(World):
    """The second of two processes; the first one is a trainer beside it."""

    first_trainer: Trainer

    def agree(self, value: object) -> Any:
        """The first process's numbers."""
        return self.first_trainer.state()[1]

    def share(self, tensors: Iterable[Tensor]) -> None:
        """Its tensors, in their order."""
        for mine, theirs in zip(tensors, self.first_trainer.state()[0].values(), strict=True):
            mine.copy_(theirs)


def test_processes_that_loaded_nothing_get_the_best_too(data: DataConfig) -> None:
    """The first process resumed a run; all must keep the same weights, and go on alike."""
    scene = with_judges(data.load())
    first = Trainer(scene, TINY)
    first.train_step()
    first.judge(30.0, ["test_r_000"])
    first.train_step()
    world = _Second(1, 2)
    object.__setattr__(world, "first_trainer", first)
    second = Trainer(scene, TINY, world=world)
    second.align()
    expected, numbers = first.state()
    found, found_numbers = second.state()
    assert found.keys() == expected.keys() and found_numbers == numbers
    assert all(found[name].equal(expected[name]) for name in found)
    changed = [
        k for k in found if k.startswith("best.") and not found[k].equal(found[f"variant.{k[5:]}"])
    ]
    assert "best.field.table" in changed  # they are not just the newest


def test_a_run_from_before_there_was_a_choice_goes_on(data: DataConfig, tmp_path: Path) -> None:
    """Its configuration lacks the new keys; other settings are refused as ever."""
    config = replace(TINY, keep="last", steps=8)
    old = to_plain({"data": data, "train": config})
    for key in ("splits", "train_frames", "choose"):
        del old["data"][key]
    del old["train"]["keep"]
    write_json(tmp_path / "config.json", old)
    train(data, config, tmp_path)
    assert checkpoint.is_complete(tmp_path)
    with pytest.raises(UserError, match=r"train\.keep"):
        train(data, replace(config, keep="best"), tmp_path)
    with pytest.raises(UserError, match=r"data\.train_frames"):
        train(replace(data, train_frames="2"), config, tmp_path)
