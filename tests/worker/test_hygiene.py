"""Connections around steps: what a step leaves behind is found before anything is written."""

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction

import durable_django as durable
from durable_django import Workflow, step
from durable_django.exceptions import ExecutionFailed
from durable_django.models import StepRun

LEFT = "the step left the connection 'default'"


def open_transaction():
    transaction.atomic().__enter__()


def turn_autocommit_off():
    transaction.set_autocommit(False)


def begin_by_hand():
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")


def fail_in_a_transaction_by_hand():
    begin_by_hand()
    with connection.cursor() as cursor:
        try:
            cursor.execute("SELECT nothing FROM nowhere")
        except Exception:
            pass


def close():
    connection.close()


def close_underneath():
    connection.ensure_connection()
    connection.connection.close()


LEAVING = [open_transaction, turn_autocommit_off, begin_by_hand, fail_in_a_transaction_by_hand]


@pytest.mark.parametrize("leave", LEAVING)
@pytest.mark.parametrize("kind", ["plain", "at_most_once"])
def test_a_connection_left_unusable_is_a_failed_attempt(workers, leave, kind):
    class Leaves(Workflow):
        @step(at_most_once=kind == "at_most_once")
        def only(self):
            leave()
            Group.objects.create(name="rolled back") if "fail" not in leave.__name__ else None
            return "done"

    class Good(Workflow):
        @step
        def only(self):
            return Group.objects.count()

    bad = Leaves.start()
    workers.start(threads=1)
    with pytest.raises(ExecutionFailed, match=LEFT):
        bad.get_result(timeout=20)
    assert Good.start().get_result(timeout=20) == 0


@pytest.mark.parametrize("leave", [close, close_underneath])
def test_a_connection_that_a_step_closed_harms_nobody(workers, leave):
    class Closes(Workflow):
        @step
        def only(self):
            leave()
            return "done"

        @step
        def next(self):
            return Group.objects.count()

    ids = durable.start_many(Closes, [{}] * 10)
    workers.start(threads=2)
    for pk in ids:
        assert durable.get_result(pk, timeout=20) == 0
    assert StepRun.objects.filter(status="failed").count() == 0


def test_a_step_that_fails_inside_its_own_transaction_tells_its_own_error(workers):
    class Fails(Workflow):
        @step
        def only(self):
            transaction.atomic().__enter__()
            Group.objects.create(name="rolled back")
            raise LookupError("mine")

    run = Fails.start()
    workers.start()
    with pytest.raises(ExecutionFailed, match="LookupError: mine"):
        run.get_result(timeout=20)
    assert not Group.objects.exists()


def test_connections_are_kept_from_step_to_step(workers):
    seen = []

    class Looks(Workflow):
        @step
        def only(self):
            connection.ensure_connection()
            seen.append(connection.connection)

    for _ in range(5):
        Looks.start()
        workers.wait(workers.start(threads=1, burst=True))
    assert len(seen) == 5
    ids = durable.start_many(Looks, [{}] * 20)
    workers.wait(workers.start(threads=1, burst=True))
    assert durable.get_result(ids[0]) is None
    assert len(set(map(id, seen[-20:]))) <= 2
