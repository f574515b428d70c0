"""Hash grids in WGSL: half-precision tables, and functions that read them linearly.

    HashFeatures --table--> row by row, its F features as pairs of halves
                 --reading_code--> fn read_NAME(level, at) -> vec4f
                 --reads--> one call for each level

The same rows as `teacher.ops.hash_encode`. The weights of the corners are computed in float32: a
texture's filter has 8 bits for them. `unpack2x16float` is core WGSL.
Letters: F = features of a row, 1, 2 or 4.
"""

from dataclasses import dataclass

import torch

from export.split.stages import Part, number
from student.models.hashed import HashFeatures, rounded
from teacher.ops.hash_encode import Level
from teacher.ops.hash_encode.reference import PRIMES

LEVEL_CODE = f"""\
// One resolution of a grid: its rows in the table, and its lattice.
struct Level {{
  first: u32,
  size: u32,
  resolution: u32,
  scale: f32,
  hashed: bool,
}}

// The row of a lattice point: in order, or by a hash where there are more points than rows.
fn row_of(level: Level, v: vec3u) -> u32 {{
  let ordered = v.x + (v.y + v.z * level.resolution) * level.resolution;
  let hash = v.x ^ (v.y * {PRIMES[1]}u) ^ (v.z * {PRIMES[2]}u);
  return level.first + select(ordered, hash, level.hashed) % level.size;
}}"""


@dataclass(frozen=True)
class Read:
    """A WGSL expression for the features of one level at a point: the first of a vec4f."""

    code: str
    features: int


def padded_features(features: HashFeatures) -> int:
    """F as stored: what one load of 32 or 64 bits brings."""
    count = features.grid.features
    assert count <= 4, f"{count} features of a row; a vec4f holds 4"
    return 2 if count <= 2 else 4


def table(features: HashFeatures) -> Part:
    """All levels, one after the other: rows of `padded_features` halves."""
    rows = rounded(features.table).cpu()
    padding = rows.new_zeros(len(rows), padded_features(features) - rows.shape[1])
    return Part("storage", torch.cat([rows, padding], 1).numpy().astype("<f2").tobytes())


def reading_code(features: HashFeatures, name: str, binding: int) -> str:
    """The table `name` at `binding` and `read_NAME`: the features of a level at a point."""
    kind, texel = {
        2: ("u32", f"vec4f(unpack2x16float({name}[row]), 0.0, 0.0)"),
        4: ("vec2u", f"vec4f(unpack2x16float({name}[row].x), unpack2x16float({name}[row].y))"),
    }[padded_features(features)]
    edges = [
        f"  let x{k} = mix({name}_at(level, a.x, {y}.y, {z}.z), {name}_at(level, b.x, {y}.y, {z}.z), beyond.x);"
        for k, (y, z) in enumerate((("a", "a"), ("b", "a"), ("a", "b"), ("b", "b")))
    ]
    along_x = "\n".join(edges)
    return f"""\
@group(1) @binding({binding}) var<storage, read> {name}: array<{kind}>;

fn {name}_at(level: Level, x: u32, y: u32, z: u32) -> vec4f {{
  let row = row_of(level, vec3u(x, y, z));
  return {texel};
}}

// Features at a point of [-1, 1]^3, blended between the corners of its cell.
fn read_{name}(level: Level, at: vec3f) -> vec4f {{
  let position = (0.5 * at + 0.5) * level.scale + 0.5;
  let cell = floor(position);
  let beyond = position - cell;
  let a = vec3u(cell);
  let b = a + 1u;
{along_x}
  return mix(mix(x0, x1, beyond.y), mix(x2, x3, beyond.y), beyond.z);
}}"""


def reads(features: HashFeatures, name: str, point: str) -> list[Read]:
    """All features of `point`, a WGSL vector in [-1, 1]^3, level by level."""
    count = features.grid.features
    return [Read(f"read_{name}({_level(level)}, {point})", count) for level in features.grid.layout]


def _level(level: Level) -> str:
    hashed = str(level.hashed).lower()
    rows = f"{level.offset}u, {level.size}u, {level.resolution}u"
    return f"Level({rows}, {number(level.scale)}, {hashed})"


def operations(features: HashFeatures) -> int:
    """Of all reads at one point: seven blends of three operations a feature, and where."""
    return features.grid.levels * (3 * 7 * padded_features(features) + 18)


def bytes_read(features: HashFeatures) -> int:
    """Asked of the table at one point."""
    return features.grid.levels * 8 * 2 * padded_features(features)
