"""The site is the built viewer and the bundle, and nothing it does not own is touched."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import torch

from export import site as site_module
from export.manifest import read_manifest, write_manifest
from export.site import write_site
from export.verify import verify_bundle
from teacher.cameras import Camera
from teacher.errors import UserError
from teacher.paths import CameraPath, write_path


@pytest.fixture
def viewer(tmp_path: Path) -> Path:
    """A built viewer, with a scene it was developed with."""
    folder = tmp_path / "dist"
    for name in ("index.html", "assets/index-1a2b.js", "assets/runtime.wasm", "scene/old.onnx"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def _files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_a_site_is_the_viewer_and_the_bundle(bundle: Path, viewer: Path, tmp_path: Path) -> None:
    output = tmp_path / "site"
    write_site(bundle, viewer, output)
    page = {"index.html", "assets/index-1a2b.js", "assets/runtime.wasm"}
    scene = {f"scene/{name}" for name in _files(bundle)}
    assert _files(output) == page | scene | {".nojekyll", ".pocketfield-site"}
    assert read_manifest(output / "scene") == read_manifest(bundle)
    verify_bundle(output / "scene")


def test_written_again_it_loses_what_no_longer_belongs_to_it(
    bundle: Path, viewer: Path, tmp_path: Path
) -> None:
    output = tmp_path / "site"
    write_site(bundle, viewer, output)
    (viewer / "assets/index-1a2b.js").rename(viewer / "assets/index-3c4d.js")
    (output / "assets/old").mkdir()
    (output / "assets/old/image.png").write_text("old")
    write_site(bundle, viewer, output)
    assert (output / "assets/index-3c4d.js").exists()
    assert not (output / "assets/index-1a2b.js").exists()
    assert not (output / "assets/old").exists()


def test_a_folder_with_other_files_is_refused_untouched(
    bundle: Path, viewer: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match="holds other files"):
        write_site(bundle, viewer, home)
    assert _files(home) == {"thesis.tex"}


def test_a_viewer_that_is_not_built_is_refused(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        write_site(bundle, tmp_path / "dist", tmp_path / "site")
    assert error.value.thing == "--viewer"
    assert "make web" in error.value.remedy
    assert not (tmp_path / "site").exists()


def test_a_damaged_bundle_is_refused(bundle: Path, viewer: Path, tmp_path: Path) -> None:
    (bundle / "student.fp16.onnx").write_bytes(b"half a download")
    with pytest.raises(UserError, match="bytes"):
        write_site(bundle, viewer, tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_killed_half_way_there_is_no_page_yet_and_the_same_command_finishes(
    bundle: Path, viewer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, copied = tmp_path / "site", []

    def killed_at_the_fourth(source: Path, target: Path) -> None:
        copied.append(target)
        if len(copied) == 4:
            raise KeyboardInterrupt
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(site_module, "_copy", killed_at_the_fourth)
        with pytest.raises(KeyboardInterrupt):
            write_site(bundle, viewer, output)
    assert not (output / "index.html").exists()
    write_site(bundle, viewer, output)
    assert (output / "index.html").read_text() == "index.html"
    verify_bundle(output / "scene")


def test_several_bundles_lie_side_by_side_with_an_index(
    bundle: Path, viewer: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(bundle, other)
    write_manifest(other, dataclasses.replace(read_manifest(bundle), name="Red fox"))
    output = tmp_path / "site"
    write_site([bundle, other], viewer, output)
    index = json.loads((output / "scenes/index.json").read_text())
    assert [scene["path"] for scene in index["scenes"]] == ["scenes/ball/", "scenes/red-fox/"]
    for scene in index["scenes"]:
        verify_bundle(output / scene["path"])
        assert (output / scene["poster"]).is_file()
    assert not (output / "scene").exists()
    write_site(bundle, viewer, output)  # one again
    assert (output / "scene/manifest.json").is_file()
    assert not (output / "scenes").exists()


def test_two_scenes_of_one_name_are_refused(bundle: Path, viewer: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="folder would be 'ball'"):
        write_site([bundle, bundle], viewer, tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_no_bundle_is_refused(viewer: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none"):
        write_site([], viewer, tmp_path / "site")


def test_camera_paths_lie_beside_the_page(bundle: Path, viewer: Path, tmp_path: Path) -> None:
    camera = Camera(torch.eye(4), 8.0, 8.0, 4.0, 4.0, 8, 8)
    for name in ("a/round.json", "b/round.json", "b/up.json"):
        write_path(tmp_path / name, CameraPath((camera,)))
    output = tmp_path / "site"
    first = [tmp_path / "a/round.json", tmp_path / "b/up.json"]
    write_site(bundle, viewer, output, first)
    for path in first:
        assert (output / "paths" / path.name).read_bytes() == path.read_bytes()
    with pytest.raises(UserError, match="different file names"):
        write_site(bundle, viewer, output, [*first, tmp_path / "b/round.json"])
    (tmp_path / "b/up.json").write_text("{}")
    with pytest.raises(UserError, match="camera path"):
        write_site(bundle, viewer, output, first)
    write_site(bundle, viewer, output)
    assert not (output / "paths").exists()
