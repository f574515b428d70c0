"""A student as one self-contained ONNX file that a browser runs entirely on its GPU.

    LightField.for_export -> CameraToPicture -> torch.onnx (dynamo) -> passes.tidy -> fp32
                                                                       half.to_half -> fp16
    LightField ------------> CameraToPicture -> ... the same -> fp32 with GridSample

The first two are held against the operators of the browser's GPU provider. The third is for
WebAssembly, of students with planes: one GridSample in place of index tensors and gathers drew a
128 x 128 picture there in 42 to 49 ms, not 68 to 75 (onnxruntime-web 1.30, November 2026), and takes
far less memory.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

import onnx
import torch
from onnx import ModelProto
from torch import Tensor, nn

from export import half, passes
from export.graph import INPUTS, OUTPUTS, CameraToPicture
from export.manifest import Precision
from export.operators import check_operators
from student.models.base import LightField
from student.models.grids import FeatureGrids

OPSET = 20
"""From 20 on, GELU is one node, which the browser fuses into the convolution before it."""


def to_onnx(model: LightField, size: tuple[int, int], on_gpu: bool = True) -> ModelProto:
    """The float32 graph of `model` for pictures of `size` = (height, width).

    Args:
        model: the student.
        size: of the picture.
        on_gpu: hold it to the operators of the browser's GPU provider; False for a student whose
            split form runs there instead.

    Raises:
        UserError: the size does not fit the student, or the graph has a node that a browser would
            run on the CPU (the error names it).
    """
    picture = CameraToPicture(model.for_export(), size)
    exported = _exported(picture)
    for warning in check_operators(exported) if on_gpu else []:
        logging.getLogger(__name__).warning(warning)
    onnx.checker.check_model(exported, full_check=True)
    return exported


def to_sampled_onnx(model: LightField, size: tuple[int, int]) -> ModelProto | None:
    """The float32 graph with GridSample where the student has it; None where it has none.

    Raises:
        UserError: the size does not fit the student.
    """
    samples = any(isinstance(part, FeatureGrids) for part in model.modules())
    return _exported(CameraToPicture(deepcopy(model).eval(), size)) if samples else None


def _exported(picture: CameraToPicture) -> ModelProto:
    exported = passes.tidy(_trace(picture))
    exported.producer_name, exported.producer_version = "pocketfield", ""
    return exported


def variants(exported: ModelProto, on_gpu: bool = True) -> dict[Precision, ModelProto]:
    """The files to ship, by the precision of the network's body; the smaller and faster first."""
    halved = half.to_half(exported)
    if on_gpu:
        check_operators(halved)
    onnx.checker.check_model(halved, full_check=True)
    return {"fp16": halved, "fp32": exported}


def _trace(picture: CameraToPicture) -> ModelProto:
    looking_down = torch.eye(4)
    looking_down[2, 3] = 3.0
    camera = looking_down, torch.tensor([1.0, 1.0, 0.5, 0.5])
    return trace(picture, camera, INPUTS, OUTPUTS)


def trace(
    module: nn.Module,
    arguments: tuple[Tensor, ...],
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
) -> ModelProto:
    """`module` called with `arguments` as the exporter writes it, in one file; names as given."""
    with _quiet_exporter():
        program = torch.onnx.export(
            module,
            arguments,
            dynamo=True,
            external_data=False,
            opset_version=OPSET,
            input_names=inputs,
            output_names=outputs,
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
