"""What all benchmarks say alike: on which machine, at which commit, and where it goes in docs/benchmarks.md."""

import datetime
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from teacher.errors import UserError
from teacher.files import read_json, replacing

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "benchmarks.md"
FOLDER = ROOT / "runs" / "bench"


def provenance() -> dict[str, Any]:
    """Machine, versions, threads, date and commit, as every JSON file here begins."""
    return {
        "machine": machine(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", ""),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "commit": commit(),
        "load_average_before": round(os.getloadavg()[0], 2),
    }


def known(path: Path, settings: Any) -> dict[str, Any]:
    """Results so far in `path` of the same `settings` (plain data); with no rows where there are none."""
    if path.exists():
        found = read_json(path, "results of an earlier run", "delete it")
        if found["settings"] == settings:
            return found
    return {"provenance": provenance(), "settings": settings, "rows": {}}


def machine() -> str:
    """The processor and how many cores of it are here."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if os.name == "posix" else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    flags = next((line for line in lines if line.startswith("flags")), "")
    features = [f for f in ("avx2", "avx512f", "avx512_bf16") if f in flags.split()]
    name = names[0] if names else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores, {' '.join(features)}".rstrip(", ")


def commit() -> str:
    """The commit that is checked out, with "+" where files differ from it; "unknown" without git."""
    try:
        where = [_git("rev-parse", "--short", "HEAD"), _git("status", "--porcelain")]
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return where[0] + ("+" if where[1] else "")


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; numbers get three digits."""
    lines = [head, ["---"] * len(head), *[[_cell(value) for value in row] for row in rows]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def write_section(name: str, text: str, document: Path = DOCUMENT) -> None:
    """Replace what stands between the two comments of section `name` in `document`.

    Raises:
        UserError: the document has no such pair of comments.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found, rest = document.read_text().partition(begin)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise UserError(str(document), "no such comments", f"{begin} … {end}", "put them back")
    with replacing(document) as partial:
        partial.write_text(f"{before}{begin}\n{text}\n{end}{after}")
