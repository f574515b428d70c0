"""One camera through everything that a run has: pictures, scores, milliseconds. Pure: nothing is read or written.

    camera or held-out view, Contenders --render each--> views --teacher.metrics.measure--> Comparison

Pictures are a pinhole's, as `student.held_out` makes them of photographs: where a lens distorts, the teacher's own
eval, which compares with the photograph as it is, has other figures. Everywhere else all figures agree to the last bit.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from export.compare.contenders import Contenders
from export.compare.identity import PRECISIONS
from export.compare.records import Scores
from student.held_out import HeldOut, Photographer, cut_out, is_cropped, pinhole_picture
from teacher.cameras import Camera
from teacher.evaluate import BACKGROUNDS
from teacher.metrics import measure
from teacher.pseudo.view import View
from teacher.scene import Frame, composite_over

AGAINST: dict[str, tuple[str, ...]] = {
    "truth": ("teacher", "student", *PRECISIONS),
    "teacher": ("student", *PRECISIONS),
    "student": tuple(PRECISIONS),
}
"""Reference to the models that are held against it."""


@dataclass(frozen=True)
class Comparison:
    """What each model shows from one camera."""

    camera: Camera
    background: str
    """"white" or "black"."""
    views: dict[str, View]
    """By model; premultiplied RGBA and depth at the camera's size."""
    truth: Float[Tensor, "height width 4"] | None
    """Premultiplied, where there is a photograph."""
    kept: Bool[Tensor, "height width"]
    """Pixels that count."""
    scores: dict[str, dict[str, Scores]]
    """Reference to model to scores; empty where none were asked for."""
    milliseconds: dict[str, float]
    """By model; none for a view that was not rendered here."""
    sizes: dict[str, tuple[int, int]]
    """By model, the (width, height) it computes."""

    def picture(self, name: str) -> Float[Tensor, "height width 3"]:
        """What a model, or the "truth", shows over the background, in [0, 1]."""
        rgba = self.truth if name == "truth" else self.views[name].rgba
        assert rgba is not None, "there is no photograph"
        return composite_over(rgba, BACKGROUNDS[self.background]).clamp(0, 1)


def compare_view(
    contenders: Contenders,
    view: HeldOut | Camera,
    background: str = "white",
    *,
    scores: bool = True,
    repeats: int = 1,
) -> Comparison:
    """Everything that `contenders` show of `view`.

    Args:
        contenders: what renders.
        view: any pinhole camera of the norm frame, or a held-out view, whose teacher's picture is taken as it is.
        background: "white" or "black".
        scores: whether to measure, which takes longer than rendering.
        repeats: how often at most each model is timed.
    """
    if isinstance(view, Camera):
        kept = torch.ones(view.height, view.width, dtype=torch.bool)
        return _compare(contenders, view, {}, (None, kept), background, scores, repeats)
    given: dict[str, tuple[View, float | None]] = {"teacher": (view.teacher, None)}
    truth = (view.truth, view.kept)
    return _compare(contenders, view.camera, given, truth, background, scores, repeats)


def compare_frame(
    contenders: Contenders,
    frame: Frame,
    background: str = "white",
    *,
    scores: bool = True,
    repeats: int = 1,
) -> Comparison:
    """As `compare_view`, of a photograph: from where the teacher believes that it was taken, in neutral light."""
    camera, truth, kept = pinhole_picture(frame, contenders.surroundings.picture)
    given: dict[str, tuple[View, float | None]] = {}
    teacher, seen = contenders.renderers.get("teacher"), replace(frame, camera=camera)
    if isinstance(teacher, Photographer):
        size = (camera.width, camera.height)
        given["teacher"] = contenders.timed(
            "teacher", size, lambda: teacher.photograph(seen), repeats
        )
        camera = given["teacher"][0].camera
        if is_cropped(teacher):
            truth, kept = cut_out(truth, kept, given["teacher"][0])
    return _compare(contenders, camera, given, (truth, kept), background, scores, repeats)


def _compare(
    contenders: Contenders,
    camera: Camera,
    given: dict[str, tuple[View, float | None]],
    truth: tuple[Tensor | None, Tensor],
    background: str,
    scores: bool,
    repeats: int,
) -> Comparison:
    """All models at `camera`, but for those `given` with their time, where that is known."""
    size, found = (camera.width, camera.height), dict(given)
    for model, renderer in contenders.renderers.items():
        if model not in found:
            found[model] = contenders.timed(
                model, size, lambda renderer=renderer: renderer.render(camera), repeats
            )
    found = {model: found[model] for model in AGAINST["truth"] if model in found}
    comparison = Comparison(
        camera=camera,
        background=background,
        views={model: view for model, (view, _) in found.items()},
        truth=truth[0],
        kept=truth[1],
        scores={},
        milliseconds={model: time for model, (_, time) in found.items() if time is not None},
        sizes={
            model: contenders.size(model, camera) if model in contenders.renderers else size
            for model in found
        },
    )
    return replace(comparison, scores=_scores(comparison)) if scores else comparison


def _scores(comparison: Comparison) -> dict[str, dict[str, Scores]]:
    """All pairs of `AGAINST` that there are."""
    names = [*comparison.views, *([] if comparison.truth is None else ["truth"])]
    shown = {name: comparison.picture(name) for name in names}
    return {
        reference: {
            model: measure(shown[model], shown[reference], comparison.kept)
            for model in models
            if model in shown
        }
        for reference, models in AGAINST.items()
        if reference in shown and any(model in shown for model in models)
    }
