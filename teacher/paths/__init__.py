"""Camera paths: films of places that nobody photographed, as lists of cameras and as files.

    run folder --capture.py--> training cameras, point of interest --shapes.py, spline.py--> cameras
    cameras <--files.py--> camera-path JSON -> render, the panel, the page (?path=)

All cameras are in the norm frame, without lens distortion.
"""

from teacher.paths.files import CameraPath, read_camera_path, read_path, write_path
from teacher.paths.shapes import PATHS, circle, cone, orbit, spiral
from teacher.paths.spline import interpolate

__all__ = [
    "PATHS",
    "CameraPath",
    "circle",
    "cone",
    "interpolate",
    "orbit",
    "read_camera_path",
    "read_path",
    "spiral",
    "write_path",
]
