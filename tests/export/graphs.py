"""Small ONNX graphs, written as text, and what ONNX Runtime makes of them."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import ModelProto, numpy_helper


def single(values: Any) -> np.ndarray:
    """A float32 constant."""
    return np.array(values, np.float32)


def whole(values: Any) -> np.ndarray:
    """An int64 constant, as ONNX wants shapes and axes."""
    return np.array(values, np.int64)


def graph(text: str, **constants: np.ndarray) -> ModelProto:
    """A checked model from ONNX's textual syntax; `constants` become initialisers."""
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 20]> {text}')
    for node in model.graph.node:
        node.name = f"node_{node.output[0]}"
    for name, value in constants.items():
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    onnx.checker.check_model(model, full_check=True)
    return model


def run(model: ModelProto, **inputs: np.ndarray) -> list[np.ndarray]:
    """The model's outputs, computed as written: without ONNX Runtime's own rewrites."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return [np.asarray(output) for output in session.run(None, inputs)]


def kinds(model: ModelProto) -> list[str]:
    """Operator types in order."""
    return [node.op_type for node in model.graph.node]
