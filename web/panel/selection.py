"""What is looked at: chosen in the sidebar, read by every tab."""

from dataclasses import dataclass
from pathlib import Path

from export.runs import Run

BACKGROUNDS = ("white", "black")
SPLITS = ("test", "val", "train")


@dataclass(frozen=True)
class Selection:
    """Runs to look at, and what their figures are of."""

    runs: tuple[Run, ...]
    """At least one, in the order chosen."""
    split: str
    background: str
    root: Path
    """Where runs, and sweeps, are looked for."""

    def run(self, name: str) -> Run | None:
        """The chosen run called `name`."""
        return next((run for run in self.runs if run.name == name), None)
