"""The bundle: what a static page needs to show one student.

    Proved -> graphs                  -> student.fp16.onnx, student.fp32.onnx,
                                         student.fp32.sampled.onnx
           -> split form              -> student.*.{encode.wgsl,network.onnx,shade.wgsl},
                                         student.tables.bin
           -> half width and height   -> student.*.reduced.{onnx,shade.wgsl}
           -> cameras, torch's pictures -> references/*.png, poster.png
                                      -> manifest.json

The manifest is removed first and written last: a folder with one is complete.
"""

from dataclasses import replace
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
    split = _write_split(folder, proved, precision) if precision in proved.splits else None
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
        split,
        None if proved.reduced is None else _write_reduced(path, split, proved.reduced, precision),
    )


def _write_reduced(
    whole: Path, split: SplitForm | None, proved: Proved, precision: Precision
) -> Rendition:
    """What differs from the graph in the file `whole` and from `split`, both written before."""
    graph, path = proved.graphs[precision], whole.with_name(f"student.{precision}.{REDUCED}.onnx")
    write_onnx(path, by_reference(graph, whole.read_bytes(), whole.name))
    if split is not None:
        form, parts = proved.splits[precision], split.shade.parts
        shader = _write_file(path.with_suffix(".shade.wgsl"), form.shade.code.encode())
        cost = form.shade.cost.operations / 1e9
        shade = ShaderStage(shader, form.shade.workgroups, parts, cost)
        total = split.gflop - split.shade.gflop + cost
        agreement = proved.split_agreements[precision].psnr
        split = replace(split, shade=shade, gflop=total, psnr=agreement)
    height, width = proved.size
    agreement = proved.agreements[precision].psnr
    return Rendition(width, height, gflop(graph), BundleFile(*_identified(path)), split, agreement)


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
