"""Which schedules can be deleted: those of people, and those that no code declares any more, also
where the workflow itself is gone."""

from datetime import timedelta

import pytest

import durable_django as durable
from durable_django import Every, InvalidState, hours
from durable_django.definition import registry
from durable_django.models import AuditEntry, Schedule, ScheduleTick, WorkerStatus
from durable_django.store import clock
from tests.admin.rows import make_worker

from .store.scheduled import NAME, declared, fire, make_report, runs

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_other_workflows")]

HOURLY = Every(hours(1), name="hourly")


@pytest.fixture
def forsaken():
    """One that code has declared whose workflow is no longer in any code; it is off."""
    schedule = declared(HOURLY)
    fire(schedule)
    registry._classes.pop(NAME)
    return durable.disable_schedule(schedule)


def test_one_whose_workflow_is_gone_is_deleted_once_it_is_off(forsaken):
    durable.delete_schedule(forsaken, reason="the workflow is gone", by="ada")
    assert (Schedule.objects.count(), ScheduleTick.objects.count(), len(runs())) == (0, 0, 1)
    entry = AuditEntry.objects.get(verb="delete")
    assert (entry.schedule, entry.by, entry.reason) == (
        "shop.report: hourly",
        "ada",
        "the workflow is gone",
    )


def test_one_whose_workflow_is_gone_stays_while_it_is_on(forsaken):
    Schedule.objects.update(enabled=True)
    with pytest.raises(InvalidState, match=r"no code that runs has its workflow: switch it off"):
        durable.delete_schedule(forsaken)
    assert Schedule.objects.exists()


def test_one_that_this_code_declares_stays_also_when_it_is_off():
    schedule = declared(HOURLY)
    durable.disable_schedule(schedule)
    with pytest.raises(InvalidState, match="take it out there, or switch it off"):
        durable.delete_schedule(schedule)
    assert Schedule.objects.exists()


@pytest.mark.parametrize("version", [1, 7])
def test_one_whose_workflow_a_living_worker_has_stays(forsaken, version):
    codes = ["shop.other v1", f"{NAME} v{version}"]
    make_worker(workflows=codes, heartbeat_at=clock.now())
    with pytest.raises(InvalidState, match="is declared in code"):
        durable.delete_schedule(forsaken)
    assert Schedule.objects.exists()


@pytest.mark.parametrize(
    ("codes", "status", "heard"),
    [
        ([f"{NAME}.more v1", "shop v1"], WorkerStatus.ALIVE, 0),
        ([f"{NAME} v1"], WorkerStatus.STOPPED, 0),
        ([f"{NAME} v1"], WorkerStatus.ALIVE, 10),
    ],
    ids=["others", "stopped", "silent"],
)
def test_workers_that_are_gone_or_have_other_workflows_keep_none(forsaken, codes, status, heard):
    at = clock.now() - timedelta(minutes=heard)
    make_worker(workflows=codes, status=status, heartbeat_at=at)
    durable.delete_schedule(forsaken)
    assert not Schedule.objects.exists()


def test_one_that_was_deleted_is_made_anew_when_its_code_is_back(forsaken):
    durable.delete_schedule(forsaken)
    make_report(HOURLY)
    durable.sync_schedules()
    again = Schedule.objects.get()
    assert (again.key, again.enabled, again.source) == (forsaken.key, True, "code")
    assert again.pk != forsaken.pk
    assert clock.now() < again.next_at <= clock.now() + hours(1)
