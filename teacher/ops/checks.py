"""What every op checks before it hands raw pointers to a kernel."""

import torch
from torch import Tensor

from teacher.errors import UserError


def expect(
    thing: str,
    tensor: Tensor,
    shape: tuple[int | str, ...],
    device: torch.device,
    dtypes: tuple[torch.dtype, ...] = (torch.float32,),
) -> None:
    """Raise unless `tensor` is contiguous, on `device`, of one of `dtypes` and of `shape`.

    Args:
        thing: names the tensor in the error, as "composite: density".
        tensor: what was given.
        shape: its sizes; a string stands for any size, and is shown.
        device: where the op's other tensors are.
        dtypes: what the kernel can read.

    Raises:
        UserError: showing what was given beside what was expected.
    """
    sizes_fit = len(shape) == tensor.ndim and all(
        isinstance(want, str) or want == size
        for want, size in zip(shape, tensor.shape, strict=True)
    )
    if sizes_fit and tensor.dtype in dtypes and tensor.device == device and tensor.is_contiguous():
        return
    names = " or ".join(_name(dtype) for dtype in dtypes)
    raise UserError(
        thing,
        _describe(tensor),
        f"contiguous {names} [{', '.join(map(str, shape))}] on {device}",
        "convert it by .to() and .contiguous(), or call the op's reference, which is not so strict",
    )


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _describe(tensor: Tensor) -> str:
    layout = "contiguous" if tensor.is_contiguous() else "non-contiguous"
    return f"{layout} {_name(tensor.dtype)} {list(tensor.shape)} on {tensor.device}"
