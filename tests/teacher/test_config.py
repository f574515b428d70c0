"""Configurations survive the trip to disk, and strangers are refused."""

import dataclasses
import json
from pathlib import Path

import pytest

from teacher.config import from_plain, to_plain, with_defaults
from teacher.errors import UserError
from teacher.presets import PRESETS, DataConfig, TrainConfig


@pytest.mark.parametrize("name", PRESETS)
def test_presets_round_trip_through_json(name: str) -> None:
    _, config = PRESETS[name]
    assert from_plain(TrainConfig, json.loads(json.dumps(to_plain(config)))) == config


def test_paths_and_optional_tuples_round_trip() -> None:
    config = DataConfig(data=Path("a/b"), aabb=((0.0, 0.0, 0.0), (1.0, 2.0, 3.0)))
    assert from_plain(DataConfig, to_plain(config)) == config
    assert from_plain(DataConfig, to_plain(dataclasses.replace(config, aabb=None))).aabb is None


def test_unknown_and_missing_keys_are_named() -> None:
    """A key that has no default must be there; one that is misspelt is not taken for an older file's."""
    plain = to_plain(DataConfig(data=Path("a")))
    plain["downscal"] = plain.pop("downscale")
    with pytest.raises(UserError, match="downscal'"):
        from_plain(DataConfig, plain, "config.json")
    with pytest.raises(UserError, match=r"keys \['downscale'\]"):
        from_plain(DataConfig, {"type": "DataConfig", "downscale": 2}, "config.json")


def test_a_file_older_than_a_field_means_its_default() -> None:
    """In whatever depth; what it does say stays."""
    plain = to_plain(PRESETS["demo"][1])
    del plain["keep"], plain["field"]["mixed"]
    plain["steps"] = 7
    read = from_plain(TrainConfig, plain)
    assert read == dataclasses.replace(PRESETS["demo"][1], steps=7)
    assert with_defaults(TrainConfig, plain) == to_plain(read)
    assert DataConfig(Path("a")) == from_plain(DataConfig, {"type": "DataConfig", "data": "a"})


@dataclasses.dataclass(frozen=True)
class _A:
    x: int = 1


@dataclasses.dataclass(frozen=True)
class _B:
    x: int = 1


@dataclasses.dataclass(frozen=True)
class _Holder:
    part: _A | _B


def test_a_union_reads_back_as_the_variant_that_was_saved() -> None:
    assert from_plain(_Holder, to_plain(_Holder(_B(3)))) == _Holder(_B(3))
    with pytest.raises(UserError, match="_C"):
        from_plain(_Holder, {"type": "_Holder", "part": {"type": "_C", "x": 1}})
