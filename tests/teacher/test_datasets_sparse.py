"""The box from sparse points, and which of them are believed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float64
from torch import Tensor

from teacher.datasets import load_scene
from teacher.datasets.normalise import normalise
from teacher.datasets.raw import RawScene
from teacher.datasets.sparse import FARTHEST, LEAST_POINTS, MARGIN, reliable
from teacher.pictures import Picture
from teacher.scene import Frame
from tests.captures import cloud, sparse_of, turned, write_binary_model, write_pictures
from tests.scenes import orbiting, tiny_shots, world_box

EYE = torch.eye(4).double()


def photographs(points: Float64[Tensor, "n 3"] | None) -> RawScene:
    cameras = [orbiting(0.6 * i, 0.3 + 0.1 * (i % 3)) for i in range(10)]
    frames = tuple(Frame(f"{i}", Picture(Path("none")), camera) for i, camera in enumerate(cameras))
    return RawScene("raw", {"train": frames, "test": frames[:1]}, has_alpha=False, points=points)


def slab(count: int = 2000) -> Float64[Tensor, "n 3"]:
    """A wide and flat scene below the cameras."""
    unit = torch.from_numpy(np.random.default_rng(3).uniform(-1, 1, (count, 3)))
    return unit * torch.tensor([6.0, 5.0, 0.5]).double() + torch.tensor([0.2, -0.1, 0.0]).double()


def test_points_widen_the_box_where_they_show_more_and_nowhere_else() -> None:
    """The slab and its margin reach beyond the cameras' cube, of half 6, in x and y but not in z."""
    box = world_box(normalise(photographs(slab()))).double()
    margin = MARGIN * 12.0
    low = torch.tensor([-5.8 - margin, -5.1 - margin, 0.3 - 6]).double()
    high = torch.tensor([6.2 + margin, -0.1 + 6, 0.3 + 6]).double()
    torch.testing.assert_close(box, torch.stack([low, high]), atol=0.2, rtol=0)


def test_points_never_make_the_box_smaller() -> None:
    few, none = (world_box(normalise(photographs(p))) for p in (slab() * 0.1, None))
    torch.testing.assert_close(few, none)


def test_without_points_the_box_is_the_cameras_cube() -> None:
    """What scenes without a reconstruction had before there were points."""
    scene = normalise(photographs(None))
    box = world_box(scene)
    torch.testing.assert_close(box[1] - box[0], torch.full((3,), 2 * 1.5 * 4.0), atol=2e-2, rtol=0)
    assert scene.points is None


def test_points_very_far_away_do_not_take_all_of_the_box() -> None:
    raw = photographs(slab() * 100)
    box = world_box(normalise(raw))
    assert float((box[1] - box[0]).max()) == pytest.approx(2 * FARTHEST * 4.0, rel=0.05)


def test_the_box_does_not_move_with_a_few_mistakes() -> None:
    points = slab()
    wrong = torch.cat([points, torch.full((10, 3), 11.0).double()])
    before, after = (world_box(normalise(photographs(p))) for p in (points, wrong))
    torch.testing.assert_close(before, after, atol=0.2, rtol=0)


def test_a_given_box_and_mattes_come_first(tmp_path: Path) -> None:
    shots = tiny_shots()
    write_pictures(tmp_path / "images", shots)
    write_binary_model(tmp_path / "sparse", sparse_of(shots, cloud(300)))
    given = ((-9.0, -9.0, -9.0), (9.0, 9.0, 9.0))
    box = world_box(load_scene(tmp_path, aabb=given))
    torch.testing.assert_close(box, torch.tensor(given), atol=1e-4, rtol=0)


def test_points_are_in_the_frame_that_the_scene_is_in(tmp_path: Path) -> None:
    """They undergo the same transforms as the cameras: world's turn, then normalisation."""
    shots, given = tiny_shots(), cloud(300)
    write_pictures(tmp_path / "images", shots)
    write_binary_model(tmp_path / "sparse", sparse_of(shots, given, turned(2)))
    scene = load_scene(tmp_path)
    assert scene.points is not None
    T = scene.T_norm_world.double() @ scene.T_world_source.double()
    expected = torch.tensor(given).double() @ torch.from_numpy(turned(2)).T @ T[:3, :3].T + T[:3, 3]
    torch.testing.assert_close(scene.points, expected.float(), atol=1e-5, rtol=0)


def test_reliable_points_are_seen_often_finite_and_not_alone() -> None:
    points = slab()
    tracks = torch.full((len(points),), 3)
    tracks[:10] = 2
    points[10] = torch.nan
    points[11] = torch.tensor([60.0, 0, 0])
    kept = reliable(points, tracks, EYE)
    assert kept is not None
    torch.testing.assert_close(kept, points[12:])


def test_fewer_points_than_tell_an_extent_are_none() -> None:
    points = slab(LEAST_POINTS)
    tracks = torch.full((len(points),), 5)
    assert reliable(points, tracks, EYE) is not None
    tracks[0] = 2
    assert reliable(points, tracks, EYE) is None
    assert normalise(replace(photographs(None), points=None)).points is None
