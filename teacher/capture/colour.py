"""A decoded frame as 8-bit sRGB, whatever it was filmed in.

* SDR (8 or 10 bits): YCbCr to RGB with the file's matrix, by FFmpeg's scaler; a file that names none is taken as
  BT.709 from 576 lines upwards, else as BT.601. The values are kept: BT.709 video is shown as sRGB, as players do.
* HDR (PQ or HLG): to linear light by the transfer function's inverse, BT.2020 to BT.709 primaries, diffuse white
  (203 cd/m², ITU-R BT.2408) to 1, highlights rolled off above SHOULDER without a change of hue, then the sRGB curve.
  A dark room and a sunny wall so share one curve: frames of a clip stay comparable.

Facts: ITU-R BT.2100-2 (tables 4 and 5), BT.2408-7, BT.2087 (primaries), IEC 61966-2-1.
"""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, UInt8, UInt16

if TYPE_CHECKING:
    from av import VideoFrame

PQ, HLG = 16, 18  # transfer characteristics, ITU-T H.273
_UNSPECIFIED = 2
_BT709, _BT601, _BT2020 = 1, 5, 9  # as FFmpeg numbers its matrices
_WHITE = 203.0  # cd/m², diffuse white of BT.2408
_HLG_PEAK = 1000.0  # cd/m², the nominal display of BT.2100
SHOULDER = 0.8
"""Linear value, of diffuse white, up to which HDR is kept as it is."""
_ROWS = 256  # converted at a time: a 4K frame in floating point would be 100 MB a copy
_RGB709_FROM_RGB2020 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    np.float32,
)
_LUMINANCE_2020 = np.array([0.2627, 0.6780, 0.0593], np.float32)

Linear = Float32[np.ndarray, "rows width 3"]


def to_srgb(frame: "VideoFrame", width: int, height: int) -> UInt8[np.ndarray, "height width 3"]:
    """The frame's pixels at `width` x `height`, not turned."""
    if frame.color_trc in (PQ, HLG):
        return _hdr_to_srgb(frame, width, height)
    matrix = frame.colorspace
    if matrix in (0, _UNSPECIFIED):
        matrix = _BT709 if frame.height >= 576 else _BT601
    matrix = {6: _BT601, 10: _BT2020}.get(int(matrix), int(matrix))
    shrinking = frame.width * frame.height > width * height
    return frame.reformat(
        *(width, height, "rgb24"),
        src_colorspace=matrix,
        interpolation="AREA" if shrinking else "BICUBIC",
    ).to_ndarray()


def _hdr_to_srgb(
    frame: "VideoFrame", width: int, height: int
) -> UInt8[np.ndarray, "height width 3"]:
    codes = frame.reformat(width, height, "yuv444p16le", interpolation="AREA").to_ndarray()
    picture = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, _ROWS):
        rows = slice(top, top + _ROWS)
        signal = rgb_of_ycbcr2020(codes[rows], full_range=frame.color_range == 2)
        linear = from_pq(signal) if frame.color_trc == PQ else from_hlg(signal)
        picture[rows] = srgb_of_hdr(linear)
    return picture


def rgb_of_ycbcr2020(codes: UInt16[np.ndarray, "rows width 3"], full_range: bool) -> Linear:
    """16-bit Y'CbCr (BT.2020, non-constant luminance) to R'G'B' in [0, 1]."""
    scaled = codes.astype(np.float32) / np.float32(65535 if full_range else 256)
    if full_range:
        y, cb, cr = scaled[..., 0], scaled[..., 1] - 0.5, scaled[..., 2] - 0.5
    else:
        y = (scaled[..., 0] - 16) / 219
        cb, cr = (scaled[..., 1] - 128) / 224, (scaled[..., 2] - 128) / 224
    red, blue = y + 1.4746 * cr, y + 1.8814 * cb
    green = (y - 0.2627 * red - 0.0593 * blue) / 0.6780
    return np.stack([red, green, blue], -1).clip(0, 1).astype(np.float32)


def from_pq(signal: Linear) -> Linear:
    """Linear light in units of diffuse white: the EOTF of SMPTE ST 2084."""
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    root = np.power(signal, 1 / m2)
    light = np.power(np.maximum(root - c1, 0) / (c2 - c3 * root), 1 / m1)
    return (10000.0 / _WHITE * light).astype(np.float32)


def from_hlg(signal: Linear) -> Linear:
    """Linear light of the nominal 1000 cd/m² display in units of diffuse white: inverse OETF, then OOTF."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal * signal / 3, (np.exp((signal - c) / a) + b) / 12)
    luminance = scene @ _LUMINANCE_2020
    gain = np.power(np.maximum(luminance, 1e-9), 0.2)[..., None]
    return (_HLG_PEAK / _WHITE * gain * scene).astype(np.float32)


def srgb_of_hdr(linear: Linear) -> UInt8[np.ndarray, "rows width 3"]:
    """Linear BT.2020 light, 1 = diffuse white, to 8-bit sRGB; see the module's docstring."""
    rgb = np.maximum(linear @ _RGB709_FROM_RGB2020.T, 0)
    peak = np.maximum(rgb.max(-1, keepdims=True), 1e-9)
    above = 1 - SHOULDER
    rolled = SHOULDER + above * (1 - np.exp(-(np.maximum(peak, SHOULDER) - SHOULDER) / above))
    rgb = rgb * np.where(peak > SHOULDER, rolled / peak, 1)
    encoded = np.where(rgb <= 0.0031308, 12.92 * rgb, 1.055 * np.power(rgb, 1 / 2.4) - 0.055)
    return np.rint(encoded.clip(0, 1) * 255).astype(np.uint8)
