"""Measuring a student: against photographs it has not seen, and against its teacher.

held-out views, student -> eval/metrics.json, eval/<name>.png (RGBA),
                           eval/sheet.png (truth | teacher | student)
                           eval/worst.png (truth | teacher | student | error x 4), the worst first
orbit, student, teacher -> temporal stability (student.stability), in eval/metrics.json

Three pairs are compared for each view: student with truth, student with teacher, teacher with
truth. SSIM here is of pictures with their axes in order (`teacher.metrics`): two pictures of noise
score 0, where the SSIM published for light fields scores 0.5, since it took a channel for an axis
of the picture. A test holds both numbers.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from student.budget import count_budget
from student.checkpoint import StudentRun, load_student
from student.held_out import HeldOut, frames_of, imagined, is_cropped, photographed
from student.render import StudentRenderer
from student.stability import films, measure_stability, orbit_bursts
from teacher.checkpoint import Log
from teacher.evaluate import BACKGROUNDS
from teacher.files import write_json
from teacher.images import contact_sheet, straight_alpha, to_bytes, write_png
from teacher.metrics import average, measure
from teacher.presets import DataConfig
from teacher.pseudo.source import Source, open_source
from teacher.pseudo.store import StoredSource
from teacher.scene import composite_over

IMAGINED_VIEWS = 20
"""Views measured where there are no photographs."""
CROPPED = "photographs count where the cropped teacher's alpha is above 0.5"
"""What metrics of a student of an object say: they are not to be compared with those of whole pictures."""
_SHEET_ROWS = 6
_WORST = 3
_EXAGGERATION = 4.0


def evaluate(
    folder: Path, split: str = "test", background: str = "white", data: DataConfig | None = None
) -> dict[str, Any]:
    """Measure the student trained in `folder`; writes and returns the metrics.

    Every figure is the mean over images of the pictures put over `background`. Photographs are
    compared without their lens's distortion and without masked pixels. Where the views' source
    knows of no photographs, the student is held against the teacher alone.

    Args:
        folder: run folder.
        split: split of the photographs.
        background: "white" or "black".
        data: photographs; None: those that the teacher was trained on.

    Raises:
        UserError: there is no student, or no such split.
    """
    model, run = load_student(folder)
    source = open_source(run.scene.source)
    renderer, rows, sheet = StudentRenderer(model), [], []
    for view in tqdm(list(_views(source, run, split, data)), desc="eval", unit="view"):
        row, pictures = _evaluate_view(renderer, view, BACKGROUNDS[background], folder / "eval")
        rows.append(row)
        sheet.append(pictures)
    some, worst = sheet[:: -(-len(sheet) // _SHEET_ROWS)], _worst(rows)
    write_png(folder / "eval" / "sheet.png", contact_sheet([row[:-1] for row in some]))
    write_png(folder / "eval" / "worst.png", contact_sheet([sheet[k] for k in worst]))
    photographs = "truth" in rows[0]
    height, width = sheet[0][0].shape[:2]
    metrics = {
        "split": split if photographs else "drawn from the envelope",
        "views": len(rows),
        "background": background,
        **({"crop": CROPPED} if photographs and is_cropped(source.renderer) else {}),
        "width": width,
        "height": height,
        "student_psnr_truth": _mean_psnr(rows, "truth"),
        "student_psnr_teacher": _mean_psnr(rows, "teacher"),
        "teacher_psnr_truth": _mean_psnr(rows, "teacher_truth"),
        "mean": {
            pair: average([row[pair] for row in rows])
            for pair in ("truth", "teacher", "teacher_truth")
            if pair in rows[0]
        },
        "stability": _stability(renderer, source, run, BACKGROUNDS[background]),
        "worst": [rows[k]["name"] for k in worst],
        **_training(run),
        "seconds_per_view": sum(row["seconds"] for row in rows) / len(rows),
        "threads": torch.get_num_threads(),
        "budget": vars(count_budget(model, run.size)),
        "per_view": rows,
    }
    write_json(folder / "eval" / "metrics.json", metrics)
    return metrics


def _views(
    source: Source, run: StudentRun, split: str, data: DataConfig | None
) -> Iterator[HeldOut]:
    frames = frames_of(run.scene.source, data, split)
    if frames is None:
        for number in range(IMAGINED_VIEWS):
            yield imagined(source, number, run.size)
    else:
        for frame in frames:
            yield photographed(source, frame, run.config.size)


def _evaluate_view(
    renderer: StudentRenderer, view: HeldOut, background: float, folder: Path
) -> tuple[dict[str, Any], list[Tensor]]:
    """Metrics of one view by pair of pictures, and the pictures for the sheets, the error last."""
    start = time.perf_counter()
    seen = renderer.render(view.camera)
    row: dict[str, Any] = {"name": view.name, "seconds": time.perf_counter() - start}
    student, teacher = (composite_over(x.rgba, background) for x in (seen, view.teacher))
    row["teacher"] = measure(student, teacher, view.kept)
    pictures = [teacher.clamp(0, 1), student.clamp(0, 1)]
    if view.truth is not None:
        truth = composite_over(view.truth, background)
        pair = (measure(x, truth, view.kept) for x in (student, teacher))
        row["truth"], row["teacher_truth"] = pair
        pictures.insert(0, truth.clamp(0, 1))
    error = (pictures[-1] - pictures[0]).abs().mean(-1) * view.kept
    pictures.append(heat(_EXAGGERATION * error))
    pixels = to_bytes(straight_alpha(seen.rgba))
    write_png(folder / f"{Path(view.name).name}.png", pixels)
    return row, pictures


def _worst(rows: list[dict[str, Any]]) -> list[int]:
    """Numbers of the views that are farthest from the truth, or the teacher, the worst first."""
    pair = "truth" if "truth" in rows[0] else "teacher"
    return sorted(range(len(rows)), key=lambda k: rows[k][pair]["psnr"])[:_WORST]


def heat(values: Float[Tensor, "height width"]) -> Float[Tensor, "height width 3"]:
    """[0, 1] as black, red, yellow, white; larger values are white."""
    return (3 * values[..., None] - torch.arange(3.0)).clamp(0, 1)


def _stability(
    renderer: StudentRenderer, source: Source, run: StudentRun, background: float
) -> dict[str, Any] | None:
    """Temporal stability along the envelope's orbit; None where only stored views can be seen."""
    if isinstance(source, StoredSource):
        return None
    like = source.cameras[0].resized(run.size[1], run.size[0])
    bursts = orbit_bursts(source.envelope, like)
    return vars(measure_stability(films(renderer, source.renderer, bursts, background)))


def _mean_psnr(rows: list[dict[str, Any]], pair: str) -> float | None:
    if pair not in rows[0]:
        return None
    return sum(row[pair]["psnr"] for row in rows) / len(rows)


def _training(run: StudentRun) -> dict[str, Any]:
    """Preset, steps and seconds that the evaluated weights were trained for."""
    rows = Log(run.folder / "log.jsonl").rows()
    spent = {"step": rows[-1]["step"], "training_seconds": rows[-1]["seconds"]} if rows else {}
    return {"preset": run.preset, **spent}
