"""COLMAP data sets: known points hit known pixels, every layout is found, the real fox comes back."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from teacher.cameras import project
from teacher.datasets import colmap, load_scene
from teacher.datasets.colmap_model import CAMERA_MODELS, read_model
from teacher.datasets.raw import LoadOptions
from teacher.errors import UserError
from tests.captures import (
    FLIP,
    MODEL_WRITERS,
    cloud,
    loaded_pixels,
    pinhole_pixels,
    some_points,
    sparse_of,
    turned,
    write_binary_model,
    write_colmap_text,
    write_pictures,
    write_text_model,
)
from tests.scenes import HEIGHT, WIDTH, Shot, orbiting, tiny_shots

SETTINGS = LoadOptions()


# Geometry.


@pytest.mark.parametrize("kind", MODEL_WRITERS)
def test_known_points_hit_known_pixels_in_a_world_of_any_orientation(
    tmp_path: Path, kind: str
) -> None:
    shots, points, R = tiny_shots(), some_points(), turned()
    write_pictures(tmp_path / "images", shots)
    MODEL_WRITERS[kind](tmp_path / "sparse" / "0", sparse_of(shots, R_source_world=R))
    raw = colmap.load(tmp_path, SETTINGS)
    for shot in shots:
        expected = pinhole_pixels(shot.camera, points)
        np.testing.assert_allclose(
            loaded_pixels(raw, shot.name, points @ R.T), expected, atol=1e-5, rtol=0
        )


@pytest.mark.parametrize("downscale", [1, 2])
def test_known_points_hit_known_pixels_in_the_norm_frame(tmp_path: Path, downscale: int) -> None:
    """Through everything that `load_scene` does, sparse points included."""
    shots, points = tiny_shots(), some_points()
    write_pictures(tmp_path / "images", shots)
    model = sparse_of(shots, [tuple(point) for point in points], turned())
    write_binary_model(tmp_path / "sparse", model)
    scene = load_scene(tmp_path, downscale=downscale)
    assert scene.points is not None and len(scene.points) == len(points)
    size = np.array([WIDTH // downscale, HEIGHT // downscale]) / [WIDTH, HEIGHT]
    for frame in (*scene.splits["train"], *scene.splits["test"]):
        shot = next(shot for shot in shots if shot.name == frame.name)
        pixels = project(frame.camera, scene.points)[0].numpy()
        np.testing.assert_allclose(pixels, pinhole_pixels(shot.camera, points) * size, atol=1e-4)


def test_a_turned_world_is_set_upright(tmp_path: Path) -> None:
    shots = tiny_shots()
    write_pictures(tmp_path / "images", shots)
    write_text_model(tmp_path / "sparse", sparse_of(shots, R_source_world=turned()))
    scene = load_scene(tmp_path)
    assert scene.warnings == ()
    for frame in scene.splits["train"]:
        shot = next(shot for shot in shots if shot.name == frame.name)
        given, expected = frame.camera.T_world_camera, shot.camera.T_world_camera
        torch.testing.assert_close(given[2, :3], expected[2, :3], atol=1e-5, rtol=0)


@pytest.mark.parametrize("model", CAMERA_MODELS)
def test_every_lens_is_colmaps_own_or_refused(tmp_path: Path, model: str) -> None:
    """Against pycolmap's projection, well off the axis, with coefficients that matter."""
    pycolmap = pytest.importorskip("pycolmap", reason="pycolmap is not installed (extra sfm)")
    shot = tiny_shots(3)[0]
    number, count = CAMERA_MODELS[model]
    reference = pycolmap.Camera.create_from_model_name(1, model, 9.0, WIDTH, HEIGHT)
    assert (int(reference.model), len(reference.params)) == (number, count)
    k = [0.11, -0.03, 0.004, -0.006, 0.02, 0.05, 0.01, -0.02] * 2
    focal = reference.focal_length_idxs()
    start = len(focal) + 2
    values = [*[9.3, 8.7][: len(focal)], 3.9, 2.2, *k[: count - start]][:count]
    sparse = sparse_of([shot] * 2)
    cameras = {i: (model, WIDTH, HEIGHT, tuple(values)) for i in sparse.cameras}
    images = [replace(image, name=f"{i}.png") for i, image in enumerate(sparse.images)]
    write_text_model(tmp_path / "sparse", replace(sparse, cameras=cameras, images=images))
    write_pictures(tmp_path / "images", [replace(shot, name=f"{i}") for i in range(2)])
    if model not in colmap._LENSES:
        with pytest.raises(UserError, match=rf"{model}\n.*OPENCV_FISHEYE.*\n.*image_undistorter"):
            colmap.load(tmp_path, SETTINGS)
        return
    reference.params = values
    points, T = some_points() * 2, shot.camera.T_world_camera.double().numpy()
    local = (points - T[:3, 3]) @ T[:3, :3] @ FLIP
    expected = reference.img_from_cam(local)
    pixels = loaded_pixels(colmap.load(tmp_path, SETTINGS), "1", points)
    np.testing.assert_allclose(pixels, expected, atol=1e-6, rtol=0)


def test_models_that_pycolmap_writes_are_read(tmp_path: Path) -> None:
    """Text and binary, with points, as the installed COLMAP has them today."""
    pycolmap = pytest.importorskip("pycolmap", reason="pycolmap is not installed (extra sfm)")
    options = pycolmap.SyntheticDatasetOptions()
    options.num_points3D, options.num_frames_per_rig = 80, 6
    reconstruction = pycolmap.synthesize_dataset(options)
    for kind, write in (("bin", reconstruction.write_binary), ("txt", reconstruction.write_text)):
        folder = tmp_path / kind
        folder.mkdir()
        write(str(folder))
        model = read_model(folder)
        assert len(model.images) == reconstruction.num_images() >= 6
        assert len(model.points) == reconstruction.num_points3D() == 80
        by_name = {image.name: image for image in reconstruction.images.values()}
        for image in model.images:
            expected = by_name[image.name].cam_from_world().matrix()
            np.testing.assert_allclose(image.T_camera_world[:3], expected, atol=1e-12)
            camera, reference = model.cameras[image.camera], by_name[image.name].camera
            assert (camera.model, camera.width) == (reference.model.name, reference.width)
            np.testing.assert_allclose(camera.parameters, reference.params)
        places = sorted(tuple(p.xyz) for p in reconstruction.points3D.values())
        np.testing.assert_allclose(sorted(map(tuple, model.points.tolist())), places, atol=1e-12)
        lengths = sorted(p.track.length() for p in reconstruction.points3D.values())
        assert sorted(model.tracks.tolist()) == lengths


# Layouts, masks, what is missing.


def test_the_largest_sub_model_is_taken_and_said(tmp_path: Path) -> None:
    shots = tiny_shots()
    write_pictures(tmp_path / "images", shots)
    write_text_model(tmp_path / "sparse" / "0", sparse_of(shots[:3]))
    write_binary_model(tmp_path / "sparse" / "1", sparse_of(shots[3:]))
    scene = load_scene(tmp_path)
    names = {frame.name for frames in scene.splits.values() for frame in frames}
    assert names == {shot.name for shot in shots[3:]}
    fell_apart, unregistered = scene.warnings
    assert "fell apart into 2 models; 1 with its 7 pictures" in fell_apart
    assert "(0 has 3)" in fell_apart
    assert "3 of 10 pictures" in unregistered and "000.png, 001.png, 002.png" in unregistered


@pytest.mark.parametrize("inside", ["sparse/0", "sparse", "colmap/sparse/0", "colmap/sparse", "."])
def test_every_layout_is_found_from_the_folder_and_from_the_model(
    tmp_path: Path, inside: str
) -> None:
    shots = tiny_shots(4)
    write_pictures(tmp_path / "images", shots)
    write_text_model(tmp_path / inside, sparse_of(shots))
    for path in (tmp_path, tmp_path / inside):
        scene = load_scene(path)
        assert scene.name == tmp_path.name
        assert sum(map(len, scene.splits.values())) == 4


def test_masks_are_named_after_the_picture_with_its_extension_and_black_is_ignored(
    tmp_path: Path,
) -> None:
    """In sub-folders too; a picture without a mask is used whole, which is said."""
    keep = np.zeros((HEIGHT, WIDTH), bool)
    keep[:3, 2:] = True
    shots = [replace(shot, name=f"left/{shot.name}") for shot in tiny_shots(4)]
    write_pictures(tmp_path / "images", shots)
    write_text_model(tmp_path / "sparse", sparse_of(shots))
    (tmp_path / "masks" / "left").mkdir(parents=True)
    for name in ("left/001.png.png", "left/002.png"):
        Image.fromarray(keep.astype(np.uint8) * 255).save(tmp_path / "masks" / name)
    scene = load_scene(tmp_path)
    masks = {
        frame.name: frame.picture.mask() for frames in scene.splits.values() for frame in frames
    }
    np.testing.assert_array_equal(masks["left_001"], keep)
    np.testing.assert_array_equal(masks["left_002"], keep)
    assert masks["left_000"] is None and masks["left_003"] is None
    assert ["none for 2 of 4" in w and "left/000.png.png" in w for w in scene.warnings] == [True]


@pytest.mark.parametrize("keep_full", [True, False])
def test_smaller_copies_in_sub_folders_stand_in_even_where_the_full_pictures_are_not_kept(
    tmp_path: Path, keep_full: bool
) -> None:
    shots = [replace(shot, name=f"left/{shot.name}") for shot in tiny_shots(4)]
    write_text_model(tmp_path / "sparse", sparse_of(shots))
    if keep_full:
        write_pictures(tmp_path / "images", shots)
    (tmp_path / "images_2" / "left").mkdir(parents=True)
    for shot in shots:
        small = Image.new("RGB", (4, 3), (9, 9, 9))
        small.save(tmp_path / "images_2" / f"{shot.name}.png")
    frame = load_scene(tmp_path, downscale=2).splits["train"][0]
    assert (frame.picture.rgba()[..., 0] == 9).all()
    assert (frame.camera.width, frame.camera.height) == (4, 3)
    assert frame.camera.fractions == pytest.approx(orbiting(0.0).fractions)


def test_pictures_missing_from_the_folder_are_one_warning(tmp_path: Path) -> None:
    write_colmap_text(tmp_path, tiny_shots())
    (tmp_path / "images" / "003.png").unlink()
    scene = load_scene(tmp_path)
    assert ["1 of 10 frames are left out" in warning for warning in scene.warnings] == [True]


# Sparse points.


def test_mistaken_points_are_left_out(tmp_path: Path) -> None:
    """Far from all others, not a number, or seen in two pictures only."""
    shots, good = tiny_shots(4), cloud(300)
    model = sparse_of(shots, good, turned())
    wild = [((50.0, 0.0, 0.0), 9), ((float("nan"), 0.0, 0.0), 9), ((0.0, 0.0, 0.0), 2)]
    write_pictures(tmp_path / "images", shots)
    write_binary_model(tmp_path / "sparse", replace(model, points=[*model.points, *wild]))
    raw = colmap.load(tmp_path, SETTINGS)
    assert raw.points is not None
    back = (raw.points @ raw.T_world_source[:3, :3]).numpy() @ turned()
    np.testing.assert_allclose(back, good, atol=1e-9)


def test_too_few_points_are_none(tmp_path: Path) -> None:
    write_pictures(tmp_path / "images", tiny_shots(4))
    write_text_model(tmp_path / "sparse", sparse_of(tiny_shots(4), cloud(20)))
    assert load_scene(tmp_path).points is None


# A real capture.


def test_fox_comes_back_from_a_colmap_model_as_it_was(shared_data: Path, tmp_path: Path) -> None:
    """Its published poses and lens, written as text by this test: the same cameras but for the world's turn."""
    published = load_scene(shared_data / "fox")
    shots = [
        Shot(frame.picture.path.stem, frame.camera, np.zeros(0), test=split == "test")
        for split, frames in published.splits.items()
        for frame in frames
    ]
    write_text_model(tmp_path / "sparse" / "0", sparse_of(shots, suffix=".jpg"))
    (tmp_path / "images").symlink_to(shared_data / "fox" / "images")
    scene = load_scene(tmp_path)
    originals = {frame.name: frame for group in published.splits.values() for frame in group}
    frames = [frame for group in scene.splits.values() for frame in group]
    assert len(frames) == len(originals) == 50
    points = torch.from_numpy(np.random.default_rng(0).normal(size=(100, 3)))
    T = scene.T_norm_world.double() @ scene.T_world_source.double()
    for frame in frames:
        original = originals[f"images_{frame.name}"].camera
        assert frame.camera.fractions == pytest.approx(original.fractions, rel=1e-9)
        assert frame.camera.distortion == original.distortion[:4]
        ahead = points[project(original, points.float())[1] > 0.2]
        moved = ahead @ T[:3, :3].T + T[:3, 3]
        expected, _ = project(original, ahead.float())
        pixels, _ = project(frame.camera, moved.float())
        near = (expected - 270).norm(dim=-1) < 1500
        torch.testing.assert_close(pixels[near], expected[near], atol=0.02, rtol=1e-4)
