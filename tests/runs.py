"""A tiny complete run, quick to make: data set, teacher, student, both measured, bundle.

    write_run(folder) -> folder/{still-life, teacher, student, bundle, stages.jsonl}

It is trained for seconds, so its pictures are poor, but every file is what the stages themselves write. Tests take it
from the session's fixtures `tiny_run` and `odd_run`, which they must not change, or copy it with `copied`.
"""

import fcntl
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from export.bundle import write_bundle
from export.proof import prove_size
from export.student_run import open_student
from student.evaluate import evaluate as evaluate_student
from student.models.mobile_r2l import MobileR2LConfig
from student.presets import PoolConfig
from student.presets import TrainConfig as StudentConfig
from student.train import train as train_student
from teacher.demo.dataset import write_demo_scene
from teacher.demo.scene import orbit_cameras, still_life
from teacher.demo.tracer import render
from teacher.evaluate import evaluate as evaluate_teacher
from teacher.fields.hash_grid import HashGridConfig
from teacher.images import straight_alpha, to_bytes
from teacher.ops.hash_encode import HashGrid
from teacher.presets import DataConfig
from teacher.presets import TrainConfig as TeacherConfig
from teacher.samplers.occupancy import OccupancyConfig
from teacher.train import train as train_teacher
from tests.scenes import Shot, write_blender
from tests.student.toys import toy

SCENE = "still-life"
TEACHER = TeacherConfig(
    field=HashGridConfig(HashGrid(levels=4, features=2, log2_size=12, finest=64), width=16),
    sampler=OccupancyConfig(resolution=32, step=0.03, max_samples=128),
    steps=100,
    samples_per_step=4096,
    log_every=20,
    eval_every=50,
    eval_views=2,
)
STUDENT = StudentConfig(
    model=toy(),
    pool=PoolConfig(capacity=12, first=4, reuse=4.0),
    steps=40,
    batch=2,
    log_every=10,
    eval_points=2,
    eval_views=1,
)


@dataclass(frozen=True)
class Shape:
    """How large a run's pictures are, and how many."""

    width: int = 32
    height: int = 32
    train: int = 12
    test: int = 3
    off_centre: tuple[float, float] = (0.0, 0.0)
    """By how much of its width and height the principal point is away from the picture's centre."""
    student: StudentConfig = STUDENT


ODD = Shape(
    width=40,
    height=28,
    off_centre=(0.07, -0.05),
    student=replace(
        STUDENT,
        model=MobileR2LConfig(width=16, blocks=1, factors=(2, 2), channels=(8, 8), stage_blocks=1),
    ),
)
"""Wide pictures whose principal point is off their centre, and the paper's kind of student."""


def write_run(folder: Path, shape: Shape = Shape(), *, bundle: bool = True) -> Path:
    """Write a whole run of `shape` into `folder` and return it."""
    write_pictures(folder / SCENE, shape)
    train_teacher(DataConfig(folder / SCENE), TEACHER, folder / "teacher")
    evaluate_teacher(folder / "teacher", "test", "white")
    train_student("toy", shape.student, str(folder / "teacher"), folder / "student")
    evaluate_student(folder / "student")
    if bundle:
        source = open_student(folder / "student")
        write_bundle(source, prove_size(source), folder / "bundle")  # half the size: seconds more
    rows = [{"stage": stage, "seconds": 1.0} for stage in ("teacher", "student", "export")]
    (folder / "stages.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def write_pictures(folder: Path, shape: Shape) -> None:
    """The built-in scene as a data set; square and centred it is what `python -m teacher demo` writes."""
    if shape.width == shape.height and shape.off_centre == (0.0, 0.0):
        write_demo_scene(folder, size=shape.width, train=shape.train, test=shape.test)
        return
    scene, shots = still_life(), []
    for count, offset, test in ((shape.train, 0.0, False), (shape.test, 0.5, True)):
        for k, camera in enumerate(orbit_cameras(count, shape.height, offset)):
            x, y = (0.5 + part for part in shape.off_centre)
            size = {"width": shape.width, "height": shape.height}
            seen = replace(camera, cx=x * shape.width, cy=y * shape.height, **size)
            rgba = to_bytes(straight_alpha(render(scene, seen, 2).rgba))
            shots.append(Shot(f"{k:03d}", seen, rgba, test))
    write_blender(folder, shots)


def written_once(folder: Path, shape: Shape) -> Path:
    """The run of `shape` in `folder`, written by whichever of several processes comes first."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return folder if (folder / "stages.jsonl").is_file() else write_run(folder, shape)


def copied(run: Path, folder: Path) -> Path:
    """A copy of the run for a test that changes it; its teacher is where the student says, in the copy."""
    shutil.copytree(run, folder)
    for name in ("teacher/config.json", "student/scene.json"):
        text = (folder / name).read_text()
        (folder / name).write_text(text.replace(str(run), str(folder)))
    return folder
