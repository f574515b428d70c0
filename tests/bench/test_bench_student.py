"""The students' benchmark: its slope and figure in closed form, and that all of its lines run."""

import dataclasses
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch

from student import presets
from student.presets import PoolConfig
from teacher.cameras import Camera, look_at
from teacher.errors import UserError
from teacher.pseudo import source as sources
from teacher.pseudo.envelope import fit_envelope
from teacher.pseudo.source import Source
from teacher.pseudo.view import View
from tests.bench import bench_student, curves, report
from tests.bench.bench_student import Bench

PRESET = dataclasses.replace(
    presets.PRESETS["test"][1], size=(16, 16), pool=PoolConfig(8, 2), eval_points=6, eval_views=1
)


def test_the_slope_of_a_line_is_its_own() -> None:
    """Of the last third alone: what came before has no say."""
    line = [(float(x), 2.0 * x - 3) for x in range(10)]
    assert curves.slope(line, 1.0) == pytest.approx(2)
    bent = [(float(x), 5.0 * x if x < 6 else 30 + 0.25 * x) for x in range(10)]
    assert curves.slope(bent) == pytest.approx(0.25)
    with pytest.raises(ValueError, match="two are needed"):
        curves.slope([(0.1, 3.0), (9.0, 4.0)])


def test_the_slope_is_the_least_squares_lines() -> None:
    """Errors of +1, -2, +1 around a line are orthogonal to it."""
    found = curves.slope([(0.0, 1.0), (1.0, 1.0 - 2.0), (2.0, 2.0 + 1.0)], 1.0)
    assert found == pytest.approx(1.0)


def test_the_figure_has_a_line_for_each_curve() -> None:
    """Well-formed; time runs to the right and decibels upwards; a legend says where each ends."""
    text = curves.figure({"a<b": [(1, 20), (2, 25)], "c": [(1, 18), (2, 19.9)]}, "t")
    root = ElementTree.fromstring(text)
    groups = [e for e in root.iter() if (e.get("id") or "").startswith("line2d_")]
    colours = ("stroke: #0b62a4", "stroke: #c4501b")
    paths = [path for group in groups for path in group if "clip-path" in path.keys()]
    for colour in colours:
        d = next(p.get("d") or "" for p in paths if colour in (p.get("style") or ""))
        (x0, y0), (x1, y1) = (tuple(map(float, p.split())) for p in d.strip()[1:].split("L"))
        assert x0 < x1 and y1 < y0
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert {"a<b 25.0 dB", "c 19.9 dB", "minutes", "dB", "t"} <= set(texts)


class Directions:
    """A scene that costs nothing: every ray shows its own direction, at the origin's distance."""

    def render(self, camera: Camera) -> View:
        """Opaque everywhere."""
        rgb = 0.5 + 0.5 * camera.rays().directions.reshape(camera.height, camera.width, 3)
        rgba = torch.cat([rgb, torch.ones_like(rgb[..., :1])], -1)
        return View(camera, rgba, camera.position.norm().expand(rgba.shape[:2]))


def _directions(path: str | Path) -> Source:
    places = torch.tensor([[3.0, 0, 1], [0, 3.0, 1], [-3.0, 0, 1], [0, -3.0, 1]])
    poses = [look_at(place, torch.zeros(3)) for place in places]
    cameras = tuple(Camera(pose, 20.0, 20.0, 8.0, 8.0, 16, 16) for pose in poses)
    box = torch.tensor([[-1.0] * 3, [1.0] * 3])
    return Source("demo", Directions(), fit_envelope(cameras), box, cameras, "directions")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Half a second at 16 px, for two presets."""
    monkeypatch.setattr(sources, "OPENERS", {"demo": _directions})
    table = {"tiny": ("", PRESET), "mobile_r2l_small": ("", dataclasses.replace(PRESET, seed=1))}
    for module in (presets, bench_student):
        monkeypatch.setattr(module, "PRESETS", table)
    monkeypatch.setattr("student.budget.PRESETS", table)
    monkeypatch.setattr("student.evaluate.IMAGINED_VIEWS", 2)
    (tmp_path / "benchmarks.md").write_text(
        "".join(f"<!-- {n}: begin -->\n<!-- {n}: end -->\n" for n in ("student", "student-oracle"))
    )
    (tmp_path / "student.md").write_text("<!-- budgets: begin -->\n<!-- budgets: end -->\n")
    return Bench(
        tuple(table),
        oracle=True,
        minutes=0.01,
        output=tmp_path / "x.json",
        folder=tmp_path / "runs",
        docs=tmp_path,
        write=True,
    )


def test_students_are_compared_and_not_trained_twice(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.run()
    assert bench.output is not None
    found = json.loads(bench.output.read_text())["presets"]
    assert list(found) == ["tiny", "mobile_r2l_small"]
    for row in found.values():
        assert {"psnr_teacher", "psnr_truth", "gflop", "mbytes", "minutes", "traffic"} <= row.keys()
        assert row["psnr_teacher"] > 5 and row["psnr_truth"] is None
        assert row["resolution"] == [16, 16] and row["steps"] >= 1
        assert row["curve"] and all(point["teacher"] > 5 for point in row["curve"])
        assert row["minutes"] >= 0.9 * 0.01  # a budget is kept within a tenth
    page = (bench.docs / "benchmarks.md").read_text()
    assert "| `mobile_r2l_small` |" in page and "the analytic scene itself" in page
    assert "| `tiny` |" in (bench.docs / "student.md").read_text()
    assert (bench.docs / "student_oracle.svg").read_text().startswith("<svg")

    trained: list[str] = []
    measured = bench_student.summary

    def note(name: str, run: Path, metrics: dict[str, Any]) -> dict[str, Any]:
        trained.append(name)
        return measured(name, run, metrics)

    monkeypatch.setattr(bench_student, "summary", note)
    bench.run()
    assert trained == []
    dataclasses.replace(bench, presets=("tiny",), again=True).run()
    assert trained == ["tiny"]
    dataclasses.replace(bench, presets=("mobile_r2l_small",), minutes=0.011).run()
    assert trained == ["tiny", "mobile_r2l_small"]
    assert "dB from `mobile_r2l_small`" in capsys.readouterr().out


def test_defaults_are_the_issues() -> None:
    """Five minutes of a teacher, fifteen of the oracle; unknown presets are named."""
    side, oracle = Bench(), Bench(oracle=True)
    assert side._presets() == ("tiny", "mobile_r2l_small") and oracle._presets() == ("tiny",)
    assert side._config("tiny").minutes == 5 and oracle._config("tiny").minutes == 15
    assert side._output() == report.FOLDER / "student.json" != oracle._output()
    with pytest.raises(UserError, match="mobile_r2l_small"):
        side._config("tinny")


def test_a_finished_teacher_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[Any, ...]] = []
    monkeypatch.setattr("teacher.train.train", lambda *given: called.append(given))
    monkeypatch.setattr(bench_student, "write_demo_scene", lambda path: called.append((path,)))
    (tmp_path / "progress.json").write_text('{"complete": true}')
    bench_student.ensure_teacher(tmp_path)
    assert called == []
    bench_student.ensure_teacher(tmp_path / "new" / "teacher")
    assert called[0] == (tmp_path / "new" / "still-life",)
    assert called[1][2] == tmp_path / "new" / "teacher"


@pytest.mark.parametrize(
    ("page", "names"),
    [("benchmarks.md", ("student", "student-oracle")), ("student.md", ("budgets",))],
)
def test_the_documents_have_the_students_sections(page: str, names: tuple[str, ...]) -> None:
    text = (report.ROOT / "docs" / page).read_text()
    for name in names:
        assert text.count(f"<!-- {name}: begin -->") == text.count(f"<!-- {name}: end -->") == 1
