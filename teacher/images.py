"""Pictures as files: PNG (sRGB, straight alpha; 16-bit depth) and mp4, written atomically."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from teacher.files import replacing


def to_bytes(values: Float[Tensor, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """[0, 1] to 0...255, rounded to nearest."""
    return (values.clamp(0, 1) * 255 + 0.5).to(torch.uint8).numpy()


def straight_alpha(rgba: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 4"]:
    """Premultiplied to straight alpha; transparent pixels become black."""
    alpha = rgba[..., 3:]
    return torch.cat([(rgba[..., :3] / alpha.clamp_min(1e-6)).clamp(0, 1), alpha], -1)


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Write [h w 3], [h w 4] or [h w] (uint8, or uint16 for depth) as PNG."""
    with replacing(path) as partial:
        Image.fromarray(pixels).save(partial, format="PNG")


def write_depth_png(path: Path, depth: Float[Tensor, "height width"], unit: float = 1e-4) -> None:
    """Write depth (norm units) as 16-bit PNG in multiples of `unit`; 0 means nothing was hit."""
    write_png(path, (depth / unit + 0.5).clamp(0, 65535).numpy().astype(np.uint16))


def contact_sheet(rows: list[list[Float[Tensor, "height width 3"]]]) -> UInt8[np.ndarray, "h w 3"]:
    """Pictures of equal size, side by side and row under row, two pixels of white between them."""

    def padded(image: Tensor) -> Tensor:
        return torch.nn.functional.pad(image.permute(2, 0, 1), (1, 1, 1, 1), value=1.0)

    lines = [torch.cat([padded(image) for image in row], 2) for row in rows]
    return to_bytes(torch.cat(lines, 1).permute(1, 2, 0))


def write_mp4(path: Path, frames: Iterable[UInt8[np.ndarray, "h w 3"]], fps: int) -> None:
    """Encode `frames` as H.264; odd sizes lose their last row or column (4:2:0 needs even ones)."""
    import av  # here: a machine that only trains, such as one that is lent for minutes, does without

    with replacing(path) as partial, av.open(str(partial), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps))
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "18"}
        stream.codec_context.thread_count = 1  # what x264 writes depends on how many it has
        for k, frame in enumerate(frames):
            height, width = (side // 2 * 2 for side in frame.shape[:2])
            if k == 0:
                stream.width, stream.height = width, height
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame[:height, :width]))
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
