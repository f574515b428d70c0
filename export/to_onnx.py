"""A student as one self-contained ONNX file that a browser runs entirely on its GPU.

    LightField.for_export -> CameraToPicture -> torch.onnx (dynamo) -> passes.tidy -> fp32
                                                                       half.to_half -> fp16

Both are held against the operators of the browser's GPU provider.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import onnx
import torch
from onnx import ModelProto

from export import half, passes
from export.graph import INPUTS, OUTPUTS, CameraToPicture
from export.manifest import Precision
from export.operators import check_operators
from student.models.base import LightField

OPSET = 20
"""From 20 on, GELU is one node, which the browser fuses into the convolution before it."""


def to_onnx(model: LightField, size: tuple[int, int]) -> ModelProto:
    """The float32 graph of `model` for pictures of `size` = (height, width).

    Raises:
        UserError: the size does not fit the student, or the graph has a node that a browser would
            run on the CPU (the error names it).
    """
    picture = CameraToPicture(model.for_export(), size)
    exported = passes.tidy(_trace(picture))
    exported.producer_name, exported.producer_version = "pocketfield", ""
    for warning in check_operators(exported):
        logging.getLogger(__name__).warning(warning)
    onnx.checker.check_model(exported, full_check=True)
    return exported


def variants(exported: ModelProto) -> dict[Precision, ModelProto]:
    """The files to ship, by the precision of the network's body; the smaller and faster first."""
    halved = half.to_half(exported)
    check_operators(halved)
    onnx.checker.check_model(halved, full_check=True)
    return {"fp16": halved, "fp32": exported}


def _trace(picture: CameraToPicture) -> ModelProto:
    looking_down = torch.eye(4)
    looking_down[2, 3] = 3.0
    with _quiet_exporter():
        program = torch.onnx.export(
            picture,
            (looking_down, torch.tensor([1.0, 1.0, 0.5, 0.5])),
            dynamo=True,
            external_data=False,
            opset_version=OPSET,
            input_names=INPUTS,
            output_names=OUTPUTS,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Silence what the exporter says about itself and no student can change."""
    registration = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = registration.level
    registration.setLevel(logging.ERROR)  # "torchvision is not installed"
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*LeafSpec.* is deprecated", FutureWarning)
            yield
    finally:
        registration.setLevel(level)
