"""What figures are measured on: processor, cores, graphics card, system."""

import os
import platform
import sys
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    """The machine that this runs on; its graphics card only where torch is loaded already, which takes seconds."""
    torch = sys.modules.get("torch")
    gpu = torch.cuda.get_device_name() if torch is not None and torch.cuda.is_available() else None
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "gpu": gpu,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def machine_line(found: dict[str, Any]) -> str:
    """`machine()` as half a sentence."""
    cores = found.get("cores")
    parts = [f"{found.get('processor')}, {cores} {'core' if cores == 1 else 'cores'}"]
    parts += [str(found["gpu"])] if found.get("gpu") else ["no graphics card"]
    return ", ".join([*parts, str(found.get("system"))])


def _processor() -> str:
    """The processor's name; Linux hides it in a file, other systems tell it."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
