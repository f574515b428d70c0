"""The page that visitors get, beside the panel: `RUN/site`, served from a thread of the panel's process."""

import threading
from functools import cache
from pathlib import Path

import streamlit as st

from export.runs import Run
from export.serve import open_server


def offer(run: Run, label: str = "Open its page") -> None:
    """A link to the page of `run`; where it has none, the command that builds it."""
    site = run.folder / "site"
    if (site / "index.html").is_file():
        address = f"http://{_host()}:{_serve(site.resolve())}/"
        st.link_button(
            label, address, icon=":material/open_in_new:", key=f"page-{label}-{run.name}"
        )
    elif run.bundle is not None:
        with st.popover("Its page is not built", icon=":material/build:"):
            st.code(f"make web RUN={run.folder}", language="bash")


@cache
def _serve(site: Path) -> int:
    """The port on which `site` is served from now on, as long as the panel runs."""
    server = open_server(site, 0, st.get_option("server.address") or "127.0.0.1")
    threading.Thread(target=server.serve_forever, daemon=True, name=f"page {site}").start()
    return server.server_port


def _host() -> str:
    """How the visitor calls this machine."""
    from urllib.parse import urlsplit

    return urlsplit(st.context.url or "").hostname or "localhost"
