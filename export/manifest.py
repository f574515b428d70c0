"""`manifest.json`: everything the page has to know about a bundle, and nothing it has to guess.

    Manifest --write_manifest--> manifest.json --read_manifest--> Manifest, checked field by field

The TypeScript type (`web/viewer/src/manifest.ts`) is generated from these dataclasses by
`export.typescript`; a test holds the two equal. Lengths are in norm units, angles in radians,
matrices row-major, colours sRGB in [0, 1].

A model's file maps `T_norm_camera` [4, 4] and `intrinsics` [4] to `rgba` [1, 4, height, width]
(premultiplied) and `depth` [1, 1, height, width] (distance along the unit ray); all are float32.
Its split form (`export.split`), where it has one, draws the same on WebGPU and costs less there.
Its reduced rendition draws half the width and height, for moving cameras and slow devices; its
constants are those of the full size, in the same files.

`SCHEMA` goes up whenever a field comes, goes or changes its meaning: the page and Python refuse
any other number.
"""

import dataclasses
import math
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from teacher.errors import UserError
from teacher.files import read_json, write_json
from teacher.pseudo.envelope import Envelope

Precision = Literal["fp32", "fp16"]
SCHEMA = 3
MANIFEST = "manifest.json"
_REMEDY = "write the bundle again with `python -m export bundle`"


@dataclass(frozen=True)
class CameraPose:
    """A camera as the model takes it."""

    T_norm_camera: tuple[float, ...]
    """Camera-to-norm, 16 numbers, row-major; OpenGL camera axes (+x right, +y up, -z forward)."""
    intrinsics: tuple[float, float, float, float]
    """fx / width, fy / height, cx / width, cy / height."""


@dataclass(frozen=True)
class BundleFile:
    """A file of the bundle."""

    file: str
    """Path relative to manifest.json."""
    bytes: int
    sha256: str


@dataclass(frozen=True)
class TablePart:
    """A range of the tables' file."""

    kind: Literal["storage", "uniform"]
    """The kind of buffer that it is bound as."""
    offset: int
    """Of its first byte in the file, a multiple of 256."""
    bytes: int


@dataclass(frozen=True)
class ShaderStage:
    """A WGSL compute shader with the entry point `main`, run once for each frame."""

    shader: BundleFile
    workgroups: tuple[int, int, int]
    """How many to dispatch."""
    parts: tuple[TablePart, ...]
    """What it reads of the tables: the k-th is its @group(1) @binding(k)."""
    gflop: float


@dataclass(frozen=True)
class SplitForm:
    """A model for WebGPU in three stages, joined by buffers of the model's precision: float32, or
    float16 in pairs.
    """

    encode: ShaderStage
    """Camera -> buffer `encoded`."""
    network: BundleFile
    """ONNX: `encoded` -> `ends`, both in the model's precision."""
    shade: ShaderStage
    """Camera and `ends` -> texture of the picture (rgba8unorm), texture of depth (r32float)."""
    tables: BundleFile
    """Feature grids in half precision and small weights, of both shaders and all precisions."""
    encoded: tuple[int, int, int, int]
    """Shape of `encoded`: 1, coarse height, coarse width, channels."""
    ends: tuple[int, int, int, int]
    """Shape of `ends`."""
    gflop: float
    """Of one frame, all stages together."""
    psnr: float
    """The ray network in ONNX Runtime between the shaders' arithmetic in torch, against torch."""

    @property
    def files(self) -> tuple[BundleFile, ...]:
        """All its files."""
        return self.encode.shader, self.network, self.shade.shader, self.tables


@dataclass(frozen=True)
class Rendition:
    """The model at half its width and height: the same rays and weights, fewer pixels.

    What both sizes have in common is downloaded once: large constants of its graph are ranges of
    the full size's file (ONNX external data, whose location is that file's name).
    """

    width: int
    """Width of the picture, in pixels."""
    height: int
    gflop: float
    """Floating-point operations of one frame of `file`, in 10^9."""
    file: BundleFile
    """As `ModelFile.file`, in which its large constants are."""
    split: SplitForm | None
    """As `ModelFile.split`, of which only the last shader differs: it averages what the network says."""
    psnr: float
    """ONNX Runtime against torch at this size, as `ModelFile.psnr`."""

    @property
    def files(self) -> tuple[BundleFile, ...]:
        """All its files."""
        return (self.file, *(() if self.split is None else self.split.files))


@dataclass(frozen=True)
class ModelFile:
    """A student in one precision: one ONNX file that runs anywhere, and what is faster somewhere."""

    file: str
    """Path relative to manifest.json."""
    bytes: int
    sha256: str
    precision: Precision
    """Precision of the network's body; inputs and outputs are float32 in both."""
    width: int
    """Width of the picture that the model computes, in pixels."""
    height: int
    student: str
    """Name of the student's preset."""
    parameters: int
    """Trained numbers: weights, biases, feature grids."""
    gflop: float
    """Floating-point operations of one frame, in 10^9 (a multiply-add counts as two)."""
    psnr: float
    """ONNX Runtime against torch in float32, premultiplied RGBA, worst reference view, in dB."""
    sampled: BundleFile | None
    """The same graph with GridSample, faster in place of `file` wherever that is there: not on
    WebGPU.
    """
    split: SplitForm | None
    """What to run on WebGPU, where `file` may then lack operators."""
    reduced: Rendition | None
    """A smaller picture in less time; null for a student without such a form."""

    @property
    def files(self) -> tuple[BundleFile, ...]:
        """All its files, each once."""
        found = [BundleFile(self.file, self.bytes, self.sha256)]
        found += [] if self.sampled is None else [self.sampled]
        found += [] if self.split is None else self.split.files
        found += [] if self.reduced is None else self.reduced.files
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class ReferenceView:
    """A camera with the picture that torch computed for it."""

    camera: CameraPose
    image: str
    """Straight-alpha RGBA PNG at the model's size, relative to manifest.json."""
    sha256: str
    reduced: BundleFile | None
    """What torch computed for it at the size of `ModelFile.reduced`, likewise."""

    @property
    def images(self) -> tuple[str, ...]:
        """The names of its pictures."""
        return (self.image, *(() if self.reduced is None else (self.reduced.file,)))


@dataclass(frozen=True)
class Quality:
    """Measured quality; PSNR is the mean over views of -10 log10(MSE), in dB."""

    views: int
    """How many were measured; 0: none, and all figures but the last are null."""
    split: str
    background: str
    width: int
    height: int
    teacher_psnr: float | None
    student_psnr_truth: float | None
    student_psnr_teacher: float | None
    onnx_psnr: float
    """ONNX Runtime (fp32 model) against torch, RGBA, worst reference view."""


@dataclass(frozen=True)
class Provenance:
    """Where the bundle comes from."""

    scene: str
    created: str
    """UTC, ISO 8601."""
    versions: dict[str, str]


@dataclass(frozen=True)
class Manifest:
    """The whole of manifest.json."""

    schema: int
    name: str
    models: tuple[ModelFile, ...]
    """Best first; the page takes the first one that its device can run."""
    start: CameraPose
    poster: str
    """Straight-alpha RGBA PNG of the start camera, to show while the page loads; relative path."""
    envelope: Envelope
    references: tuple[ReferenceView, ...]
    background: tuple[float, float, float]
    """Suggested page background behind the transparent picture."""
    quality: Quality
    provenance: Provenance


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `manifest` as `folder`/manifest.json, atomically."""
    write_json(folder / MANIFEST, dataclasses.asdict(manifest))


def read_manifest(folder: Path) -> Manifest:
    """Read and check `folder`/manifest.json.

    Raises:
        UserError: there is none, its schema is another, or a field is missing, unknown or mistyped.
    """
    path = folder / MANIFEST
    value = read_json(path, f"the bundle {folder}", _REMEDY)
    schema = value.get("schema") if isinstance(value, dict) else None
    if schema != SCHEMA:
        raise UserError(f"{path}", f"schema {schema!r}", f"schema {SCHEMA}", _REMEDY)
    try:
        return _decode(Manifest, value, "")
    except _Mismatch as error:
        raise UserError(f"{path}: {error.where}", error.given, error.expected, _REMEDY) from None


class _Mismatch(Exception):
    """JSON that does not fit a type: where in the document, what is there, what should be."""

    def __init__(self, where: str, given: object, expected: str) -> None:
        super().__init__(where, given, expected)
        self.where, self.given, self.expected = where.lstrip("."), f"{given!r:.60}", expected


def _decode(kind: Any, value: Any, where: str) -> Any:
    """`value` (parsed JSON) as an instance of the annotation `kind`."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _decode_fields(kind, value, where)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple:
        return _decode_tuple(arguments, value, where)
    if origin is dict:
        _require(isinstance(value, dict), where, value, "an object")
        return {key: _decode(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if origin is Literal:
        _require(value in arguments, where, value, " or ".join(map(repr, arguments)))
        return value
    if origin in (types.UnionType, Union):
        (inner,) = (argument for argument in arguments if argument is not types.NoneType)
        return None if value is None else _decode(inner, value, where)
    return _decode_scalar(kind, value, where)


def _decode_fields(kind: type, value: Any, where: str) -> Any:
    _require(isinstance(value, dict), where or "the document", value, "an object")
    hints = get_type_hints(kind)
    needed = {f.name for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING}
    for name in needed - value.keys():
        raise _Mismatch(f"{where}.{name}", "nothing", "a value")
    for name in value.keys() - hints.keys():
        raise _Mismatch(f"{where}.{name}", value[name], "no such field")
    given = hints.keys() & value.keys()  # an older bundle lacks what has a default
    return kind(**{name: _decode(hints[name], value[name], f"{where}.{name}") for name in given})


def _decode_tuple(arguments: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    _require(isinstance(value, list), where, value, "a list")
    if arguments[-1] is Ellipsis:
        arguments = (arguments[0],) * len(value)
    _require(len(value) == len(arguments), where, value, f"{len(arguments)} values")
    pairs = zip(arguments, value, strict=True)
    return tuple(_decode(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(pairs))


def _decode_scalar(kind: Any, value: Any, where: str) -> Any:
    if kind is float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        _require(number and math.isfinite(value), where, value, "a finite number")
        return float(value)
    _require(type(value) is kind, where, value, {int: "a whole number", str: "a string"}[kind])
    return value


def _require(holds: bool, where: str, given: object, expected: str) -> None:
    if not holds:
        raise _Mismatch(where, given, expected)
