"""Points on what the training cameras see, as dense in one place as in another.

camera --Teacher.render--> depth, RGBA --lifted--> points, normals --thinned--> at most `count`, evenly
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from tqdm import tqdm

from teacher.cameras import Camera
from teacher.mesh.region import Region
from teacher.pseudo.view import View, ViewRenderer

Points = dict[str, Tensor]
"""Rows of "xyz" (norm frame), "normal" (unit, towards the camera) and "rgb" (sRGB)."""
_GRAZING = 0.1
"""Cosine between a ray and the surface below which the depth is of an edge, between what is before and behind it."""
_SPARE = 4
"""Candidates kept for each point wanted, so that memory does not grow with the capture."""
_HALVINGS = 24


def surface_points(
    renderer: ViewRenderer, cameras: Sequence[Camera], region: Region, count: int, seed: int = 0
) -> Points:
    """At most `count` points inside `region`, from the depth of all `cameras` (norm frame)."""
    generator = torch.Generator().manual_seed(seed)
    share = _SPARE * count / sum(camera.width * camera.height for camera in cameras)
    found = []
    for camera in tqdm(cameras, desc="points", unit="view"):
        points = lifted(renderer.render(camera))
        keep = region.holds(points["xyz"])
        if share < 1:
            keep &= torch.rand(len(keep), generator=generator) < share
        found.append({key: value[keep] for key, value in points.items()})
    joined = {key: torch.cat([part[key] for part in found]) for key in found[0]}
    chosen = thinned(joined["xyz"], count)
    return {key: value[chosen] for key, value in joined.items()}


def lifted(view: View) -> Points:
    """The points that the pixels of `view` show, where they are more than half covered and not on an edge."""
    camera, alpha = view.camera, view.rgba[..., 3]
    rays = camera.rays()
    shape = (camera.height, camera.width, 3)
    directions = rays.directions.reshape(shape)
    at = rays.origins.reshape(shape) + directions * view.depth[..., None]
    normals, inner = _normals(at, (alpha > 0.5) & (view.depth > 0))
    facing = (normals * directions).sum(-1)
    normals = torch.where(facing[..., None] > 0, -normals, normals)
    keep = inner & (facing.abs() > _GRAZING)
    rgb = view.rgba[..., :3] / alpha.clamp_min(1e-6)[..., None]
    return {"xyz": at[keep], "normal": normals[keep], "rgb": rgb[keep].clamp(0, 1)}


def _normals(
    at: Float[Tensor, "h w 3"], seen: Bool[Tensor, "h w"]
) -> tuple[Float[Tensor, "h w 3"], Bool[Tensor, "h w"]]:
    """Unit normals, of either sign, from the four neighbours; and where all five are `seen`."""
    normals, inner = torch.zeros_like(at), torch.zeros_like(seen)
    across, down = at[1:-1, 2:] - at[1:-1, :-2], at[2:, 1:-1] - at[:-2, 1:-1]
    normals[1:-1, 1:-1] = torch.nn.functional.normalize(torch.linalg.cross(across, down), dim=-1)
    beside = seen[1:-1, 2:] & seen[1:-1, :-2]
    inner[1:-1, 1:-1] = seen[1:-1, 1:-1] & beside & seen[2:, 1:-1] & seen[:-2, 1:-1]
    return normals, inner


def thinned(points: Float[Tensor, "n 3"], count: int) -> Int[Tensor, " kept"]:
    """Indices, in order, of at most `count` of `points`: the first in each cube of the smallest grid that allows it."""
    if len(points) <= count:
        return torch.arange(len(points))
    scaled = (points - points.amin(0)).double() / float((points.amax(0) - points.amin(0)).max())
    few, many, best = 0.0, 20.0, torch.zeros(1, dtype=torch.int64)
    for _ in range(_HALVINGS):  # of the logarithm of the cubes along a side
        middle = 0.5 * (few + many)
        kept = _first_in_cubes(scaled, 2.0**middle)
        if len(kept) > count:
            many = middle
            continue
        few, best = middle, kept
        if len(kept) > 0.99 * count:
            break
    return best


def _first_in_cubes(scaled: Float[Tensor, "n 3"], cubes: float) -> Int[Tensor, " kept"]:
    """Indices of the first of the points, in [0, 1]^3, in each cube of a grid of `cubes` along a side."""
    x, y, z = (scaled * cubes).long().unbind(-1)
    key = (x << 42) | (y << 21) | z
    order = key.argsort(stable=True)
    ordered = key[order]
    first = torch.ones_like(ordered, dtype=torch.bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return order[first].sort().values
