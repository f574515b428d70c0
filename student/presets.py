"""Configurations of a distillation, and named ones that are known to work.

A preset is a value; every field of it can be overridden on the command line: `train tiny
--model.width 96`.
"""

import dataclasses
from dataclasses import dataclass

from student.losses import LossConfig
from student.models.mobile_r2l import MobileR2LConfig
from student.models.tiny import TinyConfig
from student.optimiser import OptimiserConfig


@dataclass(frozen=True)
class PoolConfig:
    """The teacher's views that a student draws from."""

    capacity: int = 1000
    """Most views kept in memory; fewer than about 600 overfit."""
    first: int = 16
    """Views to wait for before the first step."""
    reuse: float = 20.0
    """How often a view is drawn, on average, before a fresh one replaces the oldest."""


@dataclass(frozen=True)
class TrainConfig:
    """One distillation."""

    model: TinyConfig | MobileR2LConfig = dataclasses.field(default_factory=TinyConfig)
    """The network."""
    loss: LossConfig = dataclasses.field(default_factory=LossConfig)
    """Weights of the loss terms."""
    optimiser: OptimiserConfig = dataclasses.field(default_factory=OptimiserConfig)
    """Learning rates and averaging."""
    pool: PoolConfig = dataclasses.field(default_factory=PoolConfig)
    """Where the pictures come from."""
    minutes: float = 5.0
    """Budget: wall time, the teacher's rendering included; time before an interruption counts."""
    steps: int | None = None
    """Budget in steps instead of minutes. Views are then rendered between steps rather than beside
    them, so that the result depends on the configuration alone.
    """
    size: tuple[int, int] | None = None
    """(height, width) of the pictures; None: the training cameras' size, cut to what the network
    can make.
    """
    batch: int = 4
    """Pictures per step."""
    patch: int | None = None
    """Side of the random square that is cut from each picture; None: whole pictures."""
    seed: int = 0
    """Seed of everything random."""
    threads: int | None = None
    """CPU threads of training; None: half of them, the teacher renders on the others."""
    log_every: int = 20
    """Steps between rows of the log."""
    eval_points: int = 15
    """Measurements on held-out views, spread evenly over the budget; the last is at its end."""
    eval_views: int = 6
    """Held-out views measured then."""
    save_seconds: float = 30.0
    """Seconds between checkpoints."""

    def fraction(self, step: int, seconds: float) -> float:
        """How much of the budget is used up after `step` steps and `seconds` seconds."""
        return seconds / (60 * self.minutes) if self.steps is None else step / self.steps


# Best of a sweep on the prototype of the built-in scene (600 steps, one seed, 20 held-out views):
# 25.2 dB; 24.5 dB at the defaults' rates and weights, 24.1 dB with two features in the volume too.
_SURFACE_GUIDED = TrainConfig(
    model=TinyConfig(volume_features=4),
    optimiser=OptimiserConfig(learning_rate=1e-2, grids_rate=5e-2, betas=(0.9, 0.99)),
    loss=LossConfig(alpha=0.02, depth=0.1),
)

PAPER = MobileR2LConfig(sampling="planes", activation="gelu", norm="batch", stages="transposed")
"""The network of the paper, layer by layer."""

PRESETS: dict[str, tuple[str, TrainConfig]] = {
    "tiny": (
        "surface-guided, one ray for 4x4 pixels: minutes on two CPU cores, runs on phones",
        _SURFACE_GUIDED,
    ),
    "mobile_r2l": (
        "MobileR2L in a form made for export (D60, W256, one ray for 8x8 pixels); made for a GPU",
        TrainConfig(
            model=MobileR2LConfig(),
            optimiser=OptimiserConfig(learning_rate=1e-3, average=0.999),
            pool=PoolConfig(capacity=4000, first=64),
            minutes=240.0,
            batch=10,
            eval_points=100,
        ),
    ),
    "mobile_r2l_paper": (
        "MobileR2L as published (GELU, BatchNorm, transposed convolutions), for comparison only",
        TrainConfig(
            model=PAPER,
            # as published: 5e-4, falling to 0.063 of it over 600 000 steps of 40 pictures
            optimiser=OptimiserConfig(
                learning_rate=5e-4, warmup=0.0003, decay="exponential", final=0.063, average=0.0
            ),
            pool=PoolConfig(capacity=10_000, first=64),
            minutes=1440.0,
            batch=40,
            eval_points=100,
        ),
    ),
    "test": (
        "toy size for tests on software GPUs: one ray for 8x8 pixels, seconds of training",
        dataclasses.replace(
            _SURFACE_GUIDED,
            model=TinyConfig(
                upsampling=8,
                points=12,
                volume=(24,),
                octaves=4,
                width=32,
                blocks=2,
                surface_planes=(64,),
                surface_features=4,
                head_width=16,
            ),
            pool=PoolConfig(capacity=64, first=8),
            minutes=0.5,
            eval_points=3,
            eval_views=2,
        ),
    ),
}
