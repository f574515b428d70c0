"""What is believed of a reconstruction: true ones pass, and each way of being wrong is found and named."""

from dataclasses import replace

import numpy as np
import pytest

from teacher.capture.checks import Finding, Limits, findings, path_jumps, ray_angles, strays
from teacher.capture.frames import Frames, Picture
from teacher.capture.model import Comparison, Model, Pair
from teacher.capture.pairs import exhaustive, pairs_for, sequential
from teacher.capture.verdict import refusal, warnings, without_model
from tests.reconstructions import compared, folded, reconstruction, ring


def _found(model: Model, known: Comparison, total: int = 0) -> dict[str, Finding]:
    found = findings(model, known, total or len(model.names), model.names)
    return {finding.name: finding for finding in found}


def test_a_true_model_is_believed() -> None:
    model = reconstruction(ring())
    found = _found(model, compared(model))
    assert {finding.verdict for finding in found.values()} == {"good"}
    assert strays(model, ordered=True) == {}
    assert refusal("clip", list(found.values()), len(model.names)) is None
    assert warnings(list(found.values())) == []


def test_a_folded_model_is_refused() -> None:
    """All cameras registered, small errors, long tracks; the pairs that contradict it tell."""
    model, known = folded(reconstruction(ring()))
    found = _found(model, known)
    assert found["registered"].verdict == found["error"].verdict == "good"
    assert found["contradictions"].verdict == "wrong" and found["contradictions"].value > 0.08
    error = refusal("clip", list(found.values()), len(model.names))
    assert error is not None and "sides look the same" in error.remedy


def test_matches_that_no_point_came_of_are_no_contradiction() -> None:
    """Between frames that hardly move nothing is triangulated: that says nothing against the cameras."""
    model = reconstruction(ring())
    known = compared(model)
    still = tuple(replace(pair, same=0, either=3) for pair in known.pairs[:60])
    found = _found(model, replace(known, pairs=(*still, *known.pairs[60:])))
    assert found["contradictions"].value == 0


def test_a_few_false_pairs_only_warn() -> None:
    model = reconstruction(ring())
    known = compared(model)
    strong = len(known.strong(30))
    false = tuple(Pair(model.names[0], model.names[20], 60, 0, 50) for _ in range(strong // 20))
    found = _found(model, replace(known, pairs=known.pairs + false))
    assert found["contradictions"].verdict == "doubtful"
    assert any("contradict" in warning for warning in warnings(list(found.values())))


def test_a_small_pattern_that_is_there_twice_is_no_contradiction() -> None:
    """Many pairs that share little of what true partners share: fox's photographs have such a thing, and are right."""
    model = reconstruction(ring(), points=4000)
    known = compared(model)
    far = [(a, b) for k, a in enumerate(model.names[:20]) for b in model.names[k + 15 : k + 25]]
    twice = tuple(Pair(a, b, 40, 0, 38) for a, b in far)
    found = _found(model, replace(known, pairs=known.pairs + twice))
    assert found["contradictions"].value == 0
    large = tuple(replace(pair, matches=300, either=280) for pair in twice)
    found = _found(model, replace(known, pairs=known.pairs + large))
    assert found["contradictions"].verdict == "wrong"


def test_a_turn_on_the_spot_is_refused() -> None:
    """Directions to a point hardly differ, however many pictures show it."""
    poses = ring()
    poses[:, :3, 3] *= 1e-3
    model = replace(reconstruction(ring()), T_world_camera=poses)
    found = _found(model, compared(model))
    assert found["depth"].verdict == "wrong"
    error = refusal("clip", list(found.values()), len(model.names))
    assert error is not None and "walk round" in error.remedy


def test_ray_angles_are_those_of_two_rays() -> None:
    """Two cameras 2 units out, a quarter turn apart, and points near the middle between them: 90 degrees."""
    poses = ring(2, elevation=0.0, turn=0.5)
    model = replace(
        reconstruction(poses),
        points=np.zeros((1, 3)),
        colours=np.zeros((1, 3), np.uint8),
        errors=np.zeros(1),
        seen_image=np.array([0, 1]),
        seen_point=np.array([0, 0]),
    )
    assert ray_angles(model) == pytest.approx([90.0], abs=1e-6)


def _moved_out(model: Model, camera: int, times: float) -> Model:
    poses = model.T_world_camera.copy()
    poses[camera, :3, 3] *= times
    return replace(model, T_world_camera=poses)


def test_a_camera_thrown_far_off_is_dropped() -> None:
    """Forty times too far, though "registered": seen with global mapping on real photographs."""
    model = _moved_out(reconstruction(ring()), 7, 40.0)
    dropped = strays(model, ordered=False)
    assert list(dropped) == [model.names[7]] and "times as far" in dropped[model.names[7]]
    left = model.without(np.array([name in dropped for name in model.names]))
    assert len(left.names) == 39 and model.names[7] not in left.names
    assert left.points_per_image.min() > 0 and left.track_lengths.min() >= 2
    assert left.seen_image.max() == 38 and left.seen_point.max() == len(left.points) - 1


def test_a_spike_in_a_path_is_dropped_and_a_fast_stretch_is_not() -> None:
    model = reconstruction(ring(80))
    assert list(strays(_moved_out(model, 30, 2.6), ordered=True)) == [model.names[30]]
    assert strays(_moved_out(model, 30, 2.6), ordered=False) == {}
    fast = reconstruction(ring(80)[[*range(40), *range(40, 80, 4)]])
    assert strays(fast, ordered=True) == {}


def test_cameras_held_by_few_or_bad_points_are_dropped() -> None:
    model = reconstruction(ring())
    seen = (model.seen_image != 3) | (np.cumsum(model.seen_image == 3) <= 8)
    few = replace(model, seen_image=model.seen_image[seen], seen_point=model.seen_point[seen])
    assert strays(few, ordered=True) == {model.names[3]: "held by 8 points only"}
    mine = model.seen_point[model.seen_image == 3]
    errors = model.errors.copy()
    errors[mine] = 4.0
    only = (model.seen_image == 3) | ~np.isin(model.seen_point, mine)
    bad = replace(
        model, errors=errors, seen_image=model.seen_image[only], seen_point=model.seen_point[only]
    )
    assert "reprojection error" in strays(bad, ordered=True)[model.names[3]]


def test_neighbouring_frames_must_be_neighbouring_cameras() -> None:
    """A path whose pieces are put together in another order jumps; gaps and one far end are no or few jumps."""
    poses = ring(80)
    pieces = poses.reshape(8, 10, 4, 4)[[0, 4, 1, 6, 3, 7, 2, 5]]
    shuffled = reconstruction(pieces.reshape(80, 4, 4))
    assert _found(shuffled, compared(shuffled))["jumps"].verdict == "wrong"
    model = reconstruction(poses)
    gaps = model.without(np.isin(np.arange(80), [10, 11, 12, 13, 40, 41, 42, 43, 44]))
    assert path_jumps(gaps, model.names)[0] == []
    assert path_jumps(_moved_out(model, 79, 9.0), model.names)[0] == [model.names[78]]


@pytest.mark.parametrize(("share", "verdict"), [(1.0, "good"), (0.7, "doubtful"), (0.4, "wrong")])
def test_pictures_without_a_camera_count(share: float, verdict: str) -> None:
    model = reconstruction(ring())
    assert _found(model, compared(model), round(40 / share))["registered"].verdict == verdict


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_limits_work_both_ways(direction: float) -> None:
    limits = Limits(2 * direction, 4 * direction)
    verdicts = [limits.judge(value * direction) for value in (1.0, 2.0, 3.0, 4.0)]
    assert verdicts == ["good", "doubtful", "doubtful", "wrong"]


def _frames(count: int, video: bool) -> Frames:
    return Frames(video, tuple(Picture(f"p_{k}", 0.3) for k in range(count)), (), count)


def _nothing(features: int, pairs: tuple[Pair, ...] = (), count: int = 20) -> Comparison:
    return Comparison({f"p_{k}": features for k in range(count)}, pairs)


@pytest.mark.parametrize(
    ("known", "video", "words"),
    [
        (_nothing(10), True, "textured things"),
        (_nothing(900), False, "one scene"),
        (_nothing(900), True, "slowly"),
        (
            _nothing(900, tuple(Pair("p_0", "p_1", 90, panoramic=True) for _ in range(30))),
            True,
            "walk",
        ),
        (_nothing(900, tuple(Pair("p_0", "p_1", 90) for _ in range(30))), True, "film again"),
    ],
    ids=["bare", "unrelated", "too fast", "turning", "other"],
)
def test_what_to_film_differently_where_there_is_no_model(
    known: Comparison, video: bool, words: str
) -> None:
    assert words in without_model("clip", _frames(20, video), known).remedy


def test_a_handful_of_cameras_is_too_few() -> None:
    model = reconstruction(ring(5))
    error = refusal("clip", [], len(model.names))
    assert error is not None and "5 cameras" in error.given


# --- pairs ---


def test_sequential_pairs_bridge_bad_frames_and_close_loops() -> None:
    """Neighbours, powers of two, and some far pairs; each once, and far fewer than all."""
    pairs = sequential(300)
    assert len(set(pairs)) == len(pairs) < 0.12 * len(exhaustive(300))
    assert all(0 <= i < j < 300 for i, j in pairs)
    offsets = {j - i for i, j in pairs}
    assert {1, 2, 8, 16, 128} <= offsets
    assert any(j - i > 290 for i, j in pairs)


def test_auto_compares_all_of_a_few_pictures() -> None:
    assert len(pairs_for(40, "auto", ordered=True)) == 40 * 39 // 2
    assert len(pairs_for(100, "auto", ordered=False)) == 100 * 99 // 2
    assert pairs_for(100, "auto", ordered=True) == sequential(100)
    assert len(sequential(61)) < 0.6 * len(exhaustive(61))
    assert pairs_for(20, "sequential", ordered=False) == sequential(20)
