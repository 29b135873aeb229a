"""Counts: exact while there are few, capped while there are many, one statement, by an index."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from durable_django.figures import counts
from durable_django.models import ExecutionStatus
from tests.admin.rows import make_fork, make_run, now

pytestmark = pytest.mark.django_db


def count(rows=None, most=counts.COUNTED_MAX):
    return counts.count_capped(counts.statuses(rows or counts.all_runs()), most)


def test_each_status_is_counted_by_one_statement():
    for number, status in enumerate(ExecutionStatus.values):
        for _ in range(number % 3):
            make_run(status, **({"paused_at": now()} if status == "paused" else {}))
    with CaptureQueriesContext(connection) as asked:
        found = counts.count_statuses(count())
    assert len(asked) == 1
    assert found == {
        status: counts.Capped(number % 3) for number, status in enumerate(ExecutionStatus.values)
    }


def test_members_of_runs_are_not_counted():
    make_fork(make_run("waiting"), ["pending", "completed", "failed"])
    found = counts.count_statuses(count())
    assert {status: str(n) for status, n in found.items() if n.number} == {"waiting": "1"}


def test_what_there_is_much_of_is_counted_up_to_a_limit():
    for status in ("failed", "pending", "completed"):
        for _ in range(4):
            make_run(status)
    found = count(most=3)
    assert found["failed"] == counts.Capped(3, True)
    told = counts.count_statuses(found)
    assert (str(told["failed"]), str(told["cancelled"])) == ("3+", "0")
    assert (str(told["pending"]), str(told["completed"])) == ("3+", "3+")


def test_a_limit_on_what_may_be_seen_holds_for_every_status():
    for queue in ("shop", "secret"):
        for status in ("failed", "pending", "running", "completed"):
            make_run(status, queue=queue)
    found = counts.count_statuses(count(counts.all_runs().filter(queue="shop")))
    assert {str(found[s]) for s in ("failed", "pending", "running", "completed")} == {"1"}


def test_what_can_have_no_rows_is_none():
    make_run()
    nothing = counts.all_runs().filter(pk__in=())
    assert counts.count_capped({"nothing": nothing}) == {"nothing": counts.NONE}
    found = counts.count_capped({"nothing": nothing, "all": counts.all_runs()})
    assert found == {"nothing": counts.NONE, "all": counts.Capped(1)}


def test_a_run_that_should_have_gone_on_is_overdue():
    late, soon = now() - timedelta(minutes=2), now() + timedelta(minutes=2)
    for due_at in (late, soon, now()):
        make_run("sleeping", due_at=due_at)
    make_run("waiting")
    assert counts.overdue(counts.all_runs(), now()).count() == 1


def test_runs_without_code_are_found_where_they_are_put_back():
    soon = now() + timedelta(seconds=20)
    lost = make_run("sleeping", due_at=soon, workflow_name="tests.lost", version=2)
    make_run("sleeping", due_at=soon, workflow_name="tests.lost", version=3)
    make_run("sleeping", due_at=soon + timedelta(hours=1), workflow_name="tests.lost", version=2)
    found = counts.put_back(counts.all_runs(), [("tests.lost", 2)], now())
    assert [run.pk for run in found] == [lost.pk]
    assert list(counts.put_back(counts.all_runs(), [], now())) == []


# What a statement costs on ten million rows is told by the index that the planner chooses.
INDEXES = {
    **dict.fromkeys(("failed", "sleeping", "paused", "cancelled"), "durable_execution_rare"),
    "ready": "durable_execution_ready",
    "pending": "durable_execution_ready",
    "running": "durable_execution_running",
    "all": "durable_execution_workflow",
    "overdue": "durable_execution_due",
}


def test_no_count_reads_the_whole_table(large_table):
    for status in ExecutionStatus.values:
        make_run(status, **({"paused_at": now()} if status == "paused" else {}))
    runs = counts.all_runs()
    asked = {**counts.statuses(runs), "overdue": counts.overdue(runs, now())}
    plans = {name: asked[name][:100].explain() for name in INDEXES}
    scans = re.compile(r"Seq Scan|SCAN (?!\w+ USING|ready USING)")
    assert {name: plan for name, plan in plans.items() if INDEXES[name] not in plan} == {}
    assert {name: plan for name, plan in plans.items() if scans.search(plan)} == {}
