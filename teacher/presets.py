"""Configurations of a training run, and named ones that are known to work.

A preset is a value; every field of it can be overridden on the command line: `train demo --field.width 32`.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from teacher.cameras import Camera
from teacher.corrections import CorrectionsConfig
from teacher.datasets import load_scene
from teacher.fields.domains import Contracted
from teacher.fields.hash_grid import HashGridConfig
from teacher.losses import LossConfig
from teacher.ops.hash_encode import HashGrid
from teacher.optimiser import OptimiserConfig
from teacher.per_image import PerImageConfig
from teacher.samplers.base import RenderConfig
from teacher.samplers.density_grid import DensityGridConfig
from teacher.samplers.occupancy import OccupancyConfig
from teacher.samplers.proposal import ProposalConfig
from teacher.scene import Scene
from teacher.selection import Keep
from teacher.subset import EVERYTHING, Choice, read_amount, thin
from teacher.variant import Variant


@dataclass(frozen=True)
class DataConfig:
    """Which pictures, at which size, inside which box."""

    data: Path
    """Data set folder or its transforms.json."""
    downscale: int = 1
    """Whole number by which pictures are shrunk when read."""
    aabb: tuple[tuple[float, float, float], tuple[float, float, float]] | None = None
    """Lower and upper corner of the box to model, in the data set's units; None: found from the data."""
    splits: Path | None = None
    """JSON file of picture names, {"train": [...], "test": [...], "val": [...]}; None: the data set's own
    split_indices.json, else its own splits."""
    train_frames: str = EVERYTHING
    """Training pictures to use: a number ("12") or a share ("25%") of them. Norm frame and box stay those of all."""
    choose: Choice = "first_last"
    """Which: the first, the last and evenly between; the middles of equal parts; or evenly around a circle."""
    max_side: int | None = None
    """Longest side of a picture, in pixels: they are shrunk by the least whole number that keeps to it; None: by
    `downscale`."""
    invert_masks: bool = False
    """Masks are the other way round than their format says: for most, white is then what is ignored."""

    def load(self) -> Scene:
        """The scene; raises UserError for anything wrong with the files, or with what is asked of them."""
        read_amount(self.train_frames)  # a mistake is told before pictures are read
        scene = load_scene(
            self.data,
            downscale=self.downscale,
            max_side=self.max_side,
            aabb=self.aabb,
            splits=self.splits,
            invert_masks=self.invert_masks,
        )
        return thin(scene, self.train_frames, self.choose)


@dataclass(frozen=True)
class TrainConfig:
    """One training run of a teacher."""

    field: HashGridConfig = dataclasses.field(default_factory=HashGridConfig)
    """The radiance field."""
    sampler: OccupancyConfig | ProposalConfig = dataclasses.field(default_factory=OccupancyConfig)
    """Where rays are sampled."""
    render: RenderConfig = dataclasses.field(default_factory=RenderConfig)
    """When rays end."""
    per_image: PerImageConfig = dataclasses.field(default_factory=PerImageConfig)
    """Appearance codes of the training pictures."""
    corrections: CorrectionsConfig = dataclasses.field(default_factory=CorrectionsConfig)
    """Corrections of the training cameras."""
    loss: LossConfig = dataclasses.field(default_factory=LossConfig)
    """Weights of the loss terms."""
    optimiser: OptimiserConfig = dataclasses.field(default_factory=OptimiserConfig)
    """Learning rates."""
    steps: int = 20_000
    """Training steps."""
    samples_per_step: int = 1 << 18
    """Work of a step, in samples composited; the number of rays adapts to it."""
    first_rays: int = 1024
    """Rays of the first step."""
    seed: int = 0
    """Seed of everything random."""
    log_every: int = 50
    """Steps between rows of the log."""
    eval_every: int = 1000
    """Steps between measurements on held-out views."""
    eval_views: int = 4
    """Held-out views measured then, spread over the test split; with --keep best, how many choose the weights."""
    save_seconds: float = 30.0
    """Seconds between checkpoints."""
    keep: Keep = "last"
    """Weights to leave behind: those of the last step, or the best measured. Those are chosen by the data's "val"
    views, else by half of the test views, and reported on the others: see teacher.selection."""

    def build(self, aabb: Float[Tensor, "2 3"], cameras: Sequence[Camera]) -> Variant:
        """The untrained teacher of a scene inside `aabb`, to be trained on the pictures of `cameras` (norm frame)."""
        return Variant(
            self.field.build(self.per_image.size),
            self.sampler.build(aabb),
            self.per_image.build(len(cameras)),
            self.corrections.build(cameras),
            self.render,
        )


_SMALL_OBJECT = TrainConfig(
    field=HashGridConfig(HashGrid(levels=8, features=4, log2_size=17, finest=512)),
    sampler=OccupancyConfig(resolution=64, step=0.012, max_samples=256),
    samples_per_step=1 << 15,
    eval_every=500,
)

PRESETS: dict[str, tuple[str, TrainConfig]] = {
    "demo": (
        "the built-in scene: an object at 128 px, three minutes on two CPU cores",
        dataclasses.replace(_SMALL_OBJECT, steps=5000),
    ),
    "small": (
        "an object with alpha at about 200 px, five minutes on two CPU cores",
        dataclasses.replace(
            _SMALL_OBJECT,
            field=HashGridConfig(HashGrid(levels=8, features=4, log2_size=18, finest=1024)),
            sampler=OccupancyConfig(resolution=64, step=0.008, max_samples=384),
            steps=4000,
        ),
    ),
    "capture": (
        "photographs with a background at about 250 px, six minutes on two CPU cores",
        TrainConfig(
            field=HashGridConfig(HashGrid(levels=8, features=4, log2_size=18, finest=2048)),
            sampler=OccupancyConfig(resolution=64, step=0.008, cone_angle=0.008, max_samples=256),
            render=RenderConfig(shy=0.5),
            steps=4000,
            samples_per_step=1 << 15,
            eval_every=1000,
        ),
    ),
    "unbounded": (
        "photographs of a place, however far it reaches, at about 250 px, five minutes of a CPU core; a GPU has room "
        "for --sampler.proposals 256 96 --sampler.samples 48 --sampler.finest 256 512 --field.grid.log2-size 20 "
        "--samples-per-step 262144 --steps 20000",
        TrainConfig(
            field=HashGridConfig(
                HashGrid(levels=8, features=4, log2_size=18, finest=4096), domain=Contracted()
            ),
            sampler=ProposalConfig(
                samples=32,
                proposals=(64, 48),
                finest=(128, 256),
                density=DensityGridConfig(HashGrid(levels=5, features=2, log2_size=16)),
            ),
            render=RenderConfig(shy=0.5),
            loss=LossConfig(distortion=2e-3),
            steps=4000,
            samples_per_step=1 << 15,
            eval_every=1000,
        ),
    ),
    "synthetic": (
        "instant-ngp's settings for an object at 800 px; made for a GPU",
        TrainConfig(),
    ),
}
