"""The handlers themselves: tried again, given up, redefined, of every kind."""

import pytest

import durable_django as durable_api
from durable_django import (
    Fatal,
    Retry,
    RetryAfter,
    Workflow,
    foreach,
    step,
)

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


def test_a_handler_that_fails_does_not_stop_the_rest(durable):
    def unbook(self):
        self.context["lost"] = True
        raise RuntimeError("no answer")

    run = durable.run(make_trip(unbook))
    assert (run.status, run.error["message"], run.error["node"]) == (
        "compensation_failed",
        "original",
        "fail",
    )
    assert handlers_of(run) == [
        ("undo_third", 1, "completed"),
        ("undo_second", 1, "failed"),
        ("undo_first", 1, "completed"),
    ]
    failed = run.steps.get(status="failed", kind="compensation")
    assert (failed.error["type"], failed.error["message"]) == ("RuntimeError", "no answer")
    assert (failed.error["node"], failed.path) == ("undo_second", "second~undo_second")
    assert run.context == {}


def test_a_handler_that_fails_last_is_not_forgotten(durable):
    class Trip(Workflow):
        @step
        def first(self): ...

        @first.compensate
        def undo_first(self):
            raise RuntimeError

        @step
        def fail(self):
            raise ValueError("original")

    run = durable.run(Trip)
    assert (run.status, run.error["message"]) == ("compensation_failed", "original")


def test_a_handler_is_tried_again_as_it_declares_and_the_run_stays_in_rollback(durable):
    keys = []

    def unbook(self):
        keys.append((self.attempt, self.idempotency_key, self.step_name))
        if self.attempt == 1:
            raise ConnectionError

    run = durable.run(make_trip(unbook, TWICE))
    assert (run.status, run.worker_id, run.finished_at) == ("compensating", None, None)
    assert run.wake_at == run.due_at > run.steps.last().finished_at
    assert durable.drain() == 0
    durable.advance(61)
    durable.drain()
    run = again(run)
    assert run.status == "compensated"
    key = f"{run.pk}:second~undo_second"
    assert keys == [(1, key, "undo_second"), (2, key, "undo_second")]
    assert [attempt for _, attempt, _ in handlers_of(run)] == [1, 1, 2, 1]


def test_a_handler_that_is_out_of_attempts_has_failed(durable):
    def unbook(self):
        raise ConnectionError

    run = durable.run(make_trip(unbook, TWICE))
    durable.advance(61)
    durable.drain()
    run = again(run)
    assert run.status == "compensation_failed"
    assert handlers_of(run) == [
        ("undo_third", 1, "completed"),
        ("undo_second", 1, "failed"),
        ("undo_second", 2, "failed"),
        ("undo_first", 1, "completed"),
    ]


def test_the_first_handler_may_be_the_one_that_is_tried_again(durable):
    class Trip(Workflow):
        with foreach(lambda self: [1, 2]) as each:

            @step
            def book(self):
                self.context.increment("booked", self.item)

            @book.compensate(retry=TWICE)
            def unbook(self):
                if self.attempt == 1:
                    raise ConnectionError
                self.context.append("seen", self.context["booked"])

            @step
            def fail(self):
                if self.item == 2:
                    raise ValueError

    run = durable.run(Trip)
    assert run.status == "compensating"
    for _ in range(2):
        durable.advance(61)
        durable.drain()
    run = again(run)
    # What members did to the context is taken over once, not with each attempt.
    assert (run.status, run.context) == ("compensated", {"booked": 3, "seen": [3, 3]})


def test_the_retry_of_the_workflow_is_for_its_steps_and_not_for_handlers(durable):
    def unbook(self):
        raise ConnectionError

    run = durable.run(make_trip(unbook, workflow_retry=Retry(5, base=0)))
    assert run.status == "compensation_failed"
    assert ("undo_second", 1, "failed") in handlers_of(run)
    assert ("undo_second", 2, "failed") not in handlers_of(run)


def test_a_fatal_error_is_not_tried_again(durable):
    def unbook(self):
        raise Fatal("for ever")

    run = durable.run(make_trip(unbook, TWICE))
    assert run.status == "compensation_failed"
    assert handlers_of(run)[1:] == [("undo_second", 1, "failed"), ("undo_first", 1, "completed")]


def test_a_handler_may_choose_its_delay(durable):
    def unbook(self):
        if self.attempt < 3:
            raise RetryAfter(10)

    run = durable.run(make_trip(unbook))
    for _ in range(2):
        assert run.status == "compensating"
        durable.advance(11)
        durable.drain()
        run = again(run)
    assert run.status == "compensated"
    assert [row for row in handlers_of(run) if row[0] == "undo_second"] == [
        ("undo_second", 1, "failed"),
        ("undo_second", 2, "failed"),
        ("undo_second", 3, "completed"),
    ]


def test_a_handler_that_takes_too_long_has_timed_out(durable):
    def unbook(self):
        if self.attempt == 1:
            durable.advance(11)

    run = durable.run(make_trip(unbook, timeout=10))
    assert run.status == "compensation_failed"
    assert handlers_of(run)[1:] == [
        ("undo_second", 1, "timed_out"),
        ("undo_first", 1, "completed"),
    ]
    run = durable.run(make_trip(unbook, TWICE, timeout=10))
    durable.advance(61)
    durable.drain()
    assert again(run).status == "compensated"


@pytest.mark.parametrize("fails", [False, True])
def test_an_async_handler_runs_like_any_other(durable, fails):
    class Trip(Workflow):
        @step
        def first(self): ...

        @first.compensate
        def undo_first(self): ...

        @step
        async def second(self):
            self.context["n"] = 1
            return "two"

        @second.compensate
        async def undo_second(self):
            self.context["seen"] = [self.outputs["second"], self.context["n"]]
            if fails:
                raise ValueError

        @step
        def fail(self):
            raise ValueError

    run = durable.run(Trip)
    assert run.status == ("compensation_failed" if fails else "compensated")
    assert run.context == ({"n": 1} if fails else {"n": 1, "seen": ["two", 1]})
    assert handlers_of(run)[1] == ("undo_first", 1, "completed")


def test_what_a_handler_returns_stands_in_its_step_run_and_in_no_output(durable):
    run = durable.run(make_trip(lambda self: ["refunded", 5]))
    assert run.steps.get(name="undo_second").output == ["refunded", 5]
    assert run.outputs == {"first": None, "second": "two", "third": None}


def test_a_value_that_cannot_be_stored_fails_its_handler(durable):
    run = durable.run(make_trip(lambda self: object()))
    assert run.status == "compensation_failed"
    error = run.steps.get(name="undo_second").error
    assert error["type"] == "NotSerializable"


def test_a_change_that_does_not_fit_fails_its_handler(durable):
    class Trip(Workflow):
        with foreach(lambda self: ["one"]) as each:

            @step
            def book(self):
                self.context["n"] = 1

            @book.compensate
            def unbook(self):
                self.context.increment("n")

        @step
        def later(self):
            self.context["n"] = "text"

        @later.compensate
        def unlater(self): ...

        @step
        def fail(self):
            raise ValueError

    run = durable.run(Trip)
    assert run.status in ("compensated", "compensation_failed")
    assert handlers_of(run)[0] == ("unlater", 1, "completed")
    assert len(handlers_of(run)) == 2


def test_finishing_in_a_handler_ends_that_handler_only(durable):
    run = durable.run(make_trip(lambda self: self.finish("well")))
    assert (run.status, run.result, run.error["message"]) == ("compensated", None, "original")
    assert len(handlers_of(run)) == 3


def test_a_subclass_runs_the_handlers_it_inherits_and_those_it_redefines(durable):
    done = []

    class Base(Workflow):
        class Meta:
            abstract = True

        @step
        def first(self): ...

        @first.compensate
        def undo_first(self):
            done.append("first")

        @step
        def second(self): ...

        @second.compensate
        def undo_second(self):
            done.append("second")

        @step
        def third(self): ...

    class Trip(Base):
        @step
        def first(self): ...

        @Base.second.compensate
        def undo_second_better(self):
            done.append("second, better")

        @Base.third.compensate
        def undo_third(self):
            done.append("third")

        @step
        def fail(self):
            raise ValueError

    class Plain(Base):
        undo_first = None

        @step
        def fail(self):
            raise ValueError

    assert durable.run(Trip).status == "compensated"
    assert done == ["third", "second, better", "first"]
    done.clear()
    assert durable.run(Plain).status == "compensated"
    assert done == ["second"]


@pytest.mark.parametrize("kind", ["atomic", "at_most_once"])
def test_steps_of_every_kind_are_undone(durable, kind):
    class Trip(Workflow):
        @step(**{kind: True})
        def first(self):
            return 1

        @first.compensate
        def undo_first(self):
            self.context["undone"] = self.outputs["first"]

        @step(**{kind: True})
        def fail(self):
            raise ValueError

        @fail.compensate
        def undo_fail(self):
            raise AssertionError("it did not complete")

    run = durable.run(Trip)
    assert (run.status, run.context) == ("compensated", {"undone": 1})
