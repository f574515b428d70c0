"""The peers compute what the product computes: a benchmark against anything else would say nothing."""

import dataclasses
import math
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from teacher.datasets import load_scene
from teacher.errors import UserError
from teacher.fields.base import Query
from teacher.fields.hash_grid import HashGridConfig, HashGridField
from teacher.ops.composite import composite
from teacher.ops.hash_encode import HashGrid, reference
from teacher.optimiser import FieldOptimiser, Group, OptimiserConfig
from teacher.presets import PRESETS, TrainConfig
from teacher.rays import Rays
from teacher.samplers.occupancy import OccupancyConfig
from teacher.scene import Scene
from teacher.trainer import Trainer
from tests.bench.peers import nerfacc_occ
from tests.bench.peers.torch_grid import (
    TorchAdam,
    TorchGridConfig,
    encode_by_bags,
    encode_by_rows,
    go_on_from,
    torch_trainer,
)
from tests.bench.training import Pair, alternate
from tests.kernels import discrepancy
from tests.scenes import BOX, all_round, ellipsoid_shots, write_blender

GRID = HashGrid(levels=4, features=4, log2_size=10, base=4, finest=64)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """An ellipsoid from all around."""
    folder = tmp_path_factory.mktemp("ellipsoid")
    centre = (0.2, -0.1, 0.3)
    cameras = all_round(centre, (16, 12))
    write_blender(folder, ellipsoid_shots((0.6, 0.5, 0.4), centre, cameras))
    return load_scene(folder, aabb=BOX)


def tiny() -> TrainConfig:
    """A preset of seconds."""
    return dataclasses.replace(
        PRESETS["demo"][1],
        field=HashGridConfig(GRID, width=16),
        sampler=OccupancyConfig(resolution=16, step=0.05, max_samples=64),
        samples_per_step=1 << 9,
        first_rays=64,
    )


@pytest.mark.parametrize("encode", [encode_by_rows, encode_by_bags])
def test_the_tuned_encodings_are_the_encoding(encode: Any) -> None:
    """Dense and hashed levels, values and gradients, as the op's definition has them."""
    assert {level.hashed for level in GRID.layout} == {False, True}
    table = torch.randn(GRID.entries, GRID.features, requires_grad=True)
    points = torch.cat([torch.rand(200, 3), torch.tensor([[0.0, 0.5, 1.0], [1.0, 1.0, 1.0]])])
    encoded, expected = encode(points, table, GRID), reference.hash_encode(points, table, GRID)
    assert discrepancy(encoded, expected) < 1e-6
    grad = torch.randn_like(expected)
    ours, theirs = (torch.autograd.grad(y, table, grad)[0] for y in (encoded, expected))
    assert discrepancy(ours, theirs) < 1e-5


@pytest.mark.parametrize("tuned", [False, True])
def test_the_torch_field_is_the_products(tuned: bool) -> None:
    """From one state: densities, colours and all gradients."""
    shape = HashGridConfig(GRID, width=16, mixed=False)
    product = HashGridField(shape)
    peer = TorchGridConfig(GRID, width=16, mixed=False, tuned=tuned).build()
    nn.init.normal_(product.table)
    peer.load_state_dict(product.state_dict())
    directions = nn.functional.normalize(torch.randn(100, 3), dim=1)
    query = Query(2 * torch.rand(100, 3) - 1, directions, torch.zeros(100, 0))
    results = []
    for field in (product, peer):
        seen = field.radiance(query)
        loss = (seen.colour * torch.linspace(-1, 1, 100)[:, None]).sum() + seen.density.log().sum()
        gradients = torch.autograd.grad(loss, list(field.parameters()))
        results.append((field.density(query.positions), *seen, *gradients))
    for ours, theirs in zip(*results, strict=True):
        assert discrepancy(theirs, ours) < 1e-4


def test_adam_is_the_products_where_every_row_has_a_gradient() -> None:
    """Weights and their average after as many steps as an average takes; L2 on matrices alone."""
    config = OptimiserConfig(warmup=4, network_decay=0.1)
    start = {"table": torch.randn(20, 2), "matrix": torch.randn(3, 4)}
    groups = {"matrix": Group(decays=True)}
    found = []
    for kind in (FieldOptimiser, TorchAdam):
        module = nn.ParameterDict({name: value.clone() for name, value in start.items()})
        optimiser = kind(module, groups, config)
        for step in range(config.average_every):
            terms = [(p * (k + 1)).sin().sum() for k, p in enumerate(module.values())]
            torch.stack(terms).sum().backward()
            optimiser.step(step, 20)
        found.append([*module.values(), *optimiser.averaged().values()])
    for ours, theirs in zip(*found, strict=True):
        assert discrepancy(theirs, ours) < 1e-5


def test_a_peer_that_follows_stands_where_it_is_led(scene: Scene) -> None:
    """Weights, occupancy, average, moments and step are the product's."""
    ours, peer = Trainer(scene, tiny()), torch_trainer(scene, tiny())
    for _ in range(9):
        ours.train_step()
    go_on_from(peer, ours)
    assert (peer.step, peer.rays) == (9, ours.rays)
    for name, value in ours.variant.state_dict().items():
        assert torch.equal(peer.variant.state_dict()[name], value), name
    adam: Any = peer.optimiser
    for name, parameter in peer.variant.named_parameters():
        if parameter.numel():
            theirs = ours.optimiser.state()
            assert torch.equal(adam.averaged()[name], theirs[f"average.{name}"])
            assert torch.equal(adam._adam.state[parameter]["exp_avg_sq"], theirs[f"second.{name}"])


def test_a_peer_that_follows_takes_the_same_steps(scene: Scene) -> None:
    """The same rays and samples; the first step's error to rounding, a block's to some percent."""
    config = tiny()
    ours, peer = Trainer(scene, config), torch_trainer(scene, config)
    done = list(alternate(ours, peer, go_on_from, [16], pairs=1))
    pair = done[-1]
    assert isinstance(pair, Pair)
    assert (pair.ours.step, ours.step, peer.step) == (16, 32, 32)
    assert pair.ours.rays == pair.peer.rays
    first = [block.numbers[0] for block in (pair.ours, pair.peer)]
    assert first[0].samples == pytest.approx(first[1].samples, rel=0.01)
    assert first[0].mse == pytest.approx(first[1].mse, rel=0.01)
    assert [n.mse for n in pair.ours.numbers] == pytest.approx(
        [n.mse for n in pair.peer.numbers], rel=0.1
    )


class StubGrid(nn.Module):
    """nerfacc's estimator by its signature: eight samples per ray, wherever."""

    given: ClassVar[list[tuple[Tensor, Tensor]]] = []

    def __init__(self, roi_aabb: list[float], resolution: int, levels: int) -> None:
        super().__init__()
        assert (roi_aabb, resolution, levels) == ([-1.5] * 3 + [1.5] * 3, 128, 1)

    def update_every_n_steps(self, step: int, occ_eval_fn: Any, occ_thre: float) -> None:
        assert self.training
        assert occ_eval_fn(torch.rand(10, 3)).shape == (10, 1)

    def sampling(
        self,
        rays_o: Tensor,
        rays_d: Tensor,
        sigma_fn: Any,
        render_step_size: float,
        stratified: bool,
        alpha_thre: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        self.given.append((rays_o, rays_d))
        edges, rays = torch.linspace(2, 6, 9), len(rays_o)
        samples = torch.arange(rays).repeat_interleave(8), edges[:-1].repeat(rays)
        ends = edges[1:].repeat(rays)
        assert sigma_fn(samples[1], ends, samples[0]).shape == ends.shape
        return (*samples, ends)


def stub_rendering(
    t_starts: Tensor,
    t_ends: Tensor,
    ray_indices: Tensor,
    n_rays: int,
    rgb_sigma_fn: Any,
    render_bkgd: Tensor,
) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
    colours, densities = rgb_sigma_fn(t_starts, t_ends, ray_indices)
    offsets = torch.arange(0, len(t_starts) + 1, 8, dtype=torch.int32)
    assert len(offsets) == n_rays + 1
    colour, alpha, depth, _ = composite(densities, colours, t_starts, t_ends, offsets)
    return colour + render_bkgd * (1 - alpha[:, None]), alpha[:, None], depth[:, None], {}


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> None:
    """nerfacc's API where there is no GPU for it, and a small field."""
    module = SimpleNamespace(OccGridEstimator=StubGrid, rendering=stub_rendering)
    monkeypatch.setattr(nerfacc_occ, "nerfacc", lambda: module)
    monkeypatch.setattr(nerfacc_occ, "HashGrid", lambda finest: GRID)
    monkeypatch.setattr(StubGrid, "given", [])


@pytest.mark.usefixtures("stub")
def test_nerfaccs_example_sees_the_scene_in_world_units(scene: Scene) -> None:
    """A ray of the norm frame becomes the same ray of the data set's: box and step are in its units."""
    peer = nerfacc_occ.NerfaccTrainer(scene, torch.device("cpu"), target=1 << 9)
    here = torch.tensor([[0.1, -0.2, 0.3], [0.5, 0.5, 0.5]])
    towards = nn.functional.normalize(torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, -1.0]]), dim=1)
    peer._render(Rays(here, towards), stratified=False)
    origins, directions = StubGrid.given[-1]
    for distance in (0.0, 0.7):
        point = (
            scene.T_norm_world @ torch.cat([origins + distance * directions, torch.ones(2, 1)], 1).T
        )
        scale = float(scene.T_norm_world[:3, 0].norm())
        expected = here + distance * scale * towards
        torch.testing.assert_close(point[:3].T, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.usefixtures("stub")
def test_nerfaccs_example_trains_and_renders(scene: Scene) -> None:
    """It adapts its rays to the batch asked for, and draws pictures of the right size."""
    peer = nerfacc_occ.NerfaccTrainer(scene, torch.device("cpu"), target=1 << 9)
    before = [p.detach().clone() for p in peer.field.parameters()]
    assert [peer.train_step() for _ in range(3)] == [8 * 1024, 8 * 64, 8 * 64]
    assert all((a != b).any() for a, b in zip(before, peer.field.parameters(), strict=True))
    frame = scene.splits["test"][0]
    assert peer.render(frame.camera).shape == (12, 16, 3)
    assert math.isfinite(peer.psnrs([frame])[0])


@pytest.mark.usefixtures("stub")
def test_nerfaccs_schedule(scene: Scene) -> None:
    """Warm-up from a hundredth, then a third at one half, three quarters and nine tenths."""
    peer = nerfacc_occ.NerfaccTrainer(scene, torch.device("cpu"))
    rates = {}
    for step in (0, 50, 100, 9_999, 10_000, 15_000, 18_000):
        peer.step = step
        rates[step] = peer.rate() / 1e-2
    expected = [0.01, 0.505, 1, 1, 0.33, 0.33**2, 0.33**3]
    assert list(rates.values()) == pytest.approx(expected)


def test_without_nerfacc_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its section then fails by itself."""
    monkeypatch.setattr(nerfacc_occ.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install nerfacc"):
        nerfacc_occ.nerfacc()
