"""A bundle is whole or has no manifest, and is the same bytes whenever it is written."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from export import bundle as bundle_module
from export.bundle import write_bundle
from export.manifest import MANIFEST, read_manifest
from export.proof import Exportable, Proved
from export.verify import verify_bundle
from teacher.files import sha256
from teacher.scene import premultiply


def _contents(folder: Path) -> dict[str, bytes]:
    """Every file by name, the manifest without its time."""
    files = {path for path in folder.rglob("*") if path.is_file()}
    contents = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    if MANIFEST in contents:
        plain = json.loads(contents[MANIFEST])
        del plain["provenance"]["created"]
        contents[MANIFEST] = json.dumps(plain).encode()
    return contents


def test_the_manifest_describes_the_files(bundle: Path, source: Exportable) -> None:
    manifest = read_manifest(bundle)
    for model in manifest.models:
        assert model.bytes == (bundle / model.file).stat().st_size
        assert model.sha256 == sha256(bundle / model.file)
        assert (model.height, model.width) == source.size
        assert model.parameters == sum(p.numel() for p in source.model.parameters())
    assert [model.precision for model in manifest.models] == ["fp16", "fp32"]
    assert manifest.models[0].bytes < manifest.models[1].bytes
    assert manifest.envelope == source.envelope
    assert manifest.start == manifest.references[0].camera
    assert set(_contents(bundle)) == {
        MANIFEST,
        manifest.poster,
        *(file.file for model in manifest.models for file in model.files),
        *(name for view in manifest.references for name in view.images),
    }


def test_reference_pictures_are_torchs_up_to_8_bits(bundle: Path, proved: Proved) -> None:
    """Straight alpha rounds colour by half a step of 255, and alpha by as much again."""
    for view, (pose, expected) in zip(
        read_manifest(bundle).references, proved.references, strict=True
    ):
        assert view.camera == pose
        with Image.open(bundle / view.image) as image:
            found = premultiply(np.array(image))
        difference = (found - expected.rgba[0].permute(1, 2, 0)).abs()
        assert float(difference.max()) < 1.01 / 255


def test_the_pictures_show_something_that_depends_on_the_camera(proved: Proved) -> None:
    """Guards every other test against an empty or constant test student."""
    pictures = torch.stack([picture.rgba[0] for _, picture in proved.references])
    assert float(pictures[:, 3].min()) < 0.01 and float(pictures[:, 3].max()) > 0.9
    assert float(pictures.std(0).mean()) > 0.05


def test_writing_twice_gives_the_same_bytes(
    bundle: Path, source: Exportable, proved: Proved, tmp_path: Path
) -> None:
    write_bundle(source, proved, tmp_path / "again")
    assert _contents(tmp_path / "again") == _contents(bundle)


def test_what_an_older_bundle_left_is_removed_and_nothing_else(
    bundle: Path, source: Exportable, proved: Proved
) -> None:
    whole = _contents(bundle)
    stale = ("student.int8.onnx", "references/99.png", ".student.fp32.onnx.1.partial")
    for name in (*stale, "notes.txt"):
        (bundle / name).write_text("old")
    write_bundle(source, proved, bundle)
    assert _contents(bundle) == whole | {"notes.txt": b"old"}


@pytest.mark.parametrize("step", ["write_onnx", "_write_reference", "write_manifest"])
def test_killed_half_way_it_has_no_manifest_and_the_same_command_finishes(
    bundle: Path,
    source: Exportable,
    proved: Proved,
    step: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = _contents(bundle)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(bundle_module, step, killed)
        with pytest.raises(KeyboardInterrupt):
            write_bundle(source, proved, bundle)
    assert not (bundle / MANIFEST).exists()
    write_bundle(source, proved, bundle)
    assert _contents(bundle) == whole
    verify_bundle(bundle)
