"""The tables of bench_cuda.py for docs/benchmarks.md, of whatever sections there are."""

from typing import Any

from tests.bench import report, roofline


def markdown(found: dict[str, Any]) -> str:
    """Environment, rates, PSNR at budgets, kernels, and what failed."""
    parts = [_environment(found), _rates(found)]
    if "psnr_at" in found:
        parts.append(_budgets(found["psnr_at"]))
    if "roofline" in found:
        parts.append(roofline.markdown(found["roofline"]))
    if found.get("errors"):
        parts.append(report.table(("section that failed", "why"), _failed(found["errors"])))
    return "\n\n".join(part for part in parts if part)


def _environment(found: dict[str, Any]) -> str:
    gpu, (width, height) = found["gpu"], found["resolution"]
    device = (
        f"{gpu['name']} (sm_{gpu['capability'].replace('.', '')}, {gpu['memory_gib']} GiB, driver {found['driver']})"
        if gpu
        else f"NO GPU, a rehearsal on {found['machine']}"
    )
    return (
        f"`make bench-cuda`: {device}; torch {found['torch']}, nvcc {found['nvcc'] or 'not on PATH'}; "
        f"{found['date']}, commit {found['commit']}.\nPreset `{found['preset']}` on `{found['scene']}` at "
        f"{width}×{height}; PSNR on white, mean of {len(found['views'])} views of split test."
    )


def _rates(found: dict[str, Any]) -> str:
    rows: list[list[object]] = []
    peer = found.get("peer")
    if training := found.get("training"):
        for name, key, unit in (
            ("training, M samples/s", "samples_per_second", 1e6),
            ("training, steps/s", "steps_per_second", 1),
            ("training, M candidates/s", "candidates_per_second", 1e6),
            ("training, M rays/s", "rays_per_second", 1e6),
            ("peak memory, GiB", "peak_memory_gib", 1),
        ):
            theirs = training.get(f"peer_{key}")
            ours = training[key]
            rows.append([name, ours and ours / unit, theirs and theirs / unit])
    if rendering := found.get("rendering"):
        theirs = rendering.get("nerfacc", {}).get("frames_per_second")
        rows.append(["rendering, frames/s", rendering["ours"]["frames_per_second"], theirs])
        rows.append(["rendering, M rays/s", rendering["rays_per_second"] / 1e6, None])
    if seconds := found.get("seconds_to"):
        rows.append(["cold start, s to the first step", seconds["first_step"], None])
    if peer and rows:
        rows.append(["import and first step, s", None, peer["seconds_to_first_step"]])
    if original := found.get("instant_ngp"):
        per_second = original["batch_samples_per_second"] / 1e6
        rows.append([f"(instant-ngp: {per_second:.0f} M samples of its batches/s)", None, None])
    title = f"nerfacc ({peer['field']})" if peer else "nerfacc (did not run)"
    return report.table(("", "ours", title), rows) if rows else ""


def _budgets(learned: dict[str, dict[str, Any]]) -> str:
    rows = []
    for name, of_side in learned.items():
        for budget, got in of_side.items():
            rows.append([name, f"{budget} s", got["steps"], f"{got['psnr']:.2f}"])
    return report.table(("", "training", "steps", "dB"), rows)


def _failed(errors: dict[str, str]) -> list[list[object]]:
    return [[name, " ".join(error.split()).replace("|", "/")] for name, error in errors.items()]
