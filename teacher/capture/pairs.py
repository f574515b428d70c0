"""Which pictures are compared with which.

A video's neighbours overlap: each frame meets the next NEIGHBOURS ones, and those 8, 16, 32, ... frames away, so that a
stretch of bad frames is bridged (the offsets of COLMAP's quadratic overlap). Where the path crosses itself, frames
far apart in time show the same: every k-th frame meets every other k-th one. Loops are usually found with a
vocabulary tree, which is a download; ANCHORS² / 2 comparisons find the same ones.
"""

import math

NEIGHBOURS = 6
ANCHORS = 24
ALL_UP_TO = 60
"""Pictures up to which `auto` compares a video's frames with all others: few minutes, and nothing is missed."""

Pairs = list[tuple[int, int]]


def exhaustive(count: int) -> Pairs:
    """Every pair."""
    return [(i, j) for i in range(count) for j in range(i + 1, count)]


def sequential(count: int) -> Pairs:
    """Neighbours at offsets 1 ... NEIGHBOURS and powers of two, and all pairs of at most ANCHORS spread frames."""
    offsets = {*range(1, NEIGHBOURS + 1), *(2**k for k in range(3, count.bit_length()))}
    near = {(i, i + d) for i in range(count) for d in offsets if i + d < count}
    anchors = range(0, count, math.ceil(count / ANCHORS))
    return sorted(near | {(i, j) for i in anchors for j in anchors if i < j})


def pairs_for(count: int, method: str, ordered: bool) -> Pairs:
    """The pairs of a matching method; `auto` knows whether the pictures are `ordered` in time."""
    if method == "auto":
        method = "sequential" if ordered and count > ALL_UP_TO else "exhaustive"
    return sequential(count) if method == "sequential" else exhaustive(count)
