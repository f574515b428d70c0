"""Images on disk, read lazily and checked.

Contract (implemented by the data-set owner): straight-alpha uint8 RGBA at `downscale`, box-filtered in premultiplied
space so that transparent pixels' colours do not bleed; a truncated or unreadable file raises a UserError naming it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8


@dataclass(frozen=True)
class Picture:
    """An image file with an optional mask, shrunk by the whole number `downscale` when read."""

    path: Path
    downscale: int = 1
    mask_path: Path | None = None
    """A mask image whose non-zero pixels are kept (the polarity is turned by `mask_inverted`)."""
    mask_inverted: bool = False

    def rgba(self) -> UInt8[np.ndarray, "height width 4"]:
        """Straight-alpha sRGB, opaque where the file has no alpha channel."""
        raise AssertionError("being written")

    def mask(self) -> Bool[np.ndarray, "height width"] | None:
        """True where a pixel may be used; None where all may."""
        raise AssertionError("being written")
