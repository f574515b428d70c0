"""Curves, trade-offs, summaries, CSV rows and benches of the report, against figures worked out by hand."""

import copy
import csv
import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from export.compare.records import ViewRecord
from export.report import benches
from export.report.benches import Bench, read_bench
from export.report.csv import COLUMNS, csv_text, rows
from export.report.curves import MEASURES, curve_chart, read_log, training_curves
from export.report.facts import facts_of
from export.report.summary import (
    main_reference,
    means,
    novelty_buckets,
    rank_correlation,
    worst_first,
)
from export.report.tradeoff import rate_distortion, tradeoff_chart
from export.runs import Run, read_run
from teacher.charts import to_svg
from teacher.errors import UserError
from tests.conftest import ROOT
from tests.export.report_cases import BENCH, record, scores, without_truth
from tests.export.test_runs import make_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return read_run(make_run(tmp_path / "demo"))


def _folder(path: Path | None) -> Path:
    assert path is not None
    return path


def _split(*sizes: int) -> dict[str, Any]:
    shader, network, shade, tables = ({"bytes": size} for size in sizes)
    stages = {"encode": {"shader": shader}, "network": network, "shade": {"shader": shade}}
    return {**stages, "tables": tables, "gflop": 0.5, "psnr": 75.0}


def _write_manifest(run: Run, **changes: object) -> None:
    path = _folder(run.bundle) / "manifest.json"
    model = {"file": "student.fp32.onnx", "width": 8, "height": 6, "gflop": 0.4, "psnr": 100.0}
    models = [
        {**model, "precision": "fp32", "bytes": 2_000_000, "split": None},
        {**model, "precision": "fp16", "bytes": 1_000_000, "split": _split(1, 2, 3, 499_994)},
    ]
    path.write_text(json.dumps({**json.loads(path.read_text()), "models": models, **changes}))


# --- curves ---


def test_curves_are_of_minutes_and_know_truth_from_teacher(run: Run) -> None:
    lines = [
        {"step": 10, "seconds": 30, "loss": 0.5, "psnr": 20.0},
        {"step": 10, "seconds": 30, "test_psnr": 21.0},
        {"step": 20, "seconds": 60, "loss": 0.25, "psnr": float("nan")},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines) + '{"step": 30, "sec'
    (_folder(run.teacher) / "log.jsonl").write_text(text)
    student = {"step": 5, "seconds": 90, "test_psnr_teacher": 31.0, "test_psnr_truth": 29.0}
    (_folder(run.student) / "log.jsonl").write_text(json.dumps(student))
    found = {(curve.stage, curve.measure): curve for curve in training_curves(run)}
    assert found["teacher", "loss"].minutes == (0.5, 1.0)
    assert found["teacher", "loss"].values == (0.5, 0.25)
    assert found["teacher", "psnr"].values == (20.0,)
    assert found["teacher", "test_psnr"].steps == (10,)
    assert found["student", "test_psnr"].values == (29.0,)
    assert found["student", "test_psnr_teacher"].values == (31.0,)
    assert len(found) == 5


def test_long_logs_are_thinned_and_keep_both_ends(run: Run) -> None:
    log = _folder(run.teacher) / "log.jsonl"
    lines = [json.dumps({"step": k, "seconds": k, "loss": k}) for k in range(5001)]
    log.write_text("\n".join(lines))
    (curve,) = training_curves(run)
    assert len(curve.values) == 400
    assert (curve.values[0], curve.values[-1]) == (0.0, 5000.0)
    assert max(b - a for a, b in zip(curve.values, curve.values[1:], strict=False)) <= 13


def test_missing_and_damaged_logs_have_no_curves(run: Run) -> None:
    assert training_curves(run) == []
    (_folder(run.teacher) / "log.jsonl").write_bytes(b"\xff\n[1]\n")
    assert training_curves(run) == []
    assert read_log(_folder(run.teacher)) == []
    assert "nothing to draw" in to_svg(curve_chart([], "loss"))
    assert set(MEASURES) >= {"loss", "psnr", "test_psnr"}


# --- means, order, novelty ---


def test_means_are_over_views_for_each_model_and_reference() -> None:
    found = {
        (mean.model, mean.reference): mean for mean in means([record("a", 30.0), record("b", 34.0)])
    }
    student = found["student", "truth"]
    assert student.scores["psnr"] == 32.0
    assert student.scores["ssim"] == pytest.approx(0.8)
    assert student.scores["lpips"] == "n/a (no weights: $POCKETFIELD_LPIPS_WEIGHTS)"
    assert (student.views, student.deviation) == (2, 2.0)
    assert found["teacher", "truth"].scores["psnr"] == 34.0
    assert found["student", "teacher"].scores["psnr"] == 33.0
    assert found["onnx fp16", "student"].scores["psnr"] == 74.0
    assert ("teacher", "teacher") not in found
    assert [model for model, reference in found if reference == "truth"] == [
        *("teacher", "student", "onnx fp32", "onnx fp16")
    ]


def test_speed_counts_the_pixels_that_a_model_computes() -> None:
    found = {mean.model: mean for mean in means([record()]) if mean.reference == "truth"}
    assert found["student"].rays_per_second == pytest.approx(8 * 6 / 0.040)
    assert found["onnx fp16"].rays_per_second == pytest.approx(4 * 4 / 0.012)
    assert found["onnx fp32"].fps == 100.0


def test_runs_are_not_mixed() -> None:
    found = means([record("a", 30.0, run="x"), record("a", 40.0, run="y")])
    psnrs = {
        m.run: m.scores["psnr"] for m in found if (m.model, m.reference) == ("student", "truth")
    }
    assert psnrs == {"x": 30.0, "y": 40.0}
    assert all(mean.deviation is None for mean in found)


def test_a_view_without_a_figure_counts_for_nothing() -> None:
    bad = record("b")
    bad.scores["truth"]["student"] = {**scores(30.0), "psnr": float("nan")}
    found = {(m.model, m.reference): m for m in means([record("a", 20.0), bad])}
    assert found["student", "truth"].scores["psnr"] == 20.0
    assert main_reference([without_truth(bad)]) == "teacher"
    assert main_reference([without_truth(bad), bad]) == "truth"


def test_the_worst_come_first_whichever_way_a_metric_counts() -> None:
    some = [record("a", 31.0), record("b", 29.0), record("c", 35.0)]
    names = [r.name for r in worst_first(some, "student", "truth")]
    assert names == ["b", "a", "c"]
    assert [r.name for r in worst_first(some, "student", "truth", "flip")] == ["b", "a", "c"]
    assert [r.name for r in worst_first(some, "student", "truth", "lpips")] == ["a", "b", "c"]
    unknown = without_truth(record("d", 1.0))
    assert worst_first([unknown, *some], "student", "truth")[-1] is unknown


def test_quality_by_novelty_puts_each_view_into_one_range() -> None:
    some = [record("a", 30.0, 0.0), record("b", 32.0, 4.9), record("c", 20.0, 5.0)]
    some += [record("d", 10.0, 180.0), without_truth(record("e", 1.0, 3.0))]
    found = [
        (b.low, b.high, b.views, b.mean, b.worst)
        for b in novelty_buckets(some, "student", "truth", bounds=(0.0, 5.0, 90.0, 180.0))
    ]
    assert found == [(0, 5, 2, 31, 30), (5, 90, 1, 20, 20), (90, 180, 1, 10, 10)]
    assert sum(bucket.views for bucket in novelty_buckets(some, "student", "truth")) == 4


def test_rank_correlation_is_of_ranks_and_ties_share_theirs() -> None:
    assert rank_correlation([(1.0, 1.0), (2.0, 100.0), (3.0, 1000.0)]) == pytest.approx(1)
    assert rank_correlation([(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)]) == pytest.approx(-1)
    assert rank_correlation([(1.0, 1.0), (2.0, 1.0), (3.0, 1.0)]) is None
    assert rank_correlation([(1.0, 1.0), (2.0, 2.0)]) is None
    # ranks 0, 1, 2, 3 and 0.5, 0.5, 2, 3: by hand 0.9487
    tied = [(1.0, 7.0), (2.0, 7.0), (3.0, 8.0), (4.0, 9.0)]
    assert rank_correlation(tied) == pytest.approx(0.9487, abs=1e-4)


# --- rate and distortion ---


def test_exports_have_their_bytes_operations_and_measured_quality(run: Run) -> None:
    _write_manifest(run)
    some = [record("a", 30.0), record("b", 32.0), record("c", 99.0, run="other")]
    found = {(p.model, p.form): p for p in rate_distortion(run, some)}
    assert set(found) == {
        *(("teacher", "weights"), ("onnx fp32", "whole graph")),
        *(("onnx fp16", "whole graph"), ("onnx fp16", "WebGPU form")),
    }
    whole, split = found["onnx fp16", "whole graph"], found["onnx fp16", "WebGPU form"]
    assert (whole.megabytes, whole.gflop, whole.agreement) == (1.0, 0.4, 100.0)
    assert (split.megabytes, split.gflop, split.agreement) == (0.5, 0.5, 75.0)
    assert whole.psnr == split.psnr == pytest.approx(30.99)
    assert (whole.views, whole.reference, whole.source) == (2, "truth", "compared here")
    teacher = found["teacher", "weights"]
    weights = _folder(run.teacher) / "model.safetensors"
    assert teacher.megabytes == weights.stat().st_size / 1e6
    assert (teacher.psnr, teacher.gflop) == (33.0, None)


def test_without_a_comparison_the_manifests_figure_is_quoted(run: Run) -> None:
    quality = {"student_psnr_truth": None, "student_psnr_teacher": 27.5, "views": 20}
    _write_manifest(run, schema=1, quality=quality)
    points = rate_distortion(run, [])
    assert [(p.psnr, p.reference, p.views) for p in points] == [(27.5, "teacher", 20)] * 3
    assert "evaluation" in points[0].source
    (_folder(run.bundle) / "manifest.json").write_text("{")
    assert rate_distortion(run, []) == []


def test_a_trade_off_chart_leaves_out_what_has_no_such_cost(run: Run) -> None:
    _write_manifest(run)
    points = rate_distortion(run, [record()])
    megabytes, gflop = (to_svg(tradeoff_chart(points, cost)) for cost in ("megabytes", "gflop"))
    assert "demo: teacher" in megabytes
    assert "demo: teacher" not in gflop
    assert "demo: exports" in gflop
    assert ">fp16 WebGPU<" in megabytes
    assert "nothing to draw" in to_svg(tradeoff_chart([], "gflop"))


# --- CSV ---


def _read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_row_for_each_view_and_model(run: Run) -> None:
    found = _read(csv_text(rows([run], [record("a", 30.0), record("b", 32.5)])))
    assert [(row["view"], row["model"]) for row in found] == [
        (view, model)
        for view in ("a", "b")
        for model in ("teacher", "student", "onnx fp32", "onnx fp16")
    ]
    row = found[5]
    assert list(row) == list(COLUMNS)
    assert (row["run"], row["split"], row["background"]) == ("demo", "test", "white")
    assert (row["width"], row["height"], row["model_width"]) == ("8", "6", "8")
    assert (row["step"], row["training_seconds"], row["reference"]) == ("30", "6", "truth")
    assert (row["psnr"], row["psnr_teacher"], row["psnr_student"]) == ("32.5", "33.5", "")
    assert row["lpips"] == "n/a (no weights: $POCKETFIELD_LPIPS_WEIGHTS)"
    assert (row["milliseconds"], row["fps"], row["rays_per_second"]) == ("40", "25", "1200")
    assert (row["novelty_degrees"], row["novelty_distance"]) == ("4", "0.08")
    assert found[6]["psnr_student"] == "100"


def test_without_photographs_figures_are_against_the_teacher(run: Run) -> None:
    teacher, student, *_ = _read(csv_text(rows([run], [without_truth(record("a", 30.0))])))
    assert (teacher["reference"], teacher["psnr"]) == ("", "")
    assert (student["reference"], student["psnr"]) == ("teacher", "31")


def test_csv_cells_cannot_become_formulas_and_keep_commas(run: Run) -> None:
    found = record('=HYPERLINK("x"),y\n"z"')
    (row, *_) = _read(csv_text(rows([run], [found])))
    assert row["view"] == "'" + found.name
    known = replace(found, run="of a run we do not know")
    assert _read(csv_text(rows([run], [known])))[0]["scene"] == ""


def test_benches_join_as_rows(run: Run) -> None:
    bench = read_bench(json.dumps(BENCH).encode(), "bench.json")
    (row,) = _read(csv_text(rows([run], [], [bench])))
    assert (row["run"], row["backend"], row["model"]) == (
        *("bench.json", "webgpu, swiftshader", "onnx fp16"),
    )
    assert (row["milliseconds"], row["fps"], row["psnr_student"]) == ("20", "48.5", "72")
    assert float(row["rays_per_second"]) == pytest.approx(128 * 128 / 0.020)


def test_facts_of_a_damaged_run_are_unknown(run: Run) -> None:
    for path in (_folder(run.student) / "scene.json", _folder(run.bundle) / "manifest.json"):
        path.write_text("{")
    facts = facts_of(run)
    assert (facts.scene, facts.created, facts.versions) == ("unknown", None, {})
    assert facts.training("onnx fp16") == facts.student
    assert facts.teacher is not None
    assert (facts.teacher.step, facts.teacher.complete) == (30, True)


# --- benches ---


def test_a_bench_is_read_as_it_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "laptop.json"
    path.write_text(json.dumps(BENCH))
    bench = read_bench(path)
    assert (bench.name, bench.place, bench.heap) == ("laptop.json", "webgpu, swiftshader", None)
    assert bench.milliseconds["total"].p95 == 30.0
    assert (bench.mean_psnr, bench.fps, bench.frames) == (72.0, 48.5, 60)


def test_the_pages_own_type_has_these_fields() -> None:
    """web/viewer writes what we read: names and the parts of a frame."""
    source = (ROOT / "web/viewer/src/bench_report.ts").read_text()
    body = source[source.index("interface BenchReport") :]
    names = re.findall(r"^  readonly (\w+)", body[: body.index("\n}")], re.MULTILINE)
    assert set(names) == set(benches.FIELDS)
    assert set(names) - {"schema"} | {"name"} == set(Bench.__dataclass_fields__)
    protocol = (ROOT / "web/viewer/src/protocol.ts").read_text()
    body = protocol[protocol.index("interface FrameTimes") :]
    parts = re.findall(r"^  readonly (\w+)", body[: body.index("\n}")], re.MULTILINE)
    assert tuple(parts) == benches.PARTS


def _changed(where: tuple[str, ...], value: object) -> bytes:
    bench: Any = copy.deepcopy(BENCH)
    inner = bench
    for key in where[:-1]:
        inner = inner[key]
    if value is None:
        del inner[where[-1]]
    else:
        inner[where[-1]] = value
    return json.dumps(bench).encode()


@pytest.mark.parametrize(
    ("where", "value", "named"),
    [
        (("schema",), 2, "b.json: schema"),
        (("schema",), True, "b.json: schema"),
        (("scene",), None, "b.json: scene"),
        (("scene",), 3, "b.json: scene"),
        (("width",), 12.5, "b.json: width"),
        (("cores",), 0, "b.json: cores"),
        (("fps",), "fast", "b.json: fps"),
        (("gflop",), float("nan"), "b.json: gflop"),
        (("adapter",), 4, "b.json: adapter"),
        (("psnr",), {}, "b.json: psnr"),
        (("psnr",), [70, None], "b.json: psnr: 1"),
        (("milliseconds",), [], "b.json: milliseconds"),
        (("milliseconds", "total"), None, "b.json: milliseconds: total"),
        (("milliseconds", "total", "median"), 0, "milliseconds.total: median"),
        (("milliseconds", "wait", "p95"), -1, "milliseconds.wait: p95"),
    ],
)
def test_an_error_names_the_field_of_a_bench(
    where: tuple[str, ...], value: object, named: str
) -> None:
    with pytest.raises(UserError) as caught:
        read_bench(_changed(where, value), "b.json")
    assert named in caught.value.thing
    assert "?bench" in caught.value.remedy


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b'"x"', b"[" * 3000, b" " * (2 << 20)])
def test_what_is_no_bench_is_refused(data: bytes) -> None:
    with pytest.raises(UserError, match=r"b\.json"):
        read_bench(data, "b.json")


def test_a_bench_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file"):
        read_bench(tmp_path / "no.json")


def test_none_of_this_imports_torch() -> None:
    names = "benches, csv, curves, facts, summary, tradeoff"
    code = f"import sys; from export.report import {names}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_records_are_made_as_their_type_says() -> None:
    assert isinstance(record(), ViewRecord)
