"""Figures of an object's own pixels are told apart from those of whole pictures, in manifest, summary and page."""

from pathlib import Path

import pytest

from export.student_run import read_measured
from student.evaluate import CROPPED
from teacher.files import write_json
from tests.export.test_student_run import METRICS


@pytest.mark.parametrize(("more", "split"), [({}, "test"), ({"crop": CROPPED}, "cropped test")])
def test_the_split_says_that_photographs_are_cut(
    tmp_path: Path, more: dict[str, str], split: str
) -> None:
    write_json(tmp_path / "metrics.json", METRICS | more)
    assert read_measured(tmp_path / "metrics.json", (64, 96)).split == split
