"""The bundle: what a static page needs to show one student.

    Exportable -> graphs, proved against torch -> student.fp16.onnx, student.fp32.onnx,
                                                  student.fp32.sampled.onnx
               -> split form, proved too       -> student.*.{encode.wgsl,network.onnx,shade.wgsl},
                                                  student.tables.bin
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
    BundleFile,
    CameraPose,
    Manifest,
    ModelFile,
    Precision,
    Provenance,
    Quality,
    ReferenceView,
    ShaderStage,
    SplitForm,
    TablePart,
    write_manifest,
)
from export.operators import gflop
from export.split.form import Split, prove_split, split, tables
from export.split.protocol import Splittable
from export.split.stages import Stage
from export.to_onnx import to_onnx, to_sampled_onnx, variants
from export.verify import Agreement, prove
from export.views import reference_cameras
from student.models.base import LightField, LightFieldOutput
from teacher.cameras import Camera
from teacher.files import replacing, sha256
from teacher.images import straight_alpha, to_bytes, write_png
from teacher.pseudo.envelope import Envelope

_PACKAGES = ("pocketfield", "torch", "onnx", "onnxruntime", "onnxscript")
POSTER = "poster.png"
TABLES = "student.tables.bin"


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
    sampled: dict[Precision, ModelProto]
    """Graphs with GridSample; empty for a student that samples nothing."""
    splits: dict[Precision, Split]
    """Empty for a student that has no split form."""
    split_agreements: dict[Precision, Agreement]


def prove_student(source: Exportable) -> Proved:
    """Export `source` in both precisions and forms and hold all to torch; writes nothing.

    Raises:
        UserError: the size does not fit, a node would run on the CPU, a graph differs from torch.
    """
    on_gpu = not isinstance(source.model, Splittable)
    graphs = variants(to_onnx(source.model, source.size, on_gpu), on_gpu)
    picture = CameraToPicture(source.model, source.size)
    poses = [camera_pose(camera) for camera in reference_cameras(source.cameras, source.envelope)]
    references = [(pose, picture.render(pose)) for pose in poses]
    agreements: dict[Precision, Agreement] = {}
    for precision, graph in graphs.items():
        agreements[precision] = prove(precision, graph, references)
    sampled: dict[Precision, ModelProto] = {}
    if (graph := to_sampled_onnx(source.model, source.size)) is not None:
        sampled["fp32"] = graph  # WebAssembly has no half precision
        prove("fp32", graph, references)
    splits = split(source.model, source.size)
    found = prove_split(source.model, splits, source.size, references)
    return Proved(graphs, agreements, references, sampled, splits, found)


def write_bundle(source: Exportable, proved: Proved, folder: Path) -> Manifest:
    """Write the bundle of `source`, proved before, into `folder`; an older one there is replaced.

    Killed half-way, the folder has no manifest, and the same command writes it whole. Written
    twice, everything but the manifest's `created` is the same bytes.
    """
    (folder / MANIFEST).unlink(missing_ok=True)  # from here to the end it would not fit its files
    models = tuple(_write_model(folder, source, proved, precision) for precision in proved.graphs)
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
    _remove_stale(
        folder, {POSTER, *(f.file for m in models for f in m.files), *(v.image for v in views)}
    )
    write_manifest(folder, manifest)
    return manifest


def _write_model(
    folder: Path, source: Exportable, proved: Proved, precision: Precision
) -> ModelFile:
    graph, path = proved.graphs[precision], folder / f"student.{precision}.onnx"
    write_onnx(path, graph)
    height, width = source.size
    return ModelFile(
        *_identified(path),
        precision,
        width,
        height,
        source.student,
        sum(parameter.numel() for parameter in source.model.parameters()),
        gflop(graph),
        proved.agreements[precision].psnr,
        _write_sampled(folder, proved, precision) if precision in proved.sampled else None,
        _write_split(folder, proved, precision) if precision in proved.splits else None,
    )


def _write_sampled(folder: Path, proved: Proved, precision: Precision) -> BundleFile:
    path = folder / f"student.{precision}.sampled.onnx"
    write_onnx(path, proved.sampled[precision])
    return BundleFile(*_identified(path))


def _write_split(folder: Path, proved: Proved, precision: Precision) -> SplitForm:
    form, name = proved.splits[precision], f"student.{precision}"
    network = folder / f"{name}.network.onnx"
    write_onnx(network, form.network)
    data, offsets = tables(form.parts)  # the same for all precisions
    split_at = len(form.encode.parts)
    encode = _write_stage(folder / f"{name}.encode.wgsl", form.encode, offsets[:split_at])
    shade = _write_stage(folder / f"{name}.shade.wgsl", form.shade, offsets[split_at:])
    cost = gflop(form.network)
    return SplitForm(
        encode,
        BundleFile(*_identified(network)),
        shade,
        _write_file(folder / TABLES, data),
        form.encoded,
        form.ends,
        cost + encode.gflop + shade.gflop,
        proved.split_agreements[precision].psnr,
    )


def _write_stage(path: Path, stage: Stage, offsets: list[int]) -> ShaderStage:
    parts = tuple(
        TablePart(part.kind, offset, len(part.data))
        for part, offset in zip(stage.parts, offsets, strict=True)
    )
    shader = _write_file(path, stage.code.encode())
    return ShaderStage(shader, stage.workgroups, parts, stage.cost.operations / 1e9)


def _write_file(path: Path, data: bytes) -> BundleFile:
    with replacing(path) as partial:
        partial.write_bytes(data)
    return BundleFile(*_identified(path))


def _identified(path: Path) -> tuple[str, int, str]:
    """Name, bytes and SHA-256 of a written file."""
    return path.name, path.stat().st_size, sha256(path)


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
    ours = ("*.onnx", "*.wgsl", "*.tables.bin", "references/*.png")
    ours += (".*.partial", "references/.*.partial")
    for path in (path for pattern in ours for path in folder.glob(pattern)):
        if path.relative_to(folder).as_posix() not in written:
            path.unlink()
