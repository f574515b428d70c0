"""One capture to one data set: stages in a work folder beside it, then one rename.

    .NAME.work/   claim.json, images/, frames.json, colmap/     kept when interrupted: the same command goes on
    NAME/         transforms.json, images/, masks/, sparse_pc.ply, process.json, report/

A capture that is refused leaves neither; `--dry-run` leaves NAME/report/ and NAME/process.json, and the work folder
for the real run.
"""

import dataclasses
import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from teacher.capture.checks import findings, strays
from teacher.capture.dataset import write_dataset
from teacher.capture.frames import Frames, extract
from teacher.capture.masks import mask_name
from teacher.capture.poses import Solution, solve
from teacher.capture.report import Account, describe, write_report
from teacher.capture.settings import FrameSettings, PoseSettings, check
from teacher.capture.verdict import refusal, warnings, without_model
from teacher.capture.world import find_world
from teacher.errors import UserError
from teacher.files import read_json, write_json

_logger = logging.getLogger(__name__)
Checks = Literal["refuse", "warn"]


@dataclass(frozen=True)
class Options:
    """How the stages run; none of these changes what a stage finds."""

    checks: Checks = "refuse"
    """warn: write the data set although the checks say that its cameras are wrong."""
    dry_run: bool = False
    """Only the report: what would be kept, and the cameras, without a data set."""
    verbose: bool = False
    """Show what pycolmap says."""


@dataclass(frozen=True)
class Request:
    """A capture and what is wanted of it."""

    data: Path
    output: Path
    frames: FrameSettings = field(default_factory=FrameSettings)
    poses: PoseSettings = field(default_factory=PoseSettings)
    options: Options = field(default_factory=Options)

    @property
    def work(self) -> Path:
        """Folder of unfinished stages, beside the output."""
        output = self.output.absolute()
        return output.with_name(f".{output.name}.work")

    @property
    def claim(self) -> dict[str, Any]:
        """What results depend on: the input's identity and all settings."""
        settings = {
            "frames": dataclasses.asdict(self.frames),
            "poses": dataclasses.asdict(self.poses),
        }
        return json.loads(json.dumps({**settings, "data": _identity(self.data)}, default=str))


def process(request: Request) -> Account:
    """Make the data set, or its report if `dry_run`.

    Raises:
        UserError: the capture cannot be used (the message says what was found and what to do differently), the
            output folder holds something else, or pycolmap is missing.
    """
    check(request.frames, request.poses)
    if not request.data.exists():
        raise UserError(
            f"capture {request.data}",
            "no such file or folder",
            "a video or a folder",
            "check --data",
        )
    _check_output(request)
    made = [folder for folder in request.work.parents if not folder.exists()]
    _claim(request)
    try:
        account = _run_stages(request)
    except UserError:
        shutil.rmtree(request.work, ignore_errors=True)
        _remove_empty(made)
        raise
    print(describe(account), end="")
    return account


def _run_stages(request: Request) -> Account:
    work, options = request.work, request.options
    record = work / "frames.json"
    if not record.exists():
        extract(request.data, work / "images", request.frames).save(record)
    frames = Frames.load(record)
    solution = solve(work, frames, request.poses, options.verbose)
    account = judge(Account(str(request.data), request.claim, frames), solution)
    if options.dry_run:
        _publish_report(request, account)
    if account.refused is not None and (options.checks == "refuse" or account.model is None):
        raise account.refused
    for warning in account.warnings:
        _logger.warning(warning)
    if not options.dry_run:
        _publish(request, account)
    return account


def judge(account: Account, solution: Solution) -> Account:
    """The account with what the checks say of a solution."""
    frames, compared = account.frames, solution.compared
    if solution.model is None:
        refused = without_model(account.data, frames, compared)
        return dataclasses.replace(account, compared=compared, refused=refused)
    whole = solution.model
    dropped = strays(whole, frames.video)
    model = whole.without(_mask(whole.names, dropped))
    order = frames.names if frames.video else None
    found = tuple(findings(model, compared, len(frames.names), order))
    refused = refusal(account.data, found, len(model.names), frames.video)
    if not model.names:  # numbers about no camera at all tell nobody why
        refused = without_model(account.data, frames, compared)
    return dataclasses.replace(
        account,
        compared=compared,
        model=model,
        whole=whole,
        dropped=dropped,
        world=find_world(model) if len(model.names) > 1 else None,
        findings=found,
        warnings=tuple(warnings(found)),
        refused=refused,
    )


def _mask(names: tuple[str, ...], chosen: dict[str, str]) -> Any:
    import numpy as np

    return np.array([name in chosen for name in names], bool)


def _publish(request: Request, account: Account) -> None:
    """Put the data set together in the work folder and rename it into place."""
    assert account.model is not None and account.world is not None
    folder = request.work / "data"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "images").mkdir(parents=True)
    write_report(folder, request.work / "images", account)
    masks = (request.work / "masks").is_dir()
    for name in account.model.names:
        shutil.copy2(request.work / "images" / name, folder / "images" / name)
        if masks:
            (folder / "masks").mkdir(exist_ok=True)
            shutil.copy2(request.work / "masks" / mask_name(name), folder / "masks")
    write_dataset(folder, account.model, account.world, masks, request.data.stem)
    shutil.rmtree(request.output, ignore_errors=True)  # empty, or an earlier dry run's report
    folder.rename(request.output)
    shutil.rmtree(request.work, ignore_errors=True)


def _remove_empty(folders: Sequence[Path]) -> None:
    """Take away the folders, innermost first, as far as nothing is in them."""
    for folder in folders:
        if not any(folder.iterdir()):
            folder.rmdir()


def _publish_report(request: Request, account: Account) -> None:
    folder = request.work / "report"
    shutil.rmtree(folder, ignore_errors=True)
    write_report(folder, request.work / "images", account)
    shutil.rmtree(request.output, ignore_errors=True)
    folder.rename(request.output)


def _check_output(request: Request) -> None:
    """The output may be new, empty, or hold an earlier dry run's report."""
    output = request.output
    if not output.exists():
        return
    held = {path.name for path in output.iterdir()} if output.is_dir() else {output.name}
    if not held <= {"report", "process.json"}:
        raise UserError(
            f"output folder {output}",
            f"it holds {', '.join(sorted(held)[:4])} already",
            "a folder that does not exist yet",
            "delete it, or name another --output-dir",
        )


def _claim(request: Request) -> None:
    """Start the work folder over unless it belongs to the same capture with the same settings."""
    path = request.work / "claim.json"
    if path.exists():
        found = read_json(path, "the work folder's claim", f"delete {request.work}")
        if found == request.claim:
            return
    shutil.rmtree(request.work, ignore_errors=True)
    request.work.mkdir(parents=True)
    write_json(path, request.claim)


def _identity(data: Path) -> list[object]:
    """Changes when the input does: path, and size and time of its files."""
    files = sorted(data.iterdir()) if data.is_dir() else [data]
    stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return [str(data.absolute()), *stats]
