"""Stored views: the same as rendered ones, resumable, and refused where they do not fit."""

import json
import os
import signal
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from teacher.cameras import Camera, look_at
from teacher.errors import UserError
from teacher.pseudo.envelope import fit_envelope
from teacher.pseudo.pool import ViewPool
from teacher.pseudo.sampler import CameraSampler
from teacher.pseudo.source import Source, open_source
from teacher.pseudo.store import SCHEMA, open_store, write_store
from teacher.pseudo.view import PackedView, View

SIZE = (6, 8)


class PatternRenderer:
    """Pictures that differ from camera to camera and from pixel to pixel; can stop half-way."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.count, self.stop_after = 0, stop_after

    def render(self, camera: Camera) -> View:
        if self.count == self.stop_after:
            raise KeyboardInterrupt
        self.count += 1
        v, u = torch.meshgrid(torch.arange(6) / 6, torch.arange(8) / 8, indexing="ij")
        phase = float(camera.position.sum())
        alpha = torch.sin(3 * u + phase).abs()
        rgb = torch.stack([u, v, torch.cos(phase + v).abs()], -1) * alpha[..., None]
        return View(camera, torch.cat([rgb, alpha[..., None]], -1), (1 + u + v) * (alpha > 0))


def make_source(renderer: PatternRenderer, fingerprint: str = "pattern-1") -> Source:
    positions = [torch.tensor([2.0, 0.1 * k, 1.0 - 0.2 * k]) for k in range(3)]
    train = tuple(Camera(look_at(p, torch.zeros(3)), 9.0, 8.5, 4.2, 3.1, 8, 6) for p in positions)
    box = torch.tensor([[-1.0, -0.5, -1.0], [1.0, 0.5, 1.0]])
    return Source("pattern", renderer, fit_envelope(train), box, train, fingerprint)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    write_store(make_source(PatternRenderer()), tmp_path / "store", 10, 4, 5)
    return tmp_path / "store"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_round_trip_gives_the_same_views(store: Path):
    """Cameras exactly, pixels as the pool would keep them, and all that a student must know."""
    source, stored = make_source(PatternRenderer()), open_store(store)
    assert len(stored) == 10
    for k in range(10):
        expected = PackedView.pack(source.view(k, SIZE, 5)).unpack()
        view = stored.view(k, SIZE, seed=99)
        assert torch.equal(view.rgba, expected.rgba) and torch.equal(view.depth, expected.depth)
        pose = expected.camera.T_world_camera
        assert torch.equal(view.camera.T_world_camera, pose)
        assert view.camera.fractions == pytest.approx(expected.camera.fractions)
    assert stored.envelope == source.envelope and stored.fingerprint == source.fingerprint
    assert torch.equal(stored.aabb, source.aabb) and stored.name == "pattern"
    assert len(stored.cameras) == 3
    assert torch.equal(stored.cameras[1].T_world_camera, source.cameras[1].T_world_camera)


def test_shards_are_plain_webdataset_tars(store: Path):
    """Members that share a number are neighbours, in shards of four, four and two views."""
    names = []
    for shard in sorted(store.glob("shard-*.tar")):
        with tarfile.open(shard, "r:") as archive:
            names.append([member.name for member in archive])
    assert [len(group) for group in names] == [12, 12, 6]
    assert names[1][:4] == ["000004.json", "000004.rgba.png", "000004.depth.npy", "000005.json"]


def test_report_counts_bytes_and_views(tmp_path: Path):
    """Bytes per view are what lies on the disk."""
    report = write_store(make_source(PatternRenderer()), tmp_path, 10, 4, 5)
    size = sum(path.stat().st_size for path in tmp_path.glob("*.tar"))
    assert (report.views, report.shards, report.bytes) == (10, 3, size)
    assert report.bytes_per_view == size / 10


def test_stopped_store_is_finished_by_the_same_call(store: Path, tmp_path: Path):
    """Whole shards are kept, the rest is rendered, to the same bytes as in one go."""
    folder = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        write_store(make_source(PatternRenderer(stop_after=6)), folder, 10, 4, 5)
    assert [path.name for path in sorted(folder.glob("*"))] == ["shard-000000.tar", "store.json"]
    renderer = PatternRenderer()
    write_store(make_source(renderer), folder, 10, 4, 5)
    assert renderer.count == 6
    assert contents(folder) == contents(store)


def test_killed_store_is_finished_by_the_same_call(store: Path, tmp_path: Path):
    """SIGKILL leaves no half shard behind."""
    folder = tmp_path / "killed"
    script = (
        "import importlib.util, os, signal, sys\n"
        f"spec = importlib.util.spec_from_file_location('store_test', {__file__!r})\n"
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)\n"
        "class Killer(module.PatternRenderer):\n"
        "    def render(self, camera):\n"
        "        if self.count == 6: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return super().render(camera)\n"
        "from pathlib import Path\n"
        "module.write_store(module.make_source(Killer()), Path(sys.argv[1]), 10, 4, 5)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    killed = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        env=environment,
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    write_store(make_source(PatternRenderer()), folder, 10, 4, 5)
    for path in store.iterdir():
        assert (folder / path.name).read_bytes() == path.read_bytes()
    assert len(open_store(folder)) == 10


def test_store_can_grow(store: Path):
    """More views later: the last, partial shard is completed and others follow."""
    renderer = PatternRenderer()
    report = write_store(make_source(renderer), store, 17, 4, 5)
    assert (report.views, report.shards) == (17, 5)
    assert renderer.count == 9  # shards 0 and 1 are left alone
    assert len(open_store(store)) == 17


def test_machines_share_the_work(store: Path, tmp_path: Path):
    """Parts write disjoint shards; together they are the store that one machine writes."""
    folder, counts = tmp_path / "shared", []
    for which in range(2):
        renderer = PatternRenderer()
        write_store(make_source(renderer), folder, 10, 4, 5, part=(which, 2))
        counts.append(renderer.count)
    assert counts == [6, 4]
    assert contents(folder) == contents(store)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"fingerprint": "pattern-2"}, "fingerprint 'pattern-1'"),
        ({"seed": 6}, "seed 5"),
        ({"size": (12, 16)}, r"size \[6, 8\]"),
        ({"shard_size": 5}, "shard_size 4"),
    ],
)
def test_folder_of_other_views_is_refused(store: Path, change: dict[str, object], named: str):
    """Nothing is mixed; the message says what differs."""
    arguments = {"seed": 5, "shard_size": 4, "fingerprint": "pattern-1", "size": SIZE, **change}
    source = make_source(PatternRenderer(), str(arguments.pop("fingerprint")))
    before = contents(store)
    with pytest.raises(UserError, match=named):
        write_store(source, store, 10, **arguments)  # type: ignore[arg-type]
    assert contents(store) == before


def test_other_schema_is_refused(store: Path):
    """A later version's store is not guessed at."""
    path = store / "store.json"
    plain = json.loads(path.read_text())
    path.write_text(json.dumps({**plain, "schema": SCHEMA + 1}))
    with pytest.raises(UserError, match=f"schema {SCHEMA + 1}(.|\n)*schema {SCHEMA}"):
        open_store(store)
    path.write_text(json.dumps({k: v for k, v in plain.items() if k != "aabb"}))
    with pytest.raises(UserError, match="aabb"):
        open_store(store)


def test_missing_or_damaged_shards_are_named(store: Path):
    """A gap in the middle, then a shard cut short."""
    shard = store / "shard-000001.tar"
    whole = shard.read_bytes()
    shard.unlink()
    with pytest.raises(UserError, match="view 4 is missing"):
        open_store(store)
    shard.write_bytes(whole[: len(whole) // 2 + 100])
    with pytest.raises(UserError, match="shard-000001"):
        open_store(store).view(7, SIZE, 0)


def test_pool_fills_from_a_store_again_and_again(store: Path):
    """A pool larger than the store wraps round; other sizes are refused."""
    source = open_source(store)
    pool = ViewPool(source, 12, SIZE, 0, background=False)
    pool.wait(12)
    batch = pool.batch(300, torch.Generator().manual_seed(0))
    assert len(batch.T_norm_camera.unique(dim=0)) == 10
    with pytest.raises(UserError, match=r"12 x 16(.|\n)*6 x 8"):
        ViewPool(source, 2, (12, 16), 0, background=False).wait(1)


def test_the_last_views_are_for_measuring_alone(tmp_path: Path):
    """One in twenty: of 40 views two are never drawn, and they are what is measured; of 10, none."""
    write_store(make_source(PatternRenderer()), tmp_path, 40, 10, 5)
    stored = open_store(tmp_path)
    drawn = {tuple(stored.view(k, SIZE, 0).camera.position.tolist()) for k in range(200)}
    unseen = {tuple(stored.unseen(k, SIZE).camera.position.tolist()) for k in range(10)}
    assert (len(drawn), len(unseen)) == (38, 2) and not drawn & unseen
    write_store(make_source(PatternRenderer()), tmp_path / "small", 10, 10, 5)
    with pytest.raises(UserError, match=r"10 views, too few(.|\n)*--data"):
        open_store(tmp_path / "small").unseen(0, SIZE)


def test_store_of_other_cameras_is_refused_and_an_older_one_goes_on(store: Path):
    """A sampler is part of what a store is of; stores without one are of the plain sampler."""
    wide = replace(make_source(PatternRenderer()), sampler=CameraSampler(margin=0.1))
    with pytest.raises(UserError, match="sampler"):
        write_store(wide, store, 10, 4, 5)
    path = store / "store.json"
    plain = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in plain.items() if k != "sampler"}))
    assert write_store(make_source(PatternRenderer()), store, 12, 4, 5).views == 12


def test_store_renders_its_own_cameras_only(store: Path):
    """As a `ViewRenderer` it finds the stored view, and says so when there is none."""
    stored = open_store(store)
    camera = stored.view(6, SIZE, 0).camera
    assert torch.equal(stored.renderer.render(camera).rgba, stored.view(6, SIZE, 0).rgba)
    elsewhere = replace(
        camera, T_world_camera=look_at(torch.tensor([0.0, 3.0, 1.0]), torch.zeros(3))
    )
    with pytest.raises(UserError, match="a camera that none of its views"):
        stored.renderer.render(elsewhere)
