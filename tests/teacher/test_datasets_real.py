"""Real captures; skipped where there are none beside the checkout."""

from pathlib import Path

import torch
from jaxtyping import Float
from skimage.feature import ORB, match_descriptors
from torch import Tensor

from teacher.cameras import Camera, Cameras
from teacher.datasets import load_scene
from teacher.scene import Frame
from tests.scenes import world_box


def test_lego(shared_data: Path) -> None:
    """Counts, and a hull where the model is known to be: a wrong axis would leave nothing of it."""
    scene = load_scene(shared_data / "lego", downscale=8)
    counts = {name: len(frames) for name, frames in scene.splits.items()}
    assert counts == {"train": 100, "test": 25}
    assert scene.has_alpha and scene.warnings == ()
    box = world_box(scene)
    known = torch.tensor([[-0.64, -1.15, -0.6], [0.64, 1.15, 1.0]])
    assert (box[0] <= known[0]).all() and (box[1] >= known[1]).all()
    assert ((box[1] - box[0]) < 1.3 * (known[1] - known[0])).all()
    assert scene.splits["test"][3].picture.rgba().shape == (100, 100, 4)


def test_fox(shared_data: Path) -> None:
    """Counts, the one warning about 17 missing photographs, and instant-ngp's box."""
    scene = load_scene(shared_data / "fox", downscale=4)
    counts = {name: len(frames) for name, frames in scene.splits.items()}
    assert counts == {"train": 43, "test": 7}
    assert len(scene.warnings) == 1
    assert "17 of 67 frames are left out" in scene.warnings[0]
    assert not scene.has_alpha
    torch.testing.assert_close(world_box(scene)[1], torch.full((3,), 2 / 0.33), atol=1e-4, rtol=0)
    assert all(camera.lens == "opencv" for camera in scene.cameras())


def test_foxs_photographs_agree_with_its_cameras(shared_data: Path) -> None:
    """Matched corners lie on each other's epipolar lines, and on none of rows counted upwards."""
    scene = load_scene(shared_data / "fox", downscale=2)
    frames = {frame.name: frame for frames in scene.splits.values() for frame in frames}
    first, second = frames["images_0001"], frames["images_0009"]
    here, there = matched_corners(first, second)
    assert len(here) > 40
    distance = epipolar_distance(first.camera, second.camera, here, there).median()
    assert distance < 1.0
    upwards = torch.tensor([0.0, float(second.camera.height)]) + there * torch.tensor([1.0, -1.0])
    assert epipolar_distance(first.camera, second.camera, here, upwards).median() > 20 * distance


def matched_corners(
    first: Frame, second: Frame
) -> tuple[Float[Tensor, "pairs 2"], Float[Tensor, "pairs 2"]]:
    """(u, v) of the same corners in two pictures, as ORB finds them."""
    points, descriptors = [], []
    for frame in (first, second):
        detector = ORB(n_keypoints=400)
        detector.detect_and_extract(frame.picture.rgba()[..., :3].mean(-1) / 255)
        assert detector.keypoints is not None
        points.append(torch.tensor(detector.keypoints[:, ::-1] + 0.5).float())
        descriptors.append(detector.descriptors)
    pairs = torch.tensor(match_descriptors(*descriptors, max_ratio=0.75))
    return points[0][pairs[:, 0]], points[1][pairs[:, 1]]


def epipolar_distance(
    first: Camera,
    second: Camera,
    here: Float[Tensor, "pairs 2"],
    there: Float[Tensor, "pairs 2"],
) -> Float[Tensor, " pairs"]:
    """Angle between `there`'s ray and the plane of the baseline and `here`'s ray, in pixels."""
    both, index = Cameras.stack([first, second]), torch.zeros(len(here), dtype=torch.long)
    ray, other = both.rays(index, here).directions, both.rays(index + 1, there).directions
    baseline = (second.position - first.position).expand_as(ray)
    normal = torch.nn.functional.normalize(torch.linalg.cross(ray, baseline), dim=-1)
    return torch.asin((other * normal).sum(-1).abs()) * second.fx
