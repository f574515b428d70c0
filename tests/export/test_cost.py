"""Costs of frames, against graphs counted by hand."""

import numpy as np
import pytest

from export.cost import cost_table, frame_cost, graph_cost
from export.manifest import Precision
from export.split.encode import encoding
from export.split.shade import shading
from tests.bundles import WAVES, wavy
from tests.export.graphs import graph, single, whole

SIZE = (16, 24)
RAYS, PIXELS = 4 * 6, 16 * 24


def test_relu_is_part_of_its_convolution_and_views_are_free() -> None:
    """Read 2 x 4 x 4, written 3 x 4 x 4 floats; nothing else moves."""
    model = graph(
        """g (float[1, 2, 4, 4] x) => (float[1, 48] y) {
            a = Conv(x, w)
            b = Relu(a)
            y = Reshape(b, shape)
        }""",
        w=np.zeros((3, 2, 1, 1), np.float32),
        shape=whole([1, 48]),
    )
    cost = graph_cost(model)
    assert (cost.dispatches, cost.activation_bytes) == (1, 4 * (32 + 48))
    assert cost.largest_bytes == 4 * 48


def test_relu_beside_another_use_of_the_convolution_runs_by_itself() -> None:
    model = graph(
        """g (float[1, 1, 4, 4] x) => (float[1, 1, 4, 4] y) {
            a = Conv(x, w)
            b = Relu(a)
            y = Add(a, b)
        }""",
        w=np.zeros((1, 1, 1, 1), np.float32),
    )
    cost = graph_cost(model)
    assert (cost.dispatches, cost.activation_bytes) == (3, 64 * (2 + 2 + 3))


def test_what_a_gather_asks_of_a_constant_is_counted_apart() -> None:
    """16 rows of 3 floats are written once and asked once; 16 indices are read."""
    model = graph(
        "g (int32[16] at) => (float[16, 3] y) { y = Gather(table, at) }",
        table=np.zeros((9, 3), np.float32),
    )
    cost = graph_cost(model)
    assert (cost.activation_bytes, cost.table_bytes) == (4 * 16 + 4 * 48, 4 * 48)


def test_what_is_known_beforehand_costs_nothing() -> None:
    model = graph(
        """g (float[4] x) => (float[4] y) {
            three = Add(one, two)
            y = Add(x, three)
        }""",
        one=single([1] * 4),
        two=single([2] * 4),
    )
    cost = graph_cost(model)
    assert (cost.dispatches, cost.activation_bytes) == (1, 4 * (4 + 4))


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_shaders_move_their_buffers_once(precision: Precision) -> None:
    """100 channels a ray; 5 numbers read, a byte picture and a float written for each pixel."""
    model, number = wavy(WAVES), {"fp32": 4, "fp16": 2}[precision]
    encode, shade = (
        encoding(model, SIZE, precision).stage.cost,
        shading(model, SIZE, precision).cost,
    )
    assert (encode.read, encode.written) == (0, RAYS * 100 * number)
    assert shade.read == PIXELS * (2 + WAVES.features) * number
    assert shade.written == PIXELS * 8
    assert encode.tables == RAYS * 8 * (8 * 4 * 2)  # 8 points, 8 corners, 4 halves
    assert shade.tables == PIXELS * (2 * 8 * 2 + 3 * 8 * 4) * 2  # levels, corners, features


def test_every_form_has_a_row() -> None:
    rows = frame_cost(wavy(WAVES), SIZE, runs=1)
    forms = [(row.form, row.precision) for row in rows]
    assert forms == [(f, p) for f in ("graph", "split") for p in ("fp16", "fp32")]
    graph_row, split_row = rows[1], rows[3]
    assert split_row.activation_bytes < graph_row.activation_bytes / 5
    assert split_row.dispatches == 2 + 8  # of the network: 5 convolutions, 3 sums
    assert 0.8 < split_row.gflop / graph_row.gflop < 1.2
    assert all(row.milliseconds is not None and row.milliseconds > 0 for row in rows)
    assert len(cost_table(rows).splitlines()) == 2 + 4 + 2
