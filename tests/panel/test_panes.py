"""What Python sends to the panes, and what comes back."""

import base64
import io
import json
import math
import re
import subprocess
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from web.panel.panes import HERE, Legend, Orbit, Pane, panes
from web.panel.panes.media import (
    KEPT,
    Frames,
    addresses,
    hosted,
    picture_size,
    picture_type,
    read_frames,
)
from web.panel.panes.script import joined

ENTRY = HERE / "js" / "index.mjs"
GREY = ((0, 0, 0), (255, 255, 255))


def _png(shade: int = 0, size: tuple[int, int] = (4, 3)) -> bytes:
    return _file("PNG", shade, size)


def _file(kind: str, shade: int = 0, size: tuple[int, int] = (4, 3)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (shade, shade, shade)).save(buffer, kind)
    return buffer.getvalue()


class _Host:
    """Keeps what it is given, as Streamlit's media files do: one file for each place."""

    def __init__(self) -> None:
        self.places: dict[str, bytes] = {}

    def add(self, path_or_data: bytes | str, mimetype: str, coordinates: str) -> str:
        assert isinstance(path_or_data, bytes)
        self.places[coordinates] = path_or_data
        return f"/media/{hash(path_or_data)}.{mimetype.split('/')[1]}"


def _frames(*frames: bytes | Path) -> Frames:
    return read_frames(Pane("a", frames))


class TestPictures:
    """Frames on their way to the page."""

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_kind_and_size_are_read_from_the_content(self, kind: str) -> None:
        content = _file(kind, size=(5, 7))
        assert picture_type(content) == f"image/{kind.lower()}"
        assert picture_size(content) == (5, 7)

    def test_names_are_of_the_content(self, tmp_path: Path) -> None:
        (tmp_path / "a.png").write_bytes(_png(9))
        found = _frames(_png(0), _png(9), tmp_path / "a.png", _png(0))
        first, second, third, fourth = found.names
        assert first == fourth != second == third
        assert (found.size, found.problem) == ((4, 3), "")

    def test_little_goes_with_the_message_and_each_picture_once(self) -> None:
        film = _frames(_png(0), _png(1), _png(0))
        found = addresses([film, film], "k")
        assert set(found) == set(film.names)
        kind, data = found[film.names[1]].split(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(data) == _png(1)

    def test_much_goes_to_streamlit_s_media_files(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A place of its own for each picture; those of older answers are taken over in turn."""
        monkeypatch.setattr("streamlit.session_state", {})
        host, film = _Host(), _frames(_png(0), _png(1))
        answers = [hosted(film.contents, host, "k") for _ in range(3 * KEPT)]
        assert all(set(answer) == set(film.names) for answer in answers)
        assert len(host.places) == 2 * KEPT
        assert set(host.places.values()) == {_png(0), _png(1)}

    def test_much_without_a_server_is_not_sent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("web.panel.panes.media.LITTLE", 10)
        assert addresses([_frames(_png())], "k") == {}

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"", "no picture (0 bytes)"),
            (b"GIF89a and so on", "no picture (16 bytes)"),
            (_png()[:20], "a broken picture"),
            (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "a broken picture"),
            (
                _png()[:16] + b"\0\0\0\0" + _png()[20:],
                "a broken picture",
            ),  # it claims to be of no width
        ],
    )
    def test_what_is_no_picture_is_said_and_not_sent(self, content: bytes, says: str) -> None:
        found = _frames(_png(), content)
        assert found.problem.startswith("frame 1: ")
        assert says in found.problem
        assert (found.names, found.size) == ([], None)

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        problem = _frames(tmp_path / "gone.png").problem
        assert problem == f"{tmp_path / 'gone.png'}: No such file or directory"

    def test_no_frames_are_no_picture(self) -> None:
        assert _frames().problem == "no picture"


class TestArguments:
    """What cannot be shown is refused before anything is sent."""

    @pytest.mark.parametrize("count", [0, 5])
    def test_one_to_four_panes(self, count: int) -> None:
        with pytest.raises(ValueError, match=f"{count} panes; expected 1 to 4"):
            panes([Pane("a", ())] * count, key="k")

    @pytest.mark.parametrize("slider", [(0, 0), (0, 2), (-1, 0)])
    def test_divider_between_two_that_are_there(self, slider: tuple[int, int]) -> None:
        with pytest.raises(ValueError, match="expected two of 2 panes"):
            panes([Pane("a", ()), Pane("b", ())], key="k", slider=slider)

    @pytest.mark.parametrize("fps", [0.0, -1.0, math.nan, math.inf])
    def test_frame_rate(self, fps: float) -> None:
        with pytest.raises(ValueError, match="frames per second"):
            panes([Pane("a", ())], key="k", fps=fps)

    def test_legend(self) -> None:
        assert Legend(0, 1, GREY).unit == ""
        for low, high, colours in [
            (1, 1, GREY),
            (math.nan, 1, GREY),
            (0, 1, GREY[:1]),
            (0, 1, ((0, 0, 256), (0, 0, 0))),
        ]:
            with pytest.raises(ValueError, match="legend"):
                Legend(low, high, colours)

    def test_orbit(self) -> None:
        with pytest.raises(ValueError, match="radius above 0"):
            Orbit(0, 0, 0)
        with pytest.raises(ValueError, match="finite"):
            Orbit(math.nan, 0, 1)


class TestScript:
    """Modules joined for Streamlit."""

    def test_the_component_is_one_module_that_a_browser_parses(self, tmp_path: Path) -> None:
        script = tmp_path / "panes.mjs"
        script.write_text(joined(ENTRY))
        assert _in_node(script, "typeof m.default") == "function"

    def test_every_module_is_in_it_once(self) -> None:
        script = joined(ENTRY)
        modules = {path.name for path in (HERE / "js").glob("*.mjs")} - {"index.mjs"}
        named = re.findall(r"^const module_(\w+) = ", script, re.MULTILINE)
        assert sorted(named) == sorted(name.removesuffix(".mjs") for name in modules)

    def test_names_of_one_module_are_not_seen_in_another(self, tmp_path: Path) -> None:
        """Both call something `secret`; `b` gives its export another name on the way."""
        _modules(
            tmp_path,
            a='import { two as zwei } from "./b.mjs";\nconst secret = 1;\n'
            "export default function main() {\n  return secret + zwei();\n}\n",
            b="const secret = 41;\nexport function two() {\n  return secret;\n}\n",
        )
        script = tmp_path / "joined.mjs"
        script.write_text(joined(tmp_path / "a.mjs"))
        assert _in_node(script, "m.default()") == "42"

    @pytest.mark.parametrize(
        "strange",
        [
            'import everything from "./b.mjs";',
            'import * as b from "./b.mjs";',
            'import { b } from "./elsewhere/b.mjs";',
            'import { b } from "https://cdn.example/b.mjs";',
            "export let changes = 1;",
            "export { two };",
            'export * from "./b.mjs";',
            'const b = await import("./b.mjs");',
        ],
    )
    def test_other_forms_are_refused(self, tmp_path: Path, strange: str) -> None:
        _modules(tmp_path, a=f"{strange}\nexport default function main() {{}}\n", b="")
        with pytest.raises(ValueError, match="cannot join"):
            joined(tmp_path / "a.mjs")

    def test_circles_and_gaps_are_refused(self, tmp_path: Path) -> None:
        _modules(
            tmp_path,
            a='import { b } from "./b.mjs";\nexport default function main() {}\n',
            b='import { c } from "./c.mjs";\n',
        )
        with pytest.raises(ValueError, match=r"c\.mjs, imported by .*b\.mjs"):
            joined(tmp_path / "a.mjs")
        _modules(tmp_path, c='import { b } from "./b.mjs";\n')
        with pytest.raises(ValueError, match=r"b\.mjs -> c\.mjs -> b\.mjs"):
            joined(tmp_path / "a.mjs")

    def test_an_entry_without_a_default_export_is_refused(self, tmp_path: Path) -> None:
        _modules(tmp_path, a="const one = 1;\n")
        with pytest.raises(ValueError, match="export default function"):
            joined(tmp_path / "a.mjs")


def _in_node(module: Path, expression: str) -> str:
    """What Node says `expression` is, of the module `m`; or what it complains about."""
    code = f"import({str(module)!r}).then((m) => console.log({expression}))"
    run = subprocess.run(["node", "-e", code], capture_output=True, text=True, check=False)
    return run.stdout.strip() or run.stderr


def _modules(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / f"{name}.mjs").write_text(text)


def _page() -> None:
    import io

    import streamlit as st
    from PIL import Image

    from web.panel.panes import Orbit, Pane, panes, steered

    buffer = io.BytesIO()
    Image.new("RGB", (4, 3)).save(buffer, "PNG")
    content = buffer.getvalue()
    st.button("again")
    if st.checkbox("turned"):
        st.session_state["row"] = {
            "orbit": {"azimuth": 1, "elevation": 0.5, "radius": 2, "serial": 7}
        }
    orbit = steered("row", Orbit(0, 0, 3))
    state = panes([Pane("one", (content,)), Pane("none", ())], key="row", steer=orbit)
    st.text(repr((orbit, state.orbit)))


class TestPage:
    """In a Streamlit page."""

    def test_appears_and_sends_a_picture_once(self) -> None:
        page = AppTest.from_function(_page).run()
        assert not page.exception
        first = _sent(page)
        assert [pane["title"] for pane in first["panes"]] == ["one", "none"]
        assert first["panes"][0]["size"] == [4, 3]
        assert first["panes"][1]["problem"] == "no picture"
        page.button[0].click().run()
        assert _sent(page) == first, "nothing has changed, and the page is to see that"

    def test_the_camera_that_was_turned_comes_back(self) -> None:
        page = AppTest.from_function(_page).run()
        page.checkbox[0].check().run()
        assert (
            page.text[0].value
            == f"({(turned := 'Orbit(azimuth=1.0, elevation=0.5, radius=2.0)')}, {turned})"
        )
        assert _sent(page)["steer"] == {"azimuth": 1, "elevation": 0.5, "radius": 2, "answers": 7}

    def test_nobody_has_turned_the_camera(self) -> None:
        page = AppTest.from_function(_page).run()
        assert page.text[0].value == "(Orbit(azimuth=0, elevation=0, radius=3), None)"
        assert _sent(page)["steer"] == {"azimuth": 0, "elevation": 0, "radius": 3, "answers": 0}


def _sent(page: AppTest) -> dict:
    return next(
        json.loads(element.proto.json)
        for element in page.main
        if getattr(getattr(element, "proto", None), "component_name", "") == "pocketfield.panes"
    )
