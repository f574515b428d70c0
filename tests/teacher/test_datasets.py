"""Loaders: one scene through every format, the dialects' details, errors that say what to do."""

import logging
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from teacher.cameras import Camera
from teacher.datasets import FORMATS, load_scene
from teacher.datasets.raw import natural_order
from teacher.pictures import Picture
from tests.captures import ALL_WRITERS, centred
from tests.scenes import (
    BOX,
    HEIGHT,
    WIDTH,
    Document,
    edited,
    orbiting,
    tiny_shots,
    write_blender,
    write_instant_ngp,
    write_nerfstudio,
)


@pytest.fixture
def ngp(tmp_path: Path) -> Path:
    """A tiny scene in instant-ngp's dialect."""
    write_instant_ngp(tmp_path, tiny_shots())
    return tmp_path


@pytest.fixture
def nerfstudio(tmp_path: Path) -> Path:
    """A tiny scene in nerfstudio's dialect."""
    write_nerfstudio(tmp_path, tiny_shots())
    return tmp_path


def assert_same_camera(given: Camera, expected: Camera, T_norm_world: torch.Tensor) -> None:
    """Equal but for the similarity that normalises positions."""
    T, scale = T_norm_world, T_norm_world[0, 0]
    position = scale * expected.position + T[:3, 3]
    torch.testing.assert_close(given.position, position, atol=1e-5, rtol=0)
    R = expected.T_world_camera[:3, :3]
    torch.testing.assert_close(given.T_world_camera[:3, :3], R, atol=1e-5, rtol=0)
    assert given.fractions == pytest.approx(expected.fractions, rel=1e-6)
    assert (given.width, given.height) == (expected.width, expected.height)
    assert given.lens == expected.lens


# One scene, every format.


@pytest.mark.parametrize("downscale", [1, 2])
@pytest.mark.parametrize("writer", ALL_WRITERS)
def test_every_format_gives_the_same_cameras_pictures_and_splits(
    tmp_path: Path, writer: str, downscale: int
) -> None:
    shots = centred(tiny_shots()) if writer == "llff" else tiny_shots()
    ALL_WRITERS[writer](tmp_path, shots)
    scene = load_scene(tmp_path, downscale=downscale, aabb=BOX)
    assert scene.warnings == ()
    assert scene.has_alpha
    for split in ("train", "test"):
        expected = [shot for shot in shots if shot.test == (split == "test")]
        frames = scene.splits[split]
        assert [frame.name[-3:] for frame in frames] == [shot.name for shot in expected]
        for frame, shot in zip(frames, expected, strict=True):
            size = WIDTH // downscale, HEIGHT // downscale
            assert_same_camera(frame.camera, shot.camera.resized(*size), scene.T_norm_world)
            reference = Image.fromarray(shot.rgba)
            reference.save(tmp_path / "reference.png")
            picture = Picture(tmp_path / "reference.png", downscale).rgba()
            np.testing.assert_array_equal(frame.picture.rgba(), picture)


def test_every_format_has_a_writer() -> None:
    """A loader whose fixture is missing would not be covered by the test above."""
    assert len(ALL_WRITERS) >= len(FORMATS)


def test_a_format_can_be_named_and_a_json_file_be_given(ngp: Path) -> None:
    by_name = load_scene(ngp, format="transforms")
    by_file = load_scene(ngp / "transforms.json")
    assert len(by_name.splits["train"]) == len(by_file.splits["train"]) == 8


@pytest.mark.parametrize(
    ("writer", "file"),
    [
        ("colmap text", "sparse/0"),
        ("llff", "poses_bounds.npy"),
        ("dtu", "cameras.npz"),
    ],
)
def test_a_camera_file_chooses_among_several_formats(
    tmp_path: Path, writer: str, file: str
) -> None:
    """nerfstudio's folders hold a COLMAP model too, LLFF's published ones both of them."""
    write_instant_ngp(tmp_path, tiny_shots())
    ALL_WRITERS[writer](tmp_path, tiny_shots(4))
    assert sum(map(len, load_scene(tmp_path).splits.values())) == 10
    for picture in range(4, 10):
        (tmp_path / "images" / f"{picture:03}.png").unlink()
    assert sum(map(len, load_scene(tmp_path / file).splits.values())) == 4


def test_names_are_unique_words_that_stay_the_same(tmp_path: Path) -> None:
    write_blender(tmp_path, tiny_shots())
    names = [frame.name for frames in load_scene(tmp_path).splits.values() for frame in frames]
    assert len(set(names)) == len(names)
    assert all("/" not in name for name in names)
    assert "train_r_001" in names


# Splits.


def test_held_out_frames_are_every_nth_in_natural_order() -> None:
    names = [f"frame_{i}" for i in range(12)]
    assert sorted(sorted(names), key=natural_order) == names


@pytest.mark.parametrize(("every", "test"), [(2, 5), (3, 4), (8, 2)])
def test_every_nth_is_held_out(ngp: Path, every: int, test: int) -> None:
    splits = load_scene(ngp, test_every=every).splits
    assert (len(splits["train"]), len(splits["test"])) == (10 - test, test)


def test_val_stands_in_for_a_missing_test_split(nerfstudio: Path) -> None:
    def rename(document: Document) -> None:
        document["val_filenames"] = document.pop("test_filenames")

    splits = load_scene(edited(nerfstudio, rename)).splits
    assert {name: len(frames) for name, frames in splits.items()} == {"train": 8, "test": 2}


def test_frames_in_no_split_are_left_out_with_a_warning(nerfstudio: Path) -> None:
    def shorten(document: Document) -> None:
        del document["train_filenames"][:3]

    scene = load_scene(edited(nerfstudio, shorten))
    assert len(scene.splits["train"]) == 5
    assert ["3 frames are in none of its splits" in warning for warning in scene.warnings] == [True]


def test_blender_without_test_views_holds_some_out(tmp_path: Path) -> None:
    write_blender(tmp_path, tiny_shots(20))
    (tmp_path / "transforms_test.json").unlink()
    splits = load_scene(tmp_path).splits
    assert (len(splits["train"]), len(splits["test"])) == (14, 3)


# Lenses and intrinsics.


@pytest.mark.parametrize(
    ("keys", "lens", "distortion"),
    [
        ({}, "pinhole", ()),
        ({"k1": 0.0, "p1": 0.0}, "pinhole", ()),
        ({"camera_model": "PINHOLE"}, "pinhole", ()),
        ({"camera_model": "SIMPLE_RADIAL", "k1": 0.1}, "opencv", (0.1, 0.0, 0.0, 0.0, 0.0)),
        (
            {"camera_model": "OPENCV", "k1": 0.1, "k2": 0.2, "k3": 0.5, "p1": 0.3, "p2": 0.4},
            "opencv",
            (0.1, 0.2, 0.3, 0.4, 0.5),
        ),
        (
            {"camera_model": "FULL_OPENCV", "k1": 0.1, "k4": 0.2, "k6": 0.3},
            "opencv",
            (0.1, 0.0, 0.0, 0.0, 0.0, 0.2, 0.0, 0.3),
        ),
        ({"is_fisheye": True, "k1": 0.1, "k3": 0.2}, "fisheye", (0.1, 0.0, 0.2, 0.0)),
        ({"camera_model": "OPENCV_FISHEYE", "k4": 0.1}, "fisheye", (0.0, 0.0, 0.0, 0.1)),
    ],
)
def test_lens_keys(ngp: Path, keys: Document, lens: str, distortion: tuple[float, ...]) -> None:
    camera = load_scene(edited(ngp, lambda d: d.update(keys))).cameras()[0]
    assert (camera.lens, camera.distortion) == (lens, distortion)


def test_a_frames_own_intrinsics_win_over_the_files(ngp: Path) -> None:
    """Also an angle of view over a focal length: the pair of a frame replaces the file's pair."""
    own = {"camera_angle_x": math.pi / 2, "cx": 1.25, "k1": 0.1, "time": 0.5}
    cameras = load_scene(edited(ngp, lambda d: d["frames"][0].update(own))).cameras("train")
    camera = cameras[-1]  # the writer lists frames backwards
    assert (camera.fx, camera.fy) == pytest.approx((WIDTH / 2, WIDTH / 2))
    assert (camera.cx, camera.lens, camera.time) == (1.25, "opencv", 0.5)
    assert cameras[0].fx == pytest.approx(1.25 * WIDTH)


def test_degrees_of_view_and_a_centred_principal_point_are_the_fallbacks(ngp: Path) -> None:
    def replace(document: Document) -> None:
        for key in ("fl_x", "fl_y", "cx", "cy", "w", "h"):
            del document[key]
        document["x_fov"] = 90

    camera = load_scene(edited(ngp, replace)).cameras()[0]
    expected = (WIDTH / 2, WIDTH / 2, WIDTH / 2, HEIGHT / 2)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == pytest.approx(expected)


# Files.


def test_missing_files_are_one_warning(ngp: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("003", "004"):
        (ngp / "images" / f"{name}.png").unlink()
    with caplog.at_level(logging.WARNING):
        scene = load_scene(ngp)
    assert len(scene.warnings) == 1
    assert "2 of 10 frames are left out" in scene.warnings[0]
    assert "images/003.png, images/004.png" in scene.warnings[0]
    assert [record.getMessage() for record in caplog.records] == list(scene.warnings)
    assert sum(map(len, scene.splits.values())) == 8


def test_a_frame_without_its_mask_is_missing_too(nerfstudio: Path) -> None:
    """Training on what a mask was to hide would be worse than leaving the picture out."""
    scene = load_scene(edited(nerfstudio, lambda d: d["frames"][1].update(mask_path="masks/1.png")))
    assert "1 of 10 frames are left out, their files do not exist: masks/1.png" in scene.warnings[0]


def test_both_dialects_of_masks_keep_the_same_pixels(tmp_path: Path) -> None:
    """nerfstudio: white is used; instant-ngp's dynamic mask: white is ignored."""
    keep = np.zeros((HEIGHT, WIDTH), bool)
    keep[:3, 2:] = True
    shots = tiny_shots()
    write_nerfstudio(tmp_path / "a", shots)
    (tmp_path / "a/masks").mkdir()
    Image.fromarray(keep.astype(np.uint8) * 255).save(tmp_path / "a/masks/m.png")
    edited(tmp_path / "a", lambda d: d["frames"][1].update(mask_path="masks/m.png"))
    write_instant_ngp(tmp_path / "b", shots)
    ignore = Image.fromarray((~keep).astype(np.uint8) * 255)
    ignore.save(tmp_path / "b/images/dynamic_mask_001.png")
    for folder in ("a", "b"):
        first, second, *_ = load_scene(tmp_path / folder).splits["train"]
        np.testing.assert_array_equal(first.picture.mask(), keep)
        assert second.picture.mask() is None


def test_windows_paths_and_paths_without_extension_are_found(ngp: Path) -> None:
    def rewrite(document: Document) -> None:
        document["frames"][0]["file_path"] = "images\\009.png"
        document["frames"][1]["file_path"] = "./images/008"

    assert load_scene(edited(ngp, rewrite)).warnings == ()


def smaller_copies(folder: Path, size: tuple[int, int]) -> None:
    (folder / "images_2").mkdir()
    for image in (folder / "images").iterdir():
        Image.new("RGBA", size, (9, 9, 9, 255)).save(folder / "images_2" / image.name)


@pytest.mark.parametrize("size", [(3, 2), (4, 3)])
def test_ready_made_smaller_copies_are_used_and_set_the_cameras_size(
    nerfstudio: Path, size: tuple[int, int]
) -> None:
    """Other tools round up or down; the camera follows the file, each axis by its own ratio."""
    smaller_copies(nerfstudio, size)
    frame = load_scene(nerfstudio, downscale=2).splits["train"][0]
    assert (frame.picture.rgba()[..., 0] == 9).all()
    assert (frame.camera.width, frame.camera.height) == size
    assert frame.camera.fractions == pytest.approx(orbiting(0.0).fractions)


def test_smaller_copies_of_a_wrong_size_are_not_used(nerfstudio: Path) -> None:
    smaller_copies(nerfstudio, (5, 3))
    frame = load_scene(nerfstudio, downscale=2).splits["train"][0]
    assert frame.picture.path.parent.name == "images"
    assert frame.picture.rgba().shape == (2, 3, 4)
