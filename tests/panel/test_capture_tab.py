"""The tab that shows how a capture was processed: a whole report, a refused one, a damaged one, none."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from export import capture
from teacher.capture.report import VERSION

DRAWINGS = ("cameras.png", "sharpness.png", "contact_sheet.png")


def process_json(**changes: object) -> dict[str, Any]:
    picture = {"name": "frame_00001.jpg", "sharpness": 0.25, "seconds": 0.5}
    found = {"name": "registered", "value": 0.5, "verdict": "good", "says": "1 of 2 have_a camera"}
    return {
        **{"version": VERSION, "data": "clip.mp4", "settings": {}, "video": True},
        "frames": {"read": 823, "kept": 2, "blurred": 821},
        "pictures": [
            {**picture, "features": 900, "points": 300, "error": 0.51},
            {**picture, "name": "frame_00002.jpg", "sharpness": 0.35, "features": 12},
        ],
        "findings": [found],
        "dropped": {"frame_00002.jpg": "far away from the others"},
        **{"warnings": ["the path has a leap"], "refused": None, "points": 38245},
        **{"ray_angle_quartiles": [6.0, 10.7, 20.0], "tilt_degrees": 2.0},
        **changes,
    }


def write_report(scene: Path, **changes: object) -> None:
    (scene / "report").mkdir(parents=True)
    (scene / "process.json").write_text(json.dumps(process_json(**changes)))
    for name in DRAWINGS:
        Image.new("RGB", (40, 30), "red").save(scene / "report" / name)


def test_the_version_is_the_one_that_is_written() -> None:
    assert capture.VERSION == VERSION


def test_a_report_is_shown_whole(panel, own: Path) -> None:
    write_report(own / "tiny/scene")
    page = panel(own)
    page.open("Capture")
    found = {metric.label: metric.value for metric in page.app.metric}
    assert found["pictures"] == "2 of 823" and found["cameras"] == "1 of 2"
    assert found["sharpness, median"] == "0.30" and found["points"] == "38245"
    assert found["angle of rays"] == "10.7°"
    assert "| ✓ good | registered | 1 of 2 have_a camera |" in page.text
    assert "the path has a leap" in page.text and "far away from the others" in page.text
    assert len(page.app.get("image")) == 3 and not page.app.error
    assert list(page.app.dataframe[0].value["name"]) == ["frame_00001.jpg", "frame_00002.jpg"]


def test_a_refused_capture_says_why_first(panel, own: Path) -> None:
    """As `--dry-run` leaves it; without a model there are no cameras to draw."""
    write_report(own / "tiny/scene", refused="the cameras of clip.mp4: film again", findings=[])
    (own / "tiny/scene/report/cameras.png").unlink()
    page = panel(own)
    page.open("Capture")
    assert page.app.error and "film again" in page.text
    assert len(page.app.get("image")) == 2 and "no file" in page.text


def test_without_a_report_it_says_what_to_run(panel, own: Path) -> None:
    page = panel(own)
    page.open("Capture")
    assert not page.app.error and not page.app.metric
    assert "python -m teacher process --data" in page.text and "tiny/scene" in page.text


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 99}', '{"version": 1}'])
def test_a_damaged_report_hides_nothing_else(panel, own: Path, text: str) -> None:
    write_report(own / "tiny/scene")
    (own / "tiny/scene/process.json").write_text(text)
    page = panel(own)
    page.open("Capture")
    assert page.app.error and not page.app.metric
    assert "process.json" in page.text and "teacher process" in page.text


def test_the_report_is_found_where_the_data_are(panel, own: Path) -> None:
    """A run of one's own: its scene lies elsewhere."""
    write_report(own / "clip")
    config = own / "tiny/teacher/config.json"
    plain = json.loads(config.read_text())
    plain["data"]["data"] = str(own / "clip")
    config.write_text(json.dumps(plain))
    page = panel(own)
    page.open("Capture")
    assert page.app.metric and "clip.mp4" in page.text
