"""The peer on a GPU: nerfacc's occupancy-grid example for synthetic scenes, by its public API.

Its settings (nerfacc 0.5, examples for NeRF-synthetic): box ±1.5 in world units, 128^3 cells, step 5e-3, 2^18 samples a
step, white background, smooth L1, Adam 1e-2 (eps 1e-15, L2 1e-6) with 100 steps of warm-up and a factor of 0.33 after
1/2, 3/4 and 9/10 of the steps, loss scaled by 2^10, 16 levels of 2 features up to 4096, 20,000 steps.

Its field is tiny-cuda-nn's where that can be imported. Where not, it is a torch network under float16 autocast behind
this project's `hash_encode`: then marching, compositing, networks and optimiser are the peer's, the encoding is not.
Pixels come from this project's pool. nerfacc compiles its kernels by nvcc when it is imported.
"""

import importlib
import importlib.util
import math
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from teacher.cameras import Camera, Cameras
from teacher.data import PixelPool
from teacher.encodings.directional import spherical_harmonics
from teacher.errors import UserError
from teacher.metrics import psnr
from teacher.ops.hash_encode import HashGrid, hash_encode
from teacher.ops.radiance.reference import TruncatedExp
from teacher.rays import Rays
from teacher.scene import Frame, Scene, composite_over, premultiply

HALF_SIDE, STEP, TARGET, STEPS, RATE, WARMUP, DECAY = 1.5, 5e-3, 1 << 18, 20_000, 1e-2, 100, 1e-6
CHUNK = 1 << 13
_GROWTH = math.exp(math.log(4096 / 16) / 15)


def nerfacc() -> ModuleType:
    """The package, its kernels compiled.

    Raises:
        UserError: it is not installed, or could not compile its kernels.
    """
    if importlib.util.find_spec("nerfacc") is None:
        raise UserError("nerfacc", "not installed", "its wheel", "pip install nerfacc==0.5.3")
    package = importlib.import_module("nerfacc")
    if importlib.import_module("nerfacc.cuda._backend")._C is None:
        raise UserError("nerfacc", "no kernels (it found no nvcc)", "nvcc on PATH", "install CUDA")
    return package


class TorchField(nn.Module):
    """This project's encoding, torch's networks."""

    name = "hash_encode of this project, torch networks under float16 autocast"

    def __init__(self) -> None:
        super().__init__()
        self.grid = HashGrid(finest=4096)
        table = torch.empty(self.grid.entries, self.grid.features).uniform_(-1e-4, 1e-4)
        self.table = nn.Parameter(table)
        self.base, self.head = _network(self.grid.width, 1, 16), _network(31, 2, 3)

    def raw(self, unit: Float[Tensor, "n 3"]) -> Float[Tensor, "n 16"]:
        """Logarithm of density (plus 1), and features."""
        return self.base(hash_encode(unit, self.table, self.grid))

    def colour(
        self, features: Float[Tensor, "n 15"], directions: Float[Tensor, "n 3"]
    ) -> Float[Tensor, "n 3"]:
        """Logits of sRGB."""
        return self.head(torch.cat([features, spherical_harmonics(directions)], -1))


def _network(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(hidden):
        layers += [nn.Linear(inputs, 64, bias=False), nn.ReLU()]
        inputs = 64
    return nn.Sequential(*layers, nn.Linear(inputs, outputs, bias=False))


class FusedField(nn.Module):
    """tiny-cuda-nn's encoding and networks."""

    name = "tiny-cuda-nn"

    def __init__(self, tcnn: Any) -> None:
        super().__init__()
        fused = {"otype": "FullyFusedMLP", "activation": "ReLU", "output_activation": "None"}
        grid = {
            "otype": "HashGrid",
            "n_levels": 16,
            "n_features_per_level": 2,
            "log2_hashmap_size": 19,
            "base_resolution": 16,
            "per_level_scale": _GROWTH,
        }
        harmonics = {"otype": "SphericalHarmonics", "degree": 4, "n_dims_to_encode": 3}
        self.base = tcnn.NetworkWithInputEncoding(
            3, 16, grid, fused | {"n_neurons": 64, "n_hidden_layers": 1}
        )
        self.harmonics = tcnn.Encoding(3, {"otype": "Composite", "nested": [harmonics]})
        self.head = tcnn.Network(31, 3, fused | {"n_neurons": 64, "n_hidden_layers": 2})

    def raw(self, unit: Float[Tensor, "n 3"]) -> Tensor:
        """As `TorchField.raw`."""
        return self.base(unit)

    def colour(self, features: Tensor, directions: Float[Tensor, "n 3"]) -> Tensor:
        """As `TorchField.colour`; directions are given as tiny-cuda-nn wants them, in [0, 1]."""
        return self.head(torch.cat([self.harmonics(0.5 * directions + 0.5), features], -1))


def field() -> TorchField | FusedField:
    """tiny-cuda-nn's, where it can be imported."""
    if importlib.util.find_spec("tinycudann") is None:
        return TorchField()
    return FusedField(importlib.import_module("tinycudann"))


class NerfaccTrainer:
    """Trains and renders; see the module's docstring."""

    def __init__(self, scene: Scene, device: torch.device, target: int = TARGET) -> None:
        self._nerfacc = nerfacc()
        self.device, self.target = device, target
        self.pool = PixelPool(scene.splits["train"], device)
        self.field = field().to(device)
        box = [-HALF_SIDE] * 3 + [HALF_SIDE] * 3
        self.grid = self._nerfacc.OccGridEstimator(roi_aabb=box, resolution=128, levels=1)
        self.grid = self.grid.to(device)
        self._T_world_norm = scene.T_norm_world.double().inverse().float().to(device)
        self._adam = torch.optim.Adam(self.field.parameters(), eps=1e-15, weight_decay=DECAY)
        self._scaler = torch.amp.GradScaler(device.type, init_scale=2.0**10)
        self.step, self.rays, self.steps, self.warmup = 0, 1024, STEPS, WARMUP
        self.runs_ahead = False  # it reads its number of samples at every step

    def plan(self, steps: int) -> None:
        """Have the schedule end after `steps`."""
        self.steps, self.warmup = steps, min(WARMUP, max(1, steps // 10))

    def rate(self) -> float:
        """Learning rate of the next step."""
        passed = sum(self.step >= part * self.steps for part in (0.5, 0.75, 0.9))
        return RATE * min(1.0, 0.01 + 0.99 * self.step / self.warmup) * 0.33**passed

    def train_step(self) -> int:
        """One step; returns the number of samples composited."""
        self.grid.train()
        self.grid.update_every_n_steps(
            step=self.step, occ_eval_fn=lambda x: self._density(x)[:, None] * STEP, occ_thre=1e-2
        )
        generator = torch.Generator(self.device).manual_seed(self.step)
        batch = self.pool.draw(self.rays, generator)
        target = composite_over(batch.rgba, 1.0)
        colour, samples = self._render(batch.rays, stratified=True)
        if samples:
            self._learn(nn.functional.smooth_l1_loss(colour, target))
        self.rays = int(self.rays * self.target / max(1, samples))
        self.rays = max(64, min(1 << 18, self.rays))
        self.step += 1
        return samples

    def _learn(self, loss: Tensor) -> None:
        for group in self._adam.param_groups:
            group["lr"] = self.rate()
        self._adam.zero_grad()
        self._scaler.scale(loss).backward()
        self._scaler.step(self._adam)
        self._scaler.update()

    def _render(self, rays: Rays, stratified: bool) -> tuple[Tensor, int]:
        """Colour on white of rays in the norm frame, and the number of samples composited."""
        turned = rays.directions @ self._T_world_norm[:3, :3].T
        directions = nn.functional.normalize(turned, dim=-1)
        origins = rays.origins @ self._T_world_norm[:3, :3].T + self._T_world_norm[:3, 3]

        def middle(starts: Tensor, ends: Tensor, indices: Tensor) -> Tensor:
            return origins[indices] + directions[indices] * (0.5 * (starts + ends))[:, None]

        def density(starts: Tensor, ends: Tensor, indices: Tensor) -> Tensor:
            return self._density(middle(starts, ends, indices))

        def both(starts: Tensor, ends: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
            return self._radiance(middle(starts, ends, indices), directions[indices])

        indices, starts, ends = self.grid.sampling(
            *(origins, directions),
            sigma_fn=density,
            render_step_size=STEP,
            stratified=stratified,
            alpha_thre=0.0,
        )
        colour, _, _, _ = self._nerfacc.rendering(
            *(starts, ends, indices),
            n_rays=len(rays),
            rgb_sigma_fn=both,
            render_bkgd=torch.ones(3, device=self.device),
        )
        return colour, len(starts)

    def _raw(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        unit = positions * (0.5 / HALF_SIDE) + 0.5
        inside = ((unit > 0) & (unit < 1)).all(-1)
        with torch.autocast(self.device.type, torch.float16, enabled=self.device.type == "cuda"):
            raw = self.field.raw(unit.clamp(0, 1).contiguous())
        return raw, TruncatedExp.apply(raw[:, 0].float() - 1) * inside

    @torch.no_grad()
    def _density(self, positions: Tensor) -> Tensor:
        return self._raw(positions)[1]

    def _radiance(self, positions: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        raw, density = self._raw(positions)
        with torch.autocast(self.device.type, torch.float16, enabled=self.device.type == "cuda"):
            logits = self.field.colour(raw[:, 1:], directions)
        return torch.sigmoid(logits.float()), density

    @torch.no_grad()
    def render(self, camera: Camera) -> Float[Tensor, "height width 3"]:
        """A picture on white, left on the device."""
        self.grid.eval()
        rays = Cameras.stack([camera]).to(self.device).image_rays(0)
        parts = [
            self._render(rays[i : i + CHUNK], stratified=False)[0]
            for i in range(0, len(rays), CHUNK)
        ]
        return torch.cat(parts).reshape(camera.height, camera.width, 3)

    def psnrs(self, frames: Sequence[Frame]) -> list[float]:
        """PSNR of each of `frames` on white."""
        truths = [composite_over(premultiply(frame.picture.rgba()), 1.0) for frame in frames]
        pairs = zip(frames, truths, strict=True)
        return [psnr(self.render(frame.camera).cpu(), truth) for frame, truth in pairs]
