"""The first stage: chosen frames or photographs as files, and a record of what was chosen and why.

Clip --glances, choose--> frame_00001.jpg ...        photographs --upright, shrunk--> IMG_1234.jpg ...
both --> images/ and frames.json (Frames)
"""

import dataclasses
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from teacher.capture.colmap import Group
from teacher.capture.masks import mask_name
from teacher.capture.photos import groups_of, list_photos, read_photos
from teacher.capture.selection import choose
from teacher.capture.settings import FEWEST, FrameSettings
from teacher.capture.sharpness import contrast, sharpness
from teacher.capture.video import Clip, Glance
from teacher.errors import UserError
from teacher.files import read_json, replacing, write_json

BLANK = 3.0  # of 255: standard deviation of the luma below which a picture shows nothing
_QUALITY = 95


@dataclass(frozen=True)
class Picture:
    """A picture of the data set."""

    name: str
    sharpness: float
    seconds: float | None = None
    """Into the clip; None for photographs."""


@dataclass(frozen=True)
class Frames:
    """What the first stage leaves."""

    video: bool
    pictures: tuple[Picture, ...]
    groups: tuple[Group, ...]
    read: int
    """Frames or photographs looked at."""
    fates: dict[str, int] = field(default_factory=dict)
    """How many frames of a video were kept, blurred, the same as another, or passed over."""
    curve: tuple[tuple[float, float], ...] = ()
    """(seconds, sharpness) of every frame of a video."""

    @property
    def names(self) -> list[str]:
        """The pictures' names, in the order of `pictures`."""
        return [picture.name for picture in self.pictures]

    def save(self, path: Path) -> None:
        """Write as JSON."""
        write_json(path, dataclasses.asdict(self))

    @staticmethod
    def load(path: Path) -> "Frames":
        """Read what `save` wrote."""
        value = read_json(path, "the record of chosen frames", "delete the work folder")
        groups = (Group(tuple(g["names"]), tuple(g["size"]), g["focal"]) for g in value["groups"])
        return Frames(
            value["video"],
            tuple(Picture(**picture) for picture in value["pictures"]),
            tuple(groups),
            value["read"],
            value["fates"],
            tuple((seconds, sharp) for seconds, sharp in value["curve"]),
        )


def masks_of(images: Path) -> Path:
    """The folder of masks that belongs to one of pictures; it exists where there are masks."""
    return images.with_name("masks")


def extract(data: Path, images: Path, settings: FrameSettings) -> Frames:
    """Write the pictures of the video or folder `data` into `images`.

    Raises:
        UserError: `data` cannot be read, shows nothing, or has too few pictures that differ.
    """
    for folder in (images, masks_of(images)):
        shutil.rmtree(folder, ignore_errors=True)
    images.mkdir(parents=True)
    return (_photographs if data.is_dir() else _video)(data, images, settings)


def _video(data: Path, images: Path, settings: FrameSettings) -> Frames:
    if settings.masks is not None:
        raise UserError(
            f"masks of {data}",
            "a video, whose frames are not chosen yet",
            "a folder of photographs",
            "process the video, make masks of its images/, and process that folder with --masks",
        )
    clip = Clip(data, settings.start, settings.end)
    with tqdm(desc="frames looked at", unit="frame") as bar:
        glances = clip.glances(lambda done: bar.update(done - bar.n))
    _check_visible(data, [contrast(glance.thumbnail) for glance in glances], "frames")
    choice = choose(glances, settings.num_frames_target)
    kept = [glances[k] for k in choice.kept]
    fates = {fate: choice.count(fate) for fate in ("kept", "blurred", "same", "passed over")}
    _check_enough_frames(data, glances, fates)
    pictures, size = _write_frames(clip, kept, images, settings.max_image_size)
    group = Group(tuple(picture.name for picture in pictures), size)
    curve = tuple((round(g.seconds, 4), round(g.sharpness, 5)) for g in glances)
    return Frames(True, pictures, (group,), len(glances), fates, curve)


def _write_frames(
    clip: Clip, kept: list[Glance], images: Path, longest_side: int
) -> tuple[tuple[Picture, ...], tuple[int, int]]:
    numbers = {glance.index: k for k, glance in enumerate(kept)}
    pictures, size = [], (0, 0)
    found = clip.pictures(numbers, longest_side)
    for index, pixels in tqdm(found, "frames written", len(kept), unit="frame"):
        k = numbers[index]
        name = f"frame_{k + 1:05}.jpg"
        size = (pixels.shape[1], pixels.shape[0])
        _save(images / name, Image.fromarray(pixels))
        pictures.append(Picture(name, kept[k].sharpness, kept[k].seconds))
    return tuple(pictures), size


def _photographs(data: Path, images: Path, settings: FrameSettings) -> Frames:
    photos = list_photos(data)
    if len(photos) < FEWEST:
        given = f"{len(photos)} pictures"
        raise _too_few(f"photographs in {data}", given, "take at least 20, all round the object")
    pictures, facts, contrasts = [], [], []
    masks = settings.masks, settings.invert_masks
    shown = read_photos(photos, settings.max_image_size, *masks)
    for one in tqdm(shown, "photographs", len(photos), unit="picture"):
        _save(images / one.name, one.image)
        if one.mask is not None:
            _save(masks_of(images) / mask_name(one.name), one.mask)
        pictures.append(Picture(one.name, sharpness(one.luma)))
        facts.append((one.name, one.lens, one.focal, one.image.size))
        contrasts.append(contrast(one.luma))
    _check_visible(data, contrasts, "photographs")
    return Frames(False, tuple(pictures), tuple(groups_of(facts)), len(photos))


def _save(path: Path, image: Image.Image) -> None:
    with replacing(path) as partial:
        if path.suffix == ".png":
            image.save(partial, "PNG")
        else:
            image.save(partial, "JPEG", quality=_QUALITY, subsampling=0)


def _check_visible(data: Path, contrasts: Iterable[float], what: str) -> None:
    blank = np.array(list(contrasts)) < BLANK
    if blank.mean() > 0.5:
        raise UserError(
            f"{what} of {data}",
            f"{int(blank.sum())} of {len(blank)} are blank: one colour all over, such as black",
            "pictures that show something",
            "check that the lens was free and the scene lit; leave out dark parts with --start and --end",
        )


def _check_enough_frames(data: Path, glances: list[Glance], fates: dict[str, int]) -> None:
    if fates["kept"] >= FEWEST:
        return
    long = len(glances) >= 3 * FEWEST
    given = f"{len(glances)} frames, of which {fates['kept']} are sharp and differ"
    remedy = (
        "move while filming: walk round the object once, slowly; a camera on a tripod sees no depth"
        if long
        else "film for 20 to 60 seconds while you walk round the object"
    )
    raise _too_few(f"video {data}", given, remedy)


def _too_few(thing: str, given: str, remedy: str) -> UserError:
    return UserError(
        thing, given, f"at least {FEWEST} that show the scene from different places", remedy
    )
