"""Half precision is where features are, and nowhere near a position."""

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto

from export.half import half_nodes, to_half, with_rounding
from export.passes import initialisers, values
from export.proof import Proved
from tests.export.graphs import graph, kinds, run, single, whole

RANDOM = np.random.default_rng(0)


def _weights(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


def _kind_of_results(model: ModelProto, operator: str) -> set[int]:
    found = values(model)
    nodes = [node for node in model.graph.node if node.op_type == operator]
    return {found[name].kind for node in nodes for name in node.output}


def test_inputs_and_outputs_keep_names_and_types(proved: Proved) -> None:
    single, half = proved.graphs["fp32"], proved.graphs["fp16"]
    assert list(half.graph.input) == list(single.graph.input)
    assert list(half.graph.output) == list(single.graph.output)


def test_rays_and_encoding_stay_single_and_the_network_does_not(proved: Proved) -> None:
    half = proved.graphs["fp16"]
    for operator in ("Sin", "Cos", "Floor", "Sqrt", "Div", "MatMul", "Sigmoid"):
        assert _kind_of_results(half, operator) == {TensorProto.FLOAT}
    for operator in ("Conv", "DepthToSpace", "Relu"):
        assert _kind_of_results(half, operator) == {TensorProto.FLOAT16}


def test_a_sine_of_a_large_argument_is_as_good_as_before() -> None:
    """sin(2^9 x) feeds a convolution: in half precision throughout it would be noise."""
    model = graph(
        """g (float[1, 1, 1, 64] x) => (float[1, 1, 1, 64] y) {
            large = Mul(x, octave)
            wave = Sin(large)
            y = Conv(wave, w)
        }""",
        octave=single(512),
        w=single([[[[1.0]]]]),
    )
    x = RANDOM.uniform(-1, 1, (1, 1, 1, 64)).astype(np.float32)
    halved = run(to_half(model), x=x)[0]
    assert np.abs(halved - run(model, x=x)[0]).max() < 2**-11
    throughout = np.sin((x.astype(np.float16) * np.float16(512)).astype(np.float32))
    assert np.abs(throughout - run(model, x=x)[0]).max() > 0.1


def test_one_cast_for_each_value_that_crosses() -> None:
    """x feeds two convolutions and a sum in float32: one cast down; each result one cast up."""
    model = graph(
        """g (float[1, 2, 4, 4] x) => (float[1, 2, 4, 4] y) {
            a = Conv(x, w)
            b = Conv(x, v)
            s = Sigmoid(a)
            t = Sigmoid(b)
            u = Mul(s, a)
            p = Mul(u, t)
            y = Mul(p, x)
        }""",
        w=_weights(2, 2, 1, 1),
        v=_weights(2, 2, 1, 1),
    )
    x = _weights(1, 2, 4, 4)
    halved = to_half(model)
    assert kinds(halved).count("Cast") == 3
    np.testing.assert_allclose(run(halved, x=x)[0], run(model, x=x)[0], rtol=5e-3, atol=5e-3)


def test_looked_up_texels_are_blended_in_half_before_a_convolution() -> None:
    """The table is stored and mixed in half; the weights of the mixture come from float32."""
    model = graph(
        """g (int32[16] at, float[16, 1] near) => (float[1, 3, 16, 1] y) {
            texel = Gather(table, at)
            part = Mul(texel, near)
            turned = Transpose(part)
            image = Reshape(turned, shape)
            y = Conv(image, w)
        }""",
        table=_weights(9, 2),
        shape=whole([1, 2, 16, 1]),
        w=_weights(3, 2, 1, 1),
    )
    halved = to_half(model)
    assert {t.data_type for t in initialisers(halved).values()} == {
        TensorProto.FLOAT16,
        TensorProto.INT64,
    }
    assert kinds(halved).count("Cast") == 2  # the weights down, the result up
    at, near = RANDOM.integers(0, 9, 16).astype(np.int32), _weights(16, 1)
    expected = run(model, at=at, near=near)[0]
    np.testing.assert_allclose(run(halved, at=at, near=near)[0], expected, atol=2e-2)


@pytest.mark.parametrize("table", ["T", "box"])
def test_a_look_up_at_a_constant_place_is_no_feature(table: str) -> None:
    """`T[:3, 3]` of a camera or `box[0]` exports as Gather, and positions are float32."""
    model = graph(
        f"g (float[4, 4] T) => (float[4] y) {{ r = Gather({table}, last) y = Add(r, r) }}",
        last=whole(1),
        box=_weights(2, 4),
    )
    assert half_nodes(model) == set()


def test_an_output_is_not_rounded_because_the_network_also_uses_it() -> None:
    """A looked-up texel times a float32 factor: in half only if nobody but the network wants it."""
    model = graph(
        """g (int32[4] at, float[4, 1] near) => (float[4, 1] part, float[1, 1, 4, 1] y) {
            texel = Gather(table, at)
            part = Mul(texel, near)
            image = Reshape(part, shape)
            y = Conv(image, w)
        }""",
        table=single([[1.0], [2.0], [0.5]]),
        shape=whole([1, 1, 4, 1]),
        w=single([[[[1.0]]]]),
    )
    at, near = np.array([0, 1, 2, 0], np.int32), _weights(4, 1)
    part, y = run(with_rounding(to_half(model)), at=at, near=near)
    np.testing.assert_array_equal(part, run(model, at=at, near=near)[0])
    np.testing.assert_allclose(y.ravel(), part.ravel(), rtol=2**-10)


@pytest.mark.parametrize(("terms", "expected"), [(4, True), (64, False)])
def test_only_short_sums_are_in_half(terms: int, expected: bool) -> None:
    """A sum of a few texels loses a bit; a long one swallows its small terms."""
    model = graph(
        f"""g (int32[{terms}] at) => (float[1, 1, 1, 1] y) {{
            texels = Gather(table, at)
            total = ReduceSum(texels, axis)
            image = Reshape(total, shape)
            y = Conv(image, w)
        }}""",
        table=_weights(9, 1),
        axis=whole([0]),
        shape=whole([1, 1, 1, 1]),
        w=_weights(1, 1, 1, 1),
    )
    assert ("total" in half_nodes(model)) is expected


def test_a_result_that_is_both_output_and_feature_reaches_both() -> None:
    model = graph(
        """g (float[1, 1, 2, 2] x) => (float[1, 1, 2, 2] y, float[1, 1, 2, 2] z) {
            y = Conv(x, w)
            z = Relu(y)
        }""",
        w=single([[[[-2.0]]]]),
    )
    y, z = run(to_half(model), x=single([[[[1, -1], [2, -2]]]]))
    assert y.dtype == z.dtype == np.float32
    np.testing.assert_array_equal(y[0, 0], [[-2, 2], [-4, 4]])
    np.testing.assert_array_equal(z[0, 0], [[0, 2], [0, 4]])


def test_rounding_is_that_of_half_precision_arithmetic() -> None:
    """Node for node what numpy does in float16; ONNX Runtime rounds nothing at all."""
    model = graph(
        """g (float[1, 1, 1, 256] x) => (float[1, 1, 1, 256] y) {
            a = Conv(x, w)
            b = Relu(a)
            y = Conv(b, w)
        }""",
        w=single([[[[1.3]]]]),
    )
    halved, x = to_half(model), _weights(1, 1, 1, 256)
    w = np.float16(1.3)
    expected = np.maximum(x.astype(np.float16) * w, np.float16(0)) * w
    np.testing.assert_array_equal(run(with_rounding(halved), x=x)[0], expected.astype(np.float32))
    assert np.abs(run(halved, x=x)[0] - expected).max() > 1e-4


def test_an_overflow_between_nodes_is_seen() -> None:
    """300 * 300 is beyond the largest half, though the product with 1/300 again would not be."""
    model = graph(
        """g (float[1, 1, 1, 1] x) => (float[1, 1, 1, 1] y) {
            a = Conv(x, large)
            y = Conv(a, small)
        }""",
        large=single([[[[300.0]]]]),
        small=single([[[[1 / 300]]]]),
    )
    halved, x = to_half(model), single([[[[300.0]]]])
    assert np.isinf(run(with_rounding(halved), x=x)[0])
    assert np.isfinite(run(halved, x=x)[0])  # ONNX Runtime on a CPU would hide it


def test_rounding_leaves_nothing_but_float32_to_compute(proved: Proved) -> None:
    rounded = with_rounding(proved.graphs["fp16"])
    onnx.checker.check_model(rounded, full_check=True)
    found = values(rounded)
    for node in rounded.graph.node:
        halves = {name for name in node.output if found[name].kind == TensorProto.FLOAT16}
        assert not halves or node.op_type == "Cast"


def test_the_file_is_about_half_as_large() -> None:
    model = graph(
        "g (float[1, 64, 2, 2] x) => (float[1, 64, 2, 2] y) { y = Conv(x, w) }",
        w=_weights(64, 64, 1, 1),
    )
    single, half = model.ByteSize(), to_half(model).ByteSize()
    assert 0.5 < half / single < 0.55
