"""What the next leg of a step, or its next attempt, makes again, finds again and waits for anew."""

# ruff: noqa: SIM117

from __future__ import annotations

import logging

import pytest

from durable_django import (
    Retry,
    WaitTimeout,
    Workflow,
    branch,
    decision,
    get_execution,
    hours,
    minutes,
    retry,
    step,
    wait_for_event,
)
from durable_django.api_events import send_event
from durable_django.models import StepRun, Wait


def error_of(run):
    return get_execution(run).error


def result_of(run):
    return get_execution(run).result


def positions(run):
    return list(
        Wait.objects.filter(execution=run).order_by("position").values_list("name", "status")
    )


# What is made again, and what is not


def test_context_changes_before_a_wait_are_made_again_and_count_once(durable):
    class Counting(Workflow):
        @step
        def begin(self):
            self.context["n"] = 1

        @step
        def talk(self):
            self.context.increment("n", 10)
            self.context.append("seen", self.context["n"])
            self.sleep_for(minutes(1))
            self.context.increment("n", 100)
            self.sleep_for(minutes(1))
            return self.context["n"]

    run = durable.run(Counting)
    durable.assert_context(run, n=1)
    for _ in range(2):
        durable.advance(minutes(1))
        durable.drain()
    assert result_of(run) == 111
    durable.assert_context(run, n=111, seen=[11])


def test_a_resumed_step_keeps_its_begin_and_tells_its_logs_once(durable, caplog):
    class Telling(Workflow):
        @step
        def talk(self):
            self.logger.warning("before")
            self.sleep_for(hours(1))
            self.logger.warning("after")

    caplog.set_level(logging.INFO, "durable_django")
    run = durable.run(Telling)
    (parked,) = run.steps
    assert [line["message"] for line in parked.logs] == ["before"]
    durable.advance(hours(1))
    durable.drain()
    (row,) = run.steps
    assert [line["message"] for line in row.logs] == ["before", "after"]
    assert (row.pk, row.started_at, row.attempt) == (parked.pk, parked.started_at, 1)
    assert (row.finished_at - row.started_at).total_seconds() >= 3600


def test_the_time_a_step_waits_does_not_count_towards_its_timeout(durable):
    """That is for a body that runs; a wait has a timeout of its own."""

    class Patient(Workflow):
        @step(timeout=minutes(5))
        def talk(self):
            self.sleep_for(hours(1))
            return self.attempt

    run = durable.run(Patient)
    durable.advance(hours(1))
    durable.drain()
    durable.assert_status(run, "completed")
    assert result_of(run) == 1


def test_once_is_called_once_whatever_happens_after_it(durable):
    calls = []

    class Once(Workflow):
        @step(retry=Retry(3, backoff="constant", base=0))
        def talk(self):
            token = self.once("token", lambda n: calls.append(n) or len(calls), 7)
            if self.attempt < 3:
                raise ValueError("not yet")
            self.sleep_for(minutes(1))
            return token

    run = durable.run(Once)
    durable.advance(minutes(1))
    durable.drain()
    assert (result_of(run), calls) == (1, [7])


def test_once_that_raises_is_not_remembered(durable):
    calls = []

    def unsure():
        calls.append(1)
        if len(calls) < 3:
            raise ValueError("no")
        return "sure"

    class Unsure(Workflow):
        @step(retry=Retry(2, backoff="constant", base=0))
        def talk(self):
            try:
                return self.once("it", unsure)
            except ValueError:
                return self.once("it", unsure) if self.attempt == 2 else self.once("again", unsure)

    run = durable.run(Unsure)
    assert len(calls) == 3
    assert result_of(run) == "sure"


def test_a_crash_before_or_after_a_body_that_waits_changes_nothing(durable):
    calls = []

    class Crashing(Workflow):
        @step
        def talk(self):
            self.once("token", lambda: calls.append(1))
            return self.wait_for_event("a")

    for crash in (durable.crash_before, durable.crash_after):
        calls.clear()
        with crash(Crashing.talk):
            run = durable.run(Crashing)
        durable.assert_status(run, "waiting")
        assert (calls, positions(run)) == ([1], [("token", "completed"), ("a", "open")])
        send_event(run, "a", 5)
        with crash(Crashing.talk):
            durable.drain()
        assert (result_of(run), calls) == (5, [1])
        durable.assert_attempts(run, "talk", 1)


def test_a_crash_at_a_declared_wait_changes_nothing(durable):
    class Crashing(Workflow):
        paid = wait_for_event("payment")

        @step
        def end(self):
            return self.outputs["paid"]

    for crash in (durable.crash_before, durable.crash_after):
        with crash(Crashing.paid):
            run = durable.run(Crashing)
        durable.assert_status(run, "waiting")
        send_event(run, "payment", 5)
        with crash(Crashing.paid):
            durable.drain()
        assert result_of(run) == 5
        assert StepRun.objects.filter(execution=run, name="paid").count() == 1


# A later attempt


def late(self, name):
    return self.wait_for_event(name, timeout=minutes(1))


def test_a_wait_that_ended_an_attempt_is_made_anew_by_the_next(durable):
    class Again(Workflow):
        @step(retry=Retry(2, backoff="constant", base=30))
        def talk(self):
            first = self.wait_for_event("first")
            return [first, late(self, "second")]

    run = durable.run(Again)
    send_event(run, "first", 1)
    durable.drain()
    durable.advance(minutes(1))
    durable.drain()  # the attempt has failed, and sleeps
    assert positions(run) == [("first", "completed"), ("second", "timed_out")]
    durable.advance(30)
    durable.drain()
    assert positions(run) == [("first", "completed"), ("second", "open")]
    send_event(run, "second", 2)
    durable.drain()
    assert result_of(run) == [1, 2]
    durable.assert_attempts(run, "talk", 2)


def test_a_timeout_that_was_caught_stays_one(durable):
    class Caught(Workflow):
        @step(retry=Retry(3, backoff="constant", base=0))
        def talk(self):
            try:
                late(self, "first")
            except WaitTimeout:
                self.context["late"] = self.attempt
            second = self.wait_for_event("second")
            if self.attempt == 1:
                raise ValueError("no")
            return second

    run = durable.run(Caught)
    durable.advance(minutes(1))
    durable.drain()
    durable.assert_status(run, "waiting")
    send_event(run, "first", "too late")
    send_event(run, "second", 2)
    durable.drain()
    assert result_of(run) == 2
    durable.assert_context(run, late=2)
    assert positions(run) == [("first", "timed_out"), ("second", "completed")]


def test_a_wait_with_a_timeout_value_has_not_failed_and_is_not_made_anew(durable):
    class Valued(Workflow):
        @step(retry=Retry(2, backoff="constant", base=0))
        def talk(self):
            value = self.wait_for_event("a", timeout=minutes(1), timeout_value=None)
            if self.attempt == 1:
                raise ValueError("no")
            return [value]

    run = durable.run(Valued)
    durable.advance(minutes(1))
    durable.drain()
    assert result_of(run) == [None]


def test_a_run_that_is_retried_waits_anew_for_what_it_failed_at(durable):
    class Late(Workflow):
        @step
        def talk(self):
            return [self.wait_for_event("first"), late(self, "second")]

    run = durable.run(Late)
    send_event(run, "first", 1)
    durable.drain()
    durable.advance(minutes(1))
    durable.drain()
    assert error_of(run)["type"] == "WaitTimeout"
    assert "wait_for_event('second') was not over by" in error_of(run)["message"]
    retry(run)
    durable.drain()
    durable.assert_status(run, "waiting")
    send_event(run, "second", 2)
    durable.drain()
    assert result_of(run) == [1, 2]


# Where a body cannot wait


def refusal(durable, workflow):
    run = durable.run(workflow)
    durable.assert_status(run, "failed")
    assert not Wait.objects.filter(status="open").exists()
    return error_of(run)["type"], error_of(run)["message"]


@pytest.mark.parametrize("flag", ["atomic", "at_most_once"])
def test_a_step_that_runs_once_cannot_wait(durable, flag):
    class Single(Workflow):
        @step(**{flag: True})
        def talk(self):
            self.sleep_for(1)

    kind, message = refusal(durable, Single)
    assert kind == "InvalidState"
    assert f"self.sleep_for in talk, which is {flag}: its body runs once" in message


@pytest.mark.parametrize("flag", ["atomic", "at_most_once"])
def test_a_step_that_runs_once_may_remember_and_start(durable, flag):
    class Other(Workflow):
        @step
        def end(self): ...

    class Single(Workflow):
        @step(**{flag: True})
        def talk(self):
            return [self.once("n", lambda: 5), self.start_workflow(Other)]

    run = durable.run(Single)
    number, pk = result_of(run)
    assert (number, get_execution(pk).status) == (5, "completed")


def test_an_async_step_has_to_await(durable):
    class Mixed(Workflow):
        @step
        async def talk(self):
            self.sleep_for(1)

    kind, message = refusal(durable, Mixed)
    assert kind == "InvalidState"
    assert "self.sleep_for in talk, an async def: write await self.asleep_for" in message


def test_an_async_step_is_replayed_like_any_other(durable):
    calls = []

    async def slowly():
        calls.append(1)
        return len(calls)

    class Talk(Workflow):
        @step
        async def talk(self):
            token = await self.aonce("token", slowly)
            try:
                await self.await_for_event("a", timeout=minutes(1))
            except WaitTimeout:
                await self.asleep_for(minutes(1))
            return [token, await self.await_for_any(["b", "c"])]

    run = durable.run(Talk)
    for _ in range(2):
        durable.advance(minutes(1))
        durable.drain()
    send_event(run, "c", 3)
    durable.drain()
    assert result_of(run) == [1, ("c", 3)]
    assert calls == [1]


def test_a_condition_cannot_wait(durable):
    class Asking(Workflow):
        with branch(on=lambda self: self.wait_for_event("a")) as ask:
            with ask.case(1):

                @step
                def end(self): ...

    kind, message = refusal(durable, Asking)
    assert kind == "InvalidState"
    assert "only steps and decisions can wait" in message


def test_a_decision_can_wait(durable):
    class Deciding(Workflow):
        @decision(to=["end"])
        def choose(self):
            return "end" if self.wait_for_event("go") else None

        @step
        def skipped(self): ...

        @step
        def end(self):
            return self.outputs["choose"]

    run = durable.run(Deciding)
    durable.assert_status(run, "waiting")
    send_event(run, "go", True)
    durable.drain()
    assert result_of(run) == "end"
    durable.assert_nodes_run(run, ["choose", "end"])
