"""What `python -m teacher process` says to captures that cannot be used: a table, and exit code 1 if one passes.

python -m tests.bench.bench_refusals                 all of tests/bad_captures.py, ten minutes on one core
python -m tests.bench.bench_refusals --fast          those in which cameras are looked for briefly or not at all
"""

import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import tyro

from tests.bad_captures import CAPTURES
from tests.bench.report import ROOT, table


@dataclass(frozen=True)
class Bench:
    """Which captures."""

    fast: bool = False
    """Leave the slow ones out."""
    only: tuple[str, ...] = ()
    """Names of captures; none: all."""

    def run(self) -> int:
        """Print the table; how many captures were not refused as they should be."""
        rows, wrong = [], 0
        for name, capture in CAPTURES.items():
            if (capture.slow and self.fast) or (self.only and name not in self.only):
                continue
            with tempfile.TemporaryDirectory() as folder:
                row, right = _tried(Path(folder), name)
            rows.append(row)
            wrong += not right
            print(*row, sep=" | ", flush=True)
        print(table(("capture", "given", "exit code", "left behind", "seconds"), rows))
        return wrong


def _tried(folder: Path, name: str) -> tuple[tuple[str, ...], bool]:
    capture = CAPTURES[name]
    data = capture.make(folder)
    before = set(folder.rglob("*"))
    command = [sys.executable, "-m", "teacher", "process", "--data", str(data)]
    start = time.perf_counter()
    done = subprocess.run(
        [*command, "--output-dir", str(folder / "runs" / "toy" / "scene")],
        *(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - start
    left = sorted(str(path.relative_to(folder)) for path in set(folder.rglob("*")) - before)
    given = re.search(r"given: +(.*)", done.stderr)
    said = given[1] if given else (done.stderr.strip().splitlines() or ["nothing"])[-1]
    right = done.returncode == 2 and not left and bool(re.search(capture.says, done.stderr))
    row = (
        name,
        said[:160],
        str(done.returncode),
        ", ".join(left[:3]) or "nothing",
        f"{seconds:.0f}",
    )
    if not right:
        print(
            f"--- {name}: expected a refusal with {capture.says!r}\n{done.stderr[-1500:]}",
            flush=True,
        )
    return row, right


if __name__ == "__main__":
    sys.exit(min(1, tyro.cli(Bench, description=__doc__).run()))
