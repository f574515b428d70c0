"""What `python -m teacher process` wrote of the capture that a run was made from; torch is not imported.

RUN/scene/process.json, else process.json where the teacher's data are --read_capture_report--> CaptureReport
"""

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from export.run_checks import Damage, read_object
from export.runs import Run

VERSION = 1
"""`teacher.capture.report.VERSION`, whose module imports more than a list of runs needs; a test holds the two equal."""
_NEEDED = ("data", "frames", "pictures", "findings")


@dataclass(frozen=True)
class CaptureReport:
    """The report of one capture."""

    folder: Path
    """Of the data set: drawings are in report/."""
    plain: dict[str, Any]
    """process.json."""

    @property
    def numbers(self) -> dict[str, str]:
        """The figures to know it by."""
        pictures, frames = self.plain["pictures"], self.plain["frames"]
        posed = [picture for picture in pictures if "error" in picture]
        sharp = [picture["sharpness"] for picture in pictures]
        numbers = {
            "pictures": f"{len(pictures)} of {frames.get('read', len(pictures))}",
            "cameras": f"{len(posed)} of {len(pictures)}",
            "sharpness, median": f"{median(sharp):.2f}" if sharp else "–",
        }
        if "points" in self.plain:
            numbers["points"] = f"{self.plain['points']}"
        if "ray_angle_quartiles" in self.plain:
            numbers["angle of rays"] = f"{self.plain['ray_angle_quartiles'][1]:.1f}°"
        return numbers


def read_capture_report(run: Run) -> CaptureReport | None:
    """The report of the capture that `run` was made from; None where there is none.

    Raises:
        Damage: it cannot be read.
    """
    for folder in _places(run):
        path = folder / "process.json"
        if not path.is_file():
            continue
        plain = read_object(path)
        if plain.get("version") != VERSION:
            raise Damage(f"{path} has version {plain.get('version')}, not {VERSION}")
        missing = [name for name in _NEEDED if name not in plain]
        if missing:
            raise Damage(f"{path} is damaged (no field {missing[0]})")
        return CaptureReport(folder, plain)
    return None


def _places(run: Run) -> list[Path]:
    """Where the data set may lie."""
    places = [run.folder / "scene"]
    if run.teacher is not None:
        try:
            data = Path(str(read_object(run.teacher / "config.json")["data"]["data"]))
            places.append(data if data.is_dir() else data.parent)
        except (Damage, KeyError, TypeError):
            pass
    return places
