"""How figures are printed, everywhere in the report: digits, names, and what stands where there is none."""

from export.report.markup import Cell

DIGITS = {"psnr": 2, "ssim": 4, "ms_ssim": 4, "flip": 4, "lpips": 4}
TITLES = {
    "psnr": ("PSNR, dB", "−10·log10 of the mean squared error; larger is better"),
    "ssim": ("SSIM", "structural similarity; 1 for equal pictures"),
    "ms_ssim": ("MS-SSIM", "SSIM at five sizes; 1 for equal pictures"),
    "flip": ("FLIP", "perceived difference; 0 for equal pictures"),
    "lpips": ("LPIPS", "learned perceptual distance; 0 for equal pictures"),
}
"""Metric to a column's heading, and to what it means in a few words."""
NONE = "–"


def decimal(value: float | None, digits: int = 2) -> Cell:
    """A number of a table, or a dash that is sorted last."""
    if value is None:
        return Cell(NONE, float("-inf"))
    return Cell(f"{value:.{digits}f}".replace("-", "−"), value)


def metric_cell(value: float | str | None, metric: str) -> Cell:
    """A figure; where there is none the first word of the reason ("n/a"), the rest for a pointer that rests on it."""
    if isinstance(value, str):
        return Cell(value.split(" ", 1)[0], float("-inf"), title=value)
    return decimal(value, DIGITS[metric])


def signed(value: float, digits: int = 2) -> str:
    """With its sign, zero without one.

    >>> signed(-2.213), signed(0.001)
    ('−2.21', '0.00')
    """
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")
