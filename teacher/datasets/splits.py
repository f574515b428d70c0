"""A user's own division of a data set, by names: `split_indices.json` in its folder, for any format.

    {"train": ["images/0001.jpg", ...], "val": [...], "test": [...]}

A name is a picture's path as the data set writes it, an unambiguous end of that ("0001.jpg", "0001"), or the one
word that this project makes of it ("images_0001"). The file takes the place of the data set's own splits; pictures in
none of its lists are left out, which is said.
"""

from pathlib import Path, PurePosixPath
from typing import Any

from teacher.datasets.views import View, without_extension
from teacher.errors import UserError
from teacher.files import read_json

FILE = "split_indices.json"
_SPLITS = ("train", "val", "test")


def redivided(
    splits: dict[str, list[View]], folder: Path, given: Path | None = None
) -> tuple[dict[str, list[View]], tuple[str, ...]]:
    """The views as `given` or else the file in `folder` divides them, and what there is to say about it.

    Raises:
        UserError: the file is damaged or, if given, missing; or a name in it is unknown, ambiguous or there twice.
    """
    file = given or folder / FILE
    if given is None and not file.is_file():
        return splits, ()
    views = [view for group in splits.values() for view in group]
    places = _places(views)
    chosen: dict[str, list[View]] = {}
    taken: dict[int, str] = {}
    for split, names in _lists(file).items():
        chosen[split] = []
        for name in names:
            i = _found(name, places, views, file)
            if i in taken:
                twice = f"{name!r} in {split!r} and, as the same picture, in {taken[i]!r}"
                raise _unusable(file, twice, "every picture once", "remove one of the two")
            taken[i] = split
            chosen[split].append(views[i])
    left = len(views) - len(taken)
    return chosen, (f"{file}: {left} pictures are in none of its lists and left out",) * bool(left)


def _lists(file: Path) -> dict[str, list[str]]:
    document = read_json(file, f"split file {file}", "mend it, or remove it")
    if not isinstance(document, dict) or not document.get("train"):
        given = f"keys {', '.join(document)}" if isinstance(document, dict) else "no JSON object"
        raise _unusable(file, given, "lists of names 'train', 'val', 'test'", "name some to train")
    strange = [key for key in document if key not in _SPLITS]
    if strange:
        raise _unusable(file, f"the key {strange[0]!r}", ", ".join(_SPLITS), "rename the list")
    return {split: _names(document[split], split, file) for split in _SPLITS if split in document}


def _names(value: Any, split: str, file: Path) -> list[str]:
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return value
    remedy = "write each picture's file name: positions change when pictures are added"
    raise _unusable(file, f"{split!r} is not a list of names", "names of pictures", remedy)


def _places(views: list[View]) -> dict[str, set[int]]:
    """For every end of every picture's path, with and without extension, and for its one word, whose it is."""
    places: dict[str, set[int]] = {}
    for i, view in enumerate(views):
        file = PurePosixPath(view.listed).with_name(view.image.name)
        for written in (str(file), view.listed, without_extension(view.listed), view.name):
            parts = PurePosixPath(written).parts
            for start in range(len(parts)):
                places.setdefault("/".join(parts[start:]), set()).add(i)
    return places


def _found(name: str, places: dict[str, set[int]], views: list[View], file: Path) -> int:
    plain = str(PurePosixPath(name.replace("\\", "/")))
    whose = places.get(plain, set())
    if len(whose) == 1:
        return min(whose)
    if whose:
        both = " and ".join(views[i].listed for i in sorted(whose)[:2])
        raise _unusable(
            file, f"{name!r}, which may be {both}", "one picture", "write more of the path"
        )
    example = f"names such as {views[0].listed!r}" if views else "names of pictures"
    raise _unusable(
        file, f"{name!r}, which is no picture of the data set", example, "mend the name"
    )


def _unusable(file: Path, given: str, expected: str, remedy: str) -> UserError:
    return UserError(f"split file {file}", given, expected, remedy)
