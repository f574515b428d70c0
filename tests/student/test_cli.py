"""The command line: presets, overrides, and errors on one screen."""

import sys

import pytest

from student import __main__ as cli
from student.presets import PRESETS
from teacher.config import from_plain, to_plain
from teacher.errors import exit_on_user_error


def _run(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["student", *arguments])
    exit_on_user_error(cli.main)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_and_its_overrides_reach_the_training(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr("student.train.train", lambda *given: seen.append(given))
    arguments = ["--teacher", "demo", "--output", "runs/x", "--steps", "7", "--model.width", "40"]
    _run(["train", name, *arguments], monkeypatch)
    ((preset, config, teacher, output, data, device),) = seen
    assert (preset, teacher, str(output), data) == (name, "demo", "runs/x", None)
    assert device == "auto"
    assert (config.steps, config.model.width) == (7, 40)
    assert type(config.model) is type(PRESETS[name][1].model)


def test_options_of_the_engine_read_well(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr("student.train.train", lambda *given: seen.append(given))
    options = (
        "--progressive 0.3 4 0.6 2 --replay.hard 0.2 --photographs.fraction 0.1 --accumulate 2"
    )
    options += " --execution.precision bf16 --execution.layout channels_last --device cpu"
    options += " --cameras.near 0.3 --cameras.margin 0.05"
    arguments = ["--teacher", "demo", "--output", "runs/x", *options.split()]
    _run(["train", "tiny", *arguments], monkeypatch)
    ((_, config, *_, device),) = seen
    assert config.progressive == ((0.3, 4), (0.6, 2)) and config.accumulate == 2
    assert (config.replay.hard, config.photographs.fraction) == (0.2, 0.1)
    assert (config.execution.precision, config.execution.layout) == ("bf16", "channels_last")
    assert (config.cameras.near, config.cameras.margin, device) == (0.3, 0.05, "cpu")
    assert from_plain(type(config), to_plain(config)) == config


def test_an_unknown_preset_lists_the_known_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        _run(["train", "tinny", "--teacher", "demo", "--output", "x"], monkeypatch)
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert "'tinny'" in error and "did you mean 'tiny'?" in error
    assert all(name in error for name in PRESETS)


def test_an_unknown_source_says_what_there_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: object
) -> None:
    with pytest.raises(SystemExit) as stop:
        _run(["train", "test", "--teacher", "nowhere", "--output", f"{tmp_path}/x"], monkeypatch)
    assert stop.value.code == 2
    assert "'nowhere'" in capsys.readouterr().err


@pytest.mark.parametrize("name", PRESETS)
def test_configurations_survive_being_written(name: str) -> None:
    config = PRESETS[name][1]
    assert from_plain(type(config), to_plain(config)) == config
