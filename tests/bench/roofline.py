"""What the field's kernels achieve of what the device can do, and where the rest of their time goes.

Ceilings are measured in the same run: multiply-adds in registers (a GPU: a float16 matrix product), copying, fetching
random rows of a table like the field's, and adding to them. Kernels run on the samples of a batch that the preset
draws after some training. Where time goes is measured too, by running the parts of a kernel alone, or on
points that all lie in one cell, whose rows never leave the first cache.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from teacher.cameras import Cameras
from teacher.fields.hash_grid import HashGridField
from teacher.ops import build, launch
from teacher.ops.adam import adam_step
from teacher.ops.build import Kernels
from teacher.ops.hash_encode import hash_encode, table_gradient
from teacher.ops.radiance import FieldWeights, point_density, radiance
from teacher.ops.trace import Space, trace, visible_samples
from teacher.presets import TrainConfig
from teacher.samplers.occupancy import OccupancySampler
from teacher.scene import Scene
from teacher.seeds import generator_for
from teacher.trainer import Trainer
from tests.bench import report
from tests.bench.training import wait

_SPAN = 1 << 12
_CHAINS = 16
_SOURCE = report.ROOT / "tests" / "bench" / "ceilings.cu"


@dataclass(frozen=True)
class CeilingKernels(Kernels):
    """`ceilings.cu`, which is no op's."""

    def source(self) -> str:
        """As `Kernels.source`."""
        defines = "".join(f"#define {name} {value}\n" for name, value in self.constants)
        return defines + (build.FOLDER / "prelude.cuh").read_text() + _SOURCE.read_text()


@dataclass(frozen=True)
class Ceilings:
    """What the device can do at most, per second."""

    flops: float
    """Multiplications and additions, of the type that the networks use."""
    arithmetic: str
    """Which type that is, and how it was measured."""
    copied: float
    """Bytes read and written by a large copy."""
    gathered: float
    """Random rows fetched from a table like the field's."""
    scattered: float
    """Random rows added to."""


@dataclass(frozen=True)
class Measured:
    """One kernel on one batch."""

    name: str
    ms: float
    flops: float = 0.0
    """Multiplications and additions that the networks need."""
    rows: float = 0.0
    """Rows of the table that it fetches or adds to."""
    adds: bool = False
    """Whether it adds to them."""
    copied: float = 0.0
    """Bytes that it streams through."""
    where: str = ""
    """Where its time goes, measured."""

    def row(self, ceilings: Ceilings) -> list[object]:
        """A row of the table: rates, each with its share of the ceiling."""
        seconds, top = self.ms / 1e3, ceilings.scattered if self.adds else ceilings.gathered
        rates = [
            _share(self.flops / seconds, ceilings.flops, 1e9),
            _share(self.rows / seconds, top, 1e6),
            _share(self.copied / seconds, ceilings.copied, 1e9),
        ]
        return [self.name, self.ms, *rates, self.where]


def _share(rate: float, ceiling: float, unit: float) -> str | None:
    return f"{rate / unit:.0f} ({100 * rate / ceiling:.0f} %)" if rate else None


@dataclass(frozen=True)
class Batch:
    """What the kernels run on: a training batch of a partly trained field."""

    weights: FieldWeights
    space: Space
    origins: Tensor
    directions: Tensor
    jitter: Tensor
    picture: tuple[Tensor, Tensor]
    """Origins and directions of a test view's pixels."""
    samples: Tensor
    """Positions of the samples composited, in the grid's unit cube, [n, 3]."""
    towards: Tensor
    """Their directions, [n, 3]."""

    @property
    def place(self) -> tuple[Space, FieldWeights]:
        """Where rays go."""
        return self.space, self.weights

    @property
    def codes(self) -> Tensor:
        """No codes."""
        return self.samples.new_zeros(len(self.samples), 0)


def measure(scene: Scene, config: TrainConfig, device: torch.device, steps: int) -> dict[str, Any]:
    """Ceilings of `device`, and the kernels of a field that was trained for `steps`."""
    batch = prepare(scene, config, device, steps)
    top = ceilings(batch.weights, device)
    return {
        "ceilings": asdict(top),
        "samples": len(batch.samples),
        "rays": len(batch.origins),
        "picture_rays": len(batch.picture[0]),
        "kernels": [asdict(kernel) for kernel in kernels(batch, device)],
    }


def prepare(scene: Scene, config: TrainConfig, device: torch.device, steps: int) -> Batch:
    """Train for `steps`, then draw the next batch."""
    trainer = Trainer(scene, config, device)
    for _ in range(steps):
        trainer.train_step()
    field, sampler = trainer.variant.field, trainer.variant.sampler
    assert isinstance(field, HashGridField)
    assert isinstance(sampler, OccupancySampler)
    c = sampler.config
    space = Space(sampler.bits, sampler.aabb, c.near, c.step, c.cone_angle, c.max_samples)
    rays = trainer.pool.draw(trainer.rays, generator_for(config.seed, steps, device)).rays
    jitter = torch.rand(len(rays), device=device)
    weights = FieldWeights(*(_detached(value) for value in field.weights()))
    found = visible_samples(rays.origins, rays.directions, jitter, space, weights).samples
    points = (found.midpoints(rays) * (0.5 / space.extent) + 0.5).clamp(0, 1)
    towards = rays.directions[found.ray_indices.long()]
    view = Cameras.stack([scene.splits["test"][0].camera]).to(device).image_rays(0)
    picture = (view.origins, view.directions)
    seen = (rays.origins, rays.directions, jitter, picture, points, towards)
    return Batch(weights, space, *seen)


def _detached(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(matrix.detach() for matrix in value)
    return value.detach() if isinstance(value, Tensor) else value


def ceilings(weights: FieldWeights, device: torch.device) -> Ceilings:
    """Measured now, on a table like that of `weights`."""
    half = device.type == "cuda"  # tables are float16 there
    kernels = CeilingKernels("ceilings", (("WORDS", weights.grid.features // (2 if half else 1)),))
    flops, arithmetic = _matrix_rate(device) if half else _fma_rate(kernels, weights.mixed)
    a = torch.empty(1 << (30 if half else 26), device=device).fill_(1)
    b = torch.empty_like(a)
    copied = 2 * 4 * len(a) / (best(lambda: b.copy_(a), device) / 1e3)
    return Ceilings(flops, arithmetic, copied, *_row_rates(kernels, weights, device))


def _matrix_rate(device: torch.device) -> tuple[float, str]:
    a, b = torch.randn(2, 8192, 8192, device=device, dtype=torch.float16)
    ms = best(lambda: a @ b, device)
    return 2 * 8192**3 / (ms / 1e3), "float16 matrix product of 8192"


def _fma_rate(kernels: Kernels, mixed: bool) -> tuple[float, str]:
    device, repeats, items = torch.device("cpu"), 1 << 21, torch.get_num_threads()
    macros = report.machine()
    out, lanes = torch.zeros(items), 16 if "avx512f" in macros else 8
    entry, each = "ceiling_fma", 2
    if mixed and "avx512_bf16" in macros:
        entry, each = "ceiling_bf16", 4
    ms = best(lambda: launch.run(kernels, entry, device, items, repeats, out), device)
    name = {
        "ceiling_fma": "float32 FMA in registers",
        "ceiling_bf16": "bfloat16 pairs in registers",
    }
    return items * repeats * _CHAINS * lanes * each / (ms / 1e3), name[entry]


def _row_rates(kernels: Kernels, weights: FieldWeights, device: torch.device) -> list[float]:
    """Random rows fetched, and added to, per second."""
    on_gpu = device.type == "cuda"
    count, span = 1 << (26 if on_gpu else 22), 64 if on_gpu else _SPAN
    items = count // span
    entries = weights.grid.entries
    table = weights.table.detach().clone()
    out = torch.zeros(items, device=device)
    anywhere = torch.randint(entries, (count,), dtype=torch.int32, device=device)
    gather = best(
        lambda: launch.run(kernels, "ceiling_gather", device, items, span, anywhere, table, out),
        device,
    )
    # On a CPU each level's gradient belongs to one thread; on a GPU all threads add anywhere.
    levels = 1 if on_gpu else weights.grid.levels
    rows = entries // levels
    inside = anywhere if on_gpu else anywhere % rows
    groups, each = (items, span) if on_gpu else (levels, count // levels)
    scatter = best(
        lambda: launch.run(kernels, "ceiling_scatter", device, groups, each, rows, inside, table),
        device,
    )
    return [count / (gather / 1e3), groups * each / (scatter / 1e3)]


def kernels(batch: Batch, device: torch.device) -> list[Measured]:
    """Time each kernel, and its parts."""
    weights, grid, points = batch.weights, batch.weights.grid, batch.samples
    n, rows = len(points), float(len(points) * 8 * grid.levels)
    inner, outer = (2.0 * sum(m.numel() for m in net) for net in weights[2:4])

    def time_of(work: Callable[[], Any]) -> float:
        return best(work, device)

    one_cell = points[:1].expand(n, 3).contiguous()
    grad = torch.randn(n, grid.width, device=device)
    with torch.no_grad():
        encode = time_of(lambda: hash_encode(points, weights.table, grid))
        near = time_of(lambda: hash_encode(one_cell, weights.table, grid))
        density = time_of(lambda: point_density(points, weights))
        forward = time_of(lambda: radiance(points, batch.towards, batch.codes, weights))
        table = time_of(lambda: table_gradient(grid, points, weights.table, grad))
    backward = time_of(_backward(batch, points)) - forward
    waits = f"rows that are not in the first cache cost {max(0.0, encode - near):.2f} ms"
    nets = f"networks {forward - encode:.2f} ms, encoding {encode:.2f} ms"
    back = f"table's gradient {table:.2f} ms, networks {backward - table:.2f} ms"
    inside = f"encoding {encode:.2f} ms"
    if device.type == "cuda":  # there the field encodes by code of its own, from a float16 table
        inside, nets, back = _inside_on_gpu(batch, one_cell, device)
    return [
        Measured("hash_encode", encode, rows=rows, where=waits),
        Measured("table_gradient", table, rows=rows, adds=True),
        Measured("point_density", density, inner * n, rows, where=inside),
        Measured("radiance forward", forward, (inner + outer) * n, rows, where=nets),
        Measured(
            "radiance backward",
            backward,
            3 * (inner + outer) * n,
            rows,
            adds=True,
            where=back,
        ),
        *_whole_rays(batch, device, density / n, (forward - density) / n, (inner, outer)),
        _adam(weights, device),
    ]


def _inside_on_gpu(batch: Batch, one_cell: Tensor, device: torch.device) -> tuple[str, str, str]:
    """What can be told apart of density, forward and backward from outside."""
    weights, codes = batch.weights, batch.codes
    anywhere = torch.rand_like(one_cell)
    with torch.no_grad():
        density = best(lambda: point_density(one_cell, weights), device)
        forward = best(lambda: radiance(one_cell, batch.towards, codes, weights), device)
        half = best(weights.table.half, device)
        random = best(lambda: radiance(anywhere, batch.towards, codes, weights), device)
    spread = best(_backward(batch, anywhere), device) - random
    converts = f"of it the table to float16 {half:.3f} ms"
    return (
        f"on points of one cell {density:.3f} ms, {converts}",
        f"on points of one cell {forward:.3f} ms, {converts}",
        f"on points spread at random {spread:.3f} ms (fewer sums in one place, more memory)",
    )


def _backward(batch: Batch, points: Tensor) -> Callable[[], Any]:
    """Forward and backward of the field at `points`, to all its weights."""
    table = batch.weights.table.clone().requires_grad_()
    nets = [tuple(m.clone().requires_grad_() for m in net) for net in batch.weights[2:4]]
    weights = batch.weights._replace(table=table, density_net=nets[0], colour_net=nets[1])
    inputs = [table, *nets[0], *nets[1]]

    def work() -> Any:
        density, colour = radiance(points, batch.towards, batch.codes, weights)
        return torch.autograd.grad((density, colour), inputs, (torch.ones_like(density), colour))

    return work


def _whole_rays(
    batch: Batch,
    device: torch.device,
    density_ms: float,
    colour_ms: float,
    flops: tuple[float, float],
) -> list[Measured]:
    """Choosing a training batch's samples, and rendering a picture; times of parts are per point."""
    visible = visible_samples(batch.origins, batch.directions, batch.jitter, *batch.place)
    looked = int(visible.looked)
    choosing = best(
        lambda: visible_samples(batch.origins, batch.directions, batch.jitter, *batch.place), device
    )
    origins, directions = batch.picture
    middle = torch.full((len(origins),), 0.5, device=device)
    codes = origins.new_zeros(len(origins), 0)
    seen = visible_samples(origins, directions, middle, *batch.place)
    shown = best(lambda: trace(origins, directions, codes, middle, *batch.place), device)
    rows = 8.0 * batch.weights.grid.levels
    counts = ((looked, 0), (int(seen.looked), len(seen.samples)))
    return [
        Measured(
            name,
            ms,
            asked * flops[0] + shaded * flops[1],
            rows * asked,
            where=_split(ms, asked, asked * density_ms, shaded, shaded * colour_ms),
        )
        for name, ms, (asked, shaded) in zip(
            ("visible_samples", "trace a picture"), (choosing, shown), counts, strict=True
        )
    ]


def _split(ms: float, asked: int, density: float, shaded: int, colour: float) -> str:
    return (
        f"as many densities ({asked}) alone {density:.2f} ms, colours ({shaded}) {colour:.2f} ms; "
        f"marching, compositing and the difference {ms - density - colour:+.2f} ms"
    )


def _adam(weights: FieldWeights, device: torch.device) -> Measured:
    """A step over the whole table: seven passes over it, and two over the counts."""
    rows, features = weights.table.shape
    p, g, m, v = torch.rand(4, rows, features, device=device)
    steps = torch.zeros(rows, dtype=torch.int32, device=device)
    ms = best(lambda: adam_step(p, g, m, v, steps, 1e-2), device)
    return Measured("adam_step", ms, copied=float(rows * (7 * 4 * features + 8)))


def best(work: Callable[[], Any], device: torch.device, repeats: int = 7) -> float:
    """Milliseconds of the fastest of `repeats` runs, after two that do not count; on a GPU each run is several."""
    inner = 10 if device.type == "cuda" else 1
    times = []
    for k in range(repeats + 2):
        wait(device)
        start = time.perf_counter()
        for _ in range(inner):
            work()
        wait(device)
        times += [time.perf_counter() - start] if k >= 2 else []
    return 1e3 * min(times) / inner


def markdown(found: dict[str, Any]) -> str:
    """A table of the kernels against the ceilings."""
    top = Ceilings(**found["ceilings"])
    head = ("kernel", "ms", "GFLOP/s (of ceiling)", "M rows/s (of ceiling)", "GB/s (of ceiling)")
    rows = [Measured(**kernel).row(top) for kernel in found["kernels"]]
    ceiling = (
        f"Ceilings measured in the same run: {top.flops / 1e9:.0f} GFLOP/s ({top.arithmetic}), copy "
        f"{top.copied / 1e9:.1f} GB/s, {top.gathered / 1e6:.0f} M random rows/s fetched, "
        f"{top.scattered / 1e6:.0f} M added to. Kernels on {found['samples']} samples of {found['rays']} training "
        f"rays; a picture has {found['picture_rays']}."
    )
    return ceiling + "\n\n" + report.table((*head, "where the time goes (measured)"), rows)
