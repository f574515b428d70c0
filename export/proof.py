"""A student as everything that is shipped of it, held to torch: whole graphs and split forms.

    Exportable -> cameras -> torch's pictures --------------+
               -> graphs, split form, in both precisions ---+-> Proved, at the full size
               -> the same at half the width and height        and reduced

Nothing is written here: `export.bundle` writes what was proved.
"""

from dataclasses import dataclass, replace

from onnx import ModelProto

from export.graph import CameraToPicture, camera_pose
from export.manifest import CameraPose, Precision
from export.split.form import Split, prove_split, split
from export.split.protocol import Splittable
from export.to_onnx import to_onnx, to_sampled_onnx, variants
from export.verify import Agreement, prove
from export.views import reference_cameras
from student.models.base import LightField, LightFieldOutput
from teacher.cameras import Camera
from teacher.pseudo.envelope import Envelope


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
    """A student's graphs and pictures of one size after the proof, not yet written."""

    size: tuple[int, int]
    """(height, width) of the picture."""
    graphs: dict[Precision, ModelProto]
    agreements: dict[Precision, Agreement]
    references: list[tuple[CameraPose, LightFieldOutput]]
    sampled: dict[Precision, ModelProto]
    """Graphs with GridSample; empty for a student that samples nothing."""
    splits: dict[Precision, Split]
    """Empty for a student that has no split form."""
    split_agreements: dict[Precision, Agreement]
    reduced: "Proved | None" = None
    """The same at half the width and height; None for a student without such a form."""


def prove_student(source: Exportable) -> Proved:
    """Export `source` in all precisions, forms and sizes and hold all to torch; writes nothing.

    Raises:
        UserError: the size does not fit, a node would run on the CPU, a graph differs from torch.
    """
    full, smaller = prove_size(source), source.model.at_half_size()
    if smaller is None:
        return full
    size = source.size[0] // 2, source.size[1] // 2
    # the split form keeps its network, and pools what it says
    forms = split(source.model, size, pooled=2)
    reduced = prove_graphs(replace(source, model=smaller, size=size))
    return replace(full, reduced=_prove_forms(source.model, forms, reduced))


def prove_size(source: Exportable) -> Proved:
    """As `prove_student`, without the smaller rendition."""
    forms = split(source.model, source.size)
    return _prove_forms(source.model, forms, prove_graphs(source))


def prove_graphs(source: Exportable) -> Proved:
    """The whole graphs of `source` alone, at its size."""
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
    return Proved(source.size, graphs, agreements, references, sampled, {}, {})


def _prove_forms(model: LightField, forms: dict[Precision, Split], proved: Proved) -> Proved:
    """`proved` with the split forms of `model`, held to the same pictures."""
    found = prove_split(model, forms, proved.size, proved.references)
    return replace(proved, splits=forms, split_agreements=found)
