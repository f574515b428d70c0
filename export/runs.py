"""Run folders as the panel and the report find them: which stages are there, and what to run for those that are not.

    runs/*/{teacher,student,bundle} --read_run--> Run --find_runs--> newest first

A run folder may also be a teacher's or a student's own (it holds config.json itself). Nothing here loads a model or
imports torch: a page that lists runs appears at once.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Lack:
    """Something that a run does not have, and the command that makes it."""

    what: str
    """Such as "teacher", "student", "bundle", "teacher's evaluation"."""
    why: str
    """Such as "no file runs/demo/student/model.safetensors", "training stopped at step 300 of 8000"."""
    command: str
    """What to run."""


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
