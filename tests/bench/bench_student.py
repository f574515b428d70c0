"""Students side by side: the same teacher, the same minutes, no more operations per frame.

    python -m tests.bench.bench_student                  `tiny` and `mobile_r2l_small`, five minutes each
    python -m tests.bench.bench_student --oracle         `tiny`, fifteen minutes of the analytic scene itself
    python -m tests.bench.bench_student --write          also the table and the curves of docs/

One after the other, each alone on the machine. A run that was killed goes on, and one that is in the file with the same
settings is not repeated (unless --again): settings are the whole configuration and the teacher's weights.
"""

import dataclasses
import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro

from student.budget import SIDES, budget_table, preset_budget
from student.evaluate import evaluate
from student.presets import PRESETS, TrainConfig
from student.train import train
from teacher import presets as teacher_presets
from teacher.checkpoint import Log, is_complete
from teacher.config import to_plain
from teacher.demo import write_demo_scene
from teacher.errors import UserError, exit_on_user_error
from teacher.files import read_json, replacing, write_json
from teacher.pseudo.source import open_source
from tests.bench import curves, report

ORACLE = "demo"
"""What `teacher.pseudo.source` calls the analytic scene."""
BACKGROUND = "white"


@dataclass(frozen=True)
class Bench:
    """Which students, of whom, and for how long."""

    presets: tuple[str, ...] = ()
    """Presets to train; by default `tiny` and `mobile_r2l_small` (of the oracle: `tiny`)."""
    oracle: bool = False
    """Distil the analytic scene itself, with no NeRF in between."""
    teacher: Path = report.ROOT / "runs" / "demo" / "teacher"
    """Run folder of the teacher; the `demo` preset is trained there if there is none."""
    minutes: float | None = None
    """Wall time of each training; by default 5 (of the oracle: 15)."""
    output: Path | None = None
    """JSON file to write; by default runs/bench/student.json (of the oracle: student_oracle.json)."""
    folder: Path = report.FOLDER / "student"
    """Where the students' run folders go."""
    docs: Path = report.ROOT / "docs"
    """Folder of benchmarks.md and of the figure."""
    write: bool = False
    """Also write the tables and the figure there, and the budgets of student.md."""
    again: bool = False
    """Repeat what is in the file already."""
    threads: int = min(2, os.cpu_count() or 1)
    """Threads of torch and of the kernels, shared by the student and its teacher."""

    def run(self) -> None:
        """Train, measure, print and write."""
        torch.set_num_threads(self.threads)
        if not self.oracle:
            ensure_teacher(self.teacher)
        source = ORACLE if self.oracle else str(self.teacher)
        found = self._known()
        for name in self._presets():
            settings = self._settings(name, source)
            known = found["presets"].get(name, {}).get("settings")
            if self.again or known != to_plain(settings):
                found["presets"][name] = self._measure(name, source, settings)
                write_json(self._output(), found)
        chosen = {name: found["presets"][name] for name in self._presets()}
        text = markdown(chosen, self.oracle)
        print(text)
        if self.write:
            self._publish(chosen, text)

    def _presets(self) -> tuple[str, ...]:
        return self.presets or (("tiny",) if self.oracle else ("tiny", "mobile_r2l_small"))

    def _output(self) -> Path:
        name = "student_oracle.json" if self.oracle else "student.json"
        return self.output or report.FOLDER / name

    def _known(self) -> dict[str, Any]:
        path = self._output()
        if not path.exists():
            return {"oracle": self.oracle, "presets": {}}
        return read_json(path, "results of an earlier run", "delete it")

    def _config(self, name: str) -> TrainConfig:
        if name not in PRESETS:
            raise UserError("--presets", name, f"some of {', '.join(PRESETS)}", "choose of these")
        minutes = self.minutes or (15.0 if self.oracle else 5.0)
        return dataclasses.replace(PRESETS[name][1], minutes=minutes, steps=None)

    def _settings(self, name: str, source: str) -> dict[str, Any]:
        views = open_source(source).fingerprint
        return {"train": to_plain(self._config(name)), "views": views, "threads": self.threads}

    def _measure(self, name: str, source: str, settings: dict[str, Any]) -> dict[str, Any]:
        """Train one student and measure it on all held-out views."""
        key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
        run = self.folder / f"{name}-{key}"
        if self.again:
            shutil.rmtree(run, ignore_errors=True)
        before = report.provenance()
        train(name, self._config(name), source, run)
        metrics = evaluate(run, "test", BACKGROUND)
        return summary(name, run, metrics) | {"settings": settings, "provenance": before}

    def _publish(self, chosen: dict[str, Any], text: str) -> None:
        name = "student_oracle" if self.oracle else "student_curves"
        drawn = {preset: curve_of(row) for preset, row in chosen.items()}
        title = "PSNR against the teacher, a few held-out views, while training (dB)"
        with replacing(self.docs / f"{name}.svg") as partial:
            partial.write_text(curves.figure(drawn, title))
        section = "student-oracle" if self.oracle else "student"
        picture = f"\n\n![PSNR while training]({name}.svg)"
        report.write_section(section, text + picture, self.docs / "benchmarks.md")
        sizes = [(side, side) for side in SIDES]
        report.write_section("budgets", budget_table((), sizes), self.docs / "student.md")


def ensure_teacher(folder: Path) -> None:
    """Train the `demo` preset into `folder`, or finish it, unless that has been done or views are stored there."""
    if is_complete(folder) or (folder / "store.json").exists():
        return
    from teacher.train import train as train_teacher

    data = folder.parent / "still-life"
    write_demo_scene(data)
    config = teacher_presets.PRESETS["demo"][1]
    train_teacher(teacher_presets.DataConfig(data), config, folder)


def summary(name: str, run: Path, metrics: dict[str, Any]) -> dict[str, Any]:
    """What the file says of one student."""
    size = (metrics["height"], metrics["width"])
    budget = preset_budget(name, size)
    rows = [row for row in Log(run / "log.jsonl").rows() if "test_psnr_teacher" in row]
    return {
        "psnr_teacher": metrics["student_psnr_teacher"],
        "psnr_truth": metrics["student_psnr_truth"],
        "teacher_psnr_truth": metrics["teacher_psnr_truth"],
        "stability_db": (metrics["stability"] or {}).get("stability_db"),
        "gflop": budget.gflop,
        "mbytes": budget.parameters * 2e-6,
        "traffic": budget.activation_bytes,
        "minutes": metrics["training_seconds"] / 60,
        "steps": metrics["step"],
        "resolution": [metrics["width"], metrics["height"]],
        "background": metrics["background"],
        "split": metrics["split"],
        "views": metrics["views"],
        "curve": [
            {"minutes": row["seconds"] / 60}
            | {key: row.get(f"test_psnr_{key}") for key in ("teacher", "truth")}
            for row in rows
        ],
    }


def curve_of(row: dict[str, Any]) -> curves.Curve:
    """(minutes, dB against the teacher)."""
    return [(point["minutes"], point["teacher"]) for point in row["curve"]]


def markdown(chosen: dict[str, Any], oracle: bool) -> str:
    """The table of docs/benchmarks.md, and what was compared."""
    head = ("preset", "dB against the teacher", "dB against truth", "stability dB", "GFLOP")
    head += ("MB fp16", "MB moved", "minutes", "steps", "dB/min at the end")
    rows = [[f"`{name}`", *_cells(row)] for name, row in chosen.items()]
    return f"{_head(chosen, oracle)}\n\n{report.table(head, rows)}\n\n{_reading(chosen)}"


def _cells(row: dict[str, Any]) -> list[str | float | None]:
    decibels = [row[key] for key in ("psnr_teacher", "psnr_truth", "stability_db")]
    cells = [None if value is None else f"{value:.2f}" for value in decibels]
    cells += [f"{row['gflop']:.3f}", f"{row['mbytes']:.2f}"]
    return [*cells, row["traffic"] / 1e6, row["minutes"], row["steps"], _rise(row)]


def _rise(row: dict[str, Any]) -> str | None:
    try:
        return f"{curves.slope(curve_of(row)):+.2f}"
    except ValueError:
        return None


def _head(chosen: dict[str, Any], oracle: bool) -> str:
    row = next(iter(chosen.values()))
    made = row["provenance"]
    dates = sorted({r["provenance"]["date"] for r in chosen.values()})
    commits = sorted({r["provenance"]["commit"] for r in chosen.values()})
    loads = ", ".join(f"{r['provenance']['load_average_before']}" for r in chosen.values())
    width, height = row["resolution"]
    of = "the analytic scene itself" if oracle else "a teacher of the built-in scene"
    if row["teacher_psnr_truth"] is not None:
        of += f" ({row['teacher_psnr_truth']:.2f} dB against truth)"
    return (
        f"`make bench-student`{' with `--oracle`' if oracle else ''}: {made['machine']}; torch {made['torch']} on "
        f"{row['settings']['threads']} threads, shared with the teacher; load before each {loads}; "
        f"{' to '.join(dates)}, commit {', '.join(commits)}.\nStudents of {of}, {width}×{height}; PSNR on "
        f"{row['background']}, mean of {row['views']} views ({row['split']}). GFLOP and traffic per frame of that size."
    )


def _reading(chosen: dict[str, Any]) -> str:
    """What follows from the table, in words; the slope is of the last third of the curve."""
    first, *others = chosen.items()
    lines = [
        f"`{first[0]}` is {first[1]['psnr_teacher'] - row['psnr_teacher']:+.2f} dB from `{name}` against the teacher, "
        f"at {first[1]['gflop'] / row['gflop']:.2f} of its operations."
        for name, row in others
    ]
    lines.append(
        "The last column is the slope of the curve over its last third (a few held-out views; the learning rate falls "
        "to its end then, so a slope says that there was more to learn, not that more of the same would)."
    )
    return " ".join(lines)


if __name__ == "__main__":
    exit_on_user_error(lambda: tyro.cli(Bench).run())
