"""The bundle: what a static page needs to show one student.

    Exportable -> graphs, proved against torch -> student.fp16.onnx, student.fp32.onnx
               -> cameras -> torch's pictures  -> references/*.png, poster.png
                                               -> manifest.json

The manifest is removed first and written last: a folder with one is complete.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from onnx import ModelProto

from export.graph import CameraToPicture, camera_pose
from export.manifest import (
    MANIFEST,
    SCHEMA,
    CameraPose,
    Manifest,
    ModelFile,
    Precision,
    Provenance,
    Quality,
    ReferenceView,
    write_manifest,
)
from export.operators import gflop
from export.to_onnx import to_onnx, variants
from export.verify import Agreement, prove
from export.views import reference_cameras
from student.models.base import LightField, LightFieldOutput
from teacher.cameras import Camera
from teacher.files import replacing, sha256
from teacher.images import straight_alpha, to_bytes, write_png
from teacher.pseudo.envelope import Envelope

_PACKAGES = ("pocketfield", "torch", "onnx", "onnxruntime", "onnxscript")
POSTER = "poster.png"


@dataclass(frozen=True)
class Measured:
    """What the student's evaluation found; the fields are those of `export.manifest.Quality`."""

    views: int
    split: str
    background: str
    width: int
    height: int
    teacher_psnr: float | None
    student_psnr_truth: float | None
    student_psnr_teacher: float | None


@dataclass(frozen=True)
class Exportable:
    """A trained student, and what a page has to know about its scene."""

    name: str
    """Title of the scene."""
    student: str
    """Name of the student's preset."""
    model: LightField
    size: tuple[int, int]
    """(height, width) of the picture to export, in pixels."""
    envelope: Envelope
    cameras: tuple[Camera, ...]
    """The training cameras, in the norm frame."""
    measured: Measured
    background: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Proved:
    """A student's graphs and pictures after the proof, not yet written."""

    graphs: dict[Precision, ModelProto]
    agreements: dict[Precision, Agreement]
    references: list[tuple[CameraPose, LightFieldOutput]]


def prove_student(source: Exportable) -> Proved:
    """Export `source` in both precisions and hold both to torch; writes nothing.

    Raises:
        UserError: the size does not fit, a node would run on the CPU, a graph differs from torch.
    """
    graphs = variants(to_onnx(source.model, source.size))
    picture = CameraToPicture(source.model, source.size)
    poses = [camera_pose(camera) for camera in reference_cameras(source.cameras, source.envelope)]
    references = [(pose, picture.render(pose)) for pose in poses]
    agreements: dict[Precision, Agreement] = {}
    for precision, graph in graphs.items():
        agreements[precision] = prove(precision, graph, references)
    return Proved(graphs, agreements, references)


def write_bundle(source: Exportable, proved: Proved, folder: Path) -> Manifest:
    """Write the bundle of `source`, proved before, into `folder`; an older one there is replaced.

    Killed half-way, the folder has no manifest, and the same command writes it whole. Written
    twice, everything but the manifest's `created` is the same bytes.
    """
    (folder / MANIFEST).unlink(missing_ok=True)  # from here to the end it would not fit its files
    models = tuple(
        _write_model(folder, source, graph, precision, proved.agreements[precision])
        for precision, graph in proved.graphs.items()
    )
    views = tuple(
        _write_reference(folder, number, pose, picture)
        for number, (pose, picture) in enumerate(proved.references)
    )
    start, poster = proved.references[0]
    _write_picture(folder / POSTER, poster)
    manifest = Manifest(
        SCHEMA,
        source.name,
        models,
        start,
        POSTER,
        source.envelope,
        views,
        source.background,
        Quality(**vars(source.measured), onnx_psnr=proved.agreements["fp32"].psnr),
        Provenance(
            source.name,
            datetime.now(UTC).isoformat(timespec="seconds"),
            {package: version(package) for package in _PACKAGES},
        ),
    )
    _remove_stale(folder, {POSTER, *(m.file for m in models), *(v.image for v in views)})
    write_manifest(folder, manifest)
    return manifest


def _write_model(
    folder: Path, source: Exportable, graph: ModelProto, precision: Precision, found: Agreement
) -> ModelFile:
    path = folder / f"student.{precision}.onnx"
    write_onnx(path, graph)
    height, width = source.size
    return ModelFile(
        path.name,
        path.stat().st_size,
        sha256(path),
        precision,
        width,
        height,
        source.student,
        sum(parameter.numel() for parameter in source.model.parameters()),
        gflop(graph),
        found.psnr,
    )


def write_onnx(path: Path, graph: ModelProto) -> None:
    """Write one self-contained ONNX file, atomically."""
    with replacing(path) as partial:
        partial.write_bytes(graph.SerializeToString(deterministic=True))


def _write_reference(
    folder: Path, number: int, pose: CameraPose, picture: LightFieldOutput
) -> ReferenceView:
    path = folder / "references" / f"{number:02}.png"
    _write_picture(path, picture)
    return ReferenceView(pose, path.relative_to(folder).as_posix(), sha256(path))


def _write_picture(path: Path, picture: LightFieldOutput) -> None:
    write_png(path, to_bytes(straight_alpha(picture.rgba[0].permute(1, 2, 0))))


def _remove_stale(folder: Path, written: set[str]) -> None:
    """Remove models and pictures of an older bundle, and what a killed run left; nothing else."""
    ours = ("*.onnx", "references/*.png", ".*.partial", "references/.*.partial")
    for path in (path for pattern in ours for path in folder.glob(pattern)):
        if path.relative_to(folder).as_posix() not in written:
            path.unlink()
