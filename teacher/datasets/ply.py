"""The points of a PLY file, as text or binary; everything else in it is passed over.

    header --which numbers x, y and z are among a vertex' properties--> columns --> [n, 3]

Facts: http://paulbourke.net/dataformats/ply/. nerfstudio names such a file in `ply_file_path`: the sparse points of its
reconstruction, in the world of its poses.
"""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from teacher.errors import UserError

_TYPES = {
    **{"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"},
    **{"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"},
    **{"float": "f4", "double": "f8", "float32": "f4", "float64": "f8"},
}
_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": "<"}
_LONGEST_HEADER = 1 << 16


def read_points(file: Path) -> Float64[Tensor, "n 3"]:
    """x, y and z of every vertex; raises UserError where `file` is no PLY file of points."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise _unusable(file, error.strerror or str(error)) from None
    header, body = _header(data, file)
    order, vertices, count = _layout(header, file)
    if order == "ascii":
        return _from_text(body, vertices, count, file)
    size = vertices.itemsize * count
    if len(body) < size:
        raise _unusable(file, f"{len(body)} bytes of points instead of {size}")
    table = np.frombuffer(body, vertices, count)
    return torch.from_numpy(np.stack([table[axis].astype(np.float64) for axis in "xyz"], 1))


def _header(data: bytes, file: Path) -> tuple[list[list[str]], bytes]:
    """The header's lines as words, and what follows them."""
    head, end, body = data[:_LONGEST_HEADER].partition(b"end_header")
    if not data.startswith(b"ply") or not end:
        raise _unusable(file, "no header from 'ply' to 'end_header'")
    rest = body.find(b"\n") + 1
    lines = head.decode("ascii", "replace").splitlines()
    return [line.split() for line in lines if line.split()], data[len(head) + len(end) + rest :]


def _layout(header: list[list[str]], file: Path) -> tuple[str, np.dtype, int]:
    """The file's order of bytes, a vertex' properties and the count of vertices, which come first."""
    order, element, count = "", "", 0
    fields: list[tuple[str, str]] = []
    for words in header:
        match words:
            case ["format", kind, _] if kind in _ORDERS:
                order = kind
            case ["element", "vertex", number] if not element and _is_count(number):
                element, count = "vertex", int(number)
            case ["element", *_] if not element:
                raise _unusable(file, f"{' '.join(words)!r} before the vertices")
            case ["element", *_]:
                element = "other"
            case ["property", kind, name] if element == "vertex" and kind in _TYPES:
                fields.append((name, _ORDERS.get(order, "<") + _TYPES[kind]))
            case ["property", *_] if element == "vertex":
                raise _unusable(file, f"the property {' '.join(words[1:])!r} of a vertex")
    names = [name for name, _ in fields]
    if not order or not {"x", "y", "z"} <= set(names) or len(set(names)) < len(names):
        raise _unusable(file, f"format {order or 'unknown'!r}, vertices of {', '.join(names)}")
    return order, np.dtype(fields), count


def _is_count(word: str) -> bool:
    return word.isdecimal() and len(word) < 19  # longer ones are damage, and slow to convert


def _from_text(body: bytes, vertices: np.dtype, count: int, file: Path) -> Float64[Tensor, "n 3"]:
    names = list(vertices.names or ())
    rows = [line.split() for line in body.decode("ascii", "replace").split("\n")[:count]]
    if len(rows) < count or any(len(row) != len(names) for row in rows):
        raise _unusable(file, f"rows that are not {count} of {len(names)} numbers")
    try:
        table = np.array([[float(word) for word in row] for row in rows], np.float64)
    except ValueError as error:
        raise _unusable(file, str(error)) from None
    table = table.reshape(count, len(names))
    return torch.from_numpy(table[:, [names.index(axis) for axis in "xyz"]].copy())


def _unusable(file: Path, given: str) -> UserError:
    return UserError(
        f"point file {file}",
        given,
        "a complete PLY file whose first element are vertices with x, y and z",
        "write it again, or remove ply_file_path from the camera file: the scene loads without points",
    )
