"""What the page says when there is little to show, or something is broken."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TABS = (
    *("Compare", "Free camera", "Metrics", "Capture", "Training", "Trade-off", "Sweeps", "Report"),
)


def test_without_a_folder_of_runs_it_says_what_to_run(panel, tmp_path: Path):
    opened = panel(tmp_path / "nowhere")
    opened.open()
    assert "make demo" in opened.text and "no folder" in opened.text


def test_without_runs_it_says_what_to_run(panel, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    opened = panel(tmp_path)
    opened.open()
    assert "make demo" in opened.text and "no run" in opened.text


def test_no_run_chosen(panel, compared: Path):
    opened = panel(compared)
    opened.open()
    opened.app.multiselect(key="runs").set_value([])
    opened.run()
    assert "Choose a run" in opened.text and not opened.rows


@pytest.mark.parametrize("tab", TABS)
def test_a_whole_run_has_no_complaint_on_any_tab(panel, compared: Path, tab: str):
    opened = panel(compared)
    opened.open(tab)
    assert not opened.app.error and not opened.app.warning
    badges = next(one.value for one in opened.app.markdown if "badge" in one.value)
    assert badges.count("✓") == 3


def test_a_run_deleted_while_the_page_is_open(panel, own: Path):
    import streamlit as st

    opened = panel(own)
    opened.open()
    shutil.rmtree(own / "tiny")
    st.cache_data.clear()
    opened.run()
    assert "make demo" in opened.text


def test_pictures_deleted_while_the_page_is_open_are_made_again(panel, own: Path):
    opened = panel(own)
    opened.open()
    opened.until(lambda app: not app.get("progress"))
    shutil.rmtree(own / "tiny/compare")
    opened.run()
    assert opened.titles("compare") == ["teacher", "student"], "what eval left"
    opened.until(lambda app: opened.titles("compare")[0] == "truth")
    assert (own / "tiny/compare").is_dir()


def test_a_half_finished_run_says_how_to_go_on(panel, own: Path):
    shutil.rmtree(own / "tiny/bundle")
    shutil.rmtree(own / "tiny/student")
    opened = panel(own)
    opened.open()
    assert "make student" in opened.text and "make export" in opened.text
    assert opened.titles("compare")[-1] == "teacher"


def test_damaged_weights_leave_the_rest(panel, own: Path):
    weights = own / "tiny/student/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    opened = panel(own)
    opened.open("Free camera")
    opened.until(lambda app: "camera-panes" in opened.rows)
    assert opened.titles("camera-panes") == ["teacher", "onnx fp32", "onnx fp16"]
    assert "damaged" in opened.text and "make student" in opened.text


def test_a_damaged_bundle_leaves_the_rest(panel, own: Path):
    (own / "tiny/bundle/manifest.json").write_text("{")
    opened = panel(own)
    opened.open("Free camera")
    opened.until(lambda app: "camera-panes" in opened.rows)
    assert opened.titles("camera-panes") == ["teacher", "student"]
    assert "manifest.json is damaged" in opened.text


def test_nothing_that_renders(panel, own: Path):
    for name in ("teacher", "student"):
        (own / "tiny" / name / "model.safetensors").write_bytes(b"")
    shutil.rmtree(own / "tiny/bundle")
    opened = panel(own)
    opened.open("Free camera")
    opened.until(lambda app: not any("Opening models" in str(one.value) for one in app.info))
    assert "camera-panes" not in opened.rows and "None of the chosen runs" in opened.text


@pytest.mark.parametrize("name", ["teacher/config.json", "student/scene.json"])
def test_damaged_settings_end_no_tab(panel, own: Path, name: str):
    (own / "tiny" / name).write_text("[1,")
    for tab in TABS:
        panel(own).open(tab)


def test_without_photographs_views_are_imagined(panel, own: Path):
    shutil.rmtree(own / "tiny/still-life")
    shutil.rmtree(own / "tiny/compare")
    opened = panel(own)
    opened.open()
    opened.until(lambda app: not app.get("progress") and "compare" in opened.rows)
    opened.open()
    assert "truth" not in opened.titles("compare")
    assert opened.app.selectbox(key="against").value == "teacher"
    assert "still-life" in opened.text


def test_a_split_that_is_not_there(panel, own: Path):
    opened = panel(own)
    opened.open()
    opened.app.selectbox(key="split").select("val")
    opened.run()
    opened.until(lambda app: app.error)
    assert "val" in opened.text and opened.app.button(key=opened.app.button[-1].key)


def test_the_first_paint_needs_no_torch(compared: Path):
    """In a process of its own: what tabs but the free camera import, and what Compare draws."""
    program = f"""
import sys
sys.argv = ["app", "--runs", {str(compared)!r}]
from streamlit.testing.v1 import AppTest
from web.panel import pane_choice, work
work.COMPARISONS.grace = 3600.0
shown = []
pane_choice.panes = lambda pictures, **options: shown.extend(pictures)
app = AppTest.from_file({str(Path(__file__).parents[2] / "web/panel/app.py")!r}, default_timeout=60)
for tab in ("Compare", "Metrics", "Capture", "Training", "Trade-off", "Sweeps", "Report"):
    app.query_params["tab"] = tab
    app.run()
    assert not app.exception, app.exception
assert len(shown) == 4, shown
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
