"""What the database refuses to store: states that no transition may lead to."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from durable_django.models import (
    AuditEntry,
    Execution,
    Queue,
    StepRun,
    Tally,
    Worker,
    WorkflowDefinition,
)

pytestmark = pytest.mark.django_db

AT = datetime(2030, 1, 31, tzinfo=UTC)


def execution(**fields):
    pk = uuid4()
    given = {
        "pk": pk,
        "root_id": pk,
        "workflow_name": "shop",
        "status": "pending",
        "created_at": AT,
        "ready_at": AT,
        **fields,
    }
    return Execution.objects.create(**given)


def worker(**fields):
    return Worker.objects.create(hostname="here", pid=1, started_at=AT, heartbeat_at=AT, **fields)


def step_run(run, **fields):
    given = {"seq": 1, "path": "a", "name": "a", "kind": "step", "attempt": 1, **fields}
    return StepRun.objects.create(execution=run, started_at=AT, **{"status": "completed", **given})


def refused(constraint, make):
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        make()
    # SQLite names the columns of a unique index, not the constraint.
    if connection.vendor == "postgresql" or "UNIQUE" not in str(caught.value):
        assert constraint in str(caught.value)


GOOD = [
    {},
    {"status": "running", "worker_id": uuid4(), "lease": 1},
    {"status": "completed", "finished_at": AT},
    {"status": "sleeping", "wake_at": AT, "due_at": AT},
    {"status": "scheduled", "due_at": AT},
    {"status": "pending", "due_at": AT},
    {"status": "paused", "paused_at": AT},
]
WRONG = [
    ("durable_execution_status", {"status": "lost"}),
    ("durable_execution_finished", {"status": "failed"}),
    ("durable_execution_finished", {"finished_at": AT}),
    ("durable_execution_held", {"status": "running", "lease": 1}),
    ("durable_execution_held", {"status": "running", "worker_id": uuid4()}),
    ("durable_execution_held", {"worker_id": uuid4(), "lease": 1}),
    ("durable_execution_final_not_due", {"status": "failed", "finished_at": AT, "due_at": AT}),
    ("durable_execution_parked_due", {"status": "sleeping"}),
    ("durable_execution_parked_due", {"status": "scheduled"}),
    ("durable_execution_paused", {"status": "paused"}),
    ("durable_execution_kind", {"kind": "strand", "path": "fetch/user"}),
    ("durable_execution_kind", {"path": "fetch/user"}),
    ("durable_execution_kind", {"kind": "other"}),
]


@pytest.mark.parametrize("fields", GOOD, ids=str)
def test_states_that_occur_can_be_stored(fields):
    assert execution(**fields).pk


@pytest.mark.parametrize(("constraint", "fields"), WRONG, ids=str)
def test_an_execution_in_a_state_that_cannot_occur_is_refused(constraint, fields):
    refused(constraint, lambda: execution(**fields))


def test_an_idempotency_key_stands_once_for_each_workflow():
    execution(idempotency_key="k")
    execution(idempotency_key="k", workflow_name="other")
    execution(idempotency_key=None)
    execution(idempotency_key=None)
    refused("durable_execution_idempotent", lambda: execution(idempotency_key="k"))


def test_a_step_run_stands_once_for_its_place_in_the_run():
    run = execution()
    step_run(run)
    step_run(run, seq=2)
    refused("durable_step_run_once", lambda: step_run(run))


def test_statuses_that_do_not_exist_are_refused():
    run = execution()
    refused("durable_step_run_status", lambda: step_run(run, status="lost"))
    refused("durable_worker_status", lambda: worker(status="lost"))


def test_a_definition_stands_once_for_each_version():
    for version in (1, 2):
        WorkflowDefinition.objects.create(
            name="shop", version=version, created_at=AT, updated_at=AT
        )
    refused(
        "durable_definition_once",
        lambda: WorkflowDefinition.objects.create(name="shop", created_at=AT, updated_at=AT),
    )


def test_a_queue_has_a_name_of_its_own_and_a_limit_of_at_least_one():
    Queue.objects.create(name="mail", created_at=AT)
    Queue.objects.create(name="reports", created_at=AT, concurrency_limit=1)
    refused(
        "durable_queue_limit",
        lambda: Queue.objects.create(name="slow", created_at=AT, concurrency_limit=0),
    )


def test_an_audit_entry_tells_of_an_action_that_exists():
    AuditEntry.objects.create(execution=execution(), verb="cancel", created_at=AT)
    refused("durable_audit_verb", lambda: AuditEntry.objects.create(verb="drop", created_at=AT))


def test_a_tally_stands_once_for_each_span_workflow_status_and_duration():
    tally = {"span_seconds": 60, "begins_at": AT, "workflow_name": "shop", "duration_class": 3}
    for status in ("completed", "failed"):
        Tally.objects.create(**tally, status=status)
    refused("durable_tally_once", lambda: Tally.objects.create(**tally, status="failed"))


def test_every_constraint_of_the_models_is_violated_above():
    names = {
        constraint.name
        for model in (Execution, StepRun, Worker, WorkflowDefinition, Queue, AuditEntry, Tally)
        for constraint in model._meta.constraints
    }
    source = __import__("pathlib").Path(__file__).read_text(encoding="utf-8")
    assert {name for name in names if f'"{name}"' not in source} == set()
