"""Numbers that depend on where one is: the same for the same place, others for any other."""

import hashlib

import pytest
import torch

from teacher.seeds import generator_for


def _draw(*key: int) -> float:
    seed, index, rank = key
    return torch.rand((), generator=generator_for(seed, index, rank=rank)).item()


def test_every_place_has_numbers_of_its_own() -> None:
    places = [(s, i, r) for s in range(8) for i in range(20) for r in range(4)]
    draws = [_draw(*place) for place in places]
    assert len(set(draws)) == len(places)
    assert draws == [_draw(*place) for place in places]


def test_the_key_is_not_a_string_of_digits() -> None:
    """(1, 12) is not (11, 2), and (1, 2) of process 3 is neither (12, 3) nor (1, 23)."""
    assert len({_draw(*place) for place in ((1, 12, 0), (11, 2, 0), (1, 1, 2))}) == 3
    assert len({_draw(*place) for place in ((1, 2, 3), (12, 3, 0), (1, 23, 0))}) == 3


def test_one_process_draws_what_it_always_drew() -> None:
    """Runs of earlier versions are repeated: the key of process 0 leaves the rank out."""
    digest = hashlib.blake2b(b"7 100", digest_size=4).digest()
    expected = torch.Generator().manual_seed(int.from_bytes(digest, "big"))
    found = generator_for(7, 100, "cpu", 0)
    assert torch.equal(torch.rand(5, generator=found), torch.rand(5, generator=expected))


def test_draws_are_uniform_over_steps() -> None:
    """The first number of 4000 neighbouring steps: mean 1/2 within 4 standard errors, no trend from step to step."""
    draws = torch.tensor([_draw(0, step, 0) for step in range(4000)])
    assert float(draws.mean()) == pytest.approx(0.5, abs=4 / (12 * 4000) ** 0.5)
    correlation = torch.corrcoef(torch.stack([draws[1:], draws[:-1]]))[0, 1]
    assert abs(float(correlation)) < 4 / 4000**0.5


@pytest.mark.cuda
def test_a_gpu_s_generator_repeats_itself() -> None:
    a, b = (torch.rand(5, generator=generator_for(0, 1, "cuda"), device="cuda") for _ in range(2))
    assert torch.equal(a, b)
