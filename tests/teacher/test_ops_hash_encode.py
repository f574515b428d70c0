"""The hash encoding against its reference, finite differences, numbers by hand, and its maths."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from teacher.errors import UserError
from teacher.ops.hash_encode import HashGrid, hash_encode, reference
from tests.kernels import assert_agree, discrepancy, every_way, running, slope, threads

SMALL = {
    "space": HashGrid(dims=3, levels=4, features=2, log2_size=9, base=4, finest=40),
    "space, wide": HashGrid(dims=3, levels=3, features=4, log2_size=12, base=8, finest=64),
    "space and time": HashGrid(dims=4, levels=3, features=2, log2_size=10, base=3, finest=12),
}
every_grid = pytest.mark.parametrize("grid", SMALL.values(), ids=SMALL.keys())


def _inputs(grid: HashGrid, n: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Points, a table, and the gradient of some loss with respect to the encoding."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(n, grid.dims, generator=generator)
    table = torch.randn(grid.entries, grid.features, generator=generator)
    return points, table, torch.randn(n, grid.width, generator=generator)


def _with_grads(
    op: Callable[..., Tensor], grid: HashGrid, *inputs: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    points, table, grad = inputs
    points, table = points.clone().requires_grad_(), table.clone().requires_grad_()
    encoded = op(points, table, grid)
    of_points, of_table = torch.autograd.grad(encoded, (points, table), grad)
    return encoded, of_points, of_table


def test_the_layout_is_tiny_cuda_nns() -> None:
    """The usual grid (L 16, F 2, T 2^19, 16 to 2048) has the 12 196 240 parameters known of it."""
    grid = HashGrid()
    assert grid.entries * grid.features == 12_196_240
    resolutions = [level.resolution for level in grid.layout]
    assert (resolutions[0], resolutions[-1]) == (16, 2048)
    assert [level.hashed for level in grid.layout] == [r**3 > 2**19 for r in resolutions]
    for level, after in zip(grid.layout, grid.layout[1:], strict=False):
        assert level.offset + level.size == after.offset
        assert level.size % 8 == 0


@pytest.mark.parametrize(
    "wrong", [{"dims": 5}, {"features": 3}, {"log2_size": 2}, {"base": 1}, {"finest": 8}]
)
def test_a_grid_that_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    """The error names the field and its value."""
    with pytest.raises(UserError, match=" = ".join(map(str, *wrong.items()))):
        HashGrid(**wrong)


@every_way
def test_a_dense_level_by_hand(way: str) -> None:
    """2 x 2 x 2 grid points, row x + 2 y + 4 z holds that number: interpolation is linear in it.

    The point (1/4, 0, 1/2) lies at x * 1 + 0.5 = (3/4, 1/2, 1): 0.75 + 2 * 0.5 + 4 * 1 = 5.75.
    """
    grid = HashGrid(dims=3, levels=1, features=1, log2_size=3, base=2, finest=2)
    with running(way) as device:
        points = torch.tensor([[0.25, 0.0, 0.5]], device=device)
        encoded = hash_encode(points, torch.arange(8.0, device=device)[:, None], grid)
    assert encoded.tolist() == [[5.75]]


@every_way
def test_a_hashed_level_by_hand(way: str) -> None:
    """Grid point (1, 2, 3) of a table of 8 rows, primes 1, 2654435761, 805459861 = 1, 1, 5 mod 8.

    Row (1 ^ 2 * 1 ^ 3 * 5) mod 8 = (1 ^ 2 ^ 15) mod 8 = 12 mod 8 = 4.
    """
    grid = HashGrid(dims=3, levels=1, features=1, log2_size=3, base=16, finest=16)
    assert grid.layout[0].hashed
    with running(way) as device:
        points = ((torch.tensor([[1.0, 2.0, 3.0]]) - 0.5) / 15).to(device)
        encoded = hash_encode(points, torch.arange(8.0, device=device)[:, None], grid)
    assert encoded.tolist() == [[pytest.approx(4, abs=1e-4)]]


@every_grid
@every_way
def test_kernel_equals_reference(way: str, grid: HashGrid) -> None:
    """Forward, and backward for points and table; 150 points fill a CPU's lanes and a rest."""
    inputs = _inputs(grid, 150)
    expected = _with_grads(reference.hash_encode, grid, *inputs)
    with running(way) as device:
        actual = _with_grads(hash_encode, grid, *(x.to(device) for x in inputs))
    assert_agree(actual, expected)


@settings(max_examples=25, deadline=None)
@given(
    dims=st.sampled_from([3, 4]),
    features=st.sampled_from([2, 4]),
    levels=st.integers(1, 5),
    log2_size=st.integers(3, 12),
    base=st.integers(2, 12),
    growth=st.floats(1, 6),
    n=st.integers(1, 300),
)
def test_kernel_equals_reference_on_any_grid(
    dims: int, features: int, levels: int, log2_size: int, base: int, growth: float, n: int
) -> None:
    """Dense, hashed and mixed, down to a table of 8 rows."""
    grid = HashGrid(dims, levels, features, log2_size, base, finest=int(base * growth))
    inputs = _inputs(grid, n, seed=n)
    with running("c++"):
        actual = _with_grads(hash_encode, grid, *inputs)
    assert_agree(actual, _with_grads(reference.hash_encode, grid, *inputs))


@every_grid
@every_way
def test_gradients_are_the_references_slopes(way: str, grid: HashGrid) -> None:
    """Along random directions, by central differences in float64."""
    points, table, grad = _inputs(grid, 40)
    direction = torch.randn(40, grid.dims, generator=torch.Generator().manual_seed(1))
    change = torch.randn(table.shape, generator=torch.Generator().manual_seed(2))
    with running(way) as device:
        inputs = (x.to(device) for x in (points, table, grad))
        _, of_points, of_table = (x.cpu() for x in _with_grads(hash_encode, grid, *inputs))

    def loss(points: Tensor, table: Tensor) -> Tensor:
        return (reference.hash_encode(points.double(), table.double(), grid) * grad).sum()

    along = slope(lambda p: loss(p, table), points, direction)
    across = slope(lambda t: loss(points, t), table, change)
    scale = max(level.scale for level in grid.layout)
    assert (of_points * direction).sum() == pytest.approx(along.item(), abs=1e-4 * scale)
    terms = (of_table * change).abs().sum().item()  # large ones may cancel
    assert (of_table * change).sum() == pytest.approx(across.item(), abs=1e-5 * terms)


def test_the_reference_passes_gradcheck() -> None:
    """In float64, with respect to points and table."""
    grid = HashGrid(dims=3, levels=2, features=2, log2_size=5, base=2, finest=5)
    points, table, _ = (x.double().requires_grad_() for x in _inputs(grid, 4))
    assert torch.autograd.gradcheck(lambda p, t: reference.hash_encode(p, t, grid), (points, table))


def test_a_linear_table_encodes_a_linear_function() -> None:
    """Interpolation reproduces a . vertex + b between the grid points of a dense level."""
    grid = HashGrid(dims=3, levels=1, features=1, log2_size=12, base=9, finest=9)
    r = torch.arange(9.0)
    slopes = torch.tensor([2.0, -1.0, 0.5])
    z, y, x = torch.meshgrid(r, r, r, indexing="ij")
    values = (torch.stack([x, y, z], -1) @ slopes + 3).flatten()
    table = torch.cat([values, torch.zeros(grid.entries - 729)])[:, None]
    points = 0.9 * torch.rand(100, 3, generator=torch.Generator().manual_seed(0))
    expected = (points * grid.layout[0].scale + 0.5) @ slopes + 3
    assert discrepancy(hash_encode(points, table, grid)[:, 0], expected) < 1e-5


@every_grid
@every_way
def test_the_tables_gradient_is_conserved(way: str, grid: HashGrid) -> None:
    """Weights of a cell's corners sum to one: a level's rows get what its features were given."""
    inputs = _inputs(grid, 150)
    with running(way) as device:
        *_, of_table = _with_grads(hash_encode, grid, *(x.to(device) for x in inputs))
    given = inputs[2].sum(0).view(grid.levels, grid.features)
    for level, expected in zip(grid.layout, given, strict=True):
        rows = of_table[level.offset : level.offset + level.size].cpu()
        assert discrepancy(rows.sum(0), expected) < 1e-4


@every_way
def test_points_outside_are_clamped(way: str) -> None:
    """They encode like the nearest point of the unit cube, without a slope; NaN like 0."""
    grid = SMALL["space"]
    table = _inputs(grid, 1)[1]
    outside = torch.tensor([[-3.0, 0.5, 0.5], [0.25, 1e9, 0.5], [0.5, 0.5, float("nan")]])
    with running(way) as device:
        points = outside.to(device).requires_grad_()
        encoded = hash_encode(points, table.to(device), grid)
        (slopes,) = torch.autograd.grad(encoded.sum(), points)
    nearest = outside.nan_to_num(0).clamp(0, 1)
    assert_agree([encoded], [reference.hash_encode(nearest, table, grid)])
    assert torch.equal(slopes.cpu() == 0, ~((outside >= 0) & (outside <= 1)))


def test_the_number_of_threads_does_not_matter() -> None:
    """Encoding and gradients are equal bit for bit; 3000 points are several threads' work."""
    grid = SMALL["space"]
    inputs = _inputs(grid, 3000)
    expected = _with_grads(reference.hash_encode, grid, *inputs)
    results = []
    for count in (1, 2, 3):
        with running("c++"), threads(count):
            results.append(_with_grads(hash_encode, grid, *inputs))
    assert_agree(results[0], expected)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@every_way
def test_no_points(way: str) -> None:
    """An empty batch encodes to nothing, and gives the table a gradient of zeros."""
    grid = SMALL["space"]
    with running(way) as device:
        inputs = (x.to(device) for x in _inputs(grid, 0))
        encoded, of_points, of_table = _with_grads(hash_encode, grid, *inputs)
    assert encoded.shape == (0, grid.width)
    assert of_points.shape == (0, 3)
    assert not of_table.any()


def test_only_wanted_gradients_are_computed() -> None:
    """A table alone, with a gradient that is one number spread over the batch."""
    grid = SMALL["space"]
    points, table, _ = _inputs(grid, 50)
    with running("c++"):
        encoded = hash_encode(points, table.requires_grad_(), grid)
        encoded.sum().backward()
    expected = torch.autograd.grad(reference.hash_encode(points, table, grid).sum(), table)
    assert_agree([table.grad], expected)


def test_a_second_derivative_is_refused() -> None:
    """Rather than a wrong one given."""
    grid = SMALL["space"]
    points, table, _ = _inputs(grid, 5)
    with running("c++"):
        encoded = hash_encode(points.requires_grad_(), table, grid)
        (slopes,) = torch.autograd.grad(encoded.square().sum(), points, create_graph=True)
        with pytest.raises(RuntimeError, match="once_differentiable"):
            slopes.sum().backward()


def test_wrong_inputs_are_refused() -> None:
    """A table of another grid, and points that are not float32."""
    grid = SMALL["space"]
    points, table, _ = _inputs(grid, 5)
    with pytest.raises(UserError, match="hash_encode: table"):
        hash_encode(points, table[:-8].contiguous(), grid)
    with pytest.raises(UserError, match="float64"):
        hash_encode(points.double(), table, grid)
