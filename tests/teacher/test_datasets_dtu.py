"""DTU's layout: projection matrices taken apart, half a pixel, masks as alpha, the sphere's cube."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from teacher.datasets import dtu, load_scene
from teacher.datasets.raw import LoadOptions
from teacher.errors import UserError
from tests.captures import loaded_pixels, pinhole_pixels, some_points, turned, write_dtu
from tests.scenes import HEIGHT, WIDTH, tiny_shots


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A tiny scene as IDR has it."""
    write_dtu(tmp_path, tiny_shots())
    return tmp_path


def changed(scan: Path, key: str, value: np.ndarray | None) -> None:
    """Give the array `key` another value, or remove it."""
    with np.load(scan / "cameras.npz") as archive:
        arrays = {**archive, key: value}
    np.savez(scan / "cameras.npz", **{k: v for k, v in arrays.items() if v is not None})


def test_known_points_hit_known_pixels_in_a_world_of_any_orientation(tmp_path: Path) -> None:
    """The matrices are scaled by -2.5: a projection is the same for any factor."""
    shots, points, R = tiny_shots(), some_points(), turned(4)
    write_dtu(tmp_path, shots, R)
    raw = dtu.load(tmp_path / "cameras.npz", LoadOptions())
    for shot in shots:
        pixels = loaded_pixels(raw, f"image_{shot.name}", points @ R.T)
        np.testing.assert_allclose(pixels, pinhole_pixels(shot.camera, points), atol=1e-5, rtol=0)


def test_the_files_own_matrix_has_pixel_centres_at_whole_numbers(scan: Path) -> None:
    """Said by the file's own matrix, so that the writer's idea of half a pixel is not what is tested."""
    with np.load(scan / "cameras.npz") as archive:
        P = archive["world_mat_1"][:3]
    forward = np.linalg.solve(P[:, :3], [3.0, 2.0, 1.0]) * np.sign(np.linalg.det(P[:, :3]))
    points = np.array([[1.0], [2.0]]) * forward - np.linalg.solve(P[:, :3], P[:, 3])
    raw = dtu.load(scan, LoadOptions())
    pixels = loaded_pixels(raw, "image_001", points)
    np.testing.assert_allclose(pixels, [[3.5, 2.5]] * 2, atol=1e-6)


def test_the_sphere_becomes_the_box_and_stays_around_its_centre(tmp_path: Path) -> None:
    R = turned(5)
    write_dtu(tmp_path, tiny_shots(), R, sphere=((0.2, 0.3, -0.4), 1.5))
    raw = dtu.load(tmp_path, LoadOptions())
    assert raw.aabb is not None
    centre = raw.T_world_source[:3, :3] @ torch.from_numpy(R @ [0.2, 0.3, -0.4])
    expected = torch.stack([centre - 1.5, centre + 1.5])
    torch.testing.assert_close(raw.aabb, expected, atol=1e-9, rtol=0)
    changed(tmp_path, "scale_mat_0", None)
    assert dtu.load(tmp_path, LoadOptions()).aabb is None


def test_masks_are_alpha_and_pictures_without_them_have_none(scan: Path) -> None:
    shots = {f"image_{shot.name}": shot for shot in tiny_shots()}
    frame = dtu.load(scan, LoadOptions()).splits["train"][0]
    np.testing.assert_array_equal(frame.picture.alpha(), shots[frame.name].rgba[..., 3])
    assert frame.picture.mask() is None
    for file in (scan / "mask").iterdir():
        file.unlink()
    raw = dtu.load(scan, LoadOptions())
    assert not raw.has_alpha
    assert (raw.splits["train"][0].picture.alpha() == 255).all()


SKEWED = np.array([[9.0, 0.5, 3, 0], [0, 9, 2, 0], [0, 0, 1, 4], [0, 0, 0, 1]])
BAD = {
    "missing": ("world_mat_3", None, r"world_mat_3 of .*cameras.npz\n.*none\n.*4 x 4"),
    "shape": ("world_mat_3", np.eye(3), r"world_mat_3 of .*\n.*\n.*4 x 4 finite"),
    "NaN": ("world_mat_3", np.full((4, 4), np.nan), r"world_mat_3 of .*\n.*nan"),
    "zero": ("world_mat_3", np.zeros((4, 4)), r"world_mat_3 of .*\n.*\n.*a projection matrix"),
    "skew": ("world_mat_3", SKEWED, r"a skew of 0.5 pixels\n.*\n.*undistort"),
    "scale": ("scale_mat_0", np.zeros((4, 4)), r"scale_mat_0 of .*\n.*\n.*a scale"),
    "words": ("world_mat_3", np.array(["a"]), r"camera file .*\n.*could not convert"),
}


@pytest.mark.parametrize("case", BAD)
def test_matrices_that_are_no_cameras_are_explained(scan: Path, case: str) -> None:
    key, value, message = BAD[case]
    changed(scan, key, value)
    with pytest.raises(UserError, match=message):
        load_scene(scan)


def test_pictures_and_masks_must_be_as_many(scan: Path) -> None:
    (scan / "mask" / "003.png").unlink()
    with pytest.raises(UserError, match="10 pictures in image/ and 9 in mask/"):
        load_scene(scan)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(place=st.floats(0, 1), garbage=st.binary(max_size=24), cut=st.booleans())
def test_garbage_is_read_or_explained_and_nothing_else(
    scan: Path, place: float, garbage: bytes, cut: bool
) -> None:
    file = scan / "cameras.npz"
    data = file.read_bytes()
    start = int(place * len(data))
    file.write_bytes(data[:start] + garbage + (b"" if cut else data[start + len(garbage) :]))
    try:
        raw = dtu.load(scan, LoadOptions())
    except UserError as error:
        assert "cameras.npz" in str(error)
    else:
        assert sum(map(len, raw.splits.values())) == 10
    file.write_bytes(data)


def test_sizes_come_from_the_pictures(scan: Path) -> None:
    camera = dtu.load(scan, LoadOptions(downscale=2)).splits["train"][0].camera
    assert (camera.width, camera.height) == (WIDTH // 2, HEIGHT // 2)
