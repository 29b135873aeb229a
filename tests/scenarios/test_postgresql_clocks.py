"""Workers on hosts whose clocks are wrong by an hour, in front of and behind the database's.

Collected on PostgreSQL only: on SQLite the host's clock is the database's, so that there is no
other to be right by.
"""

from datetime import UTC, timedelta
from pathlib import Path

import pytest
from django.db import connection, models

import durable_django as durable
from durable_django.models import Event, Execution, StepRun, Wait, Worker
from tests.killing.waits import Clocked
from tests.waiting import until

WRONG = Path(__file__).resolve().parent.parent / "killing" / "wrong_clock"
HOUR = 3600
SECOND = timedelta(seconds=1)
# What two workers know of the database's time differs by how long its answers took.
SKEW = timedelta(seconds=0.25)
# Times that lie in the future on purpose.
AHEAD = {"due_at", "wake_at", "timeout_at", "ready_at"}


def database_time():
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0].astimezone(UTC)


def start(fleet, seconds):
    """A worker whose clock is wrong by `seconds`."""
    fleet.environment = {**fleet.environment}
    fleet.environment.pop("PYTHONPATH", None)
    if seconds:
        fleet.environment |= {"PYTHONPATH": str(WRONG), "WRONG_CLOCK_SECONDS": str(seconds)}
    process = fleet.start("--threads=2", LEASE_SECONDS=5, POLL_SECONDS=1)
    fleet.until_serving(process)
    return process


def times():
    """Every time that stands in a row, with where."""
    for model in (Execution, StepRun, Wait, Event, Worker):
        names = [f.name for f in model._meta.get_fields() if isinstance(f, models.DateTimeField)]
        for row in model.objects.values_list("pk", *names):
            for name, value in zip(names, row[1:], strict=True):
                if value is not None:
                    yield f"{model.__name__}.{name}", value


def logged():
    return [entry["at"] for row in StepRun.objects.all() for entry in row.logs]


def check_times(begun, ended):
    wrong = {
        where
        for where, value in times()
        if not begun - SECOND <= value <= ended + SECOND and where.split(".")[1] not in AHEAD
    }
    assert wrong == set()
    for wait in Wait.objects.filter(due_at__isnull=False, status="timed_out"):
        assert -SKEW <= wait.resolved_at - wait.due_at < SECOND
    for wait in Wait.objects.filter(kind="sleep"):
        # One of them was to end at a moment that is over by any of the clocks.
        assert -SKEW <= wait.resolved_at - max(wait.due_at, wait.created_at) < SECOND


@pytest.mark.parametrize(
    "clocks",
    [
        pytest.param([HOUR], marks=pytest.mark.slow),
        pytest.param([-HOUR], marks=pytest.mark.slow),
        [0, HOUR, -HOUR],
    ],
    ids=str,
)
def test_a_worker_whose_clock_is_wrong_by_an_hour_changes_nothing(fleet, clocks):
    begun = database_time()
    processes = [start(fleet, seconds) for seconds in clocks]
    inputs = [{"seconds": 0.2 + n / 50} for n in range(12 * len(clocks))]
    ids = durable.start_many(Clocked, inputs)
    heard = {}
    for n, pk in enumerate(ids):
        if n % 2:
            heard[pk] = durable.send_event(pk, "go", n)
    later = Clocked.start({"seconds": 0.2}, scheduled_at=database_time() + SECOND)
    until(lambda: not Execution.objects.filter(finished_at__isnull=True).exists(), 60)
    ended = database_time()
    seen = set()
    for n, pk in enumerate([*ids, later.pk]):
        run = durable.get_execution(pk)
        seconds = run.input["seconds"]
        first = n if pk in heard else "late"
        assert run.result == [first, "late", seconds, "late"], run.error
        assert run.started_at - run.created_at < timedelta(seconds=20)
        seen |= {round((clock - begun.timestamp()) / HOUR) for clock in run.context["clocks"]}
        assert [row.status for row in run.steps.filter(name="first")] == ["failed", "completed"]
        before, after = run.steps.filter(name="first").order_by("attempt")
        assert timedelta(seconds=0.3) - SKEW <= after.started_at - before.finished_at < SECOND * 1.3
    assert seen == {seconds // HOUR for seconds in clocks}
    later.refresh_from_db()
    assert later.started_at - later.scheduled_at < SECOND
    check_times(begun, ended)
    assert len(logged()) >= 2 * len(ids)
    assert begun - SECOND <= min(logged()) <= max(logged()) <= ended + SECOND
    assert set(Worker.objects.values_list("status", flat=True)) == {"alive"}
    assert all(process.poll() is None for process in processes)
