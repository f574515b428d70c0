"""What a generated shader is made of: code, workgroups, tables, cost.

@group(0) holds what changes from frame to frame (camera, buffers, textures), at bindings that
web/viewer/src/split.ts knows; @group(1) holds the parts of the tables: binding k is part k.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from torch import Tensor

from export.manifest import Precision

PartKind = Literal["storage", "uniform"]
Slots = tuple[int | None, ...]
"""For each channel as the shaders order them, torch's channel; None: padding, always zero."""


@dataclass(frozen=True)
class Part:
    """Constants of a shader, as the bytes that it reads."""

    kind: PartKind
    data: bytes


@dataclass(frozen=True)
class StageCost:
    """What one dispatch of a shader does."""

    operations: int
    """Floating-point operations; a multiply-add counts as two, a function of one number as one."""
    read: int
    """Bytes of activations that are read."""
    written: int
    """Bytes of activations that are written."""
    tables: int
    """Bytes of tables that are asked for; most of them come from a cache."""


@dataclass(frozen=True)
class Stage:
    """One compute shader."""

    code: str
    workgroups: tuple[int, int, int]
    parts: tuple[Part, ...]
    cost: StageCost


def number(value: float) -> str:
    """A WGSL literal of the float32 nearest to `value`: the shortest one that gives it back."""
    return str(np.float32(value))


def vector(values: Float[Tensor, " n"]) -> str:
    """A WGSL vector of the n = 2, 3 or 4 numbers."""
    return f"vec{len(values)}f({', '.join(number(value) for value in values.tolist())})"


def groups(count: int, size: int) -> int:
    """How many groups of `size` hold `count`."""
    return -(-count // size)


def pairs(items: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Two by two; the last one's partner may be zero."""
    padded = [*items, "0.0"] if len(items) % 2 else items
    return zip(padded[::2], padded[1::2], strict=True)


def bytes_of(precision: Precision) -> int:
    """Of one number in the buffers between the stages."""
    return {"fp32": 4, "fp16": 2}[precision]


def pair_type(precision: Precision) -> str:
    """The WGSL type of two neighbouring numbers in the buffers between the stages.

    Halves are packed by hand: that is core WGSL, whereas the type f16 is an optional feature.
    """
    return {"fp32": "vec2f", "fp16": "u32"}[precision]


def packed(precision: Precision, pair: str) -> str:
    """The expression `pair` (vec2f) as a `pair_type`."""
    return {"fp32": pair, "fp16": f"pack2x16float({pair})"}[precision]


def unpacked(precision: Precision, pair: str) -> str:
    """The expression `pair` (`pair_type`) as vec2f."""
    return {"fp32": pair, "fp16": f"unpack2x16float({pair})"}[precision]
