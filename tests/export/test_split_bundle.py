"""A bundle with a split form: its files are named, complete, and held to the manifest."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest

from export.bundle import TABLES, write_bundle
from export.manifest import MANIFEST, SplitForm, read_manifest
from export.proof import Exportable, prove_student
from export.site import write_site
from export.summary import report, summarise
from export.verify import verify_bundle
from teacher.errors import UserError
from teacher.files import sha256
from tests.bundles import WAVES, wavy

SIZE = (16, 24)
CHANNELS = 100
"""8 points of 4 features, 3 positions of 21 numbers in 22 slots, filled up from 98."""


@pytest.fixture(scope="module")
def written(source: Exportable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle to copy."""
    folder = tmp_path_factory.mktemp("waves")
    ours = replace(source, model=wavy(WAVES), size=SIZE)
    write_bundle(ours, prove_student(ours), folder)
    return folder


@pytest.fixture
def bundle(written: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    for path in (path for path in written.rglob("*") if path.is_file()):
        copy = folder / path.relative_to(written)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return folder


def _split(bundle: Path, precision: str) -> SplitForm:
    (model,) = (m for m in read_manifest(bundle).models if m.precision == precision)
    assert model.split is not None
    return model.split


def test_the_manifest_describes_the_split_form(bundle: Path) -> None:
    for precision in ("fp16", "fp32"):
        form = _split(bundle, precision)
        assert form.encoded == (1, 4, 6, CHANNELS)
        assert form.ends == (1, 4, 6, (2 + WAVES.features) * WAVES.upsampling**2)
        assert form.shade.workgroups == (3, 2, 1)  # of 8 x 8 pixels
        for file in form.files:
            assert (file.bytes, file.sha256) == (
                (bundle / file.file).stat().st_size,
                sha256(bundle / file.file),
            )
        for part in (*form.encode.parts, *form.shade.parts):
            assert part.offset % 256 == 0 and part.offset + part.bytes <= form.tables.bytes
    assert _split(bundle, "fp16").tables == _split(bundle, "fp32").tables


def test_the_summary_counts_every_file(bundle: Path) -> None:
    """In a run's folder the bundle is called bundle."""
    summary, models = summarise(bundle.parent), read_manifest(bundle).models
    assert summary["split_psnr"] == {m.precision: _split(bundle, m.precision).psnr for m in models}
    assert set(summary["megabytes"]) == {file.file for model in models for file in model.files}
    assert "split fp16 against torch" in report(summary)


def test_it_is_verified_and_goes_into_the_site(bundle: Path, tmp_path: Path) -> None:
    verify_bundle(bundle)
    viewer = tmp_path / "dist"
    viewer.mkdir()
    (viewer / "index.html").write_text("page")
    write_site(bundle, viewer, tmp_path / "site")
    verify_bundle(tmp_path / "site/scene")


@pytest.mark.parametrize(
    "name",
    [TABLES, "student.fp32.shade.wgsl", "student.fp16.encode.wgsl", "student.fp16.network.onnx"],
)
def test_one_changed_byte_or_a_missing_file_is_named(bundle: Path, name: str) -> None:
    content = bytearray((bundle / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / name).write_bytes(content)
    with pytest.raises(UserError, match="SHA-256") as error:
        verify_bundle(bundle)
    assert error.value.thing == str(bundle / name)
    (bundle / name).unlink()
    with pytest.raises(UserError, match="no such file"):
        verify_bundle(bundle)


def _edit(bundle: Path, change: dict[str, Any]) -> None:
    """Change fields of the single-precision split form, of both sizes."""
    plain: Any = json.loads((bundle / MANIFEST).read_text())
    for rendition in (plain["models"][1], plain["models"][1]["reduced"]):
        rendition["split"] |= change
    (bundle / MANIFEST).write_text(json.dumps(plain))


def test_buffers_of_another_shape_than_the_networks_are_refused(bundle: Path) -> None:
    _edit(bundle, {"encoded": [1, 4, 6, CHANNELS + 4]})
    with pytest.raises(UserError, match=r"student\.fp32\.network\.onnx"):
        verify_bundle(bundle)


def test_a_part_beyond_the_tables_is_refused(bundle: Path) -> None:
    shade = json.loads((bundle / MANIFEST).read_text())["models"][1]["split"]["shade"]
    shade["parts"][-1]["bytes"] += 4
    _edit(bundle, {"shade": shade})
    with pytest.raises(UserError, match=r"tables\.bin"):
        verify_bundle(bundle)


def test_a_network_with_an_operator_that_webgpu_lacks_is_refused(bundle: Path) -> None:
    path = bundle / "student.fp32.network.onnx"
    model = onnx.load(path)
    next(node for node in model.graph.node if node.op_type == "Relu").op_type = "Round"
    path.write_bytes(model.SerializeToString())
    network = {"file": path.name, "bytes": path.stat().st_size, "sha256": sha256(path)}
    _edit(bundle, {"network": network})
    with pytest.raises(UserError, match="Round"):
        verify_bundle(bundle)
