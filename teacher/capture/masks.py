"""Masks of photographs: white is kept, black ignored (nerfstudio's and COLMAP's polarity).

    MASKS/IMG_1.png, IMG_1.jpg.png (COLMAP's) or IMG_1.jpg --as the photograph is turned and shrunk--> masks/NAME.png

Features are not looked for in black parts, and transforms.json names the masks for training. What a mask hides is
painted over before the photograph is shrunk: neither features at its edge nor kept pixels know of it.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, UInt8
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


def read_mask(
    path: Path, photo: Image.Image, size: tuple[int, int], inverted: bool = False
) -> Bool[np.ndarray, "height width"]:
    """What is kept of a photograph, turned upright at its full size, that will be shown at `size`.

    Raises:
        UserError: it is no picture, fits the photograph neither as stored nor upright, or keeps nothing.
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
    kept = _white(np.array(mask.resize(upright, Image.Resampling.NEAREST))) != inverted
    if not kept.any():
        given, expected = "no pixel that is kept", "white where the photograph is kept"
        remedy = "turn the polarity with --invert-masks, or take the photograph out"
        raise UserError(f"mask {path}", given, expected, remedy)
    return kept


def _white(mask: UInt8[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """Light pixels; those that are not 0 in a mask that has no light ones (labels 0 and 1)."""
    return mask > (127 if mask.max() > 127 else 0)


def shrunk_mask(kept: Bool[np.ndarray, "height width"], size: tuple[int, int]) -> Image.Image:
    """White where everything that goes into a pixel of a picture of `size` is kept."""
    image = Image.fromarray(kept.astype(np.uint8) * 255)
    if image.size != size:
        image = image.resize(size, Image.Resampling.BOX, reducing_gap=None)
    return image.point([0] * 255 + [255])


def filled(
    pixels: UInt8[np.ndarray, "height width channels"], kept: Bool[np.ndarray, "height width"]
) -> UInt8[np.ndarray, "height width channels"]:
    """`pixels` with what is not `kept` in the mean colours of what is kept around it.

    So nothing of it is left to bleed where the picture is shrunk or compressed, and no edge to be taken for a detail.
    """
    weights = [kept.astype(np.float32)[..., None]]
    sums = [pixels * weights[0]]
    while max(sums[-1].shape[:2]) > 1:
        sums.append(_halved(sums[-1]))
        weights.append(_halved(weights[-1]))
    colour = sums[-1] / weights[-1]
    for total, weight in zip(sums[-2::-1], weights[-2::-1], strict=True):
        height, width = total.shape[:2]
        coarser = colour.repeat(2, 0).repeat(2, 1)[:height, :width]
        colour = np.where(weight > 0, total / np.maximum(weight, 1), coarser)
    return np.where(kept[..., None], pixels, np.rint(colour)).astype(np.uint8)


def _halved(
    values: Float32[np.ndarray, "height width channels"],
) -> Float32[np.ndarray, "half_height half_width channels"]:
    """Sums of 2 x 2 blocks; an odd side gets zeros."""
    height, width = values.shape[:2]
    padded = np.pad(values, ((0, height % 2), (0, width % 2), (0, 0)))
    return padded[::2, ::2] + padded[1::2, ::2] + padded[::2, 1::2] + padded[1::2, 1::2]
