"""Doctors beside workers: what is busy looks healthy at every moment, and fixing harms nothing."""

import threading

import pytest
from django.db import connections

import durable_django as durable
from durable_django.models import AuditEntry, Execution
from durable_django.store import ailing, ailing_waits, mending
from tests.waiting import WAIT_SECONDS, until
from tests.worker.conftest import _logging_as_before, workers

from .sick import Mixed, OneByOne, Parent, Pays, Sends

# Fixtures are found by their names.
__all__ = ["_logging_as_before", "workers"]

pytestmark = pytest.mark.django_db(transaction=True)

CURES = (
    mending.GO_ON,
    mending.COUNT,
    mending.BEGIN,
    mending.SET_DUE,
    mending.FORGET_DUE,
    mending.TAKE_BACK,
    mending.CANCEL,
)
OF_WAITS = {
    ailing_waits.child_untold: mending.tell_of_children,
    ailing_waits.event_missed: mending.deliver_again,
    ailing_waits.of_the_ended: mending.close_waits,
}
RUNS = 4


class Doctor:
    """Looks for every ailment of every row, again and again, and cures all of them of all."""

    def __init__(self, cures=False):
        self.cures = cures
        self.seen = {}
        self.rounds = 0
        self.error = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._stopping = True
        self._thread.join(WAIT_SECONDS)
        assert not self._thread.is_alive()

    def _run(self):
        try:
            while not self._stopping:
                self._round()
                self.rounds += 1
        except Exception as error:
            self.error = error
        finally:
            connections.close_all()

    def _round(self):
        ids = list(Execution.objects.values_list("id", flat=True))
        for cure in CURES:
            self._note(cure.name, ailing.among(ids, cure.told_by))
            if self.cures:
                self._note(cure.name, mending.cure(cure, ids[self.rounds % 7 :: 7]))
        waits = ailing_waits.in_window(*ailing_waits.OPEN_KINDS)
        for told_by, heals in OF_WAITS.items():
            self._note(told_by.__name__, ailing_waits.among(waits, told_by))
            if self.cures:
                self._note(told_by.__name__, heals(waits))

    def _note(self, name, found):
        if found:
            self.seen[name] = found


def started():
    runs = []
    for number in range(RUNS):
        runs.append(durable.start(OneByOne, {"names": ["a", "b", "c"]}))
        runs.append(durable.start(Sends, {"names": [f"a{number}", f"b{number}"]}))
        runs.append(durable.start(Parent))
        runs.append(durable.start(Pays))
        runs.append(durable.start(Mixed))
    return runs


def go_on():
    """What all of them wait for; events may be sent before."""
    for number in range(RUNS):
        for letter in "ab":
            durable.publish_event("gone", key=f"{letter}{number}", keep=durable.hours(1))
    rows = Execution.objects.filter(workflow_name__in=("sick.child", "sick.pays"))
    for pk, name in rows.values_list("id", "workflow_name"):
        durable.send_event(pk, {"sick.child": "go"}.get(name, "paid"), 5)


def children():
    return Execution.objects.filter(workflow_name="sick.child").count()


@pytest.mark.parametrize("cures", [False, True], ids=["looking", "curing"])
def test_a_busy_fleet_is_well_at_every_moment_and_every_run_ends(workers, settings, cures):
    settings.DURABLE = {**settings.DURABLE, "POLL_SECONDS": 0.05}
    runs = started()
    with Doctor(cures) as doctor:
        workers.start()
        until(lambda: children() == RUNS)
        go_on()
        mixed = [run.pk for run in runs if run.workflow_name == "sick.mixed"]
        ended = Execution.objects.filter(kind="workflow", finished_at__isnull=False)
        until(lambda: doctor.error or ended.count() == len(runs) + RUNS - len(mixed))
        until(lambda: doctor.error or doctor.rounds > 1)
    assert doctor.error is None
    assert doctor.seen == {}
    assert set(ended.values_list("status", flat=True)) == {"completed"}
    assert not AuditEntry.objects.filter(verb="fix").exists()
