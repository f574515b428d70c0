"""What the page measured of itself in a visitor's browser: `?bench` offers it as JSON.

    web/viewer/src/bench_report.ts: BenchReport --read_bench--> Bench, checked field by field

A file comes from anywhere: every field is looked at, and an error names the one that is wrong.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from teacher.errors import UserError

SCHEMA = 1
PARTS = ("run", "submit", "present", "wait", "total")
"""Of a frame, as FrameTimes in web/viewer/src/protocol.ts has them."""
_REMEDY = "open the page with ?bench and save its JSON again"
_TEXTS = ("scene", "exported", "measured", "browser", "backend", "student", "precision", "form")
_WHOLE = ("cores", "width", "height", "frames")
_NUMBERS = ("gflop", "fps")
FIELDS = ("schema", *_TEXTS, *_WHOLE, *_NUMBERS, "adapter", "heap", "milliseconds", "psnr")
_LONGEST = 1 << 20


@dataclass(frozen=True)
class Spread:
    """Of many frames, in milliseconds."""

    median: float
    p95: float


@dataclass(frozen=True)
class Bench:
    """One measurement of the page."""

    name: str
    """Of the file that it came in."""
    scene: str
    exported: str
    measured: str
    browser: str
    backend: str
    student: str
    precision: str
    form: str
    cores: int
    width: int
    height: int
    frames: int
    gflop: float
    fps: float
    adapter: str | None
    heap: float | None
    milliseconds: dict[str, Spread]
    psnr: tuple[float, ...]
    """Canvas against torch's picture, by reference camera, in dB."""

    @property
    def place(self) -> str:
        """What it ran on."""
        return ", ".join(part for part in (self.backend, self.adapter) if part)

    @property
    def mean_psnr(self) -> float | None:
        """Over reference cameras."""
        return fmean(self.psnr) if self.psnr else None

    @property
    def rays_per_second(self) -> float:
        """Pixels, over the median frame's time."""
        return self.width * self.height * 1000 / self.milliseconds["total"].median


def read_bench(source: Path | bytes, name: str | None = None) -> Bench:
    """Read and check what `?bench` saved.

    Args:
        source: a file, or its bytes.
        name: what to call it; None: as the file is called.

    Raises:
        UserError: it cannot be read, is of another schema, or a field is missing or wrong.
    """
    name = name or (source.name if isinstance(source, Path) else "bench")
    value = _Checked(name, _parse(source, name))
    schema = value.fields.get("schema")
    if schema != SCHEMA or isinstance(schema, bool):
        raise UserError(f"{name}: schema", f"{schema!r:.60}", f"{SCHEMA}", _REMEDY)
    checked: dict[str, Any] = {
        **{field: value.text(field) for field in _TEXTS},
        **{field: value.whole(field) for field in _WHOLE},
        **{field: value.number(field) for field in _NUMBERS},
    }
    return Bench(
        name=name,
        **checked,
        adapter=None if value.get("adapter") is None else value.text("adapter"),
        heap=None if value.get("heap") is None else value.number("heap"),
        milliseconds=_milliseconds(value),
        psnr=_psnr(value),
    )


def _parse(source: Path | bytes, name: str) -> Any:
    try:
        data = source.read_bytes() if isinstance(source, Path) else source
        if len(data) > _LONGEST:
            raise UserError(name, f"{len(data)} bytes", "the few kB of a bench report", _REMEDY)
        return json.loads(data)
    except FileNotFoundError:
        raise UserError(
            name, f"no file {source}", "what the page's ?bench saved", _REMEDY
        ) from None
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise UserError(
            name, f"no JSON ({error})", "what the page's ?bench saved", _REMEDY
        ) from None


class _Checked:
    """A JSON object whose fields are asked for by kind."""

    def __init__(self, where: str, value: object) -> None:
        if not isinstance(value, dict):
            raise UserError(where, f"{value!r:.60}", "an object", _REMEDY)
        self.where, self.fields = where, value

    def get(self, field: str) -> Any:
        if field not in self.fields:
            raise UserError(f"{self.where}: {field}", "nothing", "a value", _REMEDY)
        return self.fields[field]

    def text(self, field: str) -> str:
        value = self.get(field)
        if not isinstance(value, str):
            raise UserError(f"{self.where}: {field}", f"{value!r:.60}", "text", _REMEDY)
        return value

    def whole(self, field: str) -> int:
        value = self.get(field)
        if type(value) is not int or value < 1:
            expected = "a whole number above 0"
            raise UserError(f"{self.where}: {field}", f"{value!r:.60}", expected, _REMEDY)
        return value

    def number(self, field: str) -> float:
        value = self.get(field)
        good = isinstance(value, int | float) and not isinstance(value, bool)
        if not good or not math.isfinite(value) or value < 0:
            expected = "a number not below 0"
            raise UserError(f"{self.where}: {field}", f"{value!r:.60}", expected, _REMEDY)
        return float(value)


def _milliseconds(value: _Checked) -> dict[str, Spread]:
    parts = _Checked(f"{value.where}: milliseconds", value.get("milliseconds"))
    spreads = {}
    for part in PARTS:
        spread = _Checked(f"{parts.where}.{part}", parts.get(part))
        spreads[part] = Spread(spread.number("median"), spread.number("p95"))
    if spreads["total"].median == 0:
        raise UserError(f"{parts.where}.total: median", "0", "the time of a frame", _REMEDY)
    return spreads


def _psnr(value: _Checked) -> tuple[float, ...]:
    found = value.get("psnr")
    if not isinstance(found, list):
        raise UserError(f"{value.where}: psnr", f"{found!r:.60}", "a list of numbers", _REMEDY)
    numbered = _Checked(f"{value.where}: psnr", {str(k): item for k, item in enumerate(found)})
    return tuple(numbered.number(str(k)) for k in range(len(found)))
