"""The report as a file: it needs nothing else, cannot be broken by names, and says what was measured."""

import base64
import hashlib
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from export.compare.records import ViewRecord
from export.report.benches import Bench, read_bench
from export.report.markup import Markup, escape, themed
from export.report.page import report_html
from export.report.strips import LARGEST, encode, encode_strips
from export.runs import Lack, Run, read_run
from teacher.charts import COLOURS, Axes, Series, chart, to_svg
from tests.export.report_cases import BENCH, painted, record, without_truth
from tests.export.test_runs import make_run

_VOID = {"meta", "br", "img", "input"}


class Page(HTMLParser):
    """Every element of a page with its attributes and text; fails where tags do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["script"], ["style"]):
            self.texts.append(data)

    @property
    def text(self) -> str:
        """What is to be read."""
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements `tag`."""
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return read_run(make_run(tmp_path / "demo"))


def _log(run: Run) -> None:
    assert run.teacher is not None
    lines = [{"step": k, "seconds": 30 * k, "loss": 1 / k, "psnr": 20 + k} for k in (1, 2, 3)]
    (run.teacher / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def _bench(**changes: Any) -> Bench:
    return read_bench(json.dumps({**BENCH, **changes}).encode(), "laptop.json")


def _records(folder: Path) -> list[ViewRecord]:
    some = [record("a", 31.0, 2.0), record("b", 28.5, 7.0), record("c", 33.25, 12.0)]
    return [painted(one, folder) for one in some]


@pytest.fixture
def records(tmp_path: Path) -> list[ViewRecord]:
    return _records(tmp_path / "pictures")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """A page with everything in it, which takes a second to make."""
    folder = tmp_path_factory.mktemp("page")
    run = read_run(make_run(folder / "demo"))
    _log(run)
    return Page(report_html([run], _records(folder / "pictures"), [_bench()]))


def test_nothing_is_loaded_from_elsewhere(page: Page) -> None:
    addresses = [
        value
        for _, attributes in page.elements
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster")
    ]
    assert len(addresses) > 20
    assert all(value and re.match(r"(data:image/png;base64,|#)", value) for value in addresses)
    assert page.all("link") == page.all("iframe") == []
    (policy,) = [m["content"] for m in page.all("meta") if "http-equiv" in m]
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_the_only_script_is_the_one_that_the_policy_allows(
    run: Run, records: list[ViewRecord]
) -> None:
    html = report_html([run], records)
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html


EVIL = """<script>alert(1)</script>"'><img src=x onerror=alert(2)> $x^$ {0} </style>"""


def test_names_from_files_cannot_become_elements(
    run: Run, records: list[ViewRecord], tmp_path: Path
) -> None:
    assert run.student is not None
    scene = {"source": "demo", "name": EVIL}
    (run.student / "scene.json").write_text(json.dumps(scene))
    _log(run)
    evil = replace(run, name=EVIL, lacks=(Lack(EVIL, EVIL, EVIL),))
    views = [replace(r, run=EVIL, name=EVIL, split=EVIL, background="white") for r in records]
    views[0].scores["truth"]["student"]["lpips"] = EVIL
    views[0].scores["truth"][EVIL] = dict(views[0].scores["truth"]["student"])
    benches = [replace(_bench(scene=EVIL, browser=EVIL, adapter=EVIL, measured=EVIL), name=EVIL)]
    page = Page(report_html([evil], views, benches, [(EVIL, Lack(EVIL, EVIL, EVIL))]))
    plain = Page(report_html([run], records, [_bench()]))
    assert len(page.all("script")) == len(plain.all("script")) == 1
    assert len(page.all("img")) == len(plain.all("img"))
    handlers = [name for _, found in page.elements for name in found if name.startswith("on")]
    assert handlers == []
    assert page.text.count("<script>alert(1)</script>") >= 10


def test_a_page_without_anything_says_so() -> None:
    page = Page(report_html([], []))
    assert "nothing yet: see what is missing" in page.text
    assert "What the figures mean" in page.text


def test_ids_are_unique_and_everything_that_refers_to_one_finds_it(page: Page) -> None:
    ids = [found["id"] for _, found in page.elements if "id" in found]
    assert len(ids) == len(set(ids))
    named = [f["aria-labelledby"] for _, f in page.elements if "aria-labelledby" in f]
    links = [value[1:] for a in page.all("a") if (value := a["href"])]
    uses = [value[1:] for u in page.all("use") if (value := u.get("xlink:href"))]
    assert len(uses) > 5
    assert len(links) == 8
    assert set(named) | set(links) | set(uses) <= set(ids)


def test_pictures_have_words_and_tables_have_headings(page: Page) -> None:
    assert all("alt" in image for image in page.all("img"))
    stacked = [image for image in page.all("img") if not image["alt"]]
    assert len(stacked) == 2 * 3  # those that the slider fills
    assert len(page.all("caption")) == len(page.all("table"))
    assert {heading["scope"] for heading in page.all("th")} == {"col", "row"}
    charts = page.all("svg")
    assert len(charts) == 5
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in charts)


def test_means_and_losses_are_the_records(page: Page) -> None:
    assert "student 30.92 dB −2.00 dB to the teacher" in page.text
    assert "onnx fp16 30.91 dB −0.01 dB to the student" in page.text
    assert "3 views (test), 8 × 6 pixels, over white, against truth" in page.text
    assert "LPIPS: n/a (no weights: $POCKETFIELD_LPIPS_WEIGHTS)." in page.text
    assert "teacher 0.1 min, 30 steps" in page.text
    assert "webgpu, swiftshader" in page.text


def test_the_worst_view_is_first_in_the_table_and_among_the_pictures(
    run: Run, records: list[ViewRecord]
) -> None:
    html = report_html([run], records)
    views = html[html.index('id="views"') :]
    assert re.findall(r'<article class="view" data-name="(\w)"', views) == ["b", "a", "c"]
    body = views[views.index("<tbody>") : views.index("</tbody>")]
    assert re.findall(r'<tr><th scope="row">(\w)', body) == ["b", "a", "c"]
    assert re.findall(r'data-key="(28.5|31.0|33.25)"', body)[0] == "28.5"


def test_each_view_has_all_its_pictures(run: Run, records: list[ViewRecord]) -> None:
    html = report_html([run], records[:1])
    article = html[html.index('<article class="view"') : html.index("</article>")]
    names = re.findall(r"<figcaption><strong>([^<]+)</strong>", article)
    assert names == [
        *("truth", "teacher", "student", "onnx fp16"),
        *("error of the student", "FLIP of the student", "depth of the student"),
    ]
    shown = re.search(r'src="data:image/png;base64,([^"]+)" alt="student: demo, a"', article)
    assert shown is not None
    with Image.open(io.BytesIO(base64.b64decode(shown[1]))) as image:
        pixels = np.asarray(image)
    assert pixels.shape == (6, 8, 3)
    assert tuple(pixels[0, 0]) == (255, 255, 255)  # nothing there, over white
    assert tuple(pixels[2, 3]) == (80, 80, 200)


def test_pictures_that_are_gone_or_damaged_are_left_out(
    run: Run, records: list[ViewRecord]
) -> None:
    records[0].pictures["truth"].unlink()
    records[1].pictures["student"].write_bytes(records[1].pictures["student"].read_bytes()[:60])
    for path in (*records[2].pictures.values(), *records[2].depths.values()):
        path.unlink()
    page = Page(report_html([run], records))
    alts = [image["alt"] for image in page.all("img")]
    assert "truth: demo, a" not in alts
    assert "error of the student: demo, a" in alts  # against the teacher
    assert "student: demo, b" not in alts
    assert "teacher: demo, b" in alts
    assert "The pictures of this view are gone." in page.text


def test_without_photographs_the_teacher_is_the_reference(
    run: Run, records: list[ViewRecord]
) -> None:
    page = Page(report_html([run], [without_truth(one) for one in records]))
    assert "against teacher" in page.text
    assert "student 31.92 dB" in page.text
    assert "Quality against photographs" not in page.text


def test_what_is_missing_is_named_with_the_command(run: Run, records: list[ViewRecord]) -> None:
    lack = Lack("bundle", "no file here", "make export RUN='a b'")
    unfinished = replace(run, name="half", lacks=(lack,))
    page = Page(report_html([run, unfinished], records, problems=[("half", lack)]))
    assert page.text.count("no file here make export RUN='a b'") == 1
    assert "Nothing could be compared of: half." in page.text


def test_several_runs_stand_side_by_side(run: Run, records: list[ViewRecord]) -> None:
    other = replace(run, name="other")
    both = [*records, *(replace(one, run="other") for one in records)]
    page = Page(report_html([run, other], both))
    assert len(page.all("article")) == 3
    assert "student: other, a" in [image["alt"] for image in page.all("img")]
    assert "3 views (test)" in page.text


# --- pictures of a bounded size ---


def _noise(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)


def _size(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as image:
        return image.size


def test_large_pictures_are_shrunk_and_small_ones_left_alone() -> None:
    assert _size(encode(_noise(900, 300), LARGEST)) == (400, 133)
    small = _noise(30, 20)
    data = encode(small, LARGEST)
    with Image.open(io.BytesIO(data)) as image:
        assert (np.asarray(image) == small).all()


def test_a_page_stays_within_its_budget_however_many_views(tmp_path: Path) -> None:
    views = []
    for number in range(6):
        one = replace(record(f"{number}"), width=200, height=160, depths={})
        one = replace(one, pictures={"truth": tmp_path / f"{number}.png"})
        Image.fromarray(_noise(200, 160)).save(one.pictures["truth"])
        views.append(one)
    whole, side = encode_strips(views)
    assert side == LARGEST
    budget = sum(strip.size for strip in whole) // 3
    some, side = encode_strips(views, budget)
    assert len(some) == 6
    assert budget / 2 < sum(strip.size for strip in some) <= budget
    assert max(_size(data)[0] for strip in some for _, data in strip.shots) == side < 200
    assert encode_strips([], 1) == ([], LARGEST)


def test_the_page_says_that_pictures_were_shrunk(run: Run, tmp_path: Path) -> None:
    one = painted(replace(record("a"), width=500, height=20), tmp_path / "large")
    page = Page(report_html([run], [one]))
    assert "Pictures are shrunk from 500 to 400 pixels" in page.text


# --- markup ---


def test_only_our_own_markup_is_not_escaped() -> None:
    assert escape("<b>'\"&") == "&lt;b&gt;&#x27;&quot;&amp;"
    assert escape(Markup("<b>")) == "<b>"


def test_charts_take_the_pages_colours_and_ids_of_their_own() -> None:
    figure = chart([Series("_a $x^$", (1.0, 2.0), (1.0, 2.0))], Axes("x", "y"))
    svg = themed(to_svg(figure), "k")
    assert COLOURS[0] not in svg
    assert "var(--series-0)" in svg
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert ids
    assert all(name.startswith("k-") for name in ids)
    assert {name for name in re.findall(r"url\(#([^)]+)\)", svg)} <= set(ids)
    assert "_a $x^$" in svg
