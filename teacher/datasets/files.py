"""From entries to frames: finds and checks the files, and reports all that is missing together.

Entry --find image and mask--> Picture --smaller copy of it, if there is one--> Picture, Camera
"""

from dataclasses import dataclass, replace
from pathlib import Path

from teacher.datasets.entries import IMAGE_EXTENSIONS, Entry, read_camera
from teacher.errors import UserError
from teacher.pictures import Picture, read_header, shrunk_size
from teacher.scene import Frame

_NAMES_SHOWN = 5


@dataclass(frozen=True)
class ReadFrames:
    """Usable frames by split, and what there is to say about the others."""

    splits: dict[str, tuple[Frame, ...]]
    has_alpha: bool
    warnings: tuple[str, ...]


def read_frames(splits: dict[str, list[Entry]], path: Path, downscale: int) -> ReadFrames:
    """Frames of all entries whose files exist; files that do not are one warning.

    Raises:
        UserError: no image of the "train" split exists, or a file or key cannot be used.
    """
    missing: list[str] = []
    frames = {name: _usable(entries, missing, downscale) for name, entries in splits.items()}
    total = sum(map(len, splits.values()))
    if not frames["train"]:
        given = f"{total} frames, none of whose training images exist" if total else "no frames"
        first = f" (first: {path / missing[0]})" if missing else ""
        remedy = "check the paths in the JSON file and unpack the images beside it"
        raise UserError(f"data set {path}", given + first, "at least one image", remedy)
    headers = [frame.picture.check() for group in frames.values() for frame in group]
    warnings = (_missing_files(missing, total, path),) if missing else ()
    return ReadFrames(frames, all(header.has_alpha for header in headers), warnings)


def _usable(entries: list[Entry], missing: list[str], downscale: int) -> tuple[Frame, ...]:
    """Frames whose image and mask exist; the paths of the others are added to `missing`."""
    frames = []
    for entry in entries:
        image = _find_image(entry)
        mask, inverted = (None, False) if image is None else _find_mask(entry, image)
        if image is None:
            missing.append(entry.file_path)
        elif mask is not None and not mask.is_file():
            missing.append(str(entry.value("mask_path")))
        else:
            size = _full_size(entry, image)
            frames.append(_frame(entry, size, Picture(image, downscale, mask, inverted, size)))
    return tuple(frames)


def _missing_files(missing: list[str], total: int, path: Path) -> str:
    names = ", ".join(missing[:_NAMES_SHOWN]) + (", ..." if len(missing) > _NAMES_SHOWN else "")
    left_out = f"{len(missing)} of {total} frames are left out"
    return f"{path}: {left_out}, their files do not exist: {names}"


def _find_image(entry: Entry) -> Path | None:
    """The image's file, its extension added where the data set leaves it out; None if missing."""
    path = entry.file.parent / entry.file_path
    candidates = [path, *(path.with_name(path.name + extension) for extension in IMAGE_EXTENSIONS)]
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _find_mask(entry: Entry, image: Path) -> tuple[Path | None, bool]:
    """The mask's file and whether its polarity is inverted.

    nerfstudio's `mask_path` keeps what is not zero; instant-ngp's `dynamic_mask_<stem>.png` beside
    the image ignores it.
    """
    if entry.value("mask_path") is not None:
        return entry.file.parent / str(entry.value("mask_path")).replace("\\", "/"), False
    sibling = image.with_name(f"dynamic_mask_{image.stem}.png")
    return (sibling, True) if sibling.is_file() else (None, False)


def _full_size(entry: Entry, image: Path) -> tuple[int, int]:
    """(width, height) that the intrinsics are for: the keys w and h, else the file's."""
    width, height = entry.number("w"), entry.number("h")
    if width is None or height is None:
        return read_header(image).size
    return round(width), round(height)


def _frame(entry: Entry, size: tuple[int, int], full: Picture) -> Frame:
    """The frame of a picture whose intrinsics are for `size`, shrunk."""
    picture = _smaller_copy(full, size) or full
    width, height = shrunk_size(picture.size or size, picture.downscale)
    return Frame(entry.name, picture, read_camera(entry, size).resized(width, height))


def _smaller_copy(full: Picture, size: tuple[int, int]) -> Picture | None:
    """nerfstudio's `images_4/x.png` (with `masks_4/x.png`) for `downscale` 4, if it fits."""
    small = _in_numbered_folder(full.path, full.downscale)
    if full.downscale == 1 or not small.is_file():
        return None
    mask = full.mask_path and _in_numbered_folder(full.mask_path, full.downscale)
    if mask is not None and not mask.is_file():
        return None
    small_size = read_header(small).size
    if any(abs(f / full.downscale - s) >= 1 for f, s in zip(size, small_size, strict=True)):
        return None
    return replace(full, path=small, downscale=1, mask_path=mask, size=small_size)


def _in_numbered_folder(path: Path, downscale: int) -> Path:
    return path.parent.with_name(f"{path.parent.name}_{downscale}") / path.name
