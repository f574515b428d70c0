"""What every test may ask for."""

import os
from pathlib import Path

import hypothesis
import pytest
import torch

ROOT = Path(__file__).parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"

# torch's first call of an operator takes longer than hypothesis allows an example; random seeds are for people, not CI.
hypothesis.settings.register_profile("pocketfield", deadline=None, derandomize=True)
hypothesis.settings.load_profile("pocketfield")
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked `cuda` are skipped where there is no GPU; this is the only place that decides it."""
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("cuda"):
            item.add_marker(pytest.mark.skip(reason="no NVIDIA GPU on this machine"))


@pytest.fixture(
    params=["cpu", pytest.param("cuda", marks=pytest.mark.cuda)],
)
def device(request: pytest.FixtureRequest) -> torch.device:
    """The devices that ops run on."""
    return torch.device(request.param)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real captures beside the checkout; tests that need them skip where they are absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no real data at {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run at toy size, made once for all processes: see `tests.runs`. Tests must not change it."""
    from tests import runs

    return runs.written_once(_shared_folder(tmp_path_factory) / "runs" / "tiny", runs.Shape())


@pytest.fixture(scope="session")
def odd_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `tiny_run`, with wide pictures whose principal point is off their centre."""
    from tests import runs

    return runs.written_once(_shared_folder(tmp_path_factory) / "runs" / "odd", runs.ODD)


def _shared_folder(factory: pytest.TempPathFactory) -> Path:
    """The session's folder, the same for all of pytest-xdist's processes; $POCKETFIELD_TEST_RUNS outlives sessions."""
    if "POCKETFIELD_TEST_RUNS" in os.environ:
        return Path(os.environ["POCKETFIELD_TEST_RUNS"])
    mine = factory.getbasetemp()
    return mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine
