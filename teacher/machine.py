"""Where a stage runs: on which device, and whether its results must repeat to the last bit.

Precision: parameters, moments and all sums are float32. What the field's networks multiply, matrices and what flows
between layers, is float16 on a GPU (as is the table) and bfloat16 on CPUs with AVX-512 BF16, unless the field's `mixed`
says no; elsewhere it is float32.

Determinism: on a CPU runs repeat bit for bit, whatever the flag says (with the same number of threads). On a GPU sums
by atomic additions come in another order every time; `deterministic` asks torch and the kernels for ones that do not.
"""

import os
from dataclasses import dataclass
from typing import Literal

import torch

from teacher.errors import UserError
from teacher.ops.build import has_nvrtc

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class Machine:
    """Where and how a training runs. No part of the run's settings: any machine can go on with it."""

    device: Device = "auto"
    """auto: the GPU, if there is one."""
    deterministic: bool = False
    """Repeat runs bit for bit on a GPU too, which takes longer."""

    def prepare(self) -> torch.device:
        """The device, after switching this process to what is asked for. Raises as `pick_device`."""
        torch.use_deterministic_algorithms(self.deterministic)
        if self.deterministic:
            # cuBLAS reads it at its first call: workspaces that concurrent calls do not share.
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        return pick_device(self.device)


def pick_device(wanted: Device = "auto") -> torch.device:
    """The device that `wanted` stands for here; under torchrun, each process of a machine gets a GPU of its own.

    Raises:
        UserError: a GPU is asked for where none can be used, or there are more processes than GPUs.
    """
    if wanted == "cpu" or (wanted == "auto" and not _cuda_works()):
        return torch.device("cpu")
    if not _cuda_works():
        raise UserError(
            "--device",
            "cuda, which " + ("lacks NVRTC" if torch.cuda.is_available() else "torch cannot see"),
            "an NVIDIA GPU, its driver, and torch's CUDA build (which brings NVRTC)",
            "pip install a CUDA build of torch, or choose --device cpu",
        )
    index, gpus = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if index >= gpus:
        raise UserError(
            "torchrun --nproc_per_node",
            f"at least {index + 1} processes",
            f"at most {gpus}, one for each GPU",
            "start fewer processes, or choose --device cpu",
        )
    return torch.device("cuda", index)


def _cuda_works() -> bool:
    return torch.cuda.is_available() and has_nvrtc()
