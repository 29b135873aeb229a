"""What a filter names is there, or the terminal says that it is not: a mistyped name is no empty
list.
"""

import pytest

import durable_django as durable
from durable_django import Cron, schedules
from durable_django.definition import registry
from durable_django.models import Execution, Queue, Schedule, WorkflowDefinition
from durable_django.store import clock

from .workflows import make_order


@pytest.fixture
def Order(durable):
    return make_order()


BY_WORKFLOW = [
    ("list",),
    ("list", "--json"),
    ("list", "--status", "failed"),
    ("schedules",),
    ("pending",),
    ("retry", "--yes"),
    ("cancel", "--dry-run"),
    ("pause", "--yes"),
    ("resume", "--yes", "--json"),
    ("prune", "--older-than", "1d", "--yes"),
]
BY_QUEUE = [
    ("list",),
    ("list", "--status", "completed", "--json"),
    ("retry", "--yes"),
    ("cancel", "--yes"),
    ("pause", "--dry-run"),
    ("resume", "--yes"),
    ("workers",),
    ("workers", "--all"),
    ("status", "--check"),
]


@pytest.mark.parametrize("words", BY_WORKFLOW)
def test_a_workflow_that_nobody_knows_is_not_found(terminal, Order, words):
    Order.start()
    said = terminal(*words, "--workflow", "ordr")
    assert (said.code, said.out) == (3, "")
    assert "no workflow is called" in said.err
    assert "did you mean" in said.err


@pytest.mark.parametrize("words", BY_QUEUE)
def test_a_queue_that_nobody_knows_is_not_found(terminal, Order, words):
    Order.start()
    said = terminal(*words, "--queue", "defualt")
    assert (said.code, said.out) == (3, "")
    assert "no queue is called 'defualt'" in said.err
    assert "did you mean" in said.err


@pytest.mark.parametrize("words", [("retry", "--yes"), ("pending",), ("schedules",), ("list",)])
@pytest.mark.parametrize("kept_in", ["code", "run", "definition", "schedule"])
def test_a_workflow_may_be_known_by_code_or_by_any_row(terminal, durable, words, kept_in):
    with registry.isolate():
        if kept_in != "code":
            make_row(kept_in)
        known = make_order() if kept_in == "code" else None
        said = terminal(*words, "--workflow", "order")
    assert (said.code, said.err) == (0, ""), known


def make_row(kind):
    """A row with the name of a workflow that code has no more."""
    if kind == "definition":
        now = clock.now()
        WorkflowDefinition.objects.create(name="order", created_at=now, updated_at=now)
        return
    with registry.isolate():
        order = make_order()
        if kind == "run":
            order.start()
        else:
            schedules.create_schedule(order, Cron("@daily", timezone="UTC"))
    assert Execution.objects.exists() == (kind == "run")


@pytest.mark.parametrize(
    "words", [("retry", "--yes"), ("workers",), ("list", "--status", "failed")]
)
@pytest.mark.parametrize("named_by", ["settings", "workflow", "row", "schedule", "run", "ended"])
def test_a_queue_may_be_known_by_whoever_names_it(terminal, durable, settings, words, named_by):
    with registry.isolate():
        name_queue(named_by, settings)
        said = terminal(*words, "--queue", "slow")
    assert (said.code, said.err) == (0, "")


def name_queue(where, settings):
    """Somebody names the queue "slow", and nobody else."""
    if where == "settings":
        settings.DURABLE = {**settings.DURABLE, "QUEUES": {"slow": {}}}
    elif where == "row":
        Queue.objects.create(name="slow", created_at=clock.now())
    elif where == "workflow":

        class Slow(durable.Workflow):
            class Meta:
                name = "slow"
                queue = "slow"

            @durable.step
            def go(self):
                pass

    elif where == "schedule":
        schedules.create_schedule(make_order(), Cron("@daily", timezone="UTC", queue="slow"))
        assert Schedule.objects.get().queue == "slow"
    else:
        run = make_order().start(queue="slow")
        if where == "ended":
            durable.cancel(run)
