"""Rollback by real workers: its handlers are claimed, interrupted, retried and resumed as steps."""

import asyncio
import time

import durable_django as durable
from durable_django import (
    Retry,
    Workflow,
    foreach,
    step,
)
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


def test_a_failed_run_is_undone_newest_first(workers):
    done = []
    run = make_trip(done).start()
    workers.start()
    row = ended(run)
    assert (row.status, row.error["message"], row.error["node"]) == (
        "compensated",
        "no money",
        "pay",
    )
    assert done == UNDONE
    assert handlers_of(row) == [
        ("cancel_hotel", 1, "completed"),
        ("cancel_flight", 1, "completed"),
    ]


def test_many_runs_are_undone_side_by_side(workers):
    done = []
    ids = durable.start_many(make_trip(done), [{}] * 40)
    workers.start()
    workers.start()
    assert {ended(pk).status for pk in ids} == {"compensated"}
    assert sorted(done) == sorted(UNDONE * 40)


def test_a_burst_ends_only_when_all_is_undone(workers):
    done = []
    run = make_trip(done).start()
    workers.wait(workers.start(burst=True))
    assert durable.get_execution(run).status == "compensated"
    assert done == UNDONE


def test_a_rollback_begins_at_once_and_not_with_the_next_poll(workers, durable_settings):
    durable_settings(POLL_SECONDS=30.0)
    done = []
    service = workers.start()
    until(lambda: service.leader.next_poll)
    run = make_trip(done).start()
    assert ended(run).status == "compensated"
    assert done == UNDONE


def test_a_handler_that_times_out_is_given_up_and_the_next_one_runs(workers):
    done = []

    class Slow(Workflow):
        @step
        def first(self): ...

        @first.compensate
        def undo_first(self):
            done.append("first")

        @step
        def second(self): ...

        @second.compensate(timeout=0.1)
        def undo_second(self):
            try:
                while True:
                    time.sleep(0.001)
            finally:
                done.append("second")

        @step
        def last(self):
            raise ValueError("original")

    run = Slow.start()
    service = workers.start()
    row = ended(run)
    assert (row.status, row.error["message"]) == ("compensation_failed", "original")
    assert handlers_of(row) == [("undo_second", 1, "timed_out"), ("undo_first", 1, "completed")]
    assert row.steps.get(name="undo_second").error["type"] == "StepTimeout"
    until(lambda: service.pool.busy == 0)
    assert sorted(done) == ["first", "second"]


def test_a_handler_that_timed_out_is_retried_as_declared(workers):
    done = []

    class Slow(Workflow):
        @step
        def first(self): ...

        @first.compensate(timeout=0.1, retry=SOON)
        def undo_first(self):
            while self.attempt < 2:
                time.sleep(0.001)
            done.append(self.attempt)

        @step
        def last(self):
            raise ValueError

    run = Slow.start()
    workers.start()
    row = ended(run)
    assert row.status == "compensated"
    assert handlers_of(row) == [("undo_first", 1, "timed_out"), ("undo_first", 2, "completed")]
    assert done == [2]


def test_an_async_handler_runs_on_the_event_loop_and_sees_all_of_its_visit(workers):
    done = []

    class Trip(Workflow):
        @step
        def card(self):
            self.context["card"] = 12

        with foreach(lambda self: ["a", "b"], concurrency=1) as nights:

            @step
            async def book(self):
                self.context.append("booked", self.item)
                return self.item * 2

            @book.compensate
            async def unbook(self):
                await asyncio.sleep(0)
                seen = (self.item, self.index, self.outputs["book"])
                done.append((*seen, self.context["card"], self.context["booked"]))
                self.context.increment("undone")

        @step
        def pay(self):
            raise ValueError

    run = Trip.start()
    workers.start()
    row = ended(run)
    assert row.status == "compensated", [r.error for r in row.steps.filter(status="failed")]
    both = ["a", "b"]
    assert done == [("b", 1, "bb", 12, both), ("a", 0, "aa", 12, both)]
    assert row.context["undone"] == 2


def test_an_async_handler_times_out(workers):
    class Slow(Workflow):
        @step
        def first(self): ...

        @first.compensate
        async def undo_first(self): ...

        @step
        def second(self): ...

        @second.compensate(timeout=0.1)
        async def undo_second(self):
            await asyncio.sleep(60)

        @step
        def last(self):
            raise ValueError

    run = Slow.start()
    workers.start()
    row = ended(run)
    assert row.status == "compensation_failed"
    assert handlers_of(row) == [("undo_second", 1, "timed_out"), ("undo_first", 1, "completed")]


def test_between_the_attempts_of_a_handler_no_thread_is_held(workers):
    class Patient(Workflow):
        @step
        def first(self): ...

        @first.compensate(retry=Retry(max_attempts=2, backoff="constant", base=1000))
        def undo_first(self):
            raise ConnectionError

        @step
        def last(self):
            raise ValueError

    run = Patient.start()
    service = workers.start(threads=1)
    row = until(lambda: (found := durable.get_execution(run)).wake_at and found)
    assert (row.status, row.worker_id) == ("compensating", None)
    until(lambda: not service.pool.runs and service.pool.busy == 0)
    done = []
    assert ended(make_trip(done).start()).status == "compensated"
    assert [found.pk for found in durable.list_executions(status="compensating")] == [run.pk]


def test_a_handler_retries_after_its_delay(workers):
    attempts = []

    class Trip(Workflow):
        @step
        def first(self): ...

        @first.compensate(retry=SOON)
        def undo_first(self):
            attempts.append((self.attempt, self.idempotency_key))
            if self.attempt < 3:
                raise ConnectionError

        @step
        def last(self):
            raise ValueError

    run = Trip.start()
    workers.start()
    assert ended(run).status == "compensated"
    key = f"{run.pk}:first~undo_first"
    assert attempts == [(1, key), (2, key), (3, key)]
