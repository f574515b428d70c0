"""From pycolmap's files to our records: the reconstruction as arrays, and what matching found, compared with it."""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from teacher.capture.colmap import PARAMETERS
from teacher.capture.model import MAPPED, Comparison, LensFit, Model, Pair
from teacher.errors import UserError

_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])  # COLMAP's cameras look along +z with +y down


def load_pycolmap() -> ModuleType:
    """The module. Raises UserError where it is not installed."""
    try:
        import pycolmap
    except ImportError as error:
        raise UserError(
            "finding cameras",
            f"no pycolmap ({error})",
            "the extra `sfm`",
            'pip install "pocketfield[sfm]" (from a checkout: pip install -e ".[sfm]")',
        ) from error
    pycolmap.logging.minloglevel = 3  # only what ends the process
    return pycolmap


def model_of(reconstruction: Any) -> Model:
    """A pycolmap reconstruction as arrays, images ordered by name."""
    posed = [image for image in reconstruction.images.values() if image.has_pose]
    images = sorted(posed, key=lambda image: image.name)
    cameras = sorted({image.camera_id for image in images})
    point_ids = list(reconstruction.points3D)
    points = [reconstruction.points3D[k] for k in point_ids]
    number = {image.image_id: k for k, image in enumerate(images)}
    seen = [
        (number[element.image_id], k)
        for k, point in enumerate(points)
        for element in point.track.elements
        if element.image_id in number
    ]
    seen_image, seen_point = np.array(seen, int).reshape(-1, 2).T
    return Model(
        tuple(image.name for image in images),
        np.array([_pose(image) for image in images]).reshape(-1, 4, 4),
        np.array([cameras.index(image.camera_id) for image in images], int),
        tuple(_lens(reconstruction.cameras[k]) for k in cameras),
        np.array([point.xyz for point in points], float).reshape(-1, 3),
        np.array([point.color for point in points], np.uint8).reshape(-1, 3),
        np.array([point.error for point in points], float),
        *(seen_image, seen_point),
    )


def _pose(image: Any) -> np.ndarray:
    T = np.eye(4)
    T[:3] = image.cam_from_world().inverse().matrix()
    return T @ _OPENGL


def _lens(camera: Any) -> LensFit:
    model = camera.model.name
    values = dict(zip(PARAMETERS[model], map(float, camera.params), strict=True))
    if "f" in values:
        focal = values.pop("f")
        values = {"fl_x": focal, "fl_y": focal, **values}
    return LensFit(model, camera.width, camera.height, values)


def comparison(database: Path, reconstruction: Any | None, sizes: Sequence[int]) -> Comparison:
    """What matching found in the database, compared with a reconstruction."""
    colmap = load_pycolmap()
    with colmap.Database.open(database) as opened:
        names = {image.image_id: image.name for image in opened.read_all_images()}
        features = {name: int(opened.num_keypoints_for_image(k)) for k, name in names.items()}
        centred = _centred(opened)
        ids, geometries = opened.read_two_view_geometries()
    tracks = {} if reconstruction is None else _tracks(reconstruction)
    pairs, turns = [], []
    for pair_id, geometry in zip(ids, geometries, strict=True):
        if len(geometry.inlier_matches) == 0:
            continue
        a, b = colmap.pair_id_to_image_pair(pair_id)
        same, either = _agreement(tracks.get(a), tracks.get(b), np.array(geometry.inlier_matches))
        flat = "PANORAMIC" in colmap.TwoViewGeometryConfiguration(geometry.config).name
        matches = len(geometry.inlier_matches)
        pairs.append(Pair(names[a], names[b], matches, same, either, flat))
        if flat and matches >= MAPPED and geometry.H is not None:
            turns.append(centred[b] @ geometry.H @ np.linalg.inv(centred[a]))
    return Comparison(
        features, tuple(pairs), tuple(sizes), np.array(turns, float).reshape(-1, 3, 3)
    )


def _centred(database: Any) -> dict[int, np.ndarray]:
    """For each picture, from pixels to what `Comparison.homographies` is in."""
    cameras = {camera.camera_id: camera for camera in database.read_all_cameras()}
    maps = {}
    for image in database.read_all_images():
        camera = cameras[image.camera_id]
        w, h = camera.width, camera.height
        maps[image.image_id] = np.array([[1, 0, -w / 2], [0, 1, -h / 2], [0, 0, max(w, h)]], float)
    return maps


def _tracks(reconstruction: Any) -> dict[int, np.ndarray]:
    """For each registered image the point that each of its features belongs to, -1: none."""
    tracks = {
        k: np.full(image.num_points2D(), -1, np.int64)
        for k, image in reconstruction.images.items()
        if image.has_pose
    }
    for point_id, point in reconstruction.points3D.items():
        for element in point.track.elements:
            if element.image_id in tracks:
                tracks[element.image_id][element.point2D_idx] = point_id
    return tracks


def _agreement(
    first: np.ndarray | None, second: np.ndarray | None, matches: np.ndarray
) -> tuple[int, int]:
    if first is None or second is None:
        return 0, 0
    a, b = first[matches[:, 0]], second[matches[:, 1]]
    return int(((a == b) & (a >= 0)).sum()), int(((a >= 0) | (b >= 0)).sum())
