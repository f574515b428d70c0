"""Configurations survive the trip to disk, and strangers are refused."""

import dataclasses
import json
from pathlib import Path

import pytest

from teacher.config import from_plain, to_plain
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
    plain = to_plain(DataConfig(data=Path("a")))
    plain["downscal"] = plain.pop("downscale")
    with pytest.raises(UserError, match="downscal'"):
        from_plain(DataConfig, plain, "config.json")


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
