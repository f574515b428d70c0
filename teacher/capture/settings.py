"""What a user may choose when a capture is processed; names are those that users of nerfstudio know."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from teacher.errors import UserError

MatchingMethod = Literal["auto", "sequential", "exhaustive"]
CameraModel = Literal["SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV"]
FEWEST = 6
"""Pictures from which poses can be checked at all."""


@dataclass(frozen=True)
class FrameSettings:
    """Which pictures are kept."""

    num_frames_target: int = 100
    """Frames to choose from a video; fewer are kept where fewer differ."""
    start: float = 0.0
    """Seconds of a video to leave out at its beginning."""
    end: float | None = None
    """Seconds into a video at which to stop; None: its end."""
    max_image_size: int = 1600
    """Longest side of the pictures written, in pixels; larger ones are shrunk."""
    masks: Path | None = None
    """Folder of masks named as the photographs are (IMG_1.png or IMG_1.jpg.png): white is kept, black ignored."""
    invert_masks: bool = False
    """Masks are the other way round: white is ignored."""


@dataclass(frozen=True)
class PoseSettings:
    """How cameras are found."""

    matching_method: MatchingMethod = "auto"
    """Which pairs are compared. auto: sequential with loops for a video of more than 60 frames, else exhaustive."""
    camera_model: CameraModel = "SIMPLE_RADIAL"
    """Lens that is calibrated: pictures of one video, or of one phone, share it."""
    sfm_image_size: int = 1000
    """Longest side at which features are looked for; more costs time and finds the same cameras."""
    random_seed: int = 0
    """Seed of everything that is drawn at random: the same pictures give the same cameras."""


def check(frames: FrameSettings, poses: PoseSettings) -> None:
    """Raise a UserError that names the first number which cannot be used."""
    least = {
        "num-frames-target": (frames.num_frames_target, FEWEST),
        "max-image-size": (frames.max_image_size, 64),
        "sfm-image-size": (poses.sfm_image_size, 64),
        "random-seed": (poses.random_seed, 0),
    }
    for name, (value, low) in least.items():
        if value < low:
            expected = f"a whole number from {low}"
            raise UserError(f"--{name}", str(value), expected, "leave it out for the default")


def cores() -> int:
    """Threads to use: OMP_NUM_THREADS where it is set, else the cores that this process may run on."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdecimal() and int(given) > 0 else len(os.sched_getaffinity(0))
