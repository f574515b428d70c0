"""The command line does what it says, and a mistake is one screen and exit status 2."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from export.__main__ import COMMANDS, main
from export.typescript import COMMAND, generate
from teacher.errors import exit_on_user_error

Export = Callable[..., None]


@pytest.fixture
def export(monkeypatch: pytest.MonkeyPatch) -> Export:
    """Run `python -m export` with arguments, in this process."""

    def run(*arguments: object) -> None:
        monkeypatch.setattr("sys.argv", ["export", *map(str, arguments)])
        exit_on_user_error(main)

    return run


def test_types_writes_the_file_and_checks_it(export: Export, tmp_path: Path) -> None:
    path = tmp_path / "manifest.ts"
    export("types", "--output", path)
    assert path.read_text() == generate()
    export("types", "--output", path, "--check")


def test_types_check_fails_on_another_text_and_says_how_to_mend_it(
    export: Export, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "manifest.ts"
    path.write_text("export const SCHEMA = 0;\n")
    with pytest.raises(SystemExit) as exit_:
        export("types", "--output", path, "--check")
    assert exit_.value.code == 2
    assert COMMAND in capsys.readouterr().err
    assert path.read_text() == "export const SCHEMA = 0;\n"


def test_verify_prints_each_model(
    export: Export, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export("verify", "--bundle", bundle)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["student.fp16.onnx", "student.fp32.onnx"]
    assert all("dB against the reference pictures" in line for line in lines)


def test_a_bundle_that_is_none_is_one_screen_and_exit_status_2(
    export: Export, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        export("verify", "--bundle", tmp_path)
    assert exit_.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    for line, start in zip(lines, ("error:", "  given:", "  expected:", "  remedy:"), strict=True):
        assert line.startswith(start)


def test_site_and_summary_of_a_run(
    export: Export, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, viewer = tmp_path / "run", tmp_path / "dist"
    shutil.copytree(bundle, run / "bundle")
    viewer.mkdir()
    (viewer / "index.html").write_text("page")
    export("site", "--bundle", run / "bundle", "--viewer", viewer, "--output", run / "site")
    export("summary", "--run", run)
    assert (run / "site/scene/manifest.json").is_file()
    assert "ONNX fp16 against torch" in capsys.readouterr().out


@pytest.mark.parametrize("command", [kind.__name__.lower() for kind in COMMANDS])
def test_every_command_has_help(
    export: Export, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        export(command, "--help")
    assert exit_.value.code == 0
    assert f"export {command}" in capsys.readouterr().out
