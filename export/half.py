"""The network's body in half precision, rays and encoding in single: half the bytes to download.

    nodes of a float32 graph -> those that compute in half -> casts at every border between the two

Half precision has 11 significant bits: enough for features, too few for positions (the sine of
2^9 x would be noise). What is a feature is read off the graph, so no student has to declare it:

* a *source* computes in half: a convolution or product with weights, a look-up in a parameter
  table;
* an operator that moves, adds or scales (`_FOLLOWS`) computes in half if all its data come from
  nodes that do, or if some do and only nodes in half use its result (blending texels, say);
* everything else, and the graph's inputs and outputs, stay in float32.
"""

import math
from collections import defaultdict

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from export.passes import MOVEMENT, Value, add_initialiser, initialisers, prune, values

_FOLLOWS = MOVEMENT | frozenset(
    "Add Clip DepthToSpace Gelu LeakyRelu Mul PRelu ReduceSum Relu Sub".split()
)
_FEW = 16  # terms whose sum loses no more than a bit or two in half precision
_EXACT = (MOVEMENT - {"Identity"}) | frozenset(("DepthToSpace", "Gather", "Relu"))
_HALF = TensorProto.FLOAT16
LARGEST = 65504.0
"""The largest finite half."""


def to_half(model: ModelProto) -> ModelProto:
    """A copy of the float32 graph `model` with a float16 body; its inputs and outputs stay."""
    copy = ModelProto()
    copy.CopyFrom(model)
    _Casts(copy, half_nodes(copy)).insert()
    prune(copy)
    return copy


def throughout(model: ModelProto) -> ModelProto:
    """A copy of the float32 graph `model` in float16, its inputs and outputs too.

    For a graph of features alone, whose neighbours on the graphics card speak half precision.
    """
    copy = ModelProto()
    copy.CopyFrom(model)
    for value in (*copy.graph.input, *copy.graph.output):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = _HALF
    for tensor in copy.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            number = numpy_helper.to_array(tensor).clip(-LARGEST, LARGEST)
            tensor.CopyFrom(numpy_helper.from_array(np.asarray(number, np.float16), tensor.name))
    return copy


def half_nodes(model: ModelProto) -> set[str]:
    """The nodes that compute in half (rule: see the module), each by its first output."""
    found, constants = values(model), initialisers(model)
    chosen: set[str] = set()
    produced: set[str] = set()  # values that are half
    carried: set[str] = set()  # values that hold features, whatever their precision
    for node in model.graph.node:
        floats = {name for name in node.input if name and found[name].kind == TensorProto.FLOAT}
        data = floats - constants.keys()
        source = _is_source(node, constants)
        if source or (_follows(node, found) and carried & data):
            carried |= {*node.output}
            if source or produced >= data:
                produced |= {*node.output}
                chosen.add(node.output[0])
    return chosen | _used_only_by(chosen, carried, model.graph)


def _follows(node: NodeProto, found: dict[str, Value]) -> bool:
    if node.op_type == "ReduceSum":
        before, after = (math.prod(found[n].shape) for n in (node.input[0], node.output[0]))
        return before <= _FEW * after
    return node.op_type in _FOLLOWS


def _is_source(node: NodeProto, constants: dict[str, TensorProto]) -> bool:
    if node.op_type in ("Conv", "ConvTranspose", "Gemm"):
        return node.input[1] in constants
    if node.op_type == "MatMul":  # a layer's weights; matrices of rays have a batch axis
        return node.input[1] in constants and len(constants[node.input[1]].dims) == 2
    is_table = node.op_type in ("Gather", "GatherElements", "GatherND")
    return is_table and node.input[0] in constants and node.input[1] not in constants


def _used_only_by(chosen: set[str], carried: set[str], graph: GraphProto) -> set[str]:
    """Nodes that carry features and are used by nothing but half-precision nodes."""
    half, users = set(chosen), defaultdict[str, set[str]](set)
    for value in graph.output:
        users[value.name].add("")  # the caller, who wants float32
    for node in reversed(graph.node):
        using = set().union(*(users[name] for name in node.output))
        if carried & {*node.output} and using and using <= half:
            half.add(node.output[0])
        for name in node.input:
            users[name].add(node.output[0])
    return half


def with_rounding(model: ModelProto) -> ModelProto:
    """The half-precision graph `model` in float32, rounded wherever a GPU rounds a node's result.

    Inputs and outputs are float32 as well; whoever feeds halves rounds them before.

    For the proof: ONNX Runtime's CPU provider computes half-precision graphs in float32 and drops
    the rounding between nodes [measured, 1.31], so its picture would tell of the weights' rounding
    alone. Within a node sums are exact here; a GPU may round those too.
    """
    copy = ModelProto()
    copy.CopyFrom(model)
    half = {name for name, value in values(model).items() if value.kind == TensorProto.FLOAT16}
    for tensor in copy.graph.initializer:
        if tensor.name in half:
            value = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
    for value in (*copy.graph.input, *copy.graph.output):
        if value.name in half:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    nodes = [part for node in copy.graph.node for part in _rounded(node, half)]
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    return copy


def _rounded(node: NodeProto, half: set[str]) -> list[NodeProto]:
    """`node` in float32, followed by what rounds its half-precision results."""
    results = [name for name in node.output if name in half]
    if node.op_type == "Cast" and (results or node.input[0] in half):
        node.op_type = "Identity"
        node.ClearField("attribute")
    if node.op_type in _EXACT:
        return [node]
    node.output[:] = [f"{name}@exact" if name in results else name for name in node.output]
    nodes = [node]
    for name in results:
        rounded = helper.make_node("Cast", [f"{name}@exact"], [f"{name}@half"], to=_HALF)
        widened = helper.make_node("Cast", [f"{name}@half"], [name], to=TensorProto.FLOAT)
        nodes += [rounded, widened]
    return nodes


class _Casts:
    """Rewrites `model` so that the nodes in `half` get and give float16."""

    def __init__(self, model: ModelProto, half: set[str]) -> None:
        self.model, self.half = model, half
        self.found, self.constants = values(model), initialisers(model)
        self.produced: set[str] = set()
        self.nodes: list[NodeProto] = []
        self.done: dict[str, str] = {}

    def insert(self) -> None:
        """Put casts where a value crosses between the precisions, one for each value."""
        for node in self.model.graph.node:
            in_half = node.output[0] in self.half
            convert = self._as_half if in_half else self._as_float
            node.input[:] = [convert(name) for name in node.input]
            self.nodes.append(node)
            if in_half:
                self.produced |= {*node.output}
        for value in self.model.graph.output:
            if value.name in self.produced:
                self._restore_output(value.name)
        del self.model.graph.node[:]
        self.model.graph.node.extend(self.nodes)

    def _as_half(self, name: str) -> str:
        if not name or self.found[name].kind != TensorProto.FLOAT or name in self.produced:
            return name
        if name not in self.constants:
            return self._cast(name, TensorProto.FLOAT16)
        if name not in self.done:
            value = numpy_helper.to_array(self.constants[name]).clip(-LARGEST, LARGEST)
            self.done[name] = f"{name}@half"
            add_initialiser(self.model, self.done[name], np.asarray(value, np.float16))
        return self.done[name]

    def _as_float(self, name: str) -> str:
        return self._cast(name, TensorProto.FLOAT) if name in self.produced else name

    def _cast(self, name: str, to: int) -> str:
        if name not in self.done:
            suffix = "half" if to == TensorProto.FLOAT16 else "float"
            self.done[name] = f"{name}@{suffix}"
            self._append_cast(name, self.done[name], to)
        return self.done[name]

    def _restore_output(self, name: str) -> None:
        """A graph output keeps its name and its float32."""
        inner = f"{name}@inner"
        for node in self.nodes:
            node.input[:] = [inner if n == name else n for n in node.input]
            node.output[:] = [inner if n == name else n for n in node.output]
        self._append_cast(inner, name, TensorProto.FLOAT)

    def _append_cast(self, name: str, result: str, to: int) -> None:
        self.nodes.append(helper.make_node("Cast", [name], [result], f"cast_{result}", to=to))
