"""Masks of photographs: white is kept, black ignored (nerfstudio's and COLMAP's polarity).

    MASKS/IMG_1.png, IMG_1.jpg.png (COLMAP's) or IMG_1.jpg --as the photograph is turned and shrunk--> masks/NAME.png

Features are not looked for in black parts, and transforms.json names the masks for training.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from teacher.errors import UserError


def mask_name(picture: str) -> str:
    """The file of a picture's mask, by COLMAP's convention."""
    return f"{picture}.png"


def find_mask(folder: Path, photo: Path) -> Path:
    """The mask of a photograph. Raises UserError where there is none: all photographs have one, or none."""
    candidates = [folder / f"{photo.stem}.png", folder / f"{photo.name}.png", folder / photo.name]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise UserError(
        f"mask of {photo.name}",
        f"none of {', '.join(path.name for path in candidates)} in {folder}",
        "a mask for every photograph, white where it is kept",
        "add the file (white all over keeps everything), or leave out --masks",
    )


def read_mask(path: Path, photo: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The mask for a photograph that is shown turned upright at `size`.

    Raises:
        UserError: it is no picture, or fits the photograph neither as stored nor upright.
    """
    try:
        with Image.open(path) as opened:
            mask = opened.convert("L")
    except (OSError, SyntaxError, ValueError) as error:
        remedy = "export the mask again as PNG"
        raise UserError(
            f"mask {path}", str(error), "a grey or black and white picture", remedy
        ) from error
    upright = ImageOps.exif_transpose(photo).size
    if mask.size == photo.size and mask.size != upright:
        mask.getexif()[0x0112] = photo.getexif().get(0x0112, 1)
        mask = ImageOps.exif_transpose(mask)
    if mask.size != upright and mask.size != size:
        given = f"{mask.size[0]} x {mask.size[1]} pixels"
        expected = f"its photograph's {upright[0]} x {upright[1]}"
        raise UserError(
            f"mask {path}", given, expected, "make masks of the photographs as they are"
        )
    kept = np.array(mask.resize(size, Image.Resampling.NEAREST)) > 127
    return Image.fromarray(kept.astype(np.uint8) * 255)
