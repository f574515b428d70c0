"""Metrics, training, trade-off, sweeps and report: the tabs of figures."""

import csv
import io
import json
from pathlib import Path
from statistics import fmean

import pytest

from export.compare.cache import cached_records
from export.compare.records import ViewRecord
from export.report.curves import MEASURES
from export.runs import read_run
from tests import runs
from web.panel import charts, metrics_tab, report_tab
from web.panel.selection import Selection
from web.panel.tables import markdown, number


@pytest.fixture
def records(compared: Path) -> list[ViewRecord]:
    return cached_records(read_run(compared / "tiny"))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[list[dict[str, object]]]:
    """Rows of the charts that were drawn."""
    found: list[list[dict[str, object]]] = []
    for name in ("lines", "points"):
        original = getattr(charts, name)

        def draw(rows, *arguments, original=original, **options) -> None:
            found.append(list(rows))
            original(rows, *arguments, **options)

        monkeypatch.setattr(charts, name, draw)
    return found


def test_means_are_those_of_the_stages_own_evaluation(panel, compared: Path):
    page = panel(compared)
    table = page.open("Metrics").dataframe[0].value
    for stage, key in (("teacher", None), ("student", "student_psnr_truth")):
        metrics = json.loads((compared / "tiny" / stage / "eval/metrics.json").read_text())
        expected = metrics["mean"]["psnr"] if key is None else metrics[key]
        row = table[(table["model"] == stage) & (table["against"] == "truth")]
        assert float(row["PSNR, dB"].iloc[0]) == pytest.approx(expected, abs=0.01)
    assert "MS-SSIM" not in table and "MS-SSIM: n/a" in page.text, "a reason in place of a column"


def test_views_come_worst_first_or_best_first(panel, compared: Path, records):
    page = panel(compared)
    page.open("Metrics")
    values = sorted(record.scores["truth"]["student"]["psnr"] for record in records)
    assert list(page.app.dataframe[1].value["PSNR, dB"]) == pytest.approx(values)
    page.app.toggle(key="best-first").set_value(True)
    page.run()
    assert list(page.app.dataframe[1].value["PSNR, dB"]) == pytest.approx(values[::-1])


def test_quality_is_drawn_against_novelty(panel, compared: Path, records, drawn):
    page = panel(compared)
    page.open("Metrics")
    [rows] = drawn
    found = {(row["degrees to the nearest training camera"], row["PSNR, dB"]) for row in rows}
    assert found == {(r.novelty.degrees, r.scores["truth"]["student"]["psnr"]) for r in records}
    assert "Rank correlation" in page.text and "| new by |" in page.text


def bench(**changes: object) -> bytes:
    spread = {"median": 30.0, "p95": 40.0}
    report = {
        **{
            "schema": 1,
            "scene": "vase",
            "exported": "2026",
            "measured": "2026",
            "browser": "Chromium 150",
        },
        **{
            "cores": 4,
            "backend": "WebGPU",
            "adapter": None,
            "student": "tiny",
            "precision": "fp16",
        },
        **{"form": "split", "width": 128, "height": 128, "gflop": 0.4, "frames": 100, "fps": 31.5},
        **{"milliseconds": dict.fromkeys(("run", "submit", "present", "wait", "total"), spread)},
        **{"heap": None, "psnr": [60.0, 62.0]},
    }
    return json.dumps(report | changes).encode()


def test_what_the_page_measured_joins_the_times_and_the_report(panel, compared: Path, records):
    page = panel(compared)
    page.open("Metrics")
    page.app.file_uploader(key="benches").upload("bench.json", bench(), "application/json")
    page.run()
    times = page.app.dataframe[2].value
    assert list(times["where"])[:-1] == ["here"] * 4
    last = times.iloc[-1]
    assert last["where"] == "Chromium 150: WebGPU" and last["frames/s"] == 31.5
    assert last["PSNR, dB"] == pytest.approx(61.0)
    page.open("Report")
    kept = list(page.app.session_state[metrics_tab.BENCHES].values())
    selection = Selection((read_run(compared / "tiny"),), "test", "white", compared)
    assert "Chromium 150" in report_tab.html(selection, records, kept)
    assert "onnx fp16,WebGPU" in report_tab.table(selection, records, kept)


def test_a_damaged_bench_is_told_by_its_field(panel, compared: Path):
    page = panel(compared)
    page.open("Metrics")
    page.app.file_uploader(key="benches").upload(
        "bench.json", bench(fps="fast"), "application/json"
    )
    page.run()
    assert "bench.json: fps" in page.text and len(page.app.dataframe) == 3


def test_curves_of_all_runs_in_one_chart(panel, own: Path, drawn):
    runs.copied(own / "tiny", own / "other")
    page = panel(own)
    page.open("Training", runs=["tiny", "other"], measure="loss")
    [rows] = drawn
    assert {row["training"] for row in rows} == {
        f"{run}: {stage}" for run in ("tiny", "other") for stage in ("teacher", "student")
    }
    assert all(row[MEASURES["loss"]] > 0 for row in rows)
    page.app.segmented_control(key="unit").set_value("steps")
    page.run()
    assert max(row["steps"] for row in drawn[-1]) == 100
    assert "| tiny: teacher | 100 |" in page.text


def test_no_training_was_logged(panel, own: Path):
    for stage in ("teacher", "student"):
        (own / "tiny" / stage / "log.jsonl").unlink()
    page = panel(own)
    page.open("Training")
    assert "logged anything" in page.text


def test_size_against_quality(panel, compared: Path, drawn):
    page = panel(compared)
    page.open("Trade-off")
    sizes = {row["MB to download"] for row in drawn[0]}
    manifest = json.loads((compared / "tiny/bundle/manifest.json").read_text())
    assert {model["bytes"] / 1e6 for model in manifest["models"]} <= sizes
    page.app.segmented_control(key="cost").set_value("gflop")
    page.run()
    assert {row["GFLOP for a frame"] for row in drawn[1]} >= {
        m["gflop"] for m in manifest["models"]
    }


def test_no_bundle_to_weigh(panel, own: Path):
    import shutil

    shutil.rmtree(own / "tiny/bundle")
    page = panel(own)
    page.open("Trade-off")
    assert "make export" in page.text or list(page.app.dataframe[0].value["model"]) == ["teacher"]


def test_without_a_sweep_it_says_how_to_make_one(panel, compared: Path):
    page = panel(compared)
    page.open("Sweeps")
    assert "python -m teacher sweep" in page.text


def test_a_sweep_has_its_table_its_plot_and_its_rows(panel, own: Path):
    from teacher.charts import Axes, Series, chart, write_chart

    folder = own / "grid"
    folder.mkdir()
    (folder / "results.csv").write_text("preset,seed,psnr\ndemo,0,21.5\ndemo,1,22.5\n")
    (folder / "table.md").write_text("| preset | PSNR |\n| --- | --- |\n| demo | 22.00 ± 0.71 |\n")
    write_chart(folder / "frames.png", chart([Series("a", (0.0, 1.0), (1.0, 2.0))], Axes("x", "y")))
    page = panel(own)
    page.open("Sweeps")
    assert "22.00 ± 0.71" in page.text and len(page.app.image) == 1
    assert list(page.app.dataframe[0].value["psnr"]) == [21.5, 22.5]


def test_a_damaged_sweep(panel, own: Path):
    (own / "grid").mkdir()
    (own / "grid/results.csv").write_text('a,b\n"1')
    page = panel(own)
    page.open("Sweeps")
    assert "damaged" in page.text


def test_the_report_is_whole(panel, compared: Path, records):
    page = panel(compared)
    page.open("Report")
    assert [button.label for button in page.app.get("download_button")] == [
        "Download HTML",
        "Download CSV",
    ]
    selection = Selection((read_run(compared / "tiny"),), "test", "white", compared)
    html = report_tab.html(selection, records)
    assert html.startswith("<!doctype html>") and "tiny" in html
    assert html.count("data:image/") >= 3 * len(records)
    found = list(csv.DictReader(io.StringIO(report_tab.table(selection, records))))
    psnr = [float(row["psnr"]) for row in found if row["model"] == "student"]
    assert fmean(psnr) == pytest.approx(
        fmean(r.scores["truth"]["student"]["psnr"] for r in records), abs=0.01
    )


def test_markdown_tables_and_numbers():
    assert markdown(["a", "b"], [["x", "1"]]) == "| a | b |\n| :-- | --: |\n| x | 1 |"
    assert (number(1.2345, 2), number("n/a (why)", 2), number(None, 2)) == ("1.23", "–", "–")
