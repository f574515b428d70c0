"""The norm frame and its box: given, carved from mattes, asked for by the data set, or guessed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from teacher.cameras import Camera, look_at, project
from teacher.datasets import load_scene
from teacher.datasets.normalise import around_cameras, normalise
from teacher.datasets.raw import RawScene
from teacher.pictures import Picture
from teacher.scene import Frame
from tests.looking_around import PIVOT, room
from tests.scenes import (
    BOX,
    HEIGHT,
    WIDTH,
    Document,
    Point,
    Shot,
    all_round,
    edited,
    ellipsoid_shots,
    orbiting,
    tiny_shots,
    world_box,
    write_blender,
    write_instant_ngp,
    write_nerfstudio,
)


@pytest.mark.parametrize(
    ("keys", "lower", "upper"),
    [
        ({"aabb_scale": 4}, [-2 / 0.33] * 3, [2 / 0.33] * 3),
        ({"aabb_scale": 1, "scale": 0.5}, [-1.0] * 3, [1.0] * 3),
        ({"aabb_scale": 2, "scale": 1, "offset": [0, 0.5, 1]}, [-0.5, -1, -1.5], [1.5, 1, 0.5]),
        ({"aabb_scale": 1, "aabb": [[0, 0, 0], [4, 2, 2]]}, [0, -1, -1], [4, 3, 3]),
    ],
)
def test_instant_ngps_box(
    tmp_path: Path, keys: Document, lower: list[float], upper: list[float]
) -> None:
    """Its coordinates are world * scale + offset, its box [0.5 - s/2, 0.5 + s/2]^3."""
    write_instant_ngp(tmp_path, opaque(tiny_shots()))
    scene = load_scene(edited(tmp_path, lambda d: d.update(keys)))
    expected = torch.tensor([lower, upper]).float()
    torch.testing.assert_close(world_box(scene), expected, atol=1e-4, rtol=0)


def opaque(shots: list[Shot]) -> list[Shot]:
    """The same shots as photographs: with an alpha channel that says nothing."""
    for shot in shots:
        shot.rgba[..., 3] = 255
    return shots


def test_an_alpha_channel_that_is_opaque_throughout_is_no_alpha(tmp_path: Path) -> None:
    write_blender(tmp_path, opaque(tiny_shots()))
    assert not load_scene(tmp_path).has_alpha


def test_photographs_get_a_box_around_what_they_look_at_that_holds_the_cameras(
    tmp_path: Path,
) -> None:
    write_nerfstudio(tmp_path, opaque(tiny_shots()))
    box = world_box(load_scene(tmp_path))
    torch.testing.assert_close(box.mean(0), torch.tensor([0.2, -0.1, 0.3]), atol=1e-2, rtol=0)
    torch.testing.assert_close(box[1] - box[0], torch.full((3,), 2 * 1.5 * 4.0), atol=2e-2, rtol=0)


def assert_holds_closely(box: torch.Tensor, radii: Point, centre: Point, slack: float) -> None:
    """The box contains the ellipsoid and leaves at most `slack` on each side of it."""
    low, high = (torch.tensor(centre) + sign * torch.tensor(radii) for sign in (-1, 1))
    assert (box[0] <= low).all() and (box[1] >= high).all(), box
    assert (box[0] >= low - slack).all() and (box[1] <= high + slack).all(), box


@pytest.mark.parametrize("size", [(64, 48), (203, 150)])
def test_the_visual_hull_holds_the_object_closely(tmp_path: Path, size: tuple[int, int]) -> None:
    """At a size that is looked at as it is, and at one that is halved and leaves a remainder."""
    radii, centre = (0.9, 0.5, 0.7), (0.4, -0.3, 0.6)
    write_blender(tmp_path, ellipsoid_shots(radii, centre, all_round(centre, size)))
    assert_holds_closely(world_box(load_scene(tmp_path)), radii, centre, 0.25)


def test_the_hull_does_not_lose_thin_things(tmp_path: Path) -> None:
    """A rod much thinner than the first pass's cells: hardly one has its centre in it."""
    radii, centre = (0.9, 0.05, 0.05), (0.07, 0.13, 0.11)
    write_blender(tmp_path, ellipsoid_shots(radii, centre, all_round(centre, (160, 120))))
    assert_holds_closely(world_box(load_scene(tmp_path)), radii, centre, 0.25)


def test_the_hull_survives_a_wrong_matte(tmp_path: Path) -> None:
    """One of 52 training pictures shows nothing at all; the object must not vanish."""
    radii, centre = (0.9, 0.5, 0.7), (0.0, 0.0, 0.0)
    shots = ellipsoid_shots(radii, centre, [*all_round(centre), *all_round(centre)] * 2)[:60]
    shots[5] = replace(shots[5], rgba=np.zeros_like(shots[5].rgba))
    write_instant_ngp(tmp_path, shots)
    assert_holds_closely(world_box(load_scene(tmp_path)), radii, centre, 0.3)


def test_cameras_that_look_elsewhere_do_not_carve_through_a_folding_lens(tmp_path: Path) -> None:
    """r (1 - r^2 / 4) is 0 again at r = 2: 63 degrees off the axis folds into the middle.

    Four cameras look past the object by that angle and see nothing of it.
    """
    radii, centre = (0.9, 0.5, 0.7), (0.0, 0.0, 0.0)
    lens = {"lens": "opencv", "distortion": (-0.25, 0.0, 0.0, 0.0)}
    cameras = [replace(camera, **lens) for camera in all_round(centre)]
    for camera in cameras[:4]:
        aside = camera.T_world_camera[:3, 0] * 10  # twice the distance of 5, to the right
        away = replace(camera, T_world_camera=look_at(camera.position, aside))
        cameras.append(away)
    write_nerfstudio(tmp_path, ellipsoid_shots(radii, centre, cameras))
    assert_holds_closely(world_box(load_scene(tmp_path)), radii, centre, 0.3)


def test_mattes_that_contradict_each_other_fall_back_to_the_cameras(tmp_path: Path) -> None:
    write_nerfstudio(tmp_path, tiny_shots())
    for image in (tmp_path / "images").iterdir():
        Image.new("RGBA", (WIDTH, HEIGHT)).save(image)
    scene = load_scene(tmp_path)
    box = world_box(scene)
    torch.testing.assert_close(box[1] - box[0], torch.full((3,), 12.0), atol=2e-2, rtol=0)
    assert ["no point is covered" in warning for warning in scene.warnings] == [True]


def raw_scene(cameras: list[Camera]) -> RawScene:
    frames = tuple(Frame(f"{i}", Picture(Path("none")), camera) for i, camera in enumerate(cameras))
    return RawScene("raw", {"train": frames, "test": frames[:1]}, has_alpha=False)


corner = st.tuples(*[st.floats(-3, 3)] * 3)
side = st.tuples(*[st.floats(0.1, 5)] * 3)


@settings(deadline=None, max_examples=40)
@given(lower=corner, sides=side)
def test_the_norm_frame_is_a_similarity_that_fits_the_box(
    lower: tuple[float, float, float], sides: tuple[float, float, float]
) -> None:
    """The box is centred, its longest side is 2, axes keep their directions, pictures stay."""
    cameras = [orbiting(0.7 * i) for i in range(3)]
    upper = (lower[0] + sides[0], lower[1] + sides[1], lower[2] + sides[2])
    scene = normalise(raw_scene(cameras), (lower, upper))
    T = scene.T_norm_world
    torch.testing.assert_close(T[:3, :3], T[0, 0] * torch.eye(3))
    torch.testing.assert_close(scene.aabb[0], -scene.aabb[1])
    assert float(scene.aabb[1].max()) == pytest.approx(1)
    expected = torch.tensor([lower, upper]) @ T[:3, :3].T + T[:3, 3]
    torch.testing.assert_close(scene.aabb, expected, atol=1e-5, rtol=0)
    points = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
    for world, norm in zip(cameras, scene.cameras(), strict=True):
        uv, depth = project(world, points)
        uv_norm, depth_norm = project(norm, points @ T[:3, :3].T + T[:3, 3])
        torch.testing.assert_close(uv_norm, uv, atol=1e-2, rtol=1e-3)
        torch.testing.assert_close(depth_norm, depth * T[0, 0], atol=1e-3, rtol=1e-3)


def test_map_coordinates_do_not_cost_precision(tmp_path: Path) -> None:
    """Float32 has steps of half a metre at 4 million; the norm frame must not see the offset."""
    shots = opaque(tiny_shots())
    for place, offset in (("here", 0.0), ("far", 4e6)):
        write_instant_ngp(tmp_path / place, shots)

        def move(document: Document, offset: float = offset) -> None:
            del document["aabb_scale"]
            for frame in document["frames"]:
                frame["transform_matrix"][0][3] += offset

        edited(tmp_path / place, move)
    here, far = (load_scene(tmp_path / place).cameras() for place in ("here", "far"))
    for a, b in zip(here, far, strict=True):
        torch.testing.assert_close(a.position, b.position, atol=1e-5, rtol=0)


def test_cameras_lying_on_their_side_are_warned_about_and_left_alone(tmp_path: Path) -> None:
    """A y-up world: the x, y and z of the poses are exchanged cyclically."""
    write_instant_ngp(tmp_path, tiny_shots())

    def tilt(document: Document) -> None:
        for frame in document["frames"]:
            x, y, z, last = frame["transform_matrix"]
            frame["transform_matrix"] = [y, z, x, last]

    upright, tilted = load_scene(tmp_path, aabb=BOX), load_scene(edited(tmp_path, tilt), aabb=BOX)
    assert upright.warnings == ()
    assert ["not +z" in warning for warning in tilted.warnings] == [True]
    torch.testing.assert_close(upright.T_norm_world, tilted.T_norm_world)


def test_an_applied_transform_is_kept_but_not_applied_again(tmp_path: Path) -> None:
    write_nerfstudio(tmp_path, tiny_shots())
    applied = [[1.0, 0.0, 0.0, 0.5], [0.0, 0.0, 1.0, 0.0], [0.0, -1.0, 0.0, 0.0]]
    keys = {"applied_transform": applied, "applied_scale": 2.0}
    before = load_scene(tmp_path, aabb=BOX)
    after = load_scene(edited(tmp_path, lambda d: d.update(keys)), aabb=BOX)
    for a, b in zip(before.cameras(), after.cameras(), strict=True):
        torch.testing.assert_close(a.T_world_camera, b.T_world_camera)
    torch.testing.assert_close(before.T_world_source, torch.eye(4))
    expected = torch.tensor([*(2 * np.array(applied)).tolist(), [0, 0, 0, 1]])
    torch.testing.assert_close(after.T_world_source, expected.float())


def test_the_cube_of_a_room_without_bounds_holds_its_walls() -> None:
    """Cameras turn about PIVOT at 0.3 to 0.5; nearly all sparse points are within 2 of it, two are seen in a window."""
    scene = normalise(raw_scene(room()), ((-9.0, -9.0, -9.0), (9.0, 9.0, 9.0)))
    walls = torch.rand(98, 3, generator=torch.Generator().manual_seed(0)) * 4 - 2
    walls[:, 0] = walls[:, 0].sign() * 2
    far = torch.tensor([[50.0, 0, 0], [0, 70.0, 0]])
    T = scene.T_norm_world
    points = (torch.cat([walls, far]) + torch.tensor(PIVOT)) @ T[:3, :3].T + T[:3, 3]
    held = around_cameras(replace(scene, points=points))
    middle = held.T_norm_world[:3, :3] @ torch.tensor(PIVOT) + held.T_norm_world[:3, 3]
    assert float(middle.norm()) < 0.05
    assert held.points is not None
    largest = held.points[:98].abs().amax(-1)
    assert float(largest.median()) == pytest.approx(1, abs=0.05)
    farthest = max(float(camera.position.abs().max()) for camera in held.cameras())
    assert 0.2 < farthest < 0.3
    bare = around_cameras(
        scene
    )  # without points, walls are taken to be three times as far away as the cameras
    farthest = max(float(camera.position.abs().max()) for camera in bare.cameras())
    assert farthest == pytest.approx(1 / (3 * 1.1), rel=1e-3)
