"""The gallery's index says where its scenes lie, and what they weigh."""

import dataclasses
import json
from pathlib import Path

import pytest

from export.gallery import INDEX, SCHEMA, gallery, slugs, write_gallery
from export.manifest import read_manifest
from teacher.errors import UserError


def test_an_index_has_each_scene_with_its_weight_on_wasm(bundle: Path, tmp_path: Path) -> None:
    manifest = read_manifest(bundle)
    quality = dataclasses.replace(manifest.quality, student_psnr_truth=31.5)
    measured = dataclasses.replace(manifest, name="Lego", quality=quality)
    write_gallery(tmp_path, gallery({"ball": manifest, "lego": measured}))
    written = json.loads((tmp_path / INDEX).read_text())
    assert written["schema"] == SCHEMA
    first, second = written["scenes"]
    assert first["path"] == "scenes/ball/" and first["psnr"] is None
    assert second["name"] == "Lego" and second["psnr"] == 31.5
    assert second["poster"] == f"scenes/lego/{manifest.poster}"
    single = next(model for model in manifest.models if model.precision == "fp32")
    assert first["megabytes"] == pytest.approx(single.bytes / 1e6, abs=1e-3)


def test_folders_are_named_after_their_scenes() -> None:
    assert slugs(["Still life", "Äpfel & Birnen"]) == ["still-life", "apfel-birnen"]


@pytest.mark.parametrize("names", [["fox", "Fox!"], ["fox", "…"], ["fox", ""]])
def test_names_that_give_no_folder_of_their_own_are_refused(names: list[str]) -> None:
    with pytest.raises(UserError) as error:
        slugs(names)
    assert error.value.thing == "--bundle"
