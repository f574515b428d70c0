"""A window opens levels in order; a closed level is neither seen nor learned; without a window nothing changes."""

from dataclasses import replace

import torch

from teacher.fields.base import Query
from teacher.fields.hash_grid import HashGridConfig, HashGridField
from teacher.fields.window import Window
from teacher.ops.hash_encode import HashGrid

GRID = HashGrid(levels=4, features=2, log2_size=12, base=4, finest=32)
PLAIN = HashGridConfig(GRID, width=16)
OPENING = replace(PLAIN, window=Window(coarse=1, start=0.25, end=0.75))


def _field(config: HashGridConfig) -> HashGridField:
    torch.manual_seed(0)
    field = config.build()
    torch.nn.init.normal_(field.table, 0, 0.5)
    return field


def _query(n: int = 64) -> Query:
    generator = torch.Generator().manual_seed(1)
    directions = torch.nn.functional.normalize(torch.randn(n, 3, generator=generator), dim=-1)
    return Query(torch.rand(n, 3, generator=generator) * 2 - 1, directions, torch.zeros(n, 0))


def test_levels_join_one_after_the_other() -> None:
    window = OPENING.window
    assert window.weights(4, 0.0).tolist() == window.weights(4, 0.25).tolist() == [1, 0, 0, 0]
    assert window.weights(4, 0.75).tolist() == window.weights(4, 1.0).tolist() == [1, 1, 1, 1]
    halfway = window.weights(4, 0.5)  # one and a half of the three
    torch.testing.assert_close(halfway, torch.tensor([1.0, 1.0, 0.5, 0.0]))
    over_time = torch.stack([window.weights(4, k / 50) for k in range(51)])
    assert bool((over_time.diff(dim=0) >= 0).all()) and bool((over_time.diff(dim=1) <= 0).all())


def test_no_window_is_no_change() -> None:
    """Bit for bit, and no more in a checkpoint than before."""
    plain, opened = _field(PLAIN), _field(OPENING)
    assert "opened" not in plain.state_dict()
    opened.update(100, 100)
    for a, b in zip(vars_of(plain), vars_of(opened), strict=True):
        assert torch.equal(a, b)


def vars_of(field: HashGridField) -> tuple[torch.Tensor, ...]:
    """What the field answers."""
    answer = field.radiance(_query())
    return answer.density, answer.colour, field.density(_query().positions)


def test_closed_levels_are_not_seen_and_not_learned() -> None:
    field = _field(OPENING)
    field.update(0, 100)
    before = vars_of(field)
    coarse = GRID.layout[1].offset
    with torch.no_grad():
        field.table[coarse:] += 1.0
    assert all(torch.equal(a, b) for a, b in zip(before, vars_of(field), strict=True))
    answer = field.radiance(_query())
    (answer.density.sum() + answer.colour.sum()).backward()
    assert field.table.grad is not None
    assert field.table.grad[:coarse].any() and not field.table.grad[coarse:].any()


def test_a_half_open_level_counts_half() -> None:
    """As a field would whose features there were half as large; what is saved says how far it is open."""
    field = _field(OPENING)
    field.update(50, 100)
    twin = _field(PLAIN)
    level = GRID.layout
    with torch.no_grad():
        twin.table[level[2].offset : level[3].offset] *= 0.5
        twin.table[level[3].offset :] = 0
    for a, b in zip(vars_of(field), vars_of(twin), strict=True):
        torch.testing.assert_close(a, b, atol=2e-2, rtol=2e-2)  # 16-bit layers
    loaded = _field(OPENING)
    loaded.load_state_dict(field.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(vars_of(field), vars_of(loaded), strict=True))
