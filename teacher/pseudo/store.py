"""Views on disk, for several machines or a foreign teacher. Online distillation needs none of this.

    store.json         what the views are of: schema, fingerprint, size, seed, sampler, envelope,
                       box, cameras
    shard-000000.tar   views 0 to shard_size - 1; see `shards`
    shard-000001.tar   ...

View k of a store is the source's view k, so shards can be written in any order, by any machine.
Each one appears whole or not at all, and the same command goes on with those that are missing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from teacher.cameras import Camera
from teacher.config import from_plain, to_plain
from teacher.errors import UserError
from teacher.files import read_json, replacing, write_json
from teacher.pseudo.envelope import Envelope
from teacher.pseudo.sampler import CameraSampler
from teacher.pseudo.shards import (
    ShardIndex,
    camera_from_json,
    camera_to_json,
    index_shard,
    read_view,
    write_shard,
)
from teacher.pseudo.source import Size, Source
from teacher.pseudo.view import PackedView, View

SCHEMA = 1
"""Goes up when the layout changes."""
_IDENTITY = ("schema", "fingerprint", "seed", "size", "shard_size", "alpha", "sampler", "order")
_HELD_BACK_ONE_IN, _MOST_HELD_BACK = 20, 20
_REMEDY = "delete the folder and write it again, or name another one"


@dataclass(frozen=True)
class StoreReport:
    """What a store holds."""

    views: int
    shards: int
    bytes: int

    @property
    def bytes_per_view(self) -> float:
        """Mean size of a view on disk."""
        return self.bytes / max(1, self.views)


def write_store(
    source: Source,
    folder: Path,
    views: int,
    shard_size: int,
    seed: int,
    *,
    size: Size | None = None,
    part: tuple[int, int] = (0, 1),
) -> StoreReport:
    """Render views 0 to `views` - 1 of `source`; goes on where an earlier call ended.

    Args:
        source: what to render. folder: created where it does not exist. views: how many; may be
        more than an earlier call wrote. shard_size: views in a shard; the last one may have fewer.
        seed: other seeds give other cameras. size: (height, width) in pixels; by default that of
        the first training camera. part: (which, of how many): of several machines, this one writes
        every `of how many`-th shard.

    Raises:
        UserError: the folder holds views of another source, size or seed, or a damaged shard.
    """
    size = (source.cameras[0].height, source.cameras[0].width) if size is None else size
    _claim(folder, _describe(source, size, shard_size, seed))
    which, of = part
    with tqdm(desc="store", total=views, unit="view") as bar:
        for number, start in enumerate(range(0, views, shard_size)):
            wanted = range(start, min(start + shard_size, views))
            path = _shard_path(folder, number)
            if number % of == which and not _holds(path, wanted):
                with replacing(path) as partial:
                    write_shard(partial, _render(source, wanted, size, seed, bar), start)
            else:
                bar.update(len(wanted))
    return report(folder)


def open_store(folder: Path) -> "StoredSource":
    """Open a store that `write_store` (or a foreign teacher) has written.

    Raises:
        UserError: `folder` is not a store of this schema, has no views, or lacks a shard in the
        middle.
    """
    plain = _read_description(folder)
    if plain.get("schema") != SCHEMA:
        raise UserError(
            f"store {folder}", f"schema {plain.get('schema')}", f"schema {SCHEMA}", _REMEDY
        )
    index = _read_index(folder)
    try:
        return _stored_source(plain, index)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"store {folder}", repr(error), "the keys that write_store writes", _REMEDY
        ) from error


def report(folder: Path) -> StoreReport:
    """Views, shards and bytes that the store in `folder` holds by now."""
    shards = sorted(folder.glob("shard-*.tar"))
    views = sum(len(index_shard(shard)) for shard in shards)
    return StoreReport(views, len(shards), sum(shard.stat().st_size for shard in shards))


@dataclass(frozen=True)
class StoredSource(Source):
    """A source whose views are read from shards; it can show no others."""

    size: Size
    """(height, width) of the stored views."""
    index: ShardIndex

    def __len__(self) -> int:
        return len(self.index)

    @property
    def held_back(self) -> int:
        """How many of the last views are for measuring alone: one in twenty, at most 20."""
        return min(_MOST_HELD_BACK, len(self) // _HELD_BACK_ONE_IN)

    def view(self, index: int, size: Size, seed: int) -> View:
        """Stored view `index`, from the start again after the last that is not held back; `seed`
        has no say any more.

        Raises:
            UserError: `size` is not that of the stored views.
        """
        return self._stored(index % (len(self) - self.held_back), size)

    def unseen(self, number: int, size: Size) -> View:
        """View `number` of those that are held back; raises as `view`, and in a store too small to
        hold any back.
        """
        if not self.held_back:
            raise UserError(
                f"stored views of {self.name}",
                f"{len(self)} views, too few to hold one back for measuring",
                f"at least {_HELD_BACK_ONE_IN} views",
                "write more views, or measure against photographs with --data",
            )
        return self._stored(len(self) - self.held_back + number % self.held_back, size)

    def _stored(self, number: int, size: Size) -> View:
        if tuple(size) != self.size:
            raise UserError(
                f"stored views of {self.name}",
                f"{size[0]} x {size[1]} pixels (height x width) asked for",
                f"{self.size[0]} x {self.size[1]}, the size they were rendered at",
                "train the student at that size, or write a store at the other",
            )
        return read_view(self.index[number]).unpack()


@dataclass(frozen=True)
class StoredViews:
    """The `ViewRenderer` of a store: shows what a stored camera saw."""

    index: ShardIndex

    def render(self, camera: Camera) -> View:
        """The stored view from `camera`.

        Raises:
            UserError: no stored view was rendered from there.
        """
        distance = (self._keys - _key(camera)).abs().amax(1)
        nearest = int(distance.argmin())
        if distance[nearest] > 1e-5:
            raise UserError(
                "view from a store",
                "a camera that none of its views was rendered from",
                "one of the stored cameras",
                "open the teacher itself to render new views",
            )
        return replace(read_view(self.index[nearest]).unpack(), camera=camera)

    @cached_property
    def _keys(self) -> Float[Tensor, "views 20"]:
        cameras = (read_view(self.index[k]).camera for k in range(len(self.index)))
        return torch.stack([_key(camera) for camera in cameras])


def _key(camera: Camera) -> Float[Tensor, "20"]:
    return torch.cat([camera.T_world_camera.flatten(), torch.tensor(camera.fractions)])


def _render(
    source: Source, wanted: range, size: Size, seed: int, bar: "tqdm[Any]"
) -> Iterator[PackedView]:
    for k in wanted:
        yield PackedView.pack(source.view(k, size, seed))
        bar.update()


def _describe(source: Source, size: Size, shard_size: int, seed: int) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "fingerprint": source.fingerprint,
        "seed": seed,
        "size": list(size),
        "shard_size": shard_size,
        "alpha": "premultiplied",
        "sampler": to_plain(source.sampler),
        "order": "spread",
        "name": source.name,
        "envelope": to_plain(source.envelope),
        "aabb": source.aabb.tolist(),
        "unbounded": source.unbounded,
        "cameras": [camera_to_json(camera) for camera in source.cameras],
    }


def _stored_source(plain: dict[str, Any], index: ShardIndex) -> StoredSource:
    height, width = plain["size"]
    return StoredSource(
        name=plain["name"],
        renderer=StoredViews(index),
        envelope=from_plain(Envelope, plain["envelope"], "store.json: envelope"),
        aabb=torch.tensor(plain["aabb"], dtype=torch.float32),
        cameras=tuple(camera_from_json(camera, (height, width)) for camera in plain["cameras"]),
        fingerprint=plain["fingerprint"],
        unbounded=plain.get("unbounded", False),
        size=(height, width),
        index=index,
    )


def _claim(folder: Path, wanted: dict[str, Any]) -> None:
    """Note what the folder is going to hold; refuse one that holds something else."""
    path = folder / "store.json"
    if not path.exists():
        write_json(path, wanted)
        return
    older = {"sampler": to_plain(CameraSampler()), "order": "as given"}
    found = {**older, **_read_description(folder)}
    wrong = [key for key in _IDENTITY if found.get(key) != wanted[key]]
    if wrong:
        raise UserError(
            f"store {folder}",
            ", ".join(f"{key} {found.get(key)!r}" for key in wrong),
            ", ".join(f"{key} {wanted[key]!r}" for key in wrong),
            _REMEDY,
        )


def _read_description(folder: Path) -> dict[str, Any]:
    plain = read_json(folder / "store.json", f"store {folder}", _REMEDY)
    if not isinstance(plain, dict):
        raise UserError(f"store {folder}", "store.json without keys", "a JSON object", _REMEDY)
    return plain


def _read_index(folder: Path) -> ShardIndex:
    """All views of a store; their numbers must run from 0 without a gap."""
    index: ShardIndex = {}
    for shard in sorted(folder.glob("shard-*.tar")):
        index |= index_shard(shard)
    missing = next((k for k in range(len(index)) if k not in index), None)
    if missing is not None or not index:
        raise UserError(
            f"store {folder}",
            "no views" if not index else f"view {missing} is missing, later ones are there",
            "views without a gap",
            "run the command that writes the store again: it goes on where it was stopped",
        )
    return index


def _holds(path: Path, wanted: range) -> bool:
    return path.exists() and set(wanted) <= set(index_shard(path))


def _shard_path(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:06d}.tar"
