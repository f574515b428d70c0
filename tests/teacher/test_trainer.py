"""A step on a GPU waits for nothing, and what fixed capacities change: nothing, or rays that did not fit."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from teacher import trainer as trainer_module
from teacher.corrections import CorrectionsConfig
from teacher.demo import write_demo_scene
from teacher.fields.domains import Contracted, Cube, Domain
from teacher.fields.hash_grid import HashGridConfig
from teacher.losses import total_loss
from teacher.ops.hash_encode import HashGrid
from teacher.optimiser import OptimiserConfig
from teacher.per_image import PerImageConfig
from teacher.presets import DataConfig, TrainConfig
from teacher.rays import Samples
from teacher.samplers.density_grid import DensityGridConfig
from teacher.samplers.occupancy import OccupancyConfig
from teacher.samplers.proposal import ProposalConfig
from teacher.scene import Scene
from teacher.seeds import generator_for
from teacher.trainer import READ_EVERY, Trainer
from tests.waiting import WouldWait, gpu_without_values, not_waiting

GRID = HashGrid(levels=4, features=4, log2_size=12, finest=64)
TINY = TrainConfig(
    field=HashGridConfig(GRID, width=16, mixed=False),
    sampler=OccupancyConfig(resolution=32, step=0.04, warmup=32),
    per_image=PerImageConfig(size=2),
    corrections=CorrectionsConfig(rate=0.1, start=0),
    optimiser=OptimiserConfig(warmup=10),
    steps=120,
    samples_per_step=1 << 12,
    first_rays=64,
)
PROPOSALS = ProposalConfig(
    samples=8, proposals=(16,), finest=(32,), density=DensityGridConfig(replace(GRID, features=2))
)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """The built-in scene at 24 pixels."""
    folder = tmp_path_factory.mktemp("scene")
    write_demo_scene(folder, size=24, train=5, test=1)
    return DataConfig(folder).load()


def _running_ahead(scene: Scene, config: TrainConfig = TINY) -> Trainer:
    """What a GPU's trainer does, on a CPU's tensors."""
    trainer = Trainer(scene, config)
    trainer.runs_ahead = True
    return trainer


# A field over the occupancy grid's cube is traced by one kernel, any other is marched through, looked at and culled.
EVERY_FIELD = pytest.mark.parametrize("domain", [Cube(), Contracted()], ids=["traced", "marched"])


def _with(domain: Domain) -> TrainConfig:
    return replace(TINY, field=replace(TINY.field, domain=domain))


@EVERY_FIELD
def test_between_looks_a_step_waits_for_nothing(scene: Scene, domain: Domain) -> None:
    """Fourteen steps, with an update of the average, on tensors whose values may not be read."""
    trainer = _running_ahead(scene, _with(domain))
    trainer.train_step()  # looks at the grid
    with not_waiting():
        outcomes = [trainer.train_step() for _ in range(READ_EVERY - 2)]
    row = trainer.row(outcomes[-1])
    assert row["loss"] > 0 and 0 < row["samples"] <= TINY.samples_per_step
    with pytest.raises(WouldWait), not_waiting():
        trainer.train_step()  # reads its counts


@pytest.mark.parametrize(
    ("sampler", "domain"),
    [(TINY.sampler, Cube()), (TINY.sampler, Contracted()), (PROPOSALS, Contracted())],
    ids=["traced", "marched", "proposal"],
)
def test_a_gpu_s_step_needs_no_value(
    scene: Scene, sampler: OccupancyConfig | ProposalConfig, domain: Domain
) -> None:
    """The path of CUDA tensors, on tensors that have no values: everything is on the device, nothing is read."""
    with (
        gpu_without_values() as device,
        patch.object(trainer_module, "generator_for", lambda *key: torch.Generator()),
    ):
        trainer = Trainer(scene, replace(_with(domain), sampler=sampler), device)
        trainer.step = 1  # the first step looks at the grid
        trainer.train_step()  # tables that are sent once
        with not_waiting():
            for _ in range(8):
                trainer.train_step()
    assert trainer.runs_ahead and trainer.variant.get_parameter("field.table").is_meta


def test_the_guard_sees_what_waits() -> None:
    """Guards the tests above."""
    x, index = torch.rand(4), torch.tensor([0, 1])
    with not_waiting():
        assert len(x[index]) == 2  # is fine
        for waits in (
            lambda: x.sum().item(),
            lambda: bool(x.sum() > 0),
            lambda: x[x > 0],
            x.nonzero,
            x.tolist,
            lambda: x.index_put_((x > 0,), x),
            lambda: torch.rand(3).to("meta"),
            lambda: torch.empty(2, device="meta").new_tensor([0.0, 1.0]),
        ):
            with pytest.raises(WouldWait):
                waits()


@EVERY_FIELD
def test_enough_room_changes_nothing(scene: Scene, domain: Domain) -> None:
    """Gradients of a step whose samples lie in longer arrays; the rest of them is looked at by nobody."""
    gradients, counts, config = [], [], _with(domain)
    for trainer in (Trainer(scene, config), _running_ahead(scene, config)):
        generator = generator_for(0, 0)
        trainer.variant.update(0, generator)
        with uninitialised_is_nan():
            batch = trainer.pool.draw(64, generator)
            numbers = trainer._gradients(batch, generator, stop=False).read()
        assert numbers.complete == numbers.rays == 64
        parameters = trainer.variant.named_parameters()
        gradients.append({name: p.grad for name, p in parameters if p.grad is not None})
        counts.append((numbers.samples, numbers.candidates, numbers.work))
    assert counts[0] == counts[1]
    exact, roomy = gradients
    assert exact.keys() == roomy.keys()
    for name, expected in exact.items():
        _assert_close(roomy[name], expected)


@contextmanager
def uninitialised_is_nan() -> Iterator[None]:
    """What torch allocates without a value is not a number: whoever reads it is found out."""
    torch.use_deterministic_algorithms(True)  # fills what is allocated, by default
    try:
        assert torch.empty(1).isnan()
        yield
    finally:
        torch.use_deterministic_algorithms(False)


def _assert_close(found: Tensor, expected: Tensor) -> None:
    tolerance = 1e-5 * float(expected.abs().max())
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=tolerance)


@EVERY_FIELD
def test_rays_that_do_not_fit_teach_nothing(scene: Scene, domain: Domain) -> None:
    """With room for some of the rays, loss and gradients are those of a batch of these rays alone."""
    trainer = Trainer(scene, _with(domain))
    generator = generator_for(0, 0)
    trainer.variant.update(0, generator)
    batch = trainer.pool.draw(64, generator)
    jitter, background = torch.rand(64, generator=generator), torch.rand(64, 3, generator=generator)
    table = trainer.variant.get_parameter("field.table")

    def learned(rays: slice, capacity: int | None) -> tuple[list[Tensor], Samples]:
        rendering = trainer.variant.render_batch(
            batch.rays[rays], batch.frames[rays], jitter[rays], capacity
        )
        loss, mse = total_loss(rendering, batch.rgba[rays], background[rays], TINY.loss)
        gradient = torch.autograd.grad(loss, [table])[0]
        return [loss.detach(), mse, gradient], rendering.sampling.samples

    some, samples = learned(slice(64), 500)
    fits = samples.before_overflow()
    assert fits is not None and len(samples) == 500
    fitting = int(fits.sum())
    assert 0 < fitting < 64 and fits[:fitting].all()
    alone, packed = learned(slice(fitting), None)
    assert torch.equal(samples.offsets[: fitting + 1], packed.offsets)
    _assert_close(samples.t_starts[: len(packed)], packed.t_starts)
    assert not samples.t_ends[len(packed) :].any() and not samples.offsets[fitting:].diff().any()
    for found, expected in zip(some, alone, strict=True):
        _assert_close(found, expected)


def test_counts_are_followed_every_sixteen_steps(scene: Scene) -> None:
    """A GPU's number of rays stays for sixteen steps, then goes where a CPU's goes at once."""
    ahead, rays = _running_ahead(scene), []
    for _ in range(2 * READ_EVERY):
        ahead.train_step()
        rays.append(ahead.rays)
    first, second = rays[READ_EVERY - 1], rays[-1]
    assert rays[: READ_EVERY - 1] == [64] * (READ_EVERY - 1) and first != 64
    assert rays[READ_EVERY - 1 : -1] == [first] * READ_EVERY and second != first
