"""Grids of trainings that `python -m teacher sweep` left: table, plots, all rows."""

from pathlib import Path

import streamlit as st

from web.panel.selection import Selection

_PLOTS = ("frames.png", "steps.png")


def show(selection: Selection) -> None:
    """One sweep, chosen by its folder."""
    found = sweeps(selection.root)
    if not found:
        st.info(
            f"There is no sweep in {selection.root}. This makes a small one, and can be interrupted:"
        )
        data, folder = selection.root / "demo" / "still-life", selection.root / "sweep"
        st.code(
            f"python -m teacher sweep --data {data} --output {folder} --seeds 0 1 --train-frames 5 20 100% --steps 600",
            language="bash",
        )
        return
    names = [str(folder.relative_to(selection.root)) for folder in found]
    name = st.selectbox("Sweep", names, key="sweep", persist_state="session", width=320)
    _show(found[names.index(name)])


def sweeps(root: Path) -> list[Path]:
    """Folders with the results of a sweep, the newest first."""
    files = [*root.glob("*/results.csv"), *root.glob("*/*/results.csv")]
    return [file.parent for file in sorted(files, key=lambda file: -file.stat().st_mtime)]


def _show(folder: Path) -> None:
    plots = [folder / name for name in _PLOTS if (folder / name).is_file()]
    for column, plot in zip(st.columns(max(len(plots), 1)), plots, strict=False):
        column.image(str(plot), width="stretch", alt=f"{plot.stem} of {folder.name}")
    if (folder / "table.md").is_file():
        st.markdown((folder / "table.md").read_text())
    csv = (folder / "results.csv").read_text()
    with st.expander("All trainings", expanded=not plots):
        _table(csv)
    st.download_button(
        "Download CSV",
        csv,
        f"{folder.name}.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _table(text: str) -> None:
    import io

    import pandas as pd

    try:
        st.dataframe(pd.read_csv(io.StringIO(text)), hide_index=True, alt="All trainings")
    except (ValueError, pd.errors.ParserError):
        st.warning("results.csv is damaged: the sweep writes it anew when it goes on.")
