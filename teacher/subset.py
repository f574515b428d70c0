"""Fewer training pictures: what a data configuration makes of a scene once it is loaded.

    Scene --thin("25%", "first_last")--> Scene

The norm frame and the box stay those of the whole data set. A study of fewer pictures then changes what is known of
the scene and nothing else: steps along rays, the grid's cells and the held-out cameras are the same for three
pictures as for all. It also means that a teacher of three pictures is told where the scene is, as by `--aabb`, and does
not have to find that out from three silhouettes.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Literal

from teacher.datasets.raw import natural_order
from teacher.errors import UserError
from teacher.scene import Scene

Choice = Literal["first_last", "disperse", "disperse_loop"]
EVERYTHING = "100%"


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
