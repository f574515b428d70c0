"""The page's idea of a manifest is Python's."""

import dataclasses
import re
from pathlib import Path
from typing import Any, Literal

import pytest

from export import typescript
from export.manifest import SCHEMA, CameraPose, Manifest, ModelFile, Quality
from teacher.pseudo.envelope import Envelope


def test_the_generated_file_is_current() -> None:
    current = typescript.GENERATED.read_text() == typescript.generate()
    assert current, f"{typescript.GENERATED} is out of date: run `{typescript.COMMAND}`"
    current = typescript.GENERATED_GALLERY.read_text() == typescript.generate_gallery()
    assert current, f"{typescript.GENERATED_GALLERY} is out of date: run `{typescript.COMMAND}`"


def test_writing_gives_the_generated_text(tmp_path: Path) -> None:
    typescript.write(tmp_path / "manifest.ts")
    assert (tmp_path / "manifest.ts").read_text() == typescript.generate()


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (int, "number"),
        (str, "string"),
        (bool, "boolean"),
        (float | None, "number | null"),
        (tuple[float, ...], "readonly number[]"),
        (tuple[float, str], "readonly [number, string]"),
        (dict[str, int], "Readonly<Record<string, number>>"),
        (Literal["a", "b"], '"a" | "b"'),
        (CameraPose, "CameraPose"),
        (tuple[CameraPose, ...], "readonly CameraPose[]"),
        (tuple[tuple[int, str], ...], "readonly (readonly [number, string])[]"),
    ],
)
def test_types_translate(hint: Any, expected: str) -> None:
    assert typescript.type_name(hint) == expected


def test_every_field_of_every_dataclass_is_there() -> None:
    text = typescript.generate()
    assert f"export const SCHEMA = {SCHEMA};" in text
    for kind in (Manifest, ModelFile, Quality, Envelope):
        body = re.search(rf"export interface {kind.__name__} {{\n(.*?)\n}}", text, re.S)
        assert body is not None
        found = re.findall(r"^  readonly (\w+)(\??):", body[1], re.M)
        missing = dataclasses.MISSING
        fields = [(f.name, f.default is not missing) for f in dataclasses.fields(kind)]
        assert [(name, mark == "?") for name, mark in found] == fields


def test_an_interface_comes_after_those_it_uses() -> None:
    kinds = typescript.reachable(Manifest)
    assert kinds[-1] is Manifest
    assert kinds.index(CameraPose) < kinds.index(Manifest)
    assert len(kinds) == len(set(kinds))


def test_field_docstrings_become_jsdoc() -> None:
    """Python drops them; they are read from the source."""
    documents = typescript.field_documents(CameraPose)
    assert set(documents) == {"T_norm_camera", "intrinsics"}
    assert f"  /** {documents['intrinsics']} */\n  readonly intrinsics:" in typescript.generate()
