"""The split form is the student: orders, paddings and roundings, each against arithmetic of its own."""

from dataclasses import replace
from itertools import pairwise
from typing import cast

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from torch import nn
from torch.nn import functional as F

from export.manifest import Precision
from export.proof import Exportable, Proved, prove_student
from export.split import grids
from export.split.encode import arranged, encoding
from export.split.form import Split, SplitPicture, prove_split, split, tables
from export.split.head import head_code, weights
from export.split.network import RayNetwork, ray_networks
from export.split.protocol import Splittable
from export.split.shade import lookups, shading
from export.split.stages import Part, number
from export.verify import REQUIRED
from student.models.hashed import HashFeatures, rounded
from student.models.surface_guided import SurfaceGuided, SurfaceGuidedConfig
from teacher.errors import UserError
from teacher.ops.hash_encode import HashGrid
from teacher.ops.hash_encode.reference import PRIMES
from tests.bundles import WAVES, wavy
from tests.export.graphs import kinds

SIZE = (24, 32)
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16")
ODD = SurfaceGuidedConfig(
    upsampling=2,
    points=3,
    volume=HashGrid(levels=3, features=1, log2_size=8, base=3, finest=9),
    encoded_points=2,
    octaves=2,
    width=6,
    blocks=1,
    shape=HashGrid(levels=1, features=4, log2_size=6, base=5, finest=5),
    colour=HashGrid(levels=3, features=1, log2_size=7, base=3, finest=20),
    features=2,
    head_width=6,
    beyond=0.3,
)
"""Every number odd or no multiple of four; without bounds."""


@pytest.fixture(scope="module", params=[WAVES, ODD], ids=["waves", "odd"])
def model(request: pytest.FixtureRequest) -> SurfaceGuided:
    return wavy(request.param)


def _random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def _halves(part: Part) -> np.ndarray:
    return np.frombuffer(part.data, "<f2").astype(np.float32)


@pytest.mark.parametrize("features", [1, 2, 4])
def test_rows_of_the_table_are_the_grids_filled_up(features: int) -> None:
    grid = HashFeatures(HashGrid(levels=2, features=features, log2_size=6, base=3, finest=9))
    rows = _halves(grids.table(grid)).reshape(-1, grids.padded_features(grid))
    assert len(rows) == grid.grid.entries
    np.testing.assert_array_equal(rows[:, :features], grid.table.detach().half().float())
    assert not rows[:, features:].any()


def test_reads_are_the_grids_levels() -> None:
    """Scale, resolution and place in the table: 4^3 in order, 10^3 by a hash into 2^6 rows."""
    grid = HashFeatures(HashGrid(levels=2, features=2, log2_size=6, base=4, finest=10))
    first, second = grids.reads(grid, "shape", "p")
    assert first.code == "read_shape(Level(0u, 64u, 4u, 3.0, false), p)"
    assert second.code == "read_shape(Level(64u, 64u, 10u, 9.0, true), p)"
    assert grids.bytes_read(grid) == 2 * 8 * 4  # 2 levels, 8 corners, 2 halves


def test_the_hash_is_the_encodings_own() -> None:
    for prime in PRIMES[1:3]:
        assert f"* {prime}u" in grids.LEVEL_CODE


def test_a_feature_beyond_the_halves_is_clipped() -> None:
    assert rounded(torch.tensor([1e6, -1e6, 0.1])).tolist() == [
        65504,
        -65504,
        np.float16(0.1),
    ]


@pytest.mark.parametrize("widths", [(7, 6, 3), (8, 8, 4), (5, 3)])
def test_the_heads_blocks_multiply_like_its_convolutions(widths: tuple[int, ...]) -> None:
    """Evaluates the uniform buffer as the WGSL does: columns of 4x4 blocks times groups of four."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Conv2d(inputs, outputs, 1), nn.ReLU()]
    head = nn.Sequential(*layers[:-1])
    order = [None, *reversed(range(widths[0])), None]
    order += [None] * (-len(order) % 4)
    x = _random(widths[0])
    told = np.array(
        [0.0 if channel is None else float(x[channel]) for channel in order], np.float32
    )
    inputs = [f"x{k}" for k in range(len(order) // 4)]
    declaration, lines = head_code(head, "head", inputs, 1)
    numbers = np.frombuffer(weights(head, tuple(order)).data, "<f4")
    biases = len(numbers) - 4 * sum(-(-width // 4) for width in widths[1:])
    blocks, bias = numbers[:biases].reshape(-1, 4, 4), numbers[biases:].reshape(-1, 4)
    assert f"array<mat4x4f, {len(blocks)}>" in declaration
    assert f"array<vec4f, {len(bias)}>" in declaration
    assert lines.count("head.blocks[") == len(blocks)
    values = told.reshape(-1, 4)
    for depth, width in enumerate(widths[1:]):
        outputs = []
        for _ in range(-(-width // 4)):
            used, blocks = blocks[: len(values)], blocks[len(values) :]
            outputs.append(bias[0] + sum(v @ block for v, block in zip(values, used, strict=True)))
            bias = bias[1:]
        values = np.stack(outputs)
        if depth < len(widths) - 2:
            values = values.clip(min=0)
    expected = head(x.view(1, -1, 1, 1)).flatten().detach()
    np.testing.assert_allclose(values.flatten()[: widths[-1]], expected, atol=1e-6)


def test_a_head_of_another_kind_is_refused() -> None:
    """Told by name when it is generated, not by a wrong picture in a browser."""
    with pytest.raises(AssertionError, match="1x1 convolutions"):
        weights(nn.Sequential(nn.Conv2d(4, 4, 1), nn.Sigmoid()), (0, 1, 2, 3))
    with pytest.raises(AssertionError, match="4 inputs, the shader tells it 3"):
        weights(nn.Sequential(nn.Conv2d(4, 4, 1)), (0, 1, 2, None))


def test_the_encoding_writes_each_of_torchs_channels_once(model: SurfaceGuided) -> None:
    encoded = encoding(model, SIZE, "fp32")
    written = [channel for channel in encoded.slots if channel is not None]
    assert sorted(written) == list(range(cast(nn.Conv2d, model.body[0]).in_channels))
    assert len(encoded.slots) % 4 == 0
    x = _random(1, len(written), 2, 3)
    back = arranged(x, encoded.slots)
    for slot, channel in enumerate(encoded.slots):
        expected = torch.zeros(2, 3) if channel is None else x[0, channel]
        torch.testing.assert_close(back[0, :, :, slot], expected)


def test_a_points_channels_are_side_by_side(model: SurfaceGuided) -> None:
    """As torch has them, each point's filled up to a pair."""
    points, features = len(model.fractions), model.volume.channels
    padded = features + features % 2
    slots = encoding(model, SIZE, "fp32").slots
    for point in range(points):
        block = slots[point * padded : point * padded + features]
        assert block == tuple(range(point * features, (point + 1) * features))


def test_the_ray_network_is_predict_before_its_shuffle(model: SurfaceGuided) -> None:
    slots = encoding(model, SIZE, "fp32").slots
    x = _random(1, cast(nn.Conv2d, model.body[0]).in_channels, 3, 5)
    with torch.no_grad():
        ends = RayNetwork(model, slots)(arranged(x, slots)).permute(0, 3, 1, 2)
        torch.testing.assert_close(F.pixel_shuffle(ends, model.upsampling), model.predict(x))
    assert isinstance(model.tail[1], nn.PixelShuffle)  # the student itself is as it was


def test_the_ray_network_is_made_of_convolutions(model: SurfaceGuided) -> None:
    slots = encoding(model, SIZE, "fp32").slots
    networks = ray_networks(model, slots, model.coarse_size(SIZE))
    for precision in PRECISIONS:
        kind = {"fp32": TensorProto.FLOAT, "fp16": TensorProto.FLOAT16}[precision]
        network = networks[precision]
        assert set(kinds(network)) == {"Transpose", "Conv", "Relu", "Add"}
        ends = (*network.graph.input, *network.graph.output)
        assert {value.type.tensor_type.elem_type for value in ends} == {kind}
        onnx.checker.check_model(network, full_check=True)


def test_the_code_depends_on_sizes_alone(model: SurfaceGuided) -> None:
    """Trained numbers are in the tables; the same student gives the same bytes."""
    other = wavy(ODD if model.octaves == ODD.octaves else WAVES)
    for parameter in other.parameters():
        torch.nn.init.normal_(parameter)
    for precision in PRECISIONS:
        for stage in (lambda m, p: encoding(m, SIZE, p).stage, lambda m, p: shading(m, SIZE, p)):
            first, second, again = (stage(m, precision) for m in (model, other, model))
            assert first.code == second.code
            assert first.parts != second.parts
            assert first == again


def test_halves_are_packed_without_an_optional_feature(model: SurfaceGuided) -> None:
    """f16 is a feature that half of the devices lack; pack2x16float is core WGSL."""
    for precision in PRECISIONS:
        kind = {"fp32": "array<vec2f>", "fp16": "array<u32>"}[precision]
        encode, shade = (
            encoding(model, SIZE, precision).stage.code,
            shading(model, SIZE, precision).code,
        )
        assert f"encoded: {kind}" in encode and f"ends: {kind}" in shade
        assert "enable" not in encode + shade and "f16;" not in encode + shade


def test_the_heads_are_told_as_many_things_as_they_have_inputs(model: SurfaceGuided) -> None:
    for lookup in lookups(model):
        inputs = cast(nn.Conv2d, lookup.head[0]).in_channels
        assert [slot for slot in lookup.slots if slot is not None] == list(range(inputs))
        assert 4 * len(lookup.inputs) == len(lookup.slots)


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e-6, 2**-149, 65504.0, -1.0])
def test_a_literal_gives_its_float32_back(value: float) -> None:
    assert np.float32(float(number(value))) == np.float32(value)


def test_parts_begin_where_webgpu_lets_them() -> None:
    parts = (Part("storage", b"a" * 300), Part("uniform", b"b" * 16), Part("storage", b"c" * 4))
    data, offsets = tables(parts)
    assert offsets == [0, 512, 768]
    for part, offset in zip(parts, offsets, strict=True):
        assert data[offset : offset + len(part.data)] == part.data


@pytest.fixture(scope="module")
def split_source(source: Exportable) -> Exportable:
    return replace(source, model=wavy(WAVES), size=SIZE)


@pytest.fixture(scope="module")
def split_proved(split_source: Exportable) -> Proved:
    return prove_student(split_source)


def test_both_precisions_of_the_split_form_agree_with_torch(split_proved: Proved) -> None:
    assert set(split_proved.splits) == {"fp16", "fp32"}
    for precision, agreement in split_proved.split_agreements.items():
        assert agreement.psnr >= REQUIRED[precision]
    assert split_proved.split_agreements["fp32"].psnr > split_proved.split_agreements["fp16"].psnr


def test_a_split_form_that_differs_is_refused(
    split_source: Exportable, split_proved: Proved
) -> None:
    """A student with other features than the network was trained with."""
    other = wavy(WAVES)
    other.colour.table.data.neg_()
    forms: dict[Precision, Split] = {"fp32": split_proved.splits["fp32"]}
    with pytest.raises(UserError, match="split form in fp32, reference view 0"):
        prove_split(other, forms, SIZE, split_proved.references)


def test_the_proof_rounds_what_the_graphics_card_gets_rounded(
    split_source: Exportable, split_proved: Proved
) -> None:
    """Tables to half precision in every form, and the buffers of the half-precision one."""
    picture = SplitPicture(split_source.model, split_proved.splits["fp16"], "fp16", SIZE)
    table = picture.model.colour.table
    assert torch.equal(table, table.half().float())
    assert not torch.equal(table, cast(Splittable, split_source.model).colour.table)


def test_a_student_of_another_kind_has_no_split_form(source: Exportable, proved: Proved) -> None:
    assert not isinstance(source.model, Splittable)
    assert split(source.model, source.size) == {}
    assert proved.splits == {} and proved.split_agreements == {}
