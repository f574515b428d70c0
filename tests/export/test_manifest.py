"""`manifest.json` holds what the dataclasses hold, and anything else is refused by name."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from export.manifest import MANIFEST, SCHEMA, read_manifest, write_manifest
from teacher.errors import UserError


def test_reading_inverts_writing(bundle: Path, tmp_path: Path) -> None:
    manifest = read_manifest(bundle)
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest
    assert (tmp_path / MANIFEST).read_bytes() == (bundle / MANIFEST).read_bytes()


def test_a_manifest_is_made_of_plain_json(bundle: Path) -> None:
    """Nothing that takes Python to read: lists, objects, numbers, text."""
    plain = json.loads((bundle / MANIFEST).read_text())
    assert plain == json.loads(json.dumps(dataclasses.asdict(read_manifest(bundle))))
    assert plain["schema"] == SCHEMA


@pytest.mark.parametrize("schema", [None, SCHEMA + 1, str(SCHEMA)])
def test_another_schema_is_refused_with_a_remedy(bundle: Path, schema: object) -> None:
    _edit(bundle, ("schema",), schema)
    with pytest.raises(UserError) as error:
        read_manifest(bundle)
    assert error.value.given == f"schema {schema!r}"
    assert error.value.expected == f"schema {SCHEMA}"
    assert "export bundle" in error.value.remedy


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        (("name",), 3, "name"),
        (("models", 0, "bytes"), 1.5, "models[0].bytes"),
        (("models", 1, "bytes"), True, "models[1].bytes"),
        (("models", 0, "precision"), "int4", "models[0].precision"),
        (("models", 0, "gflop"), "much", "models[0].gflop"),
        (("models",), {}, "models"),
        (("start",), [], "start"),
        (("start", "intrinsics"), [1, 1, 0.5], "start.intrinsics"),
        (("envelope", "radius"), [1, float("inf")], "envelope.radius[1]"),
        (("quality", "teacher_psnr"), "30", "quality.teacher_psnr"),
        (("quality", "teacher_psnr"), False, "quality.teacher_psnr"),
        (("provenance", "versions", "torch"), 2, "provenance.versions.torch"),
        (("provenance", "versions"), [], "provenance.versions"),
        (("surplus",), 1, "surplus"),
    ],
)
def test_a_wrong_field_is_named_with_its_place(
    bundle: Path, place: tuple[str | int, ...], value: object, named: str
) -> None:
    _edit(bundle, place, value)
    with pytest.raises(UserError) as error:
        read_manifest(bundle)
    assert error.value.thing == f"{bundle / MANIFEST}: {named}"


def test_a_missing_field_is_named(bundle: Path) -> None:
    plain = json.loads((bundle / MANIFEST).read_text())
    del plain["references"][2]["camera"]
    (bundle / MANIFEST).write_text(json.dumps(plain))
    with pytest.raises(UserError, match=r"references\[2\]\.camera"):
        read_manifest(bundle)


def test_whole_numbers_serve_as_floats_and_null_as_none(bundle: Path) -> None:
    """JSON writes 1.0 as 1 in some languages; an unmeasured quality is null."""
    _edit(bundle, ("quality", "student_psnr_truth"), 23)
    quality = read_manifest(bundle).quality
    assert isinstance(quality.student_psnr_truth, float)
    assert quality.teacher_psnr is None


@pytest.mark.parametrize("text", ["", "[]", '{"schema": '])
def test_what_is_no_manifest_is_refused(bundle: Path, text: str) -> None:
    (bundle / MANIFEST).write_text(text)
    with pytest.raises(UserError, match=r"manifest\.json"):
        read_manifest(bundle)


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="export bundle"):
        read_manifest(tmp_path)


def _edit(bundle: Path, place: tuple[str | int, ...], value: object) -> None:
    plain: Any = json.loads((bundle / MANIFEST).read_text())
    inner = plain
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    (bundle / MANIFEST).write_text(json.dumps(plain))
