"""Which training pictures are chosen, exactly."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from teacher.cameras import Camera
from teacher.demo import write_demo_scene
from teacher.errors import UserError
from teacher.pictures import Picture
from teacher.presets import DataConfig
from teacher.scene import Frame, Scene
from teacher.subset import (
    CHOICES,
    Choice,
    count_of,
    disperse,
    disperse_loop,
    first_last,
    thin,
)

COUNTS = st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n)))


@pytest.mark.parametrize(
    ("choice", "count", "expected"),
    [
        ("first_last", 5, [0, 3, 5, 8, 10]),
        ("first_last", 3, [0, 5, 10]),
        ("first_last", 2, [0, 10]),
        ("first_last", 1, [0]),
        ("disperse", 3, [1, 5, 9]),
        ("disperse", 2, [2, 8]),
        ("disperse", 1, [5]),
        ("disperse_loop", 4, [0, 3, 6, 8]),
        ("disperse_loop", 2, [0, 6]),
        ("disperse_loop", 1, [0]),
    ],
)
def test_positions_of_eleven_by_hand(choice: Choice, count: int, expected: list[int]) -> None:
    assert CHOICES[choice](11, count) == expected


@given(COUNTS)
def test_every_choice_is_rising_distinct_and_in_the_end_everything(
    numbers: tuple[int, int],
) -> None:
    total, count = numbers
    for choose in CHOICES.values():
        found = choose(total, count)
        assert len(found) == count and 0 <= found[0] and found[-1] < total
        assert all(a < b for a, b in pairwise(found))
        assert choose(total, total) == list(range(total))


@given(COUNTS.filter(lambda numbers: numbers[1] > 1))
def test_first_and_last_are_kept_and_gaps_differ_by_one(numbers: tuple[int, int]) -> None:
    total, count = numbers
    found = first_last(total, count)
    assert (found[0], found[-1]) == (0, total - 1)
    assert np.ptp(np.diff(found)) <= 1
    ideal = np.linspace(0, total - 1, count)
    assert np.abs(np.array(found) - ideal).max() <= 0.5


@given(COUNTS)
def test_dispersed_positions_leave_none_farther_than_it_has_to_be(numbers: tuple[int, int]) -> None:
    """`count` intervals of radius r hold at most count (2 r + 1) positions."""
    total, count = numbers
    distances = np.abs(np.subtract.outer(np.arange(total), disperse(total, count))).min(1)
    needed = -(-(total - count) // (2 * count))
    assert distances.max() <= needed


@given(COUNTS)
def test_around_a_circle_gaps_differ_by_one(numbers: tuple[int, int]) -> None:
    """Also the gap over the end, which is what makes it a circle."""
    total, count = numbers
    found = disperse_loop(total, count)
    assert np.ptp(np.diff([*found, found[0] + total])) <= 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [("100%", 40), ("90%", 36), ("25 %", 10), ("1%", 1), ("3.75%", 2), ("3", 3), ("40", 40)],
)
def test_amounts(text: str, expected: int) -> None:
    """A share is rounded half up, to one at least: 3.75 % of 40 is 1.5."""
    assert count_of(text, 40) == expected


@pytest.mark.parametrize("text", ["0", "-1", "101%", "0%", "half", "3.5", "", "41"])
def test_wrong_amounts_are_named(text: str) -> None:
    with pytest.raises(UserError, match="--train-frames"):
        count_of(text, 40)


def _scene(names: list[str]) -> Scene:
    camera = Camera(torch.eye(4), 10.0, 10.0, 4.0, 4.0, 8, 8)
    frames = [
        Frame(name, Picture(Path(f"/d/{name.replace('_', '/', 1)}.png")), camera) for name in names
    ]
    train = tuple(frame for frame in frames if frame.name.startswith("train"))
    test = tuple(frame for frame in frames if frame.name.startswith("test"))
    box = torch.tensor([[-1.0] * 3, [1.0] * 3])
    return Scene("d", {"train": train, "test": test}, torch.eye(4), box, True)


def _names(scene: Scene, split: str) -> list[str]:
    return [frame.name for frame in scene.splits[split]]


def test_pictures_are_counted_along_their_names_and_stay_in_their_order() -> None:
    """A camera file out of order: 10, 9, 2, 1, ... "first" is r_1, "last" r_10."""
    scene = _scene([*(f"train_r_{k}" for k in (10, 9, 2, 1, 3, 5)), "test_r_0"])
    assert _names(thin(scene, "3", "first_last"), "train") == [
        "train_r_10",
        "train_r_1",
        "train_r_5",
    ]
    assert _names(thin(scene, "2", "first_last"), "train") == ["train_r_10", "train_r_1"]
    assert thin(scene, "100%", "disperse") is scene
    assert _names(thin(scene, "3", "first_last"), "test") == ["test_r_0"]


def test_a_configuration_divides_by_names(tmp_path: Path) -> None:
    write_demo_scene(tmp_path, size=16, train=4, test=2)
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"train": ["test/r_001", "r_002.png"], "test": ["train/r_000"]}))
    found = DataConfig(tmp_path, splits=file).load()
    assert _names(found, "train") == ["test_r_001", "train_r_002"]
    assert _names(found, "test") == ["train_r_000"]


def test_fewer_pictures_leave_frame_box_and_test_views(tmp_path: Path) -> None:
    """Of a real scene, whose box comes from all silhouettes."""
    write_demo_scene(tmp_path, size=24, train=6, test=2)
    everything = DataConfig(tmp_path).load()
    few = DataConfig(tmp_path, train_frames="2").load()
    assert _names(few, "train") == [_names(everything, "train")[k] for k in (0, 5)]
    assert torch.equal(few.T_norm_world, everything.T_norm_world)
    assert torch.equal(few.aabb, everything.aabb)
    poses = [scene.splits["test"][1].camera.T_world_camera for scene in (few, everything)]
    assert torch.equal(*poses)
    with pytest.raises(UserError, match="at most 6"):
        DataConfig(tmp_path, train_frames="7").load()
    with pytest.raises(UserError, match="no such file"):
        replace(DataConfig(tmp_path), data=tmp_path / "nowhere").load()


def test_a_mistake_is_told_before_pictures_are_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--train-frames"):
        DataConfig(tmp_path / "nowhere", train_frames="many").load()


@pytest.mark.parametrize(("side", "expected"), [(24, 24), (23, 12), (12, 12), (8, 8), (7, 6)])
def test_the_longest_side_is_kept_to_by_a_whole_number(
    side: int, expected: int, tmp_path: Path
) -> None:
    write_demo_scene(tmp_path, size=24, train=4, test=2)
    cameras = DataConfig(tmp_path, max_side=side).load().cameras("train")
    assert {(camera.width, camera.height) for camera in cameras} == {(expected, expected)}


def test_two_sizes_at_once_are_refused(tmp_path: Path) -> None:
    write_demo_scene(tmp_path, size=16, train=4, test=2)
    with pytest.raises(UserError, match="--max-side"):
        DataConfig(tmp_path, downscale=2, max_side=8).load()
