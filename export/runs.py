"""Run folders as the panel and the report find them: which stages are there, and what to run for those that are not.

    runs/*/{teacher,student,bundle} --read_run--> Run --find_runs--> newest first

A run folder may also be a teacher's or a student's own (it holds config.json itself). Nothing here loads a model or
imports torch: a page that lists runs appears at once. What a run lacks is found by `export.run_checks`.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from export.run_checks import (
    Check,
    Lack,
    Layout,
    check_bundle,
    check_student,
    check_teacher,
    layout_of,
)
from teacher.errors import UserError

__all__ = ["Lack", "Run", "find_runs", "no_runs", "read_run", "unique_names"]

_DEEPEST = 4
_FILES = ("config.json", "progress.json", "log.jsonl", "model.safetensors", "eval/metrics.json")


@dataclass(frozen=True)
class Run:
    """What lies in one run folder."""

    name: str
    folder: Path
    changed: float
    """When the newest of its files was written, in seconds since 1970."""
    teacher: Path | None
    """The teacher's run folder, if it has weights (perhaps of an unfinished training)."""
    student: Path | None
    bundle: Path | None
    """If there is a manifest."""
    lacks: tuple[Lack, ...]


def read_run(folder: Path, name: str | None = None) -> Run:
    """What lies in `folder`: a run's, or a stage's own.

    Args:
        folder: such as runs/demo, or runs/demo/student.
        name: what to call it; None: as the folder is called, a stage's own as demo/student.

    Raises:
        UserError: `folder` is no run folder.
    """
    layout = layout_of(folder)
    if layout is None:
        given = "no such folder" if not folder.is_dir() else "a folder without any stage's files"
        raise UserError(
            f"run folder {folder}",
            given,
            "a folder with teacher/, student/ or bundle/ in it, or a stage's own",
            "give one such as runs/demo, which `make demo` writes",
        )
    checks = (check_teacher(layout), check_student(layout), check_bundle(layout))
    return Run(
        name=name or _name_of(folder, layout),
        folder=folder,
        changed=_changed(layout),
        teacher=_usable(layout.teacher, checks[0]),
        student=_usable(layout.student, checks[1]),
        bundle=_usable(layout.bundle, checks[2]),
        lacks=tuple(lack for check in checks for lack in check.lacks),
    )


def find_runs(root: Path) -> list[Run]:
    """All runs under `root`, the newest first, named by their path in it; empty where there is none.

    What lies inside a run is part of it and no run of its own.
    """
    runs = []
    for folder in _run_folders(root, 0):
        try:
            runs.append(read_run(folder, folder.relative_to(root).as_posix()))
        except (UserError, FileNotFoundError):
            continue  # removed while we looked
    return sorted(runs, key=lambda run: (-run.changed, run.name))


def no_runs(root: Path) -> Lack:
    """What to say where `find_runs` finds none."""
    why = f"no run in {root}" if root.is_dir() else f"no folder {root}"
    return Lack("runs", why, "make demo")


def unique_names(folders: list[Path]) -> list[str]:
    """A name for each of `folders`: its last part, or as many as tell it from the others.

    >>> unique_names([Path("runs/a/x"), Path("runs/b/x"), Path("runs/demo")])
    ['a/x', 'b/x', 'demo']
    """
    parts = [folder.resolve().parts for folder in folders]
    names = ["/".join(part[-1:]) for part in parts]
    for depth in range(2, max(map(len, parts), default=0) + 1):
        twice = {name for name in names if names.count(name) > 1}
        names = [
            "/".join(part[-depth:]) if name in twice else name
            for name, part in zip(names, parts, strict=True)
        ]
    return names


def _name_of(folder: Path, layout: Layout) -> str:
    place = folder.resolve()
    named_as_stage = not layout.whole and place.name in ("teacher", "student", "bundle")
    return f"{place.parent.name}/{place.name}" if named_as_stage else place.name


def _run_folders(folder: Path, depth: int) -> Iterator[Path]:
    """The run folders in `folder`, none inside another."""
    try:
        inside = sorted(entry.path for entry in os.scandir(folder) if entry.is_dir())
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    for path in map(Path, inside):
        if path.name.startswith("."):
            continue
        if layout_of(path) is not None:
            yield path
        elif depth + 1 < _DEEPEST:
            yield from _run_folders(path, depth + 1)


def _usable(folder: Path | None, check: Check) -> Path | None:
    return folder if check.usable else None


def _changed(layout: Layout) -> float:
    """The time of the newest file of its stages."""
    stages = [path for path in (layout.own_teacher, layout.student) if path is not None]
    files = [stage / name for stage in stages for name in _FILES]
    files += [] if layout.bundle is None else [layout.bundle / "manifest.json"]
    times = []
    for file in files:
        try:
            times.append(file.stat().st_mtime)
        except OSError:
            continue
    return max(times, default=0.0)
