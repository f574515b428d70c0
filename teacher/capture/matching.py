"""pycolmap, held by the hand: features, matches and incremental mapping as stages with progress and a way to stop.

    pictures --SIFT at `sfm_image_size`--> database --pairs.py, RANSAC--> database --incremental mapping--> sub-models

The calls run in a thread while this one looks at the database for progress and passes Ctrl-C on. RANSAC and mapping
are seeded. Facts about pycolmap 4.2: notes of the wheel, `pycolmap.*.__doc__`.
"""

import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
from tqdm import tqdm

from teacher.capture.model import Comparison, LensFit, Model, Pair
from teacher.capture.pairs import Pairs
from teacher.capture.settings import PoseSettings, cores
from teacher.errors import UserError

Result = TypeVar("Result")
_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])  # COLMAP's cameras look along +z with +y down
_PARAMETERS = {
    "SIMPLE_PINHOLE": ("f", "cx", "cy"),
    "SIMPLE_RADIAL": ("f", "cx", "cy", "k1"),
    "RADIAL": ("f", "cx", "cy", "k1", "k2"),
    "OPENCV": ("fl_x", "fl_y", "cx", "cy", "k1", "k2", "p1", "p2"),
}
_TABLES = {"features": "keypoints", "matches": "two_view_geometries"}


@dataclass(frozen=True)
class Group:
    """Pictures taken with one lens at one zoom."""

    names: tuple[str, ...]
    size: tuple[int, int]
    """(width, height)."""
    focal: float | None = None
    """Pixels, as the EXIF data say; None: unknown."""


def load_pycolmap(verbose: bool = False) -> ModuleType:
    """The module, with its log quiet unless `verbose`. Raises UserError where it is not installed."""
    try:
        import pycolmap
    except ImportError as error:
        raise UserError(
            "finding cameras",
            f"no pycolmap ({error})",
            "the extra `sfm`",
            'pip install "pocketfield[sfm]" (from a checkout: pip install -e ".[sfm]")',
        ) from error
    pycolmap.logging.minloglevel = 0 if verbose else 3  # 3: only what ends the process
    pycolmap.logging.logtostderr = True
    return pycolmap


def find_features(
    database: Path, images: Path, groups: Sequence[Group], settings: PoseSettings
) -> None:
    """Detect features in all pictures, one calibrated camera for each group."""
    colmap = load_pycolmap()
    extraction = colmap.FeatureExtractionOptions()
    extraction.max_image_size, extraction.num_threads = settings.sfm_image_size, cores()
    total = sum(len(group.names) for group in groups)
    with _Progress("features", total, "picture", database) as progress:
        for group in groups:
            reader = colmap.ImageReaderOptions()
            reader.camera_model = settings.camera_model
            if group.focal is not None:
                reader.camera_params = _initial_parameters(settings.camera_model, group)
            progress.run(
                lambda token, group=group, reader=reader: colmap.extract_features(
                    *(database, images),
                    image_names=list(group.names),
                    camera_mode=colmap.CameraMode.SINGLE,
                    reader_options=reader,
                    extraction_options=extraction,
                    device=colmap.Device.cpu,
                    cancellation_token=token,
                )
            )


def _initial_parameters(model: str, group: Group) -> str:
    """COLMAP's parameter list with the prior focal length; it counts as known, not as a guess."""
    width, height = group.size
    known = {key: group.focal or 0.0 for key in ("f", "fl_x", "fl_y")}
    known |= {"cx": width / 2, "cy": height / 2}
    return ",".join(str(known.get(key, 0.0)) for key in _PARAMETERS[model])


def match(database: Path, names: Sequence[str], pairs: Pairs, settings: PoseSettings) -> None:
    """Compare the `pairs` of pictures and keep the matches that one rigid scene explains."""
    colmap = load_pycolmap()
    listing = database.with_name("pairs.txt")
    listing.write_text("\n".join(f"{names[i]} {names[j]}" for i, j in pairs))
    matching, pairing = colmap.FeatureMatchingOptions(), colmap.ImportedPairingOptions()
    matching.num_threads, pairing.match_list_path, pairing.block_size = cores(), listing, 100
    verification = colmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = settings.random_seed
    colmap.set_random_seed(settings.random_seed)
    with _Progress("matches", len(pairs), "pair", database) as progress:
        progress.run(
            lambda token: colmap.match_image_pairs(
                database,
                matching_options=matching,
                pairing_options=pairing,
                verification_options=verification,
                device=colmap.Device.cpu,
                cancellation_token=token,
            )
        )


def build(database: Path, images: Path, count: int, settings: PoseSettings) -> list[Any]:
    """Incremental mapping: its sub-models (`pycolmap.Reconstruction`), largest first; may be empty."""
    colmap = load_pycolmap()
    options = colmap.IncrementalPipelineOptions()
    options.num_threads, options.random_seed = cores(), settings.random_seed
    options.min_model_size = max(3, min(10, count // 3))
    colmap.set_random_seed(settings.random_seed)
    output = database.with_name("models")
    output.mkdir(exist_ok=True)
    with _Progress("cameras", count, "picture", None) as progress:
        models = progress.run(
            lambda token: colmap.incremental_mapping(
                *(database, images, output, options),
                next_image_callback=progress.count_one,
                cancellation_token=token,
            )
        )
    return sorted(models.values(), key=lambda model: -model.num_reg_images())


class _Progress:
    """A bar that follows a pycolmap call in another thread, by counting rows or by being told."""

    def __init__(self, stage: str, total: int, unit: str, database: Path | None) -> None:
        self._bar = tqdm(total=total, desc=stage, unit=unit)
        self._table, self._database, self._counted = _TABLES.get(stage), database, 0

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def count_one(self) -> None:
        """Told of one more."""
        self._counted += 1

    def run(self, call: Callable[[Any], Result]) -> Result:
        """What `call` returns or raises; Ctrl-C stops it at its next safe place and is raised then."""
        import pycolmap

        token, results, errors = pycolmap.CancellationToken(), [], []

        def work() -> None:
            try:
                results.append(call(token))
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                thread.join(0.2)
                self._look()
        except KeyboardInterrupt:
            token.cancel()
            thread.join()
            raise
        if errors:
            raise errors[0]
        self._look()
        return results[0]

    def _look(self) -> None:
        if self._table is not None and self._database is not None:
            self._counted = _rows(self._database, self._table) or self._counted
        self._bar.update(min(self._counted, self._bar.total) - self._bar.n)


def _rows(database: Path, table: str) -> int:
    try:
        connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=0)
        try:
            return int(connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.Error:  # being written, or not there yet
        return 0


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
    values = dict(zip(_PARAMETERS[model], map(float, camera.params), strict=True))
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
        ids, geometries = opened.read_two_view_geometries()
    tracks = {} if reconstruction is None else _tracks(reconstruction)
    pairs = []
    for pair_id, geometry in zip(ids, geometries, strict=True):
        if len(geometry.inlier_matches) == 0:
            continue
        a, b = colmap.pair_id_to_image_pair(pair_id)
        same, either = _agreement(tracks.get(a), tracks.get(b), np.array(geometry.inlier_matches))
        flat = "PANORAMIC" in colmap.TwoViewGeometryConfiguration(geometry.config).name
        matches = len(geometry.inlier_matches)
        pairs.append(Pair(names[a], names[b], matches, same, either, flat))
    return Comparison(features, tuple(pairs), tuple(sizes))


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
