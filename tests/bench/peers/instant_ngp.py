"""instant-ngp itself as a peer on a GPU, where its Python bindings (pyngp) are importable: its training rate.

Its batch is 2^18 samples before those that nobody sees are dropped, as its paper counts them; what is composited is
less. So this rate stands beside candidates and samples, and is compared with neither.
"""

import importlib
import time
from pathlib import Path

BATCH = 1 << 18


def rate(data: Path, warmup: int, steps: int) -> dict[str, float]:
    """Steps and batch samples per second on a NeRF-synthetic scene, after `warmup` steps."""
    ngp = importlib.import_module("pyngp")
    testbed = ngp.Testbed()
    testbed.load_file(str(data / "transforms_train.json"))
    testbed.shall_train = True
    while testbed.training_step < warmup and testbed.frame():
        pass
    first, start = testbed.training_step, time.perf_counter()
    while testbed.training_step < warmup + steps and testbed.frame():
        pass
    per_second = (testbed.training_step - first) / (time.perf_counter() - start)
    return {"steps_per_second": per_second, "batch_samples_per_second": BATCH * per_second}
