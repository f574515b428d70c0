"""What is missing or wrong, said so that one knows what to run."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import streamlit as st

from export.runs import Lack
from teacher.errors import UserError


def show_problem(error: UserError) -> None:
    """A `UserError` as a box: the thing, what was found, what was expected, what to do."""
    st.error(
        f"**{plain(error.thing)}**  \ngiven: {plain(error.given)}  \n"
        f"expected: {plain(error.expected)}  \n→ {plain(error.remedy)}",
        icon=":material/error:",
    )


def show_lacks(lacks: Iterable[Lack]) -> None:
    """What a run does not have, each with the command that makes it."""
    for lack in lacks:
        st.markdown(f"**{plain(lack.what)}**: {plain(lack.why)}")
        st.code(lack.command, language="bash")


@contextmanager
def friendly(doing: str) -> Iterator[None]:
    """Show errors that a user can mend, and files that vanished under us, in place of a traceback."""
    from web.panel.work import as_problem

    try:
        yield
    except (UserError, OSError) as error:
        show_problem(as_problem(error, doing))


def plain(text: str) -> str:
    """`text` without Markdown: names of files are full of underscores, asterisks and brackets."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>()#+-.!|$~:" else c for c in text)
