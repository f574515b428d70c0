"""Two processes of a stage under torchrun, stopped by a signal."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from teacher import checkpoint

_TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
_PATIENCE = 60  # seconds


def stop_after_a_step(package: str, arguments: list[str], run: Path) -> None:
    """Start `python -m package arguments` twice, end it by SIGTERM once `run` has logged a step.

    It must end early, say so once, and leave its progress behind.
    """
    with run.with_suffix(".log").open("w+") as said:
        process = subprocess.Popen(
            [sys.executable, *_TORCHRUN, "-m", package, *arguments],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + _PATIENCE
        while not logged_steps(run) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(_PATIENCE) != 0
        said.seek(0)
        assert said.read().count("interrupted: run the same command again") == 1
    stopped = json.loads((run / "progress.json").read_text())
    assert 0 < stopped["step"] < 300 and not stopped["complete"]


def logged_steps(run: Path) -> list[int]:
    """Steps that the run's log has a loss of."""
    return [row["step"] for row in checkpoint.Log(run / "log.jsonl").rows() if "loss" in row]
