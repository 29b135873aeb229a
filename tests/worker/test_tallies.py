"""A worker counts the runs that end in its hands, and writes the numbers beside its work."""

from datetime import timedelta

import pytest

import durable_django as durable
from durable_django import Fatal, Workflow, parallel, step
from durable_django.models import Execution, Tally
from durable_django.store import clock, tallies
from durable_django.store.claiming import claim
from tests.store.rows import make_run, make_worker
from tests.waiting import until


@pytest.fixture(autouse=True)
def _nothing_pending():
    tallies.forget()
    yield
    tallies.forget()


def numbers():
    """workflow, status -> how many ended in the hour."""
    rows = Tally.objects.filter(span_seconds=3600)
    found = {}
    for name, status, number in rows.values_list("workflow_name", "status", "number"):
        found[name, status] = found.get((name, status), 0) + number
    return found


def test_what_a_worker_ended_is_counted_when_it_stops(workers):
    class Good(Workflow):
        class Meta:
            name = "tests.good"

        with parallel() as both:

            @step
            def one(self):
                pass

            @step
            def two(self):
                pass

    class Bad(Workflow):
        class Meta:
            name = "tests.bad"

        @step
        def fail(self):
            raise Fatal("no")

    for workflow in (Good, Good, Bad):
        workflow.start()
    workers.wait(workers.start(burst=True))
    assert numbers() == {("tests.good", "completed"): 2, ("tests.bad", "failed"): 1}
    began = Tally.objects.exclude(duration_class=tallies.NEVER_STARTED)
    assert began.count() == Tally.objects.count()


def test_numbers_are_written_while_the_worker_runs(workers, settings):
    settings.DURABLE = {**settings.DURABLE, "HEARTBEAT_SECONDS": 0.05}

    class Good(Workflow):
        class Meta:
            name = "tests.good"

        @step
        def only(self):
            pass

    old = clock.now() - timedelta(days=30)
    tallies.count("tests.old", "completed", old, old)
    tallies.flush()
    workers.start()
    Good.start()
    until(lambda: numbers() == {("tests.good", "completed"): 1})


def test_a_worker_goes_on_when_numbers_cannot_be_written(workers, settings, monkeypatch):
    settings.DURABLE = {**settings.DURABLE, "HEARTBEAT_SECONDS": 0.05}
    monkeypatch.setattr(tallies, "write", lambda counted: 1 / 0)

    class Good(Workflow):
        @step
        def only(self):
            pass

    workers.start()
    for _ in range(2):
        run = Good.start()
        until(lambda run=run: Execution.objects.get(pk=run.pk).status == "completed")
    assert Tally.objects.count() == 0


@pytest.mark.django_db
def test_a_claim_knows_when_a_run_began_first():
    worker_id, run = make_worker(), make_run()
    [claimed] = claim(worker_id, ["default"], 1)
    stored = Execution.objects.get(pk=run.pk).started_at
    assert claimed.started_at == stored
    assert abs((clock.now() - stored).total_seconds()) < 60
    assert durable.get_execution(run.pk).started_at == stored
