"""The set of cameras a student is trained for, measured from the training cameras, and sampling from it.

Cameras are described around a pivot: position = pivot + radius * (cos e cos a, cos e sin a, sin e), looking at a target
near the pivot with the world's +z up. The page keeps visitors inside the same set.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Envelope:
    """Ranges of an orbit camera; angles in radians, lengths in norm units, intrinsics as fractions."""

    pivot: tuple[float, float, float]
    """The point orbited: least-squares intersection of the training cameras' optical axes."""
    radius: tuple[float, float]
    """Nearest and farthest distance from the pivot."""
    azimuth: tuple[float, float]
    """First angle and last angle, first < last; a span of 2 pi means all the way round."""
    elevation: tuple[float, float]
    """Lowest and highest angle above the horizontal plane through the pivot."""
    target_spread: float
    """How far from the pivot the point looked at may lie."""
    focal: tuple[float, float]
    """Smallest and largest focal length, as a fraction of the picture's height."""
