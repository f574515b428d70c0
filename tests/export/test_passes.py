"""Each rewrite changes the graph and leaves its function alone."""

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto

from export import passes
from export.proof import Proved
from tests.export.graphs import graph, kinds, run, single, whole

RANDOM = np.random.default_rng(0)


def test_squares_become_products_and_cubes_stay() -> None:
    model = graph(
        "g (float[3] x) => (float[3] y, float[3] z) { y = Pow(x, two)  z = Pow(x, three) }",
        two=single(2),
        three=single(3),
    )
    x = single([-1.5, 0.0, 2.0])
    before = run(model, x=x)
    passes.squares_as_products(model)
    assert kinds(model) == ["Mul", "Pow"]
    for value, expected in zip(run(model, x=x), before, strict=True):
        np.testing.assert_array_equal(value, expected)


def test_moved_parameters_are_moved_once_and_expansions_never() -> None:
    """A table that is split and transposed; a constant that would grow a thousandfold."""
    model = graph(
        """g (float[2] x) => (float[2] y, float[1000] z) {
            left, right = Split<axis=1, num_outputs=2>(table)
            turned = Transpose(right)
            row = Reshape(turned, two)
            y = Add(x, row)
            z = Expand(one, many)
        }""",
        table=RANDOM.normal(size=(2, 2)).astype(np.float32),
        two=whole([2]),
        one=single([1]),
        many=whole([1000]),
    )
    x = RANDOM.normal(size=2).astype(np.float32)
    before = run(model, x=x)
    passes.fold_parameters(model)
    assert kinds(model) == ["Add", "Expand"]
    for value, expected in zip(run(model, x=x), before, strict=True):
        np.testing.assert_array_equal(value, expected)


INDEXED = """g (float[5] x) => (float[5] y) {{
    wide = Cast<to=7>(x)
    next = Add(wide, one)
    column = Reshape(next, shape)
    again = Cast<to=7>(column)
    {look_up}
    y = Reshape(rows, flat)
}}"""
INDEX_CONSTANTS = {
    "one": whole(1),
    "shape": whole([5, 1]),
    "flat": whole([5]),
    "table": RANDOM.normal(size=9).astype(np.float32),
}


def test_indices_are_computed_in_32_bits() -> None:
    model = graph(INDEXED.format(look_up="rows = Gather(table, again)"), **INDEX_CONSTANTS)
    x = single([0, 3, 7, 1, 4])
    before = run(model, x=x)
    np.testing.assert_array_equal(before[0], INDEX_CONSTANTS["table"][x.astype(int) + 1])
    passes.indices_in_32_bits(model)
    passes.prune(model)
    assert TensorProto.INT64 not in _computed(model)
    assert kinds(model) == ["Cast", "Add", "Reshape", "Gather", "Reshape"]
    np.testing.assert_array_equal(run(model, x=x)[0], before[0])


def test_indices_stay_wide_where_an_operator_takes_no_others() -> None:
    """GatherND is defined for 64-bit indices only; the check of operators names it later."""
    model = graph(INDEXED.format(look_up="rows = GatherND(table, again)"), **INDEX_CONSTANTS)
    before = model.SerializeToString()
    passes.indices_in_32_bits(model)
    assert model.SerializeToString() == before


def test_a_constant_of_equal_numbers_is_stored_as_one() -> None:
    """Weights stay as they are: an untrained layer of zeros is a layer all the same."""
    model = graph(
        """g (float[1, 1, 64, 64] x) => (float[1, 1, 64, 64] y) {
            scaled = Mul(x, twos)
            moved = Add(scaled, ramp)
            y = Conv<pads=[16, 16, 16, 16]>(moved, w)
        }""",
        twos=single(np.full((1, 1, 64, 64), 2)),
        ramp=single(np.arange(4096).reshape(1, 1, 64, 64)),
        w=single(np.zeros((1, 1, 33, 33))),
    )
    x = RANDOM.normal(size=(1, 1, 64, 64)).astype(np.float32)
    before = run(model, x=x)[0]
    passes.uniform_constants(model)
    onnx.checker.check_model(model, full_check=True)
    assert kinds(model) == ["Expand", "Mul", "Add", "Conv"]
    assert {name for name in passes.initialisers(model) if "twos" not in name} == {"ramp", "w"}
    np.testing.assert_array_equal(run(model, x=x)[0], before)


def test_pruning_keeps_what_outputs_need() -> None:
    model = graph(
        """g (float[2] x) => (float[2] y) {
            same = Identity(x)
            unused = Mul(x, spare)
            y = Add(same, used)
        }""",
        used=single([1, 2]),
        spare=single([3, 4]),
    )
    passes.prune(model)
    assert kinds(model) == ["Add"]
    assert passes.initialisers(model).keys() == {"used"}
    np.testing.assert_array_equal(run(model, x=single([1, 1]))[0], [2, 3])


def test_an_output_that_is_an_input_survives_pruning() -> None:
    """`Identity` may be all there is between an input and an output."""
    model = graph("g (float[2] x) => (float[2] y) { y = Identity(x) }")
    passes.prune(model)
    np.testing.assert_array_equal(run(model, x=single([5, 6]))[0], [5, 6])


def test_tidying_leaves_its_input_alone(proved: Proved) -> None:
    model = proved.graphs["fp32"]
    before = model.SerializeToString(deterministic=True)
    passes.tidy(model)
    assert model.SerializeToString(deterministic=True) == before


def test_an_exported_graph_tells_nothing_about_the_machine(proved: Proved) -> None:
    """The exporter writes source paths, stack traces and class names into every node."""
    for model in proved.graphs.values():
        content = model.SerializeToString()
        for trace in (b".py", b"tests", b"File ", b"pkg.torch"):
            assert trace not in content


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.INT32, TensorProto.FLOAT])
def test_a_value_knows_its_memory(kind: TensorProto.DataType) -> None:
    width = {TensorProto.FLOAT16: 2, TensorProto.INT32: 4, TensorProto.FLOAT: 4}[kind]
    assert passes.Value(kind, (3, 5)).bytes == 15 * width


def _computed(model: ModelProto) -> set[int]:
    found = passes.values(model)
    return {found[name].kind for node in model.graph.node for name in node.output}
