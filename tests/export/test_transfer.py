"""The table of transfers counts what a visitor's browser gets."""

import gzip
from pathlib import Path

import pytest

from export.manifest import read_manifest
from export.site import write_site
from export.transfer import RUNTIMES, first_load, transfer_table

RUNTIME = bytes(range(256)) * 500
FILES = {
    "index.html": b"<html>" * 200,
    "sw.js": b"self",
    "assets/index-1a2b.js": b"let a;" * 300,
    "assets/ort.wasm.min-1a2b.js": b"let wasm;" * 100,
    "assets/ort.jspi.min-1a2b.js": b"let jspi;" * 200,
    "assets/ort-wasm-simd-threaded-1a2b.js": b"load()" * 100,
    "assets/ort-wasm-simd-threaded.jspi-1a2b.js": b"load()" * 200,
    "assets/ort-wasm-simd-threaded-1a2b.wasm.gz": gzip.compress(RUNTIME, 9, mtime=0),
    "assets/ort-wasm-simd-threaded.jspi-1a2b.wasm.gz": gzip.compress(2 * RUNTIME, 9, mtime=0),
    "assets/ort-wasm-simd-threaded.asyncify-1a2b.wasm.gz": gzip.compress(3 * RUNTIME, 9, mtime=0),
}


@pytest.fixture
def site(bundle: Path, tmp_path: Path) -> Path:
    """A site with files of every kind."""
    for name, content in FILES.items():
        (tmp_path / "dist" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "dist" / name).write_bytes(content)
    write_site(bundle, tmp_path / "dist", tmp_path / "site")
    return tmp_path / "site"


def test_text_counts_as_hosts_send_it_and_gz_as_it_lies_there(site: Path) -> None:
    page, runtime, *_ = first_load(site, "WebAssembly")
    names = ("index.html", "sw.js", "assets/index-1a2b.js")
    assert page.raw == sum(len(FILES[name]) for name in names)
    assert page.transferred == sum(len(gzip.compress(FILES[name], 6)) for name in names)
    scripts = ("assets/ort.wasm.min-1a2b.js", "assets/ort-wasm-simd-threaded-1a2b.js")
    assert runtime.raw == len(RUNTIME) + sum(len(FILES[name]) for name in scripts)
    assert runtime.transferred == len(FILES["assets/ort-wasm-simd-threaded-1a2b.wasm.gz"]) + sum(
        len(gzip.compress(FILES[name], 6)) for name in scripts
    )


def test_each_backend_loads_its_own_runtime_and_model(site: Path) -> None:
    models = {model.precision: model for model in read_manifest(site / "scene").models}
    raws = []
    for backend in RUNTIMES:
        _, runtime, _, model = first_load(site, backend)
        raws.append(runtime.raw)
        expected = models["fp32" if backend == "WebAssembly" else "fp16"]
        assert model.raw == model.transferred == expected.bytes
        assert expected.file in model.name
    assert raws == sorted(raws) and len(set(raws)) == 3


def test_the_table_adds_up(site: Path) -> None:
    table = transfer_table(site).splitlines()
    assert len(table) == 6 * len(RUNTIMES)
    for backend, start in zip(RUNTIMES, range(0, len(table), 6), strict=True):
        assert backend in table[start]
        parts = first_load(site, backend)
        assert f"{sum(part.transferred for part in parts) / 1e6:.3f} MB" in table[start + 5]
