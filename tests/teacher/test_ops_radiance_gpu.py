"""The fused field on tensor cores, thread by thread, against its definition in float64.

Table, matrices and inputs are numbers that float16 has, so that only what the kernels round counts:
u = 2^-11 is the largest relative error of one rounding. Errors are those of whole tensors, in the
2-norm: through layers that keep the norm of what they are given, each rounding adds at most u.
"""

import itertools
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from teacher.encodings.directional import spherical_harmonics
from teacher.ops import build, launch
from teacher.ops.hash_encode import HashGrid, layout_tensor
from teacher.ops.hash_encode import reference as encoding
from teacher.ops.launch import Blocks
from teacher.ops.radiance import FieldWeights, Radiance, cuda, point_density, radiance, reference
from teacher.ops.radiance.cpu import flat, kernels_for
from tests.emulator import order_of
from tests.kernels import WARP_WAYS, running

U = 2.0**-11
CPU = torch.device("cpu")
every_warp_way = pytest.mark.parametrize("way", WARP_WAYS)


@dataclass(frozen=True)
class Shape:
    """A field's shape."""

    levels: int = 16
    features: int = 2
    width: int = 64
    density_layers: int = 1
    colour_layers: int = 2
    codes: int = 0

    def weights(self, seed: int = 0) -> FieldWeights:
        """Random weights; layers keep the norm of random activations (He et al. 2015)."""
        generator = torch.Generator().manual_seed(seed)
        grid = HashGrid(3, self.levels, self.features, log2_size=9, base=4, finest=40)

        def net(inputs: int, hidden: int, outputs: int) -> tuple[Tensor, ...]:
            sizes = [inputs, *[self.width] * hidden, outputs]
            return tuple(
                _half(torch.randn(b, a, generator=generator) * (2 / a) ** 0.5)
                for a, b in itertools.pairwise(sizes)
            )

        return FieldWeights(
            grid,
            _half(torch.randn(grid.entries, self.features, generator=generator)),
            net(grid.width, self.density_layers, 16),
            net(31 + self.codes, self.colour_layers, 3),
        )


SHAPES = {
    "usual": Shape(),
    "narrow, four features, two density layers": Shape(12, 4, 32, 2, 1, codes=8),
    "eight features, padded": Shape(3, 8, 32, 1, 1, codes=3),
}
every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())


def _half(x: Tensor) -> Tensor:
    return x.half().float()


@dataclass(frozen=True)
class Case:
    """Inputs, and the gradients of some loss with respect to density and colour."""

    points: Tensor
    directions: Tensor
    codes: Tensor
    weights: FieldWeights
    grads: tuple[Tensor, Tensor]

    @staticmethod
    def of(shape: Shape, n: int, seed: int = 1) -> "Case":
        generator = torch.Generator().manual_seed(seed)
        directions = torch.randn(n, 3, generator=generator)
        return Case(
            torch.rand(n, 3, generator=generator),
            torch.nn.functional.normalize(directions, dim=1),
            _half(torch.randn(n, shape.codes, generator=generator)),
            shape.weights(),
            (torch.randn(n, generator=generator), torch.randn(n, 3, generator=generator)),
        )

    def on(self, device: torch.device, dtype: torch.dtype = torch.float32) -> "Case":
        def move(*tensors: Tensor) -> tuple[Tensor, ...]:
            return tuple(x.detach().to(device, dtype) for x in tensors)

        grid, table, density_net, colour_net = self.weights[:4]
        nets = move(*density_net), move(*colour_net)
        density_grad, colour_grad = move(*self.grads)
        return Case(
            *move(self.points, self.directions, self.codes),
            weights=FieldWeights(grid, move(table)[0], *nets),
            grads=(density_grad, colour_grad),
        )

    def answer(self, op: Callable[..., Radiance]) -> Radiance:
        return op(self.points, self.directions, self.codes, self.weights)

    def gradients(self, op: Callable[..., Radiance], frozen: int = 0) -> dict[str, Tensor]:
        """Of points, directions, codes (the first `frozen` of which are not asked for), table, matrices."""
        grid, table, density_net, colour_net = self.weights[:4]
        inputs = {"points": self.points, "directions": self.directions, "codes": self.codes}
        leaves = {**inputs, "table": table}
        leaves |= {f"density {i}": x for i, x in enumerate(density_net)}
        leaves |= {f"colour {i}": x for i, x in enumerate(colour_net)}
        wanted = [name for i, name in enumerate(leaves) if i >= frozen]
        leaves = {name: x.clone().requires_grad_(name in wanted) for name, x in leaves.items()}
        values = list(leaves.values())
        nets = tuple(values[4 : 4 + len(density_net)]), tuple(values[4 + len(density_net) :])
        found = op(*values[:3], FieldWeights(grid, values[3], *nets))
        asked = [leaves[name] for name in wanted]
        grads = torch.autograd.grad(list(found), asked, self.grads, materialize_grads=True)
        return dict(zip(wanted, grads, strict=True))


class _Rounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return x.half().to(x.dtype)

    @staticmethod
    def backward(ctx, *grads: Tensor) -> Tensor:
        return grads[0]


def _rounded(points: Tensor, directions: Tensor, codes: Tensor, weights: FieldWeights) -> Radiance:
    """The definition, with activations rounded to float16 where the kernels hand them on.

    So its ReLUs are cut off where the kernels' are: a unit that only one side cuts off changes that
    side's gradients by much more than rounding does.
    """

    def network(x: Tensor, matrices: Sequence[Tensor]) -> Tensor:
        for matrix in matrices[:-1]:
            x = _round(torch.relu(x @ matrix.T))
        return x @ matrices[-1].T

    encoded = _round(encoding.hash_encode(points, weights.table, weights.grid))
    raw = network(encoded, weights.density_net)
    inputs = torch.cat([raw[:, 1:], spherical_harmonics(directions), codes], 1)
    colour = torch.sigmoid(network(_round(inputs), weights.colour_net))
    return Radiance(reference.TruncatedExp.apply(raw[:, 0] - 1), colour)


def _round(x: Tensor) -> Tensor:
    rounded = _Rounded.apply(x)
    assert isinstance(rounded, Tensor)
    return rounded


def _error(actual: Tensor, expected: Tensor) -> float:
    """In the 2-norm, relative to what is expected."""
    actual, expected = actual.detach().cpu().double(), expected.detach()
    assert actual.shape == expected.shape
    return float((actual - expected).norm() / expected.norm().clamp_min(1e-300))


def _mean_error(actual: Tensor, expected: Tensor) -> float:
    """The root of the mean square, of what has a mean square of about one."""
    difference = actual.detach().cpu().double() - expected.detach()
    return float(difference.square().mean().sqrt())


@contextmanager
def _integer_sums() -> Iterator[None]:
    """Gradients of the table, too, are the same bits each time."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@every_warp_way
@every_shape
@pytest.mark.parametrize("n", [1, 16, 37, 600])
def test_density_and_colour_are_the_definitions(way: str, shape: Shape, n: int) -> None:
    """Logarithm of density and logits, after a rounding for the encoding and for each layer's inputs."""
    case = Case.of(shape, n)
    with running(way) as device:
        there = case.on(device)
        found = there.answer(radiance)
        alone = point_density(there.points, there.weights)
    expected = case.on(CPU, torch.float64).answer(reference.radiance)
    roundings = 1 + shape.density_layers
    assert _mean_error(found.density.log(), expected.density.log()) < roundings * U
    roundings += 1 + shape.colour_layers
    assert _mean_error(found.colour.logit(), expected.colour.logit()) < roundings * U
    assert torch.equal(found.density, alone)


@every_warp_way
@every_shape
@pytest.mark.parametrize("n", [1, 37, 100])
def test_gradients_are_the_definitions(way: str, shape: Shape, n: int) -> None:
    """Of everything, after a rounding for each gradient between layers, and for each addition to a row.

    The coarsest level has 125 grid points, so n points add to a row 8 n / 125 times on average.
    """
    case = Case.of(shape, n)
    with running(way) as device:
        found = case.on(device).gradients(radiance)
    _assert_gradients(shape, found, case, additions=1 + 8 * n / 125)


@every_warp_way
@pytest.mark.parametrize("n", [1, 100])
def test_integers_add_without_rounding(way: str, n: int) -> None:
    """With deterministic algorithms the table's gradients are as exact as the others."""
    shape = SHAPES["eight features, padded"]
    case = Case.of(shape, n)
    with running(way) as device, _integer_sums():
        found = case.on(device).gradients(radiance)
    _assert_gradients(shape, found, case, additions=0)


def _assert_gradients(shape: Shape, found: dict[str, Tensor], case: Case, additions: float) -> None:
    expected = case.on(CPU, torch.float64).gradients(_rounded)
    roundings = 2 + shape.density_layers + shape.colour_layers
    for name, grad in expected.items():
        allowed = roundings + (additions if name == "table" else 0)
        assert _error(found[name], grad) < allowed * U, name


@every_warp_way
def test_what_is_not_asked_for_changes_nothing(way: str) -> None:
    """Without gradients of points, directions and codes the others are the same, bit for bit."""
    with running(way) as device, _integer_sums():
        case = Case.of(SHAPES["eight features, padded"], 20).on(device)
        everything, rest = case.gradients(radiance), case.gradients(radiance, frozen=3)
    assert len(everything) == len(rest) + 3
    assert all(torch.equal(rest[name], everything[name]) for name in rest)


@pytest.mark.parametrize("seed", [2, 3])
def test_any_order_of_blocks_gives_the_same_bits(seed: int) -> None:
    """With deterministic algorithms; sums of float16 would differ, which shows that the order did."""
    case = Case.of(SHAPES["eight features, padded"], 600)
    found = {}
    for flag, order in itertools.product((True, False), (1, seed)):
        with running("emulated"), order_of(order), _integer_sums() if flag else nullcontext():
            found[flag, order] = case.gradients(radiance)
    equal = {
        flag: [torch.equal(a, found[flag, seed][name]) for name, a in found[flag, 1].items()]
        for flag in (True, False)
    }
    assert all(equal[True])
    assert not all(equal[False])


@every_warp_way
def test_gradients_of_any_size_survive_float16(way: str) -> None:
    """A loss 2^-40 (1e-12) or 2^60 as large has just such gradients, bit for bit."""
    case = Case.of(SHAPES["eight features, padded"], 20)
    with running(way) as device, _integer_sums():
        expected = case.on(device).gradients(radiance)
        for factor in (2.0**-40, 2.0**60):
            density_grad, colour_grad = (grad * factor for grad in case.grads)
            scaled = replace(case, grads=(density_grad, colour_grad)).on(device)
            found = scaled.gradients(radiance)
            assert all(torch.equal(found[name], expected[name] * factor) for name in expected)


@every_warp_way
def test_no_gradient_and_infinite_gradients(way: str) -> None:
    """Zero gives zeros; what is not finite is not hidden."""
    case = Case.of(SHAPES["eight features, padded"], 20)
    with running(way) as device:
        for upstream in (0.0, float("inf"), float("nan")):
            grads = torch.full((20,), upstream), torch.zeros(20, 3)
            found = replace(case, grads=grads).on(device).gradients(radiance)
            table, matrix = found["table"], found["density 1"]
            assert bool(table.isfinite().all()) == bool(matrix.isfinite().all()) == (upstream == 0)
            assert upstream or not any(grad.any() for grad in found.values())


@every_warp_way
def test_no_points(way: str) -> None:
    """Nothing is answered, and every gradient is zero."""
    with running(way) as device:
        case = Case.of(SHAPES["usual"], 0).on(device)
        found = case.answer(radiance)
        alone = point_density(case.points, case.weights)
        grads = case.gradients(radiance)
    assert (found.density.shape, found.colour.shape, alone.shape) == ((0,), (0, 3), (0,))
    assert not any(grad.any() for grad in grads.values())


@every_warp_way
def test_points_outside_are_clamped_and_nan_is_zero(way: str) -> None:
    """As the hash encoding has it; their own gradient is zero along such an axis."""
    inf, nan = float("inf"), float("nan")
    wild = torch.tensor([[inf, 0.5, -inf], [nan, 0.25, 0.75], [-3.0, nan, 1.5]])
    tame = torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.25, 0.75], [0.0, 0.0, 1.0]])
    case = Case.of(SHAPES["usual"], 3)
    with running(way) as device, _integer_sums():
        outside, inside = (replace(case, points=points).on(device) for points in (wild, tame))
        for a, b in zip(outside.answer(radiance), inside.answer(radiance), strict=True):
            assert torch.equal(a, b)
        found, expected = outside.gradients(radiance), inside.gradients(radiance)
    clamped = (wild != tame).to(device)
    assert torch.equal(found["points"], expected["points"].masked_fill(clamped, 0))
    assert all(torch.equal(found[name], expected[name]) for name in expected if name != "points")


@every_warp_way
def test_a_field_of_unit_matrices_by_hand(way: str) -> None:
    """Encoding (1/2, 1, 2, -4, 0...) everywhere; the matrices hand values on, or double them.

    Raw outputs: 1/2, 1, 2 (-4 is cut off): density exp(1/2 - 1). Logits: feature 1 = 1, twice
    feature 2 = 4, and the harmonic of degree 0, sqrt(1 / 4 pi), as float16.
    Of a loss that is the sum of densities, the rows of feature 0 share n exp(-1/2).
    """
    grid = HashGrid(3, levels=2, features=2, log2_size=9, base=4, finest=8)
    table = torch.tensor([0.5, 1.0]).repeat(grid.entries, 1)
    table[grid.layout[1].offset :] = torch.tensor([2.0, -4.0])
    first, last = torch.eye(16, 4), torch.eye(16)
    colour_first, colour_last = torch.zeros(16, 31), torch.eye(3, 16)
    colour_first[0, 0], colour_first[1, 1], colour_first[2, 15] = 1, 2, 1
    weights = FieldWeights(grid, table, (first, last), (colour_first, colour_last))
    n = 21
    grads = torch.ones(n), torch.zeros(n, 3)
    case = replace(Case.of(SHAPES["usual"], n), weights=weights, grads=grads)
    with running(way) as device:
        density, colour = (x.cpu() for x in case.on(device).answer(radiance))
        of_table = case.on(device).gradients(radiance)["table"].cpu()
    logits = torch.tensor([1.0, 4.0, _half(torch.tensor(0.25 / torch.pi).sqrt())])
    torch.testing.assert_close(density, torch.full((n,), -0.5).exp())
    torch.testing.assert_close(colour, logits.sigmoid().expand(n, 3))
    sums = [level.sum(0) for level in of_table.split([grid.layout[0].size, grid.layout[1].size])]
    share = n * torch.tensor(-0.5).exp()
    expected = torch.stack([share, share * 0, share * 0, share * 0])
    torch.testing.assert_close(torch.cat(sums), expected, rtol=8 * U, atol=0)


@pytest.mark.parametrize("bytes_of", ["field_bytes", "backward_bytes"])
def test_shared_memory_is_what_is_needed(bytes_of: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One row of a matrix instruction less, and the kernel reads or writes beyond it."""
    case, exact = Case.of(SHAPES["usual"], 600), getattr(cuda, bytes_of)
    monkeypatch.setattr(cuda, bytes_of, lambda *arguments, **more: exact(*arguments, **more) - 32)
    with running("emulated"), pytest.raises(RuntimeError, match="shared memory"):
        case.gradients(radiance)


def test_shapes_that_do_not_fit() -> None:
    """One feature per row, odd widths, no hidden layer, or more than a block's shared memory."""
    with running("emulated"):
        assert all(cuda.fits(shape.weights()) for shape in SHAPES.values())
        for shape in (Shape(features=1), Shape(width=24), Shape(width=256)):
            assert not cuda.fits(shape.weights())
        weights = SHAPES["usual"].weights()
        assert not cuda.fits(weights._replace(density_net=(torch.zeros(16, 16),)))


OTHER = """
#include "radiance/warp.cuh"
WARP_ENTRY(32, 1) other(
    const Level* layout, const float* points, const float* directions, const float* codes,
    const u32* table, const float* matrices, float* density, float* colour) {
  Field field = load_field<true>(dynamic_shared(), layout, matrices);
  __syncthreads();
  float at[2][3], towards[2][3], axis[2];
  int point = lane_id() % 16;
  for (int d = 0; d < 3; d++) {
    rows_of(points[point * 3 + d], axis);
    at[0][d] = axis[0], at[1][d] = axis[1];
    rows_of(directions[point * 3 + d], axis);
    towards[0][d] = axis[0], towards[1][d] = axis[1];
  }
  const float* own[2] = {codes + lane_id() / 4 * CODES, codes + (lane_id() / 4 + 8) * CODES};
  Inside inside = field.inside(encode(field.levels, table, at));
  Fragment<ColourNet::IN> inputs =
      colour_inputs(inside.features, harmonics_of(towards), codes_of(own));
  Colour found = colour_of(field.outside(inputs));
  float raw = point_of(inside.raw);
  if (lane_id() >= 16) return;
  density[point] = density_of(raw);
  colour[point * 3] = found.red, colour[point * 3 + 1] = found.green;
  colour[point * 3 + 2] = found.blue;
}
"""


def test_other_kernels_may_evaluate_the_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Used as warp.cuh says, from a kernel whose lanes have a point each."""
    case = Case.of(SHAPES["narrow, four features, two density layers"], 16)
    weights = case.weights
    with running("emulated"):
        expected = case.answer(radiance)
    shutil.copytree(build.FOLDER, tmp_path, dirs_exist_ok=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "kernel.cu").write_text(OTHER)
    monkeypatch.setattr(build, "FOLDER", tmp_path)
    layout = layout_tensor(weights.grid, CPU)
    matrices = flat((*weights.density_net, *weights.colour_net))
    inputs = (layout, case.points, case.directions, case.codes, weights.table.half(), matrices)
    found = torch.empty(16), torch.empty(16, 3)
    with running("emulated"):
        blocks = Blocks(1, 32, cuda.field_bytes(weights))
        launch.run_blocks(kernels_for("other", weights), "other", CPU, blocks, *inputs, *found)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
