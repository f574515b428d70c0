"""The server gives each file with the type that a browser insists on."""

import threading
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email.message import Message
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from export.serve import open_server
from teacher.errors import UserError


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with one file of each kind a page has."""
    for name in (
        "index.html",
        "a.js",
        "a.mjs",
        "a.wasm",
        "a.onnx",
        "manifest.json",
        "a.png",
        "a.wasm.gz",
    ):
        (tmp_path / name).write_text(name)
    return tmp_path


@contextmanager
def _running(server: ThreadingHTTPServer) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _get(url: str) -> tuple[str, Message]:
    with closing(urllib.request.urlopen(url, timeout=10)) as response:
        return response.read().decode(), response.headers


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("index.html", "text/html"),
        ("a.js", "text/javascript"),
        ("a.mjs", "text/javascript"),
        ("a.wasm", "application/wasm"),
        ("a.onnx", "application/octet-stream"),
        ("manifest.json", "application/json"),
        ("a.png", "image/png"),
        ("a.wasm.gz", "application/gzip"),
    ],
)
def test_types(site: Path, name: str, kind: str) -> None:
    with _running(open_server(site, 0)) as address:
        content, headers = _get(f"{address}/{name}?v=1")
    assert content == name
    assert headers.get_content_type() == kind
    assert headers["Content-Length"] == str(len(name))  # the page's progress bar counts on it
    assert headers["Cache-Control"] == "no-cache"
    assert headers["Content-Encoding"] is None  # the page unpacks .gz files itself


def test_the_folder_itself_is_its_page(site: Path) -> None:
    with _running(open_server(site, 0)) as address:
        assert _get(f"{address}/")[0] == "index.html"


def test_a_taken_port_gives_the_next_free_one(site: Path) -> None:
    with open_server(site, 0) as first:
        with open_server(site, first.server_port) as second:
            assert first.server_port < second.server_port <= first.server_port + 20


def test_no_free_port_below_the_last_is_a_clear_error(site: Path) -> None:
    with open_server(site, 65535):
        with pytest.raises(UserError) as error:
            open_server(site, 65535)
    assert error.value.thing == "--port"


def test_a_folder_without_a_page_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="export site"):
        open_server(tmp_path, 0)
