"""Firing: each tick makes one run, in one transaction with the schedule's next time, and one bad
schedule stops no other."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from durable_django import Cron, Every, days, hours, minutes, seconds
from durable_django.models import Schedule, ScheduleTick
from durable_django.store import (
    clock,
    firing,
    schedules,
    synchronising,
    waking,
)
from durable_django.store.ticking import spelled

from .rows import at_once, make_worker
from .scheduled import (
    NAME,
    at_next,
    declared,
    end_runs,
    fire,
    make_report,
    now_of,
    runs,
    set_time,
    told,
    utc,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_other_workflows")]


def test_a_tick_starts_a_run_that_says_of_which_tick_it_is():
    schedule = declared(Cron("0 9 * * *", timezone="UTC", name="nightly", queue="reports"))
    tick = fire(schedule)
    (run,) = runs()
    assert (run.scheduled_at, run.status, run.queue) == (tick, "pending", "reports")
    assert run.tags == {"schedule": "nightly"}
    assert run.idempotency_key == f"schedule:nightly:{spelled(tick)}"
    row = ScheduleTick.objects.get()
    assert (row.at, row.kind, row.outcome, row.run_status) == (tick, "time", "started", "")
    assert row.execution_id == run.pk
    after = now_of(schedule)
    assert (after.last_at, after.next_at, after.due_at) == (tick, tick + days(1), tick + days(1))


def test_the_queue_the_priority_and_the_timeout_are_those_of_the_workflow():
    schedule = declared(Every(hours(1)), queue="slow", priority=7, timeout=hours(2))
    tick = fire(schedule)
    (run,) = runs()
    assert (run.queue, run.priority) == ("slow", 7)
    assert run.timeout_at >= tick + hours(2)


def test_nothing_is_fired_before_its_time_or_twice():
    schedule = declared(Every(hours(1)))
    at_next(schedule, -timedelta(seconds=5))
    assert not firing.fire_due(None)
    fire(schedule)
    assert not firing.fire_due(None)
    assert len(runs()) == 1


def test_the_input_is_the_declared_one_or_what_the_function_says_of_the_local_time():
    given = []

    def of(tick):
        given.append(tick)
        return {"day": tick.date()}

    declared(
        Cron("30 23 * * *", timezone="America/New_York", name="late", input=of),
        Cron("0 4 * * *", timezone="UTC", name="early", input={"day": date(2026, 1, 1)}),
    )
    for name in ("late", "early"):
        fire(Schedule.objects.get(name=name), minutes(0))
    by_name = {run.tags["schedule"]: run.input["day"] for run in runs()}
    assert by_name["early"] == date(2026, 1, 1)
    assert by_name["late"] == given[0].date()
    assert (given[0].tzinfo, given[0].hour) == (ZoneInfo("America/New_York"), 23)


def test_ticks_follow_the_calendar_and_not_the_time_at_which_they_are_fired():
    schedule = declared(Every(minutes(10)))
    first = fire(schedule, later=seconds(50))
    end_runs()
    assert fire(schedule, later=seconds(3)) == first + minutes(10)
    assert now_of(schedule).next_at == first + minutes(20)


def test_ticks_that_were_missed_leave_one_row():
    schedule = declared(Every(hours(1)))
    first = at_next(schedule, later=hours(5) + minutes(5))
    assert firing.fire_due(None)
    assert told(schedule) == [(first, "missed"), (first + hours(5), "started")]
    row = ScheduleTick.objects.get(outcome="missed")
    assert row.detail == f"until {spelled(first + hours(4))}"
    assert now_of(schedule).last_at == first + hours(5)


def test_all_that_were_missed_are_started_a_hundred_a_transaction():
    schedule = declared(Every(minutes(1), catch_up="all", overlap="allow"))
    first = at_next(schedule, later=minutes(250))
    counts = []
    while firing.fire_due(None):
        counts.append(len(runs()))
    assert counts == [100, 200, 251]
    assert [run.scheduled_at for run in runs()] == [first + n * minutes(1) for n in range(251)]


def test_a_clock_that_is_set_back_repeats_no_tick():
    schedule = declared(Every(minutes(10)))
    tick = fire(schedule)
    end_runs()
    set_time(tick - hours(3))
    assert not firing.fire_due(None)
    schedules.disable(schedule.pk, "", None)
    schedules.enable(schedule.pk, "", None)
    while now_of(schedule).next_at <= tick:
        fire(schedule)
        end_runs()
    assert [at for at, _ in told(schedule)].count(tick) == 1
    assert [run.scheduled_at for run in runs()].count(tick) == 1


def test_a_tick_that_was_filled_in_before_it_came_is_not_started_again():
    schedule = declared(Every(minutes(10)))
    tick = at_next(schedule, later=seconds(1))
    schedules.backfill(schedule.pk, tick, clock.now(), 10, "", None)
    assert firing.fire_due(None)
    assert told(schedule) == [(tick, "started")]
    assert len(runs()) == 1
    assert now_of(schedule).next_at == tick + minutes(10)


def test_a_schedule_that_is_deleted_and_made_anew_starts_no_run_twice():
    schedule = declared(Every(minutes(10)))
    tick = fire(schedule)
    Schedule.objects.all().delete()
    set_time(tick - minutes(1))
    synchronising.synchronise()
    again = Schedule.objects.get()
    assert fire(again) == tick
    assert [run.pk for run in runs()] == [ScheduleTick.objects.get().execution_id]


# -- in spring and in autumn -----------------------------------------------------------------


def test_a_time_that_the_clocks_skip_fires_once_at_the_first_valid_instant():
    set_time(utc(2027, 3, 13, 12))
    schedule = declared(Cron("30 2 * * *", timezone="America/New_York"))
    found = []
    for _ in range(3):
        found.append(fire(schedule))
        end_runs()
    assert found == [utc(2027, 3, 14, 7), utc(2027, 3, 15, 6, 30), utc(2027, 3, 16, 6, 30)]


def test_a_time_that_comes_twice_fires_once():
    set_time(utc(2027, 11, 6, 12))
    schedule = declared(Cron("30 1 * * *", timezone="America/New_York"))
    found = [fire(schedule)]
    end_runs()
    found.append(fire(schedule))
    assert found == [utc(2027, 11, 7, 5, 30), utc(2027, 11, 8, 6, 30)]


# -- two at once -----------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_of_workers_that_fire_at_the_same_moment_one_does():
    # race: one-tick-one-run
    schedule = declared(Every(hours(1), overlap="allow"), Every(hours(1), name="b"))
    tick = at_next(schedule)
    workers = [make_worker(f"host-{n}") for n in range(4)]
    found = at_once(*[lambda pk=pk: firing.fire_due(pk) for pk in workers])
    assert all(isinstance(did, bool) for did in found), found
    assert [run.scheduled_at for run in runs()] == [tick, tick]
    assert ScheduleTick.objects.count() == 2


def test_what_changed_since_it_was_looked_at_is_not_fired(monkeypatch):
    schedule = declared(Every(hours(1)))
    at_next(schedule)
    prepared = firing.prepared_or_why

    def decide_meanwhile(*args):
        schedules.disable(schedule.pk, "", None)
        return prepared(*args)

    monkeypatch.setattr(firing, "prepared_or_why", decide_meanwhile)
    assert not firing.fire_due(None)
    assert runs() == []
    assert not now_of(schedule).enabled


# -- what it costs ---------------------------------------------------------------------------


def make_a_thousand():
    """The first is due in an hour; that time."""
    now = clock.now()
    make_report()
    Schedule.objects.bulk_create(
        Schedule(
            workflow_name=NAME,
            name=str(n),
            source="people",
            interval_seconds=3600.0,
            catch_up_seconds=1.0,
            enabled_at=now,
            created_at=now,
            next_at=now + hours(1),
            due_at=now + hours(1 + n),
        )
        for n in range(1_000)
    )
    return now + hours(1)


def test_a_thousand_schedules_cost_an_idle_worker_one_statement():
    first = make_a_thousand()
    with CaptureQueriesContext(connection) as asked:
        assert waking.outlook().fires_at == first
    assert len(asked) == 1


def test_the_outlook_reads_no_ticks_but_open_ones_and_no_schedules_but_due_ones():
    make_a_thousand()
    with CaptureQueriesContext(connection) as asked:
        waking.outlook()
    sql = asked.captured_queries[0]["sql"]
    explain = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE durable_django_schedule")
        cursor.execute(explain + sql)
        plan = "\n".join(str(line) for line in cursor.fetchall())
    wanted = {"durable_schedule_due", "durable_schedule_queued", "durable_tick_open"}
    if connection.vendor == "postgresql":
        wanted = {"durable_schedule_due"}  # of what is empty each index is as good
    assert {index for index in wanted if index in plan} == wanted, plan
