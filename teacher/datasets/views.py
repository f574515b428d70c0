"""What a data set lists: one view per picture, before anything is known of the files.

    camera file (JSON, COLMAP, poses_bounds.npy, ...) --loader--> View --teacher.datasets.files--> Frame

A view says where the files should be and how to make the camera once the picture's size is known.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from teacher.cameras import Camera

IMAGE_EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")


@dataclass(frozen=True)
class View:
    """One picture of a data set, as the data set lists it."""

    listed: str
    """The picture's path as the data set writes it, with forward slashes."""
    image: Path
    """Where that is."""
    camera: Callable[[tuple[int, int]], Camera]
    """The camera, in the data set's frame, of a picture of this (width, height)."""
    size: tuple[int, int] | None = None
    """(width, height) that the intrinsics are for; None: the file's."""
    mask: Path | None = None
    """A mask; where the data set names one that does not exist, the view is unusable."""
    mask_inverted: bool = False
    """Whether the mask's non-zero pixels are ignored, not kept."""
    matte: Path | None = None
    """An image whose brightness is the picture's alpha channel; the same holds where it is missing."""
    small: Path | None = None
    """A ready-made copy at the size asked for, with `small_mask` beside it; neither need exist."""
    small_mask: Path | None = None

    @property
    def name(self) -> str:
        """The path as one word, unique in the data set: "./train/r_0.png" is "train_r_0"."""
        return word(self.listed)


def word(listed: str) -> str:
    """A path without its extension, as one word."""
    path = PurePosixPath(without_extension(listed))
    return "_".join(part for part in path.parts if part not in ("..", "/"))


def without_extension(listed: str) -> str:
    """`listed` less an extension that images have."""
    path = PurePosixPath(listed)
    return str(path.with_suffix("") if path.suffix.lower() in IMAGE_EXTENSIONS else path)


def find_image(path: Path) -> Path:
    """`path`, or with the extension of an image that the data set leaves out, whichever is a file."""
    candidates = [path, *(path.with_name(path.name + extension) for extension in IMAGE_EXTENSIONS)]
    return next((candidate for candidate in candidates if candidate.is_file()), path)


def images_in(folder: Path) -> list[Path]:
    """The image files of a folder in alphabetical order; none where there is no folder."""
    files = folder.iterdir() if folder.is_dir() else ()
    return sorted(file for file in files if file.suffix.lower() in IMAGE_EXTENSIONS)


def in_numbered_folder(path: Path, root: Path, downscale: int) -> Path:
    """Where a copy of `path`, a file below `root`, lies at 1 / `downscale`: `images_4/x.png`."""
    return root.with_name(f"{root.name}_{downscale}") / path.relative_to(root)
