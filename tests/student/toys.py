"""Students of toy size, quick to train and to render."""

from typing import Any

from student.models.surface_guided import SurfaceGuidedConfig
from student.presets import PoolConfig, TrainConfig
from teacher.ops.hash_encode import HashGrid


def dense(side: int, features: int = 2) -> HashGrid:
    """A grid of one level with a row for each of its side^3 nodes."""
    return HashGrid(levels=1, features=features, log2_size=20, base=side, finest=side)


def toy(**changes: Any) -> SurfaceGuidedConfig:
    """A surface-guided student of a few thousand numbers; `changes` are its config's fields."""
    sizes: dict[str, Any] = {
        "points": 8, "volume": dense(12), "encoded_points": 2, "octaves": 3, "width": 16, "blocks": 1,
        "shape": dense(12), "colour": dense(24), "features": 2, "head_width": 8,
    }  # fmt: skip
    return SurfaceGuidedConfig(**{**sizes, **changes})


MODEL = toy()
CONFIG = TrainConfig(
    model=MODEL,
    pool=PoolConfig(capacity=10, first=4, reuse=2.0),
    steps=12,
    batch=2,
    log_every=1,
    eval_points=3,
    eval_views=2,
    save_seconds=1e9,
)
"""A dozen steps; the pool begins to replace views among them."""
