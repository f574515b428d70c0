"""The proof: ONNX Runtime draws what torch draws, or nothing is shipped.

    poses -> torch, the student as trained --+
                                             +--> compare -> PSNR of RGBA, largest differences
    poses -> ONNX Runtime on the CPU --------+

`prove` holds a graph against torch before a bundle is written; `verify_bundle` holds the files of a
written one against its manifest and its reference pictures, without torch's model.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from jaxtyping import Float
from onnx import ModelProto
from PIL import Image
from torch import Tensor

from export.graph import INPUTS, OUTPUTS
from export.half import with_rounding
from export.manifest import (
    MANIFEST,
    CameraPose,
    Manifest,
    ModelFile,
    Precision,
    Rendition,
    SplitForm,
    read_manifest,
)
from export.operators import check_operators
from export.shared import check_references
from student.models.base import LightFieldOutput
from teacher.errors import UserError
from teacher.files import sha256
from teacher.metrics import psnr
from teacher.scene import premultiply

REQUIRED: dict[Precision, float] = {"fp32": 60.0, "fp16": 45.0}
"""Lowest PSNR of RGBA between ONNX Runtime and torch, in dB, on any reference view."""
REQUIRED_OF_PICTURES = 45.0
"""The same against 8-bit pictures, whose rounding alone leaves 59 dB."""
_SLACK = 1e-4  # of values in [0, 1]
_REMEDY = "write the bundle again with `python -m export bundle`"
_UNLIKE: dict[Precision, str] = {
    "fp32": "nothing was written; compare the student with its `for_export()`",
    "fp16": "nothing was written; keep more of the student in float32 (`export.half`)",
}
_NO_NUMBERS: dict[Precision, str] = {
    "fp32": "nothing was written; look for NaN in the student's weights, and train it again",
    "fp16": "nothing was written; look for overflow: half precision ends at 65504",
}


@dataclass(frozen=True)
class Agreement:
    """How well two pictures, or sets of them, agree."""

    psnr: float
    """Of premultiplied RGBA, in dB; 100 stands for equality."""
    rgba: float
    """Largest absolute difference of RGBA."""
    depth: float
    """Largest absolute difference of depth where alpha >= 0.5, in norm units."""

    def __str__(self) -> str:
        return (
            f"{self.psnr:.1f} dB (largest difference: RGBA {self.rgba:.1e}, depth {self.depth:.1e})"
        )


def session(model: bytes | Path, as_written: bool = False) -> onnxruntime.InferenceSession:
    """ONNX Runtime on the CPU; `as_written` leaves the graph's nodes as they are (slower).

    A model whose constants are in other files has to be given as the path of its own.
    """
    options = onnxruntime.SessionOptions()
    if as_written:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # errors are raised; they need not be printed as well
    given = str(model) if isinstance(model, Path) else model
    return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])


class OnnxPicture:
    """A graph of `export.graph` in ONNX Runtime on the CPU.

    Args:
        model: the file's bytes, or its path.
        name: what errors call it.
        as_written: leave the graph's nodes as they are (slower): roundings must not be optimised.
    """

    def __init__(
        self, model: bytes | Path, name: str = "the model", as_written: bool = False
    ) -> None:
        self.name = name
        with naming_errors(name):
            self.session = session(model, as_written)

    def render(self, pose: CameraPose) -> LightFieldOutput:
        """The picture from `pose`; raises UserError where ONNX Runtime fails."""
        values = (pose.T_norm_camera, pose.intrinsics)
        shapes = ((4, 4), (4,))
        feeds = {
            name: np.asarray(value, np.float32).reshape(shape)
            for name, value, shape in zip(INPUTS, values, shapes, strict=True)
        }
        with naming_errors(self.name):
            rgba, depth = self.session.run(list(OUTPUTS), feeds)
        return LightFieldOutput(torch.from_numpy(rgba), torch.from_numpy(depth))


@contextmanager
def naming_errors(name: str) -> Iterator[None]:
    """ONNX Runtime's errors as those of `name`."""
    try:
        yield
    except Exception as error:  # ONNX Runtime raises a dozen unrelated types
        given, expected = str(error), "a graph that ONNX Runtime runs"
        raise UserError(name, given, expected, _REMEDY) from error


def compare(picture: LightFieldOutput, reference: LightFieldOutput) -> Agreement:
    """Agreement of one picture with its reference."""
    seen = reference.rgba[:, 3:] >= 0.5
    depth = (picture.depth - reference.depth).abs()[seen]
    return Agreement(
        psnr(picture.rgba, reference.rgba),
        float((picture.rgba - reference.rgba).abs().max()),
        float(depth.max()) if seen.any() else 0.0,
    )


def worst(agreements: Sequence[Agreement]) -> Agreement:
    """The least of each figure."""
    return Agreement(
        min(a.psnr for a in agreements),
        max(a.rgba for a in agreements),
        max(a.depth for a in agreements),
    )


def prove(
    precision: Precision,
    model: ModelProto,
    references: Sequence[tuple[CameraPose, LightFieldOutput]],
) -> Agreement:
    """Run `model` on all references and hold it to `REQUIRED`; the result is the worst agreement.

    Raises:
        UserError: a picture differs by more, or has values that are no numbers.
    """
    name = f"the {precision} graph"
    return hold_to_torch(precision, open_graph(precision, model, name).render, name, references)


def hold_to_torch(
    precision: Precision,
    render: Callable[[CameraPose], LightFieldOutput],
    name: str,
    references: Sequence[tuple[CameraPose, LightFieldOutput]],
) -> Agreement:
    """The worst agreement of `render`'s pictures with the references.

    Raises:
        UserError: a picture differs by more than `REQUIRED`, or has values that are no numbers.
    """
    agreements = []
    for number, (pose, expected) in enumerate(references):
        picture, view = render(pose), f"{name}, reference view {number}"
        numbers = picture.rgba, picture.depth, expected.rgba, expected.depth
        if not all(torch.isfinite(part).all() for part in numbers):
            raise UserError(view, "NaN or infinite values", "numbers", _NO_NUMBERS[precision])
        _require_premultiplied(view, expected)
        agreements.append(compare(picture, expected))
        _require_psnr(view, agreements[-1].psnr, REQUIRED[precision], _UNLIKE[precision])
    return worst(agreements)


def _require_premultiplied(view: str, picture: LightFieldOutput) -> None:
    """The page composites what it gets: colour beyond alpha would glow through it."""
    rgb, alpha = picture.rgba.split([3, 1], 1)
    lowest, excess = float(picture.rgba.min()), float((rgb - alpha).max())
    if lowest < -_SLACK or excess > _SLACK or alpha.max() > 1 + _SLACK:
        given = (
            f"RGBA from {lowest:.3g} to {picture.rgba.max():.3g}, colour - alpha <= {excess:.3g}"
        )
        remedy = "multiply colour by alpha in the student's forward"
        raise UserError(view, given, "premultiplied values in [0, 1]", remedy)


def open_graph(precision: Precision, model: ModelProto, name: str) -> OnnxPicture:
    """ONNX Runtime with the precision that the browser's GPU will have."""
    if precision == "fp32":
        return OnnxPicture(model.SerializeToString(), name)
    return OnnxPicture(with_rounding(model).SerializeToString(), name, as_written=True)


def _require_psnr(view: str, measured: float, required: float, remedy: str) -> None:
    if measured < required:
        given, expected = f"{measured:.1f} dB against torch", f"at least {required:.0f} dB"
        raise UserError(view, given, expected, remedy)


def verify_bundle(folder: Path) -> dict[str, Agreement]:
    """Check every file of the bundle in `folder`, and each model against the reference pictures.

    Returns:
        The worst agreement of each model file; its depth is 0, since pictures do not hold depth.

    Raises:
        UserError: the manifest does not fit its schema, a file is missing or changed, a model has
            other inputs or outputs or an operator that the browser's GPU lacks, or draws otherwise.
    """
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    full = _References(folder, manifest, None)
    agreements: dict[str, Agreement] = {}
    for model in manifest.models:
        agreements |= _verify_files(folder, model, model, full)
        if (reduced := model.reduced) is not None:
            check_references(folder / reduced.file.file, model.file)
            agreements |= _verify_files(
                folder, model, reduced, _References(folder, manifest, reduced)
            )
    return agreements


def check_files(folder: Path, manifest: Manifest) -> None:
    """Hold sizes and SHA-256 of the bundle's files against the manifest; raises UserError."""
    files = [file for model in manifest.models for file in model.files]
    sizes = {file.file: file.bytes for file in files}
    digests = {file.file: file.sha256 for file in files}
    digests |= {view.image: view.sha256 for view in manifest.references}
    smaller = [view.reduced for view in manifest.references if view.reduced is not None]
    sizes |= {image.file: image.bytes for image in smaller}
    digests |= {image.file: image.sha256 for image in smaller}
    for name in (*digests, manifest.poster):
        if not (folder / name).is_file():
            raise UserError(f"{folder / name}", "no such file", "a file of the bundle", _REMEDY)
    for name, expected in sizes.items():
        if (size := (folder / name).stat().st_size) != expected:
            raise UserError(f"{folder / name}", f"{size} bytes", f"{expected}", _REMEDY)
    for name, expected in digests.items():
        if (found := sha256(folder / name)) != expected:
            given, wanted = f"SHA-256 {found[:12]}...", f"{expected[:12]}... as in the manifest"
            raise UserError(f"{folder / name}", given, wanted, _REMEDY)


class _References:
    """Reference views with torch's pictures at the size of one rendition."""

    def __init__(self, folder: Path, manifest: Manifest, reduced: Rendition | None) -> None:
        self.views: list[tuple[str, CameraPose, Tensor]] = []
        for number, view in enumerate(manifest.references):
            name = view.image
            if reduced is not None:
                if view.reduced is None:
                    where = f"{folder / MANIFEST}: references[{number}].reduced"
                    raise UserError(where, "null", "a picture, as a model is reduced", _REMEDY)
                name = view.reduced.file
            self.views.append((name, view.camera, _read_picture(folder / name)))


def _verify_files(
    folder: Path, model: ModelFile, rendition: ModelFile | Rendition, references: _References
) -> dict[str, Agreement]:
    """All forms of one size of `model`; the agreements of its whole graphs by file."""
    file = rendition.file if isinstance(rendition.file, str) else rendition.file.file
    OnnxPicture(folder / file, str(folder / file))  # it loads as it is
    if model.split is None:
        check_operators(onnx.load(folder / file))
    agreements = {file: _verify_graph(folder / file, model, rendition, references)}
    if isinstance(rendition, ModelFile) and (sampled := rendition.sampled) is not None:
        path = folder / sampled.file
        OnnxPicture(path, str(path))
        agreements[sampled.file] = _verify_graph(path, model, rendition, references)
    if rendition.split is not None:
        _verify_split(folder, rendition.split)
    return agreements


def _verify_graph(
    path: Path, model: ModelFile, rendition: ModelFile | Rendition, references: _References
) -> Agreement:
    """A whole graph in its file draws the pictures at the size of `rendition`."""
    runtime = open_graph(model.precision, onnx.load(path), str(path))
    shapes = [list(output.shape) for output in runtime.session.get_outputs()]
    expected = [[1, channels, rendition.height, rendition.width] for channels in (4, 1)]
    if shapes != expected:
        raise UserError(f"{path}", f"outputs of shape {shapes}", f"{expected}", _REMEDY)
    agreements = []
    for image, camera, picture in references.views:
        drawn = runtime.render(camera).rgba[0].permute(1, 2, 0)
        if drawn.shape != picture.shape:
            size = f"{picture.shape[1]}x{picture.shape[0]} pixels"
            raise UserError(image, size, f"{rendition.width}x{rendition.height}", _REMEDY)
        agreements.append(
            Agreement(psnr(drawn, picture), float((drawn - picture).abs().max()), 0.0)
        )
        name = f"{path} on {image}"
        _require_psnr(name, agreements[-1].psnr, REQUIRED_OF_PICTURES, _REMEDY)
    return worst(agreements)


def _verify_split(folder: Path, split: SplitForm) -> None:
    """The ray network runs and fits the buffers between the shaders; their tables are all there."""
    path = folder / split.network.file
    graph = onnx.load(path)
    check_operators(graph)
    with naming_errors(str(path)):
        runtime = session(path)
    shapes = [tuple(value.shape) for value in (*runtime.get_inputs(), *runtime.get_outputs())]
    expected = [split.encoded, split.ends]
    if shapes != expected:
        raise UserError(f"{path}", f"input and output of shape {shapes}", f"{expected}", _REMEDY)
    for part in (*split.encode.parts, *split.shade.parts):
        end, size = part.offset + part.bytes, split.tables.bytes
        if part.offset % 256 or end > size:
            given = f"a part at {part.offset} of {part.bytes} bytes"
            wanted = f"multiples of 256, and an end within {size} bytes"
            raise UserError(f"{folder / split.tables.file}", given, wanted, _REMEDY)


def _read_picture(path: Path) -> Float[Tensor, "height width 4"]:
    """A straight-alpha PNG as premultiplied values in [0, 1]."""
    with Image.open(path) as image:
        if image.mode != "RGBA":
            raise UserError(f"{path}", f"a picture of mode {image.mode}", "RGBA", _REMEDY)
        return premultiply(np.array(image))
