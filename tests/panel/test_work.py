"""Comparisons in a thread of their own."""

import threading
import time
from pathlib import Path

from export.runs import Run
from teacher.errors import UserError
from web.panel.work import Comparisons, Job, Models, as_problem


def run(name: str, changed: float = 0.0) -> Run:
    return Run(name, Path(name), changed, None, None, None, ())


def wait(job: Job) -> None:
    end = time.monotonic() + 10
    while not job.finished:
        assert time.monotonic() < end, f"{job.run.name} is {job.state}"
        time.sleep(0.005)


def test_a_comparison_is_made_once_and_again_when_the_run_changes():
    made = []
    comparisons = Comparisons(lambda job, progress: made.append(job.run), grace=0)
    first = comparisons.ask(run("a"), "test", "white")
    wait(first)
    assert comparisons.ask(run("a"), "test", "white") is first
    wait(comparisons.ask(run("a", changed=1.0), "test", "white"))
    wait(comparisons.ask(run("a"), "test", "black"))
    assert [(r.name, r.changed) for r in made] == [("a", 0.0), ("a", 1.0), ("a", 0.0)]


def test_the_newest_question_comes_first_and_the_older_one_goes_on():
    began, views = threading.Event(), []
    allowed = threading.Event()

    def compare(job: Job, progress) -> None:
        start = len([name for name, _ in views if name == job.run.name])
        for k in range(start, 3):
            views.append((job.run.name, k))
            began.set()
            if job.run.name == "old":
                assert allowed.wait(10)
            progress(k + 1, 3, f"view {k}")

    comparisons = Comparisons(compare, grace=0)
    old = comparisons.ask(run("old"), "test", "white")
    assert began.wait(10)
    new = comparisons.ask(run("new"), "test", "white")
    allowed.set()
    wait(new)
    wait(old)
    assert views == [("old", 0), ("new", 0), ("new", 1), ("new", 2), ("old", 1), ("old", 2)]
    assert (old.done, old.total, old.state) == (3, 3, "done")


def test_a_failure_is_told_and_can_be_tried_again():
    failures = [UserError("it", "this", "that", "do so"), OSError("gone"), KeyError("oops")]
    asked = []

    def compare(job: Job, progress) -> None:
        asked.append(job)
        if len(asked) <= len(failures):
            raise failures[len(asked) - 1]

    comparisons = Comparisons(compare, grace=0)
    for expected in ("do so", "still there and readable", "a fault of the panel"):
        job = comparisons.ask(run("a"), "test", "white")
        wait(job)
        assert job.state == "failed" and job.problem is not None
        assert expected in job.problem.remedy
        comparisons.forget(job)
    job = comparisons.ask(run("a"), "test", "white")
    wait(job)
    assert job.state == "done"


def test_comparing_gives_way_between_views():
    reached = []

    def compare(job: Job, progress) -> None:
        for k in range(2):
            progress(k + 1, 2, "")
            reached.append(time.monotonic())

    comparisons = Comparisons(compare, grace=0)
    before = time.monotonic()
    comparisons.rest(0.3)
    wait(comparisons.ask(run("a"), "test", "white"))
    assert reached[0] - before >= 0.29


def test_a_run_without_cameras_is_a_problem_and_no_traceback(tmp_path: Path):
    opened = Models().ask(Run("nothing", tmp_path, 0.0, None, None, None, ()))
    end = time.monotonic() + 60
    while not opened.ready:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert opened.contenders is None and opened.problem is not None
    assert "no cameras" in opened.problem.given


def test_models_of_a_few_runs_are_kept():
    models = Models(capacity=2)
    models._open = lambda run, opened: None  # type: ignore[method-assign]
    first = models.ask(run("a"))
    models.ask(run("b"))
    assert models.ask(run("a")) is first, "asked for again, so the newer one"
    models.ask(run("c"))
    assert models.ask(run("a")) is first
    assert list(models._opened) == [("c", 0.0), ("a", 0.0)]


def test_errors_of_users_stay_what_they_are():
    error = UserError("it", "this", "that", "do so")
    assert as_problem(error, "anything") is error
