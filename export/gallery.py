"""`scenes/index.json`: what a site with several scenes has to offer.

    bundles -> scenes/<slug>/, one each -> Gallery --write_gallery--> scenes/index.json

The TypeScript type (`web/viewer/src/gallery_index.ts`) is generated from these dataclasses by
`export.typescript`. `SCHEMA` goes up whenever a field comes, goes or changes its meaning.
"""

import dataclasses
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from export.manifest import Manifest, ModelFile
from teacher.errors import UserError
from teacher.files import write_json

SCHEMA = 1
SCENES = "scenes"
INDEX = "scenes/index.json"


@dataclass(frozen=True)
class GalleryScene:
    """One scene of a site."""

    name: str
    path: str
    """Folder of its bundle, relative to the page, with a slash at its end."""
    poster: str
    """Picture of its start camera, relative to the page."""
    megabytes: float
    """What WebAssembly downloads for it besides the page, in 10^6 bytes."""
    psnr: float | None
    """Student against truth on held-out views, in dB; null where that was not measured."""


@dataclass(frozen=True)
class Gallery:
    """The whole of scenes/index.json."""

    schema: int
    scenes: tuple[GalleryScene, ...]


def gallery(manifests: dict[str, Manifest]) -> Gallery:
    """The index of scenes, by their folder's name, in the order given."""
    return Gallery(SCHEMA, tuple(_scene(slug, found) for slug, found in manifests.items()))


def _scene(slug: str, manifest: Manifest) -> GalleryScene:
    path = f"{SCENES}/{slug}/"
    return GalleryScene(
        name=manifest.name,
        path=path,
        poster=path + manifest.poster,
        megabytes=round(bytes_on_wasm(manifest) / 1e6, 3),
        psnr=manifest.quality.student_psnr_truth,
    )


def bytes_on_wasm(manifest: Manifest) -> int:
    """Bytes of the model file that the page takes on WebAssembly."""
    model = model_on_wasm(manifest)
    return model.bytes if model.sampled is None else model.sampled.bytes


def model_on_wasm(manifest: Manifest) -> ModelFile:
    """The first model in single precision, else the first of all (device.ts: `chooseModel`)."""
    single = (model for model in manifest.models if model.precision == "fp32")
    return next(single, manifest.models[0])


def write_gallery(site: Path, found: Gallery) -> None:
    """Write `found` as `site`/scenes/index.json, atomically."""
    write_json(site / INDEX, dataclasses.asdict(found))


def slugs(names: list[str]) -> list[str]:
    """A folder's name for each scene's name: lower case, digits and hyphens.

    >>> slugs(["Still life", "Äpfel & Birnen"])
    ['still-life', 'apfel-birnen']

    Raises:
        UserError: nothing is left of a name, or two become the same.
    """
    found = [_slug(name) for name in names]
    remedy = "give the scenes different names"
    for slug, count in Counter(found).items():
        if slug == "":
            name = names[found.index(slug)]
            raise UserError("--bundle", f"a scene named {name!r}", "a name with a letter", remedy)
        if count > 1:
            given = f"{count} scenes whose folder would be {slug!r}"
            raise UserError("--bundle", given, "one scene for each folder", remedy)
    return found


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
