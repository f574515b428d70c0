"""One picture of a whole run: truth, teacher, student and the page's canvas, view by view.

    data set, teacher/eval, student (torch), canvas/<backend> (tests/browser/canvas.mjs)
    -> figure, PSNR of the canvas

All pictures are shown at the size of the page's, which may differ from the photographs' by a few pixels. A cropped
teacher is shown through its crop, and the photograph where that teacher sees the object: what the student is to learn.
"""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from student.checkpoint import load_student
from student.held_out import frames_of, photographed
from student.render import StudentRenderer
from teacher.crop.files import NAME as CROP
from teacher.errors import UserError
from teacher.images import contact_sheet, write_png
from teacher.metrics import psnr
from teacher.pseudo.source import Source, open_source
from teacher.pseudo.view import ViewRenderer
from teacher.scene import Frame, composite_over, premultiply

WHITE = 1.0
Picture = Float[Tensor, "height width 3"]


def write_figure(run: Path, backend: str, views: int, output: Path) -> dict[str, float]:
    """Write the figure of `run` on white with a row for each of `views` views.

    Returns:
        PSNR in dB of the canvas (8 bits) against torch's picture of the same camera, for every view drawn.

    Raises:
        UserError: the page has not drawn any held-out view of this run.
    """
    drawn = {path.name: path for path in (run / "canvas" / backend).glob("*.png")}
    held_out = frames_of(str(run / "teacher"), None, "test") or ()
    frames = [frame for frame in held_out if _file(frame) in drawn]
    if not frames:
        remedy = f"`node tests/browser/canvas.mjs {run} {backend}` first"
        raise UserError(f"{run}/canvas/{backend}", "no pictures", "the page's test views", remedy)
    model, _ = load_student(run / "student")
    student = StudentRenderer(model)
    teacher, step = _cropped(run / "teacher"), -(-len(frames) // views)
    shown, found = [], {}
    for k, frame in enumerate(frames):
        pair = _drawn_and_expected(frame, drawn[_file(frame)], student)
        found[frame.name] = psnr(pair[1], pair[0])
        if k % step == 0:
            shown.append([*_truth_and_teacher(run, frame, pair[1].shape[:2], teacher), *pair])
    write_png(output, contact_sheet(shown))
    return found


def _file(frame: Frame) -> str:
    return f"{Path(frame.name).name}.png"


def _cropped(teacher: Path) -> Source | None:
    """The teacher in that folder if it has a crop: what `eval` drew of it is the whole scene."""
    return open_source(str(teacher)) if (teacher / CROP).exists() else None


def _drawn_and_expected(frame: Frame, canvas: Path, student: ViewRenderer) -> list[Picture]:
    """What torch makes of the camera, and what the page drew."""
    drawn = _read(canvas)
    height, width, _ = drawn.shape
    seen = student.render(frame.camera.undistorted().resized(width, height)).rgba
    return [composite_over(seen, WHITE).clamp(0, 1), drawn]


@torch.no_grad()
def _truth_and_teacher(
    run: Path, frame: Frame, size: tuple[int, ...], cropped: Source | None
) -> list[Picture]:
    height, width = size
    if cropped is not None:
        view = photographed(cropped, frame, (height, width))
        pair = view.truth, view.teacher.rgba
        return [composite_over(rgba, WHITE).clamp(0, 1) for rgba in pair if rgba is not None]
    truth = composite_over(premultiply(frame.picture.rgba()), WHITE)
    teacher = _read(run / "teacher" / "eval" / _file(frame))
    return [_resized(image, height, width) for image in (truth, teacher)]


def _resized(
    image: Float[Tensor, "h w 3"], height: int, width: int
) -> Float[Tensor, "height width 3"]:
    planes = image.permute(2, 0, 1)[None]
    return torch.nn.functional.interpolate(planes, (height, width), mode="area")[0].permute(1, 2, 0)


def _read(path: Path) -> Float[Tensor, "height width 3"]:
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGBA"))
    return composite_over(premultiply(np.array(pixels)), torch.ones(3))
