"""Solids known only by a bound on the distance to them; rays find them by sphere tracing.

A step as long as the distance can never cross the surface, so marching stops just outside the first
one (Hart 1996, "Sphere Tracing"); secant steps then land on it. Letters and frames as in
`geometry`.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from teacher.demo.geometry import NEAR, indices, sphere_interval, take, unit

_HIT = 1e-4  # marching ends this close to the surface
_MIN_STEP = (
    2e-3  # hurries grazing rays along; one may overshoot by this much, which polishing undoes
)
_ROUNDS = 32  # all rays have come to an end well before
_STEPS_PER_ROUND = 4  # sorting out the finished rays costs as much as a step
_SECANT_STEPS = 3
_SECANT_START = 1e-3  # length of the first chord


class Implicit(ABC):
    """A solid that is the negative region of `distance`."""

    convex = False

    @property
    @abstractmethod
    def bound(self) -> float:
        """See `Surface`."""

    @abstractmethod
    def distance(self, p: Float[Tensor, "3 n"]) -> Float[Tensor, " n"]:
        """See `Surface`."""

    def intersect(
        self, o: Float[Tensor, "3 n"], d: Float[Tensor, "3 n"], limit: Float[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """See `Surface`; only rays that cross the bounding sphere are marched."""
        enter, leave = sphere_interval(o, d, self.bound)
        leave = torch.minimum(leave, limit)
        t = torch.full_like(limit, math.inf)
        index = indices((enter < leave) & (leave > NEAR))
        if len(index):
            start = take(enter, index).clamp_min(NEAR)
            t[index] = self._march(take(o, index), take(d, index), start, take(leave, index))
        return t

    def normal(self, p: Float[Tensor, "3 n"]) -> Float[Tensor, "3 n"]:
        """See `Surface`; the exact gradient of `distance`, by automatic differentiation."""
        with torch.enable_grad():
            p = p.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self.distance(p).sum(), p)
        return unit(gradient)

    def _march(
        self,
        o: Float[Tensor, "3 n"],
        d: Float[Tensor, "3 n"],
        t: Float[Tensor, " n"],
        leave: Float[Tensor, " n"],
    ) -> Float[Tensor, " n"]:
        """First root of `distance` in [t, leave] along each ray; infinity where there is none."""
        found = torch.full_like(t, math.inf)
        index, o_left, d_left = torch.arange(len(t)), o, d
        step = self.distance(o + t * d)
        for _ in range(_ROUNDS):
            for _ in range(_STEPS_PER_ROUND):
                t = t + torch.where(step < _HIT, 0.0, step.clamp_min(_MIN_STEP))
                step = self.distance(o_left + t * d_left)
            hit = step < _HIT
            found[index[hit]] = t[hit]
            left = indices(~hit & (t < leave))
            if not len(left):
                break
            index, t, step, leave = (take(x, left) for x in (index, t, step, leave))
            o_left, d_left = take(o_left, left), take(d_left, left)
        landed = indices(torch.isfinite(found))
        found[landed] = self._polish(take(o, landed), take(d, landed), take(found, landed))
        return found

    def _polish(
        self, o: Float[Tensor, "3 n"], d: Float[Tensor, "3 n"], t: Float[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """Secant steps onto the surface; where they fail, at edges, the point stays put."""
        start, before = t, t - _SECANT_START
        value_before = self.distance(o + before * d)
        for _ in range(_SECANT_STEPS):
            value = self.distance(o + t * d)
            rise = value - value_before
            step = -value * (t - before) / torch.where(rise.abs() > 1e-7, rise, math.inf)
            before, value_before = t, value
            t = t + step.clamp(-_MIN_STEP, _MIN_STEP)
        miss, miss_start = self.distance(o + t * d).abs(), self.distance(o + start * d).abs()
        return torch.where(miss < miss_start, t, start)


@dataclass(frozen=True)
class Vase(Implicit):
    """A hollow solid of revolution: a wall of even thickness around a polynomial profile r(z).

    z = 0 is its bottom here, half its height below the origin of its frame.
    """

    profile: tuple[float, ...]
    """Coefficients of r(z) in rising powers of z."""
    height: float
    wall: float
    floor: float
    """Thickness of the bottom."""
    widest: float
    """Upper bound of r(z)."""

    _SAFETY = 0.85  # shortens (rho - r) / sqrt(1 + r'^2), a first-order distance, to a bound

    @property
    def bound(self) -> float:
        """See `Surface`."""
        return math.hypot(0.5 * self.height + self.wall, self.widest)

    def distance(self, p: Float[Tensor, "3 n"]) -> Float[Tensor, " n"]:
        """See `Surface`."""
        x, y, z = p
        z = z + 0.5 * self.height
        rho = (x * x + y * y).clamp_min(1e-12).sqrt()
        r, slope = self._profile(z.clamp(0, self.height))
        outer = (rho - r) * self._SAFETY * (1 + slope * slope).rsqrt()
        solid = torch.maximum(outer, torch.maximum(z - self.height, -z))
        hollow = torch.maximum(outer + self.wall, self.floor - z)
        return torch.minimum(torch.maximum(solid, -hollow), self._lip(rho, z))

    def _profile(self, z: Float[Tensor, " n"]) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
        """r(z) and r'(z), by Horner's rule."""
        r = torch.full_like(z, self.profile[-1])
        slope = torch.zeros_like(z)
        for c in reversed(self.profile[:-1]):
            slope = slope * z + r
            r = r * z + c
        return r, slope

    def _lip(self, rho: Float[Tensor, " n"], z: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """Distance to the torus that rounds the rim."""
        rim = sum(c * self.height**k for k, c in enumerate(self.profile))
        across = rho - (rim - 0.5 * self.wall)
        along = z - self.height
        return (across * across + along * along).clamp_min(1e-12).sqrt() - 0.62 * self.wall


@dataclass(frozen=True)
class Knot(Implicit):
    """A trefoil: two strands that turn 3/2 times around each other along a ring in the x-z plane.

    cos(3a/2) and sin(3a/2) come from half-angle formulas: square roots are several times faster
    than atan2 and sin. The other root of the half angle swaps the strands, so its sign does not
    matter.
    """

    ring: float
    strand: float
    """Distance of the strands' axes from the ring."""
    tube: float

    # The twist stretches distances by up to 1 / 0.57, most so near the ring's centre.
    _SAFETY = 0.55

    @property
    def bound(self) -> float:
        """See `Surface`."""
        return self.ring + self.strand + self.tube

    def distance(self, p: Float[Tensor, "3 n"]) -> Float[Tensor, " n"]:
        """See `Surface`."""
        x, y, z = p
        rho = (x * x + z * z).clamp_min(1e-12).sqrt()
        cos_a, sin_a = x / rho, z / rho
        cos_half = (0.5 + 0.5 * cos_a).clamp_min(1e-12).sqrt()
        sin_half = torch.copysign((0.5 - 0.5 * cos_a).clamp_min(1e-12).sqrt(), sin_a)
        cos, sin = cos_a * cos_half - sin_a * sin_half, sin_a * cos_half + cos_a * sin_half
        out = rho - self.ring
        across = (cos * out + sin * y).abs() - self.strand
        along = cos * y - sin * out
        tube = (across * across + along * along).clamp_min(1e-12).sqrt() - self.tube
        return tube * self._SAFETY
