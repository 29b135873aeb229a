"""Synchronising: rows say what code declares, and what operators decided stays theirs."""

import logging

import pytest
from django.apps import apps
from django.core import mail
from django.db import connection
from django.db.models.signals import post_migrate
from django.test.utils import CaptureQueriesContext

from durable_django import Cron, Every, Workflow, hours, minutes, step
from durable_django.definition import registry
from durable_django.models import Schedule
from durable_django.store import clock, firing, schedules, synchronising

from .rows import at_once
from .scheduled import (
    NAME,
    at_next,
    declared,
    end_runs,
    fire,
    make_report,
    now_of,
    outcomes,
    set_time,
    utc,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_other_workflows")]

NIGHTLY = Cron("0 3 * * *", timezone="UTC")


def deploy(*declarations, **options):
    """Other code is deployed: a worker starts with it."""
    registry._classes.pop(NAME, None)
    make_report(*declarations, **options)
    return synchronising.synchronise()


def test_what_is_declared_gets_a_row():
    schedule = declared(
        Cron(
            "0 9 * * MON",
            timezone="Europe/Paris",
            name="weekly",
            input={"week": 1},
            queue="reports",
            overlap="queue_one",
            catch_up="all",
            catch_up_window=hours(3),
            jitter=minutes(2),
            disable_after=5,
        )
    )
    assert (schedule.source, schedule.enabled, schedule.retired_at) == ("code", True, None)
    assert (schedule.cron, schedule.timezone) == ("0 9 * * MON", "Europe/Paris")
    assert (schedule.input, schedule.queue) == ({"week": 1}, "reports")
    assert (schedule.overlap, schedule.catch_up, schedule.catch_up_seconds) == (
        "queue_one",
        "all",
        10_800.0,
    )
    assert (schedule.jitter_seconds, schedule.disable_after) == (120.0, 5)
    assert schedule.next_at.weekday() == 0
    assert schedule.next_at <= schedule.due_at <= schedule.next_at + minutes(2)


def test_where_nothing_differs_one_statement_is_asked():
    declared(NIGHTLY, Every(60, name="often"))
    with CaptureQueriesContext(connection) as asked:
        assert synchronising.synchronise() == 0
    assert len(asked) == 1


def test_the_latest_version_counts():
    make_report(Every(60, name="old"), version=1)
    make_report(Every(60, name="new"), version=2)
    synchronising.synchronise()
    assert [row.name for row in Schedule.objects.all()] == ["new"]


def test_another_expression_gives_another_next_time():
    schedule = declared(NIGHTLY)
    deploy(Cron("0 5 * * *", timezone="UTC"))
    after = now_of(schedule)
    assert (after.cron, after.next_at.hour, after.pk) == ("0 5 * * *", 5, schedule.pk)


def test_another_input_leaves_the_next_time_that_somebody_chose():
    schedule = declared(NIGHTLY)
    to = clock.now() + minutes(7)
    schedules.move(schedule.pk, to, "", None)
    deploy(Cron("0 3 * * *", timezone="UTC", input={"n": 1}, overlap="allow"))
    after = now_of(schedule)
    assert (after.next_at, after.input, after.overlap) == (to, {"n": 1}, "allow")


def test_what_was_due_when_another_expression_came_is_fired():
    """The workers were down over the old time, and come back with other code."""
    schedule = declared(NIGHTLY)
    tick = at_next(schedule, later=hours(1))
    deploy(Cron("0 5 * * *", timezone="UTC"))
    assert now_of(schedule).next_at == tick
    assert firing.fire_due(None)
    assert outcomes(schedule) == ["started"]
    assert now_of(schedule).next_at.hour == 5


def test_one_that_somebody_switched_off_stays_off_whatever_is_deployed():
    schedule = declared(NIGHTLY)
    schedules.disable(schedule.pk, "holidays", "ada")
    deploy(Cron("0 5 * * *", timezone="UTC"))
    deploy()
    deploy(Cron("0 6 * * *", timezone="UTC"))
    after = now_of(schedule)
    assert (after.enabled, after.next_at, after.due_at, after.cron) == (
        False,
        None,
        None,
        "0 6 * * *",
    )


def test_what_is_declared_no_longer_is_retired_with_its_ticks_kept():
    schedule = declared(NIGHTLY)
    fire(schedule)
    deploy()
    after = now_of(schedule)
    assert (after.retired_at is not None, after.next_at, after.due_at) == (True, None, None)
    assert outcomes(schedule) == ["started"]
    assert synchronising.synchronise() == 0


def test_one_that_is_renamed_is_retired_and_another_begins():
    schedule = declared(Cron("0 3 * * *", timezone="UTC", name="old"))
    deploy(Cron("0 3 * * *", timezone="UTC", name="new"))
    assert now_of(schedule).retired_at is not None
    assert Schedule.objects.get(name="new").next_at.hour == 3


def test_one_that_comes_back_later_begins_with_its_next_time():
    schedule = declared(NIGHTLY)
    deploy()
    clock.advance(hours(72))
    deploy(NIGHTLY)
    after = now_of(schedule)
    assert (after.retired_at, after.next_at > clock.now()) == (None, True)


def test_one_that_an_old_worker_retired_during_a_deploy_misses_no_tick():
    schedule = declared(Every(60))
    tick = at_next(schedule, later=minutes(-0.5))
    deploy()
    clock.advance(minutes(1))
    deploy(Every(60))
    assert now_of(schedule).next_at == tick
    assert firing.fire_due(None)
    assert outcomes(schedule) == ["started"]


def test_a_workflow_that_this_process_does_not_have_is_left_alone():
    schedule = declared(NIGHTLY)
    registry._classes.pop(NAME)
    assert synchronising.synchronise() == 0
    assert now_of(schedule).retired_at is None


def test_another_time_zone_of_the_project_gives_another_next_time(settings):
    settings.TIME_ZONE = "America/New_York"
    set_time(utc(2027, 1, 1))
    schedule = declared(Cron("0 9 * * *"))
    assert schedule.next_at == utc(2027, 1, 1, 14)
    assert schedule.timezone == ""
    settings.TIME_ZONE = "Asia/Tokyo"
    assert deploy(Cron("0 9 * * *")) == 1
    assert now_of(schedule).next_at == utc(2027, 1, 2)


def test_a_schedule_of_people_is_left_alone_until_code_declares_one_of_its_name():
    make_report()
    mine = schedules.create(NAME, Every(60, name="mine"), "{}", "", None)
    assert synchronising.synchronise() == 0
    assert now_of(mine).source == "people"
    deploy(Every(120, name="mine"))
    assert (now_of(mine).source, now_of(mine).interval_seconds) == ("code", 120.0)


def test_an_expression_that_cannot_be_read_is_told_and_stops_no_other(caplog):
    bad = declared(Cron("0 3 * * *", timezone="Mars/Olympus", name="bad"), Every(60, name="good"))
    assert (bad.next_at, bad.due_at) == (None, None)
    assert "Mars/Olympus" in bad.error
    assert Schedule.objects.get(name="good").next_at is not None


def test_an_expression_that_can_be_read_by_now_is_aimed_without_a_change_of_code(monkeypatch):
    def unknown(schedule):
        raise ValueError("no such zone here")

    with monkeypatch.context() as patch:
        patch.setattr(synchronising.ticking, "calendar", unknown)
        schedule = declared(NIGHTLY)
        assert (schedule.next_at, schedule.error) == (None, "ValueError: no such zone here")
    synchronising.synchronise()
    after = now_of(schedule)
    assert (after.next_at.hour, after.error) == (3, "")


def test_one_that_nothing_is_to_come_of_is_aimed_again_also_where_its_error_is_gone():
    schedule = declared(NIGHTLY)
    Schedule.objects.update(next_at=None, due_at=None, error="")
    assert synchronising.synchronise() == 1
    assert now_of(schedule).next_at.hour == 3
    assert synchronising.synchronise() == 0


def test_one_whose_error_is_gone_and_that_still_cannot_be_read_is_told_again(monkeypatch):
    schedule = declared(NIGHTLY)
    Schedule.objects.update(next_at=None, due_at=None, error="")

    def unknown(schedule):
        raise ValueError("no such zone here")

    monkeypatch.setattr(synchronising.ticking, "calendar", unknown)
    synchronising.synchronise()
    assert now_of(schedule).error == "ValueError: no such zone here"


def test_a_calendar_that_has_ended_is_left_alone(monkeypatch):
    class Ended:
        def after(self, moment):
            return None

    schedule = declared(NIGHTLY)
    Schedule.objects.update(next_at=None, due_at=None)
    monkeypatch.setattr(synchronising.ticking, "calendar", lambda schedule: Ended())
    assert synchronising.synchronise() == 0
    assert (now_of(schedule).next_at, now_of(schedule).error) == (None, "")


def test_an_input_that_cannot_be_stored_is_told_at_once_and_at_its_tick():
    schedule = declared(Every(60, input={"model": object()}))
    assert "NotSerializable" in schedule.error
    fire(schedule)
    assert outcomes(schedule) == ["failed"]


@pytest.mark.django_db(transaction=True)
def test_processes_that_start_at_the_same_moment_make_one_row():
    # race: declared-twice
    make_report(NIGHTLY, Every(60, name="often"))
    found = at_once(*[synchronising.synchronise] * 4)
    assert all(isinstance(changed, int) for changed in found), found
    assert Schedule.objects.count() == 2
    assert synchronising.synchronise() == 0


@pytest.mark.django_db(transaction=True)
def test_old_and_new_code_that_start_at_the_same_moment_leave_one_of_the_two(monkeypatch):
    declared(NIGHTLY)
    entries = iter([Cron("0 4 * * *", timezone="UTC"), Cron("0 5 * * *", timezone="UTC")])

    def start(entry):
        return synchronising._guarded(
            (NAME, "default"),
            lambda: synchronising._declare((NAME, "default"), entry, Schedule.objects.get().pk),
        )

    at_once(*[lambda entry=entry: start(entry) for entry in entries])
    row = Schedule.objects.get()
    assert (row.cron, row.next_at.hour) in {("0 4 * * *", 4), ("0 5 * * *", 5)}


# -- after migrate ---------------------------------------------------------------------------


def migrated(**options):
    config = apps.get_app_config("durable_django")
    ours = [receiver for receiver in post_migrate._live_receivers(config)[0] if is_ours(receiver)]
    assert len(ours) == 1
    ours[0](sender=config, **{"using": "default", "apps": apps, **options})


def is_ours(receiver):
    return receiver.__module__ == "durable_django.apps"


def test_migrate_synchronises(monkeypatch):
    make_report(NIGHTLY)
    monkeypatch.delattr(mail, "outbox", raising=False)
    migrated()
    assert Schedule.objects.filter(workflow_name=NAME).exists()


def test_migrating_another_database_flushing_and_making_test_databases_do_not(monkeypatch):
    make_report(NIGHTLY)
    monkeypatch.setattr(mail, "outbox", [], raising=False)
    migrated()
    monkeypatch.delattr(mail, "outbox", raising=False)
    migrated(using="other")
    migrated(apps=None)
    assert not Schedule.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_migrate_goes_on_whatever_becomes_of_the_schedules(monkeypatch, caplog):
    def fail():
        raise RuntimeError("a defect")

    monkeypatch.setattr(synchronising, "synchronise", fail)
    monkeypatch.delattr(mail, "outbox", raising=False)
    with caplog.at_level(logging.ERROR, "durable_django.worker"):
        migrated()
    assert "could not be synchronised" in caplog.text


def test_one_that_meets_a_defect_stops_no_other(monkeypatch, caplog):
    class Other(Workflow):
        class Meta:
            name = "shop.other"
            schedules = [NIGHTLY]

        @step
        def only(self): ...

    fill = synchronising._fill

    def fail_for_one(row, entry, text):
        if row.workflow_name == "shop.other":
            raise RuntimeError("a defect")
        fill(row, entry, text)

    monkeypatch.setattr(synchronising, "_fill", fail_for_one)
    make_report(NIGHTLY)
    with caplog.at_level(logging.ERROR, "durable_django.worker"):
        assert synchronising.synchronise() == 1
    assert "shop.other: default could not be synchronised" in caplog.text
    assert [row.workflow_name for row in Schedule.objects.all()] == [NAME]
    end_runs()
