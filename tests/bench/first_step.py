"""Seconds from starting Python to the end of the first training step, with no compiled kernel in the cache.

Run in a process of its own: python -m tests.bench.first_step DATA PRESET DEVICE
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def measure(data: Path, preset: str, device: str) -> dict[str, float]:
    """Seconds until torch and the teacher are imported, the scene is read, and one step is taken; and a second one."""
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"POCKETFIELD_CACHE": cache, "PATH": without_nvcc()}
        command = [sys.executable, "-m", "tests.bench.first_step", str(data), preset, device]
        start = time.time()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return {name: at - start for name, at in json.loads(done.stdout.splitlines()[-1]).items()}


def without_nvcc() -> str:
    """PATH without the folders that hold a CUDA compiler, unless they hold the C++ compiler too."""
    folders = os.environ.get("PATH", "").split(os.pathsep)
    kept = [f for f in folders if not Path(f, "nvcc").exists() or Path(f, "g++").exists()]
    return os.pathsep.join(kept)


def main(data: str, preset: str, device: str) -> None:
    """Print when what was done, as seconds since the epoch."""
    import torch

    from teacher.presets import PRESETS, DataConfig
    from teacher.trainer import Trainer

    at = {"imported": time.time()}
    scene = DataConfig(Path(data)).load()
    trainer = Trainer(scene, PRESETS[preset][1], device)
    at["scene"] = time.time()
    for name in ("first_step", "second_step"):
        trainer.train_step().read()
        at[name] = time.time()
    assert torch.device(device) == trainer.device
    print(json.dumps(at))


if __name__ == "__main__":
    main(*sys.argv[1:])
