"""Comparisons made by hand, for the tests of the report: no model renders here.

`python -m tests.export.report_cases FOLDER` writes FOLDER/report.html, which the browser's tests open.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from export.compare.records import MODELS, Novelty, Scores, ViewRecord


def scores(psnr: float) -> Scores:
    """Figures that go with `psnr`."""
    return {
        "psnr": psnr,
        "ssim": psnr / 40,
        "ms_ssim": "n/a (sides of 161 pixels at least)",
        "flip": 1 / psnr,
        "lpips": "n/a (no weights: $POCKETFIELD_LPIPS_WEIGHTS)",
    }


def record(
    name: str = "r_0", psnr: float = 30.0, degrees: float = 4.0, run: str = "demo"
) -> ViewRecord:
    """A view without pictures; the student has `psnr`, the teacher 2 dB more, the exports as much as the student."""
    of = {"teacher": psnr + 2, "student": psnr, "onnx fp32": psnr, "onnx fp16": psnr - 0.01}
    pupils = {model: scores(psnr + 1) for model in MODELS[1:]}
    exports = {"onnx fp32": scores(100.0), "onnx fp16": scores(74.0)}
    truth = {model: scores(value) for model, value in of.items()}
    return ViewRecord(
        *(run, name, "test", "white", 8, 6),
        novelty=Novelty(degrees, degrees / 50),
        pictures=dict.fromkeys(("truth", *MODELS), Path("nowhere.png")),
        depths=dict.fromkeys(MODELS, Path("nowhere.png")),
        scores={"truth": truth, "teacher": pupils, "student": exports},
        milliseconds={"teacher": 20.0, "student": 40.0, "onnx fp32": 10.0, "onnx fp16": 12.0},
        sizes={**dict.fromkeys(MODELS, (8, 6)), "onnx fp16": (4, 4)},
    )


def without_truth(found: ViewRecord) -> ViewRecord:
    """The same where there is no photograph."""
    pictures = {name: path for name, path in found.pictures.items() if name != "truth"}
    rest = {name: table for name, table in found.scores.items() if name != "truth"}
    return replace(found, pictures=pictures, scores=rest)


def painted(found: ViewRecord, folder: Path) -> ViewRecord:
    """The same with pictures on the disk: a grey square each, of its own lightness, on nothing."""
    width, height = found.width, found.height
    folder.mkdir(parents=True, exist_ok=True)
    pictures, depths = {}, {}
    for number, name in enumerate(found.pictures):
        rgba = np.zeros((height, width, 4), np.uint8)
        rgba[1:-1, 1:-1] = (40 * number, 40 * number, 200, 255)
        pictures[name] = folder / f"{found.run}-{found.name}-{number}.png"
        Image.fromarray(rgba).save(pictures[name])
        if name in found.depths:
            depths[name] = folder / f"{found.run}-{found.name}-{number}.depth.png"
            Image.fromarray(rgba[..., 3].astype(np.uint16) * 100).save(depths[name])
    return replace(found, pictures=pictures, depths=depths)


BENCH = {
    "schema": 1,
    "scene": "still-life",
    "exported": "2026-11-21T20:03:26+00:00",
    "measured": "2026-11-21T20:10:00.000Z",
    "browser": "Chromium 156",
    "cores": 4,
    "backend": "webgpu",
    "adapter": "swiftshader",
    "student": "tiny",
    "precision": "fp16",
    "form": "shaders",
    "width": 128,
    "height": 128,
    "gflop": 0.38,
    "frames": 60,
    "milliseconds": {
        part: {"median": 20.0, "p95": 30.0}
        for part in ("run", "submit", "present", "wait", "total")
    },
    "fps": 48.5,
    "heap": None,
    "psnr": [70.0, 74.0],
}
"""What ?bench saves."""


def write_example(folder: Path) -> None:
    """A report of everything that there can be in one: two runs, one of them damaged, and a bench."""
    from export.report.benches import read_bench
    from export.report.page import report_html
    from export.runs import read_run
    from tests.export.test_runs import make_run

    whole, damaged = (make_run(folder / name) for name in ("demo", "other"))
    rows = [{"step": k, "seconds": 30 * k, "loss": 1 / k, "psnr": 20 + k} for k in (1, 2, 3)]
    log = "".join(json.dumps(row) + "\n" for row in rows)
    (whole / "student" / "log.jsonl").write_text(log)
    (damaged / "student" / "model.safetensors").write_bytes(b"cut off")
    views = [record("a", 31.0, 2.0), record("b", 28.5, 7.0), record("c", 33.25, 12.0)]
    views += [record("d", 30.0, 3.0, run="other"), without_truth(record("e", 26.0, 20.0))]
    shown = [painted(replace(one, width=96, height=64), folder / "pictures") for one in views]
    bench = read_bench(json.dumps(BENCH).encode(), "laptop.json")
    html = report_html([read_run(whole), read_run(damaged)], shown, [bench])
    (folder / "report.html").write_text(html)


if __name__ == "__main__":
    write_example(Path(sys.argv[1]))
