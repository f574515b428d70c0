"""Prints the most memory that this process ever held: before and after some training steps of one trainer.

Run in a process of its own, since the figure never falls: python -m tests.bench.peak_memory SIDE DATA PRESET STEPS
"""

import json
import re
import subprocess
import sys
from pathlib import Path

from teacher.presets import PRESETS, DataConfig
from teacher.trainer import Trainer
from tests.bench.peers.torch_grid import torch_trainer

SIDES = {
    "ours": Trainer,
    "plain torch": torch_trainer,
    "tuned torch": lambda scene, config: torch_trainer(scene, config, tuned=True),
}


def measure(side: str, data: Path, preset: str, steps: int) -> dict[str, float]:
    """Peak MiB after loading ("scene") and after training ("training") in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.peak_memory", side, str(data), preset, str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _peak() -> float:
    """In MiB. Not getrusage's: on Linux that begins with what the parent held when it forked."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s*(\d+) kB", status)[0]) / 1024


def main(side: str, data: str, preset: str, steps: str) -> None:
    """Print {"scene": …, "training": …} in MiB."""
    scene = DataConfig(Path(data)).load()
    before = _peak()
    trainer = SIDES[side](scene, PRESETS[preset][1])
    for _ in range(int(steps)):
        trainer.train_step()
    print(json.dumps({"scene": before, "training": _peak()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
