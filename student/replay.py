"""Hard examples more often: views drawn in proportion to how wrong the student was on them.

    losses of a step --remember--> error of each held view (or of each tile of it) --choose--> batch

A share `hard` of each batch is drawn in proportion to error, the rest evenly; R2L (Wang et al.,
ECCV 2022, section 3.3) keeps a pool of hard rays for a share of its batches. Loss weights are not
corrected for the other distribution: that is the point.

With patches, errors are remembered by tile of about a patch's size, and hard patches are cut around
a point of a hard tile. A view that has not been drawn yet counts as wrong as the mean of the others.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from teacher.pseudo.pool import evenly

_UNKNOWN = -1.0


@dataclass(frozen=True)
class ReplayConfig:
    """How hard views are preferred."""

    hard: float = 0.0
    """Share of each batch that is drawn in proportion to its last errors."""
    memory: float = 0.5
    """How much of a view's error is kept when it is drawn again; the rest is the new error."""


class Replay:
    """Errors of the views that a pool of `capacity` holds; one place for each, as in the pool.

    Args:
        config: how hard views are preferred.
        capacity: the pool's.
        size: (height, width) of the pool's views.
        patch: side of the squares that are cut from them; None: they stay whole.
        device: where errors are kept; nothing waits for it.
    """

    def __init__(
        self,
        config: ReplayConfig,
        capacity: int,
        size: tuple[int, int],
        patch: int | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.config = config
        self.grid = (1, 1) if patch is None else tuple(math.ceil(side / patch) for side in size)
        tiles = self.grid[0] * self.grid[1]
        self._errors = torch.full((capacity, tiles), _UNKNOWN, device=device)
        self._numbers = torch.full((capacity,), -1, dtype=torch.long, device=device)
        self._aimed: Int[Tensor, " hard"] = self._numbers[:0]

    def choose(self, held: range, n: int, generator: torch.Generator) -> Int[Tensor, " n"]:
        """A `teacher.pseudo.pool.Chooser`: hard ones first, on average `hard` of all."""
        hard = int(self.config.hard * n + float(torch.rand((), generator=generator)))
        numbers = evenly(held, n - hard, generator).to(self._errors.device)
        u = torch.rand(hard, generator=generator).to(self._errors.device)
        self._forget_replaced(held)
        tiles = self._errors.shape[1]
        drawn = draw_proportionally(self._weights(held).flatten(), u)
        self._aimed = drawn % tiles
        return torch.cat([self._in_order(held)[drawn // tiles], numbers])

    def corners(
        self, random: Int[Tensor, "n 2"], side: int, size: tuple[int, int]
    ) -> Int[Tensor, "n 2"]:
        """`random` corners (row, column) of squares of `side` in pictures of `size`; those of views
        chosen last for a hard tile are moved to around a point of the tile.

        What is random about the point is what is random about the corner.
        """
        hard = len(self._aimed)
        if self.grid == (1, 1) or not hard:
            return random
        tile = self._aimed.cpu()
        tile = torch.stack([tile // self.grid[1], tile % self.grid[1]], -1)
        sides, grid = torch.tensor(size), torch.tensor(self.grid)
        within = (random[:hard] + 0.5) / (sides - side + 1)
        centre = (tile + within) * sides / grid
        moved = (centre - side / 2).round().long().clamp_min(0).minimum(sides - side)
        return torch.cat([moved, random[hard:]])

    def tiles(
        self, corners: Int[Tensor, "n 2"], side: int, size: tuple[int, int]
    ) -> Int[Tensor, " n"]:
        """The tiles, numbered row by row, in which the centres of squares in pictures of `size` lie."""
        sides, grid = torch.tensor(size), torch.tensor(self.grid)
        row, column = ((corners + side / 2) * grid / sides).long().minimum(grid - 1).unbind(-1)
        return row * self.grid[1] + column

    def remember(
        self,
        numbers: Int[Tensor, " n"],
        errors: Float[Tensor, " n"],
        tiles: Int[Tensor, " n"] | None = None,
    ) -> None:
        """Note the `errors` of views, or of `tiles` of them; drawn twice, their mean counts."""
        count = self._errors.shape[1]
        places = (numbers % len(self._errors)) * count
        places = places if tiles is None else places + tiles.to(places.device)
        sums, counts = (torch.zeros_like(self._errors).flatten() for _ in range(2))
        sums.index_add_(0, places, errors.float())
        counts.index_add_(0, places, torch.ones_like(errors, dtype=torch.float32))
        old, new = self._errors.flatten(), sums / counts.clamp_min(1)
        mixed = torch.where(old < 0, new, torch.lerp(new, old, self.config.memory))
        self._errors = torch.where(counts > 0, mixed, old).view_as(self._errors)

    def _in_order(self, held: range) -> Int[Tensor, " held"]:
        return torch.arange(held.start, held.stop, device=self._errors.device)

    def _forget_replaced(self, held: range) -> None:
        """Make errors unknown where the pool has put another view."""
        numbers = self._in_order(held)
        places = numbers % len(self._errors)
        replaced = self._numbers[places] != numbers
        self._errors[places] = self._errors[places].masked_fill(replaced[:, None], _UNKNOWN)
        self._numbers[places] = numbers

    def _weights(self, held: range) -> Float[Tensor, "held tiles"]:
        """Errors of the held views; unknown ones are the mean of the others, or all alike."""
        errors = self._errors[self._in_order(held) % len(self._errors)]
        known = errors >= 0
        mean = torch.where(known, errors, 0).sum() / known.sum().clamp_min(1)
        weights = torch.where(known, errors, mean)
        return torch.where(weights.sum() > 0, weights, torch.ones_like(weights))

    def state(self) -> dict[str, Tensor]:
        """Tensors that `load` needs to go on from here."""
        return {"errors": self._errors, "numbers": self._numbers}

    def load(self, tensors: dict[str, Tensor]) -> None:
        """The inverse of `state`; the state of a pool of another form is left alone."""
        if tensors.keys() >= self.state().keys() and tensors["errors"].shape == self._errors.shape:
            self._errors.copy_(tensors["errors"])
            self._numbers.copy_(tensors["numbers"])


def draw_proportionally(
    weights: Float[Tensor, " n"], u: Float[Tensor, " draws"]
) -> Int[Tensor, " draws"]:
    """Index k where `u` in [0, 1) falls into the k-th of intervals as long as `weights`."""
    ends = weights.double().cumsum(0)
    found = torch.searchsorted(ends, u.double() * ends[-1], right=True)
    return found.clamp_max(len(weights) - 1)
