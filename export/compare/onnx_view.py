"""A graph of the bundle as a renderer of views: ONNX Runtime on the CPU, whatever the camera's size.

    camera --fractional intrinsics--> graph at its own size --resample, if that is not the camera's--> View

A graph in half precision is run with the roundings of a GPU (`export.half.with_rounding`): ONNX Runtime's CPU kernels
leave them out. So its picture is the page's; its milliseconds are those of the imitation.
"""

from pathlib import Path

import onnx
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from export.manifest import CameraPose, Precision
from export.verify import open_graph
from teacher.cameras import Camera
from teacher.pseudo.view import View

_REMEDY = "write the bundle again with `python -m export bundle`"


class OnnxRenderer:
    """`teacher.pseudo.view.ViewRenderer` by the ONNX file at `path`; pinhole cameras of the norm frame.

    Raises:
        UserError: ONNX Runtime does not take the file.
    """

    def __init__(self, path: Path, precision: Precision, size: tuple[int, int]) -> None:
        self.size = size
        """(width, height) that it computes."""
        self._picture = open_graph(precision, onnx.load(path), str(path))

    def render(self, camera: Camera) -> View:
        """The view from `camera`, resampled where its size is not `size`."""
        assert camera.lens == "pinhole", "a light field sees through pinholes"
        pose = tuple(camera.T_world_camera.float().flatten().tolist())
        output = self._picture.render(CameraPose(pose, camera.fractions))
        size = (camera.height, camera.width)
        depth = output.depth * (output.rgba[:, 3:] > 0)
        rgba, depth = resampled(output.rgba, depth, size)
        return View(camera, rgba[0].permute(1, 2, 0), depth[0, 0])


def resampled(
    rgba: Float[Tensor, "1 4 h w"], depth: Float[Tensor, "1 1 h w"], size: tuple[int, int]
) -> tuple[Float[Tensor, "1 4 height width"], Float[Tensor, "1 1 height width"]]:
    """Premultiplied RGBA and depth at another (height, width): means of areas, or bilinear where it grows.

    Depth is weighted by alpha, so that nothing behind an edge is mixed into it.
    """
    if rgba.shape[2:] == size:
        return rgba, depth
    planes = torch.cat([rgba, depth * rgba[:, 3:]], 1)
    for axis, side in enumerate(size):  # each on its own: one may grow and the other shrink
        shape = [*planes.shape[2:]]
        grows, shape[axis] = side > shape[axis], side
        planes = (
            F.interpolate(planes, shape, mode="bilinear", align_corners=False)
            if grows
            else F.interpolate(planes, shape, mode="area")
        )
    return planes[:, :4], planes[:, 4:] / planes[:, 3:4].clamp_min(1e-6)
