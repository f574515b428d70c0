"""`python -m export report` on a real run: the figures are those of the stages' own evaluations."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from export.__main__ import main
from export.report.write import write_report
from export.runs import find_runs
from teacher.errors import UserError, exit_on_user_error
from tests.export.report_cases import BENCH
from tests.runs import copied


@pytest.fixture(scope="module")
def run(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of which everything has been compared once."""
    folder = copied(tiny_run, tmp_path_factory.mktemp("report") / "tiny")
    write_report([folder], folder.parent / "first.html")
    return folder


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _json(path: Path) -> Any:
    return json.loads(path.read_text())


def test_psnr_of_each_view_is_what_the_stages_measured(run: Path) -> None:
    """To 0.01 dB: one photograph, one model, one number, whoever prints it."""
    rows = _rows(run.parent / "first.csv")
    found = {(row["view"], row["model"]): row for row in rows}
    teacher, student = (_json(run / s / "eval" / "metrics.json") for s in ("teacher", "student"))
    assert {view for view, _ in found} == {row["name"] for row in teacher["per_view"]}
    for row in teacher["per_view"]:
        mine = found[row["name"], "teacher"]
        assert float(mine["psnr"]) == pytest.approx(row["metrics"]["psnr"], abs=0.01)
        assert float(mine["ssim"]) == pytest.approx(row["metrics"]["ssim"], abs=1e-4)
    for row in student["per_view"]:
        mine = found[row["name"], "student"]
        assert float(mine["psnr"]) == pytest.approx(row["truth"]["psnr"], abs=0.01)
        assert float(mine["psnr_teacher"]) == pytest.approx(row["teacher"]["psnr"], abs=0.01)
        assert float(mine["flip"]) == pytest.approx(row["truth"]["flip"], abs=1e-4)
    text = (run.parent / "first.html").read_text()
    assert f"<strong>{teacher['mean']['psnr']:.2f} <small>dB" in text
    assert f"<strong>{student['student_psnr_truth']:.2f} <small>dB" in text


def test_all_models_of_a_whole_run_are_in_the_page_and_the_table(run: Path) -> None:
    rows = _rows(run.parent / "first.csv")
    views = len(_json(run / "teacher" / "eval" / "metrics.json")["per_view"])
    assert len(rows) == 4 * views
    assert {row["model"] for row in rows} == {"teacher", "student", "onnx fp32", "onnx fp16"}
    assert {row["step"] for row in rows if row["model"] == "teacher"} == {"100"}
    assert all(float(row["milliseconds"]) > 0 and float(row["fps"]) > 0 for row in rows)
    text = (run.parent / "first.html").read_text()
    assert text.count('<article class="view"') == views
    assert "every stage is there and whole" in text


def test_a_second_report_renders_nothing(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(*_: object, **__: object) -> None:
        raise AssertionError("opened a model")

    monkeypatch.setattr("export.compare.batch.open_contenders", unexpected)
    monkeypatch.setattr("export.compare.contenders.open_contenders", unexpected)
    written = write_report([run], run.parent / "second.html")
    assert written.views == len(_rows(run.parent / "first.csv")) // 4
    assert _rows(written.csv) == _rows(run.parent / "first.csv")


def test_the_command_writes_both_files_and_says_how_large(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = run.parent / "laptop.json"
    bench.write_text(json.dumps(BENCH))
    output = run.parent / "new" / "page.html"
    arguments = [str(run), "--output", str(output), "--bench", str(bench), "--limit", "2"]
    monkeypatch.setattr("sys.argv", ["export", "report", *arguments])
    main()
    said = capsys.readouterr().out
    assert f"{output}: 2 views, " in said
    assert [row["run"] for row in _rows(output.with_suffix(".csv"))] == ["tiny"] * 8 + [bench.name]
    assert sorted(path.name for path in output.parent.iterdir()) == ["page.csv", "page.html"]
    assert "laptop.json" in output.read_text()


def _exit(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["export", "report", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_:
        exit_on_user_error(main)
    assert isinstance(exit_.value.code, int)
    return exit_.value.code


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "make demo"),
        ([], "one or more folders"),
        (["{run}", "--split", "night"], "--split"),
        (["{run}", "--output", "report.pdf"], "such as report.html"),
        (["{run}", "--bench", "nowhere.json"], "?bench"),
        (["{run}", "nowhere"], "run folder nowhere"),
    ],
)
def test_a_mistake_is_exit_status_2_and_writes_nothing(
    arguments: list[str],
    said: str,
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _exit(monkeypatch, *(text.format(run=run) for text in arguments)) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_half_finished_run_beside_a_whole_one(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = tmp_path / "half" / "tiny"  # another folder of the same name
    half.mkdir(parents=True)
    shutil.copytree(run / "teacher", half / "teacher")
    (half / "teacher" / "model.safetensors").write_bytes(b"cut off")
    written = write_report([run, half, run], tmp_path / "report.html")
    text = written.html.read_text()
    assert "half/tiny: teacher" in text
    assert "is damaged" in text
    assert "Nothing could be compared of: half/tiny." in text
    assert written.lacks >= 2
    assert {row["run"] for row in _rows(written.csv)} == {f"{run.parent.name}/tiny"}


def test_an_interruption_leaves_no_report_and_is_no_mistake(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("export.compare.batch.compare_run", interrupted)
    assert _exit(monkeypatch, run, "--output", tmp_path / "report.html") == 130
    assert list(tmp_path.iterdir()) == []


def test_reports_are_no_part_of_a_run(run: Path) -> None:
    """Comparing does not make a run look newer, or be found twice."""
    before = find_runs(run.parent)
    write_report([run], run / "report.html")
    assert find_runs(run.parent) == before
    with pytest.raises(UserError, match="--output"):
        write_report([run], run / "report")
