"""What a frame of every preset costs in the forms that are exported: `python -m tests.bench.frame_costs`.

Untrained students: costs depend on sizes alone. ONNX Runtime is timed at 128 x 128 pixels, where it is what the page's
WebAssembly does; at 800 x 800 everything is counted only, and what only WebAssembly and Python run is left out.
"""

from dataclasses import dataclass

import torch
import tyro

from export.cost import COLUMNS, FormCost, cost_rows, frame_cost, split_cost
from export.split.protocol import Splittable
from student.presets import PRESETS
from teacher.errors import exit_on_user_error
from tests.bench import report

SHOWN = ("tiny", "pocket", "mobile_r2l", "mobile_r2l_small", "light_slab", "light_slab_small")
HEAD = f"preset, {COLUMNS}".split(", ")


@dataclass(frozen=True)
class FrameCosts:
    """Count and time the presets' exported forms."""

    write: bool = False
    """Also write the table into docs/student.md."""
    threads: int = 1
    """Of ONNX Runtime, as many as a page without cross-origin isolation has."""

    def run(self) -> None:
        """Print, and perhaps write."""
        torch.set_num_threads(self.threads)
        lines = [HEAD, ["---"] * len(HEAD)]
        for name in SHOWN:
            lines += [[f"`{name}`", *row] for row in cost_rows(costs(name))]
        text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        print(text)
        if self.write:
            report.write_section("frame-costs", text, report.ROOT / "docs" / "student.md")


def costs(name: str) -> list[FormCost]:
    """Half-precision forms of a preset at 128 x 128, timed, and at 800 x 800."""
    torch.manual_seed(0)
    model = PRESETS[name][1].model.build(torch.tensor([[-1.0] * 3, [1.0] * 3])).eval()
    small = frame_cost(model, (128, 128))
    split = isinstance(model, Splittable)
    large = split_cost(model, (800, 800)) if split else frame_cost(model, (800, 800), runs=0)
    return [row for row in (*small, *large) if row.precision == "fp16"]


if __name__ == "__main__":
    exit_on_user_error(lambda: tyro.cli(FrameCosts).run())
