"""Rollback by real workers: what begins it, what cannot stop it, and what is told of it."""

import threading

import pytest
from django.db import OperationalError

import durable_django as durable
from durable_django import (
    Fatal,
    InvalidState,
    Retry,
    Workflow,
    foreach,
    parallel,
    sequence,
    signals,
    step,
)
from durable_django.definition import registry
from durable_django.store import clock
from durable_django.worker import run as run_module
from tests.waiting import until

SOON = Retry(max_attempts=3, backoff="constant", base=0.05)


def ended(run):
    """The run, once it has a final status."""
    return until(lambda: (found := durable.get_execution(run)).is_final and found)


def handlers_of(run, **where):
    rows = run.steps.filter(kind="compensation", **where)
    return list(rows.values_list("name", "attempt", "status"))


def make_trip(done, unbook=None):
    """Three completed nodes, the first two with handlers, and one that fails."""

    class Trip(Workflow):
        @step
        def flight(self):
            self.context["flight"] = 7

        @flight.compensate
        def cancel_flight(self):
            done.append(("flight", self.context["flight"]))

        @step
        def hotel(self):
            return "room"

        @hotel.compensate
        def cancel_hotel(self):
            done.append(("hotel", self.outputs["hotel"]))
            if unbook:
                unbook(self)

        @step
        def pay(self):
            raise ValueError("no money")

    return Trip


UNDONE = [("hotel", "room"), ("flight", 7)]


def test_a_run_that_is_inside_a_step_is_cancelled_and_undone(workers):
    done, inside, latch = [], threading.Event(), workers.latch()

    class Held(Workflow):
        @step
        def first(self): ...

        @first.compensate
        def undo_first(self):
            done.append(self.context.get("late"))

        @step
        def second(self):
            inside.set()
            latch.wait(20)
            self.context["late"] = True

        @second.compensate
        def undo_second(self):
            done.append("never completed")

    run = Held.start()
    service = workers.start()
    assert inside.wait(20)
    assert durable.cancel(run, "enough", compensate=True).status == "compensating"
    row = ended(run)
    assert (row.status, row.reason, row.error) == ("compensated", "enough", None)
    latch.set()
    until(lambda: not service.pool.runs and service.pool.busy == 0)
    assert done == [None]
    assert durable.get_execution(run).context == {}


def test_a_run_that_waits_for_members_is_cancelled_and_what_they_completed_is_undone(workers):
    done, inside, latch = [], threading.Semaphore(0), workers.latch()

    class Held(Workflow):
        with foreach(lambda self: range(4), concurrency=2) as each:

            @step
            def book(self):
                return self.item

            @book.compensate
            def unbook(self):
                done.append((self.index, self.outputs["book"]))

            @step
            def hold(self):
                inside.release()
                latch.wait(20)

    run = Held.start()
    workers.start()
    assert inside.acquire(timeout=20)
    assert inside.acquire(timeout=20)
    durable.cancel(run, compensate=True)
    row = ended(run)
    latch.set()
    assert row.status == "compensated"
    # By the order in which they completed, not by that of the items.
    assert sorted(done) == [(0, 0), (1, 1)]
    rows = row.steps.filter(name="book").values_list("id", "path")
    newest = [path for _, path in sorted(rows, reverse=True)]
    undone = row.steps.filter(kind="compensation").values_list("path", flat=True)
    assert list(undone) == [f"{path}~unbook" for path in newest]


def test_a_workflow_timeout_undoes_what_had_completed(workers):
    done, latch = [], workers.latch()

    class Late(Workflow):
        class Meta:
            timeout = 0.3

        @step
        def first(self): ...

        @first.compensate
        def undo_first(self):
            done.append("first")

        @step
        def second(self):
            latch.wait(20)

    run = Late.start()
    workers.start()
    row = ended(run)
    latch.set()
    assert (row.status, row.error["type"], done) == ("compensated", "WorkflowTimeout", ["first"])


def test_a_rollback_cannot_be_cancelled_or_retried_and_its_timeout_has_passed_unheard(workers):
    inside, latch = threading.Event(), workers.latch()

    def hold(_):
        inside.set()
        assert latch.wait(20)

    done = []
    run = make_trip(done, hold).start(timeout=0.5)
    workers.start()
    assert inside.wait(20)
    for act in (durable.cancel, durable.retry):
        with pytest.raises(InvalidState) as caught:
            act(run)
        assert caught.value.status == "compensating"
    timeout_at = durable.get_execution(run).timeout_at
    until(lambda: clock.now() > timeout_at)
    latch.set()
    row = ended(run)
    assert (row.status, row.error["type"]) == ("compensated", "ValueError")
    assert done == UNDONE


def test_the_end_of_a_rollback_is_told_once_and_with_its_final_status(workers):
    told = []

    def finished(sender, execution_id, status, **rest):
        told.append((execution_id, status, durable.get_execution(execution_id).status))

    def fail(self):
        if self.input.get("fails"):
            raise Fatal("never")

    signals.execution_finished.connect(finished)
    try:
        trip = make_trip([], fail)
        workers.start()
        good = ended(trip.start())
        bad = ended(trip.start({"fails": True}))
        stopped = trip.start(queue="nobodys")
        durable.cancel(stopped, compensate=True)
        until(lambda: len(told) >= 3)
    finally:
        signals.execution_finished.disconnect(finished)
    assert sorted(told) == [
        (good.pk, "compensated", "compensated"),
        (bad.pk, "compensation_failed", "compensation_failed"),
        (stopped.pk, "cancelled", "cancelled"),
    ]


def test_each_attempt_at_a_handler_is_told(workers):
    told = []

    def ended_step(sender, execution_id, node, status, attempt, **rest):
        told.append((execution_id, node, status, attempt))

    signals.step_finished.connect(ended_step)
    try:
        run = make_trip([]).start()
        workers.start()
        ended(run)
        until(lambda: len(told) >= 5)
    finally:
        signals.step_finished.disconnect(ended_step)
    assert told[-2:] == [
        (run.pk, "cancel_hotel", "completed", 1),
        (run.pk, "cancel_flight", "completed", 1),
    ]


def test_a_workflow_this_process_does_not_have_stays_in_rollback_until_its_code_is_there(
    workers, monkeypatch
):
    monkeypatch.setattr("durable_django.worker.leader.UNKNOWN_WORKFLOW_SECONDS", 0.2)
    done, inside, latch = [], threading.Event(), workers.latch()

    def make():
        class Held(Workflow):
            class Meta:
                name = "held"

            @step
            def first(self): ...

            @first.compensate
            def undo_first(self):
                done.append("first")

            @step
            def second(self):
                inside.set()
                latch.wait(20)

        return Held

    with registry.isolate():
        run = make().start()
        service = workers.start()
        assert inside.wait(20)
        service.stop()
    durable.cancel(run, compensate=True)
    latch.set()
    workers.wait(service)
    workers.start()
    row = until(lambda: (found := durable.get_execution(run)).wake_at and found)
    assert (row.status, row.error, done) == ("compensating", None, [])
    make()
    assert ended(run).status == "compensated"
    assert done == ["first"]


def test_a_database_that_is_away_when_a_rollback_is_taken_up_does_not_end_it(workers, monkeypatch):
    failures = []

    def away(run_id, state):
        if not failures:
            failures.append(run_id)
            raise OperationalError("the connection is lost")
        return before(run_id, state)

    before = run_module.with_members_changes
    monkeypatch.setattr(run_module, "with_members_changes", away)
    done = []
    run = make_trip(done).start()
    workers.start()
    assert ended(run).status == "compensated"
    assert failures == [run.pk]
    assert done == UNDONE


def test_members_that_were_still_at_work_when_their_block_failed_are_not_undone(workers):
    done, inside, latch = [], threading.Event(), workers.latch()

    class Trip(Workflow):
        with parallel() as book:
            with sequence() as hotel:

                @step
                def room(self): ...

                @room.compensate
                def unroom(self):
                    done.append("room")

                @step
                def car(self):
                    inside.set()
                    latch.wait(20)

                @car.compensate
                def uncar(self):
                    done.append("car")

            @step
            def flight(self):
                assert inside.wait(20)
                raise ValueError("no seat")

    run = Trip.start()
    service = workers.start()
    row = ended(run)
    latch.set()
    until(lambda: not service.pool.runs and service.pool.busy == 0)
    assert (row.status, row.error["message"], done) == ("compensated", "no seat", ["room"])
