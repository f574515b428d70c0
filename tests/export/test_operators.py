"""What a browser would run on the CPU is refused by name, and the cost of the rest is counted."""

import math

import numpy as np
import pytest

from export.operators import PHONE_BUFFER, check_operators, gflop
from export.proof import Proved
from teacher.errors import UserError
from tests.export.graphs import graph, whole


@pytest.mark.parametrize(
    ("body", "given", "remedy"),
    [
        ("y = Round(x)", "Round", "floor"),
        ("m = Mod<fmod=1>(x, x) y = Add(m, x)", "Mod", "floor"),
        ("n = IsNaN(x) y = Where(n, x, x)", "IsNaN", "NaN"),
        ("i = Cast<to=7>(x) y = Cast<to=1>(i)", "64-bit integers", "index_select"),
        ("d = Cast<to=11>(x) y = Cast<to=1>(d)", "64-bit floats", "float32"),
        ("i = Cast<to=6>(x) n = Neg(i) y = Cast<to=1>(n)", "Neg of integers", "float32"),
        ("y = Sign(x)", "Sign", "where"),
        ("y = Sinh(x)", "Sinh", "another operator"),
    ],
)
def test_a_node_without_a_kernel_is_refused_by_name(body: str, given: str, remedy: str) -> None:
    with pytest.raises(UserError) as error:
        check_operators(graph(f"g (float[4] x) => (float[4] y) {{ {body} }}"))
    assert error.value.thing.startswith("node 'node_")
    assert given in error.value.given
    assert remedy in error.value.remedy


def test_a_sampler_is_refused_with_what_to_write_instead() -> None:
    model = graph(
        """g (float[1, 1, 4, 4] x, float[1, 2, 2, 2] at) => (float[1, 1, 2, 2] y) {
            y = GridSample(x, at)
        }"""
    )
    with pytest.raises(UserError, match="index_select"):
        check_operators(model)


def test_an_exported_student_runs_on_the_gpu_alone(proved: Proved) -> None:
    for model in proved.graphs.values():
        assert check_operators(model) == []


def test_a_transposed_convolution_is_allowed_with_a_warning() -> None:
    model = graph(
        "g (float[1, 2, 4, 4] x) => (float[1, 3, 5, 5] y) { y = ConvTranspose(x, w) }",
        w=np.zeros((2, 3, 2, 2), np.float32),
    )
    (warning,) = check_operators(model)
    assert "'node_y'" in warning and "PixelShuffle" in warning


def test_a_result_larger_than_a_phones_buffer_is_warned_of() -> None:
    side = math.isqrt(PHONE_BUFFER // 4)
    fits = f"g (float[{side}, {side}] x) => (float[{side}, {side}] y) {{ y = Neg(x) }}"
    larger = fits.replace(f"[{side},", f"[{side + 2},")
    assert check_operators(graph(fits)) == []
    (warning,) = check_operators(graph(larger))
    assert "128 MiB" in warning


def test_operations_of_a_small_network_by_hand() -> None:
    """A 3x3 convolution 2 -> 4 in two groups on 5x5, ReLU, a 4x7 product, a sum over channels."""
    model = graph(
        """g (float[1, 2, 7, 7] x) => (float[25, 7] y, float[1, 1, 5, 5] z) {
            c = Conv<group=2>(x, w)
            r = Relu(c)
            rows = Reshape(r, shape)
            y = MatMul(rows, m)
            z = ReduceSum(r, axis)
        }""",
        w=np.zeros((4, 1, 3, 3), np.float32),
        m=np.zeros((4, 7), np.float32),
        shape=whole([25, 4]),
        axis=whole([1]),
    )
    convolution, relu, product, total = 2 * 100 * 1 * 9, 100, 2 * 25 * 7 * 4, 100
    assert gflop(model) * 1e9 == pytest.approx(convolution + relu + product + total)


def test_operations_of_a_transposed_convolution_count_at_its_input() -> None:
    """Each input pixel meets the whole kernel once; counting at the output quadruples it."""
    model = graph(
        "g (float[1, 2, 4, 4] x) => (float[1, 3, 8, 8] y) "
        "{ y = ConvTranspose<strides=[2, 2], pads=[1, 1, 1, 1]>(x, w) }",
        w=np.zeros((2, 3, 4, 4), np.float32),
    )
    assert gflop(model) * 1e9 == pytest.approx(2 * (2 * 16) * 3 * 16)


def test_half_precision_adds_casts_and_no_arithmetic(proved: Proved) -> None:
    assert gflop(proved.graphs["fp16"]) == pytest.approx(gflop(proved.graphs["fp32"]))
