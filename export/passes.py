"""Small rewrites of an ONNX graph that leave its function alone and help a browser.

    exported model -> strip -> fold parameters -> squares as products -> indices in 32 bits
                   -> uniform constants -> prune

* The exporter writes stack traces, shapes and class names into the file: two thirds of a small one.
* A parameter that is only moved about (split, transposed) would be moved again for every frame.
* `Pow(x, 2)` is `x * x` exactly; a GPU computes it as exp2(2 log2 |x|) with its coarse functions.
* A picture full of ones is a number and a shape until the model is loaded.
* WGSL has no 64-bit integers: arithmetic with torch's int64 indices would run on the CPU.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.helper import tensor_dtype_to_np_dtype
from onnx.reference import ReferenceEvaluator

MOVEMENT = frozenset(
    "Concat Expand Flatten Identity Reshape Slice Split Squeeze Transpose Unsqueeze".split()
)
"""Operators that copy or rename values and compute none."""
_INTEGER_ARITHMETIC = frozenset("Add Clip Concat Div Max Min Mul Sub Where".split())
_TAKES_INT32_INDICES = frozenset(("Gather", "GatherElements"))
_GROWS = frozenset(("Expand",))
_WEIGHTED = frozenset("Conv ConvTranspose Gather Gemm MatMul".split())
_LARGE = 1024  # numbers; below, a node costs more than it saves


def tidy(model: ModelProto) -> ModelProto:
    """All the rewrites of this module, in order; `model` itself is left as it was."""
    copy = ModelProto()
    copy.CopyFrom(model)
    for rewrite in _REWRITES:
        rewrite(copy)
    return copy


def strip(model: ModelProto) -> None:
    """Remove everything that does not change the result: traces, documentation, inferred shapes."""
    graph = model.graph
    parts = (*graph.input, *graph.output, *graph.initializer, *graph.node)
    for part in (model, graph, *parts):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    graph.ClearField("value_info")


def fold_parameters(model: ModelProto) -> None:
    """Replace every movement of constants by its result (never one that makes them larger)."""
    constants = initialisers(model)
    for node in list(model.graph.node):
        moved = node.op_type in MOVEMENT - _GROWS
        if not moved or not all(name in constants for name in node.input):
            continue
        feeds = {name: numpy_helper.to_array(constants[name]) for name in node.input}
        results = ReferenceEvaluator(node, opsets=_opsets(model)).run(None, feeds)
        assert isinstance(results, list)
        for name, result in zip(node.output, results, strict=True):
            constants[name] = add_initialiser(model, name, np.ascontiguousarray(result))
        model.graph.node.remove(node)


def squares_as_products(model: ModelProto) -> None:
    """`Pow(x, 2)` as `Mul(x, x)`."""
    constants = initialisers(model)
    for node in model.graph.node:
        exponent = constants.get(node.input[1]) if node.op_type == "Pow" else None
        if exponent is not None and (numpy_helper.to_array(exponent) == 2).all():
            node.op_type, node.input[1] = "Mul", node.input[0]


def indices_in_32_bits(model: ModelProto) -> None:
    """Compute 64-bit indices in 32 bits, where every operator that uses them takes those as well.

    Otherwise the graph is left alone, and `export.operators` names the node that is in the way.
    """
    found, constants = values(model), initialisers(model)
    wide = {name for name, value in found.items() if value.kind == TensorProto.INT64}
    computed = wide - constants.keys()
    touching = [n for n in model.graph.node if computed & {*n.input, *n.output}]
    if not all(_runs_in_32_bits(node, computed) for node in touching):
        return
    for node in touching:
        if node.op_type == "Cast" and computed & {*node.output}:
            node.attribute[0].i = TensorProto.INT32
            if found[node.input[0]].kind in (TensorProto.INT32, TensorProto.INT64):
                node.op_type = "Identity"
                node.ClearField("attribute")
        elif node.op_type in _INTEGER_ARITHMETIC:
            _narrow_constants(model, node, wide & constants.keys())


def _runs_in_32_bits(node: NodeProto, computed: set[str]) -> bool:
    if node.op_type in _TAKES_INT32_INDICES:
        return node.input[0] not in computed
    moved = node.op_type in MOVEMENT and not computed & {*node.input[1:]}
    return moved or node.op_type == "Cast" or node.op_type in _INTEGER_ARITHMETIC


def _narrow_constants(model: ModelProto, node: NodeProto, wide: set[str]) -> None:
    constants = initialisers(model)
    for i, name in enumerate(node.input):
        if name in wide:
            narrow = f"{name}@int32"
            if narrow not in constants:
                value = numpy_helper.to_array(constants[name]).astype(np.int32)
                constants[narrow] = add_initialiser(model, narrow, value)
            node.input[i] = narrow


def uniform_constants(model: ModelProto) -> None:
    """Store a large constant of equal numbers as one number; ONNX Runtime expands it on loading."""
    graph = model.graph
    weights = {name for node in graph.node if node.op_type in _WEIGHTED for name in node.input}
    for tensor in [t for t in graph.initializer if t.name not in weights]:
        value = numpy_helper.to_array(tensor)
        if value.size > _LARGE and (value == value.flat[0]).all():
            number, shape = f"{tensor.name}@number", f"{tensor.name}@shape"
            add_initialiser(model, number, np.asarray(value.flat[0]))
            add_initialiser(model, shape, np.array(value.shape))
            expand = helper.make_node("Expand", [number, shape], [tensor.name], shape)
            graph.initializer.remove(tensor)
            graph.node.insert(0, expand)


def prune(model: ModelProto) -> None:
    """Remove `Identity` nodes, and nodes and constants that no output needs."""
    graph, renamed = model.graph, {}
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        if node.op_type == "Identity":
            renamed[node.output[0]] = node.input[0]
    needed, kept = {value.name for value in graph.output}, []
    for node in reversed(graph.node):
        if needed & {*node.output}:
            needed |= {*node.input}
            kept.append(node)
    constants = [tensor for tensor in graph.initializer if tensor.name in needed]
    _replace(graph.node, kept[::-1])
    _replace(graph.initializer, constants)


_REWRITES = (
    strip,
    fold_parameters,
    squares_as_products,
    indices_in_32_bits,
    uniform_constants,
    prune,
)


def initialisers(model: ModelProto) -> dict[str, TensorProto]:
    """The graph's constant tensors by name."""
    return {tensor.name: tensor for tensor in model.graph.initializer}


def add_initialiser(model: ModelProto, name: str, value: np.ndarray) -> TensorProto:
    """Add a constant tensor to the graph."""
    tensor = numpy_helper.from_array(value, name)
    model.graph.initializer.append(tensor)
    return tensor


@dataclass(frozen=True)
class Value:
    """What a value in a graph is: its element type (a `TensorProto.DataType`) and its shape."""

    kind: int
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Memory that the value takes."""
        return math.prod(self.shape) * tensor_dtype_to_np_dtype(self.kind).itemsize


def values(model: ModelProto) -> dict[str, Value]:
    """Every value of the graph by name: constants, inputs, and what nodes compute."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    found = {tensor.name: Value(tensor.data_type, (*tensor.dims,)) for tensor in graph.initializer}
    for value in (*graph.value_info, *graph.input, *graph.output):
        tensor = value.type.tensor_type
        found[value.name] = Value(tensor.elem_type, tuple(d.dim_value for d in tensor.shape.dim))
    return found


def _opsets(model: ModelProto) -> dict[str, int]:
    return {entry.domain: entry.version for entry in model.opset_import}


def _replace(field: object, items: Iterable[object]) -> None:
    kept = list(items)
    del field[:]  # pyright: ignore[reportIndexIssue]
    field.extend(kept)  # pyright: ignore[reportAttributeAccessIssue]
