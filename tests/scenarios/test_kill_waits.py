"""Workers are killed between every two statements of parking and waking: no run is stuck, none has
two outcomes, nothing is delivered twice.

Which statements there are is found out by a worker that notes where it comes by. For each such
point the story is told once more, with a worker that ends there by SIGKILL, and another after it.
"""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import durable_django as durable
from durable_django.models import Event, Execution, StepRun, Wait
from tests.killing import waits
from tests.killing.models import Effect
from tests.waiting import WAIT_SECONDS, until

ROOT = Path(__file__).resolve().parent.parent.parent
SETTINGS = {"HEARTBEAT_SECONDS": 0.2, "LEASE_SECONDS": 20, "POLL_SECONDS": 0.2}
# A worker may come by a point of which there is no trace in the next telling: who asks again what
# was locked, say. Only where each of so many came by, one has to be killed.
TRACED = 3
TELLINGS = 5
TELLINGS_BY_CHANCE = 2


class Nursery:
    """Keeps one worker up, which may be told to end at a fault point."""

    def __init__(self, environment: dict[str, str], directory: Path) -> None:
        self._directory = directory
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.killing.zygote"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._pid: int | None = None
        self.killed = 0

    def _ask(self, **command: Any) -> Any:
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.write(json.dumps(command) + "\n")
        self._zygote.stdin.flush()
        return json.loads(self._zygote.stdout.readline())

    def start(self, point: str | None = None, log: Path | None = None) -> None:
        """Starts the worker."""
        told = {"point": point, "log": str(log) if log else None, **SETTINGS}
        self._pid = self._ask(start={"output": str(self._directory / "output"), **told})

    def keep_up(self) -> None:
        """Another takes the place of a worker that was killed; it ends at no point."""
        code = self._ask(poll=self._pid)
        if code is not None:
            self._count(code)
            self.start()

    def stop(self) -> None:
        """Ends the worker, but not between a commit, which others see at once, and what follows
        it."""
        assert self._pid is not None
        os.kill(self._pid, signal.SIGTERM)
        (code,) = until(self._exit_code)
        self._pid = None
        # One that has just taken another's place may not have its own way to end yet.
        if code not in (0, -signal.SIGTERM):
            self._count(code)

    def _exit_code(self) -> tuple[int, ...]:
        """None of them while it lives."""
        code = self._ask(poll=self._pid)
        return () if code is None else (code,)

    def _count(self, code: int) -> None:
        assert code == -signal.SIGKILL, (code, (self._directory / "output").read_text())
        self.killed += 1

    def trace(self, tell: Callable[[], None], log: Path) -> dict[str, bool]:
        """Where workers come by that see a story through, and whether each of them did."""
        passed: Counter[str] = Counter()
        for number in range(TRACED):
            trace = log.with_name(f"{log.name} {number}")
            self.start(log=trace)
            tell()
            passed.update(dict.fromkeys(trace.read_text(encoding="utf-8").splitlines(), 1))
        return {point: count == TRACED for point, count in passed.items()}

    def until(self, condition: Callable[[], Any]) -> Any:
        """As `until`, with a worker that is kept up."""

        def look() -> Any:
            self.keep_up()
            return condition()

        return until(look)

    def end(self) -> None:
        if self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)
            until(self._exit_code)
        self._zygote.communicate(timeout=WAIT_SECONDS)


@pytest.fixture
def nursery(child_environment: dict[str, str], tmp_path: Path) -> Iterator[Nursery]:
    made = Nursery(child_environment, tmp_path)
    try:
        yield made
    finally:
        made.end()


def parked(run: Execution, **which: Any) -> Callable[[], bool]:
    return Wait.objects.filter(execution=run, resolved_at__isnull=True, **which).exists


# -- stories: each starts a run, sees it through, and gives what it has to result in --------------


def hears(nursery: Nursery) -> tuple[Execution, Any]:
    run = waits.Hears.start()
    nursery.until(parked(run))
    durable.send_event(run, "go", 1)
    return run, 1


def hears_later(nursery: Nursery) -> tuple[Execution, Any]:
    run = waits.HearsLater.start()
    for number in range(2):
        durable.send_event(run, "go", number)
    durable.send_event(run, "more", 2)
    return run, [("go", 0), {"go": 1, "more": 2}]


def hears_what_was_published_before(nursery: Nursery) -> tuple[Execution, Any]:
    key = str(UUID(int=Event.objects.count()))
    durable.publish_event("go", key=key, payload="kept", keep=60)
    return waits.Hears.start({"key": key}), "kept"


def hears_what_is_published(nursery: Nursery) -> tuple[Execution, Any]:
    key = str(UUID(int=Event.objects.count()))
    run = waits.Hears.start({"key": key})
    nursery.until(parked(run))
    durable.publish_event("go", key=key, payload="news")
    return run, "news"


def asks(nursery: Nursery) -> tuple[Execution, Any]:
    run = waits.Asks.start()
    nursery.until(parked(run))
    durable.provide_input(run, "asked", True, comment="fine")
    return run, ["approved", "fine"]


def is_late(nursery: Nursery) -> tuple[Execution, Any]:
    return waits.Late.start(), "late"


def calls(nursery: Nursery) -> tuple[Execution, Any]:
    return waits.Calls.start(), 42


def gives_up(nursery: Nursery) -> tuple[Execution, Any]:
    return waits.GivesUp.start(), "late"


def runs_out(nursery: Nursery) -> tuple[Execution, Any]:
    return waits.RunsOut.start(), None


def talks(nursery: Nursery) -> tuple[Execution, Any]:
    run = waits.Talks.start()
    nursery.until(parked(run, kind="event"))
    durable.send_event(run, "go", "x")
    waits_of = Wait.objects.filter(execution=run)
    token = waits_of.get(kind="once").value
    started = waits_of.get(kind="start").value
    return run, [token, str(started), 4, "x", ["x"]]


def races(nursery: Nursery) -> tuple[Execution, Any]:
    run = waits.Races.start()
    nursery.until(lambda: Wait.objects.filter(execution=run).count() == 2)
    durable.send_event(run, "go", 1)
    return run, {"winner": "heard", "value": 1}


# Of each story, during what its workers are killed, and points that have to be among those found,
# whatever the database.
STORIES = {
    hears: (
        ("park", "deliver", "claim", "resume"),
        {"park: insert wait", "deliver: update wait", "deliver: update event", "deliver: commit"},
    ),
    hears_later: (("park", "wake"), {"park: update event", "park: commit", "wake: update wait"}),
    hears_what_was_published_before: (("park",), {"park: insert event", "park: update event"}),
    hears_what_is_published: (("deliver",), {"deliver: insert event", "deliver: update event"}),
    asks: (("park", "deliver"), {"deliver: update wait", "deliver: update execution"}),
    is_late: (("wake", "resume"), {"wake: update wait", "wake: commit", "resume: committed"}),
    calls: (
        ("park", "deliver", "end a child", "end an atomic step"),
        {
            "park: insert execution",
            "end a child: insert event",
            "end an atomic step: insert event",
            "deliver: update wait 2",
        },
    ),
    gives_up: (("wake",), {"wake: update wait", "wake: update execution", "wake: insert event"}),
    runs_out: (("wake",), {"wake: update execution", "wake: update wait"}),
    talks: (
        ("once", "start", "park", "deliver", "resume"),
        {"once: insert wait", "start: insert execution", "start: insert wait"},
    ),
    races: (
        ("park", "end a member"),
        {"park: insert wait", "end a member: update wait", "end a member: commit"},
    ),
}


def tell(nursery: Nursery, story: Any) -> None:
    """Tells a story to its end, and checks that it ended as it had to."""
    before = set(Execution.objects.values_list("id", flat=True))
    run, result = story(nursery)
    new = Execution.objects.exclude(id__in=before)
    nursery.until(lambda: not new.filter(finished_at__isnull=True).exists())
    nursery.until(lambda: not Event.objects.filter(examined_at__isnull=True).exists())
    nursery.stop()
    run.refresh_from_db()
    if result is None:
        assert (run.status, run.error["type"]) == ("failed", "WorkflowTimeout")
    else:
        assert (run.status, run.result) == ("completed", result), run.error
    check_rows(list(new.values_list("id", flat=True)))


def check_rows(ids: list[UUID]) -> None:
    """That of nothing there are two, and nothing is left over."""
    steps = StepRun.objects.filter(execution_id__in=ids).order_by("execution_id", "seq")
    told = list(steps.values_list("execution_id", "seq", "path", "status"))
    by_run: dict[UUID, list[int]] = {}
    for pk, seq, _, status in told:
        by_run.setdefault(pk, []).append(seq)
        assert status in ("completed", "timed_out", "cancelled"), told
    assert all(seqs == list(range(1, len(seqs) + 1)) for seqs in by_run.values()), told
    rows = Wait.objects.filter(execution_id__in=ids)
    assert not rows.filter(resolved_at__isnull=True).exists()
    consumed = Event.objects.filter(execution_id__in=ids, status="delivered")
    for wait in rows.filter(kind__in=["event", "any", "all", "call"]):
        count = len(wait.names) if wait.kind == "all" else 1
        got = consumed.filter(wait_id=wait.pk).count()
        assert got == (count if wait.status == "completed" else 0), (wait, wait.status, got)
    assert not consumed.filter(wait_id__isnull=True).exists()
    calls_and_starts = rows.filter(kind__in=["call", "start"])
    children = Execution.objects.filter(parent_id__in=ids, kind="workflow")
    assert sorted(children.values_list("id", flat=True)) == sorted(
        calls_and_starts.values_list("child_id", flat=True)
    )
    for child in children.filter(workflow_name="killing.child"):
        assert Effect.objects.filter(run=child.pk).count() == 1


def points_of(nursery: Nursery, story: Any, log: Path) -> dict[str, bool]:
    """Where workers come by that see the story through, and whether each of them did."""
    during, wanted = STORIES[story]
    passed = nursery.trace(lambda: tell(nursery, story), log)
    found = {point: each for point, each in passed.items() if point.partition(":")[0] in during}
    assert wanted <= set(found), (wanted - set(found), found)
    return found


def kill_at(nursery: Nursery, story: Any, point: str, has_to_come: bool = True) -> None:
    """Tells the story with a worker that is killed at the point."""
    for _ in range(TELLINGS if has_to_come else TELLINGS_BY_CHANCE):
        before = nursery.killed
        nursery.start(point)
        try:
            tell(nursery, story)
        except AssertionError as error:
            raise AssertionError(f"killed at {point!r}: {error}") from error
        if nursery.killed > before:
            return
    assert not has_to_come, f"no worker came by {point!r}"


@pytest.mark.kill
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_a_worker_killed_between_any_two_statements_loses_nothing(nursery, tmp_path, story):
    for point, has_to_come in points_of(nursery, story, tmp_path / "points").items():
        kill_at(nursery, story, point, has_to_come)


def test_a_worker_killed_before_and_after_the_commit_of_a_wake_up_loses_nothing(nursery):
    for point in ("park: commit", "park: committed", "deliver: commit", "deliver: committed"):
        kill_at(nursery, hears, point)
