"""The first stage's command line: `python -m teacher VERB`.

    process, demo       captures, the built-in scene -> data sets
    train, sweep        data sets -> teachers
    crop                what of a teacher's scene belongs to the object
    eval, bench         how good, how fast
    render, path        pictures along camera paths
    views, mesh, points what others make of a teacher

`torchrun --nproc_per_node N -m teacher {train,eval,render,views} …` divides the work over N processes, one a GPU.
"""

import json
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import tyro

from teacher.capture.process import Options, Request, process
from teacher.capture.settings import FrameSettings, PoseSettings
from teacher.cli import run_command_line
from teacher.crop.command import Crop
from teacher.errors import exit_on_user_error
from teacher.live.options import LiveOptions
from teacher.machine import Device, Machine
from teacher.mesh.command import Mesh, Points
from teacher.parallel import joined
from teacher.paths.command import Path as PathVerb
from teacher.presets import PRESETS, DataConfig, TrainConfig
from teacher.pseudo.sampler import CameraSampler
from teacher.subset import EVERYTHING
from teacher.sweep.grid import Settings

Background = Literal["white", "black"]


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train a teacher; the same command resumes an interrupted run."""

    preset: ClassVar[str]
    data: Annotated[DataConfig, tyro.conf.arg(name="")]
    output: Path
    """Run folder to write."""
    train: Annotated[TrainConfig, tyro.conf.arg(name="")]
    machine: Annotated[Machine, tyro.conf.arg(name="")] = field(default_factory=Machine)
    live: Annotated[LiveOptions, tyro.conf.arg(name="")] = field(default_factory=LiveOptions)

    def run(self) -> None:
        """Train."""
        from teacher.train import train

        view = self.live.open()
        try:
            train(self.data, self.train, self.output, self.machine, view)
        finally:
            if view is not None:
                view.close()


@dataclass(frozen=True)
class Eval:
    """Measure a trained teacher on held-out views; writes eval/ into its run folder."""

    run_folder: Annotated[Path, tyro.conf.arg(name="run")]
    """Run folder of the teacher."""
    split: str = "test"
    """Split of the data set to measure on."""
    background: Background = "white"
    """What transparent pixels are put over."""
    device: Device = "auto"
    """Where to render."""

    def run(self) -> None:
        """Measure and print the means."""
        from teacher.evaluate import evaluate

        with joined() as world:
            metrics = evaluate(self.run_folder, self.split, self.background, self.device, world)
        if world.first:
            print(json.dumps({k: v for k, v in metrics.items() if k != "per_view"}, indent=2))


@dataclass(frozen=True)
class Render:
    """Render a trained teacher along a camera path."""

    run_folder: Annotated[Path, tyro.conf.arg(name="run")]
    """Run folder of the teacher."""
    output: Path
    """An .mp4 file, or a folder for PNG files (RGBA and 16-bit depth)."""
    path: str = "orbit"
    """orbit, spiral, or a camera-path JSON file (`python -m teacher path` writes some)."""
    frames: int = 60
    """Pictures along an orbit or spiral."""
    fps: int = 30
    """Frames per second of the mp4."""
    background: Background = "white"
    """What transparent pixels of an mp4 are put over."""
    device: Device = "auto"
    """Where to render."""

    def run(self) -> None:
        """Render."""
        from teacher.evaluate import render

        along = (self.path, self.frames, self.fps)
        with joined() as world:
            render(self.run_folder, *along, self.output, self.background, self.device, world)


@dataclass(frozen=True)
class Bench:
    """Time how fast a trained teacher renders on this machine."""

    run_folder: Annotated[Path, tyro.conf.arg(name="run")]
    """Run folder of the teacher."""
    views: int = 5
    """Test views to render."""
    device: Device = "auto"
    """Where to render."""

    def run(self) -> None:
        """Print the figures."""
        from teacher.evaluate import bench

        print(json.dumps(bench(self.run_folder, self.views, self.device), indent=2))


@dataclass(frozen=True)
class Views:
    """Store views of a teacher as shards: pseudo-data for several machines, or to look at."""

    source: str
    """A teacher's run folder, or "demo"."""
    output: Path
    """Folder to write; the same command goes on where it stopped."""
    views: int = 1000
    """Number of views; the training cameras come first."""
    size: int | None = None
    """Height and width in pixels; None: the training cameras' size."""
    shard_size: int = 100
    """Views in one file."""
    part: tuple[int, int] = (0, 1)
    """(k, n): of n machines, this is the k-th and writes every n-th shard; torchrun's processes divide that further."""
    seed: int = 0
    """Seed of the cameras."""
    cameras: CameraSampler = field(default_factory=CameraSampler)
    """Which cameras follow the training cameras."""

    def run(self) -> None:
        """Render and store."""
        from teacher.pseudo.source import open_source
        from teacher.pseudo.store import report, write_store

        source = replace(open_source(self.source), sampler=self.cameras)
        size = None if self.size is None else (self.size, self.size)
        with joined() as world:
            write_store(
                *(source, self.output, self.views, self.shard_size, self.seed),
                size=size,
                part=world.part(self.part),
            )
            world.wait()
        if world.first:
            print(report(self.output))


@dataclass(frozen=True)
class Sweep:
    """Train a grid of presets, seeds, steps and numbers of pictures; the same command goes on where it stopped.

    Writes results.csv, table.md (mean and deviation over seeds) and plots. Ends with exit code 1 if a cell failed.
    """

    settings: Annotated[Settings, tyro.conf.arg(name="")]
    output: Path
    """Folder to write, a run folder for each cell in it; another grid adds its cells."""
    presets: tuple[str, ...] = ("demo",)
    """Presets of `train`."""
    seeds: tuple[int, ...] = (0,)
    """Seeds; the deviation is taken over them."""
    steps: tuple[int, ...] = ()
    """Numbers of steps, each a training of its own; by default each preset's."""
    train_frames: tuple[str, ...] = (EVERYTHING,)
    """Numbers ("12") or shares ("25%") of the training pictures."""
    save_seconds: float = 30.0
    """Seconds between checkpoints."""
    machine: Annotated[Machine, tyro.conf.arg(name="")] = field(default_factory=Machine)

    def run(self) -> None:
        """Train, evaluate and print the table."""
        from teacher.sweep.grid import Grid
        from teacher.sweep.run import Sweep as Runner

        grid = Grid(self.presets, self.seeds, self.steps, self.train_frames)
        runner = Runner(self.settings, grid, self.output, self.machine, self.save_seconds)
        failed = runner.run()
        print(f"{runner.table}\nin {self.output}: results.csv, table.md and plots")
        if failed:
            sys.exit(1)


@dataclass(frozen=True)
class Demo:
    """Render the built-in scene in NeRF-synthetic layout."""

    output: Path
    """Folder to write."""
    size: int = 128
    """Width and height of the pictures."""
    train: int = 100
    """Training views."""
    test: int = 20
    """Held-out views."""

    def run(self) -> None:
        """Render."""
        from teacher.demo import write_demo_scene

        write_demo_scene(self.output, size=self.size, train=self.train, test=self.test)


@dataclass(frozen=True)
class Process:
    """Make a data set from a video or a folder of photographs: choose frames, find cameras, check them."""

    data: Path
    """A video file, or a folder of photographs."""
    output_dir: Path
    """Data set to write; `train --data` reads it."""
    frames: Annotated[FrameSettings, tyro.conf.arg(name="")] = field(default_factory=FrameSettings)
    poses: Annotated[PoseSettings, tyro.conf.arg(name="")] = field(default_factory=PoseSettings)
    options: Annotated[Options, tyro.conf.arg(name="")] = field(default_factory=Options)

    def run(self) -> None:
        """Process, and print the report."""
        process(Request(self.data, self.output_dir, self.frames, self.poses, self.options))


def main() -> None:
    """Parse the command line and run its verb."""
    verbs = (Process, Crop, Eval, Render, PathVerb, Mesh, Points, Bench, Views, Sweep, Demo)
    run_command_line("python -m teacher", Train, PRESETS, verbs)


if __name__ == "__main__":
    exit_on_user_error(main)
