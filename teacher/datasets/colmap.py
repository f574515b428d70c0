"""COLMAP reconstructions: a folder of images and the sparse model of them (Schönberger and Frahm 2016).

    sparse/0 | sparse | colmap/sparse/0 --teacher.datasets.colmap_model--> Model
    Model + images/ (+ images_2/4/8, + masks/) --> RawScene

* Where a reconstruction fell apart into sub-models, the one of most pictures is taken, which need not be number 0.
* COLMAP's world is arbitrary. Its axes are turned so that +z is up (`teacher.datasets.poses.upright`), and the rotation
  is kept as `T_world_source`; its scale and origin stay as they are, to be normalised like any other's.
* Masks lie in masks/<image>.png, <image> with its own extension: black pixels are ignored. Pictures without one are
  used whole.
* Every lens that `teacher.lenses` has a formula for is read; the others are refused by name.
"""

from pathlib import Path

import torch
from jaxtyping import Float64
from torch import Tensor

from teacher.cameras import Camera, Lens
from teacher.datasets.colmap_model import ColmapCamera, ColmapImage, Model, is_model, read_model
from teacher.datasets.files import read_frames
from teacher.datasets.poses import from_opencv, upright
from teacher.datasets.raw import LoadOptions, NotThisFormat, RawScene, with_test_split
from teacher.datasets.sparse import reliable
from teacher.datasets.views import IMAGE_EXTENSIONS, View, in_numbered_folder, without_extension
from teacher.errors import UserError

_LAYOUTS = ("sparse", "colmap/sparse", ".")
_LENSES: dict[str, Lens] = {
    "SIMPLE_PINHOLE": "pinhole",
    "PINHOLE": "pinhole",
    "SIMPLE_RADIAL": "opencv",
    "RADIAL": "opencv",
    "OPENCV": "opencv",
    "FULL_OPENCV": "opencv",
    "SIMPLE_FISHEYE": "fisheye",
    "FISHEYE": "fisheye",
    "SIMPLE_RADIAL_FISHEYE": "fisheye",
    "RADIAL_FISHEYE": "fisheye",
    "OPENCV_FISHEYE": "fisheye",
}
"""Models whose parameters are focal length(s), principal point and coefficients in the order of `teacher.lenses`."""
_TWO_FOCAL_LENGTHS = ("PINHOLE", "OPENCV", "FULL_OPENCV", "FISHEYE", "OPENCV_FISHEYE")


def load(path: Path, options: LoadOptions) -> RawScene:
    """Load the data set's folder, or that of a model in it; see `teacher.datasets.raw` for what a loader does."""
    folders = _models(path)
    if not folders:
        raise NotThisFormat("it has no sparse/0 with cameras.bin and images.bin (or .txt)")
    model, warnings = _largest([read_model(folder) for folder in folders])
    images = _image_folder(path, model, options.downscale)
    root = images.parent
    poses = torch.stack([from_opencv(image.T_camera_world) for image in model.images])
    T_world_source = upright(poses)
    views = [
        _view(image, model.cameras[image.camera], T_world_source @ pose, images, options.downscale)
        for image, pose in zip(model.images, poses, strict=True)
    ]
    frames = read_frames({"train": views}, root, options)
    return RawScene(
        root.resolve().name,
        with_test_split(frames.splits, options.test_every),
        frames.has_alpha,
        T_world_source=T_world_source,
        warnings=(
            *warnings,
            *_unregistered(model, images),
            *_unmasked(views, root),
            *frames.warnings,
        ),
        points=reliable(model.points, model.tracks, T_world_source),
    )


def _models(path: Path) -> list[Path]:
    """Folders of models under the first of the known layouts that has any."""
    for layout in _LAYOUTS:
        folder = path / layout
        inside = sorted(folder.iterdir()) if folder.is_dir() and layout != "." else []
        found = [candidate for candidate in (folder, *inside) if is_model(candidate)]
        if found:
            return found
    return []


def _largest(models: list[Model]) -> tuple[Model, tuple[str, ...]]:
    """The model of most pictures, and a warning where it is one of several."""
    largest = max(models, key=lambda model: len(model.images))
    if not largest.images:
        given, remedy = "no registered image", "reconstruct again from pictures that overlap more"
        raise UserError(f"COLMAP model {largest.folder}", given, "posed images", remedy)
    others = [f"{m.folder.name} has {len(m.images)}" for m in models if m is not largest]
    if not others:
        return largest, ()
    taken = f"the reconstruction fell apart into {len(models)} models"
    return largest, (
        f"{largest.folder.parent}: {taken}; {largest.folder.name} with its {len(largest.images)} pictures is taken"
        f" and what only the others show is missing ({', '.join(others)})",
    )


def _image_folder(path: Path, model: Model, downscale: int) -> Path:
    """images/ (or its smaller copy alone) beside the model or up to three folders above it."""
    for root in (path, *model.folder.parents[:3]):
        if (root / "images").is_dir() or (root / f"images_{downscale}").is_dir():
            return root / "images"
    raise UserError(
        f"COLMAP model {model.folder}",
        f"no folder images/ in {path} or above the model",
        "the pictures that the model was made from, in images/",
        "copy or link them there",
    )


def _view(
    image: ColmapImage,
    calibration: ColmapCamera,
    T_world_camera: Float64[Tensor, "4 4"],
    images: Path,
    downscale: int,
) -> View:
    file, masks = images / image.name, images.parent / "masks"
    camera = camera_of(calibration, T_world_camera, image.name)
    candidates = [masks / f"{image.name}.png", masks / f"{without_extension(image.name)}.png"]
    mask = next((candidate for candidate in candidates if candidate.is_file()), None)
    return View(
        image.name,
        file,
        lambda size: camera,
        (camera.width, camera.height),
        mask,
        small=in_numbered_folder(file, images, downscale),
        small_mask=mask and in_numbered_folder(mask, masks, downscale),
    )


def camera_of(
    calibration: ColmapCamera, T_world_camera: Float64[Tensor, "4 4"], name: str
) -> Camera:
    """Our camera of a COLMAP calibration and a pose; raises UserError where no lens of ours is its model."""
    if calibration.model not in _LENSES:
        raise UserError(
            f"image {name!r} of a COLMAP model",
            f"camera model {calibration.model}",
            ", ".join(_LENSES),
            "undistort the images (colmap image_undistorter) and load what that writes, or reconstruct with"
            " --ImageReader.camera_model OPENCV (OPENCV_FISHEYE for a wide lens)",
        )
    two = calibration.model in _TWO_FOCAL_LENGTHS
    fx, fy, cx, cy, *k = (
        calibration.parameters if two else (calibration.parameters[0], *calibration.parameters)
    )
    if min(fx, fy) <= 0:
        given, remedy = f"focal lengths {fx}, {fy}", "reconstruct again"
        raise UserError(f"image {name!r} of a COLMAP model", given, "positive ones", remedy)
    lens = _LENSES[calibration.model]
    lens = "pinhole" if lens == "opencv" and not any(k) else lens
    size = calibration.width, calibration.height
    return Camera(
        T_world_camera, fx, fy, cx, cy, *size, lens, tuple(k) if lens != "pinhole" else ()
    )


def _unregistered(model: Model, images: Path) -> tuple[str, ...]:
    """A warning where the folder has pictures that the reconstruction could not place."""
    files = images.rglob("*") if images.is_dir() else ()
    names = {
        f.relative_to(images).as_posix() for f in files if f.suffix.lower() in IMAGE_EXTENSIONS
    }
    left = sorted(names - {image.name for image in model.images})
    if not left:
        return ()
    shown = ", ".join(left[:5]) + (", ..." if len(left) > 5 else "")
    return (
        f"{model.folder}: {len(left)} of {len(names)} pictures in {images} have no pose: {shown}",
    )


def _unmasked(views: list[View], root: Path) -> tuple[str, ...]:
    without = [view.listed for view in views if view.mask is None]
    if not without or not (root / "masks").is_dir():
        return ()
    return (
        f"{root / 'masks'}: none for {len(without)} of {len(views)} pictures, which are used whole (first:"
        f" {without[0]}.png)",
    )
