"""Rules of the repository that no linter knows."""

import ast
import importlib
import importlib.util
import subprocess
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent
PACKAGES = ("teacher", "student", "export")
LONGEST = 500


def _tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).exists()]


@pytest.mark.parametrize("name", PACKAGES)
def test_packages_are_ours(name: str) -> None:
    """The names exist on PyPI too: a stranger's package must not be tested by mistake."""
    module = importlib.import_module(name)
    assert module.__file__ is not None
    assert Path(module.__file__).parent == ROOT / name


@pytest.mark.parametrize("name", PACKAGES)
def test_dependencies_run_one_way(name: str) -> None:
    """teacher <- student <- export: no stage imports a later one."""
    later = PACKAGES[PACKAGES.index(name) + 1 :]
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in (ROOT / name).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for module in _imported(node)
        if module.split(".")[0] in later
    ]
    assert wrong == []


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def test_no_file_is_longer_than_a_reader_s_patience() -> None:
    files = _tracked("*.py", "*.ts", "*.cu", "*.cuh", "*.css", "*.mjs", "Makefile")
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
    assert {name: n for name, n in lengths.items() if n > LONGEST} == {}
    assert len(lengths) > 50


def test_nothing_pulls_in_torchvision() -> None:
    """Beside a CPU torch its import fails with a RuntimeError and takes other libraries with it."""
    assert importlib.util.find_spec("torchvision") is None or torch.cuda.is_available()
