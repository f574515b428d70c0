"""From views to frames: finds and checks the files, and reports all that is missing together.

    View --find image and mask--> Picture --smaller copy of it, if there is one--> Picture, Camera

A file `split_indices.json` in the data set's folder divides them anew: `teacher.datasets.splits`.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from teacher.datasets.raw import LoadOptions
from teacher.datasets.splits import redivided
from teacher.datasets.views import View
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


def read_frames(splits: dict[str, list[View]], path: Path, options: LoadOptions) -> ReadFrames:
    """Frames of all views of the data set `path` whose files exist; those that do not are one warning.

    Raises:
        UserError: no image of the "train" split exists, or a file or key cannot be used.
    """
    splits, left_out = redivided(splits, path, options.splits)
    missing: list[str] = []
    frames = {name: _usable(views, missing, path, options) for name, views in splits.items()}
    total = sum(map(len, splits.values()))
    if not frames["train"]:
        given = f"{total} frames, none of whose training images exist" if total else "no frames"
        first = f" (first: {path / missing[0]})" if missing else ""
        remedy = "check the paths in the camera file and unpack the images beside it"
        raise UserError(f"data set {path}", given + first, "at least one image", remedy)
    headers = [frame.picture.check() for group in frames.values() for frame in group]
    frames, hidden = _shown(frames, path)
    warnings = (*left_out, *((_missing_files(missing, total, path),) if missing else ()), *hidden)
    return ReadFrames(frames, all(header.has_alpha for header in headers), warnings)


def _usable(
    views: list[View], missing: list[str], path: Path, options: LoadOptions
) -> tuple[Frame, ...]:
    """Frames whose image and mask exist; the paths of the others are added to `missing`."""
    frames = []
    for view in views:
        absent = [file for file in (view.mask, view.matte) if file and not file.is_file()]
        picture = None if absent else _picture(view, options.downscale)
        if absent:
            missing.append(_below(absent[0], path))
        elif picture is None:
            missing.append(view.listed)
        else:
            turned = view.mask_inverted != options.invert_masks
            frames.append(_frame(view, replace(picture, mask_inverted=turned)))
    return tuple(frames)


def _shown(
    frames: dict[str, tuple[Frame, ...]], path: Path
) -> tuple[dict[str, tuple[Frame, ...]], tuple[str, ...]]:
    """Frames less those that their masks hide altogether, and a warning where there are any.

    Raises:
        UserError: that leaves no training frame.
    """
    hides = {
        frame.name
        for group in frames.values()
        for frame in group
        if (mask := frame.picture.mask()) is not None and not mask.any()
    }
    if not hides:
        return frames, ()
    left = {
        split: tuple(f for f in group if f.name not in hides) for split, group in frames.items()
    }
    names = ", ".join(sorted(hides)[:_NAMES_SHOWN]) + (", ..." if len(hides) > _NAMES_SHOWN else "")
    if not left["train"]:
        raise UserError(
            f"the masks of data set {path}",
            f"every pixel of every training picture masked out ({names})",
            "white where a pixel is to be used",
            "turn their polarity with --invert-masks, or make them again",
        )
    total = sum(map(len, frames.values()))
    return left, (f"{path}: masks hide {len(hides)} of {total} frames altogether: {names}",)


def _below(file: Path, path: Path) -> str:
    return (file.relative_to(path) if file.is_relative_to(path) else file).as_posix()


def _missing_files(missing: list[str], total: int, path: Path) -> str:
    names = ", ".join(missing[:_NAMES_SHOWN]) + (", ..." if len(missing) > _NAMES_SHOWN else "")
    left_out = f"{len(missing)} of {total} frames are left out"
    return f"{path}: {left_out}, their files do not exist: {names}"


def _frame(view: View, picture: Picture) -> Frame:
    """The frame of a picture, its camera at the size that the picture is read at."""
    assert picture.size is not None
    width, height = shrunk_size(picture.size, picture.downscale)
    camera = view.camera(view.size or picture.size)
    return Frame(view.name, picture, camera.resized(width, height))


def _picture(view: View, downscale: int) -> Picture | None:
    """The picture, or the smaller copy of it that fits; None where neither is there."""
    if not view.image.is_file():
        return _smaller_copy(view, view.size, downscale)
    size = view.size or read_header(view.image).size
    full = Picture(view.image, downscale, view.mask, view.mask_inverted, size, view.matte)
    return _smaller_copy(view, size, downscale) or full


def _smaller_copy(view: View, size: tuple[int, int] | None, downscale: int) -> Picture | None:
    """nerfstudio's `images_4/x.png` (with `masks_4/x.png`) for `downscale` 4, if it fits `size`.

    Where there is a mask and the full picture, that is shrunk instead: whoever made the copy mixed what the mask
    hides into what it keeps.
    """
    if view.mask is not None and view.image.is_file():
        return None
    if downscale == 1 or size is None or view.matte or not (view.small and view.small.is_file()):
        return None
    if view.mask is not None and not (view.small_mask and view.small_mask.is_file()):
        return None
    small_size = read_header(view.small).size
    if any(abs(f / downscale - s) >= 1 for f, s in zip(size, small_size, strict=True)):
        return None
    mask = None if view.mask is None else view.small_mask
    return Picture(view.small, 1, mask, view.mask_inverted, small_size)
