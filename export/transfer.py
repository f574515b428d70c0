"""Where the bytes are: what a first visit to a site transfers.

    site/ -> parts (page, ONNX Runtime, scene's small files, model) x (raw, transferred) for each backend

Text counts as hosts send it, gzipped; what is stored as .gz counts as it lies there; models and pictures
travel as they are.
"""

import gzip
from dataclasses import dataclass
from pathlib import Path

from export.gallery import SCENES, model_on_wasm
from export.manifest import MANIFEST, BundleFile, Manifest, read_manifest
from export.site import SCENE

_TEXT = {".html", ".css", ".js", ".json", ".svg", ".wgsl"}
_HOST_LEVEL = 6
"""zlib's default, and that of nginx's and Apache's usual settings."""

RUNTIMES = {
    "WebAssembly": ("ort.wasm", "ort-wasm-simd-threaded-"),
    "WebGPU": ("ort.jspi", "ort-wasm-simd-threaded.jspi-"),
    "WebGPU without JSPI": ("ort.webgpu", "ort-wasm-simd-threaded.asyncify-"),
}
"""Beginnings of the names of ONNX Runtime's files in assets/, by the backend that loads them."""


@dataclass(frozen=True)
class Part:
    """A part of what a first visit loads."""

    name: str
    raw: int
    """Bytes after unpacking."""
    transferred: int
    """Bytes on the way."""


def first_load(site: Path, backend: str) -> list[Part]:
    """What a first visit with `backend` (one of `RUNTIMES`) loads of the site's first scene."""
    scene = first_scene(site)
    manifest = read_manifest(scene)
    begins = tuple(begin for names in RUNTIMES.values() for begin in names)
    assets = [path for path in sorted((site / "assets").glob("*")) if path.is_file()]
    page = [path for path in assets if not path.name.startswith(begins)]
    page += [site / name for name in ("index.html", "icon.svg", "sw.js")]
    runtime = [path for path in assets if path.name.startswith(RUNTIMES[backend])]
    models = [scene / file.file for file in _model_files(manifest, backend)]
    return [
        _part("page", [path for path in page if path.is_file()]),
        _part("ONNX Runtime", runtime),
        _part("manifest, poster", [scene / MANIFEST, scene / manifest.poster]),
        _part(f"model {models[0].name}" + (" and its parts" if len(models) > 1 else ""), models),
    ]


def first_scene(site: Path) -> Path:
    """The folder of the scene that the page opens with, or offers first."""
    alone = site / SCENE
    return alone if alone.is_dir() else sorted((site / SCENES).glob("*/"))[0]


def _model_files(manifest: Manifest, backend: str) -> tuple[BundleFile, ...]:
    """As runtime.ts's `filesToRun`."""
    best = model_on_wasm(manifest) if backend == "WebAssembly" else manifest.models[0]
    if backend == "WebAssembly" and best.sampled is not None:
        return (best.sampled,)
    if backend != "WebAssembly" and best.split is not None:
        return best.split.files
    return (BundleFile(best.file, best.bytes, best.sha256),)


def _part(name: str, paths: list[Path]) -> Part:
    sizes = [_sizes(path) for path in paths]
    return Part(name, sum(raw for raw, _ in sizes), sum(sent for _, sent in sizes))


def _sizes(path: Path) -> tuple[int, int]:
    content = path.read_bytes()
    if path.suffix == ".gz":
        return len(gzip.decompress(content)), len(content)
    sent = gzip.compress(content, _HOST_LEVEL) if path.suffix in _TEXT else content
    return len(content), len(sent)


def transfer_table(site: Path) -> str:
    """The parts of each backend's first load and their sum, as lines for people."""
    lines = []
    for backend in RUNTIMES:
        parts = first_load(site, backend)
        total = Part("all", sum(p.raw for p in parts), sum(p.transferred for p in parts))
        lines.append(f"{f'first load, {backend}':<44}{'raw':>12}{'transferred':>15}")
        lines += [
            f"  {part.name:<42}{part.raw / 1e6:>9.3f} MB{part.transferred / 1e6:>12.3f} MB"
            for part in (*parts, total)
        ]
    return "\n".join(lines)
