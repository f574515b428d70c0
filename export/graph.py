"""The reference graph: one camera in, one picture of a fixed size out.

    T_norm_camera [4, 4], intrinsics [4] -> LightField -> rgba [1, 4, H, W], depth [1, 1, H, W]

Rays, encoding and network are all inside, so Python, the panel and the browser run the same thing.
All inputs and outputs are float32, whatever the precision of the network's body.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from export.manifest import CameraPose
from student.models.base import LightField, LightFieldOutput
from teacher.cameras import Camera
from teacher.errors import UserError

INPUTS = ("T_norm_camera", "intrinsics")
OUTPUTS = ("rgba", "depth")


class CameraToPicture(nn.Module):
    """`model` at one picture `size` = (height, width), with a batch axis on the outputs only."""

    def __init__(self, model: LightField, size: tuple[int, int]) -> None:
        super().__init__()
        if any(side <= 0 or side % model.upsampling for side in size):
            raise UserError(
                "the size of the exported picture",
                f"{size[1]}x{size[0]} pixels",
                f"multiples of {model.upsampling}, the student's pixels per ray",
                "train the student for such a size",
            )
        self.model, self.size = model, size
        self.eval()

    def forward(
        self, T_norm_camera: Float[Tensor, "4 4"], intrinsics: Float[Tensor, "4"]
    ) -> tuple[Float[Tensor, "1 4 height width"], Float[Tensor, "1 1 height width"]]:
        """RGBA and depth from one camera; intrinsics are fractions of its width and height."""
        picture = self.model(T_norm_camera[None], intrinsics[None], self.size)
        return picture.rgba, picture.depth

    @torch.no_grad()
    def render(self, pose: CameraPose) -> LightFieldOutput:
        """The picture from `pose`, by torch."""
        return LightFieldOutput(*self(*pose_tensors(pose)))


def pose_tensors(pose: CameraPose) -> tuple[Float[Tensor, "4 4"], Float[Tensor, "4"]]:
    """The two inputs of a `CameraToPicture`."""
    return torch.tensor(pose.T_norm_camera).reshape(4, 4), torch.tensor(pose.intrinsics)


def camera_pose(camera: Camera) -> CameraPose:
    """A camera of the norm frame as the model takes it: without its lens's distortion and size."""
    return CameraPose(tuple(camera.T_world_camera.float().flatten().tolist()), camera.fractions)
