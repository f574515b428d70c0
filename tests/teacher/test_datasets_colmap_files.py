"""COLMAP files that are no models: whatever their bytes, the error names the file and says what to do."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from teacher.datasets import load_scene
from teacher.datasets.colmap_model import read_model
from teacher.errors import UserError
from tests.captures import (
    MODEL_WRITERS,
    Sparse,
    cloud,
    sparse_of,
    write_binary_model,
    write_pictures,
    write_text_model,
)
from tests.scenes import tiny_shots


def tiny_model() -> Sparse:
    return sparse_of(tiny_shots(3), cloud(4))


def spoilt(folder: Path, name: str, line: int, word: int, value: str) -> None:
    lines = (folder / name).read_text().split("\n")
    words = lines[line - 1].split(" ")
    words[word] = value
    lines[line - 1] = " ".join(words)
    (folder / name).write_text("\n".join(lines))


SPOILT_TEXT = {
    "model": (("cameras.txt", 2, 1, "PINHOLES"), r"cameras.txt, line 2\n.*PINHOLES.*\n.*OPENCV"),
    "count": (("cameras.txt", 3, 4, "1 2"), r"line 3\n.*PINHOLE with parameters.*\n.*4 finite"),
    "infinity": (("cameras.txt", 3, 4, "inf"), r"line 3\n.*inf.*\n.*4 finite"),
    "width": (("cameras.txt", 2, 2, "-7"), r"picture of -7 x 5"),
    "fraction": (("cameras.txt", 2, 2, "7.5"), r"7.5.*\n.*whole numbers"),
    "focal": (("cameras.txt", 2, 4, "-7.5"), r"image '000.png'.*\n.*-7.5.*\n.*positive"),
    "pose": (("images.txt", 4, 2, "zero"), r"images.txt, line 4\n.*'zero'.*\n.*numbers"),
    "quaternion": (("images.txt", 2, 1, "3.0"), r"line 2\n.*image '000.png'.*\n.*unit quaternion"),
    "camera": (
        ("images.txt", 2, 8, "77"),
        r"image '000.png' of camera 77, which cameras.txt lacks",
    ),
    "observations": (("images.txt", 3, 1, ""), r"line 3\n.*5 words\n.*X Y POINT3D_ID"),
    "short": (("images.txt", 2, 9, ""), r"line 2\n.*9 words\n.*QW QX QY QZ"),
    "point": (("points3D.txt", 2, 8, ""), r"points3D.txt, line 2\n.*17 words\n.*POINT3D_ID"),
}


@pytest.mark.parametrize("case", SPOILT_TEXT)
def test_a_spoilt_line_is_named(tmp_path: Path, case: str) -> None:
    change, message = SPOILT_TEXT[case]
    write_pictures(tmp_path / "images", tiny_shots(3))
    write_text_model(tmp_path / "sparse", tiny_model())
    spoilt(tmp_path / "sparse", *change)
    with pytest.raises(UserError, match=message):
        load_scene(tmp_path)


def test_no_image_and_no_picture_folder_are_explained(tmp_path: Path) -> None:
    write_text_model(tmp_path / "sparse", tiny_model())
    with pytest.raises(UserError, match=r"no folder images/ in"):
        load_scene(tmp_path)
    write_text_model(tmp_path / "sparse", Sparse({}, [], []))
    with pytest.raises(UserError, match="no registered image"):
        load_scene(tmp_path)


@pytest.mark.parametrize("name", ["cameras.bin", "images.bin", "points3D.bin"])
def test_every_truncation_of_a_binary_file_is_explained(tmp_path: Path, name: str) -> None:
    write_binary_model(tmp_path, tiny_model())
    data = (tmp_path / name).read_bytes()
    for length in range(len(data)):
        (tmp_path / name).write_bytes(data[:length])
        with pytest.raises(UserError, match=rf"{name}[^\n]*\n.*\n.*\n.*copy the model again"):
            read_model(tmp_path)
    (tmp_path / name).write_bytes(data + b"\0")
    with pytest.raises(UserError, match="1 bytes after the last record"):
        read_model(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    name=st.sampled_from(["cameras", "images", "points3D"]),
    kind=st.sampled_from(list(MODEL_WRITERS)),
    place=st.floats(0, 1),
    garbage=st.binary(min_size=1, max_size=24),
)
def test_garbage_anywhere_is_read_or_explained_and_nothing_else(
    tmp_path: Path, name: str, kind: str, place: float, garbage: bytes
) -> None:
    """A changed coordinate cannot be noticed; all else is a UserError, never struct's, Unicode's or torch's."""
    MODEL_WRITERS[kind](tmp_path, tiny_model())
    file = tmp_path / f"{name}.{'bin' if kind == 'binary' else 'txt'}"
    data = file.read_bytes()
    start = int(place * len(data))
    file.write_bytes(data[:start] + garbage + data[start + len(garbage) :])
    try:
        model = read_model(tmp_path)
    except UserError as error:
        assert str(tmp_path) in str(error)
    else:
        assert all(image.T_camera_world.isfinite().all() for image in model.images)
    for leftover in tmp_path.iterdir():
        leftover.unlink()
