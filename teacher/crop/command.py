"""`python -m teacher crop`: find or set what belongs to the object, draw it, keep it in the run folder."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import torch
import tyro
from jaxtyping import Float
from torch import Tensor

from teacher.crop import shape
from teacher.crop.draw import Moved, draw_crop
from teacher.crop.files import NAME, CropFile
from teacher.crop.find import Cuts, Found, cut_z, find_crop, surfaces
from teacher.errors import UserError
from teacher.machine import Device

if TYPE_CHECKING:
    from teacher.model import SceneDescription, Teacher

PICTURE = "crop.png"
_ASIDE = 0.1  # of the cameras' distance: as far from an object they may look past it
_FEW_POINTS = 10
_WHOLE = 0.995


@dataclass(frozen=True)
class Crop:
    """Say what belongs to the object: views of the teacher, and students of them, then show it on transparency.

    Writes crop.json and crop.png into the run folder. Lengths and places are in units of the data, as crop.png shows.
    """

    run_folder: Annotated[Path, tyro.conf.arg(name="run")]
    """Run folder of the teacher."""
    auto: bool = False
    """Find it: what the cameras look at, without what it stands on and what floats around it."""
    box: tuple[float, float, float, float, float, float] | None = None
    """X0 Y0 Z0 X1 Y1 Z1: keep what is in this box."""
    z_min: float | None = None
    """Cut below this height, in place of just above the plane that the object stands on."""
    z_max: float | None = None
    """Cut above this height."""
    margin: float = 0.02
    """Room around what is found, by its longest side."""
    none: bool = False
    """Remove the crop: views show everything again."""
    device: Device = "auto"
    """Where to render."""

    def run(self) -> None:
        """Find, write, draw and say it."""
        self._check()
        if self.none:
            removed = [name for name in (NAME, PICTURE) if (self.run_folder / name).exists()]
            for name in removed:
                (self.run_folder / name).unlink()
            print(f"{self.run_folder}: " + ("no crop any more" if removed else "there was no crop"))
            return
        for line in crop(self.run_folder, self.auto, self.box, self._heights(), self.device):
            print(line)

    def _heights(self) -> Cuts:
        return Cuts(self.z_min, self.z_max, self.margin)

    def _check(self) -> None:
        thing = "python -m teacher crop"
        cut = self.z_min is not None or self.z_max is not None
        if self.none and (self.auto or self.box or cut):
            raise UserError(thing, "--none and others", "--none alone", "leave the others out")
        if self.auto and self.box:
            raise UserError(thing, "--auto and --box", "one of them", "leave one out")
        if not (self.none or self.auto or self.box or cut):
            expected = "--auto, --box X0 Y0 Z0 X1 Y1 Z1, --z-min Z, --z-max Z or --none"
            raise UserError(thing, "nothing to do", expected, "begin with --auto")
        if not 0 <= self.margin <= 1:
            raise UserError("--margin", f"{self.margin}", "from 0 to 1", "leave it out for 0.02")


def crop(
    run: Path,
    auto: bool,
    box: tuple[float, ...] | None,
    cuts: Cuts,
    device: Device = "auto",
) -> list[str]:
    """Write the crop of the teacher in `run` and return what to say of it; `box` and `cuts` in units of the data.

    Raises:
        UserError: there is no teacher, the box is none, or nothing is found.
    """
    from teacher.model import Teacher

    teacher = Teacher.load(run, device, whole=True)
    T = torch.tensor(teacher.scene.T_norm_world)
    cameras, cuts = teacher.scene.split("train"), _in_norm(cuts, T)
    places, colours = surfaces(teacher, cameras)
    if box is None:
        sparse = _sparse(run, teacher.scene)
        known = places if sparse is None else torch.cat([places, sparse])
        found = find_crop(_density_of(teacher), cameras, known, cuts)
        chosen, how = found.crop, _account(found, sparse, T)
    else:
        corners = torch.tensor(box).reshape(2, 3)
        if not (corners.isfinite().all() and (corners[0] < corners[1]).all()):
            expected = "X0 Y0 Z0 X1 Y1 Z1, each X0 < X1"
            raise UserError("--box", f"{list(box)}", expected, "mend the numbers")
        chosen = cut_z(shape.Crop(corners @ T[:3, :3].T + T[:3, 3]), cuts.z_min, cuts.z_max)
        how = {"by": "hand", "warnings": []}
    lines = _write(run, chosen, how, T)
    draw_crop(run / PICTURE, Teacher.load(run, device), cameras, chosen.box, (places, colours), T)
    return lines


def _density_of(teacher: "Teacher") -> Callable[[Tensor], Tensor]:
    """The teacher's density, for points of the CPU."""
    field, device = teacher.variant.field, teacher.variant.per_image.neutral().device
    return lambda points: field.density(points.to(device)).cpu()


def _in_norm(cuts: Cuts, T_norm_world: Float[Tensor, "4 4"]) -> Cuts:
    scale, shift = float(T_norm_world[2, 2]), float(T_norm_world[2, 3])
    low, high = (None if z is None else scale * z + shift for z in (cuts.z_min, cuts.z_max))
    return Cuts(low, high, cuts.margin)


def _sparse(run: Path, scene: "SceneDescription") -> Float[Tensor, "n 3"] | None:
    """Sparse points of the teacher's data set, in its norm frame; None where there are none, or it is gone."""
    from teacher.evaluate import load_data
    from teacher.model import as_described

    try:
        return as_described(load_data(run).load(), scene).points
    except UserError as error:
        print(f"note: without the data set's points, by the teacher alone\n{error}")
        return None


def _account(
    found: Found, sparse: Float[Tensor, "n 3"] | None, T_norm_world: Float[Tensor, "4 4"]
) -> dict[str, Any]:
    """What it was found from, in units of the data, and what speaks against it."""
    moved, place, support = Moved(T_norm_world), found.place, found.support
    account: dict[str, Any] = {"by": "auto", "centre": moved(place.centre[None])[0].tolist()}
    if support is not None:
        below = torch.cat([place.near(found.crop.box).mean(0)[:2], torch.zeros(1)])
        below[2] = support.height + float(below[:2] @ support.slope)
        account["support_z"] = float(moved(place.norm(below)[None])[0, 2])
        account["support_share"] = support.share
    account["share"] = found.share
    if sparse is not None:
        account["sparse_points"] = int(found.crop.keeps(sparse).sum())
    return {**account, "warnings": _warnings(found, sparse)}


def _warnings(found: Found, sparse: Float[Tensor, "n 3"] | None) -> list[str]:
    place, warnings = found.place, []
    low, high = place.near(found.crop.box)
    aside = float((low.clamp_min(0) + high.clamp_max(0).abs()).norm())
    if found.touches:
        warnings.append(
            "it goes on beyond where it was looked for: part of a wall or a table? Look at crop.png, and cut"
            " with --z-min or --box"
        )
    if aside > _ASIDE:
        warnings.append(
            f"the point that the cameras look at is {aside:.0%} of their distance away from it"
        )
    if sparse is not None and int(found.crop.keeps(sparse).sum()) < _FEW_POINTS:
        warnings.append("next to no points of the reconstruction lie in it")
    return warnings


def _write(
    run: Path, chosen: shape.Crop, account: dict[str, Any], T_norm_world: Float[Tensor, "4 4"]
) -> list[str]:
    """Write crop.json; what to say."""
    low, high = (tuple(corner) for corner in Moved(T_norm_world)(chosen.box).tolist())
    cells = None if chosen.cells is None else chosen.cells.numpy()
    corners = tuple(tuple(corner) for corner in chosen.box.tolist())
    CropFile((corners[0], corners[1]), cells, {**account, "box_of_data": [low, high]}).write(run)
    lines = [f"object: {_numbers(low)} to {_numbers(high)} (units of the data)"]
    if "support_z" in account:
        where, share = account["support_z"], account["support_share"]
        lines.append(
            f"stands on z = {where:.3f}, where {share:.0%} of what is near lies; cut above it"
        )
    elif account["by"] == "auto":
        lines.append("no level plane below it: nothing is cut off at the bottom")
    if account.get("share", 1.0) < _WHOLE:
        rest = 1 - account["share"]
        lines.append(
            f"left out, since it does not touch it: {rest:.0%} of what is opaque near there"
        )
    lines += [f"warning: {warning}" for warning in account["warnings"]]
    return [
        *lines,
        f"{run / NAME}, {run / PICTURE}; students of this teacher are to be trained anew",
    ]


def _numbers(values: Iterable[float]) -> str:
    return " ".join(f"{value:.3f}" for value in values)
