"""The static site: the built viewer and one bundle, in a folder that any web server can serve.

    web/viewer/dist, bundle -> index.html, assets/, scene/{manifest.json, *.onnx, ...}

The page asks for everything relative to itself, so the folder works under any path prefix.
"""

import shutil
from pathlib import Path

from export.manifest import MANIFEST, read_manifest
from export.verify import check_files
from teacher.errors import UserError
from teacher.files import replacing

SCENE = "scene"
_MARKER = ".pocketfield-site"
_INDEX = "index.html"


def write_site(bundle: Path, viewer: Path, output: Path) -> None:
    """Assemble the page of `bundle` in `output`, file by file; what an older page left is removed.

    Raises:
        UserError: the viewer is not built, the bundle is incomplete, or `output` holds other files.
    """
    manifest = read_manifest(bundle)
    check_files(bundle, manifest)
    files = _page(viewer) | {
        Path(SCENE, name): bundle / name
        for name in (
            *(file.file for model in manifest.models for file in model.files),
            *(name for view in manifest.references for name in view.images),
            manifest.poster,
            MANIFEST,
        )
    }
    _claim(output)
    # The page comes last: whoever gets it finds all its parts.
    for target in sorted(files, key=_order):
        _copy(files[target], output / target)
    _remove_others(output, {*files, Path(_MARKER), Path(".nojekyll")})


def _order(target: Path) -> tuple[bool, bool, Path]:
    return target == Path(_INDEX), target.name == MANIFEST, target


def _page(viewer: Path) -> dict[Path, Path]:
    """The viewer's files by their place in the site, without any scene it was developed with."""
    if not (viewer / _INDEX).is_file():
        given = f"{viewer}, without {_INDEX}"
        raise UserError("--viewer", given, "the built viewer", "build it with `make web`")
    names = (path.relative_to(viewer) for path in viewer.rglob("*") if path.is_file())
    return {name: viewer / name for name in names if name.parts[0] != SCENE}


def _claim(output: Path) -> None:
    """Mark `output` as a site of ours, since files in it will be removed."""
    if output.is_dir() and any(output.iterdir()) and not (output / _MARKER).exists():
        raise UserError(
            "--output",
            f"{output}, which holds other files",
            "a new folder, or a site written by this command",
            "give another folder: files that are not part of the site are removed from it",
        )
    output.mkdir(parents=True, exist_ok=True)
    (output / _MARKER).touch()
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
