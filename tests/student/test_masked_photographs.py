"""A student that learns from photographs knows nothing of what their masks hide."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from student.distiller import Distiller
from student.photographs import Photographs
from teacher.pseudo.source import Source
from teacher.scene import Frame
from tests.student.conftest import SIZE
from tests.student.test_photographs import CONFIG, photograph


def _frames(ball: Source, folder: Path, hidden: int) -> list[Frame]:
    """The left half of each photograph, transparent pixels and all, is noise of seed `hidden`, seen through a lens."""
    frames = []
    for k, camera in enumerate(ball.cameras):
        frame = photograph(ball, camera, folder / f"{hidden}-{k}.png", hidden=True)
        pixels = np.array(Image.open(frame.picture.path))
        noise = np.random.default_rng(hidden).integers(0, 256, pixels.shape, np.uint8)
        pixels[:, : SIZE // 2] = noise[:, : SIZE // 2]
        Image.fromarray(pixels).save(frame.picture.path)
        lens = replace(camera, lens="opencv", distortion=(0.05, 0.0, 0.0, 0.0, 0.0))
        frames.append(replace(frame, name=str(k), camera=lens if k % 2 else camera))
    return frames


@pytest.mark.parametrize("size", [(32, 32), (20, 20)])
def test_lessons_and_judgement_are_the_same_bits(
    ball: Source, tmp_path: Path, size: tuple[int, int]
) -> None:
    """Lessons where they count, and the PSNR that chooses weights; at a size that mixes neighbours too."""
    found = []
    for hidden in range(2):
        frames = _frames(ball, tmp_path, hidden)
        photographs = Photographs(ball, frames, size, CONFIG.photographs)
        lesson = photographs.draw(64, torch.Generator().manual_seed(0))
        distiller = Distiller(CONFIG, ball.aabb, "cpu", photographs=photographs)
        score = photographs.judge(distiller.student())
        found.append((lesson.rgba * lesson.kept, lesson.kept, score))
    (one, kept, score), (other, kept_too, score_too) = found
    assert torch.equal(kept, kept_too) and 0.3 < kept.mean() < 0.6
    assert torch.equal(one, other) and score == score_too
