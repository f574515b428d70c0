"""Histograms along rays: how light that ends in one interval or the next decides where to look closer.

Letters: e = edges of the intervals, increasing; w = what each interval holds, >= 0, summing to at most 1 (the rest
passes through); W = sum of the w before an edge. Rays lie behind one another in the first axis.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad


def resample(
    edges: Float[Tensor, "rays bins_plus_one"],
    weights: Float[Tensor, "rays bins"],
    count: int,
    jitter: Float[Tensor, " rays"],
) -> Float[Tensor, "rays count_plus_one"]:
    """Edges of `count` intervals around points at the quantiles (i + jitter) / count of the histogram.

    An interval ends half-way between its point and the next; the outermost are as long on both sides of their point
    but stay in the histogram (as in the released code of mip-NeRF 360, Barron et al. 2022). No gradient.

    Args:
        edges: of the histogram.
        weights: positive somewhere on each ray; need not sum to 1.
        count: at least 2.
        jitter: in [0, 1), the same for all points of a ray.
    """
    steps = torch.arange(count, device=edges.device)
    points = quantiles(edges, weights, (steps + jitter[:, None]) / count)
    middles = 0.5 * (points[:, 1:] + points[:, :-1])
    first = torch.maximum(2 * points[:, :1] - middles[:, :1], edges[:, :1])
    last = torch.minimum(2 * points[:, -1:] - middles[:, -1:], edges[:, -1:])
    return torch.cat([first, middles, last], 1)


@torch.no_grad()
def quantiles(
    edges: Float[Tensor, "rays bins_plus_one"],
    weights: Float[Tensor, "rays bins"],
    fractions: Float[Tensor, "rays count"],
) -> Float[Tensor, "rays count"]:
    """Where the running integral of the histogram reaches `fractions` of its total: the inverse CDF."""
    W = _running(weights)
    wanted = fractions * W[:, -1:]
    above = torch.searchsorted(W, wanted, right=True).clamp(1, weights.shape[1])
    W0, W1 = W.gather(1, above - 1), W.gather(1, above)
    e0, e1 = edges.gather(1, above - 1), edges.gather(1, above)
    part = ((wanted - W0) / (W1 - W0).clamp_min(1e-12)).clamp(0, 1)
    return e0 + part * (e1 - e0)


def widened(
    edges: Float[Tensor, "rays bins_plus_one"],
    weights: Float[Tensor, "rays bins"],
    power: float,
    floor: float,
) -> Float[Tensor, "rays bins"]:
    """Weights to sample by: where the given ones say, next to there, and a little everywhere.

    The mean height (weight per length) of each interval and the higher of its neighbours on either side, to the power
    `power` (mip-NeRF, equation 18: the blur; mip-NeRF 360, equation 18: annealing), plus `floor` spread evenly.
    """
    length = (edges[:, 1:] - edges[:, :-1]).clamp_min(1e-9)
    height = weights / length
    higher = torch.maximum(height[:, 1:], height[:, :-1])
    higher = torch.cat([height[:, :1], higher, height[:, -1:]], 1)
    blurred = 0.5 * (higher[:, 1:] + higher[:, :-1]) * length
    return blurred**power + floor * length / (edges[:, -1:] - edges[:, :1])


def annealing(progress: float, slope: float) -> float:
    """The power to raise weights to after `progress` in [0, 1]: from 0 to 1 (mip-NeRF 360, equation 18)."""
    return slope * progress / ((slope - 1) * progress + 1)


def outer_mass(
    edges: Float[Tensor, "rays bins_plus_one"],
    weights: Float[Tensor, "rays bins"],
    of: Float[Tensor, "rays intervals_plus_one"],
) -> Float[Tensor, "rays intervals"]:
    """All that intervals of the histogram hold which overlap each interval of `of` (mip-NeRF 360, equation 12).

    Nothing finer that agrees with the histogram can have more there. Differentiable in `weights`.
    """
    W = _running(weights)
    last = weights.shape[1]
    begin = torch.searchsorted(edges, of[:, :-1].contiguous(), right=True) - 1
    end = torch.searchsorted(edges, of[:, 1:].contiguous(), right=False)
    return W.gather(1, end.clamp(0, last)) - W.gather(1, begin.clamp(0, last))


def _running(weights: Float[Tensor, "rays bins"]) -> Float[Tensor, "rays bins_plus_one"]:
    """Sums of the bins before each edge."""
    if torch.are_deterministic_algorithms_enabled():  # torch's cumsum on a GPU is not
        bins = weights.shape[1]
        return pad(weights @ weights.new_ones(bins, bins).triu(), (1, 0))
    return pad(weights.cumsum(1), (1, 0))
