"""The ray network as ONNX: `predict` without its PixelShuffle, channels last at both ends.

    encoded [1, h, w, C] -> convolutions -> ends [1, h, w, E]

The input's channels are in the encoding shader's order, which the first convolution's weights are
turned to. ONNX Runtime computes with channels last on WebGPU, so the transpositions at both ends
cancel there. In half precision inputs and outputs are halves too.
"""

from copy import deepcopy
from typing import cast

import onnx
import torch
from jaxtyping import Float
from onnx import ModelProto
from torch import Tensor, nn

from export import passes
from export.half import throughout
from export.manifest import Precision
from export.operators import check_operators
from export.split.protocol import Splittable
from export.split.stages import Slots
from export.to_onnx import trace

INPUTS, OUTPUTS = ("encoded",), ("ends",)


class RayNetwork(nn.Module):
    """`predict` of a student on channels in the order of `slots`, before its PixelShuffle."""

    def __init__(self, model: Splittable, slots: Slots) -> None:
        super().__init__()
        body = cast(nn.Module, deepcopy(model)).eval()
        self.model = cast(Splittable, body)
        _replace_only(body, nn.PixelShuffle, nn.Identity())
        first = next(m for m in body.modules() if isinstance(m, nn.Conv2d))
        weight = first.weight.detach()
        channels = sorted(channel for channel in slots if channel is not None)
        assert channels == list(range(weight.shape[1])), (
            f"the ray network has {weight.shape[1]} inputs, the shader tells it {len(channels)}"
        )
        padded = torch.cat([weight, torch.zeros_like(weight[:, :1])], 1)
        order = [weight.shape[1] if channel is None else channel for channel in slots]
        first.weight = nn.Parameter(padded[:, order].contiguous(), requires_grad=False)
        first.in_channels = len(slots)

    def forward(
        self, encoded: Float[Tensor, "1 height width slots"]
    ) -> Float[Tensor, "1 height width ends"]:
        """What the rays end in, channels before PixelShuffle."""
        return self.model.predict(encoded.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def _replace_only(module: nn.Module, kind: type[nn.Module], by: nn.Module) -> None:
    found = [name for name, part in module.named_modules() if isinstance(part, kind)]
    assert len(found) == 1, f"{len(found)} parts of type {kind.__name__}; one was meant"
    parent, _, name = found[0].rpartition(".")
    setattr(module.get_submodule(parent), name, by)


def ray_networks(
    model: Splittable, slots: Slots, coarse: tuple[int, int]
) -> dict[Precision, ModelProto]:
    """The network for a grid of `coarse` = (h, w) rays, in both precisions."""
    network = RayNetwork(model, slots).eval()
    encoded = (torch.zeros(1, *coarse, len(slots)),)
    exported = passes.tidy(trace(network, encoded, INPUTS, OUTPUTS))
    exported.producer_name, exported.producer_version = "pocketfield", ""
    graphs: dict[Precision, ModelProto] = {"fp32": exported, "fp16": throughout(exported)}
    for graph in graphs.values():
        check_operators(graph)
        onnx.checker.check_model(graph, full_check=True)
    return graphs
