"""A student as a renderer of views, at any size: the form that evaluation and the panel compare
with the teacher.
"""

import torch

from student.models.base import LightField, crop_intrinsics
from teacher.cameras import Camera
from teacher.pseudo.view import View


class StudentRenderer:
    """`teacher.pseudo.view.ViewRenderer` by a student; pinhole cameras of the norm frame.

    Sizes that are not multiples of the student's upsampling are computed larger and cut: a larger
    picture is the same camera with other intrinsics.
    """

    def __init__(self, model: LightField) -> None:
        self.model = model.eval()

    @torch.no_grad()
    def render(self, camera: Camera) -> View:
        """The view from `camera`, on the CPU."""
        assert camera.lens == "pinhole", (
            "a light field sees through pinholes: use camera.undistorted()"
        )
        size, step = (camera.height, camera.width), self.model.upsampling
        padded = (-(-size[0] // step) * step, -(-size[1] // step) * step)
        device = self.model.aabb.device
        intrinsics = crop_intrinsics(torch.tensor([camera.fractions]), size, (0, 0), padded)
        pose = camera.T_world_camera[None].float()
        output = self.model(pose.to(device), intrinsics.to(device), padded)
        picture = (
            torch.cat([output.rgba, output.depth], 1)[0, :, : size[0], : size[1]]
            .permute(1, 2, 0)
            .cpu()
        )
        seen = picture[..., 3] > 0
        return View(camera, picture[..., :4], picture[..., 4] * seen)
