"""Means and deviations are numpy's, and a single seed has no deviation."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from teacher.charts import Axes, Series, chart, to_svg
from teacher.sweep.cells import COLUMNS
from teacher.sweep.figure import lines, write_figures
from teacher.sweep.table import grouped, markdown, spread_of


def _row(frames: int, seed: int, psnr: float, steps: int = 100, **others: Any) -> dict[str, Any]:
    known = {"preset": "demo", "frames": frames, "steps": steps, "seed": seed, "psnr": psnr}
    known |= {"ssim": 0.5, "flip": 0.125, "lpips": "n/a", "last_psnr": psnr - 0.5, "best_step": 70}
    known |= {"training_seconds": 10.0, "rays_per_second": 5e4, "views": 10, "split": "test"}
    known |= {"width": 128, "height": 96, "background": "white", "device": "cpu", "threads": 2}
    return dict.fromkeys(COLUMNS, "") | known | others


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=20))
def test_mean_and_deviation_are_numpy_s(values: list[float]) -> None:
    found = spread_of(values)
    assert found.n == len(values)
    assert found.mean == pytest.approx(np.mean(values), abs=1e-9)
    if len(values) == 1:
        assert found.deviation is None
    else:
        assert found.deviation == pytest.approx(np.std(values, ddof=1), abs=1e-9)


def test_a_table_by_hand() -> None:
    """20 and 22 dB: mean 21, deviation sqrt(2) = 1.41; one seed of five frames: none, and not 0."""
    rows = [_row(3, 0, 20.0), _row(3, 1, 22.0, last_psnr=20.5), _row(5, 0, 25.0)]
    head, _, table = markdown(rows, "best").partition("\n\n")
    assert "10 views of the test split at 128×96 on white" in head
    assert "chosen by views that are not among these" in head and "cpu (torch threads: 2)" in head
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    assert cells[0] == [
        *("preset", "frames", "steps", "n", "PSNR", "SSIM", "FLIP", "kept − last, dB", "best step"),
        *("seconds", "rays/s"),
    ]
    assert cells[2][:6] == ["`demo`", "3", "100", "2", "21.00 ± 1.41", "0.5000 ± 0.0000"]
    assert cells[2][7] == "+1.00 ± 0.71"  # of 0.5 and 1.5
    assert cells[3] == [
        *("`demo`", "5", "100", "1", "25.00", "0.5000", "0.1250", "+0.50", "70", "10", "50000")
    ]
    assert "last step" in markdown(rows, "last").partition("\n\n")[0]


def test_failures_are_listed_and_not_averaged() -> None:
    rows = [_row(3, 0, 20.0), _row(3, 1, 99.0, error="no luck")]
    table = markdown(rows, "best")
    assert (
        "| 1 | 20.00 |" in table and "- preset demo, frames 3, steps 100, seed 1: no luck" in table
    )
    assert grouped(rows)[0].rows == (rows[0],)


def test_lines_join_what_only_differs_in_frames() -> None:
    """Bars only where there are several seeds; the other axis is named where it varies."""
    rows = [_row(3, 0, 20.0), _row(3, 1, 22.0), _row(12, 0, 25.0), _row(12, 0, 26.0, steps=200)]
    short, long = lines(grouped(rows), "frames")
    assert (short.name, short.x, short.y) == ("demo, 100 steps", (3.0, 12.0), (21.0, 25.0))
    assert short.spread is not None and short.spread == pytest.approx((2**0.5, 0.0))
    assert (long.name, long.x, long.spread) == ("demo, 200 steps", (12.0,), None)
    assert [line.name for line in lines(grouped(rows[:3]), "frames")] == ["demo"]


def test_a_plot_for_each_axis_that_varies(tmp_path: Path) -> None:
    rows = [_row(3, 0, 20.0), _row(12, 0, 25.0)]
    written = write_figures(grouped(rows), tmp_path, "a title")
    assert {path.name for path in written} == {"frames.svg", "frames.png"}
    assert write_figures([], tmp_path, "nothing") == []


def test_a_logarithmic_axis_names_its_places() -> None:
    """3 and 20 are no powers of ten, and are what was measured."""
    series = Series("demo", (3.0, 20.0, 100.0), (1.0, 2.0, 3.0))
    root = ElementTree.fromstring(to_svg(chart([series], Axes("frames", "dB", log_x=True))))
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert [text for text in texts if text in ("3", "20", "100")] == ["3", "20", "100"]
    assert not any("10" in (text or "") and text != "100" for text in texts)
