"""From findings to a decision: go on, go on with warnings, or refuse and say what to film differently."""

from collections.abc import Sequence

from teacher.capture.checks import STRONG, Finding
from teacher.capture.frames import Frames
from teacher.capture.model import Comparison, median
from teacher.capture.settings import FEWEST
from teacher.capture.turning import only_turns
from teacher.errors import UserError

_EXPECTED = {
    "registered": "a camera for most pictures",
    "contradictions": "details that are found in one place only",
    "depth": "a camera that moves sideways",
    "error": "points that stay where they are from picture to picture",
    "tracks": "points that several pictures show",
    "jumps": "a path without leaps",
}
_REMEDY = {
    "registered": "film again, slowly and in good light, so that each frame shares most of its view with the next;"
    " textured things on the table (a newspaper, a patterned cloth) help",
    "contradictions": "different sides look the same (a repeated label, tiles, a symmetric thing), so that they were"
    " taken for one; put things that differ around it (a newspaper, a few objects) and film again",
    "depth": "do not turn on the spot: walk round the object, or through the room, so that near things move against"
    " far ones",
    "error": "keep the scene still and the zoom and focus fixed, and film again in good light",
    "tracks": "film more slowly, in good light, with more overlap between pictures",
    "jumps": "give one uncut take (--start and --end choose a part); if it is one, different sides of the scene look"
    " the same: put things that differ around it",
}
_ONE_SCENE = (
    "photographs of one scene",
    "take all photographs of one scene, a step apart, each sharing most of its view with another",
)
_FEATURES = 80  # details in the median picture below which it counts as bare


def without_model(data: object, frames: Frames, compared: Comparison) -> UserError:
    """Why there is no model at all."""
    turns = only_turns(compared)
    if turns is not None:
        found = f"{turns[0]} of {turns[1]} pairs of pictures differ by a turn on the spot only"
        return _refusal(data, found, _EXPECTED["depth"], _REMEDY["depth"])
    details = median(list(compared.features.values()))
    verified = compared.strong(STRONG // 2)
    turning = [pair for pair in verified if pair.panoramic]
    total = len(frames.names)
    if details < _FEATURES:
        found = f"{details:.0f} distinct details in the median picture"
        return _refusal(data, found, f"at least {_FEATURES}", _REMEDY["registered"])
    if len(verified) < total // 2:
        found = f"{total} pictures, of which only {len(verified)} pairs show the same thing"
        if frames.video:
            return _refusal(data, found, "frames that overlap", _REMEDY["registered"])
        return _refusal(data, found, *_ONE_SCENE)
    if len(turning) > 0.5 * len(verified):
        found = (
            f"{len(turning)} of {len(verified)} pairs of pictures differ by a turn on the spot only,"
            " or show something flat"
        )
        return _refusal(data, found, _EXPECTED["depth"], _REMEDY["depth"])
    found = f"no camera for any of {total} pictures that is held by enough points"
    return _refusal(data, found, _EXPECTED["registered"], _REMEDY["registered"])


def refusal(
    data: object, findings: Sequence[Finding], cameras: int, video: bool = True
) -> UserError | None:
    """The error for the gravest finding, naming all grave ones; None where the model may be used."""
    wrong = [finding for finding in findings if finding.verdict == "wrong"]
    if cameras < FEWEST and not wrong:
        found = f"{cameras} cameras that can be right"
        return _refusal(data, found, f"at least {FEWEST}", _REMEDY["registered"])
    if not wrong:
        return None
    order = ("contradictions", "depth", "jumps", "registered", "error", "tracks")
    gravest = min(wrong, key=lambda finding: order.index(finding.name))
    found = "; ".join(finding.says for finding in wrong)
    if gravest.name == "registered" and not video:
        return _refusal(data, found, *_ONE_SCENE)
    return _refusal(data, found, _EXPECTED[gravest.name], _REMEDY[gravest.name])


def warnings(findings: Sequence[Finding]) -> list[str]:
    """A sentence for each doubtful number."""
    return [
        f"{finding.says}: {_EXPECTED[finding.name]} would be better"
        for finding in findings
        if finding.verdict != "good"
    ]


def _refusal(data: object, given: str, expected: str, remedy: str) -> UserError:
    return UserError(f"the cameras of {data}", given, expected, remedy)
