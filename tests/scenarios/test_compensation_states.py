"""A run in rollback: what people see of it and cannot do to it, and what comes before one."""

import pytest

import durable_django as durable_api
from durable_django import (
    InvalidState,
    Retry,
    RetryAfter,
    Workflow,
    hours,
    loop,
    parallel,
    signals,
    step,
)
from durable_django.definition import registry
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


def make_patient():
    class Patient(Workflow):
        class Meta:
            timeout = hours(1)

        @step
        def first(self): ...

        @first.compensate(retry=Retry(max_attempts=2, base=2 * HOUR, max_backoff=3 * HOUR))
        def undo_first(self):
            if self.attempt == 1:
                raise ConnectionError

        @step
        def last(self):
            raise ValueError("original")

    return Patient


def test_a_rollback_under_way_is_listed_and_can_be_neither_cancelled_nor_retried(durable):
    run = durable.run(make_patient())
    assert (run.status, run.is_final, run.finished_at) == ("compensating", False, None)
    assert list(durable_api.list_executions(status="compensating")) == [run]
    assert list(durable_api.list_executions(status="compensated")) == []
    for act in (
        durable_api.cancel,
        lambda run: durable_api.cancel(run, compensate=True),
        durable_api.retry,
    ):
        with pytest.raises(InvalidState, match="compensat") as caught:
            act(run)
        assert caught.value.status == "compensating"
    durable.advance(2 * HOUR + 1)
    durable.drain()
    assert list(durable_api.list_executions(status="compensated")) == [run]
    assert list(durable_api.list_executions(status=["compensating", "failed"])) == []


@pytest.mark.parametrize("status", ["compensated", "compensation_failed"])
def test_a_run_that_was_undone_can_be_neither_cancelled_nor_retried(durable, status):
    class Trip(Workflow):
        @step
        def first(self): ...

        @first.compensate
        def undo(self):
            if status == "compensation_failed":
                raise ValueError

        @step
        def last(self):
            raise ValueError

    run = durable.run(Trip)
    for act in (durable_api.cancel, durable_api.retry):
        with pytest.raises(InvalidState) as caught:
            act(run)
        assert caught.value.status == run.status == status


def test_the_timeout_of_a_run_in_rollback_passes_unheard(durable):
    run = durable.run(make_patient())
    assert again(run).due_at == again(run).wake_at
    durable.advance(HOUR + 1)
    durable.drain()
    assert again(run).status == "compensating"
    durable.advance(HOUR)
    durable.drain()
    row = again(run)
    assert (row.status, row.error["message"]) == ("compensated", "original")
    assert (row.due_at, row.wake_at) == (None, None)


def test_a_run_is_retried_as_a_whole_before_anything_is_undone(durable):
    class Stubborn(Workflow):
        class Meta:
            max_retries = 2

        @step
        def first(self): ...

        @first.compensate
        def undo(self):
            done.append(len(tries))

        @step(retry=Retry(max_attempts=2, base=0, backoff="constant"))
        def second(self):
            tries.append(self.attempt)
            raise ValueError

    tries, done = [], []
    run = durable.run(Stubborn)
    while run.status == "sleeping":
        durable.advance(1)
        durable.drain()
        run.refresh_from_db()
    assert run.status == "compensated"
    assert (tries, done) == ([1, 2] * 3, [6])


def test_a_retry_that_helps_leaves_nothing_to_undo(durable):
    class Stubborn(Workflow):
        class Meta:
            max_retries = 1

        with parallel() as both:
            with loop(until=lambda self: self.iteration == 2) as turns:

                @step
                def book(self):
                    if self.iteration == 2 and not tries:
                        tries.append(1)
                        raise ValueError

                @book.compensate
                def unbook(self): ...

            @step
            def other(self): ...

    tries = []
    run = durable.run(Stubborn)
    durable.advance(1)
    durable.drain()
    assert (again(run).status, undone(again(run))) == ("completed", [])


def test_the_end_of_a_run_with_compensations_is_told_once(
    durable, django_capture_on_commit_callbacks
):
    told = []

    def finished(sender, execution_id, status, **rest):
        told.append((execution_id, status))

    signals.execution_finished.connect(finished)
    try:
        sleeper = make_sleeper()
        with django_capture_on_commit_callbacks(execute=True):
            failed = durable.run(make_patient())
            assert told == []
            cancelled = durable.run(sleeper)
            durable_api.cancel(cancelled, compensate=True)
            durable.drain()
            assert told == [(cancelled.pk, "compensated")]
            durable.advance(3 * HOUR)
            durable.drain()
    finally:
        signals.execution_finished.disconnect(finished)
    assert told == [(cancelled.pk, "compensated"), (failed.pk, "compensated")]


def test_a_rollback_waits_for_a_worker_that_has_its_code(durable):
    with registry.isolate():
        run = durable.run(make_sleeper())
        durable_api.cancel(run, compensate=True)
    for _ in range(2):
        durable.drain()
        row = again(run)
        assert (row.status, row.worker_id, row.error) == ("compensating", None, None)
        assert row.wake_at > clock.now()
        durable.advance(31)
    make_sleeper()
    durable.drain()
    assert (again(run).status, undone(again(run))) == ("compensated", ["first"])
