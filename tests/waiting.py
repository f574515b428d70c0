"""Telling, without a GPU, whether code would make the host wait for one.

The device "meta" has tensors without values: what needs a value to go on raises there, as `.item()` or the size of
`nonzero()` do. What torch does not refuse by itself, `not_waiting` does: copies between devices and boolean indices.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from teacher.ops import launch

aten = torch.ops.aten
_READS = (
    *(aten._local_scalar_dense, aten.item, aten.is_nonzero, aten.equal, aten.nonzero),
    *(aten.masked_select, aten._unique2, aten.unique_dim, aten.unique_consecutive),
)
_INDEXES = (aten.index, aten.index_put, aten.index_put_, aten._unsafe_index)


class WouldWait(AssertionError):
    """The host would have waited for the device."""


class _Guard(TorchDispatchMode):
    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        packet, given = func.overloadpacket, _tensors((args, kwargs))
        if packet in _READS:
            raise WouldWait(f"{func} reads a value")
        masks = _tensors(args[1]) if packet in _INDEXES else []
        if any(mask.dtype in (torch.bool, torch.uint8) for mask in masks):
            raise WouldWait(f"{func} by a mask")
        result = func(*args, **(kwargs or {}))
        devices = {tensor.device for tensor in given if tensor.ndim} | _devices(result)
        if packet in (aten._to_copy, aten.copy_) and len(devices) > 1:
            raise WouldWait(f"{func} between {devices}")
        return result


class _Constructors(TorchFunctionMode):
    """Tensors made of Python's numbers are made on the CPU, then sent: neither step passes the other guard."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        sends = func in (torch.tensor, Tensor.new_tensor) and result.device.type != "cpu"
        if sends:
            raise WouldWait(f"{func} sends numbers to {result.device}")
        return result


def _tensors(values: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


def _devices(result: Any) -> set[torch.device]:
    return {tensor.device for tensor in _tensors(result)}


@contextmanager
def not_waiting() -> Iterator[None]:
    """What would wait for a GPU raises `WouldWait` inside the block; on tensors of any device."""

    def refuse(tensor: Tensor) -> None:
        raise WouldWait("the values of a tensor are read")

    with (
        _Guard(),
        _Constructors(),
        patch.object(Tensor, "tolist", refuse),  # on a CPU these two read memory without dispatch
        patch.object(Tensor, "numpy", refuse),
    ):
        yield


@contextmanager
def gpu_without_values() -> Iterator[torch.device]:
    """Ops inside the block take the path of a GPU with tensors of the device it gives, but launch nothing."""
    with (
        patch.object(launch, "backend", lambda device: "cuda"),
        patch.object(launch, "_start_cuda", lambda *launched: None),
        patch.object(launch, "processors", lambda device: 2),
        patch.object(launch, "shared_limit", lambda device: 99 * 1024),
    ):
        yield torch.device("meta")
