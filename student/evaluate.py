"""Measuring a student: against photographs it has not seen, and against its teacher.

held-out views, student -> eval/metrics.json, eval/<name>.png (RGBA),
                           eval/sheet.png (truth | teacher | student)
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
from student.held_out import HeldOut, frames_of, imagined, photographed
from student.render import StudentRenderer
from teacher.checkpoint import Log
from teacher.evaluate import BACKGROUNDS
from teacher.files import write_json
from teacher.images import contact_sheet, straight_alpha, to_bytes, write_png
from teacher.metrics import average, measure, psnr
from teacher.presets import DataConfig
from teacher.pseudo.source import open_source
from teacher.scene import composite_over

IMAGINED_VIEWS = 20
"""Views measured where there are no photographs."""
_SHEET_ROWS = 6


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
    renderer, rows, sheet = StudentRenderer(model), [], []
    for view in tqdm(list(_views(run, split, data)), desc="eval", unit="view"):
        row, pictures = _evaluate_view(renderer, view, BACKGROUNDS[background], folder / "eval")
        rows.append(row)
        sheet.append(pictures)
    write_png(folder / "eval" / "sheet.png", contact_sheet(sheet[:: -(-len(sheet) // _SHEET_ROWS)]))
    photographs = "truth" in rows[0]
    height, width = sheet[0][0].shape[:2]
    metrics = {
        "split": split if photographs else "drawn from the envelope",
        "views": len(rows),
        "background": background,
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
        **_training(run),
        "seconds_per_view": sum(row["seconds"] for row in rows) / len(rows),
        "threads": torch.get_num_threads(),
        "budget": vars(count_budget(model, run.size)),
        "per_view": rows,
    }
    write_json(folder / "eval" / "metrics.json", metrics)
    return metrics


def _views(run: StudentRun, split: str, data: DataConfig | None) -> Iterator[HeldOut]:
    source = open_source(run.scene.source)
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
    """Metrics of one view by pair of pictures, and the pictures for the sheet."""
    start = time.perf_counter()
    seen = renderer.render(view.camera)
    row: dict[str, Any] = {"name": view.name, "seconds": time.perf_counter() - start}
    student, teacher = (composite_over(x.rgba, background) for x in (seen, view.teacher))
    row["teacher"] = _compare(student, teacher, view)
    pictures = [teacher.clamp(0, 1), student.clamp(0, 1)]
    if view.truth is not None:
        truth = composite_over(view.truth, background)
        row["truth"], row["teacher_truth"] = (_compare(x, truth, view) for x in (student, teacher))
        pictures.insert(0, truth.clamp(0, 1))
    pixels = to_bytes(straight_alpha(seen.rgba))
    write_png(folder / f"{Path(view.name).name}.png", pixels)
    return row, pictures


def _compare(
    image: Float[Tensor, "height width 3"],
    reference: Float[Tensor, "height width 3"],
    view: HeldOut,
) -> dict[str, float | str]:
    """All metrics; pixels that do not count are equal for SSIM and FLIP and left out of PSNR."""
    if view.kept.all():
        return measure(image.clamp(0, 1), reference.clamp(0, 1))
    kept = view.kept[..., None]
    found = measure(torch.where(kept, image, reference).clamp(0, 1), reference.clamp(0, 1))
    return {**found, "psnr": psnr(image[view.kept], reference[view.kept])}


def _mean_psnr(rows: list[dict[str, Any]], pair: str) -> float | None:
    if pair not in rows[0]:
        return None
    return sum(row[pair]["psnr"] for row in rows) / len(rows)


def _training(run: StudentRun) -> dict[str, Any]:
    """Preset, steps and seconds that the evaluated weights were trained for."""
    rows = Log(run.folder / "log.jsonl").rows()
    spent = {"step": rows[-1]["step"], "training_seconds": rows[-1]["seconds"]} if rows else {}
    return {"preset": run.preset, **spent}
