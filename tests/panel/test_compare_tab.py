"""One view through everything: thumbnails, panes, figures."""

import io
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.compare.cache import cached_records
from export.runs import read_run
from tests import runs
from web.panel import known as known_module
from web.panel.known import Known, ordered, provisional, quality, thumbnail


def pixels(png: bytes | Path) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png) if isinstance(png, bytes) else png))


def test_every_pane_is_filled_with_its_own_picture(panel, compared: Path):
    opened = panel(compared)
    opened.open()
    assert opened.titles("compare") == ["truth", "teacher", "student", "onnx fp16"]
    shown = [pixels(pane.frames[0]) for pane in opened.rows["compare"]]
    assert all(picture.shape == (32, 32, 4) and picture.std() > 1 for picture in shown)
    assert all((a != b).any() for a, b in pairwise(shown))


def test_captions_and_table_say_what_the_evaluation_said(panel, compared: Path):
    opened = panel(compared)
    opened.open()
    rows = json.loads((compared / "tiny/student/eval/metrics.json").read_text())["per_view"]
    psnr = rows[0]["truth"]["psnr"]
    assert opened.rows["compare"][2].caption.startswith(f"{psnr:.2f} dB · ")
    assert f"| student | truth | {psnr:.2f} |" in opened.text
    assert f"View 1 of 3: {rows[0]['name']}" in opened.text


def test_next_and_previous_go_round(panel, compared: Path):
    opened = panel(compared)
    opened.open()
    seen = []
    for label in ("Next view", "Next view", "Next view", "Previous view"):
        opened.app.button(key=label).click()
        seen.append(opened.run().session_state["view"])
    names = [record.name for record in cached_records(read_run(compared / "tiny"))]
    assert seen == [names[1], names[2], names[0], names[2]]


def test_worst_and_best_first(panel, compared: Path):
    records = cached_records(read_run(compared / "tiny"))
    worst = min(records, key=lambda r: r.scores["truth"]["student"]["psnr"]).name
    best = max(records, key=lambda r: r.scores["truth"]["student"]["psnr"]).name
    for order, expected in (("Worst first", worst), ("Best first", best)):
        opened = panel(compared)
        assert opened.open(order=order).session_state["view"] == expected


def test_views_without_figures_come_last():
    order = Known({"a": {}, "b": {}}, ())
    assert ordered(order, "run", "Worst first") == ["a", "b"]


@pytest.mark.parametrize(("kind", "unit"), [("Error", "sRGB"), ("FLIP", "FLIP")])
def test_maps_have_a_bar_and_the_reference_is_shown_as_it_is(panel, compared: Path, kind, unit):
    opened = panel(compared)
    opened.open(kind=kind)
    truth, *others = opened.rows["compare"]
    assert truth.title == "truth, the reference" and truth.legend is None
    for pane in others:
        assert pane.legend is not None and unit in pane.legend.unit and pane.legend.low == 0
        assert pixels(pane.frames[0]).shape == (32, 32, 3)
    against_student = panel(compared)
    against_student.open(kind=kind, against="student")
    fp16 = against_student.rows["compare"][3]
    assert pixels(fp16.frames[0]).mean() < 0.2 * pixels(others[2].frames[0]).mean(), (
        "an export's own"
    )


def test_depth_has_one_range_for_all_models(panel, compared: Path):
    opened = panel(compared)
    opened.open(kind="Depth")
    truth, *models = opened.rows["compare"]
    assert truth.frames == () and truth.title == "truth, no depth"
    assert len({(pane.legend.low, pane.legend.high) for pane in models}) == 1


def test_alpha_is_grey(panel, compared: Path):
    opened = panel(compared)
    opened.open(kind="Alpha")
    grey = pixels(opened.rows["compare"][0].frames[0])
    alpha = pixels(compared / "tiny/compare/test/white/test_r_000/truth.png")[..., 3]
    assert (grey == alpha[..., None]).all()


def test_each_pane_for_itself(panel, compared: Path):
    opened = panel(compared)
    opened.open(kind="Mixed")
    assert opened.titles("compare") == ["truth", "student", "student, Error", "student, FLIP"]
    opened.app.selectbox(key="source-1").select("teacher")
    opened.app.selectbox(key="kind-1").select("Depth")
    opened.run()
    assert opened.titles("compare")[1] == "teacher, depth"


def test_chosen_panes_and_view_outlive_another_tab(panel, compared: Path):
    opened = panel(compared)
    opened.open()
    opened.app.multiselect(key="sources").set_value(["student", "truth"])
    opened.app.button(key="Next view").click()
    opened.run()
    assert opened.titles("compare") == ["student", "truth"]
    view = opened.app.session_state["view"]
    opened.open("Training")
    opened.open("Compare")
    assert opened.titles("compare") == ["student", "truth"]
    assert opened.app.session_state["view"] == view


def test_no_pane_chosen(panel, compared: Path):
    opened = panel(compared)
    opened.open()
    opened.app.multiselect(key="sources").set_value([])
    opened.run()
    assert "compare" not in opened.rows and "Choose what to look at" in opened.text


def test_several_runs_share_the_truth(panel, own: Path):
    runs.copied(own / "tiny", own / "other")
    opened = panel(own)
    opened.open(runs=["tiny", "other"])
    assert opened.titles("compare") == [
        "truth",
        "tiny · student",
        "other · student",
        "tiny · teacher",
    ]
    opened.open(kind="Error")
    assert opened.rows["compare"][2].legend is not None


def test_a_run_that_was_never_compared_shows_what_eval_left_at_once(own: Path):
    run = read_run(own / "tiny")
    found = provisional(run, "test", "white")
    known = cached_records(run)
    assert [record.name for record in found] == [record.name for record in known]
    for mine, compared in zip(found, known, strict=True):
        assert set(mine.pictures) == {"teacher", "student"}
        for reference, model in (
            ("truth", "student"),
            ("truth", "teacher"),
            ("teacher", "student"),
        ):
            theirs = compared.scores[reference][model]["psnr"]
            assert mine.scores[reference][model]["psnr"] == pytest.approx(theirs, abs=0.01)
    assert provisional(run, "train", "white") == provisional(run, "test", "black") == []


def test_what_eval_left_gives_way_to_the_comparison(panel, own: Path):
    import shutil

    shutil.rmtree(own / "tiny/compare")
    opened = panel(own)
    opened.open()
    opened.until(lambda app: opened.titles("compare")[0] == "truth")
    opened.until(lambda app: not app.get("progress"))
    assert "| onnx fp16 | truth |" in opened.text


def test_quality_prefers_student_and_truth(compared: Path):
    record = cached_records(read_run(compared / "tiny"))[0]
    assert quality(record) == record.scores["truth"]["student"]["psnr"]


def test_thumbnails_are_small_and_over_the_background(compared: Path):
    from base64 import b64decode

    record = cached_records(read_run(compared / "tiny"))[0]
    address = thumbnail([record])
    assert address.startswith("data:image/webp;base64,")
    image = Image.open(io.BytesIO(b64decode(address.partition(",")[2])))
    assert image.mode == "RGB" and image.height <= 2 * known_module.THUMBNAIL
    assert np.asarray(image)[0, 0].min() > 240, "white where nothing is"
