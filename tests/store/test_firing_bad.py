"""Schedules that cannot be fired, and runs that fail: each says why, and none stops another."""

import pytest
from django.db import connection

from durable_django import Cron, Every, hours, minutes, seconds
from durable_django.definition import registry
from durable_django.models import AuditEntry, Execution, Schedule, ScheduleTick
from durable_django.store import clock, firing, schedules, starting, waking

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
    told,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_other_workflows")]


def broken(tick):
    raise ZeroDivisionError("no such day")


def test_an_input_that_raises_is_told_and_the_next_tick_is_tried():
    answers = iter([broken, lambda tick: {"n": 1}])
    schedule = declared(Every(minutes(10), input=lambda tick: next(answers)(tick)))
    tick = fire(schedule)
    row = ScheduleTick.objects.get()
    assert (row.outcome, row.detail) == ("failed", "ZeroDivisionError: no such day")
    after = now_of(schedule)
    assert (after.error, after.next_at) == ("ZeroDivisionError: no such day", tick + minutes(10))
    fire(schedule)
    assert outcomes(schedule) == ["failed", "started"]
    assert now_of(schedule).error == ""


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (lambda tick: {"model": object()}, "NotSerializable"),
        (lambda tick: exit(3), "SystemExit"),
        (lambda tick: Execution.objects.get(pk=7), "DoesNotExist"),
        (lambda tick: connection.cursor().execute("no SQL"), "Error"),
        (lambda tick: "x" * 2_000_000, "PayloadTooLarge"),
    ],
)
def test_whatever_an_input_does_the_others_are_fired(given, error):
    bad = declared(Every(minutes(10), name="bad", input=given), Every(minutes(10), name="good"))
    fire(bad)
    firing.fire_due(None)
    assert outcomes(bad) == ["failed"]
    assert error in now_of(bad).error
    assert outcomes(Schedule.objects.get(name="good")) == ["started"]


def test_a_queue_that_no_longer_exists_is_told(settings):
    schedule = declared(Every(minutes(10), queue="gone"))
    settings.DURABLE = {**settings.DURABLE, "QUEUES": {"high": {}}}
    fire(schedule)
    assert outcomes(schedule) == ["failed"]
    assert "QueueNotFound" in now_of(schedule).error


def test_a_calendar_that_this_machine_cannot_read_is_tried_again_in_a_minute():
    bad = declared(Cron("0 9 * * *", timezone="UTC", name="bad"), Every(hours(1), name="good"))
    Schedule.objects.filter(pk=bad.pk).update(timezone="Mars/Olympus")
    good = Schedule.objects.get(name="good")
    tick = at_next(bad, later=hours(1))
    assert firing.fire_due(None)
    assert "started" in outcomes(good)
    after = now_of(bad)
    assert "Mars/Olympus" in after.error
    assert after.next_at == tick
    assert seconds(55) < after.due_at - clock.now() <= seconds(60)
    assert not firing.fire_due(None)
    Schedule.objects.filter(pk=bad.pk).update(timezone="UTC")
    clock.advance(seconds(61))
    assert firing.fire_due(None)
    assert told(bad) == [(tick, "started")]
    assert now_of(bad).error == ""


def test_a_defect_met_while_firing_puts_one_off_and_fires_the_others(monkeypatch):
    bad = declared(Every(minutes(10), name="bad"), Every(minutes(10), name="good"))
    insert = starting.insert

    def refuse(options, *args, **more):
        if options.tags == {"schedule": "bad"}:
            raise RuntimeError("a defect")
        return insert(options, *args, **more)

    monkeypatch.setattr(starting, "insert", refuse)
    tick = fire(bad)
    assert outcomes(Schedule.objects.get(name="good")) == ["started"]
    assert (now_of(bad).error, now_of(bad).next_at) == ("RuntimeError: a defect", tick)
    assert not firing.fire_due(None)
    monkeypatch.undo()
    clock.advance(seconds(61))
    assert firing.fire_due(None)
    assert (tick, "started") in told(bad)


def test_a_workflow_that_this_process_does_not_have_is_left_to_others():
    with registry.isolate():
        schedule = declared(Every(minutes(10)))
    at_next(schedule)
    assert not firing.fire_due(None)
    assert waking.outlook().fires_at is None
    make_report(Every(minutes(10)))
    assert waking.outlook().fires_at == schedule.next_at
    assert firing.fire_due(None)


def test_an_input_that_is_in_newer_code_is_left_to_workers_that_have_it():
    with registry.isolate():
        schedule = declared(Every(minutes(10), input=lambda tick: {"n": 1}))
    make_report()
    at_next(schedule)
    assert waking.outlook().fires_at is not None
    assert not firing.fire_due(None)
    assert waking.outlook().fires_at is None, "it is looked at again in a minute, not at once"
    assert (runs(), now_of(schedule).error) == ([], "")


# -- what stays told --------------------------------------------------------------------------


def cannot_be_read(schedule):
    row = Schedule.objects.filter(pk=schedule.pk)
    row.update(timezone="Mars/Olympus", next_at=None, due_at=None, error="no such zone")


def test_why_it_cannot_be_fired_stays_told_whatever_somebody_triggers():
    schedule = declared(Cron("0 9 * * *", timezone="UTC"))
    cannot_be_read(schedule)
    schedules.trigger(schedule.pk, {"n": 1}, "", None)
    assert now_of(schedule).error == "no such zone"


def test_why_it_cannot_be_fired_stays_told_whatever_somebody_fills_in():
    schedule = declared(Every(hours(1)))
    Schedule.objects.filter(pk=schedule.pk).update(error="a defect")
    assert schedules.backfill(schedule.pk, past(2), past(0), 10, "", None)
    assert now_of(schedule).error == "a defect"


@pytest.mark.parametrize("has_next", [True, False])
def test_what_waited_and_begins_says_nothing_of_a_calendar_that_cannot_be_read(has_next):
    schedule = declared(Cron("0 9 * * *", timezone="UTC", overlap="queue_one"))
    fire(schedule)
    fire(schedule)
    if not has_next:
        cannot_be_read(schedule)
    Schedule.objects.update(error="no such zone")
    end_runs()
    assert firing.fire_queued(None)
    assert outcomes(schedule) == ["started", "started"]
    assert now_of(schedule).error == ("" if has_next else "no such zone")


@pytest.mark.parametrize("good_last", [True, False])
def test_of_ticks_that_are_fired_together_the_last_one_says_whether_it_could_be(good_last):
    first, second = (broken, lambda tick: {}) if good_last else (lambda tick: {}, broken)
    answers = iter([first, second])
    schedule = declared(
        Every(minutes(10), overlap="allow", catch_up="all", input=lambda tick: next(answers)(tick))
    )
    fire(schedule, later=minutes(10))
    assert sorted(outcomes(schedule)) == ["failed", "started"]
    assert (now_of(schedule).error == "") is good_last


# -- off by failures -------------------------------------------------------------------------


def test_so_many_failures_in_a_row_switch_it_off():
    schedule = declared(Every(minutes(10), disable_after=2))
    for status in ("failed", "completed", "failed", "compensated"):
        fire(schedule)
        end_runs(status)
    assert now_of(schedule).enabled
    fire(schedule)
    after = now_of(schedule)
    assert (after.enabled, after.next_at, after.due_at) == (False, None, None)
    assert after.disabled_reason == "2 runs in a row failed"
    assert len(runs()) == 4
    entry = AuditEntry.objects.get(schedule=schedule.key)
    assert (entry.verb, entry.by, entry.reason) == ("disable", "", "2 runs in a row failed")
    assert entry.detail == {"failures": 2}


def test_failures_are_counted_anew_once_it_is_switched_on():
    schedule = declared(Every(minutes(10), disable_after=1))
    fire(schedule)
    end_runs("failed")
    fire(schedule)
    assert now_of(schedule).disabled_reason == "its run failed"
    clock.advance(hours(1))
    assert schedules.enable(schedule.pk, "mended", "ada").disabled_reason == ""
    fire(schedule)
    assert now_of(schedule).enabled
    assert outcomes(schedule) == ["started", "started"]


@pytest.mark.parametrize("status", ["completed", "cancelled"])
def test_what_is_cancelled_or_completes_is_no_failure(status):
    schedule = declared(Every(minutes(10), disable_after=1))
    fire(schedule)
    end_runs(status)
    fire(schedule)
    assert now_of(schedule).enabled


def test_a_tick_that_could_not_be_started_is_a_failure():
    schedule = declared(Every(minutes(10), input=broken, disable_after=2))
    for _ in range(3):
        fire(schedule)
    assert outcomes(schedule) == ["failed", "failed"]
    assert not now_of(schedule).enabled
