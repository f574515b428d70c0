"""One exported student for all tests of the stage, since an export takes seconds."""

from pathlib import Path

import pytest

from export.bundle import write_bundle
from export.proof import Exportable, Proved, prove_student
from tests.bundles import ball


@pytest.fixture(scope="session")
def source() -> Exportable:
    """The test student, before its export."""
    return ball(64)


@pytest.fixture(scope="session")
def proved(source: Exportable) -> Proved:
    """Its graphs in both precisions and torch's pictures; tests must not change them."""
    return prove_student(source)


@pytest.fixture
def bundle(source: Exportable, proved: Proved, tmp_path: Path) -> Path:
    """A freshly written bundle of its own for each test."""
    write_bundle(source, proved, tmp_path / "bundle")
    return tmp_path / "bundle"
