"""What a solid must be able to do, and the solids whose hits have a closed form.

    rays --intersect--> distance of the first hit --normal--> unit outward normal
    points --distance--> how far the solid's surface is (for shadows and occlusion)

Letters: `o` origins and `d` unit directions of rays, `p` points, `n` normals, `t` distance along a
ray. Here, and only in this package, coordinates come first, [3, n]: `x, y, z = p` unpacks
contiguous rows, on which torch vectorises. Every solid lives in its own frame: its axis is +z, and
(the disc apart) it is centred on the origin.
"""

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

NEAR = 1e-4
"""Hits nearer than this are the surface that the ray starts on."""
LIFT = 2e-3
"""Secondary rays start this far off the surface they leave."""


@runtime_checkable
class Surface(Protocol):
    """The boundary of a solid that rays reach from outside."""

    @property
    def bound(self) -> float:
        """Radius of a sphere around the origin that contains the solid."""
        ...

    @property
    def convex(self) -> bool:
        """Whether the solid is convex: then it neither shadows nor occludes itself."""
        ...

    def intersect(
        self, o: Float[Tensor, "3 n"], d: Float[Tensor, "3 n"], limit: Float[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """Distance of the first hit beyond `NEAR`, infinity where there is none before `limit`."""
        ...

    def normal(self, p: Float[Tensor, "3 n"]) -> Float[Tensor, "3 n"]:
        """Unit outward normal at points of the surface."""
        ...

    def distance(self, p: Float[Tensor, "3 n"]) -> Float[Tensor, " n"]:
        """Signed distance, negative inside; its magnitude never exceeds the true distance."""
        ...


def dot(a: Float[Tensor, "3 n"], b: Float[Tensor, "3 n"]) -> Float[Tensor, " n"]:
    """Scalar product, column by column."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def unit(v: Float[Tensor, "3 n"]) -> Float[Tensor, "3 n"]:
    """`v` scaled to unit length, column by column."""
    return v / dot(v, v).clamp_min(1e-20).sqrt()


def take(
    v: Shaped[Tensor, "*rows n"], index: Int[Tensor, " picked"]
) -> Shaped[Tensor, "*rows picked"]:
    """Columns `index` of `v`; five times as fast as v[:, index]."""
    return v.index_select(-1, index)


def indices(mask: Bool[Tensor, " n"]) -> Int[Tensor, " picked"]:
    """Indices at which `mask` holds."""
    return torch.nonzero(mask).squeeze(1)


def first_hit(enter: Float[Tensor, " n"], leave: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """First hit of a convex solid that the ray is inside of from `enter` to `leave`."""
    return torch.where((enter < leave) & (enter > NEAR), enter, math.inf)


def sphere_interval(
    o: Float[Tensor, "3 n"], d: Float[Tensor, "3 n"], radius: float
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Where the rays enter and leave a sphere around the origin; enter = leave where they miss it.

    The half chord is taken from the point of closest approach, since b^2 - c cancels badly for
    small, far spheres: Haines et al. 2019, "Precision Improvements for Ray/Sphere Intersection".
    """
    closest = -dot(o, d)
    q = o + closest * d
    half = (radius * radius - dot(q, q)).clamp_min(0).sqrt()
    return closest - half, closest + half


def slab_interval(
    o: Float[Tensor, " n"], d: Float[Tensor, " n"], low: float, high: float
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Where the rays enter and leave the slab low <= coordinate <= high (Kay and Kajiya 1986)."""
    inverse = 1 / torch.where(d.abs() < 1e-9, 1e-9, d)
    a, b = (low - o) * inverse, (high - o) * inverse
    return torch.minimum(a, b), torch.maximum(a, b)


@dataclass(frozen=True)
class Sphere:
    """A ball."""

    radius: float
    convex = True

    @property
    def bound(self) -> float:
        """See `Surface`."""
        return self.radius

    def intersect(
        self, o: Float[Tensor, "3 n"], d: Float[Tensor, "3 n"], limit: Float[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """See `Surface`."""
        return first_hit(*sphere_interval(o, d, self.radius))

    def normal(self, p: Float[Tensor, "3 n"]) -> Float[Tensor, "3 n"]:
        """See `Surface`."""
        return unit(p)

    def distance(self, p: Float[Tensor, "3 n"]) -> Float[Tensor, " n"]:
        """See `Surface`; exact."""
        return dot(p, p).sqrt() - self.radius


@dataclass(frozen=True)
class Box:
    """A cube with edges along the axes."""

    half: float
    convex = True

    @property
    def bound(self) -> float:
        """See `Surface`."""
        return math.sqrt(3) * self.half

    def intersect(
        self, o: Float[Tensor, "3 n"], d: Float[Tensor, "3 n"], limit: Float[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """See `Surface`."""
        enter, leave = zip(
            *(slab_interval(o[k], d[k], -self.half, self.half) for k in range(3)), strict=True
        )
        return first_hit(torch.stack(enter).amax(0), torch.stack(leave).amin(0))

    def normal(self, p: Float[Tensor, "3 n"]) -> Float[Tensor, "3 n"]:
        """See `Surface`; on an edge, that of one of its faces."""
        axis = p.abs().argmax(0, keepdim=True)
        return torch.zeros_like(p).scatter_(0, axis, p.gather(0, axis).sign())

    def distance(self, p: Float[Tensor, "3 n"]) -> Float[Tensor, " n"]:
        """See `Surface`; exact."""
        q = p.abs() - self.half
        outside = q.clamp_min(0)
        return dot(outside, outside).sqrt() + q.amax(0).clamp_max(0)


@dataclass(frozen=True)
class Disc:
    """An upright cylinder whose top is the plane z = 0."""

    radius: float
    height: float
    convex = True

    @property
    def bound(self) -> float:
        """See `Surface`."""
        return math.hypot(self.radius, self.height)

    def intersect(
        self, o: Float[Tensor, "3 n"], d: Float[Tensor, "3 n"], limit: Float[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """See `Surface`."""
        a = (d[0] * d[0] + d[1] * d[1]).clamp_min(1e-12)
        closest = -(o[0] * d[0] + o[1] * d[1]) / a
        x, y = o[0] + closest * d[0], o[1] + closest * d[1]
        half = ((self.radius**2 - x * x - y * y).clamp_min(0) / a).sqrt()
        enter, leave = slab_interval(o[2], d[2], -self.height, 0.0)
        return first_hit(torch.maximum(enter, closest - half), torch.minimum(leave, closest + half))

    def normal(self, p: Float[Tensor, "3 n"]) -> Float[Tensor, "3 n"]:
        """See `Surface`; on a rim, that of the top, the bottom or the side."""
        x, y, z = p
        rho = (x * x + y * y).sqrt()
        side = (rho - self.radius).abs() < torch.minimum(z.abs(), (z + self.height).abs())
        up = torch.where(z > -0.5 * self.height, 1.0, -1.0)
        flat = torch.zeros_like(rho)
        return torch.stack(
            [
                torch.where(side, x / rho, flat),
                torch.where(side, y / rho, flat),
                torch.where(side, flat, up),
            ]
        )

    def distance(self, p: Float[Tensor, "3 n"]) -> Float[Tensor, " n"]:
        """See `Surface`; exact."""
        x, y, z = p
        across = (x * x + y * y).sqrt() - self.radius
        along = (z + 0.5 * self.height).abs() - 0.5 * self.height
        outside = (across.clamp_min(0).square() + along.clamp_min(0).square()).sqrt()
        return outside + torch.maximum(across, along).clamp_max(0)
