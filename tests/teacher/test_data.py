"""The pixel pool: which pixel is which ray, uniform draws, masks, sizes that differ, and bytes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from teacher.cameras import Camera, look_at
from teacher.data import PixelPool, RayBatch
from teacher.errors import UserError
from teacher.lenses import Lens
from teacher.pictures import Picture
from teacher.scene import Frame
from tests.waiting import not_waiting

SIZES = ((7, 5), (4, 6), (3, 3))
"""(width, height) of three pictures."""


def _pixels(number: int, width: int, height: int) -> np.ndarray:
    """Each pixel says whose it is: (number, row, column), opaque."""
    v, u = np.mgrid[:height, :width]
    return np.stack([np.full_like(u, number), v, u, np.full_like(u, 255)], -1).astype(np.uint8)


def _frames(
    folder: Path, masks: dict[int, np.ndarray] | None = None, lenses: Sequence[Lens] = ()
) -> list[Frame]:
    frames = []
    for number, (width, height) in enumerate(SIZES):
        path, mask_path = folder / f"{number}.png", None
        Image.fromarray(_pixels(number, width, height)).save(path)
        if masks and number in masks:
            mask_path = folder / f"{number}.mask.png"
            Image.fromarray(masks[number].astype(np.uint8) * 255).save(mask_path)
        pose = look_at(torch.tensor([1.0 + number, -2.0, 0.5]), torch.zeros(3))
        lens = lenses[number] if lenses else "pinhole"
        shape = (0.1,) if lens != "pinhole" else ()
        camera = Camera(pose, 8.0, 9.0, width / 2, height / 2, width, height, lens, shape)
        picture = Picture(path, mask_path=mask_path, size=(width, height))
        frames.append(Frame(str(number), picture, camera))
    return frames


def _draw(pool: PixelPool, count: int) -> tuple[Tensor, Tensor, Tensor, RayBatch]:
    """Number, row and column of each drawn pixel, as its colour says; and the batch."""
    batch = pool.draw(count, torch.Generator().manual_seed(0))
    number, row, column, alpha = (batch.rgba * 255).round().long().unbind(-1)
    assert (alpha == 255).all()
    return number, row, column, batch


def test_a_pixel_s_colour_ray_and_frame_belong_together(tmp_path: Path) -> None:
    """The ray of a drawn pixel is the one that its own camera casts through that pixel's centre."""
    frames = _frames(tmp_path)
    number, row, column, batch = _draw(PixelPool(frames), 400)
    assert torch.equal(batch.frames, number)
    for k, frame in enumerate(frames):
        mine = number == k
        index = row[mine] * frame.camera.width + column[mine]
        expected = frame.camera.rays()[index]
        torch.testing.assert_close(batch.rays.directions[mine], expected.directions)
        torch.testing.assert_close(batch.rays.origins[mine], expected.origins)


def test_draws_are_uniform_over_the_pixels_of_all_pictures(tmp_path: Path) -> None:
    """Chi-square over all 68 pixels: a picture weighs as much as it has pixels."""
    number, row, column, _ = _draw(PixelPool(_frames(tmp_path)), 68 * 200)
    pixels, counts = torch.stack([number, row, column]).unique(dim=1, return_counts=True)
    assert pixels.shape[1] == 68
    chi_square = float(((counts - 200) ** 2 / 200).sum())
    assert chi_square < 67 + 4 * (2 * 67) ** 0.5


def test_masked_pixels_are_never_drawn(tmp_path: Path) -> None:
    """A picture without a mask is used as a whole."""
    keep = np.zeros((6, 4), bool)
    keep[1, 2] = keep[5, 3] = True
    pool = PixelPool(_frames(tmp_path, {1: keep, 2: np.zeros((3, 3), bool)}))
    number, row, column, _ = _draw(pool, 2000)
    assert len(pool) == 35 + 2
    drawn = set(zip(*(x.tolist() for x in (number, row, column)), strict=True))
    assert {p for p in drawn if p[0]} == {(1, 1, 2), (1, 5, 3)}
    assert len(drawn) == 37


def test_masks_that_leave_nothing_are_an_error(tmp_path: Path) -> None:
    masks = {k: np.zeros((h, w), bool) for k, (w, h) in enumerate(SIZES)}
    with pytest.raises(UserError, match="polarity"):
        PixelPool(_frames(tmp_path, masks))


def test_pictures_stay_bytes(tmp_path: Path) -> None:
    """Four bytes a pixel is all that the pool keeps of pictures; a batch alone is floating-point."""
    pool = PixelPool(_frames(tmp_path))
    assert pool.pixels.dtype == torch.uint8 and pool.pixels.shape == (68, 4)
    kept = [x for x in vars(pool).values() if isinstance(x, Tensor) and x.is_floating_point()]
    assert not kept


@pytest.mark.parametrize("lenses", [(), ("pinhole", "opencv", "fisheye")], ids=["one", "mixed"])
def test_a_draw_on_a_gpu_waits_for_nothing(tmp_path: Path, lenses: Sequence[Lens]) -> None:
    """On tensors without values, whether or not cameras have the same lens; masked."""
    frames = _frames(tmp_path, {0: np.eye(5, 7, dtype=bool)}, lenses)
    pool = PixelPool(frames, "meta")
    pool.draw(10, torch.Generator())  # tables that are sent once
    with not_waiting():
        batch = pool.draw(10, torch.Generator())
    assert batch.rgba.is_meta and batch.rays.origins.is_meta and batch.frames.is_meta
