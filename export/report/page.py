"""The report: one HTML file that needs nothing else, from a disk as from a server.

    runs, ViewRecords, benches --report_html--> text

Its style sheets and script are page.css, views.css and page.js beside this file. A content security policy lets
it load nothing and run no other script, whatever names in it may hold.
"""

import base64
import hashlib
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from export.compare.records import ViewRecord
from export.machine import machine, machine_line
from export.report.benches import Bench
from export.report.charted import novelty_section, tradeoff_section, training_section
from export.report.facts import Facts, facts_of
from export.report.markup import Markup, escape, facts, join
from export.report.sections import (
    benches_section,
    lacks_section,
    meanings_section,
    summary_section,
)
from export.report.summary import main_reference
from export.report.views import views_section
from export.runs import Lack, Run

_HERE = Path(__file__).parent
_CONTENTS = (
    ("summary", "Summary"),
    ("exports", "Size against quality"),
    ("training", "Training"),
    ("novelty", "Novelty"),
    ("browsers", "In browsers"),
    ("views", "Views"),
    ("missing", "Missing"),
    ("meanings", "What the figures mean"),
)


def report_html(
    runs: Sequence[Run],
    records: Sequence[ViewRecord],
    benches: Sequence[Bench] = (),
    problems: Sequence[tuple[str, Lack]] = (),
) -> str:
    """The report's text.

    Args:
        runs: what was compared, in the order to show; their names differ.
        records: comparisons of any of `runs`; none where nothing can be compared yet.
        benches: what the page measured of itself.
        problems: what else was missing when runs were opened, by their names.
    """
    known = {run.name: facts_of(run) for run in runs}
    parts = [
        summary_section(runs, records, known),
        tradeoff_section(runs, records),
        training_section(runs),
        novelty_section(records),
        benches_section(benches),
        views_section(len(runs), records),
        lacks_section(runs, problems),
        meanings_section(),
    ]
    title = f"Pocketfield: {', '.join(run.name for run in runs) or 'no run'}"
    return _document(title, _body(title, runs, records, known, parts))


def _document(title: str, body: Markup) -> str:
    frame, views, script = (
        (_HERE / name).read_text() for name in ("page.css", "views.css", "page.js")
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{frame}{views}</style></head>\n"
        f"<body>{body}<script>{script}</script></body></html>\n"
    )


def _body(
    title: str,
    runs: Sequence[Run],
    records: Sequence[ViewRecord],
    known: dict[str, Facts],
    parts: Sequence[Markup],
) -> Markup:
    header = _header(title, runs, records, known, parts)
    return Markup(f"{header}<main>{join(parts)}</main>")


def _header(
    title: str,
    runs: Sequence[Run],
    records: Sequence[ViewRecord],
    known: dict[str, Facts],
    parts: Sequence[Markup],
) -> Markup:
    scenes = dict.fromkeys(found.scene for found in known.values())
    pairs = [
        ("Scene", ", ".join(scenes) or "–"),
        ("Compared", _compared(records)),
        ("Trained", "; ".join(_trained(run, known[run.name], len(runs) > 1) for run in runs)),
        ("Written", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {_code()}"),
        ("On", machine_line(machine())),
    ]
    links = [
        f'<li><a href="#{ident}">{escape(name)}</a></li>'
        for ident, name in _CONTENTS
        if any(f'<section id="{ident}"' in part for part in parts)
    ]
    return Markup(
        f"<header><h1>{escape(title)}</h1>{facts(pairs)}"
        f'<nav aria-label="Contents"><ul>{"".join(links)}</ul></nav></header>'
    )


def _compared(records: Sequence[ViewRecord]) -> str:
    """Split, number of views, size, background; all of them where they differ."""
    if not records:
        return "nothing yet: see what is missing"
    splits = dict.fromkeys(record.split for record in records)
    sizes = dict.fromkeys(f"{record.width} × {record.height}" for record in records)
    grounds = dict.fromkeys(record.background for record in records)
    views = len({(record.split, record.name) for record in records})
    return (
        f"{views} views ({', '.join(splits)}), {', '.join(sizes)} pixels, over "
        f"{' and '.join(grounds)}, against {main_reference(records)}"
    )


def _trained(run: Run, known: Facts, several: bool) -> str:
    """How long each stage took."""
    texts = []
    for name, training in (("teacher", known.teacher), ("student", known.student)):
        if training is not None and training.seconds is not None:
            preset = f" {training.preset}" if training.preset else ""
            steps = "" if training.step is None else f", {training.step} steps"
            texts.append(f"{name}{preset} {training.seconds / 60:.1f} min{steps}")
    text = ", ".join(texts) or "nothing"
    return f"{run.name}: {text}" if several else text


def _code() -> str:
    """The version of this code, as far as it is known."""
    command = ["git", "-C", str(_HERE), "describe", "--always", "--dirty"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=5)
    except (OSError, subprocess.SubprocessError):
        return "code outside of a repository"
    return f"commit {found.stdout.strip()}"
