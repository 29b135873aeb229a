"""Schedules that fire no more, against what somebody believes."""

import pytest

import durable_django as durable
from durable_django import Cron, Every, Workflow, doctor, step
from durable_django.definition import registry
from durable_django.models import Schedule, Worker
from durable_django.store import clock

from .sick import found, healed, later, staffed


class Reports(Workflow):
    """Scheduled by people."""

    class Meta:
        name = "sick.reports"

    @step
    def write(self):
        return None


@pytest.fixture
def schedule(db):
    staffed()
    registry.register(Reports)
    return durable.create_schedule(Reports, Cron("0 9 * * *", name="daily"))


def left(schedule, **columns):
    Schedule.objects.filter(pk=schedule.pk).update(**columns)


def of_schedules():
    return {each.code: each for each in doctor.examine() if each.code.startswith("schedule_")}


def test_a_schedule_that_waits_for_its_time_is_well(schedule):
    assert of_schedules() == {}


def test_a_schedule_without_a_next_time_gets_it(schedule):
    left(schedule, next_at=None, due_at=None)
    finding = found()["schedule_asleep"]
    assert [place.id for place in finding.where] == ["sick.reports: daily"]
    assert healed("schedule_asleep") == 1
    schedule.refresh_from_db()
    assert schedule.due_at > clock.now()
    assert doctor.fix(finding) == 0


def test_a_schedule_whose_calendar_is_at_its_end_is_well(schedule, monkeypatch):
    left(schedule, next_at=None, due_at=None, cron="0 0 30 2 *")
    assert "schedule_asleep" not in of_schedules()


def test_a_schedule_that_was_switched_off_is_nobodys_business(schedule):
    durable.disable_schedule(schedule)
    assert of_schedules() == {}


def test_a_schedule_that_switched_itself_off_says_why(schedule):
    left(schedule, enabled=False, due_at=None, disabled_reason="3 runs failed in a row")
    assert "3 runs failed in a row" in of_schedules()["schedule_off"].what


def test_a_schedule_that_cannot_be_fired_says_why(schedule):
    left(schedule, error="no time zone Mars/Olympus")
    assert "Mars/Olympus" in of_schedules()["schedule_broken"].what


def test_a_schedule_that_nobody_fires_is_overdue(schedule):
    left(schedule, next_at=later(minutes=-9), due_at=later(minutes=-9))
    assert "schedule_overdue" in of_schedules()


def test_a_schedule_whose_workflow_no_worker_has_is_stranded(schedule):
    staffed(workflows=["sick.reports v1"])
    assert of_schedules() == {}  # one of them does not say what it has
    Schedule.objects.filter(pk=schedule.pk).update(workflow_name="tests.gone")
    assert of_schedules() == {}
    Worker.objects.filter(workflows=[]).delete()
    assert list(of_schedules()) == ["schedule_without_code"]


def test_what_is_advised_about_a_schedule_without_code_can_be_done(schedule):
    Schedule.objects.update(workflow_name="tests.gone", source="code")
    Worker.objects.update(workflows=["sick.reports v1"])
    finding = of_schedules()["schedule_without_code"]
    assert "switch the schedules off; then they can be deleted" in finding.todo
    durable.disable_schedule(finding.where[0].id)
    assert of_schedules() == {}
    durable.delete_schedule(finding.where[0].id)
    assert not Schedule.objects.exists()


def test_a_retired_schedule_is_worth_a_word(schedule):
    left(schedule, due_at=None, retired_at=later())
    assert of_schedules()["schedule_retired"].severity == "info"


def test_a_schedule_that_code_declares_and_nobody_synchronised_is_made():
    staffed()
    with registry.isolate():

        class Declares(Workflow):
            class Meta:
                name = "tests.declares"
                schedules = [Every(durable.minutes(10), name="often")]

            @step
            def do(self):
                return None

        assert healed("schedule_missing") == 1
        assert Schedule.objects.get().key == "tests.declares: often"
