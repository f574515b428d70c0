"""Comparisons on disk: resumed after a kill, made again where something has changed, and read without torch."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.compare import contenders as opening
from export.compare.batch import compare_run
from export.compare.cache import RECORD, cached_records, view_folder
from export.compare.contenders import Contenders
from export.compare.records import MODELS, ViewRecord
from export.runs import read_run
from tests.runs import copied

ROOT = Path(__file__).parents[2]


@pytest.fixture
def compared(tiny_run: Path, tmp_path: Path, tiny_cache: Path) -> Path:
    """A run of a test's own, compared on its test views."""
    run = copied(tiny_run, tmp_path / "run")
    shutil.copytree(tiny_cache, run / "compare")
    for path in (run / "compare").rglob(RECORD):  # photographs are where the copy has them
        path.write_text(path.read_text().replace(str(tiny_cache.parent), str(run)))
    return run


@pytest.fixture(scope="module")
def tiny_cache(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `compare_run` leaves of the tiny run."""
    run = copied(tiny_run, tmp_path_factory.mktemp("cache") / "run")
    compare_run(read_run(run))
    return run / "compare"


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The models rendered from now on, one entry a view."""
    models: list[str] = []
    timed = Contenders.timed

    def counting(self, model, *arguments):
        models.append(model)
        return timed(self, model, *arguments)

    monkeypatch.setattr(Contenders, "timed", counting)
    return models


def _plain(records: list[ViewRecord]) -> list[dict]:
    return [{**vars(record), "milliseconds": None} for record in records]


def test_records_name_files_that_are_there(compared: Path) -> None:
    records = compare_run(read_run(compared))
    assert [record.name for record in records] == [f"test_r_{k:03d}" for k in range(3)]
    for record in records:
        assert record.pictures.keys() == {"truth", *MODELS} and record.depths.keys() == set(MODELS)
        assert (record.split, record.background, record.run) == ("test", "white", "run")
        for path in record.pictures.values():
            assert np.asarray(Image.open(path)).shape == (32, 32, 4)
        for path in record.depths.values():
            assert np.asarray(Image.open(path)).shape == (32, 32)
        assert record.milliseconds.keys() == record.sizes.keys() == set(MODELS)
        assert record.kept is None
        assert 0 < record.novelty.degrees < 90


def test_the_truth_on_disk_is_the_photograph(compared: Path) -> None:
    record = compare_run(read_run(compared))[1]
    photograph = np.asarray(Image.open(compared / "still-life" / "test" / "r_001.png"))
    truth = np.asarray(Image.open(record.pictures["truth"]))
    assert np.array_equal(truth[..., 3], photograph[..., 3])
    seen = photograph[..., 3] > 8  # nearly transparent pixels have lost their colour's digits
    assert np.abs(truth[seen].astype(int) - photograph[seen]).max() <= 1


def test_a_second_comparison_renders_nothing(compared: Path, rendered: list[str]) -> None:
    run, told = read_run(compared), []
    records = compare_run(run, progress=lambda *step: told.append(step))
    assert rendered == []
    assert told == [(k, 3, f"test_r_{k - 1:03d}") for k in (1, 2, 3)]
    assert cached_records(run) == records


def test_a_killed_comparison_goes_on_with_what_is_missing(
    tiny_run: Path, tmp_path: Path, tiny_cache: Path, rendered: list[str]
) -> None:
    """Ctrl-C after the second view, and a kill within the third."""
    run = read_run(copied(tiny_run, tmp_path / "run"))

    def stop(done: int, total: int, name: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare_run(run, progress=stop)
    assert len(cached_records(run)) == 2
    half = view_folder(run, "test", "white", "test_r_002")
    half.mkdir()
    (half / ".teacher.png.123.partial").write_bytes(b"half")
    rendered.clear()
    records = compare_run(run)
    assert rendered == list(MODELS)
    assert not list(run.folder.glob("compare/**/.*"))
    whole = compare_run(read_run(tiny_cache.parent))
    assert [record.scores for record in records] == [record.scores for record in whole]


def test_changed_weights_are_compared_again(compared: Path, rendered: list[str]) -> None:
    with (compared / "student" / "model.safetensors").open("r+b") as file:
        file.seek(-4, 2)
        file.write(b"\0\0\0\0")
    run = read_run(compared)
    assert cached_records(run) == []
    assert len(compare_run(run)) == len(cached_records(run)) == 3
    assert rendered == 3 * list(MODELS)


def test_a_changed_photograph_is_compared_again_alone(compared: Path, rendered: list[str]) -> None:
    path = compared / "still-life" / "test" / "r_001.png"
    pixels = np.array(Image.open(path))
    pixels[10:20, 10:20] = (255, 0, 0, 255)
    Image.fromarray(pixels).save(path)
    run = read_run(compared)
    before = cached_records(run)
    assert [record.name for record in before] == ["test_r_000", "test_r_002"]
    after = compare_run(run)
    assert rendered == list(MODELS)
    psnr = after[1].scores["truth"]["teacher"]["psnr"]
    assert float(psnr) < float(after[0].scores["truth"]["teacher"]["psnr"])


def test_cached_records_outlive_the_photographs(compared: Path) -> None:
    """A run that was copied to another machine still shows what was compared."""
    shutil.rmtree(compared / "still-life")
    assert len(cached_records(read_run(compared))) == 3


def test_fewer_models_are_served_by_more(compared: Path, rendered: list[str]) -> None:
    run = read_run(compared)
    compare_run(run, models=("student",))
    assert rendered == []
    for path in compared.rglob(RECORD):
        path.unlink()
    records = compare_run(run, models=("student", "onnx fp16"), limit=1)
    assert set(rendered) == {"student", "onnx fp16"} and len(records) == 1
    assert records[0].pictures.keys() == {"truth", "student", "onnx fp16"}
    rendered.clear()
    compare_run(run)
    assert rendered == 3 * list(MODELS)


def test_what_cannot_be_opened_is_not_waited_for(compared: Path, rendered: list[str]) -> None:
    """A damaged graph: the views are compared without it, once."""
    path = compared / "bundle" / "student.fp32.onnx"
    path.write_bytes(bytes(len(path.read_bytes())))
    run = read_run(compared)
    records = compare_run(run)
    assert all("onnx fp32" not in record.pictures for record in records)
    rendered.clear()
    compare_run(run)
    assert rendered == []


def test_views_that_the_split_lost_are_removed(compared: Path) -> None:
    transforms = compared / "still-life" / "transforms_test.json"
    document = json.loads(transforms.read_text())
    document["frames"].pop()
    transforms.write_text(json.dumps(document))
    run = read_run(compared)
    compare_run(run, limit=1)
    assert len(list((compared / "compare").rglob(RECORD))) == 3, "part of a split removes nothing"
    assert len(compare_run(run)) == len(list((compared / "compare").rglob(RECORD))) == 2


def test_backgrounds_and_splits_are_kept_apart(compared: Path) -> None:
    run = read_run(compared)
    black = compare_run(run, background="black", limit=1)
    train = compare_run(run, split="train", limit=1)
    assert len(cached_records(run)) == 3
    assert cached_records(run, background="black") == black
    assert cached_records(run, split="train") == train
    assert train[0].novelty.degrees == pytest.approx(0, abs=1e-3)
    assert train[0].novelty.distance == pytest.approx(0, abs=1e-5)


def test_masked_pixels_are_told(compared: Path, tmp_path: Path) -> None:
    """A mask from the data set goes into the key, the scores and kept.png."""
    transforms = compared / "still-life" / "transforms_test.json"
    document = json.loads(transforms.read_text())
    mask = np.zeros((32, 32), np.uint8)
    mask[:, 16:] = 255
    Image.fromarray(mask).save(compared / "still-life" / "mask.png")
    for frame in document["frames"]:
        frame["mask_path"] = "mask.png"
    transforms.write_text(json.dumps(document))
    run = read_run(compared)
    record = compare_run(run, limit=1)[0]
    assert record.kept is not None
    assert np.array_equal(np.asarray(Image.open(record.kept)) > 0, mask > 0)
    assert cached_records(run)[1] == record


def test_cached_records_are_read_without_torch(compared: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from export.runs import read_run; "
        "from export.compare.cache import cached_records; from export.compare import maps; "
        f"records = cached_records(read_run(Path({str(compared)!r}))); "
        "maps.error_map(records[0].pictures['student'], records[0].pictures['truth']); "
        "print(len(records), 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.stdout.split() == ["3", "False"], found.stderr


def test_a_run_that_is_all_on_disk_opens_no_model(
    compared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_opened", lambda *_: pytest.fail("opened a model"))
    assert len(compare_run(read_run(compared))) == 3
