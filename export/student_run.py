"""A student's run folder as something to export: `export.proof.Exportable`.

    config.json, scene.json, model.safetensors -> network, cameras, envelope, size
    eval/metrics.json                          -> what was measured, if it was

Neither the teacher nor its data are needed.
"""

from pathlib import Path
from typing import Any

from export.proof import Exportable, Measured
from student.checkpoint import load_student
from teacher.errors import UserError
from teacher.files import read_json

_REMEDY = "measure the student with `python -m student eval`"


def open_student(folder: Path) -> Exportable:
    """The student trained in `folder`, with averaged weights.

    Raises:
        UserError: there is none, or a file is damaged or of another version.
    """
    model, run = load_student(folder)
    return Exportable(
        name=run.scene.name,
        student=run.preset,
        model=model,
        size=run.size,
        envelope=run.scene.envelope,
        cameras=tuple(run.cameras),
        measured=read_measured(run.folder / "eval" / "metrics.json", run.size),
    )


def read_measured(path: Path, size: tuple[int, int]) -> Measured:
    """What `python -m student eval` wrote to `path`; nothing, of pictures of `size` = (height, width), if it did not.

    Figures of an object are those of its own pixels, not to be compared with those of whole pictures: the split says so
    wherever it is shown, "13 cropped test views".

    Raises:
        UserError: the file is damaged or of another version.
    """
    if not path.exists():
        height, width = size
        return Measured(0, "not measured", "white", width, height, None, None, None)
    found: Any = read_json(path, "the student's measurements", _REMEDY)
    try:
        return Measured(
            views=found["views"],
            split=f"cropped {found['split']}" if "crop" in found else found["split"],
            background=found["background"],
            width=found["width"],
            height=found["height"],
            teacher_psnr=found["teacher_psnr_truth"],
            student_psnr_truth=found["student_psnr_truth"],
            student_psnr_teacher=found["student_psnr_teacher"],
        )
    except (KeyError, TypeError) as error:
        given, expected = f"no field {error}", "metrics written by this version"
        raise UserError(f"{path}", given, expected, _REMEDY) from error
