"""Which ONNX operators run on the GPU in a browser, and what a graph costs there.

The table is measured: graphs of one operator, float32 and int32, in onnxruntime-web 1.30.0's native
WebGPU provider (Chromium 156, SwiftShader, November 2026), whose verbose log says where each node
was placed. A node placed on the CPU means a read-back in every frame, so a graph with one is
refused, by the node's name.
"""

import math

from onnx import ModelProto, NodeProto, TensorProto

from export.passes import values
from teacher.errors import UserError

ARITHMETIC = frozenset(
    """Abs Add Atan Ceil Clip Cos CumSum Div Elu Erf Exp Floor Gelu HardSigmoid HardSwish LeakyRelu
    Log Max Min Mish Mul Neg PRelu Pow Reciprocal ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd
    ReduceSum Relu Sigmoid Sin Softmax Softplus Sqrt Sub Tanh""".split()
)
_CONTRACTIONS = frozenset("Conv ConvTranspose Gemm MatMul".split())
_OTHERS = frozenset(
    """And AveragePool BatchNormalization Cast Concat DepthToSpace Einsum Equal Expand Flatten
    Gather GatherElements GatherND GlobalAveragePool Greater GreaterOrEqual Identity
    InstanceNormalization LayerNormalization Less LessOrEqual MaxPool Not Pad Reshape Resize Slice
    Split Squeeze Tile Transpose Unsqueeze Where""".split()
)
ON_GPU = ARITHMETIC | _CONTRACTIONS | _OTHERS
_NOT_OF_INTEGERS = frozenset(("Neg", "Slice"))
_INSTEAD = {
    "GridSample": "gathers: index_select of the four neighbours",
    "IsNaN": "another way of handling NaN (atan2 brings it along)",
    "Mod": "x - floor(x / y) * y",
    "Or": "not (not a and not b)",
    "Round": "floor(x + 0.5) instead of round",
    "Sign": "where(x < 0, -1, 1)",
}
PHONE_BUFFER = 128 * 2**20
"""Bytes in the largest storage buffer of many Android phones (mlc-ai/web-llm#209)."""
_WIDE: dict[int, str] = {TensorProto.INT64: "64-bit integers", TensorProto.DOUBLE: "64-bit floats"}


def check_operators(model: ModelProto) -> list[str]:
    """Hold every node of `model` against the table; the result lists warnings, one line each.

    Raises:
        UserError: a node has no kernel in the browser's GPU provider, or computes in 64 bits.
    """
    found, warnings = values(model), []
    for node in model.graph.node:
        if node.op_type not in ON_GPU:
            raise _refusal(node, f"the operator {node.op_type}", _INSTEAD.get(node.op_type))
        kinds: set[int] = {found[name].kind for name in node.output}
        for kind in kinds & _WIDE.keys():
            raise _refusal(node, _WIDE[kind], "float32, or int32 indices with index_select")
        if node.op_type in _NOT_OF_INTEGERS and TensorProto.INT32 in kinds:
            raise _refusal(node, f"{node.op_type} of integers", "the same in float32 before a cast")
        warnings += _warnings(node, max(found[name].bytes for name in node.output))
    return warnings


def _warnings(node: NodeProto, largest: int) -> list[str]:
    warnings = []
    if node.op_type == "ConvTranspose":
        warnings.append(
            f"node {node.name!r}: ConvTranspose has given wrong pictures on WebGPU "
            "(microsoft/onnxruntime#28976); PixelShuffle has not"
        )
    if largest > PHONE_BUFFER:
        warnings.append(
            f"node {node.name!r}: its result takes {largest / 2**20:.0f} MiB, and many phones' "
            f"buffers end at {PHONE_BUFFER // 2**20} MiB"
        )
    return warnings


def _refusal(node: NodeProto, given: str, instead: str | None) -> UserError:
    return UserError(
        f"node {node.name!r} of the exported graph",
        given,
        "operators that onnxruntime-web runs on WebGPU, in 32 bits or fewer",
        f"write the student's form for export with {instead or 'another operator'}",
    )


def gflop(model: ModelProto) -> float:
    """Operations of one run, in 10^9: two for a multiply-add, one for a function of one number."""
    shapes = {name: value.shape for name, value in values(model).items()}
    return sum(_operations(node, shapes) for node in model.graph.node) / 1e9


def _operations(node: NodeProto, shapes: dict[str, tuple[int, ...]]) -> int:
    if node.op_type == "Conv":
        _, inputs_of_a_group, *kernel = shapes[node.input[1]]
        return 2 * math.prod(shapes[node.output[0]]) * inputs_of_a_group * math.prod(kernel)
    if node.op_type == "ConvTranspose":
        _, outputs_of_a_group, *kernel = shapes[node.input[1]]
        return 2 * math.prod(shapes[node.input[0]]) * outputs_of_a_group * math.prod(kernel)
    if node.op_type in ("MatMul", "Gemm"):
        return 2 * math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]
    if node.op_type.startswith("Reduce"):
        return math.prod(shapes[node.input[0]])
    return math.prod(shapes[node.output[0]]) if node.op_type in ARITHMETIC else 0
