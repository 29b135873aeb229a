"""Triggering and back-filling: runs that somebody asks a schedule for."""

from datetime import UTC, datetime, timedelta

import pytest

import durable_django as durable
from durable_django import Every, hours
from durable_django.definition import registry
from durable_django.models import AuditEntry, ScheduleTick
from durable_django.store import clock, firing, timetable

from .store.rows import at_once
from .store.scheduled import declared, end_runs, fire, outcomes, past, runs

pytestmark = pytest.mark.django_db

HOURLY = Every(hours(1), name="hourly")
START = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _isolated():
    with registry.isolate():
        registry._classes.clear()  # the example project has schedules, too
        yield
    clock.reset()
    timetable.forget()


def test_a_trigger_starts_a_run_with_another_input():
    schedule = declared(Every(hours(1), input=lambda tick: {"day": tick.date()}))
    durable.disable_schedule(schedule)
    plain = durable.trigger_schedule(schedule, by="ada", reason="now")
    other = durable.trigger_schedule(schedule, {"day": None})
    assert (other.input, plain.input) == ({"day": None}, {"day": clock.now().date()})
    assert (plain.idempotency_key, plain.tags) == (None, {"schedule": "default"})
    ticks = ScheduleTick.objects.order_by("id")
    assert [(tick.kind, tick.execution_id) for tick in ticks] == [
        ("trigger", plain.pk),
        ("trigger", other.pk),
    ]
    entry = AuditEntry.objects.filter(verb="trigger").order_by("id").first()
    assert (entry.by, entry.reason, entry.detail) == ("ada", "now", {"execution": plain.pk})


def test_an_input_that_raises_is_raised_to_who_triggers():
    def broken(tick):
        raise ZeroDivisionError("no such day")

    schedule = declared(Every(hours(1), input=broken))
    with pytest.raises(ZeroDivisionError, match="no such day"):
        durable.trigger_schedule(schedule)
    assert not ScheduleTick.objects.exists()


def test_a_range_is_filled_in_without_its_end_and_repeating_it_makes_no_duplicates():
    schedule = declared(Every(hours(1), input=lambda tick: {"hour": tick.hour}))
    start, end = past(6), past(3)
    times = [start, start + hours(1), start + hours(2)]
    assert durable.preview_backfill(schedule, start, end) == times
    ids = durable.backfill_schedule(schedule, start, end, by="ada")
    assert [run.pk for run in runs()] == ids
    assert [(run.scheduled_at, run.input["hour"]) for run in runs()] == [
        (at, at.hour) for at in times
    ]
    assert durable.backfill_schedule(schedule, start, end) == []
    assert len(durable.backfill_schedule(schedule, start, end + hours(1))) == 1
    assert {tick.kind for tick in ScheduleTick.objects.all()} == {"backfill"}
    detail = AuditEntry.objects.filter(verb="backfill").order_by("id").first().detail
    assert detail == {"start": start, "end": end, "count": 3}


def test_what_was_missed_left_out_or_failed_is_filled_in_and_what_was_started_is_not():
    bad = []
    schedule = declared(Every(hours(1), input=lambda tick: {"bad": bad}))
    first = fire(schedule)
    fire(schedule)
    end_runs()
    bad.append(object())
    fire(schedule)
    assert outcomes(schedule) == ["started", "skipped", "failed"]
    bad.clear()
    clock.advance(hours(4) + timedelta(minutes=5))
    firing.fire_due(None)
    found = durable.preview_backfill(schedule, first, clock.now())
    ids = durable.backfill_schedule(schedule, first, clock.now())
    assert len(ids) == len(found) == 5
    assert first not in found
    assert sorted(run.scheduled_at for run in runs()) == [first + hours(n) for n in range(7)]
    assert durable.backfill_schedule(schedule, first, clock.now()) == []


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (START, START, "end must be after start"),
        (START, START + timedelta(days=36_500), "end is in the future"),
        (START, datetime(2026, 3, 3), "end must be an aware datetime"),  # noqa: DTZ001
        ("yesterday", START, "start must be an aware datetime"),
        (START, START + hours(1_001), "1,001 ticks are without a run between them; at most 1,000"),
        (START - hours(200_000), START, "more than 100,000 ticks"),
    ],
)
def test_a_range_that_is_none_or_too_long_is_told(start, end, message):
    schedule = declared(HOURLY)
    for act in (durable.preview_backfill, durable.backfill_schedule):
        with pytest.raises(ValueError, match=message):
            act(schedule, start, end)
    assert runs() == []


def test_an_input_that_raises_for_one_time_fills_in_none():
    def odd(tick):
        if tick.hour % 2:
            raise ZeroDivisionError("odd")
        return {}

    schedule = declared(Every(hours(1), input=odd))
    with pytest.raises(ZeroDivisionError):
        durable.backfill_schedule(schedule, past(6), past(3))
    assert (runs(), ScheduleTick.objects.count()) == ([], 0)


@pytest.mark.django_db(transaction=True)
def test_two_that_fill_in_the_same_range_at_the_same_moment_start_each_run_once():
    # race: filled-in-twice
    schedule = declared(HOURLY)
    start, end = past(5), past(0)
    found = at_once(*[lambda: durable.backfill_schedule(schedule, start, end)] * 3)
    assert sorted(len(ids) for ids in found) == [0, 0, 5], found
    assert len(runs()) == ScheduleTick.objects.count() == 5
