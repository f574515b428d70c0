"""Configurations of a distillation, and named ones that are known to work.

A preset is a value; every field of it can be overridden on the command line: `train tiny
--model.width 96`.
"""

import dataclasses
from dataclasses import dataclass

from student.execution import ExecutionConfig
from student.losses import LossConfig
from student.models.light_slab import LightSlabConfig
from student.models.mobile_r2l import MobileR2LConfig
from student.models.space import BEYOND
from student.models.surface_guided import SurfaceGuidedConfig
from student.optimiser import OptimiserConfig
from student.photographs import PhotographsConfig
from student.replay import ReplayConfig
from teacher.ops.hash_encode import HashGrid
from teacher.pseudo.sampler import CameraSampler
from teacher.pseudo.source import Source


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

    model: SurfaceGuidedConfig | MobileR2LConfig | LightSlabConfig = dataclasses.field(
        default_factory=SurfaceGuidedConfig
    )
    """The network."""
    loss: LossConfig = dataclasses.field(default_factory=LossConfig)
    """Weights of the loss terms."""
    optimiser: OptimiserConfig = dataclasses.field(default_factory=OptimiserConfig)
    """Learning rates and averaging."""
    pool: PoolConfig = dataclasses.field(default_factory=PoolConfig)
    """Where the pictures come from."""
    cameras: CameraSampler = dataclasses.field(default_factory=CameraSampler)
    """Which cameras the teacher is asked for, beside the training cameras."""
    replay: ReplayConfig = dataclasses.field(default_factory=ReplayConfig)
    """Hard pictures more often."""
    photographs: PhotographsConfig = dataclasses.field(default_factory=PhotographsConfig)
    """Fine-tuning on photographs at the end."""
    execution: ExecutionConfig = dataclasses.field(default_factory=ExecutionConfig)
    """How the network is computed."""
    minutes: float = 5.0
    """Budget: wall time from asking for the first view to the last checkpoint, so rendering,
    measuring and saving are part of it; time before an interruption counts.
    """
    steps: int | None = None
    """Budget in steps instead of minutes. Views are then rendered between steps rather than beside
    them, so that the result depends on the configuration alone.
    """
    size: tuple[int, int] | None = None
    """(height, width) of the pictures; None: the training cameras' size, cut to what the network
    can make.
    """
    batch: int = 4
    """Pictures per step, of each process."""
    accumulate: int = 1
    """Parts that a batch is computed in, one after another: less memory, the same gradient."""
    progressive: tuple[tuple[float, int], ...] = ()
    """(fraction of the budget, factor), in rising order: until then pictures are smaller by it."""
    patch: int | None = None
    """Side of the random square that is cut from each picture, if the picture is larger; None: whole
    pictures.
    """
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

    def fraction(self, step: int, seconds: float, kept_back: float = 0.0) -> float:
        """How much of the budget is used up after `step` steps and `seconds` seconds, if the last
        `kept_back` seconds are for other things than steps.
        """
        if self.steps is not None:
            return step / self.steps
        return seconds / (60 * self.minutes - kept_back)


def settled(config: TrainConfig, source: Source) -> TrainConfig:
    """`config` with what it leaves to the source: how far out the student and its depth reach."""
    model, loss = config.model, config.loss
    if isinstance(model, SurfaceGuidedConfig) and model.beyond is None:
        model = dataclasses.replace(model, beyond=BEYOND if source.unbounded else 0.0)
    if loss.far is None and source.unbounded:
        loss = dataclasses.replace(loss, far=float((source.aabb[1] - source.aabb[0]).max()))
    return dataclasses.replace(config, model=model, loss=loss)


# Swept on the built-in scene and on lego (docs/student.md has the rows).
_SURFACE_GUIDED = TrainConfig(
    optimiser=OptimiserConfig(learning_rate=5e-3, grids_rate=5e-2, betas=(0.9, 0.99)),
    loss=LossConfig(alpha=0.02, depth=0.1),
    replay=ReplayConfig(hard=0.5),
    execution=ExecutionConfig(precision="auto", layout="channels_last"),
    patch=64,
)

_POCKET = SurfaceGuidedConfig(
    volume=HashGrid(levels=1, features=4, log2_size=16, base=40, finest=40),
    width=80,
    colour=HashGrid(levels=8, features=4, log2_size=17, finest=1024),
)

PAPER = MobileR2LConfig(sampling="planes", activation="gelu", norm="batch", stages="transposed")
"""The network of the paper, layer by layer."""

# The paper's factor of 8 and our form of it, narrower. On cached views of the built-in scene, 14 CPU seconds each, one
# seed: 19.3 dB so, 19.0 with one ray for 4x4 pixels and as many operations (18.4 at 2e-3, 18.8 at 1e-2).
MOBILE_R2L_SMALL = TrainConfig(
    model=MobileR2LConfig(width=176, blocks=5, channels=(32, 32, 16), stage_blocks=1),
    optimiser=OptimiserConfig(learning_rate=5e-3),
)
LIGHT_SLAB_SMALL = TrainConfig(
    model=LightSlabConfig(
        planes=(32, 64, 128), width=80, blocks=8, factors=(2, 2), channels=(16, 16)
    ),
    optimiser=OptimiserConfig(learning_rate=5e-3, grids_rate=2e-2),
)

PRESETS: dict[str, tuple[str, TrainConfig]] = {
    "tiny": (
        "surface-guided, one ray for 4x4 pixels: minutes on two CPU cores, runs on phones",
        _SURFACE_GUIDED,
    ),
    "pocket": (
        "surface-guided, the default for the web: under 20 GFLOP and 8 MB for 800x800 pixels",
        dataclasses.replace(
            _SURFACE_GUIDED,
            model=_POCKET,
            minutes=15.0,
        ),
    ),
    "capture": (
        "`pocket` for photographs with a background: views from near the filmed path, and the photographs at last",
        dataclasses.replace(
            _SURFACE_GUIDED,
            model=_POCKET,
            loss=dataclasses.replace(_SURFACE_GUIDED.loss, depth=0.3),
            cameras=CameraSampler(near=0.5),
            photographs=PhotographsConfig(fraction=0.3),
            minutes=15.0,
        ),
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
    "mobile_r2l_small": (
        "MobileR2L at the cost of `tiny` (a test holds them equal): what `make bench-student` compares it with",
        MOBILE_R2L_SMALL,
    ),
    "light_slab": (
        "features of rays on six planes, after LightSpeed (D30, W256, one ray for 8x8 pixels); made for a GPU",
        TrainConfig(
            model=LightSlabConfig(),
            optimiser=OptimiserConfig(learning_rate=1e-3, grids_rate=1e-2, average=0.999),
            pool=PoolConfig(capacity=4000, first=64),
            minutes=240.0,
            batch=10,
            eval_points=100,
        ),
    ),
    "light_slab_small": ("the same at the cost of `tiny`", LIGHT_SLAB_SMALL),
    "test": (
        "toy size for tests on software GPUs: one ray for 8x8 pixels, seconds of training",
        dataclasses.replace(
            _SURFACE_GUIDED,
            model=SurfaceGuidedConfig(
                upsampling=8,
                points=12,
                volume=HashGrid(levels=1, features=4, log2_size=14, base=24, finest=24),
                octaves=4,
                width=32,
                blocks=2,
                shape=HashGrid(levels=2, features=2, log2_size=13, finest=64),
                colour=HashGrid(levels=4, features=4, log2_size=13, finest=128),
                features=4,
                head_width=16,
            ),
            patch=None,
            pool=PoolConfig(capacity=64, first=8),
            minutes=0.5,
            eval_points=3,
            eval_views=2,
        ),
    ),
}
