"""Long rollbacks, deploys and deaths in the middle of one: it goes on where it stood."""

import pytest

import durable_django as durable_api
from durable_django import (
    Retry,
    RetryAfter,
    Workflow,
    decision,
    foreach,
    loop,
    sequence,
    step,
)
from durable_django.definition import registry
from durable_django.models import Execution, StepRun

TWICE = Retry(max_attempts=2, backoff="constant", base=60)


def handlers_of(run):
    rows = run.steps.filter(kind="compensation")
    return list(rows.values_list("name", "attempt", "status"))


def again(execution):
    return durable_api.get_execution(execution)


def make_trip(unbook, retry=None, timeout=None, workflow_retry=None):
    """`first` and `third` with plain handlers, `second` undone by `unbook(self)`."""

    class Trip(Workflow):
        class Meta:
            name = "trip"
            retry = workflow_retry

        @step
        def first(self): ...

        @first.compensate
        def undo_first(self): ...

        @step
        def second(self):
            return "two"

        @second.compensate(retry=retry, timeout=timeout)
        def undo_second(self):
            return unbook(self)

        @step
        def third(self): ...

        @third.compensate
        def undo_third(self): ...

        @step(retry=Retry(1))
        def fail(self):
            raise ValueError("original")

    return Trip


def test_more_visits_than_a_page_are_undone_one_by_one(durable):
    class Many(Workflow):
        with loop(until=lambda self: self.iteration == 130) as turns:
            with sequence() as pair:

                @step
                def book(self): ...

                @book.compensate
                def unbook(self):
                    self.context.append("undone", self.iteration)

            @pair.compensate
            def unpair(self): ...

        @step
        def fail(self):
            raise ValueError

    run = durable.run(Many)
    assert run.status == "compensated"
    assert run.context["undone"] == list(range(130, 0, -1))
    paths = list(run.steps.filter(kind="compensation").values_list("path", flat=True))
    assert len(set(paths)) == len(paths) == 260
    assert paths[:2] == ["turns[130]/pair~unpair", "turns[130]/pair/book~unbook"]


def test_a_page_ends_anywhere_and_workers_die_on_the_way(durable):
    class Many(Workflow):
        with foreach(lambda self: range(110)) as each:

            @step
            def book(self): ...

            @book.compensate
            def unbook(self):
                self.context.append("undone", self.index)
                if self.index in (5, 9, 10, 60):
                    raise RetryAfter(1) if self.attempt == 1 else ValueError

        @step
        def fail(self):
            raise ValueError

    with durable.crash_after(Many.unbook):
        run = durable.run(Many)
    for _ in range(4):
        durable.advance(2)
        durable.drain()
    run = again(run)
    assert run.status == "compensation_failed"
    assert run.context["undone"] == [n for n in range(109, -1, -1) if n not in (5, 9, 10, 60)]


def test_a_handler_that_is_gone_after_a_deploy_is_passed_over(durable):
    def make(has_second):
        class Trip(Workflow):
            class Meta:
                name = "trip"

            @step
            def first(self): ...

            @first.compensate
            def undo_first(self): ...

            @step
            def second(self): ...

            if has_second:

                @second.compensate
                def undo_second(self):
                    raise AssertionError("it is gone")

            @step
            def third(self): ...

            @third.compensate
            def undo_third(self):
                if has_second:
                    raise RetryAfter(60)

            @step
            def fail(self):
                raise ValueError

    with registry.isolate():
        make(True)
        run = durable.run("trip")
    assert run.status == "compensating"
    make(False)
    durable.advance(61)
    durable.drain()
    run = again(run)
    assert run.status == "compensated"
    assert handlers_of(run) == [
        ("undo_third", 1, "failed"),
        ("undo_third", 2, "completed"),
        ("undo_first", 1, "completed"),
    ]


@pytest.mark.parametrize("others", [True, False])
def test_a_handler_that_failed_and_is_gone_after_a_deploy_has_not_undone_its_node(durable, others):
    def unbook(self):
        raise RetryAfter(60)

    with registry.isolate():
        run = durable.run(make_trip(unbook))
    assert run.status == "compensating"

    class Trip(Workflow):
        class Meta:
            name = "trip"

        @step
        def first(self): ...

        if others:

            @first.compensate
            def undo_first(self): ...

    durable.advance(61)
    durable.drain()
    run = again(run)
    assert run.status == "compensation_failed"
    assert handlers_of(run) == [
        ("undo_third", 1, "completed"),
        ("undo_second", 1, "failed"),
        *([("undo_first", 1, "completed")] if others else []),
    ]
    assert not Execution.objects.filter(finished_at__isnull=True).exists()


def test_a_handler_that_kills_its_workers_is_given_up_and_the_others_run(durable, settings):
    settings.DURABLE = {**settings.DURABLE, "MAX_RECOVERIES": 2}
    trip = make_trip(lambda self: None)
    run = durable_api.start(trip)
    faults = [durable.crash_before(trip.undo_second) for _ in range(5)]
    durable.drain()
    row = again(run)
    assert (row.status, row.error["message"]) == ("compensation_failed", "original")
    # Once where no start was committed, then MAX_RECOVERIES times.
    assert sum(fault.struck for fault in faults) == 3
    assert row.steps.get(name="undo_second").error["type"] == "WorkerLost"
    assert handlers_of(row) == [
        ("undo_third", 1, "completed"),
        ("undo_second", 1, "failed"),
        ("undo_first", 1, "completed"),
    ]
    assert not StepRun.objects.filter(status="running").exists()


def test_a_worker_that_dies_after_undoing_the_visits_of_a_jump_loses_none_of_them(durable):
    class Claim(Workflow):
        @step
        def begin(self): ...

        @begin.compensate
        def unbegin(self):
            self.context.append("undone", "begin")

        @step
        def collect(self):
            self.context.increment("n")

        @collect.compensate
        def uncollect(self):
            self.context.append("undone", self.idempotency_key.partition(":")[2])

        @decision(to=["collect"])
        def complete(self):
            return "collect" if self.context["n"] < 3 else None

        @step
        def fail(self):
            raise ValueError("original")

    for fault in (durable.crash_before, durable.crash_after):
        with fault(Claim.unbegin), fault(Claim.uncollect):
            run = durable.run(Claim)
        assert (run.status, run.error["message"]) == ("compensated", "original")
        visits = ["collect#3", "collect#2", "collect"]
        assert run.context["undone"] == [*(f"{path}~uncollect" for path in visits), "begin"]
