"""Smooth, coloured clouds: a scene in closed form, for tests that train on it or look at gradients through it.

cameras_around() -> photographs() -> Frames on disk -> clouds_scene()
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from teacher.cameras import Camera, look_at
from teacher.corrections import GivenCameras
from teacher.crop.shape import Crop
from teacher.fields.base import Query, RadianceField
from teacher.images import straight_alpha, to_bytes, write_png
from teacher.ops.radiance import Radiance
from teacher.per_image import PerImageConfig
from teacher.pictures import Picture
from teacher.rays import Rays, Samples
from teacher.samplers.base import RaySampler, RenderConfig, Sampling
from teacher.scene import Frame, Scene
from teacher.variant import Variant

BOX = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))


def cameras_around(count: int, size: int = 12, seed: int = 0) -> list[Camera]:
    """Square cameras at random places of a sphere of radius 2.5, looking roughly at its centre."""
    generator = torch.Generator().manual_seed(seed)
    targets = 0.1 * torch.randn(count, 3, generator=generator)
    places = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=-1) * 2.5
    poses = [look_at(place, target) for place, target in zip(places, targets, strict=True)]
    focal, centre = 1.2 * size, 0.5 * size
    return [Camera(pose, focal, focal, centre, centre, size, size) for pose in poses]


class Clouds(RadianceField):
    """Smooth, coloured clouds, moved by the similarity `T`."""

    def __init__(self, T: Float[Tensor, "4 4"] | None = None) -> None:
        super().__init__()
        self.T = torch.eye(4) if T is None else T
        generator = torch.Generator().manual_seed(4)
        self.centres = torch.rand(8, 3, generator=generator) * 1.2 - 0.6
        self.colours = torch.rand(8, 3, generator=generator)

    def density(self, positions: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        return self._parts(positions).sum(-1)

    def radiance(self, query: Query) -> Radiance:
        parts = self._parts(query.positions)
        density = parts.sum(-1)
        share = parts / (density[:, None] + 1e-3)
        shine = 1 - 0.2 * query.directions[:, 2:].square()
        return Radiance(density, share @ self.colours.to(parts) * shine)

    def _parts(self, positions: Float[Tensor, "n 3"]) -> Float[Tensor, "n clouds"]:
        T = self.T.to(positions)
        own = torch.linalg.solve(T[:3, :3], (positions - T[:3, 3]).T).T
        distances = (own[:, None] - self.centres.to(positions)).square().sum(-1)
        return 15 * torch.exp(-distances / 0.03)


class Fixed(RaySampler):
    """The same samples on every ray, whatever is there."""

    def __init__(self, count: int = 48) -> None:
        super().__init__()
        self.edges = torch.linspace(1.2, 3.8, count + 1)
        self.aabb = torch.tensor([[-1.0] * 3, [1.0] * 3])

    def sample(
        self, field: object, rays: Rays, jitter: Float[Tensor, " rays"], config: RenderConfig
    ) -> Sampling:
        n, count, edges = len(rays), len(self.edges) - 1, self.edges.to(rays.origins)
        samples = Samples(
            torch.arange(n, dtype=torch.int32).repeat_interleave(count),
            edges[:-1].repeat(n),
            edges[1:].repeat(n),
            (torch.arange(n + 1) * count).int(),
        )
        return Sampling(samples, count * n)

    def confine(self, crop: Crop) -> None:
        raise AssertionError("the same samples, whatever is there")


def variant_of(field: RadianceField, corrections: GivenCameras, frames: int) -> Variant:
    """A variant that renders `field` without leaving anything out."""
    exact = RenderConfig(early_stop=0.0, cull=0.0)
    return Variant(field, Fixed(), PerImageConfig().build(frames), corrections, exact)


def photographs(
    folder: Path, cameras: Sequence[Camera], gains: Sequence[float] | None = None
) -> list[Frame]:
    """What `cameras` see of the clouds, as files; brightness is multiplied by a picture's gain."""
    variant, frames = variant_of(Clouds(), GivenCameras(), len(cameras)), []
    for k, camera in enumerate(cameras):
        picture, rgba = Picture(folder / f"{k:02}.png"), variant.render_view(camera).rgba
        rgba[..., :3] *= 1.0 if gains is None else gains[k]
        write_png(picture.path, to_bytes(straight_alpha(rgba)))
        frames.append(Frame(f"frame {k}", picture, camera))
    return frames


def clouds_scene(
    folder: Path, train: int, test: int, gains: Sequence[float] | None = None
) -> Scene:
    """The clouds at 24 pixels."""
    frames = photographs(folder, cameras_around(train + test, size=24), gains)
    splits = {"train": tuple(frames[:train]), "test": tuple(frames[train:])}
    return Scene("clouds", splits, torch.eye(4), torch.tensor(BOX), True)
