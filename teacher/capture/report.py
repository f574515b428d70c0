"""What a processed capture has to say of itself: report/ for eyes, process.json for programs.

report/contact_sheet.png, sharpness.png, cameras.png, report.txt
process.json: input, settings, pictures, findings, verdict, world
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from teacher.capture.checks import Finding, ray_angles
from teacher.capture.drawings import draw_cameras, draw_contact_sheet, draw_sharpness
from teacher.capture.frames import Frames
from teacher.capture.model import Comparison, Model, median
from teacher.capture.world import World, moved_points, moved_poses
from teacher.errors import UserError
from teacher.files import replacing, write_json

VERSION = 1
"""Of process.json."""


@dataclass(frozen=True)
class Account:
    """All that the stages found out."""

    data: str
    settings: dict[str, Any]
    frames: Frames
    compared: Comparison | None = None
    model: Model | None = None
    """After cameras were dropped."""
    whole: Model | None = None
    """Before."""
    dropped: dict[str, str] | None = None
    """Cameras taken out, with the reason."""
    world: World | None = None
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    refused: UserError | None = None

    @property
    def without_camera(self) -> list[str]:
        """Pictures that are not in the data set."""
        registered = set() if self.model is None else set(self.model.names)
        return [name for name in self.frames.names if name not in registered]


def write_report(folder: Path, images: Path, account: Account) -> None:
    """Write report/ and process.json into `folder`."""
    report = folder / "report"
    report.mkdir(parents=True, exist_ok=True)
    missing = frozenset(account.without_camera) if account.model is not None else frozenset()
    draw_contact_sheet(report / "contact_sheet.png", images, account.frames, missing)
    draw_sharpness(report / "sharpness.png", account.frames)
    if account.model is not None and account.world is not None and account.whole is not None:
        T, model = account.world.T_world_source, account.model
        gone = [k for k, name in enumerate(account.whole.names) if name not in model.names]
        draw_cameras(
            report / "cameras.png",
            moved_poses(T, model.T_world_camera),
            moved_points(T, model.points),
            model.colours,
            moved_poses(T, account.whole.T_world_camera[gone]),
            joined=account.frames.video,
        )
    with replacing(report / "report.txt") as partial:
        partial.write_text(describe(account))
    write_json(folder / "process.json", as_json(account))


def describe(account: Account) -> str:
    """The report as text."""
    frames = account.frames
    sharp = [picture.sharpness for picture in frames.pictures]
    lines = [f"data: {account.data}"]
    if frames.video:
        fates = ", ".join(f"{count} {fate}" for fate, count in frames.fates.items())
        lines.append(f"frames: {frames.read} read: {fates}")
    else:
        lens = f"{len(frames.groups)} lens{'es' if len(frames.groups) > 1 else ''}"
        lines.append(f"photographs: {frames.read}, {lens}")
    lines.append(f"sharpness: {min(sharp):.2f} to {max(sharp):.2f}, median {median(sharp):.2f}")
    lines += [f"{finding.name}: {finding.says} [{finding.verdict}]" for finding in account.findings]
    lines += [f"dropped: {name}: {reason}" for name, reason in (account.dropped or {}).items()]
    if account.model is not None and account.world is not None:
        lines += _numbers(account.model, account.world)
    lines += [f"warning: {warning}" for warning in account.warnings]
    if account.refused is not None:
        lines.append(f"refused: {account.refused}")
    return "\n".join(lines) + "\n"


def _numbers(model: Model, world: World) -> list[str]:
    points = model.points_per_image
    lens = model.lenses[0]
    shown = ", ".join(f"{key} {value:.5g}" for key, value in lens.values.items())
    return [
        f"points: {len(model.points)}; per camera {points.min()} to {points.max()}, median {median(points):.0f}",
        f"lens: {lens.model} at {lens.width} x {lens.height}: {shown}",
        f"world: +z up (cameras level to {world.tilt:.1f} degrees), unit = the cameras' median distance from the"
        " origin: the point they look at or, in a room, stand round",
    ]


def as_json(account: Account) -> dict[str, Any]:
    """What process.json holds."""
    model, compared = account.model, account.compared
    value: dict[str, Any] = {
        "version": VERSION,
        "data": account.data,
        "settings": account.settings,
        "video": account.frames.video,
        "frames": {"read": account.frames.read, **account.frames.fates},
        "pictures": _pictures(account),
        "findings": [asdict(finding) for finding in account.findings],
        "dropped": account.dropped or {},
        "warnings": list(account.warnings),
        "refused": None if account.refused is None else str(account.refused),
    }
    if compared is not None:
        value["sub_models"] = list(compared.model_sizes)
    if model is not None and account.world is not None:
        value["points"] = len(model.points)
        value["ray_angle_quartiles"] = np.quantile(ray_angles(model), [0.25, 0.5, 0.75]).tolist()
        value["tilt_degrees"] = account.world.tilt
        value["T_world_source"] = account.world.T_world_source.tolist()
    return value


def _pictures(account: Account) -> list[dict[str, Any]]:
    facts: dict[str, dict[str, Any]] = {}
    if account.compared is not None:
        facts = {name: {"features": n} for name, n in account.compared.features.items()}
    if account.model is not None:
        model = account.model
        numbers = zip(model.names, model.points_per_image, model.error_per_image, strict=True)
        for name, points, error in numbers:
            facts.setdefault(name, {}).update(points=int(points), error=round(float(error), 3))
    return [
        {
            **{"name": p.name, "sharpness": round(p.sharpness, 4), "seconds": p.seconds},
            **facts.get(p.name, {}),
        }
        for p in account.frames.pictures
    ]
