"""A folder of photographs: turned upright, shrunk, and what their EXIF data say about the lens.

Focal length: `FocalLengthIn35mmFilm` compares the picture's diagonal with the 43.27 mm of a film frame (CIPA DCG-001).
Photographs of one camera, size and focal length share a lens; those without such data share one for each size.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from teacher.capture.colmap import Group
from teacher.capture.masks import filled, find_mask, read_mask, shrunk_mask
from teacher.capture.video import MEASURED_SIDE, fitted
from teacher.datasets.entries import IMAGE_EXTENSIONS
from teacher.datasets.raw import natural_order
from teacher.errors import UserError

_FILM_DIAGONAL = 43.27  # mm
_MAKE, _MODEL, _EXIF, _FOCAL, _FOCAL_35 = 0x010F, 0x0110, 0x8769, 0x920A, 0xA405
_UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


@dataclass(frozen=True)
class Photo:
    """One photograph: where it is, and what it is called in the data set."""

    path: Path
    name: str
    """Of the file to be written: a stem that is unique, .png where there is alpha, else .jpg."""


def list_photos(folder: Path) -> list[Photo]:
    """The folder's pictures in natural order. Raises UserError where there are none."""
    paths = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_EXTENSIONS]
    if not paths:
        others = sorted({path.suffix.lower() or "no suffix" for path in folder.iterdir()})[:5]
        raise UserError(
            f"photographs in {folder}",
            f"no picture (only {', '.join(others)})" if others else "an empty folder",
            f"files ending in {', '.join(IMAGE_EXTENSIONS)}",
            "check the path; export HEIC photographs as JPEG; name a video file itself as --data",
        )
    photos, stems = [], defaultdict(int)
    for path in sorted(paths, key=lambda path: natural_order(path.name)):
        stem = "".join(c if c.isalnum() or c in "-_." else "_" for c in path.stem)
        stems[stem.lower()] += 1
        unique = stem if stems[stem.lower()] == 1 else f"{stem}-{stems[stem.lower()]}"
        photos.append(Photo(path, unique))
    return photos


@dataclass(frozen=True)
class Shown:
    """A photograph as it is written."""

    name: str
    image: Image.Image
    luma: UInt8[np.ndarray, "height width"]
    lens: tuple[object, ...]
    """What photographs with one lens have in common."""
    focal: float | None
    """Pixels of `image`, where EXIF says."""
    mask: Image.Image | None = None
    """White where the picture is kept."""


def read_photos(
    photos: Sequence[Photo], longest_side: int, masks: Path | None = None, inverted: bool = False
) -> Iterator[Shown]:
    """Each photograph upright and shrunk, what its mask hides painted over.

    Args:
        photos: the photographs.
        longest_side: in pixels; larger photographs are shrunk.
        masks: folder of masks.
        inverted: white is what masks hide.

    Raises:
        UserError: names a photograph, or its mask, that cannot be read.
    """
    for photo in photos:
        try:
            with Image.open(photo.path) as opened:
                mask = None if masks is None else find_mask(masks, photo.path)
                yield _shown(photo, opened, longest_side, mask, inverted)
        except UserError:
            raise
        except _UNREADABLE as error:
            raise UserError(
                f"photograph {photo.path}",
                str(error),
                "a complete PNG, JPEG or other picture that Pillow reads",
                "copy or export it again, or take it out of the folder",
            ) from error


def _shown(
    photo: Photo, opened: Image.Image, longest_side: int, mask: Path | None, inverted: bool
) -> Shown:
    exif = opened.getexif()
    upright = ImageOps.exif_transpose(opened)
    alpha = "A" in upright.getbands() or "transparency" in upright.info
    if upright.mode.startswith("I"):
        raise ValueError("16-bit grey samples, 8-bit colour expected")
    pixels = upright.convert("RGBA" if alpha else "RGB")
    size = fitted(*pixels.size, longest_side)
    kept = None if mask is None else read_mask(mask, opened, size, inverted)
    if kept is not None:
        pixels = Image.fromarray(filled(np.array(pixels), kept))
    if size != pixels.size:
        pixels = pixels.resize(size, Image.Resampling.BOX, reducing_gap=None)
    luma = pixels.convert("L").resize(fitted(*size, MEASURED_SIDE), Image.Resampling.BOX)
    focal = _focal(exif, size)
    detail = exif.get_ifd(_EXIF)
    lens = (exif.get(_MAKE), exif.get(_MODEL), detail.get(_FOCAL), focal, size)
    name = photo.name + (".png" if alpha else ".jpg")
    shown = None if kept is None else shrunk_mask(kept, size)
    return Shown(name, pixels, np.array(luma), tuple(map(str, lens)), focal, shown)


def _focal(exif: Image.Exif, size: tuple[int, int]) -> float | None:
    """Focal length in pixels of a picture of `size`; None where EXIF does not say."""
    try:
        film = float(exif.get_ifd(_EXIF).get(_FOCAL_35) or 0)
    except (TypeError, ValueError):
        return None
    return film / _FILM_DIAGONAL * float(np.hypot(*size)) if film > 0 else None


def groups_of(
    shown: Sequence[tuple[str, tuple[object, ...], float | None, tuple[int, int]]],
) -> list[Group]:
    """Pictures by lens, from (name, lens, focal, size) of each."""
    members: dict[tuple[object, ...], list[str]] = defaultdict(list)
    facts: dict[tuple[object, ...], tuple[tuple[int, int], float | None]] = {}
    for name, lens, focal, size in shown:
        members[lens].append(name)
        facts[lens] = (size, focal)
    return [Group(tuple(names), *facts[lens]) for lens, names in members.items()]
