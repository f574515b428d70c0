"""pycolmap's stages, each in a process of its own: `python -m teacher.capture.colmap JOB.json`.

    features: pictures --SIFT--> database      matches: database --pairs, RANSAC--> database
    cameras:  database --incremental mapping--> models/0, 1, ... (largest first), "+" on stdout for each picture

A process of its own, because C++ that fails there takes only that process with it, and Ctrl-C ends it at once.
Imports nothing heavy. Everything random is seeded.
"""

import json
import os
import shutil
import signal
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from teacher.capture.settings import PoseSettings, cores

Stage = Literal["features", "matches", "cameras"]

FEATURES = 4096
"""Details kept of a picture, the largest first; matching costs their square, and half as many find the same cameras."""
BLOCK = 20
"""Pairs compared between two signs of progress."""
START_LIMIT = 120.0
"""Processor seconds in which mapping must have found two pictures to start from. A few do where there are two; where
nothing has depth all pairs are tried, which no option of pycolmap ends (48 frames of a turn: half an hour and more)."""
NO_START = 3
"""Exit code of a mapping that found no start."""
GROWTH, GLOBAL, LOCAL = 1.25, 2, 1
"""Everything is adjusted together, at most GLOBAL times, whenever the model has grown so much; what is around a new
picture LOCAL times. COLMAP's own 1.1, 5 and 2 find the same cameras in twice the time (docs/capture.md)."""
PARAMETERS = {
    "SIMPLE_PINHOLE": ("f", "cx", "cy"),
    "SIMPLE_RADIAL": ("f", "cx", "cy", "k1"),
    "RADIAL": ("f", "cx", "cy", "k1", "k2"),
    "OPENCV": ("fl_x", "fl_y", "cx", "cy", "k1", "k2", "p1", "p2"),
}
"""COLMAP's order of parameters; where there is one focal length it is `f`."""


@dataclass(frozen=True)
class Group:
    """Pictures taken with one lens at one zoom."""

    names: tuple[str, ...]
    size: tuple[int, int]
    """(width, height)."""
    focal: float | None = None
    """Pixels, as the EXIF data say; None: unknown."""


@dataclass(frozen=True)
class Job:
    """One stage's work."""

    stage: Stage
    folder: Path
    """Holds database.db, and models/ in the end."""
    images: Path
    settings: PoseSettings
    groups: tuple[Group, ...] = ()
    pairs: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    verbose: bool = False
    masks: Path | None = None
    """Folder of masks, PICTURE.png each: features are not looked for where they are black."""

    @property
    def database(self) -> Path:
        """COLMAP's database."""
        return self.folder / "database.db"

    @property
    def pictures(self) -> int:
        """Pictures in all groups."""
        return sum(len(group.names) for group in self.groups)

    def dump(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), default=str)

    @staticmethod
    def load(text: str) -> "Job":
        """What `dump` wrote."""
        value = json.loads(text)
        groups = (Group(tuple(g["names"]), tuple(g["size"]), g["focal"]) for g in value["groups"])
        return Job(
            value["stage"],
            Path(value["folder"]),
            Path(value["images"]),
            PoseSettings(**value["settings"]),
            tuple(groups),
            tuple((a, b) for a, b in value["pairs"]),
            value["verbose"],
            None if value["masks"] is None else Path(value["masks"]),
        )


def features(job: Job, colmap: Any) -> None:
    """Detect features in all pictures; one camera for each group."""
    extraction = colmap.FeatureExtractionOptions()
    extraction.max_image_size, extraction.num_threads = job.settings.sfm_image_size, cores()
    extraction.sift.max_num_features = FEATURES
    for group in job.groups:
        reader = colmap.ImageReaderOptions()
        reader.camera_model = job.settings.camera_model
        if job.masks is not None:
            reader.mask_path = job.masks
        if group.focal is not None:
            reader.camera_params = initial_parameters(job.settings.camera_model, group)
        colmap.extract_features(
            *(job.database, job.images),
            image_names=list(group.names),
            camera_mode=colmap.CameraMode.SINGLE,
            reader_options=reader,
            extraction_options=extraction,
            device=colmap.Device.cpu,
        )


def initial_parameters(model: str, group: Group) -> str:
    """COLMAP's parameter list with the prior focal length; it counts as known, not as a guess."""
    width, height = group.size
    known = {key: group.focal or 0.0 for key in ("f", "fl_x", "fl_y")}
    known |= {"cx": width / 2, "cy": height / 2}
    return ",".join(str(known.get(key, 0.0)) for key in PARAMETERS[model])


def matches(job: Job, colmap: Any) -> None:
    """Compare the pairs of pictures and keep the matches that one rigid scene explains."""
    listing = job.folder / "pairs.txt"
    listing.write_text("\n".join(f"{a} {b}" for a, b in job.pairs))
    matching, pairing = colmap.FeatureMatchingOptions(), colmap.ImportedPairingOptions()
    matching.num_threads, pairing.match_list_path, pairing.block_size = cores(), listing, BLOCK
    verification = colmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = job.settings.random_seed
    colmap.match_image_pairs(
        job.database,
        matching_options=matching,
        pairing_options=pairing,
        verification_options=verification,
        device=colmap.Device.cpu,
    )


def cameras(job: Job, colmap: Any) -> None:
    """Incremental mapping; sub-models are written largest first, none if nothing could be started."""
    options = colmap.IncrementalPipelineOptions()
    options.num_threads, options.random_seed = cores(), job.settings.random_seed
    options.ba_global_frames_ratio = options.ba_global_points_ratio = GROWTH
    options.ba_global_max_refinements, options.ba_local_max_refinements = GLOBAL, LOCAL
    options.min_model_size = max(3, min(10, job.pictures // 3))
    scratch, final = job.folder / "sparse", job.folder / "models"
    for folder in (scratch, final):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    begun = threading.Event()

    def registered() -> None:
        begun.set()
        print("+", flush=True)

    end_without(begun, START_LIMIT)
    found = colmap.incremental_mapping(
        *(job.database, job.images, scratch, options), next_image_callback=registered
    )
    begun.set()
    ordered = sorted(found.values(), key=lambda model: -model.num_reg_images())
    for k, model in enumerate(ordered):
        (final / str(k)).mkdir()
        model.write_binary(final / str(k))
    shutil.rmtree(scratch)


def end_with_parent() -> None:
    """End this process when its standard input ends: the parent holds the other end, however it dies."""

    def wait() -> None:
        os.read(0, 1)  # unbuffered: a lock held at the end of the interpreter is fatal
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def end_without(begun: threading.Event, seconds: float) -> None:
    """End this process with NO_START once it has used so many processor seconds and `begun` is not set."""
    limit = time.process_time() + seconds

    def watch() -> None:
        while not begun.wait(0.2):
            if time.process_time() > limit:
                os._exit(NO_START)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """Run the job whose file is named on the command line."""
    import pycolmap

    end_with_parent()

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # C++ does not look at Python's handler
    job = Job.load(Path(sys.argv[1]).read_text())
    pycolmap.logging.minloglevel = 0  # the parent reads progress off it
    pycolmap.logging.logtostderr = True
    pycolmap.set_random_seed(job.settings.random_seed)
    {"features": features, "matches": matches, "cameras": cameras}[job.stage](job, pycolmap)


if __name__ == "__main__":
    main()
