"""Randomness that depends on where one is, not on how one got there.

Work that is numbered (training steps, pseudo-views) draws from a generator of its own, made from the run's seed and the
number. A run that was killed and resumed, or split over machines, then draws the same numbers as one that was not.
"""

import hashlib

import torch


def generator_for(
    seed: int, index: int, device: torch.device | str = "cpu", rank: int = 0
) -> torch.Generator:
    """A generator of its own for each (seed, index, rank); neighbouring indices share nothing.

    Args:
        seed: of the run.
        index: of the piece of work, as a training step.
        device: where it draws; a GPU draws other numbers than a CPU.
        rank: of the process, where several share the piece and each must draw numbers of its own.
    """
    # torch's CPU generator uses 32 bits of its seed only, so these must depend on all of the key.
    key = f"{seed} {index} {rank}" if rank else f"{seed} {index}"
    digest = hashlib.blake2b(key.encode(), digest_size=4).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest, "big"))
