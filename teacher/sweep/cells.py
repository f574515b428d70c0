"""One cell of a sweep: train, evaluate, and a row of what came out, or of why nothing did.

row.json is written last, so a cell that has one without an error is finished; any other is begun or gone on with.
"""

import statistics
from pathlib import Path
from typing import Any

import torch

from teacher import checkpoint
from teacher.errors import UserError
from teacher.evaluate import BACKGROUNDS, evaluate, load_data
from teacher.files import read_json, write_json
from teacher.machine import Machine, pick_device
from teacher.metrics import METRICS
from teacher.model import Teacher, as_described
from teacher.presets import DataConfig, TrainConfig
from teacher.sweep.grid import Cell
from teacher.train import train
from teacher.trainer import last_weights

Row = dict[str, Any]
KEY = ("preset", "frames", "steps", "seed")
"""What tells rows apart."""
COLUMNS = (
    *KEY,
    *("split", "views", "background", "width", "height"),
    *METRICS,
    "last_psnr",  # of the last step's weights, on the same views
    *("training_seconds", "rays_per_second", "fps", "best_step", "device", "threads", "error"),
)
"""Of results.csv; a metric that cannot be computed has its reason there."""


def read_row(run: Path) -> Row | None:
    """The row of the cell in `run`; None if it has none yet."""
    path = run / "row.json"
    return read_json(path, "a sweep's row", f"delete {path}") if path.exists() else None


def is_finished(run: Path) -> bool:
    """Whether the cell in `run` needs nothing more; one that failed is tried again."""
    row = read_row(run)
    return row is not None and not row["error"]


def run_cell(
    cell: Cell, data: DataConfig, config: TrainConfig, background: str, run: Path, machine: Machine
) -> Row:
    """Train and evaluate `cell` in the run folder `run`.

    Raises:
        Exception: whatever training or evaluating raises; nothing is written then.
        KeyboardInterrupt: a signal ended it early; what was learned is saved.
    """
    train(data, config, run, machine)
    metrics = evaluate(run, "test", background, machine.device)
    row = {**_empty(cell), **_measured(metrics), **_cost(run, machine)}
    row["last_psnr"] = row["psnr"]
    if row["best_step"] < config.steps:
        row["last_psnr"] = _last_psnr(run, background, machine)
    write_json(run / "row.json", row)
    return row


def failed_row(cell: Cell, error: Exception, run: Path) -> Row:
    """The row of a cell that `error` ended, written too."""
    reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
    if isinstance(error, UserError):
        reason = f"{error.thing}: {error.given} (expected: {error.expected})"
    row = {**_empty(cell), "error": reason}
    write_json(run / "row.json", row)
    return row


def _empty(cell: Cell) -> Row:
    return dict.fromkeys(COLUMNS, "") | {key: getattr(cell, key) for key in KEY}


def _measured(metrics: dict[str, Any]) -> Row:
    """Quality and speed of the evaluated weights; the median view's time, as the first one pays for all."""
    seconds = statistics.median(view["seconds"] for view in metrics["per_view"])
    keys = ("split", "views", "background", "width", "height", "threads")
    return {
        **{key: metrics[key] for key in keys},
        **metrics["mean"],
        "rays_per_second": metrics["width"] * metrics["height"] / seconds,
        "fps": 1 / seconds,
        "best_step": metrics["step"],
    }


def _cost(run: Path, machine: Machine) -> Row:
    """What the whole training cost, and where."""
    progress = read_json(run / "progress.json", "a training's progress", "train again")
    device = pick_device(machine.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return {"training_seconds": progress["seconds"], "device": name}


def _last_psnr(run: Path, background: str, machine: Machine) -> float:
    """PSNR of the last step's weights on the views that the kept ones were reported on."""
    state, _ = checkpoint.load_tensors(run / "training.safetensors", "a checkpoint", "train again")
    teacher = Teacher.load(run, machine.device)
    teacher.variant.load_state_dict(last_weights(state))
    test = as_described(load_data(run).load(), teacher.scene).splits["test"]
    return statistics.fmean(teacher.psnrs(test, BACKGROUNDS[background]))
