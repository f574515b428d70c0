"""The still life on disk: NeRF-synthetic layout, with exact geometry for the test views.

    demo.json                     what was asked for, names of the instances
    train/r_000.png ...           RGBA, straight alpha, sRGB
    test/r_000.png, r_000.npz ... the same, and depth, normals, instances (see `SurfaceMaps`)
    transforms_test.json, transforms_train.json

Each file appears whole or not at all, and the last one says that all others are there: after a
kill, the same call finishes what is missing.
"""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from tqdm import tqdm

from teacher.cameras import Camera
from teacher.demo.scene import FIELD_OF_VIEW, orbit_cameras, still_life
from teacher.demo.tracer import Rendering, SurfaceMaps, render, trace_surfaces
from teacher.errors import UserError
from teacher.files import read_json, replacing, write_json

VERSION = 1
"""Goes up when the pictures change."""
TRAIN_SAMPLES = 3
TEST_SAMPLES = 4
"""Per pixel and side. Against 16 x 16 samples, 3 x 3 reach 41 to 44 dB and 4 x 4 44 to 48 dB."""
TRAIN_OFFSET, TEST_OFFSET = 0.0, 0.5
"""Test cameras lie between training cameras in the sequence of `orbit_cameras`."""


def write_demo_scene(folder: Path, size: int = 128, train: int = 100, test: int = 20) -> None:
    """Render the built-in scene into `folder`; a repeated call goes on where the last one ended.

    Args:
        folder: created where it does not exist.
        size: width and height of the pictures, in pixels.
        train: number of training views.
        test: number of held-out views; these come with exact depth, normals and instances.

    Raises:
        UserError: a number is not positive, or the folder holds another demo scene.
    """
    _check(size, train, test)
    _claim(folder, {"version": VERSION, "size": size, "train": train, "test": test})
    splits = {
        "train": orbit_cameras(train, size, TRAIN_OFFSET),
        "test": orbit_cameras(test, size, TEST_OFFSET),
    }
    with tqdm(total=train + test, desc="demo scene", unit="view") as bar:
        for split, cameras in splits.items():
            for k, camera in enumerate(cameras):
                _write_view(folder / split / f"r_{k:03d}", camera, exact=split == "test")
                bar.update()
    for split in ("test", "train"):  # whoever sees the training cameras may rely on all the rest
        write_json(folder / f"transforms_{split}.json", _transforms(split, splits[split]))


def _check(size: int, train: int, test: int) -> None:
    for name, value in (("size", size), ("train", train), ("test", test)):
        if value < 1:
            raise UserError(
                f"the demo scene's {name}",
                str(value),
                "a whole number from 1",
                "leave it out to get the default",
            )


def _claim(folder: Path, wanted: dict[str, int]) -> None:
    """Note in `folder` what it is going to hold; refuse a folder that holds something else."""
    path = folder / "demo.json"
    if path.exists():
        found = read_json(path, "the demo scene's description", f"delete {folder}")
        given = {key: found.get(key) for key in wanted}
        if given != wanted:
            raise UserError(
                f"demo scene in {folder}",
                str(given),
                str(wanted),
                "delete the folder, or name another one",
            )
    else:
        names = ["nothing", *(thing.name for thing in still_life().things)]
        write_json(path, {**wanted, "instances": names})


def _write_view(stem: Path, camera: Camera, exact: bool) -> None:
    """Render `stem`.png, and its geometry as `stem`.npz if `exact`, unless they are there."""
    picture, maps = stem.with_suffix(".png"), stem.with_suffix(".npz")
    if exact and not maps.exists():
        _save_maps(maps, trace_surfaces(still_life(), camera))
    if not picture.exists():
        samples = TEST_SAMPLES if exact else TRAIN_SAMPLES
        pixels = straight_rgba(render(still_life(), camera, samples))
        with replacing(picture) as partial:
            Image.fromarray(pixels).save(partial, "PNG")


def straight_rgba(rendering: Rendering) -> UInt8[np.ndarray, "height width 4"]:
    """8-bit RGBA with colour divided by alpha, as PNG files keep it."""
    rgba = rendering.rgba.clone()
    rgba[..., :3] /= rgba[..., 3:].clamp_min(1e-6)
    return (rgba.clamp(0, 1) * 255 + 0.5).byte().numpy()


def _save_maps(path: Path, maps: SurfaceMaps) -> None:
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez_compressed(
            file,
            depth=maps.depth.numpy(),
            normals=maps.normals.numpy(),
            instances=maps.instances.numpy().astype(np.uint8),
        )


def _transforms(split: str, cameras: list[Camera]) -> dict[str, object]:
    frames = [
        {"file_path": f"./{split}/r_{k:03d}", "transform_matrix": camera.T_world_camera.tolist()}
        for k, camera in enumerate(cameras)
    ]
    return {"camera_angle_x": FIELD_OF_VIEW, "frames": frames}
