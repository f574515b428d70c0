"""NeRF-synthetic folders, as Blender scripts write them (Mildenhall et al. 2020), and D-NeRF's.

    transforms_{train,val,test}.json + RGBA images named without extension -> RawScene

The size comes from the files unless `w` and `h` are given. Every key of `teacher.datasets.entries`
is understood, so off-centre, non-square or distorted renders load too.
"""

from pathlib import Path

from teacher.datasets.entries import entries_of, read_document, view_of
from teacher.datasets.files import read_frames
from teacher.datasets.raw import LoadOptions, NotThisFormat, RawScene, with_test_split

SPLITS = ("train", "val", "test")


def load(path: Path, options: LoadOptions) -> RawScene:
    """Load the folder `path`; see `teacher.datasets.raw` for what a loader does."""
    if not (path / "transforms_train.json").is_file():
        raise NotThisFormat("it has no transforms_train.json")
    files = {split: path / f"transforms_{split}.json" for split in SPLITS}
    views = {
        split: [view_of(e, options.downscale) for e in entries_of(file, read_document(file))]
        for split, file in files.items()
        if file.is_file()
    }
    frames = read_frames(views, path, options)
    splits = with_test_split(frames.splits, options.test_every)
    return RawScene(path.resolve().name, splits, frames.has_alpha, warnings=frames.warnings)
