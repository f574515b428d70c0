"""The parent's side of `colmap.py`: starts a stage, shows its progress, tells what went wrong.

Job --python -m teacher.capture.colmap--> files;   rows of the database, or "+" on its output --> progress bar
"""

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from tqdm import tqdm

from teacher.capture.colmap import Job
from teacher.errors import UserError

_TABLES = {"features": "keypoints", "matches": "two_view_geometries"}
_UNITS = {"features": "picture", "matches": "pair", "cameras": "picture"}
_ROOT = Path(__file__).parents[2]


def run_stage(job: Job) -> None:
    """Run one stage to its end, in another process.

    Raises:
        UserError: the process failed; what it said last is in the message.
    """
    note = job.folder / f"{job.stage}.json"
    note.write_text(job.dump())
    total = len(job.pairs) if job.stage == "matches" else job.pictures
    command = [sys.executable, "-m", "teacher.capture.colmap", str(note)]
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    log = job.folder / f"{job.stage}.log"
    bar: tqdm[Any] = tqdm(total=total, desc=job.stage, unit=_UNITS[job.stage])
    with log.open("wb") as errors, bar:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if job.verbose else errors,
            env={**os.environ, "PYTHONPATH": path},
        )
        try:
            _follow(process, job, bar)
        except BaseException:
            process.kill()
            process.communicate()
            raise
    if process.returncode != 0:
        raise _failed(job, process.returncode, log.read_text(errors="replace"))


def _follow(process: "subprocess.Popen[bytes]", job: Job, bar: "tqdm[Any]") -> None:
    """Move the bar until the process ends."""
    told = [0]

    def listen() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            told[0] += line.startswith(b"+")

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    table = _TABLES.get(job.stage)
    while True:
        try:
            process.wait(0.3)
        except subprocess.TimeoutExpired:
            done = told[0] if table is None else rows(job.database, table)
            bar.update(max(0, min(done, bar.total or 0) - bar.n))
            continue
        listener.join()
        assert process.stdout is not None and process.stdin is not None
        process.stdout.close()
        process.stdin.close()
        if process.returncode == 0:  # mapping that failed to start leaves its bar where it is
            done = told[0] if table is None else (bar.total or 0)
            bar.update(max(0, min(done, bar.total or 0) - bar.n))
        return


def rows(database: Path, table: str) -> int:
    """Rows of a table that another process is writing; 0 while that cannot be told."""
    try:
        connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=0)
        try:
            return int(connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.Error:
        return 0


def _failed(job: Job, code: int, said: str) -> UserError:
    last = " | ".join(said.strip().splitlines()[-3:]) or "nothing"
    return UserError(
        f"finding cameras, stage {job.stage!r}",
        f"pycolmap ended with code {code}; it said: {last[:600]}",
        "the stage to finish",
        "run the same command again with --verbose; less memory is needed with --sfm-image-size 700",
    )
