"""One picture of a whole run: truth, teacher, student and the page's canvas, held-out view by held-out view.

data set, teacher/eval, student/eval, canvas/<backend> (tests/browser/canvas.mjs) -> figure, PSNR of the canvas
"""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from teacher.errors import UserError
from teacher.evaluate import load_data
from teacher.images import contact_sheet, write_png
from teacher.metrics import psnr
from teacher.scene import Frame, composite_over, premultiply

WHITE = 1.0


def write_figure(run: Path, backend: str, views: int, output: Path) -> dict[str, float]:
    """Write the figure of `run` on white with a row for each of `views` views.

    Returns:
        PSNR in dB of the canvas against torch's picture of the student (8-bit PNG), for every view drawn.

    Raises:
        UserError: the page has not drawn any held-out view of this run.
    """
    drawn = {path.name: path for path in (run / "canvas" / backend).glob("*.png")}
    frames = [f for f in load_data(run / "teacher").load().splits["test"] if _file(f) in drawn]
    if not frames:
        remedy = f"`node tests/browser/canvas.mjs {run} {backend}` first"
        raise UserError(f"{run}/canvas/{backend}", "no pictures", "the page's test views", remedy)
    rows = {frame.name: _row(run, frame, drawn[_file(frame)]) for frame in frames}
    shown = list(rows.values())[:: -(-len(rows) // views)]
    write_png(output, contact_sheet(shown))
    return {name: psnr(row[3], row[2]) for name, row in rows.items()}


def _file(frame: Frame) -> str:
    return f"{Path(frame.name).name}.png"


def _row(run: Path, frame: Frame, canvas: Path) -> list[Float[Tensor, "height width 3"]]:
    pictures = [run / stage / "eval" / _file(frame) for stage in ("teacher", "student")]
    images = [_read(path) for path in (*pictures, canvas)]
    truth = composite_over(premultiply(frame.picture.rgba()), WHITE)
    height, width = (min(i.shape[axis] for i in (truth, *images)) for axis in (0, 1))
    return [image[:height, :width] for image in (truth, *images)]


def _read(path: Path) -> Float[Tensor, "height width 3"]:
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGBA"))
    return composite_over(premultiply(np.array(pixels)), torch.ones(3))
