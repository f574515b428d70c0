"""What holds for every op, whichever it is: new ones are found by their folders."""

import doctest
import importlib
import inspect
import itertools
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from teacher.ops import build
from teacher.ops.build import Kernels
from teacher.ops.resources import resources

FOLDERS = sorted(path.parent for path in build.FOLDER.glob("*/reference.py"))
OPS = [folder.name for folder in FOLDERS]
ARCHITECTURES = ("sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120")


def _field(features: int, width: int, layers: tuple[int, int], codes: int, **more: int) -> Kernels:
    """The fused field: 16 levels, hidden layers of the density and of the colour network."""
    networks = {"WIDTH": width, "DENSITY_LAYERS": layers[0], "COLOUR_LAYERS": layers[1]}
    grid = {"DIMS": 3, "FEATURES": features, "LEVELS": 16}
    return Kernels("radiance", tuple((grid | networks | {"CODES": codes} | more).items()))


KERNELS = {
    "adam": [Kernels("adam", (("FEATURES", width),)) for width in (0, 2)],
    "composite": [Kernels("composite", (("CHANNELS", c),)) for c in (0, 3)],
    "distortion": [Kernels("distortion")],
    "hash_encode": [
        Kernels("hash_encode", (("DIMS", dims), ("FEATURES", features)))
        for dims, features in ((3, 2), (3, 4), (4, 2))
    ],
    "occupancy": [Kernels("occupancy")],
    "radiance": [_field(2, 64, (1, 2), 0), _field(4, 32, (1, 1), 8, DETERMINISTIC=1)],
    "ray_march": [Kernels("ray_march", exact=True)],
    "trace": [replace(_field(2, 64, (1, 2), 3), op="trace", exact=True)],
}
"""What is compiled for each op: the constants that are used."""


def test_the_list_of_kernels_is_complete() -> None:
    """Each op's folder has its three files, and its kernels are compiled for GPUs below."""
    assert sorted(KERNELS) == OPS
    for folder in FOLDERS:
        assert {"__init__.py", "reference.py", "kernel.cu"} <= {p.name for p in folder.iterdir()}


@pytest.mark.parametrize("op", OPS)
def test_wrapper_and_reference_have_one_signature(op: str) -> None:
    """Every function of an op's reference is an op: same name, parameters, types and defaults."""
    wrapper = importlib.import_module(f"teacher.ops.{op}")
    reference = importlib.import_module(f"teacher.ops.{op}.reference")
    names = [name for name in wrapper.__all__ if inspect.isfunction(getattr(wrapper, name))]
    assert names
    for name in names:
        ours, theirs = getattr(wrapper, name), getattr(reference, name)
        # As text: jaxtyping makes a new type at each mention, and none equals another.
        assert str(inspect.signature(ours)) == str(inspect.signature(theirs))
        assert ours is not theirs


@pytest.mark.parametrize("op", OPS)
def test_examples_in_docstrings_are_true(op: str) -> None:
    """What a docstring shows is what the op does."""
    if build.compiler() is None:
        pytest.skip("no C++ compiler on this machine")
    found = doctest.testmod(importlib.import_module(f"teacher.ops.{op}"))
    assert found.attempted > 0
    assert found.failed == 0


def test_examples_of_packing_are_true() -> None:
    """The references' packing does what its docstrings show."""
    found = doctest.testmod(importlib.import_module("teacher.ops.packed"))
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.skipif(not build.has_nvrtc(), reason="NVRTC is not installed (extra: nvrtc)")
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_kernel_compiles_for_every_gpu(architecture: str) -> None:
    """NVRTC accepts each source for each chip, and keeps every entry point."""
    for kernels in itertools.chain(*KERNELS.values()):
        options = ("-fmad=false",) if kernels.exact else ()
        source = kernels.source()
        machine_code = build.compile_cubin(source, architecture, options)
        assert machine_code.startswith(b"\x7fELF")
        entries = [line for line in source.splitlines() if line.startswith("ENTRY ")]
        assert entries
        for line in entries:
            assert line.removeprefix("ENTRY ").split("(")[0].encode() in machine_code
        # Where most training is done, every kernel fits the registers.
        spilled = {entry for entry, found in resources(machine_code).items() if found.local}
        assert not spilled or architecture != "sm_90"


def test_importing_ops_compiles_nothing(tmp_path: Path) -> None:
    """All ops can be imported with a compiler that does not work."""
    imports = "; ".join(f"import teacher.ops.{op}" for op in OPS)
    environment = {"CXX": "/bin/false", "POCKETFIELD_CACHE": str(tmp_path / "cache")}
    subprocess.run(
        [sys.executable, "-c", imports],
        env=os.environ | environment,
        check=True,
        cwd=build.FOLDER.parents[1],
    )
    assert not (tmp_path / "cache").exists()


def test_packing_is_undone_by_its_mask() -> None:
    """Padding and then masking gives the packed values back, whatever the counts."""
    from teacher.ops.packed import pad, row_mask

    values = torch.arange(1.0, 13.0).view(6, 2)
    for offsets in ([0, 2, 2, 6], [0, 6], [0, 0, 0, 6], [0, 1, 2, 3, 4, 5, 6]):
        mask = row_mask(torch.tensor(offsets))
        assert torch.equal(pad(values, mask)[mask], values)
        assert torch.equal(mask.sum(1), torch.tensor(offsets).diff())
