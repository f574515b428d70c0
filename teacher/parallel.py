"""Several processes that share one piece of work, as torchrun starts them.

    torchrun --nproc_per_node 4 -m teacher train synthetic --data … --output …

Process `rank` of `size` takes every size-th view, or draws rays of its own and averages gradients with the others.
Without torchrun there is one process and nothing here does anything. Process 0 ("first") alone writes files.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """The processes that share the work, and which of them this one is; alone by default.

    All methods but `shard` and `part` wait for the others: every process must call them, in the same order.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes files and talks to the user."""
        return self.rank == 0

    def shard(self, items: Sequence[T]) -> Sequence[T]:
        """This process's part of `items`: every `size`-th."""
        return items[self.rank :: self.size]

    def part(self, of_machine: tuple[int, int]) -> tuple[int, int]:
        """(which, of how many) this process is, if its machine is (k, n) and all run as many processes.

        >>> World(1, 4).part((2, 3))
        (9, 12)
        """
        k, n = of_machine
        return k * self.size + self.rank, n * self.size

    def gather(self, mine: Sequence[T]) -> list[T]:
        """All processes' results in the order of the items that `shard` divided; on every process."""
        if self.size == 1:
            return list(mine)
        parts: list[Any] = [None] * self.size
        dist.all_gather_object(parts, list(mine))
        return [parts[k % self.size][k // self.size] for k in range(sum(map(len, parts)))]

    def stream(self, mine: Iterable[T], total: int) -> Iterator[T]:
        """As `gather` for `total` items that are made one after another: the first process gets them in order.

        The others' iterator is empty, but they must exhaust it.
        """
        if self.size == 1:
            yield from mine
            return
        items = iter(mine)
        for start in range(0, total, self.size):
            parts: list[Any] | None = [None] * self.size if self.first else None
            dist.gather_object(next(items, None), parts)
            yield from (parts or [])[: total - start]

    def agree(self, value: T) -> T:
        """The first process's `value`."""
        if self.size == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values)
        return values[0]

    def share(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite `tensors` by the first process's."""
        for tensor in self._worth_sending(tensors):
            dist.broadcast(tensor.view(-1).view(torch.uint8), 0)  # as bytes: whatever type it has

    def add(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite `tensors` by their sums over all processes: the same bits on each."""
        sent = [dist.all_reduce(t, async_op=True) for t in self._worth_sending(tensors)]
        for work in sent:
            assert work is not None
            work.wait()  # on a GPU, its stream waits, not this process

    def _worth_sending(self, tensors: Iterable[Tensor]) -> list[Tensor]:
        return [tensor for tensor in tensors if tensor.numel()] if self.size > 1 else []

    def wait(self) -> None:
        """Return when all processes have come here."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def joined(device: torch.device | str = "cpu") -> Iterator[World]:
    """The processes that torchrun started, ready to talk: tensors of `device`, or Python objects."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield World()
        return
    device = torch.device(device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    # gloo beside NCCL: Python objects then do not go through the GPU.
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    yield World(dist.get_rank(), dist.get_world_size())
    # Not after an error: that would wait for processes which wait for this one. torchrun ends them.
    dist.destroy_process_group()
