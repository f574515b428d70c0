"""`manifest.json`: everything the page has to know about a bundle, and nothing it has to guess.

The TypeScript type (`web/viewer/src/manifest.ts`) is generated from these dataclasses by `export.typescript`; a test
holds the two equal. Lengths are in norm units, angles in radians, matrices row-major, colours sRGB in [0, 1].
"""

from dataclasses import dataclass
from typing import Literal

from teacher.pseudo.envelope import Envelope

SCHEMA = 1


@dataclass(frozen=True)
class CameraPose:
    """A camera as the model takes it."""

    T_norm_camera: tuple[float, ...]
    """Camera-to-norm, 16 numbers, row-major; OpenGL camera axes (+x right, +y up, -z forward)."""
    intrinsics: tuple[float, float, float, float]
    """fx / width, fy / height, cx / width, cy / height."""


@dataclass(frozen=True)
class ModelFile:
    """One ONNX file of the bundle."""

    file: str
    """Path relative to manifest.json."""
    bytes: int
    sha256: str
    precision: Literal["fp32", "fp16"]
    """Precision of the network's body; inputs and outputs are float32 in both."""
    width: int
    """Width of the picture that the model computes, in pixels."""
    height: int
    student: str
    """Name of the student's preset."""
    parameters: int
    gflop: float
    """Floating-point operations of one frame, in 10^9 (a multiply-add counts as two)."""


@dataclass(frozen=True)
class ReferenceView:
    """A camera with the picture that torch computed for it."""

    camera: CameraPose
    image: str
    """Straight-alpha RGBA PNG at the model's size, relative to manifest.json."""
    sha256: str


@dataclass(frozen=True)
class Quality:
    """Measured quality; PSNR is the mean over views of -10 log10(MSE), in dB."""

    views: int
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
    envelope: Envelope
    references: tuple[ReferenceView, ...]
    background: tuple[float, float, float]
    """Suggested page background behind the transparent picture."""
    quality: Quality
    provenance: Provenance
