"""Overlaps: what a tick does while a run of an earlier one has not ended."""

from datetime import timedelta

import pytest

from durable_django import Every, hours, minutes
from durable_django.models import AuditEntry, Execution, Schedule, ScheduleTick
from durable_django.store import clock, firing, schedules, synchronising, timetable, waking
from durable_django.store.transactions import lock_execution

from .rows import OpenTransaction, at_once, make_worker
from .scheduled import (
    at_next,
    declared,
    end_runs,
    fire,
    make_report,
    now_of,
    outcomes,
    runs,
    told,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_other_workflows")]

EVERY = hours(1)


def one(overlap, **options):
    return declared(Every(EVERY, overlap=overlap, **options))


def statuses():
    return [run.status for run in runs()]


# -- skip and allow --------------------------------------------------------------------------


def test_skip_leaves_ticks_out_until_the_run_has_ended():
    schedule = one("skip")
    fire(schedule)
    fire(schedule)
    fire(schedule)
    end_runs("failed")
    fire(schedule)
    assert outcomes(schedule) == ["started", "skipped", "skipped", "started"]
    assert list(ScheduleTick.objects.order_by("id").values_list("run_status", flat=True)) == [
        "failed",
        "",
        "",
        "",
    ]


def test_allow_starts_each_beside_the_others():
    schedule = one("allow")
    for _ in range(3):
        fire(schedule)
    assert statuses() == ["pending"] * 3


@pytest.mark.parametrize("status", ["waiting", "compensating"])
def test_a_run_that_waits_or_is_undone_has_not_ended(status):
    schedule = one("skip")
    fire(schedule)
    Execution.objects.update(status=status)
    fire(schedule)
    assert outcomes(schedule) == ["started", "skipped"]


def test_a_run_that_is_gone_has_ended():
    schedule = one("skip")
    fire(schedule)
    Execution.objects.all().delete()
    fire(schedule)
    assert outcomes(schedule) == ["started", "started"]
    assert ScheduleTick.objects.order_by("id").first().run_status == "gone"


def test_of_several_that_are_due_together_skip_starts_the_first():
    schedule = declared(Every(10, overlap="skip"))
    first = at_next(schedule, later=timedelta(seconds=25))
    firing.fire_due(None)
    assert told(schedule) == [
        (first, "started"),
        (first + timedelta(seconds=10), "skipped"),
        (first + timedelta(seconds=20), "skipped"),
    ]


# -- queue_one -------------------------------------------------------------------------------


def test_queue_one_keeps_the_first_that_waits_and_leaves_the_others_out():
    schedule = one("queue_one")
    fire(schedule)
    waiting = fire(schedule)
    fire(schedule)
    assert outcomes(schedule) == ["started", "queued", "skipped"]
    assert now_of(schedule).queued_at == waiting
    assert not firing.fire_queued(None)
    assert not waking.outlook().is_free


def test_what_waits_begins_when_the_run_before_it_has_ended():
    schedule = one("queue_one")
    fire(schedule)
    waiting = fire(schedule)
    end_runs()
    assert waking.outlook().is_free
    assert firing.fire_queued(None)
    assert outcomes(schedule) == ["started", "started"]
    assert [run.scheduled_at for run in runs()][-1] == waiting
    assert now_of(schedule).queued_at is None
    assert not firing.fire_queued(None)
    assert not waking.outlook().is_free


def test_a_tick_that_comes_when_one_that_waits_can_begin_waits_behind_it():
    schedule = one("queue_one")
    fire(schedule)
    second = fire(schedule)
    end_runs()
    third = fire(schedule)
    assert [run.scheduled_at for run in runs()][-1] == second
    assert (outcomes(schedule), now_of(schedule).queued_at) == (
        ["started", "started", "queued"],
        third,
    )


def test_a_tick_that_waits_and_cannot_be_started_is_told():
    answers = iter([{"n": 1}, {"n": 2}, object()])
    schedule = one("queue_one", input=lambda tick: next(answers))
    fire(schedule)
    fire(schedule)
    end_runs()
    firing.fire_queued(None)
    assert outcomes(schedule) == ["started", "failed"]
    assert "NotSerializable" in now_of(schedule).error
    assert now_of(schedule).queued_at is None


def test_those_whose_run_goes_on_keep_no_other_from_its_turn_and_are_asked_for_nothing(
    monkeypatch,
):
    asked = []
    names = "abcd"
    entries = [
        Every(EVERY, overlap="queue_one", name=name, input=lambda tick, n=name: asked.append(n))
        for name in names
    ]
    declared(*entries)
    rows = [Schedule.objects.get(name=name) for name in names]
    for _ in range(2):
        at_next(rows[0])
        firing.fire_due(None)
    assert [outcomes(row) for row in rows] == [["started", "queued"]] * 4
    Execution.objects.filter(tags={"schedule": "d"}).update(
        status="completed", finished_at=clock.now()
    )
    asked.clear()
    monkeypatch.setattr(timetable, "BATCH", 2)
    assert firing.fire_queued(None)
    assert not firing.fire_queued(None)
    assert asked == ["d"]
    assert [now_of(row).queued_at is None for row in rows] == [False, False, False, True]


@pytest.mark.parametrize("retires", [True, False])
def test_what_waits_is_left_out_when_the_schedule_is_switched_off_or_retired(retires):
    schedule = one("queue_one")
    fire(schedule)
    fire(schedule)
    if retires:
        make_report()
        synchronising.synchronise()
    else:
        schedules.disable(schedule.pk, "", None)
    end_runs()
    assert not firing.fire_queued(None)
    assert outcomes(schedule) == ["started", "skipped"]
    row = ScheduleTick.objects.order_by("-id").first()
    assert row.detail == (
        "the schedule is no longer declared" if retires else "the schedule was switched off"
    )
    assert now_of(schedule).queued_at is None


def test_failures_are_counted_before_what_waits_is_begun():
    schedule = one("queue_one", disable_after=1)
    fire(schedule)
    fire(schedule)
    end_runs("failed")
    assert firing.fire_queued(None)
    after = now_of(schedule)
    assert (after.enabled, after.queued_at, outcomes(schedule)) == (
        False,
        None,
        ["started", "skipped"],
    )


@pytest.mark.django_db(transaction=True)
def test_what_waits_is_begun_once_by_workers_at_the_same_moment():
    schedule = one("queue_one")
    fire(schedule)
    fire(schedule)
    end_runs()
    workers = [make_worker(f"host-{n}") for n in range(4)]
    at_once(*[lambda pk=pk: firing.fire_queued(pk) for pk in workers])
    assert len(runs()) == 2
    assert outcomes(schedule) == ["started", "started"]


def test_a_tick_that_another_worker_fires_meanwhile_is_not_taken_for_the_next(monkeypatch):
    # race: due-no-more
    schedule = one("queue_one")
    fire(schedule)
    fire(schedule)
    end_runs()
    begin = firing._begin_queued

    def be_overtaken(worker_id, pk):
        monkeypatch.undo()
        return begin(worker_id, pk) and firing.fire_due(None)

    monkeypatch.setattr(firing, "_begin_queued", be_overtaken)
    third = at_next(schedule)
    firing.fire_due(None)
    assert outcomes(schedule) == ["started", "started", "queued"]
    assert now_of(schedule).next_at == third + EVERY


# -- cancel_previous -------------------------------------------------------------------------


def test_cancel_previous_ends_the_run_and_starts_another():
    schedule = one("cancel_previous")
    fire(schedule)
    fire(schedule)
    assert statuses() == ["cancelled", "pending"]
    assert outcomes(schedule) == ["started", "started"]
    old = runs()[0]
    assert old.reason == f"the next tick of {schedule.key} came"
    entry = AuditEntry.objects.get(execution=old)
    assert (entry.verb, entry.by) == ("cancel", "")
    assert entry.detail == {"compensate": False, "schedule": schedule.key}
    fire(schedule)
    assert ScheduleTick.objects.order_by("id").first().run_status == "cancelled"


def test_of_several_that_are_due_together_the_last_is_started():
    schedule = declared(Every(10, overlap="cancel_previous"))
    at_next(schedule, later=timedelta(seconds=25))
    firing.fire_due(None)
    assert outcomes(schedule) == ["skipped", "skipped", "started"]
    assert ScheduleTick.objects.order_by("id").first().detail == "a later tick came with it"
    assert statuses() == ["pending"]


def test_a_run_that_is_being_undone_goes_on_beside_the_next():
    schedule = one("cancel_previous")
    fire(schedule)
    Execution.objects.update(status="compensating")
    fire(schedule)
    assert statuses() == ["compensating", "pending"]


def test_what_cannot_be_started_cancels_nothing():
    answers = iter([{"n": 1}, object()])
    schedule = one("cancel_previous", input=lambda tick: next(answers))
    fire(schedule)
    fire(schedule)
    assert statuses() == ["pending"]
    assert outcomes(schedule) == ["started", "failed"]


@pytest.mark.django_db(transaction=True)
def test_a_run_that_somebody_holds_is_waited_for_by_its_schedule_alone():
    """His transaction may be long: the other schedules do not wait."""
    from durable_django.store.transactions import has_row_locks

    if not has_row_locks():
        return  # SQLite has one lock for all, which lasts as long as a transaction
    schedule = declared(
        Every(EVERY, overlap="cancel_previous"), Every(EVERY, overlap="allow", name="other")
    )
    tick = fire(schedule)
    held = next(run for run in runs() if run.tags["schedule"] == schedule.name)
    at_next(schedule)
    with OpenTransaction(lambda: lock_execution(held.pk)):
        assert firing.fire_due(make_worker())
        assert now_of(schedule).last_at == tick
        assert len(runs()) == 3
    assert firing.fire_due(make_worker())
    assert now_of(schedule).last_at == tick + EVERY


# -- triggered and filled in -----------------------------------------------------------------


def test_a_triggered_run_counts_for_the_overlap_of_the_next_tick():
    schedule = one("skip")
    schedules.trigger(schedule.pk, {"n": 1}, "", None)
    fire(schedule)
    assert outcomes(schedule) == ["started", "skipped"]


def test_a_triggered_run_starts_whatever_else_runs():
    schedule = one("skip")
    fire(schedule)
    schedules.trigger(schedule.pk, {"n": 1}, "", None)
    schedules.trigger(schedule.pk, {"n": 2}, "", None)
    assert statuses() == ["pending"] * 3


def test_old_ticks_are_deleted_but_for_the_latest_hundred_and_those_that_are_open():
    from durable_django.store import ticks

    schedule = declared(Every(60, overlap="allow"))
    first = at_next(schedule)
    long_ago = clock.now() - timedelta(days=91)
    run = fire(schedule) and runs()[0]
    ScheduleTick.objects.update(created_at=long_ago)
    ScheduleTick.objects.bulk_create(
        ScheduleTick(
            schedule=schedule,
            kind="time",
            at=first + n * minutes(1),
            outcome="skipped",
            created_at=long_ago,
        )
        for n in range(1, 151)
    )
    assert ticks.prune() == 0
    left = ScheduleTick.objects.order_by("id")
    assert (left.count(), left[0].execution_id) == (101, run.pk)
    ScheduleTick.objects.update(created_at=clock.now())
    ticks.prune()
    assert ScheduleTick.objects.count() == 101
