"""Comparisons on disk. Reading them needs no torch, so that a page shows them at once.

    RUN/compare/<split>/<background>/<view>/{truth,teacher,student,...}.png, *.depth.png, kept.png, record.json

* A view's folder is whole if it has a record.json, which is removed first and written last.
* The record serves as long as nothing it was made of has changed: the content of what rendered (`identity`), camera,
  photograph and mask by their content, background, the metrics' version. It may hold more models than are asked for.
* A record that does not serve is written over when its view is compared again. Views that the split no longer has are
  removed by a comparison of the whole split, as is what a killed process left. Nothing else is removed: a background or
  a split that nobody asks for any more stays until RUN/compare is deleted, which is always safe.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from export.compare.identity import content, digest, identities
from export.compare.records import Novelty, ViewRecord
from export.runs import Run
from teacher.files import write_json

RECORD = "record.json"
_VERSION = 1
"""Goes up when a record comes to hold other fields, or a metric other values."""


@dataclass(frozen=True)
class Stored:
    """A record with what it depends on."""

    record: ViewRecord
    number: int
    """Of the view in its split."""
    key: str
    """Digest of everything but the models and the files."""
    identities: dict[str, str]
    """What rendered, by model: `export.compare.identity`."""
    files: dict[str, str]
    """Photograph and mask with their content."""

    def serves(self, known: Mapping[str, str]) -> bool:
        """Whether its models are those `known` by identity, and its files have not changed."""
        if any(known.get(model) != found for model, found in self.identities.items()):
            return False
        return all(_unchanged(Path(path), found) for path, found in self.files.items())


def _unchanged(path: Path, known: str) -> bool:
    """Whether the file has the content `known`; one that is gone says nothing against it."""
    try:
        return content(path) == known
    except OSError:
        return True


def view_key(description: Mapping[str, Any]) -> str:
    """Digest of what a view is, with all that its scores depend on beside."""
    return digest([_conditions(), dict(description)])


def _conditions() -> list[Any]:
    return [_VERSION, os.environ.get("POCKETFIELD_LPIPS_WEIGHTS")]


def cache_folder(run: Run, split: str, background: str) -> Path:
    """Where the comparisons of a split lie."""
    return run.folder / "compare" / _file_name(split) / background


def view_folder(run: Run, split: str, background: str, name: str) -> Path:
    """The folder of the view `name`."""
    return cache_folder(run, split, background) / _file_name(name)


def _file_name(name: str) -> str:
    """`name` as one part of a path, different for every name.

    >>> _file_name("test/r_000"), _file_name("..")
    ('test%2Fr_000', '%2E.')
    """
    quoted = quote(name, safe=" ")
    return f"%2E{quoted[1:]}" if quoted.startswith(".") else quoted


def write_record(folder: Path, stored: Stored) -> None:
    """Write what makes the files in `folder` whole."""
    record = stored.record
    plain = {field.name: getattr(record, field.name) for field in fields(record)}
    plain |= {name: _names(getattr(record, name)) for name in ("pictures", "depths")}
    plain["novelty"] = vars(record.novelty)
    plain["kept"] = None if record.kept is None else record.kept.name
    document = {
        "conditions": _conditions(),
        "key": stored.key,
        "number": stored.number,
        "identities": stored.identities,
        "files": stored.files,
        "record": plain,
    }
    write_json(folder / RECORD, document)


def _names(files: Mapping[str, Path]) -> dict[str, str]:
    return {key: path.name for key, path in files.items()}


def read_stored(folder: Path) -> Stored | None:
    """What `folder` holds, or None where it is not whole, or of another version."""
    try:
        document = json.loads((folder / RECORD).read_text())
        if document["conditions"] != _conditions():
            return None
        record = _record(folder, document["record"])
        parts = (document[name] for name in ("number", "key", "identities", "files"))
        return Stored(record, *parts)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _record(folder: Path, plain: dict[str, Any]) -> ViewRecord:
    return ViewRecord(
        **{
            **plain,
            "novelty": Novelty(**plain["novelty"]),
            "pictures": {key: folder / name for key, name in plain["pictures"].items()},
            "depths": {key: folder / name for key, name in plain["depths"].items()},
            "sizes": {key: (width, height) for key, (width, height) in plain["sizes"].items()},
            "kept": None if plain["kept"] is None else folder / plain["kept"],
        }
    )


def read_all(run: Run, split: str, background: str) -> list[Stored]:
    """Everything whole in the split's folder, in the order of its views, whether it serves or not."""
    folder = cache_folder(run, split, background)
    names = sorted(path.parent for path in folder.glob(f"*/{RECORD}"))
    found = [stored for stored in map(read_stored, names) if stored is not None]
    return sorted(found, key=lambda stored: stored.number)


def cached_records(run: Run, split: str = "test", background: str = "white") -> list[ViewRecord]:
    """The comparisons of `run` that are there and still hold, in the order of their views."""
    stored = read_all(run, split, background)
    known = identities(run) if stored else {}
    return [replace(one.record, run=run.name) for one in stored if one.serves(known)]


def prune(run: Run, split: str, background: str, names: set[str]) -> None:
    """Remove views that are not among `names`, and what killed processes left of those that are."""
    wanted = {_file_name(name) for name in names}
    for folder in cache_folder(run, split, background).iterdir():
        if folder.name not in wanted:
            shutil.rmtree(folder)
        else:
            for path in folder.glob(".*.partial"):
                path.unlink(missing_ok=True)
