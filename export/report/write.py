"""Comparing runs and writing what was found: report.html, and the same as report.csv beside it.

    run folders --compare_run--> ViewRecords --report_html, csv_text--> two files, each complete or not there

What is on disk already is not rendered again; a call that was interrupted goes on where it stopped. A run of which
nothing can be compared is in the report with what it lacks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from export.compare.records import MODELS, ViewRecord
from export.report.benches import read_bench
from export.report.csv import csv_text, rows
from export.report.page import report_html
from export.runs import Lack, Run, read_run, unique_names
from teacher.errors import UserError
from teacher.files import replacing


@dataclass(frozen=True)
class Written:
    """What `write_report` wrote."""

    html: Path
    csv: Path
    views: int
    """Over all runs."""
    lacks: int
    """What is missing, over all runs."""


def write_report(
    folders: Sequence[Path],
    output: Path,
    *,
    split: str = "test",
    background: str = "white",
    benches: Sequence[Path] = (),
    limit: int | None = None,
) -> Written:
    """Compare the runs in `folders` and write the report.

    Args:
        folders: run folders.
        output: HTML file; the CSV file has its name with another suffix.
        split: of the photographs.
        background: "white" or "black".
        benches: what the page's ?bench saved.
        limit: at most so many views of each run; None: all.

    Raises:
        UserError: a folder is no run's, no run has that split, or a bench is not what the page saves.
        KeyboardInterrupt: nothing was written; the same call goes on.
    """
    runs, output = _runs(folders), _checked(output)
    measured = [read_bench(path) for path in benches]
    records: list[ViewRecord] = []
    problems: list[tuple[str, Lack]] = []
    for run in runs:
        found, lacks = _compare(run, split, background, limit)
        records += found
        problems += [(run.name, lack) for lack in lacks]
    html = report_html(runs, records, measured, problems)
    csv = output.with_suffix(".csv")
    _write(csv, csv_text(rows(runs, records, measured)))
    _write(output, html)
    count = sum(len(run.lacks) for run in runs) + len(problems)
    return Written(output, csv, len(records), count)


def _runs(folders: Sequence[Path]) -> list[Run]:
    different = list({folder.resolve(): folder for folder in folders}.values())
    if not different:
        expected = "one or more folders such as runs/demo"
        raise UserError("run folders", "none", expected, "`make demo` writes runs/demo")
    names = unique_names(different)
    alone = len(different) == 1
    return [
        read_run(folder, None if alone else name)
        for folder, name in zip(different, names, strict=True)
    ]


def _checked(output: Path) -> Path:
    if output.suffix not in (".html", ".htm"):
        given = f"a file that ends in {output.suffix!r}" if output.suffix else "no suffix"
        raise UserError(f"--output {output}", given, "an .html file", "such as report.html")
    return output


def _compare(
    run: Run, split: str, background: str, limit: int | None
) -> tuple[list[ViewRecord], list[Lack]]:
    """The run's comparisons, and what it turned out to lack on the way."""
    from export.compare.batch import compare_run

    with tqdm(desc=run.name, unit="view") as bar:

        def progress(done: int, total: int, _: str) -> None:
            bar.total = total
            bar.update(done - bar.n)

        try:
            found = compare_run(
                run, split=split, background=background, limit=limit, progress=progress
            )
        except UserError as error:
            if error.thing == "--split":
                raise
            return [], [Lack(error.thing, f"{error.given}, not {error.expected}", error.remedy)]
    found = [replace(record, run=run.name) for record in found]  # on disk it may have another name
    return found, _problems(run, found)


def _problems(run: Run, records: Sequence[ViewRecord]) -> list[Lack]:
    """Why models are in no record: what opening them says."""
    from export.compare.contenders import open_contenders

    missing = [model for model in MODELS if not any(model in r.pictures for r in records)]
    return [] if not missing else list(open_contenders(run, missing).problems)


def _write(path: Path, text: str) -> None:
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="")
