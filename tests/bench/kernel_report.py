"""What NVRTC makes of every kernel of the presets, for every chip: seconds, registers, shared and local memory.

    python -m tests.bench.kernel_report            prints a table; needs NVRTC, no GPU
    python -m tests.bench.kernel_report --write    also puts it into docs/benchmarks.md

Everything is compiled from nothing: the cache of compiled kernels is not looked at.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import tyro

from teacher.errors import exit_on_user_error
from teacher.fields.hash_grid import HashGridConfig
from teacher.ops import build
from teacher.ops.build import Kernels
from teacher.ops.radiance import FieldWeights, cuda
from teacher.ops.radiance.cpu import kernels_for
from teacher.ops.resources import Resources, resources
from teacher.presets import PRESETS, TrainConfig
from teacher.samplers.occupancy import OccupancyConfig
from teacher.samplers.proposal import ProposalConfig
from tests.bench import report

ARCHITECTURES = ("sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120")
HOT = ("radiance", "trace", "hash_encode", "composite", "ray_march", "adam")
"""Ops that run at every step or for every picture: on sm_90 none of theirs may use local memory."""


class Compiled(NamedTuple):
    """One module for one chip."""

    seconds: float
    """Of this process's time, whatever else the machine did."""
    bytes: int
    entries: dict[str, Resources]


def kernels_of(config: TrainConfig) -> Iterator[Kernels]:
    """Every module that training and rendering with `config` can load on a GPU."""
    weights = meta_weights(config.field, config.per_image.size)
    fused, features = kernels_for("radiance", weights), config.field.grid.features
    yield fused
    if isinstance(config.sampler, OccupancyConfig):
        yield replace(fused, op="trace", exact=True)
        yield Kernels("occupancy")
    if isinstance(config.sampler, ProposalConfig):
        grid = config.sampler.density.grid
        yield Kernels("hash_encode", (("DIMS", 3), ("FEATURES", grid.features)))
        yield Kernels("composite", (("CHANNELS", 0),))
        yield from (Kernels("adam", (("FEATURES", f),)) for f in {grid.features} - {features})
    yield Kernels("composite", (("CHANNELS", 3),))
    yield Kernels("distortion")
    yield from (Kernels("adam", (("FEATURES", f),)) for f in (0, features))


def meta_weights(config: HashGridConfig, codes: int) -> FieldWeights:
    """The weights' shapes."""
    with torch.device("meta"):
        return config.build(codes).weights()


def all_kernels() -> dict[Kernels, list[str]]:
    """Every module, with the presets that load it."""
    found: dict[Kernels, list[str]] = {}
    for name, (_, config) in PRESETS.items():
        for kernels in kernels_of(config):
            found.setdefault(kernels, [])
            found[kernels] += [name] if name not in found[kernels] else []
    return found


def compile_for(kernels: Kernels, architecture: str) -> Compiled:
    """Compile from nothing."""
    options = ("-fmad=false",) if kernels.exact else ()
    start = time.process_time()
    cubin = build.compile_cubin(kernels.source(), architecture, options)
    return Compiled(time.process_time() - start, len(cubin), resources(cubin))


Report = dict[Kernels, dict[str, Compiled]]


def compile_all(found: dict[Kernels, list[str]], architectures: Sequence[str]) -> Report:
    """Everything for every chip."""
    build.compile_cubin("__global__ void f() {}", architectures[0])  # loads NVRTC's libraries
    return {kernels: {a: compile_for(kernels, a) for a in architectures} for kernels in found}


def seconds(compiled: Report) -> dict[str, float]:
    """CPU seconds of each chip's modules together."""
    chips = next(iter(compiled.values()))
    return {chip: sum(of[chip].seconds for of in compiled.values()) for chip in chips}


def seconds_of_presets(
    found: dict[Kernels, list[str]], compiled: Report, chip: str
) -> dict[str, float]:
    """CPU seconds that a user of each preset waits for on one chip, once."""
    waits: dict[str, float] = {}
    for kernels, of in compiled.items():
        for preset in found[kernels]:
            waits[preset] = waits.get(preset, 0.0) + of[chip].seconds
    return waits


def spills(compiled: Report, architecture: str = "sm_90") -> list[str]:
    """Entry points of hot ops that use local memory."""
    return [
        f"{kernels.op}.{entry}: {used.local} bytes"
        for kernels, of in compiled.items()
        if kernels.op in HOT and architecture in of
        for entry, used in of[architecture].entries.items()
        if used.local
    ]


def markdown(found: dict[Kernels, list[str]], compiled: Report) -> str:
    """The table, and what it amounts to."""
    taken = seconds(compiled)
    chips = list(taken)
    each = ", ".join(f"{chip} {taken[chip]:.1f}" for chip in chips)
    spilling = spills(compiled)
    shown = "sm_90" if "sm_90" in chips else chips[0]
    waits = seconds_of_presets(found, compiled, shown)
    waiting = ", ".join(f"`{preset}` {wait:.1f} s" for preset, wait in waits.items())
    rows = [
        [
            *(f"`{kernels.op}`", _constants(kernels), ", ".join(found[kernels])),
            *(of[shown].seconds, entry, *cells),
        ]
        for kernels, of in compiled.items()
        for entry, cells in _entries(of, chips)
    ]
    return "\n\n".join(
        [
            f"`python -m tests.bench.kernel_report --write`, commit {report.commit()}: {len(compiled)} modules × "
            f"{len(chips)} chips from nothing in {sum(taken.values()):.1f} s of one core ({each}). Cells: registers "
            "per thread, + bytes of static shared memory per block (s), + bytes of local memory per thread (l). "
            f"A preset's modules on {shown} alone: {waiting}. "
            f"Hot kernels that use local memory on sm_90: {'; '.join(spilling) or 'none'}.",
            report.table(("op", "constants", "presets", f"s, {shown}", "entry", *chips), rows),
            "Dynamic shared memory of a block: " + "; ".join(_dynamic(found)) + ".",
        ]
    )


def _entries(of: dict[str, Compiled], chips: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    for entry in of[chips[0]].entries:
        yield f"`{entry}`", [_cell(of[chip].entries[entry]) for chip in chips]


def _cell(used: Resources) -> str:
    shared, local = (
        f" + {used.shared} s" * bool(used.shared),
        f" + {used.local} l" * bool(used.local),
    )
    return f"{used.registers}{shared}{local}"


def _constants(kernels: Kernels) -> str:
    """As the field's shape is spoken of, or as they are."""
    values = dict(kernels.constants)
    if "LEVELS" not in values:
        return ", ".join(f"{name} {value}" for name, value in kernels.constants)
    shape = "L{LEVELS} F{FEATURES}, {DENSITY_LAYERS}+{COLOUR_LAYERS} × {WIDTH}".format(**values)
    return shape + f", {values['CODES']} codes" * bool(values["CODES"])


def _dynamic(found: dict[Kernels, list[str]]) -> list[str]:
    lines = []
    for kernels, presets in found.items():
        if kernels.op == "radiance":
            config = PRESETS[presets[0]][1]
            weights = meta_weights(config.field, config.per_image.size)
            sizes = [cuda.field_bytes(weights, colour=False), cuda.field_bytes(weights)]
            sizes.append(cuda.backward_bytes(weights))
            names = ("density", "forward", "backward")
            text = ", ".join(f"{n} {s / 1024:.1f} KiB" for n, s in zip(names, sizes, strict=True))
            lines.append(f"radiance {_constants(kernels)}: {text}")
    return lines


@dataclass(frozen=True)
class KernelReport:
    """Compile every kernel for every chip and say what it takes."""

    write: bool = False
    """Also put the table into docs/benchmarks.md."""
    architectures: tuple[str, ...] = ARCHITECTURES
    """Chips to compile for."""

    def run(self) -> None:
        """Compile, print and write."""
        found = all_kernels()
        text = markdown(found, compile_all(found, self.architectures))
        print(text)
        if self.write:
            report.write_section("kernels", text)


if __name__ == "__main__":
    exit_on_user_error(lambda: tyro.cli(KernelReport).run())
