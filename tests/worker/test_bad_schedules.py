"""A schedule that cannot be read stops nobody: migrate goes through, workers start, and all others
tick. Both ask the system checks first, as on a real start."""

from io import StringIO

import pytest
from django.core import mail
from django.core.management import call_command

from durable_django import Cron, Every, Workflow, minutes, step
from durable_django.figures.schedules import ScheduleState, state_of
from durable_django.management.commands import durable_worker
from durable_django.models import Execution, Schedule, ScheduleTick
from durable_django.store import clock

BAD = {
    "zone": Cron("0 9 * * *", name="zone", timezone="Mars/Olympus"),
    "expression": Cron("61 * * * *", name="expression"),
    "input": Every(60, name="input", input={"to": object()}),
    "queue": Every(60, name="queue", queue="hihg"),
}


@pytest.fixture(autouse=True)
def _workflow(transactional_db, _isolated_registry, monkeypatch, durable_settings):
    class Report(Workflow):
        class Meta:
            name = "shop.report"
            schedules = [*BAD.values(), Every(60, name="good")]

        @step
        def write(self):
            return self.input

    durable_settings(QUEUES={"high": {}})
    monkeypatch.setattr(durable_worker.signal, "signal", lambda number, handler: None)
    # By this a process knows that it is one of tests, where migrate makes no rows of schedules.
    monkeypatch.delattr(mail, "outbox")


def run(command, *arguments):
    """What it said beside its work, as it says it where somebody has called it."""
    stderr = StringIO()
    call_command(command, *arguments, skip_checks=False, stdout=StringIO(), stderr=stderr)
    return stderr.getvalue()


def states():
    rows = Schedule.objects.filter(workflow_name="shop.report")
    return {row.name: state_of(row, clock.now()) for row in rows}


def ids(told):
    return [f"W0{n}" for n in range(16, 20) if f"(durable_django.W0{n})" in told]


def test_beside_schedules_that_cannot_be_read_the_good_one_ticks():
    told = run("migrate", "--verbosity=1")
    assert ids(told) == ["W016", "W017", "W018", "W019"]
    broken = dict.fromkeys(("zone", "expression", "input"), ScheduleState.BROKEN)
    # That a queue is none is seen when there is something to put into it.
    assert states() == {**broken, "queue": ScheduleState.ON, "good": ScheduleState.ON}
    clock.advance(minutes(1))
    told = run("durable_worker", "--burst", "--threads=1", "--queues=default")
    assert ids(told) == ["W016", "W017", "W018", "W019"]
    assert states() == {**broken, "queue": ScheduleState.BROKEN, "good": ScheduleState.ON}
    report = Execution.objects.get(workflow_name="shop.report")
    assert (report.status, report.tags) == ("completed", {"schedule": "good"})
    outcomes = ScheduleTick.objects.filter(schedule__workflow_name="shop.report")
    assert dict(outcomes.values_list("schedule__name", "outcome")) == {
        "good": "started",
        "input": "failed",
        "queue": "failed",
    }
