"""Packed views in tar shards, in webdataset's layout: members that share a number belong together.

    000000.json        camera: T_norm_camera (4x4), intrinsics (fractions of width and height)
    000000.rgba.png    8-bit RGBA, premultiplied, so that nothing is lost against the pool
    000000.depth.npy   float16, distance along the unit ray in norm units

Archives are plain tar, not compressed: members are read in place, by offset.
"""

import io
import json
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from teacher.cameras import Camera
from teacher.errors import UserError
from teacher.pseudo.view import PackedView

PARTS = ("json", "rgba.png", "depth.npy")
_REMEDY = "delete this shard and write the store again: only what is missing is rendered"


@dataclass(frozen=True)
class Member:
    """Where one file lies inside a shard."""

    shard: Path
    offset: int
    size: int

    def read(self) -> bytes:
        """Its bytes."""
        with self.shard.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


ShardIndex = dict[int, dict[str, Member]]
"""Number of a view to its members by part."""


def write_shard(path: Path, views: Iterable[PackedView], first: int) -> None:
    """Write `views`, numbered from `first`; the same views give the same bytes."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for number, view in enumerate(views, first):
            for part, data in zip(PARTS, _encode(view), strict=True):
                member = tarfile.TarInfo(f"{number:06d}.{part}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))


def index_shard(path: Path) -> ShardIndex:
    """Where the views of a shard lie.

    Raises:
        UserError: the file is not a whole tar archive of views.
    """
    index: ShardIndex = {}
    try:
        with tarfile.open(path, "r:") as archive:
            for info in archive:
                number, part = info.name.split(".", 1)
                member = Member(path, info.offset_data, info.size)
                index.setdefault(int(number), {})[part] = member
    except (tarfile.TarError, ValueError, EOFError) as error:
        raise _unreadable(path, repr(error)) from error
    for number, members in index.items():
        if set(members) != set(PARTS):
            raise _unreadable(path, f"view {number} has {sorted(members)}")
    return index


def read_view(members: dict[str, Member]) -> PackedView:
    """Read one view.

    Raises:
        UserError: its files are damaged.
    """
    try:
        with Image.open(io.BytesIO(members["rgba.png"].read())) as image:
            rgba = np.array(image)
        depth = np.load(io.BytesIO(members["depth.npy"].read()))
        camera = camera_from_json(json.loads(members["json"].read()), rgba.shape[:2])
        return PackedView(camera, torch.from_numpy(rgba), torch.from_numpy(depth))
    except (OSError, SyntaxError, ValueError, EOFError, KeyError) as error:
        raise _unreadable(members["json"].shard, repr(error)) from error


def camera_to_json(camera: Camera) -> dict[str, Any]:
    """A pinhole camera as `teacher.paths` writes it too; float32 values come back exactly."""
    pose = camera.T_world_camera.tolist()
    return {"T_norm_camera": pose, "intrinsics": list(camera.fractions)}


def camera_from_json(plain: dict[str, Any], size: tuple[int, ...]) -> Camera:
    """The inverse of `camera_to_json`, for pictures of `size` = (height, width)."""
    height, width = size
    fx, fy, cx, cy = plain["intrinsics"]
    pose = torch.tensor(plain["T_norm_camera"], dtype=torch.float32)
    return Camera(pose, fx * width, fy * height, cx * width, cy * height, width, height)


def _encode(view: PackedView) -> tuple[bytes, bytes, bytes]:
    """The files of one view, in the order of `PARTS`."""
    picture, depth = io.BytesIO(), io.BytesIO()
    Image.fromarray(view.rgba.cpu().numpy()).save(picture, "PNG")
    np.save(depth, view.depth.cpu().numpy())
    camera = json.dumps(camera_to_json(view.camera)).encode()
    return camera, picture.getvalue(), depth.getvalue()


def _unreadable(path: Path, given: str) -> UserError:
    return UserError(f"shard {path}", given, f"a tar archive of views with {PARTS}", _REMEDY)
