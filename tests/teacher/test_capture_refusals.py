"""Captures that cannot be used end with exit code 2, with what was found, and leave nothing behind."""

import re
import sys
from pathlib import Path

import pytest

import teacher.__main__ as command_line
from teacher.capture import process, video
from teacher.capture.video import Clip
from teacher.errors import exit_on_user_error
from tests.bad_captures import CAPTURES, index_first
from tests.clips import pan, write_clip

pytest.importorskip("pycolmap", reason="the extra `sfm` is not installed")

_CASES = [
    pytest.param(name, marks=[pytest.mark.slow] if capture.slow else [], id=name)
    for name, capture in CAPTURES.items()
]


def _asked(data: Path, output: Path) -> list[str]:
    """The command line of `process`."""
    return ["teacher", "process", "--data", str(data), "--output-dir", str(output)]


@pytest.mark.parametrize("name", _CASES)
def test_refused_with_advice_and_nothing_left(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither the output, nor the work folder beside it, nor the folders above it that were not there before."""
    data = CAPTURES[name].make(tmp_path)
    before = set(tmp_path.rglob("*"))
    monkeypatch.setattr(sys, "argv", _asked(data, tmp_path / "runs" / "toy" / "scene"))
    with pytest.raises(SystemExit) as ended:
        exit_on_user_error(command_line.main)
    said = capfd.readouterr().err
    assert ended.value.code == 2
    assert re.search(CAPTURES[name].says, said[said.index("error: ") :])
    assert "remedy:" in said
    assert set(tmp_path.rglob("*")) == before


def test_folders_that_were_there_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what the command made is taken away: an empty folder of the user's is not."""
    (tmp_path / "runs").mkdir()
    data = CAPTURES["zero bytes"].make(tmp_path)
    monkeypatch.setattr(sys, "argv", _asked(data, tmp_path / "runs" / "toy" / "scene"))
    with pytest.raises(SystemExit):
        exit_on_user_error(command_line.main)
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_whole_file_is_not_taken_for_half_a_copy(tmp_path: Path) -> None:
    """Index first, a last frame that is shown for long, --end before the end: all of its frames are there."""
    seconds = [*(k / 30 for k in range(19)), 9.0]
    for path in (
        index_first(write_clip(tmp_path / "first.mp4", pan(20))),
        write_clip(tmp_path / "long.mp4", pan(20), seconds=seconds),
    ):
        assert len(Clip(path).glances()) == 20
    assert len(Clip(tmp_path / "first.mp4", end=0.2).glances()) == 7


def test_a_copy_that_lacks_a_frame_is_whole_enough(tmp_path: Path) -> None:
    """Cameras that lose power leave a last frame unfinished; a tenth may be missing."""
    path = index_first(write_clip(tmp_path / "clip.mp4", pan(40)))
    content = path.read_bytes()
    path.write_bytes(content[:-800])
    assert len(Clip(path).glances()) >= (1 - video._BAD_SHARE) * 40


def test_folders_with_something_in_them_stay(tmp_path: Path) -> None:
    """A refused dry run's report, or what another program wrote meanwhile."""
    (tmp_path / "runs" / "toy").mkdir(parents=True)
    (tmp_path / "runs" / "mine.txt").write_text("mine")
    process._remove_empty([tmp_path / "runs" / "toy", tmp_path / "runs"])
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["mine.txt"]
