"""Triggering and back-filling: runs that somebody asks a schedule for."""

from datetime import UTC, datetime, timedelta

import pytest

import durable_django as durable
from durable_django import Every, hours
from durable_django.models import AuditEntry, Schedule, ScheduleTick
from durable_django.store import clock, firing, overlapping

from .store.rows import at_once
from .store.scheduled import at_next, declared, end_runs, fire, outcomes, past, runs

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_other_workflows")]

HOURLY = Every(hours(1), name="hourly")
START = datetime(2026, 3, 2, tzinfo=UTC)


def test_a_trigger_starts_a_run_with_another_input():
    schedule = declared(Every(hours(1), input=lambda tick: {"day": tick.date()}))
    durable.disable_schedule(schedule)
    plain = durable.trigger_schedule(schedule, by="ada", reason="now")
    other = durable.trigger_schedule(schedule, {"day": None})
    assert (other.input, plain.input) == ({"day": None}, {"day": clock.now().date()})
    assert plain.tags == other.tags == {"schedule": "default"}
    ticks = ScheduleTick.objects.order_by("id")
    assert [run.idempotency_key for run in (plain, other)] == [
        f"schedule:default:trigger:{tick.pk}" for tick in ticks
    ]
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


def test_what_one_of_the_same_name_has_started_is_not_filled_in_again():
    """It was deleted, and made anew: its ticks are gone, its runs are not."""
    schedule = declared(HOURLY)
    durable.backfill_schedule(schedule, past(3), past(1))
    Schedule.objects.all().delete()
    again = declared(HOURLY)
    assert durable.preview_backfill(again, past(4), past(0)) == [past(4), past(1)]
    ids = durable.backfill_schedule(again, past(4), past(0), by="ada")
    assert [run.scheduled_at for run in runs() if run.pk in ids] == [past(4), past(1)]
    assert (len(runs()), ScheduleTick.objects.count()) == (4, 2)
    assert AuditEntry.objects.get(verb="backfill", by="ada").detail["count"] == 2
    assert durable.preview_backfill(again, past(4), past(0)) == []
    assert durable.backfill_schedule(again, past(4), past(0)) == []


def test_a_run_that_appears_meanwhile_is_not_told_as_one_that_was_filled_in(monkeypatch):
    schedule = declared(HOURLY)
    durable.backfill_schedule(schedule, past(2), past(1))
    Schedule.objects.all().delete()
    again = declared(HOURLY)
    monkeypatch.setattr(overlapping, "with_run", lambda schedule, times: set())
    (pk,) = durable.backfill_schedule(again, past(2), past(0))
    assert [run.pk for run in runs()][-1] == pk
    assert outcomes(again) == ["started", "started"]


# -- what was missed -------------------------------------------------------------------------


def told_of_missed(schedule):
    rows = ScheduleTick.objects.filter(schedule=schedule).order_by("at")
    return [(row.at, row.kind, row.outcome, row.detail) for row in rows]


def missed(hours_missed):
    """A schedule, and so many times of it that were missed."""
    schedule = declared(Every(hours(1), catch_up="none"))
    first = at_next(schedule, later=hours(hours_missed - 1) + timedelta(minutes=5))
    firing.fire_due(None)
    return schedule, [first + hours(n) for n in range(hours_missed)]


def test_the_rest_of_what_was_missed_is_told_when_its_beginning_is_filled_in():
    schedule, times = missed(5)
    until = f"until {times[4].isoformat()}"
    assert told_of_missed(schedule) == [(times[0], "time", "missed", until)]
    durable.backfill_schedule(schedule, times[0], times[2])
    assert told_of_missed(schedule) == [
        (times[0], "backfill", "started", ""),
        (times[1], "backfill", "started", ""),
        (times[2], "time", "missed", until),
    ]
    assert outcomes(schedule) == ["missed", "started", "started"], "told in this order"
    durable.backfill_schedule(schedule, times[3], times[4])
    durable.backfill_schedule(schedule, times[2], times[3])
    assert told_of_missed(schedule)[2:] == [
        (times[2], "backfill", "started", ""),
        (times[3], "backfill", "started", ""),
        (times[4], "time", "missed", ""),
    ]
    durable.backfill_schedule(schedule, times[0], clock.now())
    assert {row[1:] for row in told_of_missed(schedule)} == {("backfill", "started", "")}
    assert sorted(run.scheduled_at for run in runs()) == times


def test_what_was_missed_is_told_of_no_time_that_has_a_run():
    schedule, times = missed(4)
    durable.backfill_schedule(schedule, times[1], times[3])
    durable.backfill_schedule(schedule, times[0], times[1])
    assert told_of_missed(schedule)[-1] == (times[3], "time", "missed", "")
    assert len(runs()) == 3


def test_what_is_filled_in_before_anybody_comes_leaves_the_rest_missed():
    schedule = declared(Every(hours(1), catch_up="none"))
    first = at_next(schedule, later=hours(4) + timedelta(minutes=5))
    durable.backfill_schedule(schedule, first, first + hours(2))
    assert firing.fire_due(None)
    assert told_of_missed(schedule)[2:] == [
        (first + hours(2), "time", "missed", f"until {(first + hours(4)).isoformat()}")
    ]


def test_several_that_were_missed_in_a_row_are_told_apart():
    schedule, times = missed(3)
    clock.advance(hours(3))
    firing.fire_due(None)
    later = [at + hours(3) for at in times]
    durable.backfill_schedule(schedule, times[0], later[1])
    assert [row[:3] for row in told_of_missed(schedule) if row[2] == "missed"] == [
        (later[1], "time", "missed")
    ]
    assert told_of_missed(schedule)[-1][3] == f"until {later[2].isoformat()}"


def test_the_reason_of_a_failed_tick_is_gone_when_it_is_filled_in():
    bad = [object()]
    schedule = declared(Every(hours(1), input=lambda tick: {"bad": bad}))
    tick = fire(schedule)
    assert "NotSerializable" in ScheduleTick.objects.get().detail
    bad.clear()
    durable.backfill_schedule(schedule, tick, clock.now())
    assert told_of_missed(schedule) == [(tick, "backfill", "started", "")]


# -- what cannot be --------------------------------------------------------------------------


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
