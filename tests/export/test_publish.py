"""A published site is the site, whole, and always the same bytes."""

import os
import zipfile
from pathlib import Path

import pytest

from export.publish import publish
from export.site import write_site
from teacher.errors import UserError


@pytest.fixture
def site(bundle: Path, tmp_path: Path) -> Path:
    """A site of one scene."""
    viewer = tmp_path / "dist"
    for name in ("index.html", "sw.js", "assets/index-1a2b.js", "assets/runtime-1a2b.wasm.gz"):
        (viewer / name).parent.mkdir(parents=True, exist_ok=True)
        (viewer / name).write_text(name * 100)
    write_site(bundle, viewer, tmp_path / "site")
    return tmp_path / "site"


def test_unpacked_it_is_the_site(site: Path, tmp_path: Path) -> None:
    count = publish(site, tmp_path / "site.zip")
    with zipfile.ZipFile(tmp_path / "site.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
        assert len(archive.namelist()) == count
    files = {p.relative_to(site): p.read_bytes() for p in site.rglob("*") if p.is_file()}
    del files[Path(".pocketfield-site")]
    unpacked = tmp_path / "unpacked"
    assert files == {
        p.relative_to(unpacked): p.read_bytes() for p in unpacked.rglob("*") if p.is_file()
    }


def test_the_same_site_gives_the_same_bytes(site: Path, tmp_path: Path) -> None:
    publish(site, tmp_path / "first.zip")
    for path in site.rglob("*"):
        os.utime(path, (2e9, 2e9))
    (site / "index.html").chmod(0o600)
    publish(site, tmp_path / "second.zip")
    assert (tmp_path / "first.zip").read_bytes() == (tmp_path / "second.zip").read_bytes()


def test_a_damaged_model_is_not_published(site: Path, tmp_path: Path) -> None:
    model = site / "scene/student.fp32.onnx"
    content = bytearray(model.read_bytes())
    content[5000] ^= 1
    model.write_bytes(content)
    with pytest.raises(UserError, match="SHA-256"):
        publish(site, tmp_path / "site.zip")
    assert not (tmp_path / "site.zip").exists()


@pytest.mark.parametrize("missing", ["index.html", ".pocketfield-site", "scene/manifest.json"])
def test_an_unfinished_site_is_not_published(site: Path, tmp_path: Path, missing: str) -> None:
    (site / missing).unlink()
    with pytest.raises(UserError) as error:
        publish(site, tmp_path / "site.zip")
    assert error.value.thing == "--site"


def test_a_site_is_not_packed_into_itself(site: Path) -> None:
    with pytest.raises(UserError) as error:
        publish(site, site / "site.zip")
    assert error.value.thing == "--zip"


def test_killed_half_way_the_old_file_stays(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "site.zip"
    output.write_text("old")
    written = []

    def killed_at_the_third(self: zipfile.ZipFile, *_: object, **__: object) -> None:
        written.append(self)
        if len(written) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(zipfile.ZipFile, "writestr", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        publish(site, output)
    assert output.read_text() == "old"
    assert [path.name for path in tmp_path.glob("*.partial")] == []
