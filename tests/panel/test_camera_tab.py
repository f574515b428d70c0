"""The free camera: sliders, a drag on a pane, films along paths."""

import io
import json
import math
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from teacher.cameras import Camera
from teacher.pseudo.envelope import Envelope, fit_envelope
from tests.looking_around import room
from web.panel import camera_tab, films
from web.panel.panes import Orbit
from web.panel.rendering import sized


@pytest.fixture
def opened(panel, compared: Path):
    """The tab with its models open."""
    page = panel(compared)
    page.open("Free camera")
    page.until(lambda app: "camera-panes" in page.rows)
    return page


def picture(pane) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(pane.frames[0])))


def test_all_models_side_by_side(opened):
    panes = opened.rows["camera-panes"]
    assert [pane.title for pane in panes] == ["teacher", "student", "onnx fp32", "onnx fp16"]
    assert {picture(pane).shape for pane in panes} == {(128, 128, 4)}
    assert all(pane.caption.endswith(" ms") for pane in panes)
    student, fp32 = (picture(panes[k]).astype(int) for k in (1, 2))
    assert abs(student - fp32).mean() < 40, "the export is resampled from its own 32 pixels"


@pytest.mark.parametrize(("slider", "value"), [("azimuth", 100.0), ("elevation", 50.0)])
def test_a_slider_moves_the_camera(opened, slider: str, value: float):
    before = [picture(pane) for pane in opened.rows["camera-panes"]]
    opened.app.slider(key=slider).set_value(value)
    opened.run()
    after = [picture(pane) for pane in opened.rows["camera-panes"]]
    assert all((a != b).any() for a, b in zip(before, after, strict=True))
    turned = opened.options["camera-panes"]["steer"]
    assert math.degrees(getattr(turned, slider)) == pytest.approx(value)


@pytest.mark.parametrize(("width", "height", "expected"), [(40, 28, (64, 45)), (28, 40, (45, 64))])
def test_the_size_is_that_of_the_larger_side(width: int, height: int, expected: tuple[int, int]):
    like = Camera(torch.eye(4), 30.0, 31.0, 21.0, 13.0, width, height)
    camera = sized(like, 64)
    assert (camera.width, camera.height) == expected
    assert camera.fractions == pytest.approx(like.fractions)


def test_a_drag_on_a_pane_moves_the_sliders(opened, monkeypatch: pytest.MonkeyPatch):
    turned = Orbit(math.radians(200), 0.5, 1.6)
    monkeypatch.setattr(camera_tab, "steered", lambda key: turned)
    state: dict[str, float] = {}
    monkeypatch.setattr(camera_tab.st, "session_state", state)
    opened.options["camera-panes"]["on_steer"]()
    assert state == pytest.approx({"azimuth": -160, "elevation": math.degrees(0.5), "radius": 1.6})


def test_sliders_keep_to_what_is_trained_at_their_azimuth(monkeypatch: pytest.MonkeyPatch):
    """A filmed path: low and near at one azimuth, high and far at the opposite one."""
    track = ((0.1, 0.2, 1.0, 1.5), (0.6, 0.8, 2.0, 3.0))
    path = Envelope(
        (0.0, 0.0, 0.0), (1.0, 3.0), (-math.pi, math.pi), (0.1, 0.8), 0.0, (1.0, 1.0), track
    )
    state = {"azimuth": 0.0, "elevation": 10.0, "radius": 9.0}
    monkeypatch.setattr(camera_tab.st, "session_state", state)
    assert camera_tab._inside(path) == Orbit(0.0, 0.6, 3.0)
    state.update(azimuth=180.0)
    assert camera_tab._inside(path).elevation == pytest.approx(math.radians(10))


def test_in_a_room_the_hand_turns_the_head():
    around = fit_envelope(room())
    assert camera_tab._reach(around).around
    assert not camera_tab._reach(replace(around, outlook=0.0)).around


def test_views_outside_what_was_trained_are_drawn_with_a_warning(opened):
    assert not opened.app.warning and opened.options["camera-panes"]["reach"] is not None
    trained = opened.app.slider(key="elevation").max
    opened.app.toggle(key="outside").set_value(True)
    opened.run()
    assert opened.app.slider(key="elevation").max > trained
    assert not opened.app.warning, "the camera itself is still inside"
    opened.app.slider(key="elevation").set_value(-60.0)
    opened.run()
    assert "outside the views" in opened.text
    assert opened.options["camera-panes"]["reach"] is None
    opened.app.toggle(key="outside").set_value(False)
    opened.run()
    assert not opened.app.warning and opened.app.slider(key="elevation").value > -60


def test_the_camera_stays_where_it_was_put_while_another_tab_is_open(opened):
    opened.app.slider(key="azimuth").set_value(77.0)
    opened.run()
    opened.open("Training")
    opened.open("Free camera")
    assert opened.app.slider(key="azimuth").value == pytest.approx(77.0)


def test_no_model_chosen(opened):
    opened.app.multiselect(key="camera-models").set_value([])
    opened.run()
    assert "camera-panes" not in opened.rows


def film(opened, frames: int | None = None):
    if frames is not None:
        opened.app.number_input(key="frames").set_value(frames)
    opened.app.button(key="render-film").click()
    opened.run()
    return opened.until(lambda app: "film-panes" in opened.rows)


def test_an_orbit_becomes_a_film_for_panes_and_for_the_disk(opened):
    opened.app.select_slider(key="side").set_value(64)
    opened.app.multiselect(key="camera-models").set_value(["teacher", "onnx fp16"])
    app = film(opened, 3)
    panes = opened.rows["film-panes"]
    assert [pane.title for pane in panes] == ["teacher", "onnx fp16"]
    for pane in panes:
        frames = [np.asarray(Image.open(io.BytesIO(frame))) for frame in pane.frames]
        assert len(frames) == 3 and (frames[0] != frames[1]).any()
    assert opened.options["film-panes"]["fps"] == 24
    with av.open(io.BytesIO(app.session_state["film"].mp4), "r") as container:
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(decoded) == 3
    height, width, _ = decoded[0].shape
    assert width == 2 * height and height >= 360, "both, side by side, and large enough to look at"


def camera_path(frames: int, **more: object) -> dict[str, object]:
    pose = [[1, 0, 0, 0], [0, 0, -1, -1.6], [0, 1, 0, 0.5], [0, 0, 0, 1]]
    one = {"T_norm_camera": pose, "intrinsics": [1.2, 1.2, 0.5, 0.5]}
    return {"fps": 12, "width": 50, "height": 40, "frames": [one] * frames, **more}


def test_a_path_file_in_the_run_is_offered_and_played(panel, own: Path):
    (own / "tiny/paths").mkdir()
    (own / "tiny/paths/circle.json").write_text(json.dumps(camera_path(2)))
    page = panel(own)
    page.open("Free camera", side=64)
    page.until(lambda app: "camera-panes" in page.rows)
    page.app.selectbox(key="path").select("circle.json")
    page.run()
    film(page)
    pane = page.rows["film-panes"][0]
    assert len(pane.frames) == 2 and page.options["film-panes"]["fps"] == 12
    assert np.asarray(Image.open(io.BytesIO(pane.frames[0]))).shape == (51, 64, 4)


def test_an_uploaded_path_is_checked(opened):
    opened.app.selectbox(key="path").select("a file of mine")
    opened.run()
    opened.app.file_uploader(key="path-file").upload(
        "bad.json", b'{"frames": []}', "application/json"
    )
    opened.app.button(key="render-film").click()
    opened.run()
    assert "bad.json" in opened.text and "python -m teacher path" in opened.text
    assert "film-panes" not in opened.rows


def test_a_film_that_is_too_large_is_refused(opened, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(films, "MOST_PIXELS", 2 * 128 * 128)
    opened.app.number_input(key="frames").set_value(3)
    opened.app.button(key="render-film").click()
    opened.run()
    assert "fewer frames" in opened.text and "film-panes" not in opened.rows
