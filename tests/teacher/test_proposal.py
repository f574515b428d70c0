"""The proposal sampler: its loss, that it finds what there is, near and far, and that nothing else moves."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn

from teacher.__main__ import main
from teacher.config import from_plain, to_plain
from teacher.demo import write_demo_scene
from teacher.errors import UserError
from teacher.fields.base import Field, Query
from teacher.fields.domains import Contracted, Cube, Domain
from teacher.fields.hash_grid import HashGridConfig, network
from teacher.losses import LossConfig, interlevel_loss, total_loss
from teacher.ops.hash_encode import HashGrid, hash_encode
from teacher.ops.radiance import Radiance
from teacher.optimiser import FieldOptimiser, Group, OptimiserConfig
from teacher.presets import PRESETS, DataConfig, TrainConfig
from teacher.rays import Rays
from teacher.render import Rendering, render_rays
from teacher.samplers.base import Proposal, RenderConfig
from teacher.samplers.density_grid import DensityGridConfig
from teacher.samplers.proposal import ProposalConfig, ProposalSampler, _shuffled
from teacher.samplers.spacing import Spacing
from teacher.trainer import Trainer

CUBE = torch.tensor([[-1.0] * 3, [1.0] * 3])
TINY = ProposalConfig(
    samples=12,
    proposals=(32, 16),
    finest=(32, 64),
    density=DensityGridConfig(HashGrid(levels=3, features=2, log2_size=12)),
    anneal=50,
)
RENDER = RenderConfig()


class Slab:
    """Opaque and white where 0.5 < x < 0.6, empty elsewhere."""

    def density(self, positions: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        x = positions[:, 0]
        return 200.0 * ((x > 0.5) & (x < 0.6)).float()

    def radiance(self, query: Query) -> Radiance:
        return Radiance(self.density(query.positions), torch.ones(len(query.positions), 3))


def _rays(count: int, seed: int = 0) -> Rays:
    """From x = -1 through the unit cube, all within 30 degrees of +x."""
    generator = torch.Generator().manual_seed(seed)
    across = 0.6 * (2 * torch.rand(count, 2, generator=generator) - 1)
    directions = torch.cat([torch.ones(count, 1), 0.5 * across], 1)
    origins = torch.cat([-torch.ones(count, 1), across], 1)
    return Rays(origins, torch.nn.functional.normalize(directions, dim=-1))


def _jitter(count: int, seed: int = 0) -> Tensor:
    return torch.rand(count, generator=torch.Generator().manual_seed(seed))


def _sampler(config: ProposalConfig = TINY) -> ProposalSampler:
    torch.manual_seed(0)
    return config.build(CUBE)


def _row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float32)


def test_the_loss_by_hand() -> None:
    """Weights 0.5 and 0.4; the proposal has 0.2 where it overlaps the first, 0.2 + 0.6 the second.

    Only the first lacks something: (0.5 - 0.2)^2 / 0.5 = 0.18.
    """
    proposal = Proposal(_row(0, 1, 2), _row(0.2, 0.6))
    loss = interlevel_loss(proposal, _row(0, 0.5, 1.5), _row(0.5, 0.4))
    assert float(loss) == pytest.approx(0.18)


def test_the_loss_vanishes_exactly_where_the_proposal_bounds() -> None:
    proposal = Proposal(_row(0, 1, 2), _row(0.3, 0.6))
    edges = _row(0, 0.5, 1, 2)
    assert float(interlevel_loss(proposal, edges, _row(0.3, 0.3, 0.6))) == 0
    assert float(interlevel_loss(proposal, edges, _row(0.31, 0.1, 0.1))) > 0


def test_a_histogram_bounds_itself() -> None:
    """The loss of a proposal that knows all is zero, whatever it knows."""
    edges, weights = torch.rand(5, 9).sort(1).values, torch.rand(5, 8) / 8
    assert float(interlevel_loss(Proposal(edges, weights), edges, weights).max()) < 1e-9


def test_the_loss_moves_the_proposal_and_not_the_field() -> None:
    """d/d proposal = -2 (0.5 - 0.2) / 0.5 for the bin that lacks, nothing for the other, nothing for the weights."""
    held, weights = _row(0.2, 0.6).requires_grad_(), _row(0.5, 0.4).requires_grad_()
    interlevel_loss(Proposal(_row(0, 1, 2), held), _row(0, 0.5, 1.5), weights).sum().backward()
    assert weights.grad is None
    assert held.grad is not None
    assert torch.allclose(held.grad, _row(-1.2, 0))


def test_every_ray_has_as_many_samples_and_they_follow_one_another() -> None:
    rays = _rays(20)
    sampling = _sampler().sample(Slab(), rays, _jitter(20), RENDER)
    samples = sampling.samples
    assert (samples.offsets.diff() == TINY.samples).all()
    assert (samples.ray_indices == torch.arange(20).repeat_interleave(TINY.samples)).all()
    starts, ends = samples.t_starts.reshape(20, -1), samples.t_ends.reshape(20, -1)
    assert (starts[:, 1:] == ends[:, :-1]).all()
    assert (ends >= starts).all()
    assert float(starts.min()) >= TINY.spacing.near
    assert float(ends.max()) <= TINY.spacing.far * 1.001
    assert sampling.candidates == 20 * (32 + 16)
    assert sampling.edges is not None
    assert torch.allclose(TINY.spacing.to_t(sampling.edges)[:, :-1], starts)


@pytest.mark.parametrize("index", [0, 1, 2, 3])
def test_each_round_has_a_jitter_of_its_own(index: int) -> None:
    """As even as the ray's, unlike it after the first round, and in the middle where that is."""
    jitter = _jitter(20_000)
    own = _shuffled(jitter, index)
    assert torch.histc(own, 10, 0, 1) / 2000 == pytest.approx(torch.ones(10), abs=0.1)
    correlation = float(torch.corrcoef(torch.stack([jitter, own]))[0, 1])
    assert correlation == pytest.approx(0 if index else 1, abs=0.05)
    assert float(_shuffled(torch.tensor([0.5]), index)) == 0.5


def _trained_on(field: Field, steps: int) -> ProposalSampler:
    """A sampler after `steps` steps beside a field that does not change."""
    sampler = _sampler()
    optimiser = FieldOptimiser(sampler, sampler.groups(), OptimiserConfig(warmup=10))
    for step in range(steps):
        sampler.update(field, step, torch.Generator())
        rendering = _rendered(field, sampler, _rays(64, seed=step), _jitter(64, step))
        total_loss(rendering, torch.ones(64, 4), torch.zeros(64, 3), LossConfig())[0].backward()
        optimiser.step(step, steps)
    return sampler.eval()


def _rendered(field: Field, sampler: ProposalSampler, rays: Rays, jitter: Tensor) -> Rendering:
    return render_rays(field, sampler, rays, torch.zeros(len(rays), 0), jitter, RENDER)


def test_proposals_find_a_slab() -> None:
    """The surface is 1.5 from the cameras and rays are 1000 long: at first a twelfth of the samples come near it."""

    def close(sampler: ProposalSampler) -> float:
        rays = _rays(200, seed=999)
        samples = sampler.sample(Slab(), rays, torch.full((200,), 0.5), RENDER).samples
        return float(((samples.midpoints(rays)[:, 0] - 0.5).abs() < 0.1).float().mean())

    assert close(_sampler().eval()) < 0.15
    assert close(_trained_on(Slab(), 200)) > 0.9


def test_rendering_is_the_same_every_time_and_has_no_proposals() -> None:
    sampler, rays = _trained_on(Slab(), 20), _rays(50)
    middle = torch.full((50,), 0.5)
    a, b = (_rendered(Slab(), sampler, rays, middle) for _ in range(2))
    assert a.sampling.proposals == ()
    assert torch.equal(a.rgba, b.rgba)
    assert torch.equal(a.depth, b.depth)


def test_annealing_is_for_training_only() -> None:
    """Just before its first training step a sampler believes nothing; asked to render, it believes all."""
    trained, rays = _trained_on(Slab(), 40), _rays(50)
    middle = torch.full((50,), 0.5)
    believed = trained.sample(Slab(), rays, middle, RENDER).samples.t_starts
    trained.update(Slab(), 0, torch.Generator())
    assert torch.equal(trained.sample(Slab(), rays, middle, RENDER).samples.t_starts, believed)
    trained.train()
    assert not torch.equal(trained.sample(Slab(), rays, middle, RENDER).samples.t_starts, believed)


def test_settled_proposals_learn_now_and_then() -> None:
    config = dataclasses.replace(TINY, settled=10, learn_every=4)
    sampler, rays = _sampler(config), _rays(5)

    def learns(step: int) -> bool:
        sampler.update(Slab(), step, torch.Generator())
        return bool(sampler.sample(Slab(), rays, _jitter(5), RENDER).proposals)

    assert [step for step in range(20) if learns(step)] == [*range(10), 12, 16]


def test_gradients_reach_proposals_and_leave_rays_alone() -> None:
    """The proposal loss moves the densities, all of their parameters, and no camera."""
    rays = _rays(64)
    rays = Rays(rays.origins.requires_grad_(), rays.directions.requires_grad_())
    sampler = _sampler()
    rendering = _rendered(Slab(), sampler, rays, _jitter(64))
    loss = LossConfig(distortion=0.0, opacity=0.0)
    total_loss(rendering, torch.ones(64, 4), torch.zeros(64, 3), loss)[0].backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in sampler.parameters())
    assert rays.origins.grad is None


def test_colours_reach_cameras_through_the_contraction() -> None:
    """Rays that require gradients get them from the field: camera corrections learn beside proposals."""
    torch.manual_seed(0)
    grid = HashGrid(levels=4, features=4, log2_size=12, finest=64)
    field = HashGridConfig(grid, width=16, domain=Contracted()).build()
    rays = _rays(16)
    rays = Rays(rays.origins.requires_grad_(), rays.directions)
    _rendered(field, _sampler(), rays, _jitter(16)).rgba.sum().backward()
    assert rays.origins.grad is not None
    assert rays.origins.grad.isfinite().all()
    assert float(rays.origins.grad.abs().max()) > 0


def test_distortion_is_measured_where_the_sampler_measures() -> None:
    """The distance from the camera to a wall does not change what a spread of its samples costs in s."""
    rays = _rays(4)
    sampler = _sampler()
    rendering = _rendered(Slab(), sampler, rays, _jitter(4))
    edges = rendering.sampling.edges
    assert edges is not None
    w = rendering.weights.reshape(4, -1)
    m = 0.5 * (edges[:, 1:] + edges[:, :-1])
    pairs = (w[:, :, None] * w[:, None] * (m[:, :, None] - m[:, None]).abs()).sum((1, 2))
    expected = pairs + (w.square() * edges.diff()).sum(1) / 3
    only = LossConfig(distortion=1.0, opacity=0.0, interlevel=0.0)
    without = dataclasses.replace(only, distortion=0.0)
    target, black = torch.ones(4, 4), torch.zeros(4, 3)
    loss = total_loss(rendering, target, black, only)[0]
    loss = (loss - total_loss(rendering, target, black, without)[0]).detach()
    assert float(loss) == pytest.approx(float(expected.mean()), rel=1e-4)


class Painted(nn.Module):
    """A field whose colours do not depend on the direction: only the right place explains what cameras see."""

    def __init__(self, domain: Domain) -> None:
        super().__init__()
        self.grid, self.domain = HashGrid(levels=4, features=2, log2_size=14, finest=64), domain
        table = torch.empty(self.grid.entries, self.grid.features).uniform_(-1e-4, 1e-4)
        self.table, self.net = nn.Parameter(table), network(self.grid.width, 16, 1, 4)

    def density(self, positions: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        raise AssertionError("a proposal sampler asks its own densities")

    def radiance(self, query: Query) -> Radiance:
        encoded = hash_encode(self.domain.to_unit(query.positions), self.table, self.grid)
        raw = torch.relu(encoded @ self.net[0].T) @ self.net[1].T
        return Radiance((raw[:, 0] - 1).clamp_max(10).exp(), torch.sigmoid(raw[:, 1:]))


def _look_at_sphere(rays: Rays) -> Float[Tensor, "rays 4"]:
    """What is painted on the inside of a sphere of radius 100: smooth stripes, across another axis in each channel."""
    along = (rays.origins * rays.directions).sum(-1)
    t = (along.square() - rays.origins.square().sum(-1) + 100.0**2).sqrt() - along
    met = (rays.origins + t[:, None] * rays.directions) / 100
    return torch.cat([0.5 + 0.4 * torch.sin(3 * met), torch.ones(len(rays), 1)], 1)


def _look_around(count: int, seed: int) -> tuple[Rays, Tensor, Tensor]:
    """Rays from anywhere in the cube to anywhere, their jitter, and backgrounds."""
    generator = torch.Generator().manual_seed(seed)
    origins = 2 * torch.rand(count, 3, generator=generator) - 1
    directions = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=-1)
    jitter, background = torch.rand(count, 4, generator=generator).split((1, 3), 1)
    return Rays(origins, directions), jitter[:, 0], background


def _reconstructed(domain: Domain, far: float) -> tuple[float, float]:
    """PSNR and median depth of the sphere as seen by a small model after 120 steps inside the cube."""
    torch.manual_seed(0)
    density = dataclasses.replace(TINY.density, domain=domain)
    spacing = Spacing(near=0.1, far=far)
    sampler = dataclasses.replace(TINY, density=density, spacing=spacing).build(CUBE)
    both = nn.ModuleDict({"field": Painted(domain), "sampler": sampler})
    field = cast(Painted, both["field"])
    optimiser = FieldOptimiser(both, {}, OptimiserConfig(learning_rate=0.03, warmup=10))
    for step in range(120):
        rays, jitter, background = _look_around(128, step)
        sampler.update(field, step, torch.Generator())
        rendering = _rendered(field, sampler, rays, jitter)
        total_loss(rendering, _look_at_sphere(rays), background, LossConfig())[0].backward()
        optimiser.step(step, 120)
    rays, _, _ = _look_around(1000, 12345)
    middle = torch.full((1000,), 0.5)
    with torch.no_grad():
        seen = _rendered(field, sampler.eval(), rays, middle)
    mse = (seen.rgba - _look_at_sphere(rays)).square().mean()
    return -10 * math.log10(float(mse)), float((seen.depth / seen.rgba[:, 3]).median())


def test_a_background_at_a_hundred_units_is_reconstructed() -> None:
    """Cameras all over the unit cube see the same stripes: only a surface far outside explains it.

    Confined to a box of twice that cube the same model fails. What a surface at distance D instead of 100 shows is
    shifted by about 1 / D of a radian: with stripes of two radians, depths beyond 10 are hard to tell apart.
    """
    psnr, depth = _reconstructed(Contracted(), far=1000.0)
    assert psnr > 20
    assert 10 < depth < 200
    psnr, _ = _reconstructed(Cube(2.0), far=2.0)
    assert psnr < 15


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(tmp_path: Path) -> None:
    """Steps of annealing and of learning now and then depend on the number of the step alone."""
    write_demo_scene(tmp_path, size=16, train=4, test=1)
    scene = DataConfig(tmp_path, aabb=((-1.3, -1.3, -0.15), (1.3, 1.3, 1.1))).load()
    config = TrainConfig(
        field=HashGridConfig(HashGrid(levels=4, features=4, log2_size=12, finest=64), width=16),
        sampler=dataclasses.replace(TINY, settled=2, learn_every=3, anneal=8),
        steps=8,
        samples_per_step=1 << 10,
        first_rays=64,
    )
    first, second = Trainer(scene, config), Trainer(scene, config)
    for _ in range(5):
        first.train_step()
    tensors, numbers = first.state()
    second.load({name: tensor.clone() for name, tensor in tensors.items()}, numbers)
    for _ in range(3):
        first.train_step()
        second.train_step()
    ends = [trainer.state()[0] for trainer in (first, second)]
    assert any("sampler.rounds" in name for name in ends[0])
    assert all(torch.equal(value, ends[1][name]) for name, value in ends[0].items())


def test_the_preset_survives_the_trip_to_disk_and_builds() -> None:
    """The union of samplers is written with its type, and read back as what it was."""
    _, config = PRESETS["unbounded"]
    read = from_plain(TrainConfig, json.loads(json.dumps(to_plain(config))))
    assert read == config
    assert isinstance(read.sampler, ProposalConfig)
    assert read.field.domain == read.sampler.density.domain == Contracted()


def test_the_command_line_offers_the_preset_and_its_sampler(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["python -m teacher", "train", "unbounded", "--help"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    assert "--sampler.proposals" in capsys.readouterr().out


def test_all_parameters_have_a_group_and_matrices_decay() -> None:
    sampler = _sampler()
    groups = sampler.groups()
    assert groups.keys() == dict(sampler.named_parameters()).keys()
    assert groups["rounds.0.table"] == Group()
    assert groups["rounds.1.net.0"] == Group(decays=True)


@pytest.mark.parametrize("wrong", [{"proposals": ()}, {"finest": (64,)}, {"samples": 1}])
def test_counts_that_make_no_sampler_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="the proposal sampler"):
        dataclasses.replace(TINY, **wrong)
