"""The parent's side of `colmap.py`: starts a stage, shows its progress, tells what went wrong.

    Job --python -m teacher.capture.colmap--> files;   lines of its output that mark progress --> progress bar

Progress is read off what pycolmap says, never off its database: a reader makes its writer fail.
"""

import os
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from typing import Any

from tqdm import tqdm

from teacher.capture.colmap import BLOCK, NO_START, Job
from teacher.errors import UserError

_MARKS = {"features": b"Processed file [", "matches": b"Processing block [", "cameras": b"+"}
_UNITS = {"features": "picture", "matches": "pair", "cameras": "picture"}
_ROOT = Path(__file__).parents[2]


class NoStartError(Exception):
    """Mapping was ended because it found no two pictures to start from."""


def run_stage(job: Job) -> None:
    """Run one stage to its end, in another process.

    Raises:
        NoStartError: mapping gave up.
        UserError: the process failed; what it said last is in the message.
    """
    note = job.folder / f"{job.stage}.json"
    note.write_text(job.dump())
    total = len(job.pairs) if job.stage == "matches" else job.pictures
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    bar: tqdm[Any] = tqdm(total=total, desc=job.stage, unit=_UNITS[job.stage])
    process = subprocess.Popen(
        [sys.executable, "-m", "teacher.capture.colmap", str(note)],
        stdin=subprocess.PIPE,  # whose end tells the stage that we are gone
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": path},
    )
    with bar, process:
        try:
            said = _follow(process, job, bar)
        except BaseException:
            process.kill()
            raise
    if job.stage == "cameras" and process.returncode == NO_START:
        raise NoStartError
    if process.returncode != 0:
        raise _failed(job, process.returncode, said)


def _follow(process: "subprocess.Popen[bytes]", job: Job, bar: "tqdm[Any]") -> list[str]:
    """Move the bar until the process ends; the last lines it said."""
    marks, last = [0], deque[bytes](maxlen=4)

    def listen() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if _MARKS[job.stage] in line:
                marks[0] += 1
            elif not line.startswith(b"I"):  # the log's informations
                last.append(line)
            if job.verbose:
                tqdm.write(line.decode(errors="replace").rstrip(), sys.stderr)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    while process.poll() is None:
        listener.join(0.3)  # the main thread stays free for Ctrl-C
        bar.update(max(0, min(_done(job, marks[0]), bar.total or 0) - bar.n))
    listener.join()
    everything = job.stage != "cameras" and process.returncode == 0
    done = (bar.total or 0) if everything else min(_done(job, marks[0]), bar.total or 0)
    bar.update(max(0, done - bar.n))
    return [line.decode(errors="replace").strip() for line in last]


def _done(job: Job, marks: int) -> int:
    """Pictures or pairs that so many marks stand for; a block of pairs is announced when it begins."""
    return BLOCK * max(0, marks - 1) if job.stage == "matches" else marks


def _failed(job: Job, code: int, said: list[str]) -> UserError:
    return UserError(
        f"finding cameras, stage {job.stage!r}",
        f"pycolmap ended with code {code}; it said: {' | '.join(said)[:600] or 'nothing'}",
        "the stage to finish",
        "run the same command again with --verbose; less memory is needed with --sfm-image-size 700",
    )
