"""How much light reaches a point: ambient openness, and soft shadows of the key lamp.

Both only ask things for distances, thing by thing, and only for points near enough to matter.
Letters and the coordinate-first layout [3, n] as in `geometry`; `owner` is the index of the thing
that a point lies on.
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from teacher.demo.geometry import LIFT, dot, indices, take
from teacher.demo.things import StillLife, Thing

_PROBES = ((0.03, 0.35), (0.09, 0.30), (0.20, 0.25), (0.40, 0.18))  # (height, weight)
_DARKEST = 0.05  # corners still get this share of the ambient light: it bounces about
_REACH = 2.2  # of shadows; longer ones would fall off the table
_MIN_STEP, _MAX_STEP = 0.02, 0.25
_ROUNDS, _STEPS_PER_ROUND = 6, 4


def ambient_openness(
    scene: StillLife,
    p: Float[Tensor, "3 n"],
    n: Float[Tensor, "3 n"],
    owner: Int[Tensor, " n"],
) -> Float[Tensor, " n"]:
    """Share of the surroundings that reaches points, from probes along their normals.

    Evans 2006, "Fast Approximations for Global Illumination on Dynamic Scenes", SIGGRAPH course.
    """
    clearances = [torch.full_like(p[0], height) for height, _ in _PROBES]
    for k, thing in enumerate(scene.things):
        local = thing.to_local(p)
        reach = 2 * _PROBES[-1][0] + thing.surface.bound
        pick = indices((dot(local, local) < reach**2) & _exposed_to(thing, k, owner))
        local, normal = take(local, pick), thing.turn_to_local(take(n, pick))
        for clearance, (height, _) in zip(clearances, _PROBES, strict=True):
            distance = thing.surface.distance(local + height * normal)
            clearance[pick] = torch.minimum(take(clearance, pick), distance)
    openness = torch.ones_like(p[0])
    for clearance, (height, weight) in zip(clearances, _PROBES, strict=True):
        openness = openness - weight * (1 - clearance.clamp_min(0) / height)
    return openness.clamp_min(_DARKEST)


def key_light(
    scene: StillLife,
    p: Float[Tensor, "3 n"],
    n: Float[Tensor, "3 n"],
    owner: Int[Tensor, " n"],
) -> Float[Tensor, "3 n"]:
    """The key lamp's colour on a white Lambertian surface, shadows included."""
    key = scene.lighting.key
    light = key.irradiance(n)
    lit = indices(light[0] > 0)
    start, owner = take(p, lit) + LIFT * take(n, lit), take(owner, lit)
    share = torch.ones_like(start[0])
    for k, thing in enumerate(scene.things):
        pick = indices(_exposed_to(thing, k, owner))
        local, d = thing.to_local(take(start, pick)), thing.turn_to_local(key.axis)
        visible = _visibility(thing, local, d, math.tan(key.half_angle))
        share[pick] = torch.minimum(take(share, pick), visible)
    light[:, lit] *= share
    return light


def _exposed_to(thing: Thing, k: int, owner: Int[Tensor, " n"]) -> Bool[Tensor, " n"]:
    """Which points thing number `k` may darken: a convex one never darkens itself."""
    return owner != k if thing.surface.convex else torch.ones_like(owner, dtype=torch.bool)


def _visibility(
    thing: Thing, p: Float[Tensor, "3 n"], d: Float[Tensor, "3 1"], spread: float
) -> Float[Tensor, " n"]:
    """Share of a round lamp in direction `d`, of angular radius atan(spread), that points see.

    The narrowest gap between the ray and the thing, as an angle, slides from -spread (covered) to
    +spread (free): Quilez 2010, "Soft shadows in raymarched SDFs", with the inner penumbra.
    """
    share = torch.ones_like(p[0])
    index = indices(_in_the_way(thing, p, d, spread))
    p, t = take(p, index), torch.full((len(index),), _MIN_STEP)
    for _ in range(_ROUNDS):
        narrowest = take(share, index)
        for _ in range(_STEPS_PER_ROUND):
            distance = thing.surface.distance(p + t * d)
            narrowest = torch.minimum(narrowest, 0.5 + 0.5 * distance / (t * spread))
            t = t + distance.clamp(_MIN_STEP, _MAX_STEP)
        share[index] = narrowest.clamp_min(0)
        left = indices((t < _REACH) & (narrowest > 0.01))
        if not len(left):
            break
        index, t, p = take(index, left), take(t, left), take(p, left)
    return share * share * (3 - 2 * share)


def _in_the_way(
    thing: Thing, p: Float[Tensor, "3 n"], d: Float[Tensor, "3 1"], spread: float
) -> Bool[Tensor, " n"]:
    """Whether a thing may come into the cone from `p` along `d` that widens by `spread`."""
    radius = thing.surface.bound
    closest = -(d[0] * p[0] + d[1] * p[1] + d[2] * p[2])
    q = p + closest * d
    near = (dot(q, q) < (radius + spread * (closest + radius)).square()) & (closest > -radius)
    if thing.surface.convex:
        # The distance along a ray is convex then: what recedes fast enough never comes back.
        pick = indices(near)
        start = take(p, pick)
        growth = thing.surface.distance(start + 0.01 * d) - thing.surface.distance(start)
        near[pick] = growth < 0.01 * spread
    return near
