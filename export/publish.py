"""One file that holds a whole site: `make publish`, `python -m export publish`.

    site/ -> checked: page, manifests, every model's length and SHA-256 -> site.zip

The same site always gives the same bytes: names sorted, no times, no owners.
"""

import zipfile
from pathlib import Path

from export.gallery import SCENES
from export.manifest import MANIFEST, read_manifest
from export.site import MARKER, SCENE
from export.verify import check_files
from teacher.errors import UserError
from teacher.files import replacing

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that a ZIP file can hold
_PACKED = {".gz", ".png", ".zip"}
_REMEDY = "write the site with `python -m export site` (or `make web`)"


def publish(site: Path, output: Path) -> int:
    """Pack `site` into the ZIP file `output`, atomically; the number of files in it.

    Raises:
        UserError: `site` is no complete site, a bundle in it is damaged, or `output` lies in it.
    """
    if not (site / "index.html").is_file() or not (site / MARKER).is_file():
        raise UserError("--site", f"{site}, without a page", "a finished site", _REMEDY)
    if output.resolve().is_relative_to(site.resolve()):
        given = f"{output}, inside the site"
        raise UserError("--zip", given, "a file outside of the site", "give another place")
    for folder in _bundles(site):
        check_files(folder, read_manifest(folder))
    files = sorted(path for path in site.rglob("*") if path.is_file() and path.name != MARKER)
    with replacing(output) as partial, zipfile.ZipFile(partial, "w") as archive:
        for path in files:
            _add(archive, path, path.relative_to(site).as_posix())
    return len(files)


def _bundles(site: Path) -> list[Path]:
    found = [site / SCENE, *sorted((site / SCENES).glob("*/"))]
    bundles = [folder for folder in found if (folder / MANIFEST).is_file()]
    if not bundles:
        raise UserError("--site", f"{site}, without a scene", "a finished site", _REMEDY)
    return bundles


def _add(archive: zipfile.ZipFile, path: Path, name: str) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.external_attr = 0o644 << 16
    entry.create_system = 3  # Unix: the mode above counts
    packed = path.suffix in _PACKED
    entry.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
    archive.writestr(entry, path.read_bytes(), compresslevel=9)
