"""What a frame costs in every form that is exported, by counting nodes, bytes and operations.

    student, size -> whole graph, split form, in both precisions -> one `FormCost` for each

Rules of counting:

* a node reads its inputs and writes its outputs, each once and as if alone
* ReLU right after a convolution is part of it; views (reshapes) are free; constants are not counted
* nodes of constants alone are computed when the model is loaded
* what is asked of tables (gathers from a constant, the shaders' grids) is counted apart, without
  caches
* a split form's transpositions cancel: WebGPU kernels keep channels last, as its buffers do
* its shaders read and write what `export.split` says; their code computes in registers

tests/browser/form_cost.mjs counts dispatches and measures time in a browser.
"""

import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from onnx import ModelProto, NodeProto

from export.graph import INPUTS
from export.manifest import Precision
from export.operators import gflop
from export.passes import Value, initialisers, values
from export.split.form import Split, split, tables
from export.split.protocol import Splittable
from export.to_onnx import to_onnx, variants
from export.verify import session
from student.models.base import LightField

Form = Literal["graph", "split"]
VIEWS = frozenset("Flatten Identity Reshape Squeeze Unsqueeze".split())
"""Operators that only rename memory."""
_LOOK_UPS = frozenset(("Gather", "GatherElements", "GatherND"))


@dataclass(frozen=True)
class FormCost:
    """Cost of one frame in one form and precision."""

    form: Form
    precision: Precision
    size: tuple[int, int]
    """(height, width) of the picture."""
    gflop: float
    activation_bytes: int
    """Read and written."""
    table_bytes: int
    """Asked of tables of features."""
    largest_bytes: int
    """Of the largest value between two nodes or stages."""
    dispatches: int
    """Nodes and shaders that run; the page's own two passes come on top."""
    file_bytes: int
    milliseconds: float | None
    """ONNX Runtime on the CPU, median; of a split form its ray network alone. None: not timed."""


@dataclass(frozen=True)
class GraphCost:
    """What the nodes of one graph move."""

    activation_bytes: int
    table_bytes: int
    largest_bytes: int
    dispatches: int


def frame_cost(model: LightField, size: tuple[int, int], runs: int = 3) -> list[FormCost]:
    """One row for each form and precision of `model` at `size` = (height, width).

    Args:
        model: the student.
        size: of the picture; multiples of the student's upsampling.
        runs: frames that are timed after a first one; 0: none.
    """
    return graph_costs(model, size, runs) + split_cost(model, size, runs)


def graph_costs(model: LightField, size: tuple[int, int], runs: int) -> list[FormCost]:
    """As `frame_cost`, of the whole graph alone."""
    on_gpu = not isinstance(model, Splittable)
    graphs = variants(to_onnx(model, size, on_gpu), on_gpu)
    return [_whole(graph, precision, size, runs) for precision, graph in graphs.items()]


def split_cost(
    model: LightField, size: tuple[int, int], runs: int = 0, pooled: int = 1
) -> list[FormCost]:
    """As `frame_cost`, of the split form alone; empty if `model` has none."""
    return [_split(form, p, size, runs) for p, form in split(model, size, pooled).items()]


def reduced_cost(model: LightField, size: tuple[int, int], runs: int = 3) -> list[FormCost]:
    """As `frame_cost`, of the smaller rendition of `model` at `size`; empty if it has none."""
    smaller, half = model.at_half_size(), (size[0] // 2, size[1] // 2)
    if smaller is None:
        return []
    return graph_costs(smaller, half, runs) + split_cost(model, half, runs, pooled=2)


def graph_cost(model: ModelProto, free: frozenset[str] = VIEWS) -> GraphCost:
    """Bytes and dispatches of one run of `model`, see the module's rules; `free` operators cost nothing."""
    found, constants = values(model), set(initialisers(model))
    fused = _fused(model)
    moved = looked_up = largest = dispatches = 0
    for node in model.graph.node:
        inputs = {name for name in node.input if name} - constants
        if not inputs:
            constants |= {*node.output}
            continue
        if node.op_type in free or node.output[0] in fused:
            continue
        dispatches += 1
        written = _bytes(found, node.output)
        moved += _bytes(found, inputs) + written
        largest = max(largest, written)
        if node.op_type in _LOOK_UPS and node.input[0] in constants:
            looked_up += written
    return GraphCost(moved, looked_up, largest, dispatches)


def _fused(model: ModelProto) -> set[str]:
    """Results of ReLU nodes that are part of the convolution before them."""
    nodes = model.graph.node
    convolved = {node.output[0] for node in nodes if node.op_type == "Conv"}
    users: dict[str, list[NodeProto]] = {}
    for node in nodes:
        for name in node.input:
            users.setdefault(name, []).append(node)
    alone = {name for name in convolved if len(users.get(name, ())) == 1}
    return {n.output[0] for n in nodes if n.op_type == "Relu" and n.input[0] in alone}


def _bytes(found: dict[str, Value], names: Iterable[str]) -> int:
    return sum(found[name].bytes for name in names)


def _whole(graph: ModelProto, precision: Precision, size: tuple[int, int], runs: int) -> FormCost:
    cost, pose = graph_cost(graph), np.eye(4, dtype=np.float32)
    pose[2, 3] = 3.0  # above the scene, looking down
    intrinsics = np.array([1, 1, 0.5, 0.5], np.float32)
    feeds: dict[str, np.ndarray] = dict(zip(INPUTS, (pose, intrinsics), strict=True))
    return FormCost(
        "graph",
        precision,
        size,
        gflop(graph),
        cost.activation_bytes,
        cost.table_bytes,
        cost.largest_bytes,
        cost.dispatches,
        len(graph.SerializeToString()),
        _milliseconds(graph, feeds, runs),
    )


def _split(form: Split, precision: Precision, size: tuple[int, int], runs: int) -> FormCost:
    network = graph_cost(form.network, VIEWS | {"Transpose"})
    shaders = form.encode, form.shade
    files = (form.network.SerializeToString(), tables(form.parts)[0])
    files += tuple(stage.code.encode() for stage in shaders)
    encoded = np.zeros(form.encoded, np.float16 if precision == "fp16" else np.float32)
    largest = (network.largest_bytes, *(stage.cost.written for stage in shaders))
    return FormCost(
        "split",
        precision,
        size,
        gflop(form.network) + sum(stage.cost.operations for stage in shaders) / 1e9,
        network.activation_bytes + sum(s.cost.read + s.cost.written for s in shaders),
        sum(stage.cost.tables for stage in shaders),
        max(largest),
        network.dispatches + len(shaders),
        sum(len(file) for file in files),
        _milliseconds(form.network, {"encoded": encoded}, runs),
    )


def _milliseconds(graph: ModelProto, feeds: dict[str, np.ndarray], runs: int) -> float | None:
    if runs == 0:
        return None
    runtime, times = session(graph.SerializeToString()), []
    for _ in range(runs + 1):
        began = time.perf_counter()
        runtime.run(None, feeds)
        times.append(1e3 * (time.perf_counter() - began))
    return statistics.median(times[1:])


COLUMNS = (
    "form, picture, GFLOP, MB moved, MB of tables, largest MB, dispatches, file MB, ORT CPU ms"
)


def cost_rows(rows: Iterable[FormCost]) -> list[list[str]]:
    """The cells of `COLUMNS`."""
    return [
        [
            f"{row.form} {row.precision}",
            f"{row.size[1]}x{row.size[0]}",
            f"{row.gflop:.2f}",
            *(f"{b / 1e6:.0f}" for b in (row.activation_bytes, row.table_bytes, row.largest_bytes)),
            str(row.dispatches),
            f"{row.file_bytes / 1e6:.2f}",
            "" if row.milliseconds is None else f"{row.milliseconds:.0f}",
        ]
        for row in rows
    ]


def cost_table(rows: Iterable[FormCost]) -> str:
    """The rows as a Markdown table."""
    head = COLUMNS.split(", ")
    lines = [head, ["---"] * len(head), *cost_rows(rows)]
    threads = torch.get_num_threads()
    note = f"ONNX Runtime: {threads} threads of the CPU; of a split form its ray network alone."
    return "\n".join([*(f"| {' | '.join(line)} |" for line in lines), "", note])
