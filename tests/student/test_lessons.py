"""Lessons stay true when they are cut, shrunk and divided."""

from dataclasses import replace

import pytest
import torch

from student.lessons import Lesson, crop, shrink
from teacher.pseudo.pool import ViewPool
from teacher.pseudo.source import Source


def lesson(rgba: torch.Tensor, depth: torch.Tensor, kept: torch.Tensor | None = None) -> Lesson:
    n, kept = len(rgba), torch.ones_like(depth) if kept is None else kept
    poses, intrinsics = torch.eye(4).repeat(n, 1, 1), torch.rand(n, 4)
    return Lesson(poses, intrinsics, rgba, depth, kept, torch.ones(n, 1, 1, 1))


def test_half_the_size_by_hand() -> None:
    """Premultiplied colours are plain means; depth is weighted with alpha: (1 * 2 + .5 * 8) / 1.5."""
    alpha = torch.tensor([[1.0, 0.5], [0.0, 0.0]])
    rgba = torch.stack([0.8 * alpha, 0.4 * alpha, 0.2 * alpha, alpha])[None]
    depth = torch.tensor([[[[2.0, 8.0], [0.0, 0.0]]]])
    small = shrink(lesson(rgba, depth), (1, 1))
    expected = torch.tensor([0.8, 0.4, 0.2, 1.0]) * 1.5 / 4
    torch.testing.assert_close(small.rgba.flatten(), expected)
    assert small.depth.item() == pytest.approx(4.0)
    assert small.kept.item() == 1


def test_masked_pixels_do_not_bleed() -> None:
    """A pixel that does not count changes nothing but the weight of what it is part of."""
    rgba = torch.tensor([[0.25, 0.75], [9.0, 0.5]]).expand(1, 4, 2, 2)
    depth = torch.tensor([[[[1.0, 1.0], [77.0, 1.0]]]])
    kept = torch.tensor([[[[1.0, 1.0], [0.0, 1.0]]]])
    small = shrink(lesson(rgba, depth, kept), (1, 1))
    torch.testing.assert_close(small.rgba.flatten(), torch.full((4,), 0.5))
    assert small.depth.item() == pytest.approx(1.0) and small.kept.item() == 0.75


def test_nothing_seen_has_no_depth_and_nothing_kept_no_weight() -> None:
    empty = torch.zeros(1, 4, 4, 4)
    small = shrink(lesson(empty, torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)), (2, 2))
    assert all(not value.any() for value in (small.rgba, small.depth, small.kept))


def test_shrinking_in_two_steps_is_shrinking_in_one() -> None:
    """Colour and weighted depth are both means over area."""
    torch.manual_seed(0)
    alpha = torch.rand(2, 1, 8, 8)
    given = lesson(torch.cat([torch.rand(2, 3, 8, 8) * alpha, alpha], 1), torch.rand(2, 1, 8, 8))
    once, twice = shrink(given, (2, 2)), shrink(shrink(given, (4, 4)), (2, 2))
    torch.testing.assert_close(once.rgba, twice.rgba)
    torch.testing.assert_close(once.depth, twice.depth)


def test_a_smaller_picture_is_the_same_camera_with_fewer_pixels(ball: Source) -> None:
    """Inside the ball, where colour is smooth, it is what a renderer of that size makes."""
    views = ViewPool(ball, 3, (64, 64), 0, background=False).batch(3, torch.Generator())
    small = shrink(Lesson.of(views), (32, 32))
    assert torch.equal(small.intrinsics, views.intrinsics)
    for k, number in enumerate(views.numbers.tolist()):
        view = ball.view(number, (32, 32), 0)
        inside = small.rgba[k, 3] == 1
        assert inside.sum() > 100
        colour = (small.rgba[k].permute(1, 2, 0) - view.rgba)[inside]
        assert colour.abs().mean() < 0.01
        assert (small.depth[k, 0] - view.depth)[inside].abs().mean() < 0.01


def test_parts_put_together_are_the_whole() -> None:
    given = lesson(torch.rand(5, 4, 4, 4), torch.rand(5, 1, 4, 4))
    parts = given.parts(3)
    assert [len(part) for part in parts] == [2, 2, 1]
    whole = Lesson.joined(parts)
    assert all(
        torch.equal(a, b) for a, b in zip(vars(whole).values(), vars(given).values(), strict=False)
    )
    assert [len(part) for part in given.parts(99)] == [1] * 5


def test_a_crop_is_the_square_at_its_corner() -> None:
    rgba = torch.arange(2 * 4 * 6 * 8.0).view(2, 4, 6, 8)
    part = crop(lesson(rgba, rgba[:, :1]), 4, torch.tensor([[0, 4], [2, 1]]))
    assert torch.equal(part.rgba[0], rgba[0, :, :4, 4:8])
    assert torch.equal(part.rgba[1], rgba[1, :, 2:6, 1:5])
    assert torch.equal(part.depth, part.rgba[:, :1]) and part.size == (4, 4)


def test_what_teaches_no_shape_stays_so() -> None:
    given = replace(
        lesson(torch.rand(2, 4, 4, 4), torch.rand(2, 1, 4, 4)), shape=torch.zeros(2, 1, 1, 1)
    )
    assert not shrink(given, (2, 2)).shape.any()
    assert not crop(given, 2, torch.zeros(2, 2, dtype=torch.long)).shape.any()
