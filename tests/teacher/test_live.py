"""The live view: what is rendered when, that training does not notice, and viser itself where it is installed."""

import math
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from teacher.cameras import Camera, project
from teacher.demo import write_demo_scene
from teacher.errors import UserError
from teacher.fields.hash_grid import HashGridConfig
from teacher.live import view as live_view
from teacher.live.options import LiveOptions
from teacher.live.server import pinhole
from teacher.live.view import LiveView, Visitor, fitted
from teacher.ops.hash_encode import HashGrid
from teacher.presets import DataConfig, TrainConfig
from teacher.samplers.occupancy import OccupancyConfig
from teacher.scene import Scene
from teacher.train import train
from teacher.trainer import Trainer
from tests.scenes import orbiting

TINY = TrainConfig(
    field=HashGridConfig(HashGrid(levels=4, features=2, log2_size=10, finest=32), width=16),
    sampler=OccupancyConfig(resolution=16, step=0.05, warmup=16),
    steps=24,
    samples_per_step=1 << 10,
    first_rays=64,
    log_every=8,
    eval_every=100,
    eval_views=1,
)


SIZES = (8, 16, 24, 32)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures that cost nothing."""
    monkeypatch.setattr(live_view, "SIZES", SIZES)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataConfig:
    """The built-in scene at 16 pixels."""
    folder = tmp_path_factory.mktemp("scene")
    write_demo_scene(folder, size=16, train=6, test=1)
    return DataConfig(data=folder, aabb=((-1.3, -1.3, -0.15), (1.3, 1.3, 1.1)))


@dataclass
class FakeServer:
    """Visitors that the test moves; keeps what they are shown."""

    looking: list[Visitor] = field(default_factory=list)
    begun: Scene | None = None
    shown: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    pauses: int = 0
    """How often to say that training should wait."""
    closed: bool = False

    def begin(self, scene: Scene) -> None:
        self.begun = scene

    def visitors(self) -> list[Visitor]:
        return self.looking

    def show(self, number: int, picture: np.ndarray) -> None:
        self.shown.append((number, picture.shape))

    def say(self, text: str) -> None:
        self.said.append(text)

    def paused(self) -> bool:
        self.pauses -= 1
        return self.pauses >= 0

    def close(self) -> None:
        self.closed = True


@dataclass
class Clock:
    """Time that passes by `tick` whenever somebody looks."""

    tick: float = 1.0
    now: float = 0.0

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


CAMERA = orbiting(0.3, size=(40, 20))


def visitor(number: int = 1, moved: float = 1.0, camera: Camera = CAMERA) -> Visitor:
    return Visitor(number, camera, moved)


def test_a_training_that_is_looked_at_takes_the_same_steps(
    data: DataConfig, tmp_path: Path
) -> None:
    """To the bit, and somebody really looked: pictures of all sizes, and a pause."""
    server = FakeServer([visitor()], pauses=3)
    view = LiveView(server, share=1.0, sleep=lambda seconds: None)
    train(data, TINY, tmp_path / "alone")
    train(data, TINY, tmp_path / "watched", watcher=view)
    alone, watched = (tmp_path / run / "model.safetensors" for run in ("alone", "watched"))
    assert alone.read_bytes() == watched.read_bytes()
    assert {max(shape) for _, shape in server.shown} == set(SIZES)
    assert server.begun is not None and len(server.begun.splits["train"]) == 6
    assert f"step {TINY.steps} of {TINY.steps}, PSNR" in server.said[-1]


def test_nothing_of_the_trainer_changes(data: DataConfig) -> None:
    """Neither torch's generator, nor gradients, nor whether its modules train."""
    trainer = Trainer(data.load(), TINY)
    trainer.train_step()
    random, state = torch.get_rng_state(), trainer.state()[0]
    before = {name: tensor.clone() for name, tensor in state.items()}
    gradients = [p.grad is None for p in trainer.variant.parameters()]
    LiveView(FakeServer([visitor()])).look(trainer, None, lambda: False)
    assert torch.equal(random, torch.get_rng_state()) and torch.is_grad_enabled()
    assert all(torch.equal(before[name], tensor) for name, tensor in trainer.state()[0].items())
    assert gradients == [p.grad is None for p in trainer.variant.parameters()]
    assert trainer.variant.training


@pytest.fixture
def trainer(data: DataConfig) -> Trainer:
    return Trainer(data.load(), TINY)


def looks(view: LiveView, trainer: Trainer, count: int) -> None:
    for _ in range(count):
        view.look(trainer, None, lambda: False)


def test_pictures_grow_while_the_camera_rests(trainer: Trainer) -> None:
    server = FakeServer([visitor()])
    view = LiveView(server, share=1.0, clock=Clock())
    looks(view, trainer, 6)
    assert [max(shape) for _, shape in server.shown] == list(SIZES), "no step more, no picture more"
    assert server.shown[0][1] == (SIZES[0] // 2, SIZES[0], 3), "the shape of the visitor's window"
    server.looking = [visitor(moved=2.0)]
    looks(view, trainer, 1)
    assert max(server.shown[-1][1]) == SIZES[0]
    server.looking = []
    looks(view, trainer, 1)
    assert len(server.shown) == len(SIZES) + 1


def test_a_new_step_refreshes_the_largest_picture(trainer: Trainer) -> None:
    server = FakeServer([visitor()])
    view = LiveView(server, share=1.0, clock=Clock())
    looks(view, trainer, 5)
    trainer.step += 1
    looks(view, trainer, 2)
    assert [max(shape) for _, shape in server.shown] == [*SIZES, SIZES[-1]]


def test_everybody_gets_a_first_picture_before_anybody_a_larger_one(trainer: Trainer) -> None:
    server = FakeServer([visitor(1), visitor(2), visitor(3)])
    looks(LiveView(server, share=1.0, clock=Clock()), trainer, 3)
    assert sorted(number for number, _ in server.shown) == [1, 2, 3]


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_pictures_take_their_share_of_the_time_at_most(trainer: Trainer, share: float) -> None:
    """Each picture takes a second; each step another one."""
    clock = Clock(tick=0.0)

    class Slow(FakeServer):
        def show(self, number: int, picture: np.ndarray) -> None:
            clock.now += 1.0
            super().show(number, picture)

    server = Slow([visitor()])
    view = LiveView(server, share=share, clock=clock)
    for _ in range(100):
        clock.now += 1.0
        trainer.step += 1
        view.look(trainer, None, lambda: False)
    assert 0.7 * share < (len(server.shown) - 1) / clock.now <= share, "the first came at once"


def test_a_pause_ends_when_somebody_asks_to_stop(trainer: Trainer) -> None:
    server, waited = FakeServer(pauses=1000), []
    view = LiveView(server, clock=Clock(), sleep=waited.append)
    view.look(trainer, None, lambda: len(waited) >= 5)
    assert len(waited) == 5


def test_a_visitors_camera_is_ours() -> None:
    """viser's, OpenCV's axes at the identity: looks along the world's +z, its y downwards."""
    camera = pinhole(np.eye(3), np.array([1.0, 2.0, 3.0]), math.radians(60), 2.0)
    ahead, below = torch.tensor([[1.0, 2.0, 5.0]]), torch.tensor([[1.0, 3.0, 5.0]])
    uv, depth = project(camera, torch.cat([ahead, below]))
    assert torch.allclose(depth, torch.tensor([2.0, 2.0]))
    assert torch.allclose(uv[0], torch.tensor([camera.width / 2, camera.height / 2]))
    assert uv[1, 1] > uv[0, 1]
    assert camera.width == 2 * camera.height
    edge = math.tan(math.radians(30)) * 2
    uv, _ = project(camera, torch.tensor([[1.0, 2.0 + edge, 5.0]]))
    assert float(uv[0, 1]) == pytest.approx(camera.height, abs=1e-3)
    small = fitted(camera, 64)
    assert (small.width, small.height) == (64, 32)


def test_a_missing_package_is_named_before_anything_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "viser", None)
    assert LiveOptions().open() is None
    with pytest.raises(UserError, match=r'pip install -e "\.\[viewer\]"'):
        LiveOptions(viewer=True).open()
    with pytest.raises(UserError, match="--viewer-share"):
        replace(LiveOptions(viewer=True), viewer_share=0.0).open()


@pytest.mark.filterwarnings("ignore")  # viser's own dependencies warn as they are imported
def test_viser_shows_the_scene(data: DataConfig, trainer: Trainer) -> None:
    """Where viser is installed: a real server on this machine that nobody visits."""
    pytest.importorskip("viser")
    from teacher.live.server import ViserServer

    server: Any = ViserServer(_free_port())
    try:
        view = LiveView(server)
        scene = replace(trainer.scene, points=torch.rand(100, 3))
        trainer.scene = scene
        view.look(trainer, {"psnr": 20.0}, lambda: False)
        assert not server.visitors() and not server.paused()
        assert "step 0" in server._text.content
        with pytest.raises(UserError, match="--viewer-port"):
            ViserServer(server._server.get_port())
    finally:
        server.close()


def _free_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("localhost", 0))
        return free.getsockname()[1]
