"""The proof lets through what agrees, and names what does not."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import ModelProto, numpy_helper
from PIL import Image

from export import proof
from export.bundle import write_bundle
from export.manifest import MANIFEST, Precision
from export.proof import Exportable, Proved, prove_student
from export.verify import REQUIRED, OnnxPicture, compare, prove, verify_bundle, worst
from student.models.base import LightFieldOutput
from teacher.errors import UserError


def _grey(value: float, alpha: float = 1.0, depth: float = 2.0) -> LightFieldOutput:
    rgba = torch.full((1, 4, 3, 5), value)
    rgba[:, 3] = alpha
    return LightFieldOutput(rgba, torch.full((1, 1, 3, 5), depth))


def test_psnr_and_largest_difference_of_one_grey_against_another() -> None:
    """Three channels differ by 0.1, alpha by nothing: MSE is 0.75 * 0.01."""
    agreement = compare(_grey(0.6), _grey(0.5))
    assert agreement.psnr == pytest.approx(-10 * np.log10(0.75 * 0.01), abs=1e-4)
    assert agreement.rgba == pytest.approx(0.1, abs=1e-6)


def test_depth_counts_only_where_something_is_seen() -> None:
    assert compare(_grey(0.5, depth=2.5), _grey(0.5)).depth == pytest.approx(0.5)
    assert compare(_grey(0.2, 0.2, depth=9.0), _grey(0.2, 0.2)).depth == 0.0


def test_both_precisions_agree_with_torch(proved: Proved) -> None:
    for precision, agreement in proved.agreements.items():
        assert agreement.psnr >= REQUIRED[precision]
        assert agreement.depth < 1e-3


def test_onnx_runtime_draws_torchs_picture(proved: Proved) -> None:
    pose, expected = proved.references[3]
    runtime = OnnxPicture(proved.graphs["fp32"].SerializeToString())
    picture = runtime.render(pose)
    torch.testing.assert_close(picture.rgba, expected.rgba, atol=2e-4, rtol=0)
    seen = expected.rgba[:, 3:] > 0.5
    torch.testing.assert_close(picture.depth[seen], expected.depth[seen], atol=2e-4, rtol=0)


def test_half_precision_is_proved_with_the_roundings_of_a_gpu(proved: Proved) -> None:
    """ONNX Runtime on a CPU computes the file in float32 and looks better than any GPU can."""
    runtime = OnnxPicture(proved.graphs["fp16"].SerializeToString())
    flattering = worst([compare(runtime.render(pose), seen) for pose, seen in proved.references])
    assert proved.agreements["fp16"].psnr < flattering.psnr - 1


def _spoiled(model: ModelProto, scale: float, outputs: int = 3) -> ModelProto:
    """`model` with the weights of its convolution to `outputs` channels scaled; 3: the last one."""
    copy = ModelProto()
    copy.CopyFrom(model)
    (weights,) = (t for t in copy.graph.initializer if len(t.dims) == 4 and t.dims[0] == outputs)
    value = numpy_helper.to_array(weights)
    scaled = (value * scale).astype(value.dtype)
    weights.CopyFrom(numpy_helper.from_array(scaled, weights.name))
    return copy


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_graph_that_differs_is_refused(proved: Proved, precision: Precision) -> None:
    spoiled = _spoiled(proved.graphs[precision], 1.5)
    with pytest.raises(UserError) as error:
        prove(precision, spoiled, proved.references)
    assert "reference view 0" in error.value.thing
    assert "dB against torch" in error.value.given
    assert f"{REQUIRED[precision]:.0f} dB" in error.value.expected


@pytest.mark.parametrize(
    ("outputs", "given"),
    [(3, "NaN or infinite"), (4 * 8**2, "Gather")],
    ids=["colour", "a place to look up"],
)
def test_values_that_are_no_numbers_are_refused(proved: Proved, outputs: int, given: str) -> None:
    """A PSNR of NaN must not slip through a comparison, nor the runtime's own error as a trace."""
    spoiled = _spoiled(proved.graphs["fp32"], float("nan"), outputs)
    with pytest.raises(UserError, match=given):
        prove("fp32", spoiled, proved.references)


def test_a_student_that_does_not_premultiply_is_refused(proved: Proved) -> None:
    """torch and ONNX Runtime may well agree on it; the page would show it glowing."""
    pose, picture = proved.references[0]
    rgb, alpha = picture.rgba.split([3, 1], 1)
    straight = picture._replace(rgba=torch.cat([rgb / alpha.clamp_min(1e-3), alpha], 1))
    with pytest.raises(UserError, match="premultiplied"):
        prove("fp32", proved.graphs["fp32"], [(pose, straight)])


def test_nothing_is_written_before_the_proof(
    source: Exportable, proved: Proved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line proves first; a student whose form for export differs leaves no file."""
    spoiled = _spoiled(proved.graphs["fp32"], 1.5)
    monkeypatch.setattr(proof, "to_onnx", lambda *_: spoiled)
    with pytest.raises(UserError, match="nothing was written"):
        write_bundle(source, prove_student(source), tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_written_bundle_holds_its_own_pictures(bundle: Path) -> None:
    """8-bit pictures agree up to their rounding, which leaves about 59 dB."""
    agreements = verify_bundle(bundle)
    assert set(agreements) == {"student.fp16.onnx", "student.fp32.onnx"}
    for agreement in agreements.values():
        assert agreement.psnr > 55
        assert agreement.rgba < 1 / 255


@pytest.mark.parametrize("name", ["student.fp32.onnx", "references/02.png", "poster.png"])
def test_a_missing_file_is_named(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    with pytest.raises(UserError) as error:
        verify_bundle(bundle)
    assert error.value.thing == str(bundle / name)
    assert error.value.given == "no such file"


@pytest.mark.parametrize("name", ["student.fp16.onnx", "references/00.png"])
def test_one_changed_byte_is_named(bundle: Path, name: str) -> None:
    content = bytearray((bundle / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / name).write_bytes(content)
    with pytest.raises(UserError, match="SHA-256") as error:
        verify_bundle(bundle)
    assert error.value.thing == str(bundle / name)


def _resign(bundle: Path, kind: str, index: int, path: Path) -> None:
    """Put the file's present digest and size into the manifest, as a forger would."""
    plain: Any = json.loads((bundle / MANIFEST).read_text())
    if kind == "models":
        plain[kind][index]["bytes"] = path.stat().st_size
    plain[kind][index]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (bundle / MANIFEST).write_text(json.dumps(plain))


def test_another_picture_with_the_right_digest_is_refused(bundle: Path) -> None:
    path = bundle / "references/01.png"
    Image.open(bundle / "references/02.png").save(path)
    _resign(bundle, "references", 1, path)
    with pytest.raises(UserError, match="dB against torch") as error:
        verify_bundle(bundle)
    assert "references/01.png" in error.value.thing


@pytest.mark.parametrize(("size", "mode"), [((64, 64), "RGB"), ((32, 64), "RGBA")])
def test_a_picture_of_another_size_or_mode_is_refused(
    bundle: Path, size: tuple[int, int], mode: str
) -> None:
    path = bundle / "references/03.png"
    Image.new(mode, size).save(path)
    _resign(bundle, "references", 3, path)
    with pytest.raises(UserError, match=r"references/03\.png"):
        verify_bundle(bundle)


def test_a_size_other_than_the_manifests_is_named(bundle: Path) -> None:
    """The page's progress bar counts on it: hosts that compress send no true length."""
    plain: Any = json.loads((bundle / MANIFEST).read_text())
    plain["models"][0]["bytes"] += 1
    (bundle / MANIFEST).write_text(json.dumps(plain))
    with pytest.raises(UserError, match="bytes") as error:
        verify_bundle(bundle)
    assert "student.fp16.onnx" in error.value.thing


def test_a_model_that_is_no_model_is_refused(bundle: Path) -> None:
    path = bundle / "student.fp16.onnx"
    path.write_bytes(path.read_bytes()[:1000])
    _resign(bundle, "models", 0, path)
    with pytest.raises(UserError, match=r"student\.fp16\.onnx"):
        verify_bundle(bundle)


def test_a_model_of_another_size_is_refused(bundle: Path) -> None:
    plain: Any = json.loads((bundle / MANIFEST).read_text())
    plain["models"][1]["width"] = 128
    (bundle / MANIFEST).write_text(json.dumps(plain))
    with pytest.raises(UserError, match="outputs of shape") as error:
        verify_bundle(bundle)
    assert "student.fp32.onnx" in error.value.thing


def test_a_shipped_operator_without_a_kernel_is_found(bundle: Path) -> None:
    """A bundle from elsewhere is held to the same table as our own."""
    path = bundle / "student.fp32.onnx"
    model = onnx.load(path)
    next(node for node in model.graph.node if node.op_type == "Floor").op_type = "Round"
    path.write_bytes(model.SerializeToString())
    _resign(bundle, "models", 1, path)
    with pytest.raises(UserError, match="Round"):
        verify_bundle(bundle)
