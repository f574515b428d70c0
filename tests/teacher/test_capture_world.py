"""The world that a reconstruction gets, and the files: what the loader reads is what was found."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float
from PIL import Image

from teacher.cameras import Camera, project
from teacher.capture.dataset import write_dataset
from teacher.capture.model import LensFit, Model
from teacher.capture.world import find_world, moved_points, moved_poses
from teacher.datasets import load_scene
from tests.reconstructions import LENS, reconstruction, ring


def _similarity(seed: int = 1, scale: float = 3.7) -> Float[np.ndarray, "4 4"]:
    rng = np.random.default_rng(seed)
    T = np.eye(4)
    T[:3, :3] = scale * np.linalg.qr(rng.normal(size=(3, 3)))[0]
    T[:3, :3] *= np.sign(np.linalg.det(T[:3, :3]))
    T[:3, 3] = rng.normal(size=3)
    return T


def _somewhere(model: Model, T: Float[np.ndarray, "4 4"]) -> Model:
    """The model in another frame, as mapping would give it."""
    poses, points = moved_poses(T, model.T_world_camera), moved_points(T, model.points)
    return replace(model, T_world_camera=poses, points=points)


@pytest.mark.parametrize("turn", [1.0, 0.3])
def test_world_is_upright_centred_and_of_unit_size(turn: float) -> None:
    """From a frame turned, shifted and scaled at random; also from a third of a round, filmed from above."""
    model = _somewhere(reconstruction(ring(turn=turn)), _similarity())
    world = find_world(model)
    poses = moved_poses(world.T_world_source, model.T_world_camera)
    np.testing.assert_allclose(poses[:, 2, 0], 0, atol=3e-3)  # right-hand axes are level
    np.testing.assert_allclose(poses[:, 2, 3], np.sin(0.5), atol=5e-3)  # all at the same height
    np.testing.assert_allclose(np.linalg.norm(poses[:, :3, 3], axis=1), 1, atol=1e-5)
    assert (poses[:, 2, 1] > 0.5).all()  # and not upside down
    assert world.tilt < 0.2
    R = poses[:, :3, :3]
    np.testing.assert_allclose(
        R @ R.transpose(0, 2, 1), np.tile(np.eye(3), (len(R), 1, 1)), atol=1e-9
    )


def test_a_few_rolled_pictures_do_not_tilt_the_world() -> None:
    """Three of 40 taken with the camera on its side, and shaky hands: up stays within a degree."""
    poses = ring()
    rng = np.random.default_rng(0)
    roll = rng.normal(0, np.radians(2), 40)
    roll[[4, 5, 6]] = np.pi / 2
    for k, angle in enumerate(roll):
        c, s = np.cos(angle), np.sin(angle)
        poses[k, :3, :3] = poses[k, :3, :3] @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    T = _similarity(4)
    world = find_world(_somewhere(reconstruction(poses), T))
    up = world.T_world_source[:3, :3] @ T[:3, :3] @ np.array([0.0, 0.0, 1.0])
    assert np.degrees(np.arccos(up[2] / np.linalg.norm(up))) < 1


def test_cameras_side_by_side_take_their_own_up() -> None:
    """Right-hand axes that are parallel say nothing; forward-facing cameras are upright all the same."""
    poses = np.tile(np.eye(4), (12, 1, 1))
    poses[:, :3, :3] = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # looking along +y, z up
    poses[:, 0, 3] = np.linspace(-1, 1, 12)
    T = _similarity(2)
    world = find_world(_somewhere(replace(reconstruction(ring(12)), T_world_camera=poses), T))
    up = world.T_world_source[:3, :3] @ T[:3, :3] @ np.array([0.0, 0.0, 1.0])
    assert np.degrees(np.arccos(up[2] / np.linalg.norm(up))) < 0.01


def test_a_room_is_centred_among_its_cameras() -> None:
    """Filmed on a walk round its middle, looking outwards: there is the origin, and the walk's radius is the unit."""
    poses = ring(elevation=0.0)
    poses[:, :3, [0, 2]] *= -1  # about face
    model = _somewhere(replace(reconstruction(ring()), T_world_camera=poses), _similarity(3))
    moved = moved_poses(find_world(model).T_world_source, model.T_world_camera)
    np.testing.assert_allclose(np.linalg.norm(moved[:, :3, 3], axis=1), 1, atol=0.05)
    assert (moved[:, 2, 1] > 0.99).all()


def _written(folder: Path, model: Model) -> Model:
    """A data set of `model` in a frame of its own, with grey pictures."""
    (folder / "images").mkdir(parents=True)
    moved = _somewhere(model, _similarity())
    for name, lens in zip(model.names, model.lens, strict=True):
        fit = model.lenses[lens]
        Image.new("RGB", (fit.width, fit.height), "grey").save(folder / "images" / name)
    write_dataset(folder, moved, find_world(moved), name="toy")
    return moved


def _pixels(camera: Camera, points: Float[np.ndarray, "n 3"]) -> np.ndarray:
    exact = replace(camera, T_world_camera=camera.T_world_camera.double())
    return project(exact, torch.from_numpy(points))[0].numpy()


def test_loader_sees_points_where_the_pictures_show_them(tmp_path: Path) -> None:
    """Projected through the loaded cameras, the points of the PLY file fall on the pixels they fell on before."""
    model = reconstruction(ring(10))
    moved = _written(tmp_path, model)
    scene = load_scene(tmp_path)
    assert scene.warnings == () and scene.name == "toy"
    frames = {frame.name: frame for split in scene.splits.values() for frame in split}
    assert len(frames) == 10
    points = _read_ply(tmp_path / "sparse_pc.ply")[0]
    T = scene.T_norm_world.double().numpy()
    fit = LENS.values
    for name, pose in zip(moved.names, moved.T_world_camera, strict=True):
        frame = frames[f"images_{Path(name).stem}"]
        centre = (fit["cx"], fit["cy"])
        focal = (fit["fl_x"], fit["fl_y"])
        truth = Camera(torch.from_numpy(pose), *focal, *centre, 400, 300, "opencv", (0.01,))
        shown, wanted = _pixels(frame.camera, moved_points(T, points)), _pixels(truth, moved.points)
        np.testing.assert_allclose(shown, wanted, atol=0.02)  # float32 poses and points
    back = scene.T_world_source.double().numpy()
    np.testing.assert_allclose(moved_points(back, moved.points), points, atol=1e-4)


def test_points_keep_their_colours(tmp_path: Path) -> None:
    model = reconstruction(ring(10))
    _written(tmp_path, model)
    points, colours = _read_ply(tmp_path / "sparse_pc.ply")
    assert points.shape == model.points.shape
    np.testing.assert_array_equal(colours, model.colours)


def _read_ply(path: Path) -> tuple[np.ndarray, np.ndarray]:
    header, data = path.read_bytes().split(b"end_header\n", 1)
    count = int(header.split(b"element vertex ")[1].split()[0])
    rows = np.frombuffer(data, np.uint8).reshape(count, 15)
    return rows[:, :12].copy().view("<f4").astype(float), rows[:, 12:]


def test_masks_are_what_the_loader_keeps(tmp_path: Path) -> None:
    """White is kept: the loader's polarity is the writer's."""
    model = reconstruction(ring(10))
    _written(tmp_path, model)
    (tmp_path / "masks").mkdir()
    kept = np.zeros((300, 400), np.uint8)
    kept[:100] = 255
    for name in model.names:
        Image.fromarray(kept).save(tmp_path / "masks" / f"{name}.png")
    write_dataset(tmp_path, model, find_world(model), masks=True)
    mask = load_scene(tmp_path).splits["train"][0].picture.mask()
    assert mask is not None
    np.testing.assert_array_equal(mask, kept > 0)


def test_lenses_that_differ_are_written_for_each_frame(tmp_path: Path) -> None:
    other = LensFit(
        "OPENCV", 300, 400, {**LENS.values, "fl_y": 421.0, "k2": 0.0, "p1": 1e-3, "p2": 0.0}
    )
    model = replace(reconstruction(ring(10)), lenses=(LENS, other), lens=np.arange(10) % 2)
    _written(tmp_path, model)
    document = json.loads((tmp_path / "transforms.json").read_text())
    assert "fl_x" not in document and document["frames"][1]["camera_model"] == "OPENCV"
    scene = load_scene(tmp_path)
    sizes = {
        (camera.width, camera.height) for split in scene.splits for camera in scene.cameras(split)
    }
    assert sizes == {(400, 300), (300, 400)}
