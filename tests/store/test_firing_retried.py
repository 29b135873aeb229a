"""Runs of a schedule that somebody retries: they count again, for the overlap and for failures."""

from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

import durable_django as durable
from durable_django import Every, hours
from durable_django.definition import registry
from durable_django.models import Execution, Schedule, ScheduleTick
from durable_django.store import clock, firing, schedules, ticks, timetable, waking
from durable_django.store.going_on import retry
from durable_django.store.transactions import has_row_locks, worker_transaction

from .rows import OpenTransaction
from .scheduled import (
    at_next,
    declared,
    end_runs,
    fire,
    make_report,
    now_of,
    outcomes,
    past,
    runs,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_other_workflows")]

EVERY = hours(1)


def seen():
    """How the runs of all ticks ended, as the ticks tell it."""
    return list(ScheduleTick.objects.order_by("id").values_list("run_status", flat=True))


def settle(schedule):
    with worker_transaction(None):
        return ticks.settle(timetable.lock(schedule.pk))


def failed(schedule):
    """The run of a tick, which failed; the tick tells it."""
    fire(schedule)
    run = Execution.objects.latest("id")
    end_runs("failed")
    settle(schedule)
    return run


def filled_in(schedule):
    (pk,) = schedules.backfill(schedule.pk, past(1), past(0), 1, "", None)
    return pk


@pytest.mark.parametrize(
    "started",
    [
        lambda schedule: fire(schedule) and runs()[-1].pk,
        lambda schedule: schedules.trigger(schedule.pk, {"n": 1}, "", None).pk,
        filled_in,
    ],
    ids=["by its time", "triggered", "filled in"],
)
@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_the_next_tick_is_left_out_while_a_run_that_was_retried_goes_on(started, status):
    schedule = declared(Every(EVERY, overlap="skip"))
    pk = started(schedule)
    end_runs(status)
    assert settle(schedule) == []
    assert seen() == [status]
    retry(pk, None)
    assert (seen(), settle(schedule)) == ([""], [pk])
    fire(schedule)
    assert outcomes(schedule) == ["started", "skipped"]
    end_runs()
    fire(schedule)
    assert outcomes(schedule) == ["started", "skipped", "started"]
    assert seen() == ["completed", "", ""]


def test_what_waits_waits_for_a_run_that_was_retried_too():
    schedule = declared(Every(EVERY, overlap="queue_one"))
    first = failed(schedule)
    fire(schedule)
    fire(schedule)
    retry(first.pk, None)
    Execution.objects.exclude(pk=first.pk).update(status="completed", finished_at=clock.now())
    assert not waking.outlook().is_free
    assert not firing.fire_queued(None)
    end_runs()
    assert waking.outlook().is_free
    assert firing.fire_queued(None)
    assert outcomes(schedule) == ["started"] * 3


def test_a_failure_that_was_retried_is_none_any_more():
    schedule = declared(Every(EVERY, disable_after=2))
    first = failed(schedule)
    failed(schedule)
    retry(first.pk, None)
    end_runs("completed")
    fire(schedule)
    assert now_of(schedule).enabled
    assert seen() == ["completed", "failed", ""]


def test_a_run_that_is_retried_and_fails_again_is_one_failure():
    schedule = declared(Every(EVERY, disable_after=2))
    first = failed(schedule)
    retry(first.pk, None)
    end_runs("failed")
    fire(schedule)
    assert now_of(schedule).enabled
    end_runs("failed")
    fire(schedule)
    assert now_of(schedule).disabled_reason == "2 runs in a row failed"


def test_a_run_whose_last_node_was_skipped_has_not_failed():
    schedule = declared(Every(EVERY, disable_after=1))
    run = failed(schedule)
    assert durable.skip(run, {"done": "by hand"}).status == "completed"
    fire(schedule)
    assert now_of(schedule).enabled


def test_a_run_whose_schedule_is_gone_is_retried_like_any_other():
    first = failed(declared(Every(EVERY)))
    Schedule.objects.all().delete()
    retry(first.pk, None)
    assert Execution.objects.get(pk=first.pk).status == "pending"


# -- what it costs ---------------------------------------------------------------------------


def asked_of_schedules(pk):
    with CaptureQueriesContext(connection) as asked:
        retry(pk, None)
    return [query["sql"] for query in asked if "durable_django_schedule" in query["sql"]]


@pytest.mark.parametrize("tags", [None, ["schedule"], {"schedule": "default"}, {"schedule": 7}])
def test_a_run_of_no_schedule_costs_nothing_more(tags):
    cls = make_report(Every(EVERY))
    run = durable.start(cls, tags=tags)
    other = durable.start(cls, tags={"schedule": "default"}, idempotency_key="schedule:default:x")
    end_runs("failed")
    assert asked_of_schedules(run.pk) == asked_of_schedules(other.pk) == []


def test_a_run_that_only_says_that_it_is_one_of_a_schedule_changes_none_of_its_ticks():
    schedule = declared(Every(EVERY))
    run = failed(schedule)
    Schedule.objects.update(name="other")
    Execution.objects.filter(pk=run.pk).update(tags={"schedule": "other"})
    key = f"schedule:other:{ScheduleTick.objects.get().at.isoformat()}"
    cls = registry.get(run.workflow_name)
    liar = durable.start(cls, tags={"schedule": "other"}, idempotency_key=key)
    end_runs("failed")
    retry(liar.pk, None)
    assert seen() == ["failed"]


def test_the_tick_is_found_by_an_index():
    schedule = declared(Every(EVERY))
    run = failed(schedule)
    long_ago = clock.now() - timedelta(days=80)
    ScheduleTick.objects.bulk_create(
        ScheduleTick(
            schedule=schedule,
            kind="time",
            at=long_ago + timedelta(minutes=n),
            outcome="started",
            run_status="failed",
            created_at=long_ago,
        )
        for n in range(500)
    )
    statements = asked_of_schedules(run.pk)
    assert len(statements) == 2
    explain = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE durable_django_scheduletick")
        cursor.execute(explain + statements[1])
        plan = "\n".join(str(line) for line in cursor.fetchall())
    assert "durable_tick_once" in plan, plan


# -- two at once -----------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_retry_waits_for_whoever_looks_how_the_runs_ended():
    # race: retried-while-settled
    schedule = declared(Every(EVERY))
    fire(schedule)
    (run,) = runs()
    end_runs("failed")
    if has_row_locks():  # SQLite has one lock for all
        with OpenTransaction(lambda: timetable.lock(schedule.pk)), transaction.atomic():
            connection.cursor().execute("SET LOCAL lock_timeout = '1ms'")
            with pytest.raises(OperationalError), transaction.atomic():
                retry(run.pk, None)
        assert Execution.objects.get().status == "failed"
    settle(schedule)
    retry(run.pk, None)
    assert seen() == [""]


@pytest.mark.django_db(transaction=True)
def test_a_schedule_does_not_wait_for_a_run_that_is_being_retried():
    """So that the two never wait for one another."""
    if not has_row_locks():
        return  # SQLite has one lock for all, which lasts as long as a transaction
    schedule = declared(Every(EVERY, overlap="cancel_previous"))
    run = failed(schedule)
    at_next(schedule)
    with OpenTransaction(lambda: retry(run.pk, None)):
        assert not firing.fire_due(None)
        assert outcomes(schedule) == ["started"]
    assert firing.fire_due(None)
    assert outcomes(schedule) == ["started", "started"]
    assert Execution.objects.get(pk=run.pk).status == "cancelled"
