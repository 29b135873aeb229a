"""Schedules as people call them: arguments are judged, decisions are told, the caller's transaction
decides."""

import inspect
from datetime import UTC, datetime, timedelta

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import transaction

import durable_django as durable
from durable_django import Cron, Every, InvalidState, ScheduleNotFound, Workflow, hours, step
from durable_django import schedules as api
from durable_django.definition import registry
from durable_django.models import AuditEntry, Execution, Schedule, ScheduleTick
from durable_django.store import clock, firing

from .store.scheduled import NAME, end_runs, fire, make_report, now_of, outcomes, past, runs

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_other_workflows")]

HOURLY = Every(hours(1), name="hourly")
START = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def report():
    return make_report()


def told(schedule):
    rows = AuditEntry.objects.filter(schedule=schedule.key).order_by("id")
    return [(row.verb, row.by, row.reason) for row in rows]


def make_declared(*entries):
    make_report(*(entries or (HOURLY,)))
    durable.sync_schedules()
    return Schedule.objects.get(name=(entries or (HOURLY,))[0].name)


# -- finding ---------------------------------------------------------------------------------


def test_a_schedule_is_found_by_row_id_key_or_its_workflow(report):
    made = durable.create_schedule(report, HOURLY)
    for like in (made, made.pk, made.key, NAME, report):
        assert durable.get_schedule(like) == made
    assert list(durable.list_schedules()) == list(durable.list_schedules(report)) == [made]
    assert list(durable.list_schedules("other")) == []


def test_a_name_with_a_colon_is_found(report):
    made = durable.create_schedule(report, Every(60, name="a: b"))
    assert durable.get_schedule(f"{NAME}: a: b") == made


def test_one_that_is_not_there_is_told_with_what_there_is(report):
    durable.create_schedule(report, HOURLY)
    with pytest.raises(ScheduleNotFound, match=r'did you mean "shop.report: hourly"'):
        durable.get_schedule("shop.report: hourli")
    with pytest.raises(ScheduleNotFound, match="no schedule has the id 77"):
        durable.get_schedule(77)
    for wrong in (None, True, 1.5):
        with pytest.raises(TypeError, match="schedule is a Schedule, its id"):
            durable.get_schedule(wrong)


def test_of_several_of_a_workflow_one_has_to_be_named(report):
    durable.create_schedule(report, HOURLY)
    durable.create_schedule(report, Every(60))
    with pytest.raises(ScheduleNotFound, match="has several schedules; name one of"):
        durable.get_schedule(report)


# -- creating, changing, deleting ------------------------------------------------------------


def test_one_that_is_made_by_somebody_ticks_like_any_other(report):
    user = get_user_model().objects.create_user("ada")
    made = durable.create_schedule(
        report, Cron("0 * * * *", timezone="UTC", name="mine", input={"n": 1}), by=user
    )
    assert (made.source, made.enabled, made.input) == ("people", True, {"n": 1})
    tick = fire(made)
    assert [(run.scheduled_at, run.input) for run in runs()] == [(tick, {"n": 1})]
    assert told(made) == [("create", "ada", "")]


@pytest.mark.parametrize(
    ("when", "error", "message"),
    [
        ("0 9 * * *", TypeError, "when is a Cron or Every"),
        (Cron("0 99 * * *"), ValueError, "99"),
        (Cron("0 9 * * *", timezone="Mars/Olympus"), ValueError, "Mars/Olympus"),
        (Every(60, input=lambda tick: {}), TypeError, "input is a value"),
        (Every(60, input={"model": object()}), durable.NotSerializable, "input"),
        (Every(60, input={"wrong": True}), ValidationError, "no wrong ones"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_written(when, error, message):
    class Judging(Workflow):
        @classmethod
        def clean_input(cls, input):
            if input.get("wrong"):
                raise ValidationError("no wrong ones")
            return {"cleaned": True}

        @step
        def only(self): ...

    with pytest.raises(error, match=message):
        durable.create_schedule(Judging, when)
    assert not Schedule.objects.exists()
    assert not AuditEntry.objects.exists()
    made = durable.create_schedule(Judging, Every(60, input={"n": 1}))
    assert made.input == {"n": 1}, "as it was given: it is cleaned for each run"
    fire(made)
    assert Execution.objects.get().input == {"cleaned": True}


def test_a_queue_that_does_not_exist_is_told(report, settings):
    settings.DURABLE = {**settings.DURABLE, "QUEUES": {"high": {}}}
    with pytest.raises(durable.QueueNotFound):
        durable.create_schedule(report, Every(60, queue="hihg"))
    assert durable.create_schedule(report, Every(60, queue="high")).queue == "high"


def test_a_name_is_taken_once(report):
    durable.create_schedule(report, HOURLY)
    with pytest.raises(ValueError, match=r'name: shop.report has a schedule called "hourly"'):
        durable.create_schedule(report, HOURLY)
    make_declared(Every(60, name="code"))
    with pytest.raises(ValueError, match="name: "):
        durable.create_schedule(NAME, Every(60, name="code"))


def test_a_change_keeps_the_name_and_whether_it_is_on(report):
    made = durable.create_schedule(report, HOURLY)
    after = durable.change_schedule(made, Every(60, input={"n": 2}), reason="more", by="bo")
    assert (after.pk, after.name, after.interval_seconds) == (made.pk, "hourly", 60.0)
    assert after.next_at <= clock.now() + timedelta(seconds=60)
    entry = AuditEntry.objects.get(verb="change")
    assert entry.detail["set"] == {"interval_seconds": 60.0, "input": {"n": 2}}
    assert entry.detail["before"] == {"interval_seconds": 3600.0, "input": {}}
    durable.disable_schedule(made)
    assert durable.change_schedule(made, HOURLY).next_at is None
    with pytest.raises(ValueError, match="name: a schedule keeps its name, 'hourly'"):
        durable.change_schedule(made, Every(60, name="other"))


def test_one_that_code_declares_is_changed_and_deleted_there():
    schedule = make_declared()
    with pytest.raises(InvalidState, match="is declared in code; change it there"):
        durable.change_schedule(schedule, Every(60))
    with pytest.raises(InvalidState, match="take it out there, or switch it off"):
        durable.delete_schedule(schedule)
    registry._classes.pop(NAME)
    make_report()
    durable.sync_schedules()
    durable.delete_schedule(schedule, reason="gone", by="ada")
    assert told(schedule) == [("delete", "ada", "gone")]


def test_a_deleted_one_leaves_its_runs(report):
    made = durable.create_schedule(report, HOURLY)
    fire(made)
    durable.delete_schedule(made)
    assert (Schedule.objects.count(), ScheduleTick.objects.count(), len(runs())) == (0, 0, 1)
    with pytest.raises(ScheduleNotFound):
        durable.delete_schedule(made)


# -- on, off, moved --------------------------------------------------------------------------


def test_off_and_on_are_told_and_what_passed_meanwhile_is_not_caught_up_with():
    schedule = make_declared()
    off = durable.disable_schedule(schedule, reason="holidays", by="ada")
    assert (off.enabled, off.next_at, off.due_at, off.disabled_reason) == (False, None, None, "")
    clock.advance(hours(5))
    on = durable.enable_schedule(schedule, by="bo")
    assert clock.now() < on.next_at <= clock.now() + hours(1)
    assert told(schedule) == [("disable", "ada", "holidays"), ("enable", "bo", "")]
    with pytest.raises(InvalidState, match="is already on"):
        durable.enable_schedule(schedule)
    durable.disable_schedule(schedule)
    with pytest.raises(InvalidState, match="is already off"):
        durable.disable_schedule(schedule)


def test_one_that_is_retired_does_nothing_any_more():
    schedule = make_declared()
    durable.disable_schedule(schedule)
    registry._classes.pop(NAME)
    make_report()
    durable.sync_schedules()
    for act in (
        lambda: durable.enable_schedule(schedule),
        lambda: durable.move_schedule(schedule, None),
        lambda: durable.trigger_schedule(schedule),
        lambda: durable.backfill_schedule(schedule, START, START + hours(2)),
    ):
        with pytest.raises(InvalidState, match="is no longer declared"):
            act()
    assert runs() == []


def test_the_next_tick_is_moved_and_the_calendar_goes_on():
    schedule = make_declared(Cron("0 9 * * *", timezone="UTC"))
    to = clock.now() + timedelta(minutes=3)
    moved = durable.move_schedule(schedule, to, by="ada", reason="demo")
    assert (moved.next_at, moved.due_at) == (to, to)
    assert fire(schedule) == to
    assert now_of(schedule).next_at.hour == 9
    entry = AuditEntry.objects.get(schedule=schedule.key)
    assert (entry.verb, entry.detail) == ("move", {"to": to, "before": schedule.next_at})


def test_a_move_into_the_past_fires_at_once_and_none_takes_it_back():
    schedule = make_declared(Cron("0 9 * * *", timezone="UTC"))
    durable.move_schedule(schedule, clock.now() - timedelta(seconds=1))
    assert firing.fire_due(None)
    assert len(runs()) == 1
    end_runs()
    durable.move_schedule(schedule, clock.now() + hours(100))
    assert durable.move_schedule(schedule, None).next_at == now_of(schedule).next_at
    assert now_of(schedule).next_at <= clock.now() + hours(24)


@pytest.mark.parametrize("catch_up", ["none", "one", "all"])
def test_a_move_into_the_past_means_now_whatever_becomes_of_missed_ticks(catch_up):
    schedule = make_declared(Cron("0 9 * * *", timezone="UTC", catch_up=catch_up))
    before = clock.now()
    moved = durable.move_schedule(schedule, before - hours(30), by="ada")
    assert before <= moved.next_at == moved.due_at <= clock.now()
    assert AuditEntry.objects.get(schedule=schedule.key).detail["to"] == moved.next_at
    assert firing.fire_due(None)
    assert [run.scheduled_at for run in runs()] == [moved.next_at]
    assert outcomes(schedule) == ["started"]
    assert now_of(schedule).next_at.hour == 9


def test_a_tick_is_not_moved_where_there_was_one_nor_of_one_that_is_off():
    schedule = make_declared()
    tick = fire(schedule)
    with pytest.raises(ValueError, match=r"to: .* has had its tick of"):
        durable.move_schedule(schedule, tick)
    for wrong in (datetime(2026, 1, 1), "tomorrow", 7):  # noqa: DTZ001
        with pytest.raises(ValueError, match="to must be an aware datetime"):
            durable.move_schedule(schedule, wrong)
    durable.disable_schedule(schedule)
    with pytest.raises(InvalidState, match="is off; switch it on first"):
        durable.move_schedule(schedule, None)


# -- previews --------------------------------------------------------------------------------


def test_the_next_times_are_previewed_without_a_row():
    found = durable.preview_ticks(Cron("0 9 * * MON", timezone="UTC"), 3, after=START)
    assert found == [START + timedelta(days=7 * n, hours=9) for n in range(3)]
    assert durable.preview_ticks(HOURLY, 0) == []
    assert len(durable.preview_ticks(HOURLY)) == 10
    assert durable.preview_ticks(HOURLY, 1)[0] > clock.now()
    schedule = make_declared()
    assert durable.preview_ticks(schedule, 2)[0] == schedule.next_at
    assert durable.preview_ticks(schedule.key, 1) == durable.preview_ticks(schedule, 1)


def test_a_preview_says_what_is_wrong():
    with pytest.raises(ValueError, match="Mars/Olympus"):
        durable.preview_ticks(Cron("0 9 * * *", timezone="Mars/Olympus"))
    with pytest.raises(ValueError, match="count is between 0 and 1000"):
        durable.preview_ticks(HOURLY, 1_001)
    with pytest.raises(ValueError, match="after must be an aware datetime"):
        durable.preview_ticks(HOURLY, after=7)


# -- all of them -----------------------------------------------------------------------------


def test_who_and_why_are_judged_before_anything_is_written():
    schedule = make_declared()
    acts = [
        lambda **more: durable.create_schedule(NAME, Every(60, name="x"), **more),
        lambda **more: durable.change_schedule(schedule, HOURLY, **more),
        lambda **more: durable.delete_schedule(schedule, **more),
        lambda **more: durable.enable_schedule(schedule, **more),
        lambda **more: durable.disable_schedule(schedule, **more),
        lambda **more: durable.move_schedule(schedule, None, **more),
        lambda **more: durable.trigger_schedule(schedule, **more),
        lambda **more: durable.backfill_schedule(schedule, past(3), past(1), **more),
    ]
    for act in acts:
        with pytest.raises(TypeError, match="by is a user"):
            act(by=7)
        with pytest.raises(TypeError, match="reason must be a string"):
            act(reason=7)
    assert (Schedule.objects.count(), runs(), AuditEntry.objects.count()) == (1, [], 0)


def test_decisions_commit_or_roll_back_with_the_caller(report):
    made = durable.create_schedule(report, HOURLY)
    try:
        with transaction.atomic():
            durable.disable_schedule(made)
            durable.trigger_schedule(made)
            durable.create_schedule(report, Every(60))
            raise KeyError
    except KeyError:
        pass
    assert now_of(made).enabled
    assert (runs(), Schedule.objects.count(), told(made)) == ([], 1, [("create", "", "")])


def test_a_time_in_another_zone_is_the_same_time(report):
    from zoneinfo import ZoneInfo

    made = durable.create_schedule(report, HOURLY)
    start = past(3).astimezone(ZoneInfo("Asia/Kathmandu"))
    assert len(durable.backfill_schedule(made, start, past(1))) == 2
    assert durable.backfill_schedule(made, past(3), past(1)) == []


def test_each_has_its_coroutine(report):
    async def story():
        made = await durable.acreate_schedule(report, HOURLY)
        await durable.adisable_schedule(made)
        await durable.aenable_schedule(made)
        await durable.amove_schedule(made, None)
        run = await durable.atrigger_schedule(made, {"n": 1})
        assert run.input == {"n": 1}
        assert len(await durable.apreview_backfill(made, past(3), past(1))) == 2
        assert len(await durable.abackfill_schedule(made, past(3), past(1))) == 2
        assert len(await durable.apreview_ticks(made, 3)) == 3
        assert [row.pk async for row in await durable.alist_schedules()] == [made.pk]
        await durable.async_schedules()
        await durable.achange_schedule(made, Every(60))
        assert (await durable.aget_schedule(made)).interval_seconds == 60.0
        await durable.adelete_schedule(made)

    async_to_sync(story)()
    assert not Schedule.objects.exists()


def test_all_that_is_public_is_exported_with_its_coroutine():
    public = [
        name
        for name, value in vars(api).items()
        if name.endswith(("_schedule", "_schedules", "_ticks", "_backfill"))
        if inspect.isfunction(value) and value.__module__ == api.__name__
    ]
    assert len(public) == 13
    for name in public:
        assert getattr(durable, name) is getattr(api, name)
        assert f"a{name}" in durable.__all__
