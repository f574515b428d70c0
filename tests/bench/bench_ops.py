"""Times every op against its reference in one run, and the building of the kernels from nothing.

    python tests/bench/bench_ops.py                  prints a table
    python tests/bench/bench_ops.py --output x.json  also writes the figures
    python tests/bench/bench_ops.py --write          also the table of docs/benchmarks.md

Times are CPU seconds of this process (a shared machine's other work does not count), the best of
several; forward and backward together where an op has both.
"""

import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import tyro
from torch import Tensor

from teacher.fields.hash_grid import HashGridConfig
from teacher.files import write_json
from teacher.ops import build
from teacher.ops.adam import adam_step
from teacher.ops.adam import reference as adam_reference
from teacher.ops.build import Kernels
from teacher.ops.composite import composite
from teacher.ops.composite import reference as composite_reference
from teacher.ops.distortion import distortion
from teacher.ops.distortion import reference as distortion_reference
from teacher.ops.hash_encode import HashGrid, hash_encode
from teacher.ops.hash_encode import reference as hash_reference
from teacher.ops.occupancy import occupancy_bits, occupancy_update
from teacher.ops.occupancy import reference as occupancy_reference
from teacher.ops.occupancy.morton import pack
from teacher.ops.radiance import FieldWeights, radiance
from teacher.ops.radiance import reference as radiance_reference
from teacher.ops.radiance.cpu import kernels_for
from teacher.ops.ray_march import ray_march
from teacher.ops.ray_march import reference as march_reference
from teacher.ops.trace import Space, trace
from teacher.ops.trace import reference as trace_reference
from tests.bench import report

Work = Callable[[], Any]
DEMO = HashGrid(levels=8, features=4, log2_size=17, finest=512)
"""The grid of the demo preset."""


def field_weights() -> FieldWeights:
    """A field of the demo preset's shape, with something in its table."""
    field = HashGridConfig(DEMO).build()
    torch.nn.init.normal_(field.table)
    return field.weights()


def used() -> tuple[Kernels, ...]:
    """What training and rendering with the demo preset compile on a CPU."""
    weights = field_weights()
    return (
        *(kernels_for(op, weights) for op in ("radiance", "trace")),
        Kernels("hash_encode", (("DIMS", 3), ("FEATURES", 4))),
        Kernels("composite", (("CHANNELS", 3),)),
        Kernels("distortion"),
        Kernels("occupancy"),
        *(Kernels("adam", (("FEATURES", features),)) for features in (0, 4)),
    )


@dataclass(frozen=True)
class Timing:
    """CPU milliseconds of one op and of its reference."""

    op: str
    kernel: float
    reference: float

    @property
    def ratio(self) -> float:
        """How many times faster the kernel is."""
        return self.reference / self.kernel


def main(output: Path | None = None, repeats: int = 7, write: bool = False) -> None:
    """Time building and running the ops.

    Args:
        output: also write the figures to this JSON file.
        repeats: runs of each kernel, of which the best counts; references run a third as often.
        write: also put the table into docs/benchmarks.md.
    """
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    where = report.provenance()
    build_seconds = time_building()
    print(f"building {len(used())} kernels from nothing: {build_seconds:.1f} s of CPU time")
    print(f"{torch.get_num_threads()} thread(s)  {'op':42} {'kernel':>9} {'reference':>12}  ratio")
    timings = []
    for name, kernel, reference in cases():
        timing = Timing(name, best(kernel, repeats), best(reference, -(-repeats // 3)))
        timings.append(timing)
        row = f"{timing.kernel:6.1f} ms {timing.reference:9.1f} ms {timing.ratio:5.1f}x"
        print(f"             {name:42} {row}", flush=True)
    if output:
        figures = [asdict(timing) | {"ratio": timing.ratio} for timing in timings]
        write_json(output, where | {"build_seconds": build_seconds, "ops": figures})
    if write:
        report.write_section("ops", markdown(where, build_seconds, timings))


def markdown(where: dict[str, Any], build_seconds: float, timings: list[Timing]) -> str:
    """The table of docs/benchmarks.md."""
    rows = [
        [t.op, f"{t.kernel:.1f} ms", f"{t.reference:.1f} ms", f"{t.ratio:.1f}×"] for t in timings
    ]
    return (
        f"`make bench` (`tests/bench/bench_ops.py`): {where['machine']}; torch {where['torch']}, {where['threads']} "
        f"thread(s), CPU time; {where['date']}, commit {where['commit']}.\n"
        f"All {len(used())} modules of the demo preset build from nothing in {build_seconds:.1f} s of CPU time.\n\n"
        + report.table(("op", "C++ kernel", "pure torch", "ratio"), rows)
    )


def time_building() -> float:
    """CPU seconds that the compiler takes for all kernels in use, with an empty cache."""
    with tempfile.TemporaryDirectory() as folder:
        kept = os.environ.get("POCKETFIELD_CACHE")
        os.environ["POCKETFIELD_CACHE"] = folder
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        for kernels in used():
            build.library(kernels)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        os.environ.pop("POCKETFIELD_CACHE")
        if kept is not None:
            os.environ["POCKETFIELD_CACHE"] = kept
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def best(work: Work, repeats: int) -> float:
    """CPU milliseconds of the fastest of `repeats` runs, after one that does not count."""
    work()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1e3 * min(times)


def cases() -> Iterator[tuple[str, Work, Work]]:
    """Name, kernel's work and reference's work of each case."""
    torch.manual_seed(0)
    yield "hash_encode 2^18 x 16 levels, F 2, T 2^19", *hash_case(HashGrid(), 2**18)
    yield (
        "hash_encode 2^18 x 8 levels, F 4, T 2^19",
        *hash_case(HashGrid(levels=8, features=4), 2**18),
    )
    small = HashGrid(log2_size=16)
    yield "hash_encode 2^16 x 16 levels, F 2, T 2^16", *hash_case(small, 2**16)
    time_too = HashGrid(dims=4, levels=8, features=4, finest=128)
    yield "hash_encode 2^16 x 8 levels, 4-D, F 4", *hash_case(time_too, 2**16)
    yield "ray_march 8192 rays, uniform", *march_case(0.0)
    yield "ray_march 8192 rays, cone 1/256", *march_case(1 / 256)
    yield "radiance 2^15 points, L 8, F 4, T 2^17, 64 wide", *radiance_case()
    yield "trace 8192 rays through a shell, same field", *trace_case()
    yield "composite 2^18 samples, 3 channels", *composite_case()
    yield "distortion 2^18 samples", *distortion_case()
    yield "occupancy_update 128^3, 2^19 samples", *occupancy_case()
    yield "occupancy_bits 128^3", *bits_case()
    yield "adam_step 6.1 M rows x 2, 30 % touched", *adam_case(0.3)
    yield "adam_step 6.1 M rows x 2, all touched", *adam_case(1.0)


def hash_case(grid: HashGrid, n: int) -> tuple[Work, Work]:
    """Forward, and backward to the table, of random points."""
    points = torch.rand(n, grid.dims)
    table = torch.randn(grid.entries, grid.features, requires_grad=True)
    grad = torch.randn(n, grid.width)

    def work(op: Callable[..., Tensor]) -> Work:
        return lambda: torch.autograd.grad(op(points, table, grid), table, grad)

    return work(hash_encode), work(hash_reference.hash_encode)


def radiance_case() -> tuple[Work, Work]:
    """Forward, and backward to all weights, of random points."""
    weights, n = field_weights(), 2**15
    directions = torch.nn.functional.normalize(torch.randn(n, 3), dim=1)
    inputs = (torch.rand(n, 3), directions, torch.zeros(n, 0), weights)
    parameters = (weights.table, *weights.density_net, *weights.colour_net)

    def work(op: Callable[..., Any]) -> Work:
        def run() -> Any:
            density, colour = op(*inputs)
            return torch.autograd.grad(density.sum() + colour.sum(), parameters)

        return run

    return work(radiance), work(radiance_reference.radiance)


def trace_case() -> tuple[Work, Work]:
    """Pixels that all hit the shell."""
    origins, directions, bits, aabb, near, jitter, step, cone_angle, most = shell(0.0)
    space = Space(bits, aabb, near, step, cone_angle, most)
    weights, codes = field_weights(), torch.zeros(len(origins), 0)
    inputs = (origins, directions, codes, jitter, space, weights)

    def reference() -> Any:
        with torch.no_grad():
            return trace_reference.trace(*inputs)

    return lambda: trace(*inputs), reference


def march_case(cone_angle: float) -> tuple[Work, Work]:
    """Rays from all around through a spherical shell."""
    inputs = shell(cone_angle)
    return lambda: ray_march(*inputs), lambda: march_reference.ray_march(*inputs)


def shell(cone_angle: float) -> tuple[Any, ...]:
    """Arguments of `ray_march`: rays through a tenth of the cube's cells."""
    axis = torch.linspace(-1, 1, 128)
    radius = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij")).norm(dim=0)
    occupancy = pack(((radius > 0.5) & (radius < 0.66))[None])
    directions = torch.nn.functional.normalize(torch.randn(8192, 3), dim=1)
    origins = -3 * directions + 0.3 * torch.randn(8192, 3)
    aabb = torch.tensor([[-1.0] * 3, [1.0] * 3])
    step = 2 * 3**0.5 / 1024
    return (origins, directions, occupancy, aabb, 0.02, torch.rand(8192), step, cone_angle, 1024)


def packed_samples() -> tuple[Tensor, Tensor, Tensor]:
    """2^18 samples: 8192 rays of 32 each."""
    starts = torch.arange(32.0).repeat(8192) * 0.01
    offsets = torch.arange(0, 2**18 + 1, 32, dtype=torch.int32)
    return starts, starts + 0.01, offsets


def composite_case() -> tuple[Work, Work]:
    """Forward and backward, to density and colour."""
    density = (20 * torch.rand(2**18)).requires_grad_()
    colour = torch.rand(2**18, 3, requires_grad=True)
    samples = packed_samples()

    def work(op: Callable[..., Any]) -> Work:
        def run() -> Any:
            seen = op(density, colour, *samples)
            loss = seen.colour.sum() + seen.alpha.sum() + seen.depth.sum()
            return torch.autograd.grad(loss, (density, colour))

        return run

    return work(composite), work(composite_reference.composite)


def distortion_case() -> tuple[Work, Work]:
    """Forward and backward."""
    weights = torch.rand(2**18, requires_grad=True)
    samples = packed_samples()

    def work(op: Callable[..., Tensor]) -> Work:
        return lambda: torch.autograd.grad(op(weights, *samples).sum(), weights)

    return work(distortion), work(distortion_reference.distortion)


def occupancy_case() -> tuple[Work, Work]:
    """One update, in place."""
    density, indices = torch.rand(1, 128, 128, 128), torch.randint(128**3, (2**19,))
    inputs = (density, indices, torch.rand(2**19), 0.95)
    return (
        lambda: occupancy_update(*inputs),
        lambda: occupancy_reference.occupancy_update(*inputs),
    )


def bits_case() -> tuple[Work, Work]:
    """A tenth of the cells are occupied."""
    inputs = torch.rand(1, 128, 128, 128), torch.tensor(0.9)
    return (
        lambda: occupancy_bits(*inputs),
        lambda: occupancy_reference.occupancy_bits(*inputs),
    )


def adam_case(touched: float) -> tuple[Work, Work]:
    """One step, in place, with a gradient in part of the rows."""
    rows = HashGrid().entries
    parameter, gradient, first, second = torch.rand(4, rows, 2)
    gradient[torch.rand(rows) > touched] = 0
    state = (parameter, gradient, first, second, torch.zeros(rows, dtype=torch.int32))
    return lambda: adam_step(*state, 1e-2), lambda: adam_reference.adam_step(*state, 1e-2)


if __name__ == "__main__":
    tyro.cli(main)
