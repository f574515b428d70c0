"""Run folders: what a training leaves behind, and how it goes on after a kill.

config.json            the whole TrainConfig, written first; a run with another one is refused
scene.json             cameras, box and T_norm_world: a trained teacher needs no data set to render
model.safetensors      averaged weights and occupancy: what rendering reads
training.safetensors   everything needed to go on (one file, so that it is of one step), removed by nobody
corrections.json       what camera corrections have come to, by frame (where the teacher has any)
log.jsonl              one row per logged step; rows behind the last checkpoint are cut off on resume
progress.json          steps done, seconds, whether the run is complete
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor, nn

from teacher.config import with_defaults
from teacher.errors import UserError
from teacher.files import replacing, write_json

_NO_KINDS: Mapping[str, type] = {}


def save_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    """Write `tensors` and `metadata` (JSON values) as one safetensors file, atomically."""
    contiguous = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    text = {key: json.dumps(value) for key, value in metadata.items()}
    with replacing(path) as partial:
        partial.write_bytes(
            safetensors.torch.save(contiguous, text)
        )  # save_file would make it 0600


def load_tensors(path: Path, what: str, remedy: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The inverse of `save_tensors`; a missing or damaged file raises a UserError naming `what` it is."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
            metadata = {key: json.loads(value) for key, value in (file.metadata() or {}).items()}
    except FileNotFoundError:
        raise UserError(what, f"no file {path}", "a finished training", remedy) from None
    except safetensors.SafetensorError as error:
        raise UserError(
            what, f"{path}: {error}", "an undamaged safetensors file", remedy
        ) from error
    return tensors, metadata


def fill(module: nn.Module, tensors: dict[str, Tensor], path: Path, whose: str) -> None:
    """Give `module` the `tensors` of the file `path`, a `whose`'s ("teacher"); UserError where they do not fit."""
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise UserError(
            f"a {whose}'s weights",
            f"{path}: {str(error).splitlines()[-1].strip()}",
            "the tensors of the network in config.json",
            f"train the {whose} again, into a new folder",
        ) from error


def under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, by the rest of their names."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def rows_by_name(
    saved: Tensor, saved_names: Sequence[str], fresh: Tensor, names: Sequence[str]
) -> Tensor:
    """`fresh`, a row for each of `names`, with the rows of `saved` (for `saved_names`) where both know the name."""
    row_of = {name: row for row, name in enumerate(saved_names)}
    known = [(row, row_of[name]) for row, name in enumerate(names) if name in row_of]
    matched = fresh.clone()
    for row, source in known:
        matched[row] = saved[source]
    return matched


class Log:
    """An append-only JSONL file that can be wound back to a step."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def rows(self) -> list[dict[str, Any]]:
        """All complete rows; a row that was cut short by a kill is left out."""
        if not self.path.exists():
            return []
        rows = []
        for line in self.path.read_text().splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                break
        return rows

    def rewind(self, step: int) -> None:
        """Forget every row behind `step`."""
        rows = [row for row in self.rows() if row["step"] <= step]
        with replacing(self.path) as partial:
            partial.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def append(self, row: dict[str, Any]) -> None:
        """Add one row."""
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")


def claim_run(folder: Path, config: Any, kinds: Mapping[str, type] = _NO_KINDS) -> None:
    """Make `folder` the run of `config` (plain JSON); refuse it if it belongs to another configuration."""
    if not check_claim(folder / "config.json", config, kinds):
        write_json(folder / "config.json", config)


def check_claim(path: Path, config: Any, kinds: Mapping[str, type] = _NO_KINDS) -> bool:
    """Whether `path` exists; it must then hold `config` (plain JSON).

    What an older file does not say yet of its parts `kinds` (dataclasses, by their keys) counts as their defaults.

    Raises:
        UserError: it holds another configuration; names what differs.
    """
    if not path.exists():
        return False
    existing = json.loads(path.read_text())
    for key in kinds.keys() & existing.keys():
        existing[key] = with_defaults(kinds[key], existing[key], f"{path}: {key}")
    if existing != config:
        changed = sorted(_differences(existing, config))
        raise UserError(
            f"run folder {path.parent}",
            f"a run with other settings ({', '.join(changed[:5])})",
            "the same settings, to resume it",
            "choose another --output, or delete the folder to start anew",
        )
    return True


def is_complete(folder: Path) -> bool:
    """Whether the run in `folder` took all its steps."""
    path = folder / "progress.json"
    return path.exists() and bool(json.loads(path.read_text())["complete"])


def _differences(a: Any, b: Any, where: str = "") -> list[str]:
    if isinstance(a, dict) and isinstance(b, dict):
        keys = sorted(a.keys() | b.keys())
        return [d for key in keys for d in _differences(a.get(key), b.get(key), f"{where}.{key}")]
    return [] if a == b else [where.lstrip(".")]
