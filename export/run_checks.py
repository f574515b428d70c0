"""What a run folder lacks, found from names, sizes and small JSON files: no model is loaded, torch is not imported.

    folder --layout_of--> Layout --check_{teacher,student,bundle}--> Check(usable, lacks)

Every lack names the command that helps; paths in it are quoted for a shell.
"""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BUNDLE_SCHEMA = 3
"""`export.manifest.SCHEMA`, whose module imports torch; a test holds the two equal."""
WEIGHTS = "model.safetensors"
_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Lack:
    """Something that a run does not have, and the command that makes it."""

    what: str
    """Such as "teacher", "student", "bundle", "teacher's evaluation"."""
    why: str
    """Such as "no file runs/demo/student/model.safetensors", "training stopped at step 300 of 8000"."""
    command: str
    """What to run."""


@dataclass(frozen=True)
class Check:
    """Of one stage."""

    usable: bool
    """Whether its files are there and whole, so that it can be opened."""
    lacks: tuple[Lack, ...] = ()


@dataclass(frozen=True)
class Layout:
    """Where the stages of a run lie; None: there is nothing of that stage."""

    folder: Path
    teacher: Path | None
    """In the run's folder, or where its student learnt from."""
    student: Path | None
    bundle: Path | None

    @property
    def own_teacher(self) -> Path | None:
        """The teacher, if it lies in this folder."""
        inside = self.teacher in (self.folder, self.folder / "teacher")
        return self.teacher if inside else None

    @property
    def whole(self) -> bool:
        """Whether the stages lie in folders of their own, as `make` puts them."""
        return self.folder not in (self.teacher, self.student, self.bundle)


class Damage(Exception):
    """A file that cannot be read; its text says which and why."""


def read_plain(path: Path) -> Any:
    """Parse the JSON file `path`; raises Damage."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise Damage(f"no file {path}") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise Damage(f"{path} is damaged ({error})") from None


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; raises Damage."""
    value = read_plain(path)
    if not isinstance(value, dict):
        raise Damage(f"{path} is damaged (no JSON object)")
    return value


def check_tensors(path: Path) -> None:
    """Raise Damage unless `path` is a safetensors file as long as its header says."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            size = path.stat().st_size
            if length > size:
                raise Damage(f"{path} is damaged ({size} bytes, cut off in its header)")
            entries = json.loads(file.read(length))
        ends = [entry["data_offsets"][1] for name, entry in entries.items() if name[:2] != "__"]
    except FileNotFoundError:
        raise Damage(f"no file {path}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise Damage(f"{path} is damaged (no header of a safetensors file)") from None
    whole = 8 + length + max(ends, default=0)
    if size != whole:
        raise Damage(f"{path} is damaged ({size} bytes of {whole})")


def layout_of(folder: Path) -> Layout | None:
    """Where the stages in `folder` lie, or None where it is no run folder."""
    inside = {name: folder / name for name in ("teacher", "student")}
    found = {name: path for name, path in inside.items() if (path / "config.json").is_file()}
    bundle = folder / "bundle"
    if not found and not (bundle / _MANIFEST).is_file():
        return _own_layout(folder)
    student = found.get("student")
    teacher = found.get("teacher") or (_taught_by(student) if student else None)
    has_bundle = (bundle / _MANIFEST).is_file()
    return Layout(folder, teacher, student, bundle if has_bundle else None)


def _own_layout(folder: Path) -> Layout | None:
    """Of a folder that is a stage's own."""
    if (folder / _MANIFEST).is_file() and (folder / "references").is_dir():
        return Layout(folder, None, None, folder)
    try:
        config = read_object(folder / "config.json")
    except Damage:
        return None
    if "preset" in config and "train" in config:
        beside = folder.parent / "bundle" if folder.name == "student" else folder / "bundle"
        bundle = beside if (beside / _MANIFEST).is_file() else None
        return Layout(folder, _taught_by(folder), folder, bundle)
    return Layout(folder, folder, None, None) if "data" in config and "train" in config else None


def _taught_by(student: Path) -> Path | None:
    """The run folder of the teacher that `student` learnt from, if that is what it learnt from."""
    try:
        source = Path(str(read_object(student / "scene.json")["source"]))
    except (Damage, KeyError):
        return None
    return source if (source / "config.json").is_file() else None


def check_teacher(layout: Layout) -> Check:
    """Weights, progress, evaluation and data of the teacher."""
    folder = layout.teacher
    if folder is None:
        return _no_teacher(layout)
    train = make_command("teacher", layout)
    again = f"rm -f {quoted(folder / 'progress.json', folder / 'eval/metrics.json')} && {train}"
    check = _check_training(folder, "teacher", train, again)
    try:
        data = Path(str(read_object(folder / "config.json")["data"]["data"]))
    except (Damage, KeyError, TypeError):
        why = f"{folder / 'config.json'} is damaged"
        lack = Lack("teacher's settings", why, f"rm -r {quoted(folder)} && {train}")
        return Check(check.usable, (lack, *check.lacks))
    if not data.exists():
        return Check(check.usable, (*check.lacks, Lack("photographs", *_fetch(data))))
    return check


def _no_teacher(layout: Layout) -> Check:
    if layout.student is None:
        if layout.folder == layout.bundle:
            return Check(False)  # an exported bundle alone is whole as it is
        why = f"no file {layout.folder / 'teacher' / 'config.json'}"
        return Check(False, (Lack("teacher", why, make_command("teacher", layout)),))
    try:
        source = read_object(layout.student / "scene.json").get("source")
    except Damage as damage:
        return Check(False, (Lack("teacher", str(damage), make_command("student", layout)),))
    why = f"its student learnt from {source}, where no trained teacher is"
    command = f"python -m teacher train … --data … --output {quoted(str(source))}"
    return Check(False, (Lack("teacher", why, command),))


def check_student(layout: Layout) -> Check:
    """Weights, progress and evaluation of the student."""
    folder = layout.student
    if folder is None:
        if layout.folder == layout.bundle:
            return Check(False)
        command = make_command("student", layout)
        return Check(False, (Lack("student", "none was trained from this teacher", command),))
    train = make_command("student", layout)
    again = f"rm -f {quoted(folder / 'progress.json', folder / 'eval/metrics.json')} && {train}"
    return _check_training(folder, "student", train, again)


def _check_training(folder: Path, stage: str, train: str, again: str) -> Check:
    """Weights, then progress, then evaluation of what trains in `folder`."""
    try:
        check_tensors(folder / WEIGHTS)
    except Damage as damage:
        whole = (folder / WEIGHTS).exists()
        return Check(False, (Lack(stage, str(damage), again if whole else train),))
    lacks = []
    try:
        progress = read_object(folder / "progress.json")
        if not progress.get("complete"):
            lacks.append(
                Lack(f"rest of the {stage}'s training", _standing(folder, progress), train)
            )
    except Damage as damage:
        lacks.append(Lack(f"rest of the {stage}'s training", str(damage), again))
    measure = f"python -m {stage} eval --run {quoted(folder)}"
    try:
        read_object(folder / "eval" / "metrics.json")
    except Damage as damage:
        lacks.append(Lack(f"{stage}'s evaluation", str(damage), measure))
    return Check(True, tuple(lacks))


def _standing(folder: Path, progress: dict[str, Any]) -> str:
    """How far an unfinished training came."""
    try:
        train = read_object(folder / "config.json")["train"]
    except (Damage, KeyError):
        train = {}
    if train.get("steps"):
        return f"training stopped at step {progress.get('step')} of {train['steps']}"
    minutes = float(progress.get("seconds", 0)) / 60
    return f"training stopped after {minutes:.1f} of {train.get('minutes', '?')} minutes"


def check_bundle(layout: Layout) -> Check:
    """Manifest, its schema, and the sizes of its files."""
    folder = layout.bundle
    student = layout.student or layout.folder / "student"
    target = folder or (layout.folder / "bundle")
    write = f"python -m export bundle --student {quoted(student)} --output {quoted(target)}"
    if folder is None:
        if layout.student is None and layout.whole:
            write = make_command("export", layout)
        return Check(False, (Lack("bundle", f"no file {target / _MANIFEST}", write),))
    try:
        manifest = read_object(folder / _MANIFEST)
        if manifest.get("schema") != BUNDLE_SCHEMA:
            why = f"schema {manifest.get('schema')} of {folder / _MANIFEST}, not {BUNDLE_SCHEMA}"
            return Check(True, (Lack("bundle of this version", why, write),))
        for model in manifest["models"]:
            _check_size(folder / model["file"], model["bytes"])
    except Damage as damage:
        return Check(False, (Lack("bundle", str(damage), write),))
    except (KeyError, TypeError) as error:
        why = f"{folder / _MANIFEST} is damaged (no field {error})"
        return Check(False, (Lack("bundle", why, write),))
    return Check(True)


def _check_size(path: Path, expected: int) -> None:
    if not path.is_file():
        raise Damage(f"no file {path}")
    if path.stat().st_size != expected:
        raise Damage(f"{path} is damaged ({path.stat().st_size} bytes of {expected})")


def make_command(stage: str, layout: Layout) -> str:
    """The command that makes or goes on with `stage` of the run.

    A run of one's own pictures was trained with a preset that its folder does not tell: PRESET=… stands for it.
    """
    if not layout.whole:
        return _own_command(stage, layout)
    data = _data_of(layout.teacher)
    words = [f"RUN={quoted(layout.folder)}"]
    if data is not None and data.resolve() != (layout.folder / "still-life").resolve():
        words += [f"SCENE={quoted(data)}"] + (["PRESET=…"] if stage == "teacher" else [])
    preset = _preset_of(layout.student)
    if stage == "student" and preset is not None:
        words.append(f"STUDENT={shlex.quote(preset)}")
    return " ".join(["make", stage, *words])


def _own_command(stage: str, layout: Layout) -> str:
    """As `make_command`, for a stage's own folder."""
    if stage == "teacher":
        data = _data_of(layout.teacher)
        where = "…" if data is None else quoted(data)
        output = layout.teacher or layout.folder.with_name(f"{layout.folder.name}-teacher")
        return f"python -m teacher train … --data {where} --output {quoted(output)}"
    teacher = layout.teacher or "…"
    output = layout.student or layout.folder.with_name(f"{layout.folder.name}-student")
    preset = _preset_of(layout.student) or "tiny"
    train = f"python -m student train {shlex.quote(preset)}"
    return f"{train} --teacher {quoted(teacher)} --output {quoted(output)}"


def _data_of(teacher: Path | None) -> Path | None:
    if teacher is None:
        return None
    try:
        return Path(str(read_object(teacher / "config.json")["data"]["data"]))
    except (Damage, KeyError, TypeError):
        return None


def _preset_of(student: Path | None) -> str | None:
    if student is None:
        return None
    try:
        return str(read_object(student / "config.json")["preset"])
    except (Damage, KeyError):
        return None


def _fetch(data: Path) -> tuple[str, str]:
    """Why there are no photographs, and how to get them back."""
    why = f"no folder {data}: models are then shown without the truth"
    if data.name == "still-life":
        return why, f"python -m teacher demo --output {quoted(data)}"
    return why, f"ln -s WHERE_IT_IS_NOW {quoted(data)}"


def quoted(*paths: Path | str) -> str:
    """`paths` as words of a shell's command line."""
    return " ".join("…" if path == "…" else shlex.quote(str(path)) for path in paths)
