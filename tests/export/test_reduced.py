"""The smaller rendition: half the width and height, the same weights in the same files."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnx.external_data_helper import uses_external_data
from PIL import Image

from export.bundle import write_bundle
from export.cost import frame_cost, reduced_cost
from export.graph import CameraToPicture
from export.manifest import MANIFEST, ModelFile, Rendition, read_manifest
from export.proof import Exportable, Proved, prove_student
from export.site import write_site
from export.split.shade import shading
from export.verify import REQUIRED, verify_bundle
from teacher.errors import UserError
from teacher.files import sha256
from tests.bundles import WAVES, wavy

SIZE = (16, 24)


@pytest.fixture(scope="module")
def ours(source: Exportable) -> Exportable:
    """A student with a split form."""
    return replace(source, model=wavy(WAVES), size=SIZE)


@pytest.fixture(scope="module")
def waves(ours: Exportable) -> Proved:
    return prove_student(ours)


@pytest.fixture
def written(ours: Exportable, waves: Proved, tmp_path: Path) -> Path:
    write_bundle(ours, waves, tmp_path / "bundle")
    return tmp_path / "bundle"


def _renditions(bundle: Path) -> list[tuple[ModelFile, Rendition]]:
    found = []
    for model in read_manifest(bundle).models:
        assert model.reduced is not None
        found.append((model, model.reduced))
    return found


def test_it_is_proved_against_torch_at_its_own_size(ours: Exportable, waves: Proved) -> None:
    assert waves.reduced is not None and waves.reduced.reduced is None
    assert waves.reduced.size == (8, 12)
    smaller = ours.model.at_half_size()
    assert smaller is not None
    picture = CameraToPicture(smaller, (8, 12))
    for (pose, found), (expected_pose, _) in zip(
        waves.reduced.references, waves.references, strict=True
    ):
        assert pose == expected_pose
        torch.testing.assert_close(found.rgba, picture.render(pose).rgba)
    for precision in ("fp32", "fp16"):
        assert waves.reduced.agreements[precision].psnr >= REQUIRED[precision]
        assert waves.reduced.split_agreements[precision].psnr >= REQUIRED[precision]


def test_its_weights_are_those_of_the_full_size(written: Path) -> None:
    for model, reduced in _renditions(written):
        assert (reduced.height, reduced.width) == (8, 12)
        assert 0.3 < reduced.gflop / model.gflop < 0.9
        graph = onnx.load(written / reduced.file.file, load_external_data=False)
        inside = [t for t in graph.graph.initializer if not uses_external_data(t)]
        assert sum(len(t.raw_data) for t in inside) < 8000
        tables = sum(
            grid.numel() for name, grid in wavy(WAVES).named_parameters() if "table" in name
        )
        assert reduced.file.bytes < model.bytes - tables * (4 if model.precision == "fp32" else 2)


def test_the_split_form_differs_in_the_last_shader_alone(written: Path, waves: Proved) -> None:
    for model, reduced in _renditions(written):
        full, small = model.split, reduced.split
        assert full is not None and small is not None
        same = replace(small, shade=full.shade, gflop=full.gflop, psnr=full.psnr)
        assert same == full
        assert small.shade.parts == full.shade.parts
        assert small.shade.workgroups == (2, 1, 1)  # of 8 x 8 pixels
        assert small.gflop < full.gflop
        assert "vec2u(12u, 8u)" in (written / small.shade.shader.file).read_text()
        names = [file.file for file in model.files]
        assert len(names) == len(set(names)) == 5 + 2
    assert waves.reduced is not None
    for precision, form in waves.splits.items():
        other = waves.reduced.splits[precision]
        assert (form.network, form.encode) == (other.network, other.encode)
        assert form.parts == other.parts


def test_its_pictures_are_in_the_bundle(written: Path) -> None:
    for view in read_manifest(written).references:
        assert view.reduced is not None
        assert view.reduced.sha256 == sha256(written / view.reduced.file)
        with Image.open(written / view.reduced.file) as image:
            assert image.size == (12, 8)


def test_a_bundle_with_it_is_verified_and_goes_into_the_site(written: Path, tmp_path: Path) -> None:
    agreements = verify_bundle(written)
    assert {
        f"student.{p}{size}.onnx" for p in ("fp16", "fp32") for size in ("", ".reduced")
    } == set(agreements)
    assert min(agreement.psnr for agreement in agreements.values()) > 45
    viewer = tmp_path / "dist"
    viewer.mkdir()
    (viewer / "index.html").write_text("page")
    write_site(written, viewer, tmp_path / "site")
    assert verify_bundle(tmp_path / "site/scene") == agreements


@pytest.mark.parametrize(
    "name",
    ["student.fp32.reduced.onnx", "student.fp16.reduced.shade.wgsl", "references/01.reduced.png"],
)
def test_one_changed_byte_is_named(written: Path, name: str) -> None:
    content = bytearray((written / name).read_bytes())
    content[len(content) // 2] ^= 1
    (written / name).write_bytes(content)
    with pytest.raises(UserError, match="SHA-256") as error:
        verify_bundle(written)
    assert error.value.thing == str(written / name)


def _edit(bundle: Path, change: dict[str, Any]) -> None:
    """Change fields of the single-precision rendition."""
    plain: Any = json.loads((bundle / MANIFEST).read_text())
    plain["models"][1]["reduced"] |= change
    (bundle / MANIFEST).write_text(json.dumps(plain))


def _resigned(path: Path) -> dict[str, Any]:
    return {"file": path.name, "bytes": path.stat().st_size, "sha256": sha256(path)}


def test_a_graph_of_another_size_is_refused(written: Path) -> None:
    _edit(written, {"width": 16})
    with pytest.raises(UserError, match="outputs of shape") as error:
        verify_bundle(written)
    assert "student.fp32.reduced.onnx" in error.value.thing


def test_a_graph_that_refers_to_the_wrong_place_is_refused(written: Path) -> None:
    """Its own weights, one number further: nothing but the picture tells."""
    path = written / "student.fp32.reduced.onnx"
    graph = onnx.load(path, load_external_data=False)
    for tensor in filter(uses_external_data, graph.graph.initializer):
        for entry in tensor.external_data:
            if entry.key == "offset":
                entry.value = str(int(entry.value) - 4)
    path.write_bytes(graph.SerializeToString())
    _edit(written, {"file": _resigned(path)})
    with pytest.raises(UserError, match="dB against torch") as error:
        verify_bundle(written)
    assert "student.fp32.reduced.onnx" in error.value.thing


def test_a_bundle_without_the_pictures_it_needs_is_refused(written: Path) -> None:
    plain: Any = json.loads((written / MANIFEST).read_text())
    plain["references"][2]["reduced"] = None
    (written / MANIFEST).write_text(json.dumps(plain))
    with pytest.raises(UserError, match=r"references\[2\]\.reduced"):
        verify_bundle(written)


def test_a_student_without_such_a_form_has_none(bundle: Path) -> None:
    """The test student with planes, which mixes pixels after its last layer."""
    manifest = read_manifest(bundle)
    assert [model.reduced for model in manifest.models] == [None, None]
    assert [view.reduced for view in manifest.references] == [None] * 6
    assert not list(bundle.rglob("*reduced*"))


def test_its_costs_are_counted(ours: Exportable) -> None:
    """The last shader asks four times as many numbers of the network for each of its pixels."""
    full, half = frame_cost(ours.model, SIZE, runs=0), reduced_cost(ours.model, SIZE, runs=0)
    assert [row.size for row in half] == [(8, 12)] * 4
    assert all(b.gflop < a.gflop for a, b in zip(full, half, strict=True))
    pixels, whole = 8 * 12, 16 * 24
    shade, pooled = (
        shading(wavy(WAVES), size, "fp32", k).cost for size, k in ((SIZE, 1), ((8, 12), 2))
    )
    assert (pooled.read, pooled.written) == (shade.read, shade.written // 4)
    assert pooled.operations == shade.operations // 4 + pixels * 3 * 5 and whole == 4 * pixels
