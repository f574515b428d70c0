"""Unusable data sets: each error names the thing at fault and says what is wrong with it."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from teacher.datasets import FORMATS, load_scene
from teacher.errors import UserError
from tests.scenes import Document, edited, tiny_shots, write_instant_ngp


@pytest.fixture
def ngp(tmp_path: Path) -> Path:
    """A tiny scene in instant-ngp's dialect."""
    write_instant_ngp(tmp_path, tiny_shots())
    return tmp_path


def first_frame(**changes: Any) -> Callable[[Document], None]:
    return lambda document: document["frames"][0].update(changes)


def without(*keys: str) -> Callable[[Document], None]:
    def remove(document: Document) -> None:
        for key in keys:
            del document[key]

    return remove


def without_in_frame(key: str) -> Callable[[Document], None]:
    return lambda document: document["frames"][0].pop(key)


def spoilt_pose(row: int, column: int, value: float) -> Callable[[Document], None]:
    def spoil(document: Document) -> None:
        document["frames"][0]["transform_matrix"][row][column] = value

    return spoil


def mirrored(document: Document) -> None:
    for row in document["frames"][0]["transform_matrix"][:3]:
        row[0] = -row[0]


BAD_FILES: dict[str, tuple[Callable[[Document], object], str]] = {
    "no frames": (without("frames"), "no key 'frames'"),
    "no path": (without_in_frame("file_path"), r"frame 0 of .*\n.*no key 'file_path'"),
    "no pose": (
        without_in_frame("transform_matrix"),
        r"009.png' of .*\n.*no key 'transform_matrix'",
    ),
    "no focal length": (without("fl_x", "fl_y"), "no key 'fl_x' or 'camera_angle_x'"),
    "NaN focal length": (lambda d: d.update(fl_x=math.nan), "fl_x = nan\n.*finite number"),
    "text": (lambda d: d.update(cx="middle"), "cx = 'middle'\n.*finite number"),
    "negative focal length": (lambda d: d.update(fl_x=-3), "fl_x = -3.*\n.*positive"),
    "flat angle": (first_frame(camera_angle_x=math.pi), "camera_angle_x = 3.14.*\n.*positive"),
    "NaN pose": (spoilt_pose(1, 3, math.nan), r"frame 'images/009.png' .*\n.*NaN"),
    "projective pose": (spoilt_pose(3, 0, 1.0), r"a last row of \[1.0, 0.0, 0.0, 1.0\]"),
    "3 x 4 pose": (lambda d: d["frames"][0]["transform_matrix"].pop(), "3 x 4 numbers"),
    "ragged pose": (lambda d: d["frames"][0]["transform_matrix"][2].pop(), "not a matrix"),
    "scaled pose": (spoilt_pose(0, 0, 5.0), "axes of length 5"),
    "mirrored pose": (mirrored, "determinant -1"),
    "unknown lens": (lambda d: d.update(camera_model="VR180_L"), "VR180_L.*\n.*OPENCV_FISHEYE"),
    "panorama": (lambda d: d.update(equirectangular=True), "lens 'equirectangular'"),
    "k4 without a model": (lambda d: d.update(k1=0.1, k4=0.2), "k4 = 0.2"),
    "wrong size": (lambda d: d.update(w=9), "7 x 5 pixels\n.*9 x 5 pixels"),
    "bad box": (lambda d: d.update(aabb_scale="big"), "aabb_scale = 'big'\n.*finite numbers"),
    "bad applied transform": (lambda d: d.update(applied_transform=[1, 2]), "applied_transform"),
    "bad split": (lambda d: d.update(train_filenames=["x.png"]), "names 'x.png', which is no"),
    "no training split": (lambda d: d.update(test_filenames=[]), "'train_filenames' among"),
    "empty": (lambda d: d.update(frames=[]), "no frames\n.*at least one image"),
    "single": (lambda d: d.update(frames=d["frames"][:1]), "1 usable image\n.*at least two"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_camera_file_is_explained(ngp: Path, case: str) -> None:
    change, message = BAD_FILES[case]
    with pytest.raises(UserError, match=message):
        load_scene(edited(ngp, change))


def test_broken_json_is_named(ngp: Path) -> None:
    (ngp / "transforms.json").write_text('{"frames": [')
    with pytest.raises(UserError, match=r"transforms\.json: Expecting value.*\n.*valid JSON"):
        load_scene(ngp)


def test_no_image_at_all_names_the_first_one_missing(ngp: Path) -> None:
    for image in (ngp / "images").iterdir():
        image.unlink()
    with pytest.raises(UserError, match=r"10 frames, none of .*images/000\.png"):
        load_scene(ngp)


def test_a_truncated_picture_is_named_where_the_hull_reads_it(ngp: Path) -> None:
    path = ngp / "images" / "001.png"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match=r"image .*001\.png\n.*truncated"):
        load_scene(ngp)


def test_a_mask_of_a_wrong_size_is_named_at_once(ngp: Path) -> None:
    Image.new("L", (3, 3)).save(ngp / "mask.png")
    with pytest.raises(UserError, match=r"mask .*mask\.png\n.*3 x 3 pixels\n.*7 x 5 pixels"):
        load_scene(edited(ngp, first_frame(mask_path="mask.png")))


def test_a_folder_of_no_known_format_lists_each_reason(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load_scene(tmp_path)
    for name in FORMATS:
        assert f"not {name}: it has no " in str(caught.value)


def test_a_named_format_that_does_not_fit_gives_only_its_own_reason(ngp: Path) -> None:
    with pytest.raises(
        UserError, match=r"given:    not blender: it has no transforms_train\.json\n"
    ):
        load_scene(ngp, format="blender")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "colmop"}, "'colmop'\n.*auto, blender, transforms, colmap, llff, dtu"),
        ({"downscale": 0}, "downscale\n.*0\n.*from 1"),
        ({"test_every": 1}, "test_every\n.*1\n.*from 2"),
        ({"aabb": ((0.0, 0.0, 0.0), (1.0, -1.0, 1.0))}, "box .*\n.*-1.0.*\n.*lower < upper"),
    ],
)
def test_bad_options_are_explained(ngp: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_scene(ngp, **options)


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\n.*no such file or folder"):
        load_scene(tmp_path / "nowhere")
