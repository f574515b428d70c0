"""Run folders: nothing half-written is read, nothing foreign is overwritten."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from teacher import checkpoint
from teacher.errors import UserError
from teacher.files import replacing, write_json


def test_tensors_and_metadata_round_trip(tmp_path: Path) -> None:
    tensors = {"a": torch.rand(3, 4).T, "b": torch.arange(5)}
    checkpoint.save_tensors(tmp_path / "x.safetensors", tensors, {"step": 7, "seconds": 0.1})
    loaded, metadata = checkpoint.load_tensors(tmp_path / "x.safetensors", "a model", "train it")
    assert metadata == {"step": 7, "seconds": 0.1}
    assert all(torch.equal(loaded[name], tensors[name]) for name in tensors)


def test_a_truncated_checkpoint_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    checkpoint.save_tensors(path, {"a": torch.rand(100)}, {})
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(UserError, match=r"x\.safetensors"):
        checkpoint.load_tensors(path, "a model", "train it")


def test_a_run_of_other_settings_is_refused_and_says_which(tmp_path: Path) -> None:
    checkpoint.claim_run(tmp_path, {"train": {"steps": 5, "seed": 0}})
    checkpoint.claim_run(tmp_path, {"train": {"steps": 5, "seed": 0}})
    with pytest.raises(UserError, match=r"train\.steps"):
        checkpoint.claim_run(tmp_path, {"train": {"steps": 6, "seed": 0}})


def test_the_log_rewinds_and_forgets_a_row_cut_short(tmp_path: Path) -> None:
    log = checkpoint.Log(tmp_path / "log.jsonl")
    for step in (10, 20, 30):
        log.append({"step": step})
    with log.path.open("a") as file:
        file.write('{"step": 4')
    log.rewind(20)
    assert [row["step"] for row in log.rows()] == [10, 20]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})
    with pytest.raises(ValueError, match="nan"):
        write_json(path, {"new": float("nan")})
    with pytest.raises(RuntimeError), replacing(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert json.loads(path.read_text()) == {"old": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_full_disk_is_one_clear_error_with_exit_code_2() -> None:
    """ENOSPC from anywhere ends in one screen, not in a traceback."""
    code = (
        "import errno\nfrom teacher.errors import exit_on_user_error\n"
        "def main():\n    raise OSError(errno.ENOSPC, 'No space left on device', '/runs/x')\n"
        "exit_on_user_error(main)\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "full disk" in done.stderr and "/runs/x" in done.stderr
    assert "Traceback" not in done.stderr
