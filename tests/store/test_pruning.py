"""What is deleted, and what stays: whole trees that ended long enough ago."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

import durable_django as durable
from durable_django import Workflow, call_workflow, foreach, start_workflow, step, wait_for_event
from durable_django.models import (
    AuditEntry,
    Event,
    Execution,
    Schedule,
    ScheduleTick,
    StepRun,
    Wait,
)
from durable_django.store import clock, pruning, trees
from durable_django.testing import advance, drain, isolate_registry, run

pytestmark = pytest.mark.django_db

MONTH = timedelta(days=30)
KINDS = (Execution, StepRun, Wait, Event, AuditEntry)


@pytest.fixture(autouse=True)
def _own_registry():
    with isolate_registry():
        yield


def made():
    class Plain(Workflow):
        class Meta:
            name = "plain"

        @step
        def work(self):
            if self.input.get("fails"):
                raise ValueError("no")
            return 1

    class Fan(Workflow):
        class Meta:
            name = "fan"

        with foreach(lambda self: range(3)) as each:

            @step
            def send(self):
                return self.item

    class Caller(Workflow):
        class Meta:
            name = "caller"

        child = call_workflow("fan")
        heard = wait_for_event("go")

    class Starter(Workflow):
        class Meta:
            name = "starter"

        begun = start_workflow("waits")

    class Waits(Workflow):
        class Meta:
            name = "waits"

        heard = wait_for_event("go")

    return Plain, Fan, Caller, Starter, Waits


def rows():
    return {kind.__name__: kind.objects.count() for kind in KINDS}


def left():
    return sorted(Execution.objects.filter(kind="workflow").values_list("workflow_name", flat=True))


def test_a_run_that_ended_long_ago_goes_with_all_that_belongs_to_it():
    made()
    caller = durable.start("caller", by="ada")
    drain()
    durable.send_event(caller, "go", {"n": 1}, idempotency_key="k", by="ada")
    durable.send_event(caller, "more")
    drain()
    assert Execution.objects.get(pk=caller.pk).status == "completed"
    before = rows()
    assert min(before.values()) > 0
    advance(MONTH)
    done = durable.prune(timedelta(days=29))
    assert done == trees.Pruned(
        trees=1,
        executions=before["Execution"],
        step_runs=before["StepRun"],
        waits=before["Wait"],
        events=before["Event"],
        audit_entries=before["AuditEntry"],
    )
    (entry,) = AuditEntry.objects.all()  # of the pruning itself
    assert entry.verb == "prune"
    assert rows() == {"Execution": 0, "StepRun": 0, "Wait": 0, "Event": 0, "AuditEntry": 1}


def test_a_run_that_ended_lately_stays_however_long_it_took():
    made()
    slow = durable.start("waits")
    drain()
    advance(MONTH)
    durable.send_event(slow, "go")
    drain()
    assert Execution.objects.get(pk=slow.pk).is_final
    assert durable.prune(timedelta(days=1)).trees == 0
    advance(timedelta(days=2))
    assert durable.prune(timedelta(days=1)).trees == 1


def test_what_has_not_ended_stays_however_old_it_is():
    made()
    waits = durable.start("waits")
    later = durable.start("plain", scheduled_at=clock.now() + 10 * MONTH)
    drain()
    durable.pause(durable.start("plain"))
    advance(5 * MONTH)
    assert durable.prune(0).executions == 0
    assert Execution.objects.filter(pk__in=[waits.pk, later.pk]).count() == 2


def test_a_tree_of_which_a_member_runs_stays_whole():
    made()
    caller = run("caller")
    durable.send_event(caller, "go")
    drain()
    child = Execution.objects.get(workflow_name="fan", kind="workflow")
    Execution.objects.filter(pk=child.pk).update(status="compensating", finished_at=None)
    advance(MONTH)
    before = rows()
    assert durable.prune(0) == trees.Pruned(kept=1)
    assert rows() == before
    Execution.objects.filter(pk=child.pk).update(status="compensated", finished_at=clock.now())
    advance(MONTH)
    assert durable.prune(timedelta(days=29)).trees == 1
    assert rows()["Execution"] == 0


def test_a_member_that_ended_lately_keeps_its_tree():
    made()
    run("fan")
    strand = Execution.objects.filter(kind="strand").last()
    advance(MONTH)
    Execution.objects.filter(pk=strand.pk).update(finished_at=clock.now())
    assert durable.prune(timedelta(days=1)) == trees.Pruned(kept=1)
    assert Execution.objects.count() == 4


def test_a_run_that_another_one_started_is_a_tree_of_its_own():
    made()
    starter = run("starter")
    advance(MONTH)
    assert durable.prune(timedelta(days=1)).trees == 1
    assert left() == ["waits"]
    waits = Execution.objects.get()
    assert waits.parent_id == starter.pk  # it says still who started it
    durable.send_event(waits, "go")
    drain()
    assert Execution.objects.get().status == "completed"
    assert not Event.objects.exclude(execution=waits).exists()


def test_a_child_whose_end_is_still_to_be_told_stays():
    plain, *_ = made()

    class Patient(Workflow):
        child = call_workflow(plain, on_cancel="abandon")
        heard = wait_for_event("go")

    run(Patient)
    child = Execution.objects.get(workflow_name="plain")
    assert (child.status, child.root_id) == ("completed", child.pk)
    advance(MONTH)
    call = Wait.objects.filter(kind="call")
    call.update(status="open", resolved_at=None)
    assert durable.prune(0).trees == 0
    call.update(status="completed", resolved_at=clock.now())
    assert durable.prune(0).trees == 1
    assert Execution.objects.get().workflow_name == "store.Patient"


@pytest.mark.parametrize(
    ("status", "stay"),
    [
        (None, []),
        ("completed", ["plain"]),
        ("failed", ["plain", "plain"]),
        (["failed", "completed"], []),
        ("cancelled", ["plain", "plain", "plain"]),
    ],
)
def test_only_runs_that_ended_as_asked_go(status, stay):
    made()
    run("plain")
    run("plain")
    run("plain", {"fails": True})
    advance(MONTH)
    durable.prune(timedelta(days=1), status=status)
    assert left() == stay


def test_only_runs_of_one_workflow_go_its_children_do_not_count():
    made()
    caller = run("caller")
    durable.send_event(caller, "go")
    drain()
    run("plain")
    advance(MONTH)
    assert durable.prune(0, workflow="fan").trees == 0
    assert durable.prune(0, workflow="plain").trees == 1
    assert left() == ["caller", "fan"]


def test_the_tick_that_started_a_run_stays():
    plain, *_ = made()
    done = run(plain)
    now = clock.now()
    schedule = Schedule.objects.create(
        workflow_name="plain",
        name="default",
        source="people",
        interval_seconds=60,
        catch_up_seconds=60,
        enabled_at=now,
        created_at=now,
    )
    ScheduleTick.objects.create(
        schedule=schedule, kind="time", at=now, outcome="started", execution=done, created_at=now
    )
    advance(MONTH)
    assert durable.prune(0).trees == 1
    assert ScheduleTick.objects.get().execution_id == done.pk


def test_a_rerun_outlives_the_run_it_was_made_of():
    made()
    first = run("fan")
    advance(MONTH)
    again = durable.rerun_from(first, "each")
    drain()
    assert durable.prune(timedelta(days=1)).trees == 1
    assert Execution.objects.get(pk=again.pk).result
    assert durable.get_execution(again).steps.count() > 0


def test_an_idempotency_key_goes_with_its_run():
    made()
    first = run("plain", idempotency_key="order-7")
    advance(MONTH)
    assert durable.start("plain", idempotency_key="order-7") == first
    durable.prune(0)
    assert durable.start("plain", idempotency_key="order-7") != first


def test_a_large_tree_goes_in_a_transaction_of_its_own(monkeypatch):
    made()
    monkeypatch.setattr(trees, "EXECUTIONS_MAX", 5)
    for _ in range(2):
        run("fan")
        run("plain")
    roots = list(Execution.objects.filter(parent=None).order_by("id").values_list("id", flat=True))
    assert [len(part) for part in pruning.in_transactions(roots)] == [2, 2]
    assert [len(part) for part in pruning.in_transactions(roots[::2])] == [1, 1]
    monkeypatch.setattr(trees, "STEP_RUNS_MAX", 1)
    assert [len(part) for part in pruning.in_transactions(roots)] == [1, 1, 1, 1]
    advance(MONTH)
    assert durable.prune(0).executions == 10
    assert not Execution.objects.exists()


def test_runs_that_sleep_at_the_front_are_walked_past(monkeypatch):
    made()
    monkeypatch.setattr(pruning, "WINDOW", 3)
    for _ in range(10):
        durable.start("waits")
    drain()
    ended = durable.start("waits")
    drain()
    durable.send_event(ended, "go")
    drain()
    advance(MONTH)
    walk = pruning.Walk(pruning.Chosen("waits", clock.now()))
    found = [walk.next(5) for _ in range(4)]
    assert found == [[], [], [], [ended.pk]]
    assert walk.is_over


def test_a_walk_gives_each_root_once_in_the_order_of_their_making(monkeypatch):
    made()
    monkeypatch.setattr(pruning, "WINDOW", 4)
    runs = [run("plain").pk for _ in range(9)]
    advance(MONTH)
    walk = pruning.Walk(pruning.Chosen("plain", clock.now()))
    found = []
    while not walk.is_over:
        found += walk.next(3)
    assert found == runs


def test_looking_for_what_is_old_uses_the_index_of_the_workflow():
    made()
    run("plain")
    advance(MONTH)
    with CaptureQueriesContext(connection) as asked:
        pruning.Walk(pruning.Chosen("plain", clock.now())).next(5)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
        for query in asked.captured_queries:
            cursor.execute(f"{explain} {query['sql']}")
            plan = " ".join(str(row) for row in cursor.fetchall())
            assert "durable_execution_workflow" in plan, plan


def test_each_table_is_deleted_from_by_an_index():
    made()
    caller = run("caller")
    durable.send_event(caller, "go")
    drain()
    advance(MONTH)
    with CaptureQueriesContext(connection) as asked:
        durable.prune(0)
    deletes = [q["sql"] for q in asked.captured_queries if q["sql"].startswith("DELETE")]
    assert len(deletes) == 6
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
        for sql in deletes:
            cursor.execute(f"{explain} {sql}")
            plan = " ".join(str(row) for row in cursor.fetchall())
            assert "Seq Scan" not in plan, plan
            assert "SEARCH" in plan or "Index" in plan, plan
