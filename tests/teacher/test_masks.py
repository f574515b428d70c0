"""What masks hide is nowhere: another picture there gives the same bits, in every way that masks come in."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Bool, UInt8
from PIL import Image
from torch import Tensor

from student.held_out import pinhole_picture
from teacher.capture.frames import extract
from teacher.capture.masks import filled, shrunk_mask
from teacher.capture.settings import FrameSettings
from teacher.datasets import load_scene
from teacher.errors import UserError
from teacher.evaluate import evaluate
from teacher.fields.hash_grid import HashGridConfig
from teacher.ops.hash_encode import HashGrid
from teacher.pictures import Picture
from teacher.presets import DataConfig, TrainConfig
from teacher.samplers.density_grid import DensityGridConfig
from teacher.samplers.occupancy import OccupancyConfig
from teacher.samplers.proposal import ProposalConfig
from teacher.train import train
from teacher.trainer import Trainer
from tests.captures import write_colmap_text
from tests.scenes import Shot, edited, orbiting, write_nerfstudio

SIZE = (40, 30)
GRID = HashGrid(levels=3, features=4, log2_size=10, finest=32)
TINY = TrainConfig(
    field=HashGridConfig(GRID, width=16, mixed=False),
    sampler=OccupancyConfig(resolution=32, step=0.08, warmup=32),
    steps=24,
    samples_per_step=1 << 11,
    first_rays=64,
    eval_every=12,
)
PROPOSALS = ProposalConfig(
    samples=8, proposals=(16,), finest=(32,), density=DensityGridConfig(replace(GRID, features=2))
)
Pixels = UInt8[np.ndarray, "height width channels"]
Kept = Bool[np.ndarray, "height width"]


def _kept(number: int) -> Kept:
    """An ellipse that moves from picture to picture, and one pixel alone."""
    v, u = np.mgrid[: SIZE[1], : SIZE[0]]
    kept = ((u - 18 - number % 4) / 11) ** 2 + ((v - 15) / 9) ** 2 < 1
    kept[2, 3] = True
    return kept


def _shots(hidden: int, channels: int = 4) -> list[Shot]:
    """Nine pictures of noise; what masks hide is noise of another seed, `hidden`, and transparent here and there."""
    shots = []
    for k in range(9):
        shown = np.random.default_rng(k).integers(0, 256, (*SIZE[::-1], channels), np.uint8)
        other = np.random.default_rng(99 + hidden).integers(0, 256, shown.shape, np.uint8)
        shown[..., 3:] = 255
        camera = orbiting(0.7 * k, size=SIZE)
        pixels = np.where(_kept(k)[..., None], shown, other)
        shots.append(Shot(f"{k:03}", camera, pixels, test=k % 8 == 0))
    return shots


def _save_masks(folder: Path, name: str, white_is: bool = True) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(9):
        mask = (_kept(k) == white_is).astype(np.uint8) * 255
        Image.fromarray(mask).save(folder / name.format(k))


def _by_path(folder: Path, hidden: int) -> Path:
    write_nerfstudio(folder, _shots(hidden))
    _save_masks(folder / "masks", "{:03}.png")

    def name(document: dict) -> None:
        for k, frame in enumerate(document["frames"]):
            frame["mask_path"] = f"masks/{k:03}.png"

    return edited(folder, name)


def _beside(folder: Path, hidden: int) -> Path:
    """instant-ngp's: white is hidden."""
    write_nerfstudio(folder, _shots(hidden))
    _save_masks(folder / "images", "dynamic_mask_frame_{:03}.png", white_is=False)
    return folder


def _colmap(folder: Path, hidden: int) -> Path:
    write_colmap_text(folder, _shots(hidden))
    names = sorted(path.name for path in (folder / "images").iterdir())
    (folder / "masks").mkdir()
    for k, name in enumerate(names):
        Image.fromarray(_kept(k).astype(np.uint8) * 255).save(folder / "masks" / f"{name}.png")
    return folder


def _alpha(folder: Path, hidden: int) -> Path:
    """Colours under transparent pixels."""
    shots = _shots(hidden)
    for k, shot in enumerate(shots):
        shot.rgba[..., 3] = _kept(k) * 255
    write_nerfstudio(folder, shots)
    return folder


WAYS: dict[str, Callable[[Path, int], Path]] = {
    "mask_path": _by_path,
    "dynamic_mask": _beside,
    "colmap": _colmap,
    "alpha": _alpha,
}


def _trained(data: Path, config: TrainConfig) -> dict[str, Tensor]:
    trainer = Trainer(DataConfig(data, downscale=2).load(), config)
    for _ in range(config.steps):
        trainer.train_step()
    return trainer.state()[0]


@pytest.mark.parametrize("way", [*WAYS, "mask_path, proposals"])
def test_training_knows_nothing_of_what_masks_hide(tmp_path: Path, way: str) -> None:
    """The same bits, of weights, optimiser and occupancy grid, though half of the pixels are others."""
    write, *proposals = way.split(", ")
    config = replace(TINY, sampler=PROPOSALS if proposals else TINY.sampler)
    one, other = (_trained(WAYS[write](tmp_path / str(k), k), config) for k in range(2))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_what_masks_keep_is_learned_from(tmp_path: Path) -> None:
    """The test above could not fail if nothing mattered: one kept pixel, of another colour, changes weights."""
    data = _by_path(tmp_path, 0)
    before = _trained(data, TINY)
    path = data / "images/frame_001.png"
    pixels = np.array(Image.open(path))
    pixels[12:18, 15:22] ^= 255
    pixels[..., 3] = 255
    Image.fromarray(pixels).save(path)
    after = _trained(data, TINY)
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_scores_know_nothing_of_what_masks_hide(tmp_path: Path) -> None:
    """Neither PSNR, SSIM and the like of `teacher eval`, nor the box and what pictures without a lens show."""
    scores, pictures = [], []
    for hidden in range(2):
        data = DataConfig(_by_path(tmp_path / f"data{hidden}", hidden))
        run = tmp_path / f"run{hidden}"
        train(data, replace(TINY, steps=6), run)
        scores.append([row["metrics"] for row in evaluate(run, "test", "white")["per_view"]])
        scene = data.load()
        assert not scene.has_alpha  # transparency is hidden too
        for frame in scene.splits["test"]:
            lens = replace(frame.camera, lens="opencv", distortion=(0.1, 0.02, 0.01, -0.01, 0.0))
            _, rgba, kept = pinhole_picture(replace(frame, camera=lens), (12, 17))
            pictures.append(rgba[kept])
    assert scores[0] == scores[1]
    half = len(pictures) // 2
    assert all(map(torch.equal, pictures[:half], pictures[half:]))


def test_processing_photographs_knows_nothing_of_what_masks_hide(tmp_path: Path) -> None:
    """The pictures from which features and training come are the same files, though JPEG mixes neighbours."""
    _save_masks(tmp_path / "masks", "{:03}.png")
    _save_masks(tmp_path / "black", "{:03}.png", white_is=False)
    written = []
    for hidden, inverted in ((0, False), (1, False), (1, True)):
        photos, images = tmp_path / f"photos{len(written)}", tmp_path / str(len(written)) / "images"
        photos.mkdir()
        for shot in _shots(hidden, channels=3):
            Image.fromarray(shot.rgba).save(photos / f"{shot.name}.png")
        masks = tmp_path / ("black" if inverted else "masks")
        settings = FrameSettings(max_image_size=27, masks=masks, invert_masks=inverted)
        extract(photos, images, settings)
        files = sorted(images.parent.rglob("*.*g"))
        written.append([path.read_bytes() for path in files])
    assert len(written[0]) == 18 and written[0] == written[1] == written[2]


def test_no_colour_bleeds_over_the_edge_of_a_mask(tmp_path: Path) -> None:
    """Green is kept, white and red are hidden: kept pixels are green, whatever they were shrunk to; mixed ones go."""
    pixels = np.zeros((37, 53, 3), np.uint8)
    kept = np.zeros(pixels.shape[:2], bool)
    kept[5:29, 11:38] = True
    pixels[:] = (255, 255, 255)
    pixels[:, :20] = (255, 0, 0)
    pixels[kept] = (0, 200, 0)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(kept.astype(np.uint8) * 255).save(tmp_path / "mask.png")
    for downscale in (1, 2, 3, 5):
        picture = Picture(tmp_path / "a.png", downscale, tmp_path / "mask.png", size=(53, 37))
        mask = picture.mask()
        assert mask is not None and mask.any()
        assert (picture.rgba()[mask] == (0, 200, 0, 255)).all()
        assert mask.sum() <= kept.sum() / downscale**2
    whole = Picture(tmp_path / "a.png", mask_path=tmp_path / "mask.png")
    assert (whole.rgba()[~kept] == (0, 0, 0, 255)).all()
    painted = filled(pixels, kept)
    for size in ((53, 37), (26, 18), (31, 22)):
        small = Image.fromarray(painted).resize(size, Image.Resampling.BOX, reducing_gap=None)
        assert (np.array(small)[np.array(shrunk_mask(kept, size)) > 0] == (0, 200, 0)).all()
    assert (painted == (0, 200, 0)).all()  # the only colour there is


def test_a_copy_that_somebody_shrunk_does_not_stand_in_for_a_masked_picture(tmp_path: Path) -> None:
    """`images_2` was mixed by who knows whom; where only copies are left, they do."""
    data = _by_path(tmp_path, 0)
    for folder in ("images", "masks"):
        (data / f"{folder}_2").mkdir()
        for path in (data / folder).iterdir():
            Image.open(path).resize((20, 15)).save(data / f"{folder}_2" / path.name)
    picture = load_scene(data, downscale=2).splits["train"][0].picture
    assert (picture.path.parent.name, picture.downscale) == ("images", 2)
    for path in (data / "images").iterdir():
        path.unlink()
    picture = load_scene(data, downscale=2).splits["train"][0].picture
    assert (picture.path.parent.name, picture.downscale) == ("images_2", 1)


@pytest.mark.parametrize("way", ["mask_path", "dynamic_mask", "colmap"])
def test_the_polarity_of_each_way_can_be_turned(tmp_path: Path, way: str) -> None:
    """Two conventions, one option: what is kept is what was hidden."""
    data = WAYS[way](tmp_path, 0)
    for inverted in (False, True):
        frames = load_scene(data, invert_masks=inverted).splits["train"]
        for frame in frames:
            number = int(frame.name.split("_")[-1])
            np.testing.assert_array_equal(frame.picture.mask(), _kept(number) != inverted)


def test_masks_that_hide_everything_are_told(tmp_path: Path) -> None:
    """One: its picture is left out, with a warning. All: an error that says how to turn them."""
    data = _by_path(tmp_path, 0)
    Image.new("L", SIZE).save(data / "masks/003.png")
    scene = load_scene(data)
    assert "masks hide 1 of 9 frames altogether: images_frame_003" in scene.warnings[0]
    assert len(scene.splits["train"]) == 6
    for path in (data / "masks").iterdir():
        Image.new("L", SIZE).save(path)
    with pytest.raises(UserError, match="--invert-masks"):
        load_scene(data)
    assert len(load_scene(data, invert_masks=True).splits["train"]) == 7


def test_processing_names_a_mask_that_keeps_nothing(tmp_path: Path) -> None:
    """And labels 0 and 1 will do for black and white."""
    _save_masks(tmp_path / "masks", "{:03}.png")
    (tmp_path / "photos").mkdir()
    for shot in _shots(0, channels=3):
        Image.fromarray(shot.rgba).save(tmp_path / "photos" / f"{shot.name}.png")
    settings = FrameSettings(masks=tmp_path / "masks")
    labels = _kept(4).astype(np.uint8)
    Image.fromarray(labels).save(tmp_path / "masks/004.png")
    extract(tmp_path / "photos", tmp_path / "work/images", settings)
    np.testing.assert_array_equal(
        np.array(Image.open(tmp_path / "work/masks/004.jpg.png")) > 0, _kept(4)
    )
    Image.new("L", SIZE).save(tmp_path / "masks/004.png")
    with pytest.raises(UserError, match=r"mask .*004\.png\n.*no pixel that is kept"):
        extract(tmp_path / "photos", tmp_path / "work/images", settings)
