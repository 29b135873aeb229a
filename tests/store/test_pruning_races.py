"""Pruning beside others: retries, another pruner, starts with a key, and its own violent end."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction

import durable_django as durable
from durable_django.exceptions import ExecutionNotFound
from durable_django.models import FINAL, Execution, StepRun
from durable_django.store import clock, pruning, trees
from durable_django.store.trees import Ended
from tests.store.rows import at_once, make_run

pytestmark = pytest.mark.django_db(transaction=True)

ENDED = tuple(status.value for status in FINAL)
WAIT_SECONDS = 20


def make_tree(strands=2, status="failed", **options):
    """A run that ended an hour ago, with strands and step runs, as rows."""
    hour_ago = clock.now() - timedelta(hours=1)
    run = make_run(**options)
    ended = {"status": status, "finished_at": hour_ago}
    Execution.objects.filter(pk=run.pk).update(**ended)
    members = [make_run() for _ in range(strands)]
    for index, member in enumerate(members):
        Execution.objects.filter(pk=member.pk).update(
            kind="strand", parent=run, root=run, depth=1, path=f"each[{index}]", **ended
        )
    for row in (run, *members):
        StepRun.objects.create(
            execution_id=row.pk,
            seq=1,
            path="a",
            name="a",
            kind="step",
            attempt=1,
            status="completed",
            started_at=hour_ago,
            finished_at=hour_ago,
        )
    return run


def delete(*roots):
    return trees.delete([root.pk for root in roots], Ended(clock.now(), ENDED))


def whole():
    """Every execution has its root, its parent and its step run, and no step run is alone."""
    rows = {row.pk: row for row in Execution.objects.all()}
    assert all(row.root_id in rows for row in rows.values())
    assert all(row.parent_id is None or row.parent_id in rows for row in rows.values())
    assert sorted(StepRun.objects.values_list("execution_id", flat=True)) == sorted(rows)
    strands = [row for row in rows.values() if row.kind == "strand"]
    assert 3 * len({row.root_id for row in rows.values()}) == len(rows)
    return len(rows) - len(strands)


@contextmanager
def stopping_at(words):
    """This thread stops before its first statement that begins so: (it has come there, go on)."""
    came, go_on = threading.Event(), threading.Event()

    def stop(execute, sql, params, many, context):
        if sql.startswith(words) and not came.is_set():
            came.set()
            assert go_on.wait(WAIT_SECONDS)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(stop):
        yield came, go_on


def in_thread(call):
    """Calls in a thread; its result, or the error, is in the list it returns at the end."""
    found = []

    def run():
        try:
            found.append(call())
        except Exception as error:
            found.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


# race: prune-or-retry
def test_what_is_retried_before_it_is_locked_stays_whole():
    run, other = make_tree(), make_tree()
    walk = pruning.Walk(pruning.Chosen("shop", clock.now()))
    assert walk.next(9) == [run.pk, other.pk]
    durable_retry(run)
    done = delete(run, other)
    assert (done.trees, done.kept) == (1, 1)
    assert whole() == 1
    assert Execution.objects.get(pk=run.pk).status == "pending"


def durable_retry(run):
    """As a retry leaves it, without the code of the workflow."""
    Execution.objects.filter(pk=run.pk).update(status="pending", finished_at=None)


def test_a_member_that_goes_on_between_two_looks_keeps_its_tree():
    run = make_tree()
    strand = Execution.objects.filter(kind="strand").first()
    seen = []

    def change(execute, sql, params, many, context):
        found = execute(sql, params, many, context)
        if "parent_id" in sql and sql.startswith("SELECT") and not seen:
            seen.append(sql)  # its children were read, and are still to be locked
            durable_retry(strand)
        return found

    with connection.execute_wrapper(change):
        done = delete(run)
    assert seen
    assert (done.trees, done.kept) == (0, 1)
    assert whole() == 1


def test_a_retry_that_is_not_committed_yet_keeps_its_run():
    run = make_tree()
    thread = None
    with transaction.atomic():
        durable_retry(run)
        thread, found = in_thread(lambda: delete(run))
        # On PostgreSQL it passes what is locked; on SQLite it waits until it may write.
        thread.join(WAIT_SECONDS if connection.vendor == "postgresql" else 0.2)
    thread.join(WAIT_SECONDS)
    assert found == [trees.Pruned(kept=1)]
    assert whole() == 1


def test_a_retry_that_comes_while_a_tree_is_deleted_finds_nothing():
    run = make_tree()

    def pruning_slowly():
        with stopping_at("DELETE") as (came, go_on):
            marks.extend((came, go_on))
            ready.set()
            return delete(run)

    marks, ready = [], threading.Event()
    pruner, pruned = in_thread(pruning_slowly)
    assert ready.wait(WAIT_SECONDS)
    came, go_on = marks
    assert came.wait(WAIT_SECONDS)
    retrier, retried = in_thread(lambda: durable.retry(run))
    retrier.join(0.2)
    assert retrier.is_alive()  # it waits for the lock
    go_on.set()
    pruner.join(WAIT_SECONDS)
    retrier.join(WAIT_SECONDS)
    assert pruned[0].trees == 1
    assert isinstance(retried[0], ExecutionNotFound)
    assert whole() == 0


def test_two_pruners_at_once_delete_each_tree_once():
    count = 30
    for _ in range(count):
        make_tree()
    make_tree(status="completed")
    numbers = at_once(*[lambda: durable.prune(60, status="failed", batch_size=4)] * 3)
    # Each found its share; what one passed because another held it, that one deleted.
    assert sum(done.trees for done in numbers) == count
    assert sum(done.step_runs for done in numbers) == 3 * count
    assert whole() == 1


# race: key-pruned
def test_a_start_whose_key_is_pruned_meanwhile_starts_a_run():
    old = make_run(idempotency_key="k")
    Execution.objects.filter(pk=old.pk).update(status="completed", finished_at=clock.now())
    seen = []

    def prune_it(execute, sql, params, many, context):
        found = execute(sql, params, many, context)
        if sql.startswith("INSERT") and not seen:
            seen.append(sql)
            Execution.objects.filter(pk=old.pk)._raw_delete("default")
        return found

    with connection.execute_wrapper(prune_it):
        new = make_run(idempotency_key="k")
    assert seen
    assert new.pk != old.pk
    assert Execution.objects.get() == new


KILLED_AT = """
import os, signal, sys
import django
django.setup()
from django.db import connection
from durable_django import prune

left = int(sys.argv[1])

def end(execute, sql, params, many, context):
    global left
    if sql.startswith("DELETE"):
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
    return execute(sql, params, many, context)

with connection.execute_wrapper(end):
    prune(60, batch_size=2)
"""


def test_a_pruner_that_is_killed_half_way_leaves_no_half_tree(child_environment):
    """At statements of its first, second and third transaction; then another one ends it."""
    for _ in range(10):
        make_tree()
    left = 10
    for statement in (5, 9, 15):
        process = subprocess.run(
            [sys.executable, "-c", KILLED_AT, str(statement)],
            env={**child_environment, "PYTHONPATH": os.getcwd()},
            timeout=60,
        )
        assert process.returncode == -signal.SIGKILL
        left -= 2 * ((statement - 1) // 6)
        assert whole() == left
    assert durable.prune(60).trees == left == 4
    assert whole() == 0
