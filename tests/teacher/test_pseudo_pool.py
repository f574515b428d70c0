"""The online pool: bounded, even, reproducible, honest about errors."""

import math
import threading
import time

import numpy as np
import pytest
import torch

from teacher.cameras import Camera, look_at
from teacher.errors import UserError
from teacher.pseudo.envelope import fit_envelope
from teacher.pseudo.pool import PoolState, ViewPool
from teacher.pseudo.source import Source, open_source, spread_order
from teacher.pseudo.view import PackedView, View
from teacher.seeds import generator_for

SIZE = (4, 6)


def training_cameras(count: int) -> tuple[Camera, ...]:
    cameras = []
    for k in range(count):
        angle = 2 * math.pi * k / count
        position = torch.tensor([2 * math.cos(angle), 2 * math.sin(angle), 1.0])
        cameras.append(Camera(look_at(position, torch.zeros(3)), 12.0, 12.0, 6.0, 4.0, 12, 8))
    return tuple(cameras)


class CountingRenderer:
    """Paints its camera's position; counts, can wait for permission, can fail."""

    def __init__(self) -> None:
        self.cameras: list[Camera] = []
        self.permits: threading.Semaphore | None = None
        self.fail_at: int | None = None

    def render(self, camera: Camera) -> View:
        if self.permits is not None:
            self.permits.acquire()
        if len(self.cameras) == self.fail_at:
            raise UserError("the field", "NaN", "numbers", "train again")
        self.cameras.append(camera)
        x, y, z = (camera.position / 8 + 0.5).tolist()
        rgba = torch.tensor([x, y, z, 1.0]).expand(camera.height, camera.width, 4)
        return View(camera, rgba, torch.full((camera.height, camera.width), 1.0 + x))


def make_source(renderer: CountingRenderer, cameras: int = 7) -> Source:
    train = training_cameras(cameras)
    box = torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])
    return Source("toy", renderer, fit_envelope(train), box, train, "toy-1")


@pytest.fixture
def renderer() -> CountingRenderer:
    return CountingRenderer()


def pool_of(renderer: CountingRenderer, capacity: int = 5, **options: object) -> ViewPool:
    options = {"background": False, **options}
    return ViewPool(make_source(renderer), capacity, SIZE, 3, **options)  # type: ignore[arg-type]


def drawn_positions(pool: ViewPool, n: int, seed: int = 0) -> torch.Tensor:
    return pool.batch(n, torch.Generator().manual_seed(seed)).T_norm_camera[:, :3, 3]


def test_training_cameras_come_first_then_cameras_of_the_envelope(renderer: CountingRenderer):
    """Views 0 to 6 are the training cameras at the pool's size, spread; later ones are new and inside."""
    pool = pool_of(renderer, capacity=12)
    pool.wait(12)
    source = pool.source
    expected = [source.cameras[k] for k in (0, 4, 2, 6, 1, 5, 3)]
    for camera, original in zip(renderer.cameras, expected, strict=False):
        assert torch.equal(camera.T_world_camera, original.T_world_camera)
        assert (camera.height, camera.width) == SIZE and camera.fractions == original.fractions
    poses = torch.stack([camera.T_world_camera for camera in renderer.cameras])
    assert len(poses.unique(dim=0)) == 12
    assert all(source.envelope.contains(camera) for camera in renderer.cameras[7:])


@pytest.mark.parametrize("count", [1, 2, 3, 8, 87])
def test_every_beginning_of_the_order_is_spread(count: int):
    """No gap is longer than two even ones; and everything comes once."""
    order = spread_order(count)
    assert sorted(order) == list(range(count))
    for many in range(1, count + 1):
        gaps = np.diff([*sorted(order[:many]), count + order[0]])
        assert gaps.max() <= 2 * -(-count // many)


def test_views_are_a_function_of_seed_and_index(renderer: CountingRenderer):
    """In any order, and both the seed and the index matter."""
    source = make_source(renderer)
    later, early = source.camera(30, SIZE, 1), source.camera(9, SIZE, 1)
    assert torch.equal(source.camera(30, SIZE, 1).T_world_camera, later.T_world_camera)
    assert not torch.equal(early.T_world_camera, later.T_world_camera)
    assert not torch.equal(source.camera(30, SIZE, 2).T_world_camera, later.T_world_camera)
    draws = {
        torch.rand((), generator=generator_for(s, k)).item() for s in range(9) for k in range(99)
    }
    assert len(draws) == 9 * 99


def test_batch_holds_what_was_rendered(renderer: CountingRenderer):
    """Pose, intrinsics, colours and depth belong together, to the precision of the pool."""
    pool = pool_of(renderer)
    pool.wait(5)
    batch = pool.batch(16, torch.Generator().manual_seed(0))
    assert batch.rgba.shape == (16, 4, *SIZE) and batch.depth.shape == (16, 1, *SIZE)
    painted = batch.T_norm_camera[:, :3, 3] / 8 + 0.5
    torch.testing.assert_close(batch.rgba[:, :3, 2, 3], painted, atol=0.501 / 255, rtol=0)
    torch.testing.assert_close(batch.depth[:, 0, 0, 0], 1 + painted[:, 0], atol=0, rtol=1 / 2048)
    expected = torch.tensor(pool.source.cameras[0].fractions).expand(16, 4)
    torch.testing.assert_close(batch.intrinsics, expected)


def test_pool_is_bounded_and_replaces_the_oldest(renderer: CountingRenderer):
    """After 13 views a pool of 5 holds exactly views 8 to 12."""
    pool = pool_of(renderer, reuse=1.0)
    generator = torch.Generator().manual_seed(0)
    pool.wait(5)
    for _ in range(13):
        pool.batch(1, generator)
    assert pool.state.rendered == 13
    held = drawn_positions(pool, 400)
    expected = torch.stack([camera.position for camera in renderer.cameras[-5:]])
    assert len(pool) == 5
    assert {tuple(p) for p in held.tolist()} == {tuple(p) for p in expected.tolist()}


def test_draws_are_uniform(renderer: CountingRenderer):
    """Chi-square over the five views of a full pool."""
    pool = pool_of(renderer, reuse=1e9)
    pool.wait(5)
    _, counts = drawn_positions(pool, 5000).unique(dim=0, return_counts=True)
    assert len(counts) == 5
    assert float(((counts - 1000) ** 2 / 1000).sum()) < 30  # 4 degrees of freedom


def test_fresh_views_keep_the_reuse_rate(renderer: CountingRenderer):
    """However much is drawn, views are used `reuse` times on average."""
    pool = pool_of(renderer, reuse=8.0)
    pool.wait(5)
    generator = torch.Generator().manual_seed(0)
    for _ in range(100):
        pool.batch(4, generator)
    assert pool.state.drawn == 400
    assert len(renderer.cameras) == pool.state.rendered == pytest.approx(400 / 8, abs=1)
    assert pool.reuse_rate == pytest.approx(8, rel=0.05)


def test_two_synchronous_runs_are_equal_bit_for_bit():
    """The whole sequence of batches depends on the arguments alone."""
    runs = []
    for _ in range(2):
        pool = pool_of(CountingRenderer(), reuse=3.0)
        generator = torch.Generator().manual_seed(1)
        runs.append([pool.batch(4, generator) for _ in range(30)])
    for a, b in zip(*runs, strict=True):
        assert torch.equal(a.rgba, b.rgba) and torch.equal(a.T_norm_camera, b.T_norm_camera)


@pytest.mark.parametrize("reuse", [3.0, 100.0])
def test_resumed_pool_goes_on_as_if_it_had_not_stopped(reuse: float):
    """State and generator are enough; only the views still held are rendered again."""
    whole = pool_of(CountingRenderer(), reuse=reuse)
    generator = torch.Generator().manual_seed(1)
    whole.wait(5)
    expected = [whole.batch(4, generator) for _ in range(40)]

    first = pool_of(CountingRenderer(), reuse=reuse)
    generator = torch.Generator().manual_seed(1)
    first.wait(5)
    for _ in range(17):
        first.batch(4, generator)
    again = CountingRenderer()
    second = pool_of(again, reuse=reuse, state=first.state)
    assert second.state == first.state
    for k in range(17, 40):
        batch = second.batch(4, generator)
        assert torch.equal(batch.rgba, expected[k].rgba)
        assert torch.equal(batch.T_norm_camera, expected[k].T_norm_camera)
    assert second.state == whole.state
    assert len(again.cameras) == 5 + second.state.rendered - first.state.rendered


def test_thread_fills_the_pool_and_sleeps_when_nothing_is_needed(renderer: CountingRenderer):
    """It renders `capacity` views and no more until they have been used."""
    with pool_of(renderer, background=True, reuse=4.0) as pool:
        pool.wait(5)
        time.sleep(0.05)
        assert len(renderer.cameras) == 5
        pool.batch(20, torch.Generator())
        deadline = time.monotonic() + 10
        while len(renderer.cameras) < 6 and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(0.05)
        assert len(renderer.cameras) == 6


def test_wait_returns_when_enough_views_are_there(renderer: CountingRenderer):
    """With three permits there are three views: enough for wait(3), and for batches."""
    renderer.permits = threading.Semaphore(3)
    with pool_of(renderer, background=True) as pool:
        pool.wait(3)
        assert len(pool) == 3
        assert len(drawn_positions(pool, 200).unique(dim=0)) == 3
        renderer.permits.release(100)


def test_waiting_ends_when_somebody_has_had_enough(renderer: CountingRenderer):
    """With and without a thread; what is there is served."""
    renderer.permits = threading.Semaphore(2)
    with pool_of(renderer, background=True) as pool:
        pool.wait(5, lambda: len(pool) == 2)
        assert len(pool) == 2 and pool.held == range(2)
        renderer.permits.release(100)
    renderer = CountingRenderer()
    pool = pool_of(renderer)
    pool.wait(5, lambda: len(pool) == 3)
    assert len(pool) == 3 == len(renderer.cameras)


def test_a_resting_pool_serves_what_it_has(renderer: CountingRenderer):
    """Its thread ends though views are due; batches go on."""
    with pool_of(renderer, background=True, reuse=1.0) as pool:
        pool.wait(5)
        pool.rest()
        pool._thread.join(10)
        rendered = len(renderer.cameras)
        for _ in range(20):
            pool.batch(4, torch.Generator())
        assert len(renderer.cameras) == rendered and not pool._thread.is_alive()


def test_pools_share_the_views_of_a_source():
    """Three pools of three: every view of the first nine once, in their own order; the same pool
    resumed renders its own again.
    """
    renderers = [CountingRenderer() for _ in range(3)]
    pools = [pool_of(r, capacity=3, part=(k, 3)) for k, r in enumerate(renderers)]
    source = pools[0].source
    for which, (pool, renderer) in enumerate(zip(pools, renderers, strict=True)):
        pool.wait(3)
        expected = [source.camera(which + 3 * k, SIZE, 3).T_world_camera for k in range(3)]
        found = [camera.T_world_camera for camera in renderer.cameras]
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    again = CountingRenderer()
    pool_of(again, capacity=3, part=(2, 3), state=pools[2].state).wait(3)
    for camera, first in zip(again.cameras, renderers[2].cameras, strict=True):
        assert torch.equal(camera.T_world_camera, first.T_world_camera)


def test_a_chooser_sees_what_is_held_and_gets_it(renderer: CountingRenderer):
    """Numbers 8 to 12 in a pool of 5; the newest, twice, with its own picture."""
    pool = pool_of(renderer, reuse=1.0)
    generator, seen = torch.Generator().manual_seed(0), []
    for _ in range(13):
        pool.batch(1, generator)

    def newest(held: range, n: int, generator: torch.Generator) -> torch.Tensor:
        seen.append(held)
        return torch.full((n,), held[-1])

    batch = pool.batch(2, generator, newest)
    last = seen[0][-1]
    assert seen == [range(last - 4, last + 1)] and batch.numbers.tolist() == [last] * 2
    assert torch.equal(batch.T_norm_camera[0], renderer.cameras[last].T_world_camera)


def test_rendering_is_timed(renderer: CountingRenderer, monkeypatch: pytest.MonkeyPatch):
    """Mean of what the source took."""
    pool, one = pool_of(renderer), renderer.render
    assert pool.seconds_per_view == 0
    monkeypatch.setattr(renderer, "render", lambda camera: (time.sleep(0.02), one(camera))[1])
    pool.wait(3)
    assert 0.02 <= pool.seconds_per_view < 0.2


def test_close_ends_the_thread_at_once(renderer: CountingRenderer):
    """No thread is left, even if it was asleep; closing twice is fine."""
    before = threading.active_count()
    pool = pool_of(renderer, background=True)
    pool.wait(5)
    assert threading.active_count() == before + 1
    pool.close()
    pool.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("background", [True, False])
def test_error_of_the_renderer_reaches_the_consumer(renderer: CountingRenderer, background: bool):
    """The very exception, in `wait`; and in `batch`, whatever the pool already holds."""
    renderer.fail_at = 3
    pool = pool_of(renderer, background=background)
    with pytest.raises(UserError, match="the field"):
        pool.wait(5)
    if background:
        with pytest.raises(UserError, match="the field"):
            pool.batch(1, torch.Generator())
    pool.close()


def test_packing_keeps_what_it_promises():
    """Colours to 1/510, depth to 1/2048; a second round trip changes nothing."""
    g = torch.Generator().manual_seed(0)
    rgba, depth = torch.rand(8, 9, 4, generator=g), 5 * torch.rand(8, 9, generator=g)
    once = PackedView.pack(View(training_cameras(1)[0], rgba, depth))
    assert (once.unpack().rgba - rgba).abs().max() <= 0.5 / 255 + 1e-6
    assert ((once.unpack().depth - depth).abs() <= depth / 2048 + 1e-7).all()
    twice = PackedView.pack(once.unpack())
    assert torch.equal(once.rgba, twice.rgba) and torch.equal(once.depth, twice.depth)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_views_that_are_not_finite_are_refused(bad: float):
    """A diverged teacher is an error, not black pictures."""
    rgba = torch.zeros(2, 2, 4)
    rgba[1, 0, 2] = bad
    with pytest.raises(UserError, match="not finite"):
        PackedView.pack(View(training_cameras(1)[0], rgba, torch.zeros(2, 2)))


def test_state_starts_at_nothing(renderer: CountingRenderer):
    """A new pool has rendered and drawn nothing, whether it says so or not."""
    assert pool_of(renderer).state == PoolState() == pool_of(renderer, state=PoolState()).state


def test_demo_is_a_source():
    """`open_source("demo")` renders the analytic scene at any size."""
    source = open_source("demo")
    assert source.name == "demo" and len(source.cameras) == 100
    pool = ViewPool(source, 1, (16, 16), 0, background=False)
    rgba = pool.batch(1, torch.Generator()).rgba[0]
    assert 0.2 < rgba[3].mean() < 0.8 and (rgba[:3] <= rgba[3:] + 0.5 / 255).all()


def test_unknown_source_is_a_user_error(tmp_path):  # type: ignore[no-untyped-def]
    """It names the path, and what would have been understood."""
    with pytest.raises(UserError, match=r"nowhere(.|\n)*no such file(.|\n)*demo"):
        open_source(tmp_path / "nowhere")
    with pytest.raises(UserError, match="neither of these"):
        open_source(tmp_path)
