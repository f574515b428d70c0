"""Small bundles without any training, for the viewer's and the browser's tests.

`python tests/bundles.py OUT [ball|waves]` writes OUT/{manifest.json, *.onnx, references/*.png, ...}
in both precisions:

* ball: a student of its own kind, which has no split form: a translucent, colourful ball that looks
  different from every side, 16^2 rays to 128^2 pixels
* waves: the surface-guided student with random weights and features, 16^2 rays to 64^2
  pixels, with its split form
"""

import math
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from export.bundle import write_bundle
from export.proof import Exportable, Measured, prove_student
from student.models.base import LightField, LightFieldOutput, grid_rays
from student.models.space import BEYOND
from student.models.surface_guided import SurfaceGuided, SurfaceGuidedConfig
from student.presets import PRESETS
from teacher.cameras import Camera, look_at
from teacher.ops.hash_encode import HashGrid
from teacher.pseudo.envelope import Envelope

RADIUS = 0.9
"""Of the ball, in norm units."""


def ball(size: int = 128) -> Exportable:
    """The ball, seen from all round, as a student at `size` x `size` pixels."""
    return _seen_from_all_round("ball", Ball().eval(), size)


def waves(size: int = 64, config: SurfaceGuidedConfig | None = None) -> Exportable:
    """The surface-guided student, random and wavy, at `size` x `size` pixels."""
    return _seen_from_all_round("waves", wavy(config or WAVES), size)


WAVES = SurfaceGuidedConfig(
    points=8,
    volume=HashGrid(levels=1, features=4, log2_size=11, base=10, finest=10),
    octaves=3,
    width=16,
    blocks=1,
    shape=HashGrid(levels=2, features=2, log2_size=9, base=4, finest=12),
    colour=HashGrid(levels=3, features=4, log2_size=9, base=4, finest=16),
    features=3,
    head_width=8,
)
"""Small, with dense and hashed levels, and odd enough for every kind of padding."""


def wavy(config: SurfaceGuidedConfig) -> SurfaceGuided:
    """The student of `config` with random weights and features in a flat box."""
    random = torch.Generator().manual_seed(0)
    model = config.build(torch.tensor([[-1.0, -0.9, -0.5], [0.8, 1.0, 0.6]])).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 1
            spread = 1.4 / fan_in**0.5 if parameter.ndim > 1 else 0.1
            parameter.normal_(0, 0.7 if name.endswith("table") else spread, generator=random)
    return model


WITHOUT_BOUNDS = ("pocket",)
"""Presets that are drawn as students of a teacher without bounds."""


def preset(name: str, size: int = 64) -> Exportable:
    """A student of `student.presets` at its full width with random weights, at `size` x `size` pixels."""
    torch.manual_seed(0)
    config = PRESETS[name][1].model
    if name in WITHOUT_BOUNDS and isinstance(config, SurfaceGuidedConfig):
        config = replace(config, beyond=BEYOND)
    model = config.build(torch.tensor([[-1.0, -0.9, -0.5], [0.8, 1.0, 0.6]])).eval()
    with torch.no_grad():
        for path, parameter in model.named_parameters():
            if "table" in path or "grids" in path:
                parameter.normal_(0, 0.7)
            elif parameter.ndim > 1 and not parameter.any():  # starts as the identity: wake it up
                parameter.normal_(0, 0.3 / parameter[0].numel() ** 0.5)
        last = [part for part in model.modules() if isinstance(part, nn.Conv2d)][-1]
        last.weight.mul_(20)  # contrast
    return _seen_from_all_round(name, model, size)


def _seen_from_all_round(name: str, model: LightField, size: int) -> Exportable:
    envelope = Envelope(
        pivot=(0.0, 0.0, 0.0),
        radius=(2.6, 3.4),
        azimuth=(-math.pi, math.pi),
        elevation=(0.1, 1.1),
        target_spread=0.0,
        focal=(1.3, 1.3),
    )
    cameras = tuple(_camera(azimuth, envelope, size) for azimuth in range(0, 360, 30))
    measured = Measured(0, "none", "white", size, size, None, None, None)
    return Exportable(name, name, model, (size, size), envelope, cameras, measured)


def _camera(degrees: int, envelope: Envelope, size: int) -> Camera:
    azimuth, elevation = math.radians(degrees), 0.6 + 0.4 * math.sin(2 * math.radians(degrees))
    level = math.cos(elevation)
    side = (level * math.cos(azimuth), level * math.sin(azimuth), math.sin(elevation))
    pose = look_at(3.0 * torch.tensor(side), torch.tensor(envelope.pivot))
    focal = envelope.focal[0] * size
    return Camera(pose, focal, focal, size / 2, size / 2, size, size)


class Ball(LightField):
    """Every ingredient of a real student at toy size, seeded so that the picture is smooth.

    coarse rays -> 4 points -> sines -> 1x1 convs -> PixelShuffle(8) -> 3x3 blur -> relief, tint
    pixels' rays -> entry into the ball + relief -> planes, read bilinearly -> 1x1 convs -> colour
    """

    points, octaves, texels = 4, 3, 32

    def __init__(self, upsampling: int = 8, seed: int = 0) -> None:
        super().__init__(upsampling, torch.tensor([[-1.0] * 3, [1.0] * 3]))
        random = torch.Generator().manual_seed(seed)
        self.head = _conv(3 * self.points * (1 + 2 * self.octaves), 32, 1, random, 1.0)
        self.body = nn.ModuleList(_conv(32, 32, 1, random, 0.7) for _ in range(4))
        self.tail = _conv(32, 4 * upsampling**2, 1, random, 0.5)
        with torch.no_grad():  # neighbouring pixels of a ray get the same values: no noise
            self.tail.weight.copy_(self.tail.weight[:4].repeat_interleave(upsampling**2, 0))
        self.blur = nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False)
        nn.init.constant_(self.blur.weight, 1 / 9)
        self.planes = nn.Parameter(_waves(3 * 4, self.texels, random).flatten(1).T.contiguous())
        self.colour = nn.Sequential(
            _conv(3 * 4 + 3 + 3 + 3, 16, 1, random, 1.2), nn.ReLU(), _conv(16, 3, 1, random, 2.0)
        )

    def forward(
        self,
        T_norm_camera: Float[Tensor, "batch 4 4"],
        intrinsics: Float[Tensor, "batch 4"],
        size: tuple[int, int],
    ) -> LightFieldOutput:
        """See `LightField.forward`."""
        coarse = self._ray_network(T_norm_camera, intrinsics, self.coarse_size(size))
        relief, tint = coarse.split([1, 3], 1)
        origins, directions = grid_rays(T_norm_camera, intrinsics, size)
        near, far, inside = _through_ball(origins, directions)
        depth = near + (0.05 + 0.1 * torch.sigmoid(relief)) * (far - near)
        p = origins + directions * depth
        features = torch.cat([self._plane_features(p), p, directions, tint], 1)
        alpha = torch.sigmoid(25 * inside) * (0.75 + 0.25 * torch.sigmoid(4 * tint[:, :1]))
        rgb = torch.sigmoid(self.colour(features))
        return LightFieldOutput(torch.cat([rgb * alpha, alpha], 1), depth)

    def _ray_network(self, T: Tensor, intrinsics: Tensor, coarse: tuple[int, int]) -> Tensor:
        origins, directions = grid_rays(T, intrinsics, coarse)
        near, far, _ = _through_ball(origins, directions)
        steps = [(k + 0.5) / self.points for k in range(self.points)]
        x = torch.cat([origins + directions * (near + s * (far - near)) for s in steps], 1)
        h = torch.relu(self.head(_sines(x, self.octaves)))
        for first, second in zip(self.body[::2], self.body[1::2], strict=True):
            h = h + second(torch.relu(first(h)))
        z = nn.functional.pixel_shuffle(self.tail(h), self.upsampling)
        return self.blur(self.blur(z))

    def _plane_features(self, p: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 12 h w"]:
        x, y, z = ((p.clamp(-1, 1) + 1) * (0.5 * (self.texels - 1))).unbind(1)
        pairs = [(x, y), (x, z), (y, z)]
        tables = self.planes.split(4, 1)
        return torch.cat([_bilinear(t, u, v) for t, (u, v) in zip(tables, pairs, strict=True)], 1)


def _conv(
    inputs: int, outputs: int, kernel: int, random: torch.Generator, gain: float
) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, kernel)
    with torch.no_grad():
        conv.weight.normal_(0, gain / math.sqrt(inputs * kernel**2), generator=random)
        conv.bias.zero_()  # pyright: ignore[reportOptionalMemberAccess]
    return conv


def _waves(
    planes: int, texels: int, random: torch.Generator
) -> Float[Tensor, "planes texels texels"]:
    """Plane waves of random direction and phase, at most three periods across."""
    kx, ky, phase = (2 * torch.rand(3, planes, 1, 1, generator=random) - 1) * 3 * math.pi
    grid = torch.linspace(-1, 1, texels)
    return torch.sin(kx * grid[:, None] + ky * grid[None, :] + phase)


def _sines(x: Float[Tensor, "b c h w"], octaves: int) -> Float[Tensor, "b d h w"]:
    """x, then sin and cos of x * pi * 2^k, each argument brought into [-pi, pi] as WGSL needs."""
    turns = torch.cat([x * (0.5 * 2**k) for k in range(octaves)], 1)
    turns = (turns - torch.floor(turns + 0.5)) * (2 * math.pi)
    return torch.cat([x, torch.sin(turns), torch.cos(turns)], 1)


def _through_ball(origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Distances of entry and exit, and how deep the ray passes inside (negative: it misses)."""
    b = (origins * directions).sum(1, keepdim=True)
    inside = b * b - origins.square().sum(1, keepdim=True) + RADIUS**2
    half = inside.clamp_min(1e-4).sqrt()
    return -b - half, -b + half, inside


def _bilinear(
    table: Float[Tensor, "texels 4"], u: Float[Tensor, "b h w"], v: Float[Tensor, "b h w"]
) -> Float[Tensor, "b 4 h w"]:
    """Bilinear look-up with gathers; u and v in texels, inside [0, side - 1]."""
    side = math.isqrt(table.shape[0])
    u0, v0 = torch.floor(u).clamp(0, side - 2), torch.floor(v).clamp(0, side - 2)
    fu, fv = (u - u0)[..., None], (v - v0)[..., None]
    corner: Int[Tensor, "b h w"] = (u0 * side + v0).to(torch.int32)

    def texel(offset: int) -> Tensor:
        flat = torch.index_select(table, 0, (corner + offset).flatten())
        return flat.unflatten(0, (u.shape[0], u.shape[1], u.shape[2]))

    low = texel(0) * (1 - fv) + texel(1) * fv
    high = texel(side) * (1 - fv) + texel(side + 1) * fv
    return (low * (1 - fu) + high * fu).permute(0, 3, 1, 2)


if __name__ == "__main__":
    folder, kind = (*sys.argv[1:], "ball")[:2]
    write_bundle(
        source := {"ball": ball, "waves": waves}.get(kind, partial(preset, kind))(),
        prove_student(source),
        Path(folder),
    )
