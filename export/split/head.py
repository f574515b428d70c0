"""A perceptron of 1x1 convolutions and ReLU in WGSL, unrolled into products of 4x4 matrices.

    groups of four inputs --4x4 blocks of weights--> groups of four outputs, layer after layer

The weights are a uniform buffer, which a graphics card reads at the speed of constants; the code
depends on the sizes alone. Sizes are filled up to multiples of four with weights of zero.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from export.split.stages import Part, Slots, groups

LARGEST_UNIFORM = 65536
"""Bytes of a uniform buffer on any device (WebGPU's default maxUniformBufferBindingSize)."""


def convolutions(head: nn.Sequential) -> list[nn.Conv2d]:
    """The layers; anything but 1x1 convolutions with ReLU in between is another head."""
    layers = list(head)
    kinds = [type(layer) for layer in layers]
    expected = [nn.Conv2d, nn.ReLU] * (len(layers) // 2) + [nn.Conv2d]
    assert kinds == expected, f"a head of {kinds}; 1x1 convolutions with ReLU in between were meant"
    found = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    assert all(layer.kernel_size == (1, 1) and layer.groups == 1 for layer in found)
    return found


def weights(head: nn.Sequential, told: Slots) -> Part:
    """The uniform buffer of `head` whose inputs arrive in the order `told`, by groups of four.

    First all 4x4 blocks, layer by layer, output by output; then the biases.
    """
    blocks, biases, order = [], [], told
    for layer in convolutions(head):
        matrix = _padded(layer.weight.detach().cpu()[:, :, 0, 0], order)
        outputs, inputs = (side // 4 for side in matrix.shape)
        # a WGSL matrix is a list of columns, one for each input
        blocks.append(matrix.view(outputs, 4, inputs, 4).permute(0, 2, 3, 1).flatten())
        assert layer.bias is not None
        bias = torch.zeros(4 * outputs)
        bias[: layer.out_channels] = layer.bias.detach().cpu()
        biases.append(bias)
        order = (*range(layer.out_channels),)
    data = torch.cat([*blocks, *biases]).numpy().astype("<f4").tobytes()
    assert len(data) <= LARGEST_UNIFORM, f"{len(data)} bytes of weights do not fit a uniform buffer"
    return Part("uniform", data)


def _padded(weight: Float[Tensor, "outputs inputs"], order: Slots) -> Float[Tensor, "rows columns"]:
    rows, columns = (4 * groups(count, 4) for count in (len(weight), len(order)))
    channels = sorted(channel for channel in order if channel is not None)
    assert channels == list(range(weight.shape[1])), (
        f"the head has {weight.shape[1]} inputs, the shader tells it {len(channels)}"
    )
    matrix = torch.zeros(rows, columns)
    for column, channel in enumerate(order):
        if channel is not None:
            matrix[: len(weight), column] = weight[:, channel]
    return matrix


def head_code(head: nn.Sequential, name: str, inputs: list[str], binding: int) -> tuple[str, str]:
    """WGSL of the weights' declaration, and lines that compute the vec4f `NAME_out`.

    Args:
        head: the perceptron, with up to four outputs.
        name: of the uniform, and of what is computed from it.
        inputs: expressions of its inputs, vec4f each.
        binding: of the weights.
    """
    block = bias = 0
    lines, layers = [], convolutions(head)
    assert layers[-1].out_channels <= 4, f"{layers[-1].out_channels} outputs of the {name}"
    for depth, layer in enumerate(layers):
        last = depth == len(layers) - 1
        outputs = range(groups(layer.out_channels, 4))
        names = [f"{name}_out" if last else f"{name}{depth}_{k}" for k in outputs]
        size = f"{layer.in_channels} -> {layer.out_channels}"
        lines.append(f"  // layer {depth + 1} of the {name}, {size}{'' if last else ', ReLU'}")
        for result in names:
            terms = [f"{name}.biases[{bias}]"]
            terms += [f"{name}.blocks[{block + k}] * {x}" for k, x in enumerate(inputs)]
            lines.append(_sum(result, terms, not last))
            block, bias = block + len(inputs), bias + 1
        inputs = names
    kind = name.capitalize()
    declaration = f"""\
struct {kind} {{
  blocks: array<mat4x4f, {block}>,
  biases: array<vec4f, {bias}>,
}}
@group(1) @binding({binding}) var<uniform> {name}: {kind};"""
    return declaration, "\n".join(lines)


def _sum(name: str, terms: list[str], relu: bool) -> str:
    total = "\n    + ".join(terms)
    return f"  let {name} = max({total}, vec4f(0.0));" if relu else f"  let {name} = {total};"


def head_operations(head: nn.Sequential) -> int:
    """Of one pixel, as computed: on multiples of four."""
    sizes = [(layer.in_channels, layer.out_channels) for layer in convolutions(head)]
    return sum(2 * 16 * groups(a, 4) * groups(b, 4) for a, b in sizes)
