"""Images on disk, read lazily and checked.

    file --open, turn upright, check size--> RGBA --premultiply, box filter--> RGBA at `downscale`

* uint8 sRGB with straight alpha, on disk as in what is returned. Alpha is premultiplied only while
  pixels are averaged, so that the colours of transparent pixels do not bleed into their neighbours.
* The size after shrinking is floor(size / downscale). The whole picture is kept: where a side is no
  multiple, an output pixel is the exact area-weighted mean of slightly more than `downscale` input
  pixels. The camera that belongs to it is `Camera.resized(*shrunk_size(...))`, which scales each
  axis by its true ratio.
* The camera's size decides about EXIF: SfM tools mostly read pixels as they are stored, so a
  picture is turned as its EXIF tag asks only where that, and not the stored form, fits the camera.
* What a mask hides is opaque black to everybody, from the moment a file is read: nothing downstream,
  masked or not, can depend on what was there. A shrunk pixel is kept only where all of it is.
* 16-bit samples lose their low byte, grey and palette pictures become RGBA, colour profiles are
  ignored.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image, ImageOps

from teacher.errors import UserError

# What Pillow raises on damage: SyntaxError is its word for a broken PNG, ValueError for impossible
# headers, a "bomb" is a picture whose header claims more than 179 million pixels.
_UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
_HIDDEN = (0, 0, 0, 255)  # not transparent: that would say that nothing is there


@dataclass(frozen=True)
class Header:
    """What an image file says of itself before its pixels are decoded."""

    size: tuple[int, int]
    """(width, height) as stored, in pixels."""
    has_alpha: bool


@dataclass(frozen=True)
class Picture:
    """An image file with an optional mask, shrunk by the whole number `downscale` when read."""

    path: Path
    downscale: int = 1
    mask_path: Path | None = None
    """A mask image whose non-zero pixels are kept (the polarity is turned by `mask_inverted`)."""
    mask_inverted: bool = False
    size: tuple[int, int] | None = None
    """(width, height) before shrinking, as the camera has it; None accepts what the file has."""
    matte_path: Path | None = None
    """An image whose brightness takes the place of the alpha channel."""

    def rgba(self) -> UInt8[np.ndarray, "height width 4"]:
        """Straight-alpha sRGB, opaque where the file has no alpha channel; opaque black where it is masked out.

        Raises:
            UserError: the file is missing, damaged, of an unknown kind or not of the camera's size.
        """
        with _opened(self.path, "image") as image:
            pixels = _as_rgba(_upright(image, self.size, f"image {self.path}"), self.path)
        if self.matte_path is not None:
            pixels[..., 3] = self._matte(pixels.shape[1::-1])
        kept = self._kept(pixels.shape[1::-1])
        if kept is not None:
            pixels[~kept] = _HIDDEN
        return pixels if self.downscale == 1 else _shrink_rgba(pixels, self.downscale)

    def alpha(self) -> UInt8[np.ndarray, "full_height full_width"]:
        """The alpha channel before shrinking; 255 where the file has none or a mask hides it. Raises as `rgba`."""
        alpha = self._alpha()
        kept = self._kept(alpha.shape[1::-1])
        return alpha if kept is None else np.where(kept, alpha, 255).astype(np.uint8)

    def _alpha(self) -> UInt8[np.ndarray, "full_height full_width"]:
        if self.matte_path is not None:
            return self._matte(self.size or read_header(self.path).size)
        with _opened(self.path, "image") as image:
            upright = _upright(image, self.size, f"image {self.path}")
            if upright.mode == "RGBA":
                return np.array(upright.getchannel("A"))
            return _as_rgba(upright, self.path)[..., 3]

    def _matte(self, size: tuple[int, int]) -> UInt8[np.ndarray, "full_height full_width"]:
        assert self.matte_path is not None
        with _opened(self.matte_path, "matte") as image:
            upright = _upright(image, size, f"matte {self.matte_path}")
            return np.array(Image.fromarray(_as_rgba(upright, self.matte_path)).convert("L"))

    def mask(self) -> Bool[np.ndarray, "height width"] | None:
        """True where a pixel may be used; None where all may.

        A shrunk pixel is kept only where every pixel that goes into it is.

        Raises:
            UserError: the mask is missing, damaged or not of the picture's size.
        """
        if self.mask_path is None:
            return None
        size = self.size or read_header(self.path).size
        kept = self._kept(size)
        if kept is None or self.downscale == 1:
            return kept
        width, height = shrunk_size(size, self.downscale)
        return box_filter(kept.astype(np.float32), width, height) > 1 - 1e-4

    def _kept(self, size: tuple[int, int]) -> Bool[np.ndarray, "full_height full_width"] | None:
        """The mask before shrinking, of a picture of `size`; None where there is none."""
        if self.mask_path is None:
            return None
        with _opened(self.mask_path, "mask") as image:
            upright = _upright(image, size, f"mask {self.mask_path}")
            return _nonzero(upright) != self.mask_inverted

    def check(self) -> Header:
        """Open the files without decoding them, and raise now what reading would raise later.

        Only damage inside the pixels goes unnoticed.
        """
        with _opened(self.path, "image") as image:
            _upright(image, self.size, f"image {self.path}")
            header = _header(image)
        for path, what in ((self.mask_path, "mask"), (self.matte_path, "matte")):
            if path is not None:
                with _opened(path, what) as image:
                    _upright(image, self.size or header.size, f"{what} {path}")
        return replace(header, has_alpha=header.has_alpha or self.matte_path is not None)


def read_header(path: Path) -> Header:
    """Size and kind of an image file, without its pixels. Raises UserError if it is no image."""
    with _opened(path, "image") as image:
        return _header(image)


def _header(image: Image.Image) -> Header:
    alpha = image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info
    return Header(image.size, alpha)


def shrunk_size(size: tuple[int, int], downscale: int) -> tuple[int, int]:
    """(width, height) of a picture of `size` after shrinking: rounded down, at least one pixel."""
    return max(size[0] // downscale, 1), max(size[1] // downscale, 1)


def box_filter(
    image: Float32[np.ndarray, "*channels full_height full_width"], width: int, height: int
) -> Float32[np.ndarray, "*channels height width"]:
    """Shrink the last two axes by exact area-weighted means; ratios need not be whole numbers."""
    rows = _means(np.moveaxis(image, -2, 0), height)
    return np.moveaxis(_means(np.moveaxis(rows, -1, 0), width), (0, 1), (-1, -2))


def _means(values: np.ndarray, count: int) -> np.ndarray:
    """Means over `count` equal intervals of the first axis: one row of each interval at a time."""
    full = len(values)
    edges = np.linspace(0.0, full, count + 1)
    low, high = edges[:-1], edges[1:]
    total = np.zeros((count, *values.shape[1:]), np.float32)
    for i in range(math.ceil(full / count) + 1):
        row = np.floor(low).astype(int) + i
        overlap = np.clip(np.minimum(high, row + 1) - np.maximum(low, row), 0, None)
        if overlap.any():
            weight = (overlap / (high - low)).astype(np.float32)
            total += weight.reshape(-1, *[1] * (values.ndim - 1)) * values[row.clip(max=full - 1)]
    return total


def _shrink_rgba(
    pixels: UInt8[np.ndarray, "full_height full_width 4"], downscale: int
) -> UInt8[np.ndarray, "height width 4"]:
    width, height = shrunk_size((pixels.shape[1], pixels.shape[0]), downscale)
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)).astype(np.float32)
    planes[:3] *= planes[3] / 255
    planes = box_filter(planes, width, height)
    planes[:3] *= 255 / np.maximum(planes[3], 1e-6)
    return np.rint(planes.clip(0, 255)).astype(np.uint8).transpose(1, 2, 0).copy()


@contextmanager
def _opened(path: Path, what: str) -> Iterator[Image.Image]:
    """Open an image lazily; whatever goes wrong, then or while it is decoded, names the file."""
    try:
        with Image.open(path) as image:
            yield image
    except UserError:
        raise
    except _UNREADABLE as error:
        problem = "no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise UserError(
            f"{what} {path}",
            problem,
            "a complete PNG, JPEG or other image that Pillow reads",
            "copy or export the file again, or remove its frame from the data set",
        ) from error


def _upright(image: Image.Image, size: tuple[int, int] | None, thing: str) -> Image.Image:
    """`image` as the camera saw it, see the module's docstring; a wrong size is an error."""
    if size is None or image.size == size:
        return image
    turned = ImageOps.exif_transpose(image) if image.size == size[::-1] else image
    if turned.size != size:
        raise UserError(
            thing,
            f"{image.size[0]} x {image.size[1]} pixels",
            f"its camera's {size[0]} x {size[1]} pixels",
            "use the images that the cameras were calibrated on, or mend their w and h",
        )
    return turned


def _as_rgba(image: Image.Image, path: Path) -> UInt8[np.ndarray, "height width 4"]:
    if image.mode == "F":
        raise UserError(
            f"image {path}", "floating-point samples", "8 or 16 bits each", "convert it to PNG"
        )
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow's own conversion would clip at 255
        grey = (np.array(image) >> 8).clip(0, 255).astype(np.uint8)
        return np.stack([grey, grey, grey, np.full_like(grey, 255)], -1)
    return np.array(image.convert("RGBA"))


def _nonzero(image: Image.Image) -> Bool[np.ndarray, "height width"]:
    if image.mode.startswith("I"):
        return np.array(image) != 0
    return (np.array(image.convert("RGB")) != 0).any(-1, keepdims=True)[..., 0]
