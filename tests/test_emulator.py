"""The emulator of a GPU's block: matrix instructions by hand, and launches that a GPU would not survive."""

import itertools
from pathlib import Path

import pytest
import torch
from torch import Tensor

from teacher.ops import build, launch
from teacher.ops.build import Kernels
from teacher.ops.launch import Blocks
from tests.emulator import emulated, order_of

CPU = torch.device("cpu")
_tests = itertools.count()


@pytest.fixture
def op(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes a kernel of a body: `run`, which may use the pointers `x` and `y` and shared memory `s`."""

    def make(body: str) -> Kernels:
        source = f"""#include "half.cuh"
#include "mma.cuh"
WARP_ENTRY(64, 1) run(const u32* x, float* y) {{
  u32* s = dynamic_shared();
  int i = threadIdx.x;
  {body}
}}
"""
        (tmp_path / "op").mkdir(exist_ok=True)
        (tmp_path / "op" / "kernel.cu").write_text(source)
        for name in ("prelude.cuh", "half.cuh", "mma.cuh"):
            (tmp_path / name).write_text((build.FOLDER / name).read_text())
        monkeypatch.setattr(build, "FOLDER", tmp_path)
        return Kernels("op", (("TEST", next(_tests)),))

    return make


def _run(kernels: Kernels, blocks: Blocks, x: Tensor, size: int = 64) -> Tensor:
    y = torch.full((size,), -1.0)
    with emulated():
        launch.run_blocks(kernels, "run", CPU, blocks, x, y)
    return y


def test_a_product_of_matrices(op) -> None:
    """a [16, 16] by rows, b [16, 8] by columns, placed by ldmatrix: c is torch's product, in float32."""
    kernels = op("""
      for (int at = i; at < 192; at += 32) s[at] = x[at];
      __syncwarp();
      u32 a[4], b[4];
      load_matrices(a, s + i % 16 * 8 + i / 16 * 4);
      load_matrices(b, s + 128 + i % 8 * 8 + i / 8 % 2 * 4);
      float c[4] = {1, 1, 1, 1};
      mma(c, a, b[0], b[1]);
      for (int e = 0; e < 4; e++) y[(i / 4 + e / 2 * 8) * 8 + i % 4 * 2 + e % 2] = c[e];
    """)
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(r, c, generator=generator).half() for r, c in ((16, 16), (16, 8)))
    x = torch.cat([a.flatten(), b.T.flatten()]).view(torch.int32)
    y = _run(kernels, Blocks(1, 32, 192 * 4), x, 128)
    torch.testing.assert_close(y.view(16, 8), 1 + a.float() @ b.float())


@pytest.mark.parametrize("transposed", [False, True])
def test_loading_matrices_by_hand(op, transposed: bool) -> None:
    """Matrix m holds 64 m + 8 row + column: lane 5 (row 1, pair 1) gets elements 2 and 3 of that row."""
    load = "load_transposed" if transposed else "load_matrices"
    kernels = op(f"""
      for (int at = i; at < 128; at += 32) s[at] = x[at];
      __syncwarp();
      u32 to[4];
      {load}(to, s + i * 4);
      if (i == 5) for (int m = 0; m < 4; m++) y[2 * m] = first_of(to[m]), y[2 * m + 1] = second_of(to[m]);
    """)
    x = torch.arange(256).half().view(torch.int32)
    first, step = (17, 8) if transposed else (10, 1)
    expected = [64 * m + first + k * step for m in range(4) for k in range(2)]
    assert _run(kernels, Blocks(1, 32, 512), x, 8).tolist() == expected


def test_shuffles_and_votes(op) -> None:
    """Lane i gets what lane 3, or lane i ^ 5, has; the vote has a bit for each lane."""
    kernels = op("""
      unsigned votes = __ballot_sync(0xffffffffu, i % 2);
      y[i] = __shfl_sync(0xffffffffu, i, 3) * 100 + __shfl_xor_sync(0xffffffffu, i, 5);
      if (votes != 0xaaaaaaaau) y[i] = -2;
    """)
    lanes = torch.arange(32)
    found = _run(kernels, Blocks(1, 32), torch.zeros(1), 32)
    assert found.tolist() == (300 + (lanes ^ 5)).tolist()


def test_halves_are_rounded_to_even(op) -> None:
    """2049 lies between 2048 and 2050, 2051 between 2050 and 2052; pairs are added value by value."""
    kernels = op("""
      u32 pair = pack(2049, -2051);
      y[0] = first_of(pair), y[1] = second_of(pair);
      add_pair(&pair, pack(2, 1));
      y[2] = first_of(pair), y[3] = second_of(pair);
    """)
    found = _run(kernels, Blocks(1, 32), torch.zeros(1), 4)
    assert found.tolist() == [2048, -2052, 2050, -2052]


WRONG = {
    "if (i != 3) __syncwarp();": "31 threads wait.*__syncwarp; 33 have finished",
    "if (i % 2) __syncwarp(); else __shfl_sync(0xffffffffu, i, 0);": "come to __.* while others",
    "if (i < 32) __syncthreads();": "32 threads wait.*__syncthreads",
    "__shfl_sync(0xffffu, i, 0);": "among some lanes",
    "load_matrices(a, s + i * 4 + 2);": "ldmatrix reads a row at [0-9]*8 of",
    "load_matrices(a, s + i * 4 + 256);": "ldmatrix reads a row at 1[0-9]{3} of",
    "s[257] = 0;": "wrote 4 bytes behind the end",
}


def test_a_wrong_launch_says_what_is_wrong(op) -> None:
    """Where a GPU would hang, read or write elsewhere, or answer with anything; the next launch works."""
    cases = "".join(f"if (x[0] == {index}) {{ {body} }}" for index, body in enumerate(WRONG))
    kernels = op(f"u32 a[4]; {cases} y[i] = 5;")
    for index, message in enumerate(WRONG.values()):
        with pytest.raises(RuntimeError, match=message):
            _run(kernels, Blocks(1, 64, 1024), torch.tensor([index], dtype=torch.int32))
    right = _run(kernels, Blocks(1, 64, 1024), torch.tensor([len(WRONG)], dtype=torch.int32))
    assert right.tolist() == [5] * 64


@pytest.mark.parametrize("barrier", ["__syncthreads();", ""])
def test_a_missing_barrier_is_seen(op, barrier: str) -> None:
    """Warps read what the next warp writes; in some order of warps it is not there yet."""
    kernels = op(f"s[i] = 7; {barrier} y[i] = s[(i + 32) % 64] == 7;")
    found = []
    for seed in range(4):
        with order_of(seed):
            found.append(bool(_run(kernels, Blocks(1, 64, 1024), torch.zeros(1)).all()))
    assert all(found) == bool(barrier)
