"""A small Whitted ray tracer with soft shadows, ambient occlusion and supersampling.

    camera -> rays -> nearest hit -> skin -> diffuse light + mirrored ray (again: nearest hit ...)
           -> tone curve -> sRGB -> mean over each pixel: RGBA and depth

Whitted 1980, "An Improved Illumination Model for Shaded Display"; the Fresnel term is Schlick's
(1994). Letters and the coordinate-first layout [3, n] as in `geometry`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from teacher.cameras import Camera
from teacher.demo.geometry import LIFT, dot, indices, take, unit
from teacher.demo.shadows import ambient_openness, key_light
from teacher.demo.textures import srgb_from_linear
from teacher.demo.things import StillLife, nearest

_BLOCK = 1 << 18  # rays at a time: with fewer, calls cost more than arithmetic
_BOUNCES = 2
_FAINT = 0.2  # a reflection within a reflection is traced only where it is stronger than this


@dataclass(frozen=True)
class Rendering:
    """What a camera sees, averaged over each pixel's area."""

    rgba: Float[Tensor, "height width 4"]
    """Premultiplied sRGB."""
    depth: Float[Tensor, "height width"]
    """Mean distance along the unit rays of the samples that hit something; 0 where none does."""


@dataclass(frozen=True)
class SurfaceMaps:
    """The geometry along the rays through the pixels' centres, exact to single precision."""

    depth: Float[Tensor, "height width"]
    """Distance along the unit ray; 0 where there is nothing."""
    normals: Float[Tensor, "height width 3"]
    """Unit outward normals in the world frame; 0 where there is nothing."""
    instances: Int[Tensor, "height width"]
    """1 + index of the thing; 0 where there is nothing."""


@dataclass(frozen=True)
class Skin:
    """The surface at hits; see `Material`."""

    normal: Float[Tensor, "3 n"]
    """In the scene's frame."""
    albedo: Float[Tensor, "3 n"]
    """0 for metals."""
    f0: Float[Tensor, "3 n"]
    roughness: Float[Tensor, " n"]


@torch.no_grad()
def render(scene: StillLife, camera: Camera, samples_per_side: int) -> Rendering:
    """Ray-trace what `camera` sees, with a grid of `samples_per_side`^2 rays in each pixel."""
    s = samples_per_side
    fine = camera.resized(camera.width * s, camera.height * s)
    samples = torch.cat([_sample(scene, o, d) for o, d in _blocks(fine)], 1)
    mean = samples.reshape(5, camera.height, s, camera.width, s).mean((2, 4))
    depth = torch.where(mean[3] > 0, mean[4] / mean[3].clamp_min(1e-9), 0)
    return Rendering(mean[:4].permute(1, 2, 0).contiguous(), depth)


@torch.no_grad()
def trace_surfaces(scene: StillLife, camera: Camera) -> SurfaceMaps:
    """Exact depth, normals and instances of what `camera` sees at its pixels' centres."""
    depths, normals, instances = [], [], []
    for o, d in _blocks(camera):
        t, owner = nearest(scene, o, d)
        seen = indices(owner >= 0)
        normal = torch.zeros_like(d)
        p = take(o, seen) + take(t, seen) * take(d, seen)
        normal[:, seen] = _skin(scene, p, take(owner, seen)).normal
        depths.append(torch.where(owner < 0, 0, t))
        normals.append(normal)
        instances.append(owner + 1)
    size = (camera.height, camera.width)
    return SurfaceMaps(
        torch.cat(depths).reshape(size),
        torch.cat(normals, 1).T.reshape(*size, 3),
        torch.cat(instances).reshape(size),
    )


def _blocks(camera: Camera) -> Iterator[tuple[Float[Tensor, "3 n"], Float[Tensor, "3 n"]]]:
    """Origins and directions of the camera's rays, row by row."""
    rays = camera.rays()
    o, d = rays.origins.split(_BLOCK), rays.directions.split(_BLOCK)
    for origins, directions in zip(o, d, strict=True):
        yield origins.T.contiguous(), directions.T.contiguous()


def _sample(
    scene: StillLife, o: Float[Tensor, "3 n"], d: Float[Tensor, "3 n"]
) -> Float[Tensor, "5 n"]:
    """Premultiplied sRGB, alpha, and alpha times distance, of single rays."""
    colour, t = shade(scene, o, d, _BOUNCES)
    alpha = torch.isfinite(t).float()
    shoulder = colour / (1 + 0.55 * (colour - 0.8).clamp_min(0))  # rolls highlights off
    rgb = srgb_from_linear(shoulder.clamp(0, 1))  # black where nothing is hit: premultiplied
    return torch.cat([rgb, alpha[None], torch.where(alpha > 0, t, 0)[None]])


def shade(
    scene: StillLife, o: Float[Tensor, "3 n"], d: Float[Tensor, "3 n"], bounces: int
) -> tuple[Float[Tensor, "3 n"], Float[Tensor, " n"]]:
    """Linear radiance along rays, 0 where they leave the scene, and the distance of their hits.

    Args:
        scene: what is there.
        o: origins, in the scene's frame.
        d: unit directions.
        bounces: how often a mirrored ray may be mirrored again; beyond, it sees the lamps alone.
    """
    colour = torch.zeros_like(d)
    t, owner = nearest(scene, o, d)
    seen = indices(owner >= 0)
    d, owner = take(d, seen), take(owner, seen)
    p = take(o, seen) + take(t, seen) * d
    skin = _skin(scene, p, owner)
    n = skin.normal
    openness = ambient_openness(scene, p, n, owner)
    diffuse = scene.lighting.ambient_irradiance(n) * openness + key_light(scene, p, n, owner)
    cosine = (-dot(d, n)).clamp(0, 1)
    fresnel = _fresnel(skin, cosine)
    mirror = unit(d + 2 * cosine * n)
    light = scene.lighting.radiance(mirror, skin.roughness)
    if bounces == 0:
        light *= openness
    else:
        threshold = 0.0 if bounces == _BOUNCES else _FAINT
        strong = indices(fresnel.amax(0) > threshold)
        start = take(p, strong) + LIFT * take(n, strong)
        reflected, hit = shade(scene, start, take(mirror, strong), bounces - 1)
        light[:, strong] = torch.where(torch.isfinite(hit), reflected, take(light, strong))
    colour[:, seen] = skin.albedo * diffuse + fresnel * light
    return colour, t


def _fresnel(skin: Skin, cosine: Float[Tensor, " n"]) -> Float[Tensor, "3 n"]:
    """Schlick's term; rough surfaces never become perfect mirrors at grazing angles."""
    edge = torch.maximum(1 - skin.roughness, skin.f0)
    return skin.f0 + (edge - skin.f0) * (1 - cosine) ** 5


def _skin(scene: StillLife, p: Float[Tensor, "3 n"], owner: Int[Tensor, " n"]) -> Skin:
    """The surfaces of the things `owner` at points `p` of the scene."""
    normal, albedo, f0 = torch.empty_like(p), torch.zeros_like(p), torch.empty_like(p)
    roughness = torch.empty_like(p[0])
    for k, thing in enumerate(scene.things):
        pick = indices(owner == k)
        local = thing.to_local(take(p, pick))
        local_normal = thing.surface.normal(local)
        normal[:, pick] = thing.turn_to_scene(local_normal)
        f0[:, pick] = torch.tensor(thing.material.f0)[:, None]
        roughness[pick] = thing.material.roughness
        if thing.material.albedo is not None:
            albedo[:, pick] = thing.material.albedo(local, local_normal)
    return Skin(normal, albedo, f0, roughness)
