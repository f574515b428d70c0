"""crop.json of a teacher's run folder. Nothing of torch here: a page that lists runs reads it too.

{"schema", "box": [low, high] (norm frame), "cells": {"size", "bits"} | null, "found": what it was found from}
"""

import base64
import hashlib
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from teacher.errors import UserError
from teacher.files import read_json, sha256, write_json

NAME = "crop.json"
_SCHEMA = 1
_REMEDY = "find it again with `python -m teacher crop`"
Corner = tuple[float, float, float]


@dataclass(frozen=True)
class CropFile:
    """A crop as it is stored."""

    box: tuple[Corner, Corner]
    """Lower and upper corner in the norm frame."""
    cells: Bool[np.ndarray, "x y z"] | None = None
    found: dict[str, Any] = field(default_factory=dict)
    """How it came about, for people."""

    def write(self, run: Path) -> None:
        """Write into the run folder."""
        cells = None
        if self.cells is not None:
            packed = zlib.compress(np.packbits(self.cells).tobytes(), 9)
            cells = {"size": self.cells.shape, "bits": base64.b64encode(packed).decode()}
        document = {"schema": _SCHEMA, "box": self.box, "cells": cells, "found": self.found}
        write_json(run / NAME, document)


def read_crop(run: Path) -> CropFile | None:
    """The crop of a run folder; None where there is none. Raises UserError for a damaged file."""
    path = run / NAME
    if not path.exists():
        return None
    plain = read_json(path, "a teacher's crop", _REMEDY)
    try:
        if plain["schema"] != _SCHEMA:
            raise ValueError(f"schema {plain['schema']}")
        low, high = map(_corner, plain["box"])
        if not all(a < b for a, b in zip(low, high, strict=True)):
            raise ValueError(f"box {plain['box']}")
        return CropFile((low, high), _cells(plain["cells"]), plain["found"])
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        given, expected = f"{path}: {error!r}", f"a crop of schema {_SCHEMA}"
        raise UserError("a teacher's crop", given, expected, _REMEDY) from error


def _corner(plain: Any) -> Corner:
    x, y, z = map(float, plain)
    return x, y, z


def _cells(plain: dict[str, Any] | None) -> Bool[np.ndarray, "x y z"] | None:
    if plain is None:
        return None
    x, y, z = plain["size"]
    packed = np.frombuffer(zlib.decompress(base64.b64decode(plain["bits"])), np.uint8)
    return np.unpackbits(packed)[: x * y * z].reshape(x, y, z).astype(bool)


def fingerprint(run: Path, weights: str) -> str:
    """Of the views of the teacher in `run`, whose weights have that SHA-256: another crop makes other views."""
    path = run / NAME
    if not path.exists():
        return weights[:16]
    return hashlib.sha256(f"{weights} {sha256(path)}".encode()).hexdigest()[:16]
