"""The panel without a browser: Streamlit's own test of an app, on a tiny run that has been compared once."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests import runs
from web.panel.panes import Pane, PanesState

APP = Path(__file__).parents[2] / "web" / "panel" / "app.py"


@pytest.fixture(scope="session")
def compared(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs with one run, "tiny", whose views have been compared. Tests must not change it."""
    from export.compare.batch import compare_run
    from export.runs import read_run

    root = tmp_path_factory.mktemp("compared")
    compare_run(read_run(runs.copied(tiny_run, root / "tiny")))
    return root


@pytest.fixture
def own(compared: Path, tmp_path: Path) -> Path:
    """A copy of `compared` that a test may break."""
    runs.copied(compared / "tiny", tmp_path / "tiny")
    return tmp_path


class Panel:
    """The app, and what it last gave to the panes."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "argv", [str(APP), "--runs", str(root)])
        self.app = AppTest.from_file(str(APP), default_timeout=120)
        self.rows: dict[str, list[Pane]] = {}
        self.options: dict[str, dict[str, object]] = {}

    def panes(self, pictures: list[Pane], *, key: str, **options: object) -> PanesState:
        """In place of the component."""
        self.rows[key], self.options[key] = list(pictures), options
        return PanesState()

    def open(self, tab: str = "Compare", **state: object) -> AppTest:
        """Run the page at `tab`, with `state` in the session."""
        self.app.query_params["tab"] = self.app.session_state["tab"] = tab  # AppTest wants both
        for key, value in state.items():
            self.app.session_state[key] = value
        return self.run()

    def run(self) -> AppTest:
        """Run the page again; a traceback fails the test."""
        self.rows.clear()
        self.app.run()
        assert not self.app.exception, self.app.exception
        return self.app

    def until(self, ready: Callable[[AppTest], object]) -> AppTest:
        """Run the page until `ready`, as its fragments do in a browser."""
        end = time.monotonic() + 60
        while not ready(self.app):
            assert time.monotonic() < end, "never came"
            time.sleep(0.05)
            self.run()
        return self.app

    @property
    def text(self) -> str:
        """Everything the page says in words."""
        app = self.app
        parts = [app.markdown, app.caption, app.info, app.warning, app.error, app.code, app.header]
        return "\n".join(str(one.value) for part in parts for one in part).replace("\\", "")

    def titles(self, key: str) -> list[str]:
        """Of the panes called `key`."""
        return [pane.title for pane in self.rows[key]]


@pytest.fixture
def panel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], Panel]]:
    """Opens the panel on a folder of runs; pictures are caught on their way to the component."""
    import streamlit as st

    from web.panel import camera_tab, film_box, pane_choice, work

    st.cache_data.clear()
    monkeypatch.setattr(work.COMPARISONS, "grace", 0.0)
    opened: list[Panel] = []

    def panes(pictures: list[Pane], *, key: str, **options: object) -> PanesState:
        return opened[-1].panes(pictures, key=key, **options)

    for module in (pane_choice, camera_tab, film_box):
        monkeypatch.setattr(module, "panes", panes)

    def open_on(root: Path) -> Panel:
        opened.append(Panel(root, monkeypatch))
        return opened[-1]

    yield open_on
