"""Two graphs with one set of weights: the second file holds references into the first."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, numpy_helper

from export.bundle import write_onnx
from export.shared import by_reference, check_references
from export.verify import session
from teacher.errors import UserError
from tests.export.graphs import graph, single

TABLE = np.random.default_rng(0).normal(size=(30, 20)).astype(np.float32)
SMALL = single([1, 2, 3])


def _scaled(side: int, **others: np.ndarray) -> ModelProto:
    """The product of a [side, 30] input with the table, plus a small constant."""
    return graph(
        f"g (float[{side}, 30] x) => (float[{side}, 20] y) {{ z = MatMul(x, table)  y = Add(z, one) }}",
        **{"table": TABLE, "one": single(1), **others},
    )


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    path = tmp_path / "whole.onnx"
    write_onnx(path, _scaled(8))
    return path


def test_a_large_constant_is_a_range_of_the_other_file(whole: Path) -> None:
    shared = by_reference(_scaled(4), whole.read_bytes(), whole.name)
    assert shared.ByteSize() < 400 < TABLE.nbytes
    path = whole.with_name("shared.onnx")
    write_onnx(path, shared)
    check_references(path, whole.name)
    (table,) = (t for t in onnx.load(path).graph.initializer if t.name == "table")
    np.testing.assert_array_equal(numpy_helper.to_array(table), TABLE)
    onnx.checker.check_model(path, full_check=True)


def test_onnx_runtime_reads_it_from_there(whole: Path) -> None:
    path = whole.with_name("shared.onnx")
    write_onnx(path, by_reference(_scaled(4), whole.read_bytes(), whole.name))
    x = np.random.default_rng(1).normal(size=(4, 30)).astype(np.float32)
    (found,) = session(path).run(None, {"x": x})
    np.testing.assert_allclose(np.asarray(found), x @ TABLE + 1, rtol=1e-5, atol=1e-5)


def test_what_is_not_in_the_other_file_stays(whole: Path) -> None:
    changed = TABLE.copy()
    changed[29, 19] += 1
    model = _scaled(4, table=changed)
    assert by_reference(model, whole.read_bytes(), whole.name) == model


def test_the_graph_itself_is_left_alone(whole: Path) -> None:
    model = _scaled(4)
    by_reference(model, whole.read_bytes(), whole.name)
    assert model == _scaled(4)


@pytest.mark.parametrize(
    ("key", "value", "given"),
    [
        ("location", "../secret.onnx", "secret"),
        ("offset", "1000000", "1000000"),
        ("length", "9999", "9999"),
    ],
)
def test_a_reference_to_elsewhere_is_refused(whole: Path, key: str, value: str, given: str) -> None:
    shared = by_reference(_scaled(4), whole.read_bytes(), whole.name)
    (table,) = (t for t in shared.graph.initializer if t.external_data)
    (entry,) = (e for e in table.external_data if e.key == key)
    entry.value = value
    path = whole.with_name("shared.onnx")
    write_onnx(path, shared)
    with pytest.raises(UserError) as error:
        check_references(path, whole.name)
    assert given in error.value.given and "table" in error.value.given
