"""Graphs of two sizes with one set of weights: the second file refers to the first one's bytes.

    graph, bytes of the full size's file --by_reference--> the graph without its large constants,
        which it names as ONNX external data: location, offset, length

An ONNX file is itself a fine container for another one's external data, since a tensor's raw data is
one range of it. ONNX Runtime finds the file beside the model; in a browser the page passes it along
(`externalData`), so nothing is downloaded twice.
"""

from pathlib import Path

import onnx
from onnx import ModelProto, TensorProto
from onnx.external_data_helper import ExternalDataInfo, uses_external_data

from teacher.errors import UserError

SMALLEST = 1024
"""Bytes of a constant that is worth a reference; ONNX Runtime wants shapes in the file itself."""
_REMEDY = "write the bundle again with `python -m export bundle`"


def by_reference(graph: ModelProto, whole: bytes, location: str) -> ModelProto:
    """A copy of `graph` whose large constants are ranges of the file `location`, which is `whole`.

    Constants that are not in there stay as they are.
    """
    copy = ModelProto()
    copy.CopyFrom(graph)
    for tensor in copy.graph.initializer:
        offset = whole.find(tensor.raw_data) if len(tensor.raw_data) >= SMALLEST else -1
        if offset >= 0:
            _refer(tensor, location, offset)
    return copy


def _refer(tensor: TensorProto, location: str, offset: int) -> None:
    length = len(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))


def check_references(path: Path, location: str) -> None:
    """Hold the ranges that the ONNX file `path` refers to against the file `location` beside it.

    Raises:
        UserError: it refers to another file, or past the end of that one.
    """
    end = (path.parent / location).stat().st_size
    for tensor in onnx.load(path, load_external_data=False).graph.initializer:
        if not uses_external_data(tensor):
            continue
        found = ExternalDataInfo(tensor)
        first, length = found.offset or 0, found.length or 0
        if found.location != location or first + length > end:
            given = f"{tensor.name} at {first} of {found.location}, {length} bytes"
            expected = f"a range of the {end} bytes of {location}"
            raise UserError(f"{path}", given, expected, _REMEDY)
