"""The bundle: what a static page needs to show one student.

    Proved -> graphs                  -> student.fp16.onnx, student.fp32.onnx,
                                         student.fp32.sampled.onnx
           -> split form              -> student.*.{encode.wgsl,network.onnx,shade.wgsl},
                                         student.tables.bin
           -> half width and height   -> student.*.reduced.{onnx,sampled.onnx,encode.wgsl,shade.wgsl}
           -> cameras, torch's pictures -> references/*.png, poster.png
                                      -> manifest.json

The manifest is removed first and written last: a folder with one is complete.
"""

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from onnx import ModelProto

from export.manifest import (
    MANIFEST,
    SCHEMA,
    BundleFile,
    Manifest,
    ModelFile,
    Precision,
    Provenance,
    Quality,
    ReferenceView,
    Rendition,
    ShaderStage,
    SplitForm,
    TablePart,
    write_manifest,
)
from export.operators import gflop
from export.proof import Exportable, Proved
from export.shared import by_reference
from export.split.form import tables
from export.split.stages import Stage
from student.models.base import LightFieldOutput
from teacher.files import replacing, sha256
from teacher.images import straight_alpha, to_bytes, write_png

_PACKAGES = ("pocketfield", "torch", "onnx", "onnxruntime", "onnxscript")
POSTER = "poster.png"
TABLES = "student.tables.bin"
REDUCED = "reduced"
"""In the names of files for half the width and height."""


def write_bundle(source: Exportable, proved: Proved, folder: Path) -> Manifest:
    """Write the bundle of `source`, proved before, into `folder`; an older one there is replaced.

    Killed half-way, the folder has no manifest, and the same command writes it whole. Written
    twice, everything but the manifest's `created` is the same bytes.
    """
    (folder / MANIFEST).unlink(missing_ok=True)  # from here to the end it would not fit its files
    models = tuple(_write_model(folder, source, proved, precision) for precision in proved.graphs)
    views = tuple(
        _write_reference(folder, number, proved) for number in range(len(proved.references))
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
        folder,
        {POSTER, *(f.file for m in models for f in m.files), *(n for v in views for n in v.images)},
    )
    write_manifest(folder, manifest)
    return manifest


def _write_model(
    folder: Path, source: Exportable, proved: Proved, precision: Precision
) -> ModelFile:
    graph, path = proved.graphs[precision], folder / f"student.{precision}.onnx"
    write_onnx(path, graph)
    height, width = proved.size
    sampled = _write_sampled(folder, proved, precision)
    return ModelFile(
        *_identified(path),
        precision,
        width,
        height,
        source.student,
        sum(parameter.numel() for parameter in source.model.parameters()),
        gflop(graph),
        proved.agreements[precision].psnr,
        sampled,
        _write_split(folder, proved, precision),
        _write_reduced(folder, proved.reduced, precision, path.name, sampled),
    )


def _write_reduced(
    folder: Path,
    proved: Proved | None,
    precision: Precision,
    whole: str,
    whole_sampled: BundleFile | None,
) -> Rendition | None:
    """Graphs that refer to the files `whole` and `whole_sampled`, written before."""
    if proved is None:
        return None
    graph, stem = proved.graphs[precision], f"student.{precision}.{REDUCED}"
    sampled = None
    if whole_sampled is not None:
        path = folder / f"{stem}.sampled.onnx"
        sampled = _write_shared(path, proved.sampled[precision], whole_sampled.file)
    height, width = proved.size
    return Rendition(
        width,
        height,
        gflop(graph),
        _write_shared(folder / f"{stem}.onnx", graph, whole),
        sampled,
        _write_split(folder, proved, precision, f".{REDUCED}"),
        proved.agreements[precision].psnr,
    )


def _write_shared(path: Path, graph: ModelProto, whole: str) -> BundleFile:
    write_onnx(path, by_reference(graph, (path.parent / whole).read_bytes(), whole))
    return BundleFile(*_identified(path))


def _write_sampled(folder: Path, proved: Proved, precision: Precision) -> BundleFile | None:
    if precision not in proved.sampled:
        return None
    path = folder / f"student.{precision}.sampled.onnx"
    write_onnx(path, proved.sampled[precision])
    return BundleFile(*_identified(path))


def _write_split(
    folder: Path, proved: Proved, precision: Precision, which: str = ""
) -> SplitForm | None:
    """The split form; `which` size goes into the names of the shaders, network and tables serve all."""
    if precision not in proved.splits:
        return None
    form, name = proved.splits[precision], f"student.{precision}"
    network = folder / f"{name}.network.onnx"
    write_onnx(network, form.network_of_any_size)
    data, offsets = tables(form.parts)  # the same for all precisions and sizes
    split_at = len(form.encode.parts)
    encode = _write_stage(folder / f"{name}{which}.encode.wgsl", form.encode, offsets[:split_at])
    shade = _write_stage(folder / f"{name}{which}.shade.wgsl", form.shade, offsets[split_at:])
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


def _write_reference(folder: Path, number: int, proved: Proved) -> ReferenceView:
    pose, picture = proved.references[number]
    name, reduced = f"references/{number:02}.png", None
    _write_picture(folder / name, picture)
    if proved.reduced is not None:
        smaller = f"references/{number:02}.{REDUCED}.png"
        _write_picture(folder / smaller, proved.reduced.references[number][1])
        reduced = BundleFile(smaller, *_identified(folder / smaller)[1:])
    return ReferenceView(pose, name, sha256(folder / name), reduced)


def _write_picture(path: Path, picture: LightFieldOutput) -> None:
    write_png(path, to_bytes(straight_alpha(picture.rgba[0].permute(1, 2, 0))))


def _remove_stale(folder: Path, written: set[str]) -> None:
    """Remove models and pictures of an older bundle, and what a killed run left; nothing else."""
    ours = ("*.onnx", "*.wgsl", "*.tables.bin", "references/*.png")
    ours += (".*.partial", "references/.*.partial")
    for path in (path for pattern in ours for path in folder.glob(pattern)):
        if path.relative_to(folder).as_posix() not in written:
            path.unlink()
