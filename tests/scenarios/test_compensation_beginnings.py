"""What begins a rollback, and what becomes of a run that has nothing to undo."""

from datetime import timedelta

import pytest

import durable_django as durable_api
from durable_django import (
    RetryAfter,
    Workflow,
    foreach,
    hours,
    parallel,
    sequence,
    step,
)
from durable_django.models import Execution
from durable_django.store import clock

HOUR = 3600


def undone(execution):
    """The paths of the visits that were undone, in order."""
    rows = execution.steps.filter(kind="compensation", status="completed")
    return [path.partition("~")[0] for path in rows.values_list("path", flat=True)]


def again(execution):
    """The row as it is now."""
    return durable_api.get_execution(execution)


def make_sleeper():
    class Sleeper(Workflow):
        class Meta:
            timeout = hours(1)

        @step
        def first(self): ...

        @first.compensate
        def undo_first(self): ...

        @step
        def second(self):
            raise RetryAfter(2 * HOUR)

        @second.compensate
        def undo_second(self): ...

    return Sleeper


def make_waiter():
    class Waiter(Workflow):
        class Meta:
            timeout = hours(1)

        @step
        def first(self): ...

        @first.compensate
        def undo_first(self): ...

        with foreach(lambda self: range(3), concurrency=2) as each:

            @step
            def book(self): ...

            @book.compensate
            def unbook(self): ...

            @step
            def hold(self):
                raise RetryAfter(2 * HOUR)

        @each.compensate
        def uneach(self): ...

    return Waiter


def stop_by_cancel(durable, run):
    given = durable_api.cancel(run, "enough", compensate=True)
    assert (given.status, given.reason, given.finished_at) == ("compensating", "enough", None)


def stop_by_timeout(durable, run):
    durable.advance(HOUR + 1)


@pytest.mark.parametrize("stop", [stop_by_cancel, stop_by_timeout])
@pytest.mark.parametrize(
    ("make", "status", "order"),
    [
        (make_sleeper, "sleeping", ["first"]),
        (make_waiter, "waiting", ["each[1]/book", "each[0]/book", "first"]),
    ],
)
def test_a_parked_run_is_undone_when_it_is_stopped(durable, stop, make, status, order):
    run = durable.run(make())
    assert run.status == status
    stop(durable, run)
    durable.drain()
    row = again(run)
    assert (row.status, undone(row)) == ("compensated", order)
    assert (row.error or {}).get("type") == ("WorkflowTimeout" if stop is stop_by_timeout else None)
    assert row.reason == ("enough" if stop is stop_by_cancel else "")
    assert not Execution.objects.filter(finished_at__isnull=True).exists()
    durable.advance(3 * HOUR)
    assert durable.drain() == 0


def test_a_cancel_that_does_not_ask_for_it_undoes_nothing(durable):
    run = durable.run(make_sleeper())
    assert durable_api.cancel(run).status == "cancelled"
    assert durable.drain() == 0
    assert undone(again(run)) == []


@pytest.mark.parametrize("scheduled", [False, True])
def test_a_run_that_has_not_begun_is_cancelled_at_once(durable, scheduled):
    at = clock.now() + timedelta(hours=1) if scheduled else None
    run = durable_api.start(make_sleeper(), scheduled_at=at)
    assert run.status == ("scheduled" if scheduled else "pending")
    given = durable_api.cancel(run, compensate=True)
    assert (given.status, again(run).status) == ("cancelled", "cancelled")
    durable.advance(2 * HOUR)
    assert durable.drain() == 0


def test_a_workflow_without_compensations_is_cancelled_at_once(durable):
    class Plain(Workflow):
        @step
        def first(self): ...

        @step
        def second(self):
            raise RetryAfter(60)

    run = durable.run(Plain)
    assert durable_api.cancel(run, compensate=True).status == "cancelled"


def test_a_run_between_two_nodes_is_undone_from_where_it_stood(durable):
    """Its worker died: the steps stand in no snapshot yet."""
    sleeper = make_sleeper()
    run = durable_api.start(sleeper)
    with durable.crash_before(sleeper.second):
        durable.drain()
    durable_api.cancel(run, compensate=True)
    durable.drain()
    assert (again(run).status, undone(again(run))) == ("compensated", ["first"])


def test_where_nothing_had_completed_a_run_fails_plainly_and_can_be_retried(durable):
    class First(Workflow):
        @step
        def only(self):
            self.context["tries"] = self.attempt
            if not ready:
                raise ValueError("not ready")
            return "done"

        @only.compensate
        def undo(self): ...

    ready = []
    run = durable.run(First)
    assert (run.status, run.error["message"]) == ("failed", "not ready")
    ready.append(1)
    assert durable_api.retry(run).status == "pending"
    durable.drain()
    row = again(run)
    assert (row.status, row.result, row.error, undone(row)) == ("completed", "done", None, [])


def test_where_only_nodes_without_a_handler_had_completed_retry_goes_on_in_the_members(durable):
    class Trip(Workflow):
        @step
        def before(self): ...

        with parallel() as both:
            with sequence() as pair:

                @step
                def left(self):
                    self.context.increment("left")

                @step
                def flaky(self):
                    if not ready:
                        raise ValueError("not ready")
                    return "flaky"

                @flaky.compensate
                def unflaky(self): ...

            @step
            def right(self):
                self.context.increment("right")

        @both.compensate
        def unboth(self): ...

        @step
        def end(self):
            if self.input["fails"]:
                raise ValueError("the end")

    for fails, status, order in (
        (False, "completed", []),
        (True, "compensated", ["both", "both/pair/flaky"]),
    ):
        ready = []
        run = durable.run(Trip, {"fails": fails})
        assert (run.status, undone(run)) == ("failed", [])
        ready.append(1)
        durable_api.retry(run)
        durable.drain()
        row = again(run)
        assert (row.status, undone(row)) == (status, order)
        assert row.context == {"left": 1, "right": 1}
        assert row.steps.filter(name="right").count() == 1


def test_where_nothing_had_completed_a_cancelled_run_can_be_retried(durable):
    class Waits(Workflow):
        @step
        def only(self):
            if not ready:
                raise RetryAfter(HOUR)

        @only.compensate
        def undo(self): ...

    ready = []
    run = durable.run(Waits)
    durable_api.cancel(run, "a mistake", compensate=True)
    durable.drain()
    row = again(run)
    assert (row.status, row.reason, row.error) == ("cancelled", "a mistake", None)
    ready.append(1)
    durable_api.retry(run)
    durable.drain()
    assert again(run).status == "completed"
