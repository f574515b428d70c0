"""Coarse to fine: a window over the levels of a hash grid that opens while training goes on.

Cameras that are off by many cells of the finer levels get no useful direction from these, and what the field learns
there from wrong cameras has to be unlearned: BARF (Lin et al. 2021, equation 14) for frequencies, BAA-NGP (Liu et al.
2023) and Heo et al. 2023, "Robust Camera Pose Refinement for Multi-Resolution Hash Encoding", for levels.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Window:
    """When levels join."""

    coarse: int = 0
    """Levels that are there from the first step; 0: all of them."""
    start: float = 0.0
    """Part of training after which the next one begins to join."""
    end: float = 0.5
    """Part of training after which all have joined."""

    def weights(
        self, levels: int, progress: float, device: torch.device | str = "cpu"
    ) -> Float[Tensor, " levels"]:
        """What each of `levels` levels counts, 0 to 1, when `progress` (0 to 1) of training is over.

        Made on `device`, which nothing waits for.

        >>> Window(coarse=2, end=1.0).weights(4, 0.25).tolist()
        [1.0, 1.0, 0.5, 0.0]
        """
        if not self.coarse:
            return torch.ones(levels, device=device)
        passed = (progress - self.start) / max(1e-6, self.end - self.start)
        joined = self.coarse + min(1.0, max(0.0, passed)) * (levels - self.coarse)
        way = (joined - torch.arange(levels, device=device)).clamp(0, 1)
        return 0.5 - 0.5 * torch.cos(torch.pi * way)
