"""Hard views are drawn in proportion to their error; everything else stays even."""

import pytest
import torch

from student.replay import Replay, ReplayConfig, draw_proportionally
from teacher.pseudo.pool import ViewPool
from teacher.pseudo.source import Source

SIZE = (32, 32)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_intervals_by_hand() -> None:
    """Weights 1, 0, 3: the first quarter is 0, the rest is 2, and 1 never comes."""
    u = torch.tensor([0.0, 0.2, 0.26, 0.5, 0.999999])
    assert draw_proportionally(torch.tensor([1.0, 0.0, 3.0]), u).tolist() == [0, 0, 2, 2, 2]


def test_frequencies_are_a_mixture_of_even_and_error() -> None:
    """p(k) = (1 - hard) / n + hard * error_k / sum: chi-square over six views."""
    replay = Replay(ReplayConfig(hard=0.4, memory=0.0), 8, SIZE)
    errors, n = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0, 10.0]), 20000
    held = range(21, 27)
    replay.choose(held, 1, generator())  # the pool now holds these
    replay.remember(torch.arange(21, 27), errors)
    numbers = replay.choose(held, n, generator())
    counts = torch.bincount(numbers - 21, minlength=6)
    expected = n * (0.6 / 6 + 0.4 * errors / errors.sum())
    assert float(((counts - expected) ** 2 / expected).sum()) < 25  # 5 degrees of freedom


@pytest.mark.parametrize("hard", [0.0, 0.3, 1.0])
def test_the_share_is_kept_on_average_in_small_batches(hard: float) -> None:
    """One view alone has an error, so it is drawn exactly by the hard ones."""
    replay, g = Replay(ReplayConfig(hard=hard, memory=0.0), 1000, SIZE), generator()
    held, found = range(1000), 0
    replay.choose(held, 1, g)
    errors = torch.zeros(1000)
    errors[7] = 1.0
    replay.remember(torch.arange(1000), errors)
    for _ in range(1000):
        found += int((replay.choose(held, 4, g) == 7).sum())
    assert found / 4000 == pytest.approx(hard, abs=0.03)


def test_an_error_is_an_exponential_mean_of_the_last_ones() -> None:
    """memory .25: 8, then 4 -> 5, then the mean of 1 and 3 -> 2.75; others are not touched."""
    replay = Replay(ReplayConfig(hard=0.5, memory=0.25), 4, SIZE)
    replay.choose(range(4), 1, generator())
    for numbers, errors in (([2], [8.0]), ([2], [4.0]), ([2, 2], [1.0, 3.0])):
        replay.remember(torch.tensor(numbers), torch.tensor(errors))
    assert replay.state()["errors"].flatten().tolist() == [-1, -1, pytest.approx(2.75), -1]


def test_views_that_were_not_drawn_count_as_the_mean_and_new_ones_are_unknown() -> None:
    """View 4 takes the place of view 0: nothing is left of the old one's error."""
    replay = Replay(ReplayConfig(hard=1.0, memory=0.0), 4, SIZE)
    replay.choose(range(4), 1, generator())
    replay.remember(torch.arange(4), torch.tensor([900.0, 1.0, 1.0, 4.0]))
    numbers = replay.choose(range(1, 5), 8000, generator())
    counts = torch.bincount(numbers, minlength=5) / 8000
    torch.testing.assert_close(counts, torch.tensor([0, 1, 1, 4, 2]) / 8, atol=0.02, rtol=0)


def test_without_any_error_all_are_alike() -> None:
    replay = Replay(ReplayConfig(hard=1.0), 4, SIZE)
    counts = torch.bincount(replay.choose(range(4), 8000, generator()), minlength=4)
    assert ((counts - 2000).abs() < 200).all()
    replay.remember(torch.arange(4), torch.zeros(4))
    assert len(replay.choose(range(4), 80, generator()).unique()) == 4


def test_hard_patches_lie_around_hard_tiles() -> None:
    """Only the tile in row 2, column 1 of a 4 x 4 grid is wrong: all patches contain its middle."""
    replay = Replay(ReplayConfig(hard=1.0, memory=0.0), 2, SIZE, patch=8)
    assert replay.grid == (4, 4)
    replay.choose(range(2), 1, generator())
    tiles = torch.arange(16)
    replay.remember(torch.ones(16, dtype=torch.long), (tiles == 9).float(), tiles)
    replay.remember(torch.zeros(16, dtype=torch.long), torch.zeros(16), tiles)
    assert set(replay.choose(range(2), 50, generator()).tolist()) == {1}
    random = (torch.rand(50, 2, generator=generator()) * 25).long()
    corners = replay.corners(random, 8, SIZE)
    middle = torch.tensor([2.5 * 8, 1.5 * 8])
    assert ((corners <= middle) & (middle <= corners + 8)).all()
    assert len(corners.unique(dim=0)) > 20, "not always the same square"
    assert (replay.tiles(torch.tensor([[16, 8]]), 8, SIZE) == 9).all()


@pytest.mark.parametrize("size", [(32, 32), (20, 28), (8, 8)])
def test_patches_never_leave_the_picture(size: tuple[int, int]) -> None:
    """Whatever tile, also of a picture that is shrunk for now."""
    replay = Replay(ReplayConfig(hard=1.0), 4, SIZE, patch=8)
    replay.choose(range(4), 500, generator())
    random = (torch.rand(500, 2, generator=generator()) * (torch.tensor(size) - 7)).long()
    corners = replay.corners(random, 8, size)
    assert (corners >= 0).all() and (corners + 8 <= torch.tensor(size)).all()
    tiles = replay.tiles(corners, 8, size)
    assert tiles.min() >= 0 and tiles.max() < 16


def test_the_state_goes_on_as_if_nothing_had_happened() -> None:
    config, held = ReplayConfig(hard=0.7), range(3, 7)
    one, other = (Replay(config, 4, SIZE, patch=16) for _ in range(2))
    one.choose(held, 4, generator())
    one.remember(torch.tensor([3, 4, 6]), torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0, 3, 1]))
    other.load({name: value.clone() for name, value in one.state().items()})
    assert torch.equal(*(replay.choose(held, 99, generator(1)) for replay in (one, other)))
    Replay(config, 5, SIZE).load(one.state())  # of another pool: left alone


def test_a_pool_draws_what_is_chosen(ball: Source) -> None:
    """The hard view's own picture and camera come, with its number."""
    pool = ViewPool(ball, 4, SIZE, 0, reuse=1e9, background=False)
    pool.wait(4)
    replay = Replay(ReplayConfig(hard=1.0, memory=0.0), 4, SIZE)
    replay.choose(pool.held, 1, generator())
    replay.remember(torch.arange(4), torch.tensor([0.0, 0.0, 5.0, 0.0]))
    batch = pool.batch(6, generator(), replay.choose)
    assert batch.numbers.tolist() == [2] * 6
    torch.testing.assert_close(batch.T_norm_camera[0], ball.camera(2, SIZE, 0).T_world_camera)
