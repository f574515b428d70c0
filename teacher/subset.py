"""Fewer training pictures, or other splits: what a data configuration makes of a scene once it is loaded.

    Scene --split_by_names(file)--> Scene --thin("25%", "first_last")--> Scene

The norm frame and the box stay those of the whole data set. A study of fewer pictures then changes what is known of
the scene and nothing else: steps along rays, the grid's cells and the held-out cameras are the same for three
pictures as for all. It also means that a teacher of three pictures is told where the scene is, as by `--aabb`, and does
not have to find that out from three silhouettes.
"""

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from teacher.datasets.entries import IMAGE_EXTENSIONS
from teacher.datasets.raw import natural_order
from teacher.errors import UserError
from teacher.files import read_json
from teacher.scene import Frame, Scene

Choice = Literal["first_last", "disperse", "disperse_loop"]
EVERYTHING = "100%"
_SPLITS = ("train", "val", "test")
_NAMES_SHOWN = 5


def first_last(total: int, count: int) -> list[int]:
    """`count` of `total` positions: the first, the last, and the others evenly between; a single one is the first.

    >>> first_last(100, 5)
    [0, 25, 50, 74, 99]
    """
    if count == 1:
        return [0]
    return [(2 * k * (total - 1) + count - 1) // (2 * (count - 1)) for k in range(count)]


def disperse(total: int, count: int) -> list[int]:
    """The middles of `count` equal parts: no position is farther from a chosen one than it has to be.

    >>> disperse(100, 5)
    [10, 30, 50, 70, 90]
    """
    return [(2 * k + 1) * total // (2 * count) for k in range(count)]


def disperse_loop(total: int, count: int) -> list[int]:
    """Evenly around a circle, on which the first position follows the last; begins with the first.

    >>> disperse_loop(100, 5)
    [0, 20, 40, 60, 80]
    """
    return [(2 * k * total + count) // (2 * count) for k in range(count)]


CHOICES: dict[Choice, Callable[[int, int], list[int]]] = {
    "first_last": first_last,
    "disperse": disperse,
    "disperse_loop": disperse_loop,
}
"""For 1 <= count <= total all give `count` different positions in rising order, and all of them for count = total."""


def read_amount(text: str) -> int | Fraction:
    """A number of pictures ("12"), or a share of them ("25%") as a fraction of 1; else raises UserError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%|(\d+)", text.strip())
    if found:
        share, number = found.groups()
        amount = int(number) if share is None else Fraction(share) / 100
        if amount > 0 and (share is None or amount <= 1):
            return amount
    expected = 'a number of pictures from 1, such as "12", or a share of them up to 100%'
    raise UserError("--train-frames", repr(text), expected, "leave it out to use all pictures")


def count_of(text: str, total: int) -> int:
    """How many of `total` pictures `text` asks for; a share is rounded, to one at least.

    Raises:
        UserError: `text` is no amount, or there are not so many.
    """
    amount = read_amount(text)
    if isinstance(amount, Fraction):
        return max(1, int(amount * total + Fraction(1, 2)))
    if amount > total:
        expected = f"at most {total}, the training pictures that there are"
        raise UserError("--train-frames", text, expected, "ask for fewer, or leave it out")
    return amount


def thin(scene: Scene, amount: str, choice: Choice) -> Scene:
    """`scene` with as many training pictures as `amount` says, chosen along their names' natural order.

    That is the order they were taken in, where cameras and video tools number them; camera files often have another.
    """
    frames = scene.splits["train"]
    count = count_of(amount, len(frames))
    if count == len(frames):
        return scene
    ordered = sorted(frames, key=lambda frame: natural_order(frame.name))
    chosen = {ordered[k].name for k in CHOICES[choice](len(ordered), count)}
    kept = tuple(frame for frame in frames if frame.name in chosen)
    return replace(scene, splits={**scene.splits, "train": kept})


def split_by_names(scene: Scene, path: Path) -> Scene:
    """`scene` with the splits of the JSON file `path`: {"train": [names], "test": [names], "val": [names]}.

    A name is that of a picture's file, with its folders as the data set writes them or without; pictures that no
    split names are left out.

    Raises:
        UserError: no such file, no "train" or no "test", a name that is unknown, fits several pictures or comes twice.
    """
    plain = read_json(path, "the splits", 'write {"train": [...], "test": [...]} into it')
    _check_splits(plain, path)
    frames = [frame for group in scene.splits.values() for frame in group]
    names = {split: [_canonical(name) for name in plain[split]] for split in plain}
    _check_known({name for group in names.values() for name in group}, frames, path)
    found = {split: tuple(_find(name, frames, path) for name in names[split]) for split in plain}
    _check_once([frame.name for group in found.values() for frame in group], path)
    return replace(scene, splits=found)


def _canonical(name: str) -> PurePosixPath:
    """A picture's path without its extension, however it was written."""
    given = PurePosixPath(name.replace("\\", "/"))
    return given.with_suffix("") if given.suffix.lower() in IMAGE_EXTENSIONS else given


def _fits(name: PurePosixPath, frame: Frame) -> bool:
    """Whether `name` is the frame's own, its path in the data set or, without folders, its file's."""
    word = "_".join(part for part in name.parts if part not in ("..", "/"))
    alone = len(name.parts) == 1 and frame.picture.path.stem == name.name
    return word == frame.name or alone


def _find(name: PurePosixPath, frames: Sequence[Frame], path: Path) -> Frame:
    fitting = [frame for frame in frames if _fits(name, frame)]
    if len(fitting) > 1:
        given = f"{str(name)!r}, which fits {', '.join(frame.name for frame in fitting)}"
        raise _misfit(path, given, "names of one picture each", "write the folder before it")
    return fitting[0]


def _check_known(names: set[PurePosixPath], frames: Sequence[Frame], path: Path) -> None:
    unknown = sorted(str(n) for n in names if not any(_fits(n, frame) for frame in frames))
    if unknown:
        known = [frame.name for frame in frames]
        close = difflib.get_close_matches(unknown[0].replace("/", "_"), known, 1)
        remedy = f"did you mean {close[0]!r}?" if close else "check the names"
        given = ", ".join(unknown[:_NAMES_SHOWN]) + (", ..." if len(unknown) > _NAMES_SHOWN else "")
        expected = f"names of its {len(frames)} pictures, such as {known[0]!r}"
        raise _misfit(path, f"unknown to the data set: {given}", expected, remedy)


def _check_once(names: Sequence[str], path: Path) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        given = f"{', '.join(twice[:_NAMES_SHOWN])} more than once"
        raise _misfit(path, given, "every picture in one split", "leave the others out")


def _check_splits(plain: Any, path: Path) -> None:
    lists = isinstance(plain, dict) and all(
        isinstance(group, list) and group and all(isinstance(name, str) for name in group)
        for group in plain.values()
    )
    if not lists or not {"train", "test"} <= plain.keys() <= set(_SPLITS):
        given = f"splits {sorted(plain)}" if isinstance(plain, dict) else repr(plain)[:60]
        expected = 'lists of names under "train", "test" and perhaps "val", none of them empty'
        raise _misfit(path, given, expected, "mend the file")


def _misfit(path: Path, given: str, expected: str, remedy: str) -> UserError:
    return UserError(f"the splits in {path}", given, expected, remedy)
