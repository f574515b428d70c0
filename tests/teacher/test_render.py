"""The renderer against closed forms of homogeneous and layered media."""

import math

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from teacher.cameras import Camera, look_at
from teacher.fields.base import Field, Query
from teacher.ops.radiance import Radiance
from teacher.rays import Rays, Samples
from teacher.render import render_rays, render_view
from teacher.samplers.base import RenderConfig, Sampling, keep_samples, visible

EXACT = RenderConfig(early_stop=0.0, cull=0.0)
NO_CODES = torch.zeros(2, 0)


class Slab:
    """Density and colour that depend on x alone, between x = 0 and x = 1."""

    def __init__(self, density: float, colour: tuple[float, float, float]) -> None:
        self._density, self._colour = density, torch.tensor(colour)

    def density(self, positions: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        inside = (positions[:, 0] > 0) & (positions[:, 0] < 1)
        return self._density * inside.float()

    def radiance(self, query: Query) -> Radiance:
        return Radiance(self.density(query.positions), self._colour.repeat(len(query.positions), 1))


class Uniform:
    """The same `count` samples between t = 0 and t = 4 on every ray, of which the visible ones are kept."""

    def __init__(self, count: int) -> None:
        self.count = count

    def sample(
        self, field: Field, rays: Rays, jitter: Float[Tensor, " rays"], config: RenderConfig
    ) -> Sampling:
        samples = self.all(rays)
        if config.cull:
            samples = keep_samples(samples, visible(field, rays, samples, config))
        return Sampling(samples, self.count * len(rays))

    def all(self, rays: Rays) -> Samples:
        edges = torch.linspace(0, 4, self.count + 1)
        n = len(rays)
        return Samples(
            torch.arange(n, dtype=torch.int32).repeat_interleave(self.count),
            edges[:-1].repeat(n),
            edges[1:].repeat(n),
            (torch.arange(n + 1) * self.count).int(),
        )


RAYS = Rays(torch.tensor([[-1.0, 0, 0], [-1.0, 0, 0]]), torch.tensor([[1.0, 0, 0], [0, 1.0, 0]]))


def test_homogeneous_slab_obeys_beer_lambert() -> None:
    """alpha = 1 - exp(-density * thickness), colour is premultiplied by it, a miss is transparent."""
    rendering = render_rays(
        Slab(1.5, (0.2, 0.4, 0.8)), Uniform(400), RAYS, NO_CODES, torch.zeros(2), EXACT
    )
    alpha = 1 - math.exp(-1.5)
    expected = torch.tensor([[0.2 * alpha, 0.4 * alpha, 0.8 * alpha, alpha], [0, 0, 0, 0]])
    torch.testing.assert_close(rendering.rgba, expected, atol=1e-5, rtol=0)


def test_depth_of_a_slab_is_its_expected_free_path() -> None:
    """E[t; hit] = t0 alpha + 1/s - (1 + 1/s) exp(-s) for a slab of thickness 1 that begins at t0 = 1."""
    s = 1.5
    rendering = render_rays(
        Slab(s, (1.0, 1.0, 1.0)), Uniform(2000), RAYS, NO_CODES, torch.zeros(2), EXACT
    )
    expected = (1 - math.exp(-s)) + 1 / s - (1 + 1 / s) * math.exp(-s)
    assert float(rendering.depth[0]) == pytest.approx(expected, abs=1e-5)


def test_culling_changes_the_picture_by_no_more_than_it_drops() -> None:
    """Dropped samples have weight below the threshold each; an opaque slab loses nothing visible."""
    field, sampler = Slab(50.0, (0.3, 0.6, 0.9)), Uniform(400)
    exact = render_rays(field, sampler, RAYS, NO_CODES, torch.zeros(2), EXACT)
    culled = render_rays(field, sampler, RAYS, NO_CODES, torch.zeros(2), RenderConfig())
    sampling = culled.sampling
    assert len(sampling.samples) < 0.1 * sampling.candidates
    torch.testing.assert_close(culled.rgba, exact.rgba, atol=5e-4, rtol=0)


def test_kept_samples_stay_with_their_rays() -> None:
    samples = Uniform(4).all(RAYS)
    kept = keep_samples(samples, torch.tensor([1, 0, 0, 1, 0, 0, 0, 1]).bool())
    assert kept.offsets.tolist() == [0, 2, 3]
    assert kept.ray_indices.tolist() == [0, 0, 1]
    assert kept.t_starts.tolist() == [0, 3, 3]


def test_a_view_has_the_camera_s_shape_and_true_distances() -> None:
    """An opaque slab seen head-on: depth is the distance along each *unit* ray, not along the axis."""
    camera = Camera(look_at(torch.tensor([-2.0, 0, 0]), torch.zeros(3)), 10.0, 10.0, 3.5, 2.5, 7, 5)
    view = render_view(
        Slab(1e4, (1.0, 0.0, 0.0)), Uniform(4000), camera, torch.zeros(0), RenderConfig()
    )
    assert view.rgba.shape == (5, 7, 4)
    rays = camera.rays()
    expected = (2.0 / rays.directions[:, 0]).reshape(5, 7)
    torch.testing.assert_close(view.depth, expected, atol=2e-3, rtol=0)


class Learned(Slab):
    """A slab whose density is a parameter per sample, so that gradients can be looked at one by one."""

    def __init__(self, count: int) -> None:
        super().__init__(1.0, (1.0, 1.0, 1.0))
        self.raw = torch.full((count,), 0.5, requires_grad=True)

    def density(self, positions: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        return self.raw


def test_shy_samples_look_the_same_and_learn_by_the_square_of_their_distance() -> None:
    """At half the distance `shy` a quarter of the gradient is left, beyond it all of it."""
    ray, gradients = RAYS[:1], []
    for shy in (0.0, 2.0):
        field = Learned(8)  # intervals of 1/2 between t = 0 and t = 4, middles at 1/4, 3/4, ...
        config = RenderConfig(early_stop=0.0, cull=0.0, shy=shy)
        rendering = render_rays(field, Uniform(8), ray, NO_CODES[:1], torch.zeros(1), config)
        rendering.rgba.sum().backward()
        gradients.append((rendering.rgba.detach(), field.raw.grad))
    (plain, full), (seen, shied) = gradients
    assert torch.equal(plain, seen)
    assert full is not None and shied is not None
    middles = 0.25 + 0.5 * torch.arange(8)
    torch.testing.assert_close(shied / full, (middles / 2).square().clamp_max(1))
