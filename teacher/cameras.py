"""Cameras, and THE frame convention of the whole project.

* `T_a_b` maps points of frame b into frame a: `p_a = T_a_b @ p_b`. `T_world_camera` is
  camera-to-world.
* Camera axes are OpenGL's: +x right, +y up, -z forward. The world's +z is up.
* Pixel (column u, row v) covers [u, u + 1) x [v, v + 1), its centre is (u + 0.5, v + 0.5).
  Row 0 is at the top.
* Intrinsics (fx, fy, cx, cy) are in pixels; *fractions* are fx/width, fy/height, cx/width,
  cy/height.
* "World" is the frame of the scene that owns the camera: `Scene.cameras` are in the scene's
  normalised frame ("norm"), `Scene.T_norm_world` maps the data set's own frame into it.

Lens models and the order of their coefficients: `teacher.lenses`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from teacher.lenses import COEFFICIENTS, LENS_MODELS, LENSES, Lens
from teacher.rays import Rays

LOOKED_AT = math.radians(45)
"""A camera looks at a point that is no farther than this off its optical axis."""
SAME_WAY = math.radians(20)
"""Cameras look the same way whose optical axes are no farther than this off their mean."""
LOST = 0.25
"""The share of the cameras that may do neither."""


@dataclass(frozen=True)
class Camera:
    """One calibrated, posed camera; see the module's docstring for frames and units."""

    T_world_camera: Float[Tensor, "4 4"]
    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int
    lens: Lens = "pinhole"
    distortion: tuple[float, ...] = ()
    """Coefficients of the lens; those left out at the end are zero."""
    time: float | None = None
    """Seconds or a normalised time, for moving scenes; None where time stands still."""

    @property
    def position(self) -> Float[Tensor, "3"]:
        """The camera's centre, in world units."""
        return self.T_world_camera[:3, 3]

    @property
    def forward(self) -> Float[Tensor, "3"]:
        """Unit optical axis, in the world frame."""
        return -self.T_world_camera[:3, 2]

    @property
    def fractions(self) -> tuple[float, float, float, float]:
        """(fx/width, fy/height, cx/width, cy/height): intrinsics that hold at any resolution."""
        return (
            self.fx / self.width,
            self.fy / self.height,
            self.cx / self.width,
            self.cy / self.height,
        )

    def resized(self, width: int, height: int) -> "Camera":
        """The same view at another resolution (each axis is scaled on its own)."""
        fx, fy, cx, cy = self.fractions
        return replace(
            self,
            fx=fx * width,
            fy=fy * height,
            cx=cx * width,
            cy=cy * height,
            width=width,
            height=height,
        )

    def undistorted(self) -> "Camera":
        """The pinhole camera with the same pose and intrinsics."""
        return replace(self, lens="pinhole", distortion=())

    def rays(self) -> Rays:
        """Rays through all pixel centres, row by row: [height * width] of them."""
        return Cameras.stack([self]).image_rays(0)


@dataclass(frozen=True)
class Cameras:
    """Many cameras as stacked tensors, for drawing rays from all of them at once."""

    T_world_camera: Float[Tensor, "cameras 4 4"]
    intrinsics: Float[Tensor, "cameras 4"]
    """fx, fy, cx, cy in pixels."""
    size: Int[Tensor, "cameras 2"]
    """(width, height) in pixels."""
    lens: tuple[Lens, ...]
    distortion: Float[Tensor, "cameras 8"]

    @staticmethod
    def stack(cameras: Sequence[Camera]) -> "Cameras":
        """Stack `cameras`, which may differ in size, intrinsics and lens, in float32."""
        return Cameras(
            torch.stack([c.T_world_camera for c in cameras]).float(),
            torch.tensor([(c.fx, c.fy, c.cx, c.cy) for c in cameras], dtype=torch.float32),
            torch.tensor([(c.width, c.height) for c in cameras]),
            tuple(c.lens for c in cameras),
            torch.tensor([_padded(c.distortion) for c in cameras], dtype=torch.float32),
        )

    def __len__(self) -> int:
        return len(self.lens)

    def to(self, device: torch.device | str) -> "Cameras":
        """The same cameras with their tensors on `device`."""
        return replace(
            self,
            T_world_camera=self.T_world_camera.to(device),
            intrinsics=self.intrinsics.to(device),
            size=self.size.to(device),
            distortion=self.distortion.to(device),
        )

    def rays(self, index: Int[Tensor, " rays"], pixels: Float[Tensor, "rays 2"]) -> Rays:
        """Rays of camera `index[i]` through the image point `pixels[i]` = (u, v), in pixels."""
        focal, centre = self.intrinsics[index].split(2, -1)
        local = self._directions(index, (pixels - centre) / focal)
        R, origins = self.T_world_camera[:, :3, :3][index], self.T_world_camera[:, :3, 3][index]
        directions = (R * local[:, None, :]).sum(-1)
        return Rays(origins, torch.nn.functional.normalize(directions, dim=-1))

    def _directions(
        self, index: Int[Tensor, " rays"], xy: Float[Tensor, "rays 2"]
    ) -> Float[Tensor, "rays 3"]:
        """Camera-frame directions; where lenses are mixed, each model looks at all rays: nothing waits for a GPU."""
        k, present = self.distortion[index], sorted(set(self.lens))
        local = LENS_MODELS[present[0]].direction(xy, k)
        for lens in present[1:]:
            mine = self._lens_numbers[index] == LENSES.index(lens)
            local = torch.where(mine[:, None], LENS_MODELS[lens].direction(xy, k), local)
        return local

    @cached_property
    def _lens_numbers(self) -> Int[Tensor, " cameras"]:
        """Places in `LENSES`; kept, so that a GPU is sent them once."""
        numbers = torch.tensor([LENSES.index(lens) for lens in self.lens])
        return numbers.to(self.intrinsics.device)

    def image_rays(self, camera: int) -> Rays:
        """Rays through every pixel centre of one camera, row by row."""
        width, height = self.size[camera].tolist()
        device = self.intrinsics.device
        pixels = pixel_centres(width, height).to(device).reshape(-1, 2)
        return self.rays(torch.full((len(pixels),), camera, device=device), pixels)


def pixel_centres(width: int, height: int) -> Float[Tensor, "height width 2"]:
    """(u, v) of every pixel's centre, in pixels."""
    v, u = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return torch.stack([u, v], -1)


def project(
    camera: Camera, points: Float[Tensor, "n 3"]
) -> tuple[Float[Tensor, "n 2"], Float[Tensor, " n"]]:
    """Image points (u, v) in pixels, and depth along the optical axis, of points of the world.

    Points with depth <= 0 lie behind the camera, where image points mean nothing (except a
    fisheye's). Far outside the picture a strongly distorting lens may fold points back into it.
    """
    R, t = camera.T_world_camera[:3, :3], camera.T_world_camera[:3, 3]
    local = (points - t) @ R
    k = points.new_tensor(_padded(camera.distortion)).expand(len(points), -1)
    xy = LENS_MODELS[camera.lens].image_point(local, k)
    focal = points.new_tensor((camera.fx, camera.fy))
    centre = points.new_tensor((camera.cx, camera.cy))
    return xy * focal + centre, -local[:, 2]


def _padded(distortion: tuple[float, ...]) -> tuple[float, ...]:
    return (*distortion, *[0.0] * (COEFFICIENTS - len(distortion)))


def look_at(
    position: Float[Tensor, "3"],
    target: Float[Tensor, "3"],
    up: Float[Tensor, "3"] | None = None,
) -> Float[Tensor, "4 4"]:
    """`T_world_camera` of a camera at `position` that looks at `target`, `up` (+z) upwards.

    Where it looks along `up`, +y is up in the picture (or +z, if `up` is y).
    """
    _, y, z = torch.eye(3, dtype=position.dtype, device=position.device)
    up = z if up is None else torch.nn.functional.normalize(up, dim=0)
    back = torch.nn.functional.normalize(position - target, dim=0)
    if torch.linalg.cross(up, back).norm() < 1e-4:
        up = y if back[1].abs() < 0.9 else z
    right = torch.nn.functional.normalize(torch.linalg.cross(up, back), dim=0)
    rotation_and_position = torch.stack([right, torch.linalg.cross(back, right), back, position], 1)
    return torch.cat([rotation_and_position, position.new_tensor([[0.0, 0.0, 0.0, 1.0]])])


def apply_similarity(T: Float[Tensor, "4 4"], camera: Camera) -> Camera:
    """`camera` moved into the frame that the similarity `T` maps its world into.

    Its picture stays the same: directions keep unit length, only positions are scaled.
    """
    pose = T.to(camera.T_world_camera) @ camera.T_world_camera
    pose[:3, :3] = pose[:3, :3] / T[:3, :3].det() ** (1 / 3)
    return replace(camera, T_world_camera=pose)


def point_of_interest(cameras: Sequence[Camera]) -> Float[Tensor, "3"]:
    """The point that cameras look at, or turn about where they look around, in the world frame.

    It is the point nearest to all optical axes o_i + t d_i in the least-squares sense, the one that minimises
    sum_i |(I - d_i d_i^T)(p - o_i)|^2. Where that is not in front of most cameras:

        they look the same way (from a row, or turning a little):  the point that the mean camera looks at, as far away
                                                                   as the cameras spread
        they look around (a room, from its middle):                the same point, behind them or among them
    """
    return _interest(cameras)[0].to(cameras[0].T_world_camera.dtype)


def look_around(cameras: Sequence[Camera]) -> bool:
    """Whether cameras look about their `point_of_interest`, as in a room, and not at it."""
    return _interest(cameras)[1]


def _interest(cameras: Sequence[Camera]) -> tuple[Float[Tensor, "3"], bool]:
    o = torch.stack([camera.position for camera in cameras]).double()
    d = torch.stack([camera.forward for camera in cameras]).double()
    centre, ahead = o.mean(0), torch.nn.functional.normalize(d.mean(0), dim=0)
    spread = (o - centre).norm(dim=-1).max()
    distance = torch.where(spread > 0, spread, 1.0)
    fallback = centre + ahead * distance
    across = torch.eye(3).to(d) - d[:, :, None] * d[:, None, :]
    ridge = 1e-7 * torch.eye(3).to(d)  # decides only where axes are parallel
    target = (across @ o[..., None]).mean(0)[:, 0] + ridge @ fallback
    point = torch.linalg.solve(across.mean(0) + ridge, target)
    in_front = ((point - o) * d).sum(-1) > 1e-3 * distance
    if in_front.double().mean() > 0.5 and _agree(d, point - o, LOOKED_AT):
        return point, False
    if _agree(d, ahead.expand_as(d), SAME_WAY):
        return fallback, False
    return point, True


def _agree(axes: Float[Tensor, "n 3"], ways: Float[Tensor, "n 3"], angle: float) -> bool:
    """Whether at most `LOST` of the unit vectors `axes` are more than `angle` off `ways`."""
    cosines = (torch.nn.functional.normalize(ways, dim=-1) * axes).sum(-1)
    return float((cosines < math.cos(angle)).double().mean()) <= LOST
