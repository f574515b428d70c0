"""Measuring and rendering a trained teacher, by several processes if torchrun started them.

eval:    held-out frames -> eval/metrics.json, eval/<name>.png, eval/<name>.depth.png, eval/sheet.png
render:  camera path -> PNG files or an mp4
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from teacher.cameras import Camera
from teacher.checkpoint import Log
from teacher.config import from_plain
from teacher.crop.files import NAME as CROP
from teacher.errors import UserError
from teacher.files import read_json, write_json
from teacher.images import (
    contact_sheet,
    straight_alpha,
    to_bytes,
    write_depth_png,
    write_mp4,
    write_png,
)
from teacher.machine import Device
from teacher.metrics import average, measure, psnr
from teacher.model import Teacher, as_described
from teacher.parallel import World
from teacher.paths import PATHS, read_path
from teacher.per_image import as_exposed
from teacher.presets import DataConfig
from teacher.pseudo.envelope import fit_envelope
from teacher.pseudo.view import View
from teacher.scene import Frame, Scene, composite_over, premultiply
from teacher.selection import JUDGES

BACKGROUNDS = {"white": 1.0, "black": 0.0}
_SHEET_ROWS = 6
_ALONE = World()


def load_data(run: Path) -> DataConfig:
    """The data configuration that the teacher in `run` was trained with."""
    plain = read_json(run / "config.json", "a teacher's configuration", "train a teacher first")
    return from_plain(DataConfig, plain["data"], f"{run}/config.json")


def evaluate(
    run: Path, split: str, background: str, device: Device = "auto", world: World = _ALONE
) -> dict[str, Any]:
    """Measure the teacher in `run` on a split of its data; writes and returns the metrics.

    PSNR is the mean over images; pictures are compared over `background` at the size it was trained on, without masked
    pixels, and through the photograph's own lens: where that distorts, the student's figures, and those of
    `export.compare`, differ, since `student.held_out` undistorts photographs. Views that chose the weights
    (`TrainConfig.keep`) are not among those of "test". A crop is not looked at: photographs show what is behind too.
    """
    teacher = Teacher.load(run, device, whole=True)
    data = load_data(run).load()
    scene = as_described(data, teacher.scene)
    if not scene.splits.get(split):
        known = ", ".join(name for name, frames in scene.splits.items() if frames)
        raise UserError("--split", split, f"a split with frames: {known}", "choose one of them")
    frames, rows, sheet = scene.splits[split], [], []
    every = -(-len(frames) // _SHEET_ROWS)
    mine = world.shard(list(enumerate(frames)))
    for number, frame in tqdm(mine, desc="eval", unit="view", disable=not world.first):
        row, pictures = _evaluate_frame(teacher, frame, run / "eval", BACKGROUNDS[background])
        rows.append(row)
        sheet.append(None if number % every else pictures)
    rows, sheet = world.gather(rows), world.gather(sheet)
    camera = scene.splits[split][0].camera
    metrics = {
        "split": split,
        "views": len(rows),
        "background": background,
        "width": camera.width,
        "height": camera.height,
        "cameras": "given" if teacher.variant.corrections.exact else "aligned with the corrected",
        **({"crop": "left out: whole photographs"} if (run / CROP).exists() else {}),
        **_means(rows),
        **_training(run, data),
        "mean": average([row["metrics"] for row in rows]),
        "seconds_per_view": sum(row["seconds"] for row in rows) / len(rows),
        "threads": torch.get_num_threads(),
        "per_view": rows,
    }
    if world.first:
        write_png(run / "eval" / "sheet.png", contact_sheet([row for row in sheet if row]))
        write_json(run / "eval" / "metrics.json", metrics)
    return metrics


def _evaluate_frame(
    teacher: Teacher, frame: Frame, folder: Path, background: float
) -> tuple[dict[str, Any], list[torch.Tensor]]:
    start = time.perf_counter()
    view = teacher.photograph(frame)
    seconds = time.perf_counter() - start
    mask, truth = frame.picture.mask(), premultiply(frame.picture.rgba())
    kept = torch.ones(truth.shape[:2], dtype=torch.bool) if mask is None else torch.from_numpy(mask)
    truth = composite_over(truth * kept[..., None], background)  # as `student.held_out` hides it
    image = composite_over(view.rgba, background).clamp(0, 1)
    write_view(folder / Path(frame.name).name, view)
    row = {"name": frame.name, "seconds": seconds, "metrics": measure(image, truth, kept)}
    if not teacher.variant.corrections.exact:
        given = composite_over(teacher.as_given(frame).rgba, background)
        row["psnr_from_given_camera"] = psnr(given[kept], truth[kept])
    if teacher.variant.per_image.config.gains:
        row["psnr_own_exposure"] = psnr(as_exposed(image[kept], truth[kept]), truth[kept])
    return row, [truth, image, _grey(view.depth)]


def _means(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Mean PSNR of the same teacher in other ways, where there are such: where cameras were corrected, from the cameras
    as they came with the data; where training pictures have gains, with the best ones for each held-out picture."""
    ways = {
        "psnr_from_given_camera": "psnr_from_given_cameras",
        "psnr_own_exposure": "psnr_own_exposures",
    }
    found = {many: [row[one] for row in rows if one in row] for one, many in ways.items()}
    return {many: sum(values) / len(values) for many, values in found.items() if values}


def _training(run: Path, data: Scene) -> dict[str, Any]:
    """Steps and seconds that the evaluated weights were trained for, and how they were chosen if not for being last."""
    rows = Log(run / "log.jsonl").rows()
    if not rows:
        return {}
    best = read_json(run / "progress.json", "a training's progress", "train again").get("best")
    if best is None:
        return {"step": rows[-1]["step"], "training_seconds": rows[-1]["seconds"]}
    of = f"the data's {JUDGES} split" if JUDGES in data.splits else "half of the test views"
    chosen = {"keep": "best", "by": of, "judges": best["judges"], "psnr_of_judges": best["psnr"]}
    return {"step": best["step"], "training_seconds": best["seconds"], "chosen": chosen}


def _grey(depth: torch.Tensor) -> torch.Tensor:
    """Depth as a picture: near is dark, nothing is white."""
    far = depth.max().clamp_min(1e-6)
    return torch.where(depth > 0, depth / far, torch.ones(()))[..., None].expand(-1, -1, 3)


def write_view(path: Path, view: View) -> None:
    """Write `<path>.png` (straight-alpha RGBA) and `<path>.depth.png` (16 bit, 1e-4 norm units)."""
    write_png(path.with_name(f"{path.name}.png"), to_bytes(straight_alpha(view.rgba)))
    write_depth_png(
        path.with_name(f"{path.name}.depth.png"), view.depth * (view.rgba[..., 3] > 0.5)
    )


def render(
    run: Path,
    path: str,
    frames: int,
    fps: int,
    output: Path,
    background: str,
    device: Device = "auto",
    world: World = _ALONE,
) -> None:
    """Render the teacher in `run` along a path ("orbit", "spiral" or a JSON file) into an mp4 or a folder."""
    teacher = Teacher.load(run, device)
    if path in PATHS:
        train = teacher.scene.split("train")
        cameras = PATHS[path](fit_envelope(train), train[0], frames)
    else:
        cameras, fps = read_path(Path(path))
    numbered = world.shard(list(enumerate(cameras)))
    numbered = tqdm(numbered, desc="render", unit="frame", disable=not world.first)
    views = ((k, teacher.render(camera)) for k, camera in numbered)
    if output.suffix == ".mp4":
        mine = (_picture(view, background) for _, view in views)
        pictures = world.stream(mine, len(cameras))
        if world.first:
            write_mp4(output, pictures, fps)
        else:
            list(pictures)
    else:
        for k, view in views:
            write_view(output / f"{k:04d}", view)


def _picture(view: View, background: str) -> np.ndarray:
    return to_bytes(composite_over(view.rgba, BACKGROUNDS[background]))


def bench(run: Path, views: int, device: Device = "auto") -> dict[str, float]:
    """Seconds per test view and rays per second of the teacher in `run`, on this machine now."""
    teacher = Teacher.load(run, device)
    cameras: Sequence[Camera] = teacher.scene.split("test")[:views]
    teacher.render(cameras[0])  # compiles kernels, warms caches
    start = time.perf_counter()
    for camera in cameras:
        teacher.render(camera)
    seconds = time.perf_counter() - start
    rays = sum(camera.width * camera.height for camera in cameras)
    return {"seconds_per_view": seconds / len(cameras), "rays_per_second": rays / seconds}
