"""Randomness that depends on where one is, not on how one got there.

Work that is numbered (training steps, pseudo-views) draws from a generator of its own, made from the run's seed and the
number. A run that was killed and resumed, or split over machines, then draws the same numbers as one that was not.
"""

import hashlib

import torch


def generator_for(seed: int, index: int) -> torch.Generator:
    """A CPU generator of its own for each (seed, index); neighbouring indices share nothing."""
    # torch's CPU generator uses 32 bits of its seed only, so these must depend on all of the pair.
    digest = hashlib.blake2b(f"{seed} {index}".encode(), digest_size=4).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big"))
