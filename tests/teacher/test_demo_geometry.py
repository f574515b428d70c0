"""The still life's solids: hits, normals and distances against closed forms and brute force."""

import math

import pytest
import torch

from teacher.demo.geometry import Box, Disc, Sphere, Surface, dot, unit
from teacher.demo.implicit import Knot
from teacher.demo.materials import FACE_AXES
from teacher.demo.scene import still_life

SURFACES = {
    **{thing.name: thing.surface for thing in still_life().things},
    "small sphere": Sphere(0.05),
    "flat disc": Disc(1.0, 0.02),
}
NON_CONVEX = {name: surface for name, surface in SURFACES.items() if not surface.convex}


def rays_towards(surface: Surface, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rays from outside to random points in the cube around a solid."""
    g = torch.Generator().manual_seed(1)
    o = 4 * unit(torch.randn(3, count, generator=g))
    aim = (2 * torch.rand(3, count, generator=g) - 1) * surface.bound
    return o, unit(aim - o)


def hits(surface: Surface, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Origins, directions and distances of those rays that hit."""
    o, d = rays_towards(surface, count)
    t = surface.intersect(o, d, torch.full((count,), math.inf))
    seen = torch.isfinite(t)
    assert 50 < seen.sum() < count
    return o[:, seen], d[:, seen], t[seen]


def test_sphere_hits_are_the_roots_of_the_quadratic():
    """t = (-b - sqrt(b^2 - ac)) / a in float64; infinity where the discriminant is negative."""
    sphere = Sphere(0.17)
    o, d = rays_towards(sphere, 4000)
    t = sphere.intersect(o, d, torch.full((4000,), math.inf))
    o, d = o.double(), d.double()
    a, b = dot(d, d), dot(o, d)  # float32 directions are not exactly of length 1
    discriminant = (b * b - a * (dot(o, o) - 0.17**2)) / a**2
    half = discriminant.clamp_min(0).sqrt()
    assert (
        torch.isfinite(t[discriminant > 1e-5]).all() and torch.isinf(t[discriminant < -1e-5]).all()
    )
    # An error e in the ray moves the hit by e * radius / half: only grazing rays are imprecise.
    error = (t - (-b / a - half)).abs() * half / 0.17
    assert error[discriminant > 1e-5].max() < 2e-6


def test_box_hit_from_straight_above():
    """A vertical ray from height 3 meets the top of a cube of half side 0.3 after 2.7."""
    o = torch.tensor([[0.1, 0.4], [-0.2, 0.0], [3.0, 3.0]])
    d = torch.tensor([[0.0, 0.0], [0.0, 0.0], [-1.0, -1.0]])
    t = Box(0.3).intersect(o, d, torch.full((2,), math.inf))
    torch.testing.assert_close(t, torch.tensor([2.7, math.inf]))


def test_rays_that_start_on_a_surface_do_not_hit_it_again():
    """A ray leaving a ball along its normal sees nothing of the ball."""
    n = unit(torch.randn(3, 100, generator=torch.Generator().manual_seed(0)))
    t = Sphere(1.0).intersect(n, n, torch.full((100,), math.inf))
    assert torch.isinf(t).all()


@pytest.mark.parametrize("name", SURFACES)
def test_hits_lie_on_the_surface_and_nothing_lies_before_them(name: str):
    """distance(o + t d) = 0 at the hit, and is positive all along the ray up to it."""
    surface = SURFACES[name]
    o, d, t = hits(surface, 3000)
    assert surface.distance(o + t * d).abs().max() < (2e-6 if surface.convex else 2e-4)
    for fraction in torch.linspace(0.6, 0.999, 200):
        assert surface.distance(o + fraction * t * d).min() > -2e-6


@pytest.mark.parametrize("name", NON_CONVEX)
def test_nearly_all_implicit_hits_are_exact(name: str):
    """Only where rays graze or hit an edge does the secant method stop short."""
    surface = NON_CONVEX[name]
    o, d, t = hits(surface, 6000)
    residual = surface.distance(o + t * d).abs()
    assert (residual < 2e-6).double().mean() > 0.97


@pytest.mark.parametrize("name", SURFACES)
def test_rays_that_miss_stay_outside(name: str):
    """Along a ray without a hit, the distance never becomes negative."""
    surface = SURFACES[name]
    o, d = rays_towards(surface, 3000)
    missed = torch.isinf(surface.intersect(o, d, torch.full((3000,), math.inf)))
    o, d = o[:, missed], d[:, missed]
    for t in torch.linspace(2, 6, 400):
        assert surface.distance(o + t * d).min() > -1e-4


@pytest.mark.parametrize("name", SURFACES)
def test_normals_are_the_gradient_of_the_distance(name: str):
    """Unit, facing the ray, and equal to central differences in float64 away from edges."""
    surface = SURFACES[name]
    o, d, t = hits(surface, 3000)
    p = o + t * d
    n = surface.normal(p)
    torch.testing.assert_close(n.norm(dim=0), torch.ones_like(t), atol=1e-5, rtol=0)
    assert (dot(n, d) < 0.02).all()
    h, gradient = 1e-5, []
    for axis in torch.eye(3, dtype=torch.float64):
        step = h * axis[:, None]
        ahead, behind = surface.distance(p.double() + step), surface.distance(p.double() - step)
        gradient.append((ahead - behind) / (2 * h))
    numeric = unit(torch.stack(gradient))
    assert ((n - numeric).norm(dim=0) < 2e-2).double().mean() > 0.98


@pytest.mark.parametrize("name", SURFACES)
def test_distance_never_exceeds_the_true_one(name: str):
    """Sphere tracing is safe: no point of the surface is nearer than `distance` says."""
    surface = SURFACES[name]
    o, d, t = hits(surface, 20_000)
    on_surface = (o + t * d).T
    g = torch.Generator().manual_seed(2)
    p = (2 * torch.rand(3, 1500, generator=g) - 1) * 1.3 * surface.bound
    claimed = surface.distance(p)
    nearest = torch.cdist(p.T, on_surface).amin(1)
    outside = claimed > 0
    assert (claimed <= nearest + 1e-5)[outside].all()


@pytest.mark.parametrize("name", SURFACES)
def test_bounding_sphere_contains_the_solid(name: str):
    """All hits lie within `bound` of the origin of the solid's frame."""
    surface = SURFACES[name]
    o, d, t = hits(surface, 6000)
    assert (o + t * d).norm(dim=0).max() <= surface.bound + 1e-5


def test_knot_has_the_symmetry_of_a_trefoil():
    """Turning the knot by 120 degrees about its axis changes nothing, by 60 degrees it does."""
    knot = Knot(0.36, 0.12, 0.075)
    p = torch.randn(3, 2000, generator=torch.Generator().manual_seed(3)) * 0.3

    def turned(degrees: float) -> torch.Tensor:
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        return torch.stack([c * p[0] - s * p[2], p[1], s * p[0] + c * p[2]])

    torch.testing.assert_close(knot.distance(turned(120)), knot.distance(p), atol=2e-5, rtol=0)
    assert (knot.distance(turned(60)) - knot.distance(p)).abs().max() > 0.05


def test_things_stand_on_the_table():
    """No thing hovers above the plane z = 0 or sinks into it by more than a hundredth."""
    for thing in still_life().things[1:]:
        o, d, t = hits(thing.surface, 20_000)
        lowest = (o + t * d)[2].min() + thing.position[2]
        assert abs(float(lowest)) < 0.01, thing.name


def test_labels_are_not_mirrored():
    """On each face, right x up is the outward normal."""
    eye = torch.eye(3)
    for face, (right, up) in enumerate(FACE_AXES):
        normal = (2 * (face % 2) - 1) * eye[face // 2]
        u, v = (sign * eye[axis] for axis, sign in (right, up))
        torch.testing.assert_close(torch.linalg.cross(u, v), normal)
