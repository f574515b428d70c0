"""Adam with skipped rows against its reference, torch's own Adam, and numbers by hand."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from teacher.errors import UserError
from teacher.ops.adam import adam_step, reference
from tests.kernels import assert_agree, every_way, running, threads


def _state(rows: int, width: int, seed: int = 0) -> tuple[Tensor, ...]:
    """A parameter, a gradient in a third of its rows, moments and step counts under way."""
    generator = torch.Generator().manual_seed(seed)
    parameter, gradient, first, second = torch.randn(4, rows, width, generator=generator)
    gradient[torch.rand(rows, generator=generator) < 2 / 3] = 0
    steps = torch.randint(5000, (rows,), generator=generator).int()
    return parameter, gradient, 0.1 * first, second.square(), steps


@every_way
def test_two_steps_by_hand(way: str) -> None:
    """Gradients 4 and then 0 in one row, 4 and then 1 in the other; betas 1/2 and 3/4, rate 1.

    First step: m = 2, v = 4, corrected by sqrt(1/4) / (1/2) = 1: both go by 2 / 2 = 1.
    Second step, of the second row only: m = 1 + 1/2 = 3/2, v = 3 + 1/4 = 13/4, corrected by
    sqrt(1 - 9/16) / (1 - 1/4) = sqrt(7) / 3: it goes by sqrt(7) / 3 * 1.5 / sqrt(13/4).
    """
    with running(way) as device:
        parameter, first, second = torch.zeros(3, 2, 1, device=device)
        steps = torch.zeros(2, dtype=torch.int32, device=device)
        for gradient in ([4.0, 4.0], [0.0, 1.0]):
            g = torch.tensor(gradient, device=device)[:, None]
            adam_step(parameter, g, first, second, steps, 1.0, (0.5, 0.75), 1e-15, 0.0)
    second_way = 7**0.5 / 3 * 1.5 / (13 / 4) ** 0.5
    assert parameter.flatten().tolist() == pytest.approx([-1, -1 - second_way])
    assert first.flatten().tolist() == pytest.approx([2, 3 / 2])
    assert second.flatten().tolist() == pytest.approx([4, 13 / 4])
    assert steps.tolist() == [1, 2]


@pytest.mark.parametrize("width", [1, 2, 4, 8, 3, 33])
@every_way
def test_kernel_equals_reference(way: str, width: int) -> None:
    """Widths with a build of their own, and others; against the reference in float64."""
    state = _state(200, width)
    expected = [x.double() if x.is_floating_point() else x.clone() for x in state]
    reference.adam_step(*expected, learning_rate=1e-2, eps=1e-8, decay=1e-2)
    with running(way) as device:
        actual = [x.to(device, copy=True) for x in state]
        adam_step(*actual, learning_rate=1e-2, eps=1e-8, decay=1e-2)
    assert_agree(actual, expected)
    assert torch.equal(actual[4].cpu(), expected[4])


@settings(max_examples=15, deadline=None)
@given(
    st.integers(1, 40),
    st.sampled_from([1e-3, 0.1]),
    st.sampled_from([(0.9, 0.99), (0.0, 0.999), (0.5, 0.5)]),
    st.sampled_from([0.0, 0.1]),
    st.integers(0, 999),
)
def test_a_row_does_not_see_the_steps_that_skip_it(
    count: int, rate: float, betas: tuple[float, float], decay: float, seed: int
) -> None:
    """Each row goes where torch's Adam takes it on its own gradients, left alone in between."""
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(3, 2, generator=generator)
    gradients = torch.randn(count, 3, 2, generator=generator)
    gradients[torch.rand(count, 3, generator=generator) < 0.5] = 0
    state = [start.clone(), torch.zeros(3, 2), torch.zeros(3, 2), torch.zeros(3).int()]
    with running("c++"):
        for gradient in gradients:
            parameter, first, second, steps = state
            adam_step(parameter, gradient, first, second, steps, rate, betas, 1e-15, decay)
    for row in range(3):
        alone = torch.nn.Parameter(start[row].double())
        optimiser = torch.optim.Adam([alone], rate, betas, 1e-15, weight_decay=decay)
        for gradient in gradients[:, row]:
            if gradient.any():
                alone.grad = gradient.double()
                optimiser.step()
        assert torch.allclose(state[0][row].double(), alone.detach(), atol=1e-4 * rate * count)


@every_way
def test_rows_without_a_gradient_are_left_alone(way: str) -> None:
    """To the last bit, even with decay; and one value that is not zero moves its whole row."""
    state = _state(100, 4)
    state[1][7] = torch.tensor([0.0, 0.0, 0.0, 1e-30])
    skipped = (state[1] == 0).all(1)
    with running(way) as device:
        actual = [x.to(device, copy=True) for x in state]
        adam_step(*actual, learning_rate=1e-2, decay=1.0)
    for before, after in zip(state, actual, strict=True):
        assert torch.equal(before[skipped], after.cpu()[skipped])
    assert not skipped[7]
    assert (actual[0].cpu() != state[0])[7].all()
    assert torch.equal(actual[4].cpu() - state[4], (~skipped).int())


@every_way
def test_tiny_gradients_make_full_steps(way: str) -> None:
    """With eps 1e-15 a first gradient of 1e-10 goes as far as one of 1: by the learning rate."""
    with running(way) as device:
        parameter, first, second = torch.zeros(3, 2, 1, device=device)
        gradient = torch.tensor([[1e-10], [1.0]], device=device)
        steps = torch.zeros(2, dtype=torch.int32, device=device)
        adam_step(parameter, gradient, first, second, steps, 0.01)
    assert parameter.flatten().tolist() == pytest.approx([-0.01, -0.01], rel=2e-4)


def test_after_many_steps_nothing_is_corrected() -> None:
    """The table of corrections ends where they are 1, and its last entry stands for the rest."""
    generator = torch.Generator().manual_seed(0)
    state = [*torch.rand(4, 5, 2, generator=generator)]
    with running("c++"):
        moved = []
        for count in (1500, 5000, 2**30):
            copy = [x.clone() for x in state]
            adam_step(*copy, steps=torch.full((5,), count).int(), learning_rate=0.1)
            moved.append(copy[0])
    assert_agree(moved[:2], [moved[2], moved[2]], 1e-6)


def test_the_number_of_threads_does_not_matter() -> None:
    """Rows are independent: results are equal bit for bit."""
    state = _state(20_000, 2)
    results = []
    for count in (1, 2, 3):
        with running("c++"), threads(count):
            copy = [x.clone() for x in state]
            adam_step(*copy, learning_rate=0.01)
            results.append(copy)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@every_way
def test_an_empty_table(way: str) -> None:
    """No rows: nothing to do."""
    with running(way) as device:
        empty = torch.zeros(4, 0, 2, device=device)
        adam_step(*empty, steps=torch.zeros(0, dtype=torch.int32, device=device), learning_rate=1.0)


def test_wrong_inputs_are_refused() -> None:
    """Step counts that are not int32, and betas that are no means."""
    *tensors, steps = _state(5, 2)
    with pytest.raises(UserError, match="adam_step: steps"):
        adam_step(*tensors, steps=steps.long(), learning_rate=0.1)
    with pytest.raises(UserError, match="betas"):
        adam_step(*tensors, steps=steps, learning_rate=0.1, betas=(0.9, 1.0))
