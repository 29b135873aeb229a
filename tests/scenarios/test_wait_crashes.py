"""Workers that die around waits, and code that changes while runs wait: what is recorded counts."""

from __future__ import annotations

import pytest

from durable_django import (
    Retry,
    Workflow,
    days,
    foreach,
    hours,
    minutes,
    race,
    sequence,
    sleep_for,
    step,
    wait_for_event,
)
from durable_django.api import get_execution, start
from durable_django.api_events import send_event
from durable_django.api_repair import retry
from durable_django.models import Event, StepRun, Wait
from durable_django.testing import isolate_registry
from durable_django.worker.inline import InlineDriver, SimulatedCrash


def result_of(run):
    return get_execution(run).result


class Dying:
    """Around each body: the worker dies after it, so many times."""

    def __init__(self, times, node):
        self.left, self.node = times, node

    def __call__(self, attempt, body):
        outcome = body()
        if self.left and attempt.step_name == self.node:
            self.left -= 1
            raise SimulatedCrash(self.node)
        return outcome


def make_talk(calls):
    class Talk(Workflow):
        @step
        def talk(self):
            token = self.once("token", lambda: calls.append(1) or len(calls))
            heard = self.wait_for_event("a")
            also = self.once("also", lambda: calls.append(1) or len(calls))
            return [token, heard, also, self.wait_for_event("b")]

    return Talk


def drained(times, node):
    """Workers die that often; how many of the deaths are left."""
    dying = Dying(times, node)
    InlineDriver(dying).drain()
    return dying.left


def test_workers_that_die_one_after_the_other_find_what_the_last_one_found(durable):
    calls = []
    run = start(make_talk(calls))
    assert drained(2, "talk") == 0
    durable.assert_status(run, "waiting")
    send_event(run, "a", "A")
    assert drained(2, "talk") == 0
    durable.assert_status(run, "waiting")
    send_event(run, "b", "B")
    assert drained(2, "talk") == 0
    assert result_of(run) == [1, "A", 2, "B"]
    assert calls == [1, 1]
    durable.assert_attempts(run, "talk", 1)
    kinds = Wait.objects.order_by("position").values_list("kind", "status")
    assert list(kinds) == [(kind, "completed") for kind in ("once", "event", "once", "event")]


def test_a_step_whose_workers_all_die_after_its_wait_is_given_up_and_can_be_retried(durable):
    calls = []
    run = start(make_talk(calls))
    durable.drain()
    send_event(run, "a", "A")
    drained(50, "talk")
    assert get_execution(run).error["type"] == "WorkerLost"
    assert calls == [1, 1], "which was remembered before the first of them died"
    retry(run)
    durable.drain()
    durable.assert_status(run, "waiting")
    send_event(run, "b", "B")
    durable.drain()
    assert result_of(run) == [1, "A", 2, "B"]


def test_a_wait_counts_no_recovery_since_nobody_dies_while_a_run_is_parked(durable):
    class Naps(Workflow):
        @step
        def nap(self):
            for _ in range(8):
                self.sleep_for(minutes(1))
            return "rested"

    run = start(Naps)
    for _ in range(9):
        assert drained(1, "nap") == 0
        durable.advance(minutes(1))
    assert result_of(run) == "rested"


def test_workers_that_die_at_a_declared_wait_leave_one_wait_and_one_step_run(durable):
    class Waiting(Workflow):
        paid = wait_for_event("payment", timeout=hours(1), timeout_value="late")

        @step
        def end(self):
            return self.outputs["paid"]

    run = start(Waiting)
    assert drained(3, "paid") == 0
    (wait,) = Wait.objects.all()
    durable.advance(hours(1))
    assert drained(3, "paid") == 0
    assert result_of(run) == "late"
    assert (Wait.objects.get().pk, run.steps.filter(name="paid").count()) == (wait.pk, 1)


def test_a_death_between_two_members_that_were_woken_loses_neither(durable):
    class Many(Workflow):
        with foreach(lambda self: range(4)) as each:
            heard = wait_for_event("word", key=lambda self: str(self.item))

            @step
            def note(self):
                return [self.item, self.outputs["heard"]]

        @step
        def end(self):
            return list(self.outputs["each"])

    run = durable.run(Many)
    for number in range(4):
        send_event(run, "word", number * 10, key=str(number))
    assert drained(3, "heard") == 0
    assert result_of(run) == [[0, 0], [1, 10], [2, 20], [3, 30]]
    assert Event.objects.filter(status="delivered").count() == 4


def test_a_death_in_a_rollback_that_sleeps_makes_it_sleep_once(durable):
    slept = []

    class Saga(Workflow):
        @step
        def book(self): ...

        @book.compensate(retry=Retry(2, backoff="constant", base=60))
        def unbook(self):
            self.once("told", lambda: slept.append(1))
            self.sleep_for(hours(1))
            if self.attempt == 1:
                raise ValueError("not yet")

        @step
        def fail(self):
            raise ValueError("no")

    run = start(Saga)
    assert drained(2, "unbook") == 0
    durable.assert_status(run, "compensating")
    durable.advance(hours(1))
    assert drained(2, "unbook") == 0
    durable.assert_status(run, "compensating")
    durable.advance(60)
    durable.drain()
    durable.assert_status(run, "compensated")
    assert slept == [1]
    assert Wait.objects.filter(kind="sleep").count() == 1


# The code changes


def test_a_step_that_waits_may_get_new_calls_behind_those_that_were_recorded(durable):
    def make(more):
        class Deployed(Workflow):
            class Meta:
                name = "deployed"

            @step
            def talk(self):
                heard = self.wait_for_event("a")
                return [heard, self.wait_for_event("b")] if more else heard

    with isolate_registry():
        make(more=False)
        run = durable.run("deployed")
    make(more=True)
    send_event(run, "a", 1)
    durable.drain()
    durable.assert_status(run, "waiting")
    send_event(run, "b", 2)
    durable.drain()
    assert result_of(run) == [1, 2]


def test_a_step_whose_recorded_calls_have_changed_fails_and_goes_on_when_they_are_back(durable):
    def make(name):
        class Deployed(Workflow):
            class Meta:
                name = "deployed"

            @step
            def talk(self):
                return self.wait_for_event(name)

    with isolate_registry():
        make("a")
        run = durable.run("deployed")
    send_event(run, "a", 1)
    with isolate_registry():
        make("b")
        durable.drain()
    assert get_execution(run).error["type"] == "NonDeterministicStep"
    make("a")
    retry(run)
    durable.drain()
    assert result_of(run) == 1


def test_a_declared_wait_keeps_to_what_it_was_parked_for(durable):
    def make(event, timeout):
        class Deployed(Workflow):
            class Meta:
                name = "deployed"

            paid = wait_for_event(event, timeout=timeout)

            @step
            def end(self):
                return self.outputs["paid"]

    with isolate_registry():
        make("payment", days(1))
        run = durable.run("deployed")
    make("money", minutes(1))
    durable.advance(hours(1))
    send_event(run, "payment", 5)
    durable.drain()
    assert result_of(run) == 5


def test_a_wait_that_is_gone_from_the_code_stops_the_run_when_it_is_over(durable):
    def make(*, waits):
        class Deployed(Workflow):
            class Meta:
                name = "deployed"

            if waits:
                paid = wait_for_event("payment")

            @step
            def end(self):
                return "end"

    with isolate_registry():
        make(waits=True)
        run = durable.run("deployed")
    with isolate_registry():
        make(waits=False)
        send_event(run, "payment", 5)
        durable.drain()
    assert get_execution(run).error["type"] == "DefinitionChanged"
    make(waits=True)
    retry(run)
    durable.drain()
    assert result_of(run) == "end"
    assert Wait.objects.get().status == "completed", "and what had come is not waited for again"


@pytest.mark.parametrize("seen", [False, True])
def test_a_member_that_has_lost_keeps_only_what_it_has_seen(durable, seen):
    """An event that the member's own code went on with was for it."""

    class Racing(Workflow):
        with race() as first:
            stopped = wait_for_event("stop")
            with sequence() as buying:
                paid = wait_for_event("payment")
                pause = sleep_for(hours(1))

        late = wait_for_event("payment", timeout=minutes(1), timeout_value="nothing")

        @step
        def end(self):
            return self.outputs["late"]

    run = durable.run(Racing)
    if not seen:
        send_event(run, "stop")
    send_event(run, "payment", 5)
    durable.drain()
    if seen:
        send_event(run, "stop")
        durable.drain()
        durable.advance(minutes(1))
        durable.drain()
    assert result_of(run) == ("nothing" if seen else 5)
    assert not StepRun.objects.filter(status="waiting").exists()
