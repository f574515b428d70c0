"""`split_indices.json`: names divide a data set of any format; what is unclear about them is an error."""

from pathlib import Path
from typing import Any

import pytest

from teacher.datasets import load_scene
from teacher.errors import UserError
from tests.captures import ALL_WRITERS, write_colmap_text
from tests.scenes import tiny_shots, write_instant_ngp, write_json


def names(path: Path) -> dict[str, list[str]]:
    return {k: [f.name[-3:] for f in v] for k, v in load_scene(path).splits.items()}


@pytest.mark.parametrize("writer", ALL_WRITERS)
def test_names_divide_every_format(tmp_path: Path, writer: str) -> None:
    """Whichever pictures the data set itself would hold out, and in the order of the lists."""
    ALL_WRITERS[writer](tmp_path, tiny_shots())
    prefix = {"blender": "r_", "nerfstudio": "frame_"}.get(writer, "")
    lists = {"train": ["008", "001.png", "003"], "val": ["000"], "test": ["005", "004"]}
    document = {key: [prefix + name for name in group] for key, group in lists.items()}
    write_json(tmp_path / "split_indices.json", document)
    expected = {"train": ["008", "001", "003"], "val": ["000"], "test": ["005", "004"]}
    assert names(tmp_path) == expected


def test_pictures_in_no_list_are_said(tmp_path: Path) -> None:
    write_instant_ngp(tmp_path, tiny_shots())
    write_json(tmp_path / "split_indices.json", {"train": ["001", "003"], "test": ["000"]})
    warnings = load_scene(tmp_path).warnings
    assert ["7 pictures are in none of its lists" in warning for warning in warnings] == [True]


def test_a_file_of_training_names_alone_holds_some_of_them_out(tmp_path: Path) -> None:
    write_instant_ngp(tmp_path, tiny_shots())
    write_json(tmp_path / "split_indices.json", {"train": [f"00{i}" for i in range(9)]})
    assert {k: len(v) for k, v in names(tmp_path).items()} == {"train": 7, "test": 2}


BAD: dict[str, tuple[Any, str]] = {
    "unknown": ({"train": ["001", "01"]}, r"'01', which is no picture.*\n.*names such as 'images/"),
    "twice": ({"train": ["001"], "test": ["images/001.png"]}, r"'images/001.png' in 'test' and"),
    "positions": ({"train": [1, 2]}, r"'train' is not a list of names\n.*\n.*positions change"),
    "no list": ({"train": "001"}, "'train' is not a list"),
    "no training": ({"test": ["001"]}, "keys test\n"),
    "a list": ([1], "no JSON object"),
    "strange key": (
        {"train": ["001"], "evaluation": []},
        "the key 'evaluation'\n.*train, val, test",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_an_unclear_file_is_explained(tmp_path: Path, case: str) -> None:
    document, message = BAD[case]
    write_instant_ngp(tmp_path, tiny_shots())
    write_json(tmp_path / "split_indices.json", document)
    with pytest.raises(UserError, match=r"split file .*split_indices\.json\n.*" + message):
        load_scene(tmp_path)


def test_a_name_that_two_pictures_end_in_is_ambiguous(tmp_path: Path) -> None:
    """The folder tells them apart."""
    write_colmap_text(tmp_path, tiny_shots(4))
    (tmp_path / "images" / "b").mkdir()
    file = tmp_path / "sparse" / "0" / "images.txt"
    file.write_text(file.read_text().replace("001.png", "b/000.png"))
    (tmp_path / "images" / "001.png").rename(tmp_path / "images" / "b" / "000.png")
    write_json(tmp_path / "split_indices.json", {"train": ["b/000", "002"], "test": ["003"]})
    assert names(tmp_path)["train"] == ["000", "002"]
    write_json(tmp_path / "split_indices.json", {"train": ["000", "002"], "test": ["003"]})
    with pytest.raises(UserError, match=r"'000', which may be 000.png and b/000.png"):
        load_scene(tmp_path)
