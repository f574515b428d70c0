"""One `transforms.json`, in the dialects of instant-ngp and nerfstudio.

    transforms.json + images (+ masks, + images_2/4/8) -> RawScene

* Lenses, masks and intrinsics, of the file or of a frame: `teacher.datasets.entries`.
* Splits: `train_filenames`, `val_filenames`, `test_filenames`; without them every n-th is held out.
* instant-ngp's box: its coordinates are world * scale + offset (0.33 and 0.5 unless given) and it
  models the cube [0.5 - s/2, 0.5 + s/2]^3, s = `aabb_scale`. A key `aabb` stands for the scale and
  offset that map that box's longest side onto the unit cube.
* `ply_file_path`: sparse points, in the world of the poses.
* nerfstudio's `applied_transform` (3 x 4) and `applied_scale` are part of the poses already. They
  are only kept, as `T_world_source`, so that a reconstruction's points can be brought into the
  world.
"""

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from teacher.datasets.entries import Entry, entries_of, read_document, view_of
from teacher.datasets.files import read_frames
from teacher.datasets.ply import read_points
from teacher.datasets.raw import (
    LoadOptions,
    NotThisFormat,
    RawScene,
    natural_order,
    with_test_split,
)
from teacher.datasets.sparse import believed
from teacher.errors import UserError

_NGP_SCALE, _NGP_OFFSET = 0.33, 0.5  # instant-ngp's NERF_SCALE and the centre of its unit cube


def load(path: Path, options: LoadOptions) -> RawScene:
    """Load the folder or JSON file `path`; see `teacher.datasets.raw` for what a loader does."""
    file = path if path.suffix == ".json" else path / "transforms.json"
    if not file.is_file():
        raise NotThisFormat("it has no transforms.json")
    document = read_document(file)
    entries = entries_of(file, document)
    entries.sort(key=lambda entry: natural_order(entry.file_path))
    views = {
        split: [view_of(entry, options.downscale) for entry in mine]
        for split, mine in _split(entries, document, file).items()
    }
    frames = read_frames(views, file.parent, options)
    return RawScene(
        str(document.get("name") or file.parent.resolve().name),
        with_test_split(frames.splits, options.test_every),
        frames.has_alpha,
        _ngp_box(document, file),
        _source_frame(document, file),
        frames.warnings + _unlisted(entries, document, file) + _no_points(document, file),
        _points(document, file),
    )


def _split(entries: list[Entry], document: dict[str, Any], file: Path) -> dict[str, list[Entry]]:
    """Entries by the file's split keys; all of them are "train" where it has none."""
    by_path = {_plain(entry.file_path): entry for entry in entries}
    splits: dict[str, list[Entry]] = {}
    for split, names in _listed(document).items():
        unknown = [name for name in names if _plain(name) not in by_path]
        if unknown:
            given = f"{split}_filenames names {unknown[0]!r}, which is no frame's file_path"
            raise UserError(f"camera file {file}", given, "names of frames", "mend the list")
        splits[split] = [by_path[_plain(name)] for name in names]
    if splits and "train" not in splits:
        raise UserError(
            f"camera file {file}",
            f"split keys {', '.join(f'{name}_filenames' for name in splits)}",
            "'train_filenames' among them",
            "add it, or remove all of them to hold out every n-th frame",
        )
    return splits or {"train": entries}


def _unlisted(entries: list[Entry], document: dict[str, Any], file: Path) -> tuple[str, ...]:
    listed = {_plain(name) for names in _listed(document).values() for name in names}
    unused = [entry for entry in entries if _plain(entry.file_path) not in listed]
    if not listed or not unused:
        return ()
    return (f"{file}: {len(unused)} frames are in none of its splits and left out",)


def _listed(document: dict[str, Any]) -> dict[str, list[str]]:
    splits = {split: document.get(f"{split}_filenames") for split in ("train", "val", "test")}
    return {split: names for split, names in splits.items() if names is not None}


def _points(document: dict[str, Any], file: Path) -> Float64[Tensor, "n 3"] | None:
    """The sparse points that belong to the poses, where there are enough."""
    points = file.parent / str(document.get("ply_file_path", ""))
    return believed(read_points(points)) if points.is_file() else None


def _no_points(document: dict[str, Any], file: Path) -> tuple[str, ...]:
    name = document.get("ply_file_path")
    if name is None or (file.parent / str(name)).is_file():
        return ()
    return (f"{file}: its points {name} do not exist; the box is found without them",)


def _plain(name: str) -> str:
    return Path(str(name).replace("\\", "/")).as_posix()


def _ngp_box(document: dict[str, Any], file: Path) -> Float64[Tensor, "2 3"] | None:
    """The cube that instant-ngp would model, in world units; None where the file asks for none."""
    if "aabb_scale" not in document and "aabb" not in document:
        return None
    side = _vector(document, "aabb_scale", 1.0, file)
    scale = _vector(document, "scale", _NGP_SCALE, file)
    offset = _vector(document, "offset", _NGP_OFFSET, file)
    centre = (0.5 - offset) / scale
    if "aabb" in document:
        corners = _vector(document, "aabb", 0.0, file).expand(2, 3)
        scale = 1 / (corners[1] - corners[0]).abs().max()
        centre = corners.mean(0)
    half = side / (2 * scale)
    return torch.stack([(centre - half).expand(3), (centre + half).expand(3)])


def _source_frame(document: dict[str, Any], file: Path) -> Float64[Tensor, "4 4"]:
    """applied_scale * applied_transform as a 4 x 4 matrix; the identity if there is neither."""
    T = torch.eye(4).double()
    if "applied_transform" in document:
        given = _vector(document, "applied_transform", 0.0, file)
        if given.shape not in ((3, 4), (4, 4)):
            raise UserError(
                f"camera file {file}",
                f"applied_transform of shape {tuple(given.shape)}",
                "3 rows of 4 numbers",
                "mend the key, or remove it: it only documents how the poses were made",
            )
        T[:3] = given[:3]
    T[:3] *= _vector(document, "applied_scale", 1.0, file)
    return T


def _vector(document: dict[str, Any], key: str, default: float, file: Path) -> Tensor:
    """A number or nested list of numbers as a float64 tensor."""
    try:
        value = torch.tensor(document.get(key, default), dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        value = torch.tensor(float("nan"))
    if not value.isfinite().all():
        given = f"{key} = {document.get(key)!r}"
        raise UserError(f"camera file {file}", given, "finite numbers", "mend the key")
    return value
