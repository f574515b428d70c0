"""Writing artefacts so that a reader never sees half of one.

Every file is written beside its final place under a temporary name, flushed to the disk and renamed: a killed process
leaves the old file or the new one. Stages downstream use the same functions.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from teacher.errors import UserError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it onto `path` if the block succeeds, else remove it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a full disk does not say what did not fit
        raise


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented JSON; NaN and infinity are refused, since no browser reads them."""
    text = json.dumps(value, indent=2, allow_nan=False)
    with replacing(path) as partial:
        partial.write_text(text + "\n")


def read_json(path: Path, what: str, remedy: str) -> Any:
    """Read the JSON file `path`; `what` it is and the `remedy` go into the error when it cannot be read."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(what, f"no file {path}", "a JSON file", remedy) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(what, f"{path}: {error}", "valid JSON", remedy) from error


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
