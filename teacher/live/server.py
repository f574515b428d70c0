"""viser as a `Server`: its scene is the norm frame, its cameras look along +z with +y down (OpenCV's axes).

Only this machine can connect; from another one, `ssh -L 7007:localhost:7007 machine` first.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image

from teacher.cameras import Camera
from teacher.errors import UserError
from teacher.live.view import Visitor
from teacher.missing import needed
from teacher.scene import Frame, Scene
from teacher.selection import spread

_FRUSTA, _THUMBNAIL, _POINTS = 60, 64, 50_000
_OPENGL = np.diag([1.0, -1.0, -1.0])
_HEIGHT = 512
"""Of a visitor's camera in pixels; its own resolution is the view's business."""


class ViserServer:
    """See the module's docstring.

    Raises:
        UserError: viser is not installed, or the port is taken.
    """

    def __init__(self, port: int) -> None:
        viser = needed("viser", "viewer")
        self._so3 = viser.transforms.SO3
        try:
            self._server: Any = viser.ViserServer(host="localhost", port=port, verbose=False)
        except OSError as error:
            expected = "a free port of this machine"
            raise UserError("--viewer-port", f"{port} ({error})", expected, "try another") from None
        if self._server.get_port() != port:
            self._server.stop()
            raise UserError(
                "--viewer-port", f"{port}, which is taken", "a free port", "try another"
            )
        self._server.scene.set_up_direction("+z")
        self._text = self._server.gui.add_markdown("Not a step yet.")
        self._pause = self._server.gui.add_checkbox("Pause", False)
        print(f"live view: http://localhost:{port}")

    def begin(self, scene: Scene) -> None:
        """Frusta with thumbnails of some training pictures, and the sparse points."""
        frames = scene.splits["train"]
        for frame in spread(frames, min(_FRUSTA, len(frames))):
            self._add_frustum(frame)
        if scene.points is not None:
            every = -(-len(scene.points) // _POINTS)
            points = scene.points[::every].numpy()
            grey = (90, 90, 90)
            self._server.scene.add_point_cloud("/points", points, grey, point_size=0.004)

    def _add_frustum(self, frame: Frame) -> None:
        camera, T = frame.camera, frame.camera.T_world_camera.double().numpy()
        picture = Image.fromarray(frame.picture.rgba()).convert("RGB")
        picture.thumbnail((_THUMBNAIL, _THUMBNAIL))
        self._server.scene.add_camera_frustum(
            f"/cameras/{frame.name}",
            fov=2 * math.atan(0.5 * camera.height / camera.fy),
            aspect=camera.width / camera.height,
            scale=0.06,
            thickness=0.002,
            image=np.asarray(picture),
            wxyz=self._so3.from_matrix(T[:3, :3] @ _OPENGL).wxyz,
            position=T[:3, 3],
        )

    def visitors(self) -> Sequence[Visitor]:
        """Those whose camera is known."""
        found = []
        for number, client in self._server.get_clients().items():
            camera = client.camera
            R = self._so3(np.asarray(camera.wxyz)).as_matrix()
            place = (R, np.asarray(camera.position), float(camera.fov), float(camera.aspect))
            found.append(Visitor(number, pinhole(*place), float(camera.update_timestamp)))
        return found

    def show(self, number: int, picture: UInt8[np.ndarray, "height width 3"]) -> None:
        """Behind everything else in the visitor's scene."""
        client = self._server.get_clients().get(number)
        if client is not None:
            client.scene.set_background_image(picture, format="jpeg")

    def say(self, text: str) -> None:
        """In the panel."""
        self._text.content = text

    def paused(self) -> bool:
        """Whether the box is ticked."""
        return bool(self._pause.value)

    def close(self) -> None:
        """Stop serving."""
        self._server.stop()


def pinhole(
    R_world_opencv: Float[np.ndarray, "3 3"],
    position: Float[np.ndarray, "3"],
    fov: float,
    aspect: float,
) -> Camera:
    """Our camera from viser's: orientation along OpenCV's axes, vertical angle of view, width / height."""
    T = torch.eye(4)
    T[:3, :3] = torch.from_numpy(R_world_opencv @ _OPENGL).float()
    T[:3, 3] = torch.from_numpy(position).float()
    width = max(1, round(_HEIGHT * aspect))
    focal = 0.5 * _HEIGHT / math.tan(0.5 * fov)
    return Camera(T, focal, focal, 0.5 * width, 0.5 * _HEIGHT, width, _HEIGHT)
