"""What fails most."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from durable_django.figures import all_runs, what_fails
from tests.admin.rows import make_run, now

pytestmark = pytest.mark.django_db


def fail(kind="ValueError", node="charge", **fields):
    error = {"type": kind, "message": "no", "traceback": "", "node": node}
    return make_run(fields.pop("status", "failed"), error=error, **fields)


def told(**arguments):
    found = what_fails(all_runs(), now(), **arguments)
    return [(row.workflow_name, row.error_type, row.node, row.number) for row in found]


def test_failures_are_grouped_by_workflow_error_and_node():
    fail()
    last = fail(status="compensated")
    fail(node=None)
    fail("KeyError")
    fail(workflow_name="tests.refund", status="compensation_failed")
    make_run("completed")
    make_run("cancelled")
    with CaptureQueriesContext(connection) as asked:
        [first, *others] = what_fails(all_runs(), now())
    assert len(asked) == 1
    assert (first.error_type, first.node, first.number) == ("ValueError", "charge", 2)
    assert (first.run_id, first.last_at) == (last.pk, last.finished_at)
    assert sorted((row.workflow_name, row.error_type, row.node) for row in others) == [
        ("tests.order", "KeyError", "charge"),
        ("tests.order", "ValueError", ""),
        ("tests.refund", "ValueError", "charge"),
    ]


def test_only_what_failed_lately_counts():
    fail(created_at=now() - timedelta(days=2))
    fail("KeyError")
    assert [row[1] for row in told()] == ["KeyError"]


def test_only_so_many_are_looked_at():
    for _ in range(3):
        fail()
    for _ in range(2):
        fail("KeyError")
    assert told(most=2) == [("tests.order", "KeyError", "charge", 2)]


def test_a_failed_run_without_an_error_is_counted():
    make_run("failed")
    assert told() == [("tests.order", "", "", 1)]
