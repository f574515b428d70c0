"""The light of the still life: a sky, and soft boxes of which one, the key, casts shadows.

Radiance is linear; a white Lambertian surface that sees nothing but radiance 1 has colour 1.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

_QUADRATURE = 8192  # directions that the sky is projected from; more change nothing visible
_SHARPNESS = 90.0  # of a soft box's edge in a perfect mirror


@dataclass(frozen=True)
class SoftBox:
    """A round, distant lamp with a soft edge."""

    direction: tuple[float, float, float]
    """Towards the lamp; need not have unit length."""
    half_angle: float
    """Radians."""
    power: float
    """Radiance at its centre."""
    colour: tuple[float, float, float]

    def radiance(
        self, d: Float[Tensor, "3 n"], roughness: Float[Tensor, " n"]
    ) -> Float[Tensor, "3 n"]:
        """Light that a surface of this roughness reflects from around the directions `d`."""
        x, y, z = self._axis
        cosine = x * d[0] + y * d[1] + z * d[2]
        sharpness = 1 / (1 / _SHARPNESS + 0.9 * roughness)
        edge = torch.sigmoid((cosine - math.cos(self.half_angle)) * sharpness)
        return _column(self.colour) * (edge * (self.power / (1 + 6 * roughness)))

    def irradiance(self, n: Float[Tensor, "3 n"]) -> Float[Tensor, "3 n"]:
        """Colour of a white Lambertian surface with normals `n`, lit by this lamp alone.

        A disc of half angle w seen face on gives pi sin^2 w times its radiance; Lambert divides
        by pi.
        """
        x, y, z = self._axis
        cosine = (x * n[0] + y * n[1] + z * n[2]).clamp_min(0)
        return _column(self.colour) * (self.power * math.sin(self.half_angle) ** 2 * cosine)

    @cached_property
    def _axis(self) -> tuple[float, float, float]:
        length = math.hypot(*self.direction)
        x, y, z = self.direction
        return x / length, y / length, z / length

    @property
    def axis(self) -> Float[Tensor, "3 1"]:
        """Unit vector towards the lamp."""
        return _column(self._axis)


@dataclass(frozen=True)
class Lighting:
    """A sky gradient, fill lamps, and one key lamp."""

    key: SoftBox
    fill: tuple[SoftBox, ...]

    def radiance(
        self, d: Float[Tensor, "3 n"], roughness: Float[Tensor, " n"]
    ) -> Float[Tensor, "3 n"]:
        """What a surface of this roughness sees in the mirror directions `d`."""
        return self._ambient(d, roughness) + self.key.radiance(d, roughness)

    def ambient_irradiance(self, n: Float[Tensor, "3 n"]) -> Float[Tensor, "3 n"]:
        """Colour of a white Lambertian surface with normals `n`, lit by all but the key lamp.

        Nine spherical harmonics are within 1 % of the integral: Ramamoorthi and Hanrahan 2001,
        "An Efficient Representation for Irradiance Environment Maps", equations 8 to 12.
        """
        return (self._harmonics @ _basis(n)).clamp_min(0)

    def _ambient(self, d: Tensor, roughness: Tensor) -> Tensor:
        z = d[2]
        sky = _column((0.75, 0.85, 1.0)) * (0.22 + 0.5 * z.clamp_min(0))
        ground = _column((0.144, 0.117, 0.09)) * (-z).clamp_min(0)
        return sum((lamp.radiance(d, roughness) for lamp in self.fill), start=sky + ground)

    @cached_property
    def _harmonics(self) -> Float[Tensor, "3 9"]:
        d = _sphere_directions(_QUADRATURE)
        radiance = self._ambient(d, torch.zeros(_QUADRATURE))
        projected = radiance @ _basis(d).T * (4 * math.pi / _QUADRATURE)
        lobe = torch.tensor([1.0] + [2 / 3] * 3 + [1 / 4] * 5)  # clamped cosine, divided by pi
        return projected * lobe


def _column(values: tuple[float, float, float]) -> Float[Tensor, "3 1"]:
    return torch.tensor(values)[:, None]


def _sphere_directions(count: int) -> Float[Tensor, "3 count"]:
    """Directions spread evenly over the sphere (a Fibonacci lattice)."""
    k = torch.arange(count, dtype=torch.float64) + 0.5
    z = 1 - 2 * k / count
    azimuth = k * (math.pi * (3 - math.sqrt(5)))
    rho = (1 - z * z).sqrt()
    return torch.stack([rho * torch.cos(azimuth), rho * torch.sin(azimuth), z]).float()


def _basis(n: Float[Tensor, "3 n"]) -> Float[Tensor, "9 n"]:
    """Real spherical harmonics of degrees 0 to 2 at unit vectors."""
    x, y, z = n
    return torch.stack(
        [
            torch.full_like(x, 0.282095),
            0.488603 * y,
            0.488603 * z,
            0.488603 * x,
            1.092548 * x * y,
            1.092548 * y * z,
            0.315392 * (3 * z * z - 1),
            1.092548 * x * z,
            0.546274 * (x * x - y * y),
        ]
    )
