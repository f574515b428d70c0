"""The static site: the built viewer and its bundles, in a folder that any web server can serve.

    web/viewer/dist, one bundle      -> index.html, sw.js, assets/, scene/{manifest.json, *.onnx, ...}
    web/viewer/dist, several bundles -> index.html, sw.js, assets/, scenes/{index.json, lego/, ...}
    camera paths                     -> paths/circle.json, ..., for links with ?path=paths/circle.json

The page asks for everything relative to itself, so the folder works under any path prefix.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from export.gallery import INDEX, SCENES, gallery, slugs, write_gallery
from export.manifest import MANIFEST, Manifest, read_manifest
from export.verify import check_files
from teacher.errors import UserError
from teacher.files import replacing
from teacher.paths import read_camera_path

SCENE = "scene"
PATHS = "paths"
MARKER = ".pocketfield-site"
_INDEX = "index.html"
_LAST = (Path(_INDEX), Path("sw.js"))


def write_site(
    bundles: Path | Sequence[Path], viewer: Path, output: Path, paths: Sequence[Path] = ()
) -> None:
    """Assemble the page of `bundles` in `output`, file by file; what an older page left is removed.

    Args:
        bundles: one, or several for a gallery.
        viewer: the built viewer.
        output: the folder to write.
        paths: camera-path files to put beside the page.

    Raises:
        UserError: the viewer is not built, a bundle is incomplete, two scenes or paths have the same
            name, a path cannot be read, or `output` holds other files.
    """
    sources = [bundles] if isinstance(bundles, Path) else list(bundles)
    if not sources:
        raise UserError("--bundle", "none", "at least one folder of a bundle", "give --bundle PATH")
    manifests = [read_manifest(bundle) for bundle in sources]
    for bundle, manifest in zip(sources, manifests, strict=True):
        check_files(bundle, manifest)
    names = slugs([manifest.name for manifest in manifests]) if len(sources) > 1 else []
    places = [Path(SCENES, name) for name in names] or [Path(SCENE)]
    files = _page(viewer) | _path_files(paths)
    for place, bundle, manifest in zip(places, sources, manifests, strict=True):
        files |= {place / name: bundle / name for name in bundle_files(manifest)}
    _claim(output)
    # The page comes last: whoever gets it finds all its parts.
    for target in sorted(files, key=_order):
        if target == Path(_INDEX) and names:
            write_gallery(output, gallery(dict(zip(names, manifests, strict=True))))
        _copy(files[target], output / target)
    kept = {*files, Path(MARKER), Path(".nojekyll"), *([Path(INDEX)] if names else [])}
    _remove_others(output, kept)


def bundle_files(manifest: Manifest) -> tuple[str, ...]:
    """All files of a bundle, relative to its folder."""
    return (
        *dict.fromkeys(file.file for model in manifest.models for file in model.files),
        *(name for view in manifest.references for name in view.images),
        manifest.poster,
        MANIFEST,
    )


def _order(target: Path) -> tuple[bool, bool, Path]:
    return target in _LAST, target.name == MANIFEST, target


def _page(viewer: Path) -> dict[Path, Path]:
    """The viewer's files by their place in the site, without any scene it was developed with."""
    if not (viewer / _INDEX).is_file():
        given = f"{viewer}, without {_INDEX}"
        raise UserError("--viewer", given, "the built viewer", "build it with `make web`")
    names = (path.relative_to(viewer) for path in viewer.rglob("*") if path.is_file())
    return {name: viewer / name for name in names if name.parts[0] not in (SCENE, SCENES)}


def _path_files(paths: Sequence[Path]) -> dict[Path, Path]:
    """Checked camera-path files by their place in the site."""
    found: dict[Path, Path] = {}
    for path in paths:
        read_camera_path(path)
        place = Path(PATHS, path.name)
        if place in found:
            given, expected = f"{found[place]} and {path}", "different file names"
            raise UserError("--path", given, expected, "rename one of them")
        found[place] = path
    return found


def _claim(output: Path) -> None:
    """Mark `output` as a site of ours, since files in it will be removed."""
    if output.is_dir() and any(output.iterdir()) and not (output / MARKER).exists():
        raise UserError(
            "--output",
            f"{output}, which holds other files",
            "a new folder, or a site written by this command",
            "give another folder: files that are not part of the site are removed from it",
        )
    output.mkdir(parents=True, exist_ok=True)
    (output / MARKER).touch()
    (output / ".nojekyll").touch()  # GitHub Pages would drop files that begin with an underscore


def _copy(source: Path, target: Path) -> None:
    with replacing(target) as partial:
        shutil.copyfile(source, partial)


def _remove_others(folder: Path, kept: set[Path]) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):  # what is in a folder before the folder
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.relative_to(folder) not in kept:
            path.unlink()
