"""Races for one outcome, on real connections, again and again: two answers, an answer with its
deadline, a child's end with its parent, a cancel with whatever wakes."""

import random
import threading
from collections import Counter

import pytest

import durable_django as durable
from durable_django import (
    ChildFailed,
    InvalidState,
    Workflow,
    call_workflow,
    parallel,
    sleep_for,
    step,
    wait_for_event,
    wait_for_input,
)
from durable_django.models import Event, Execution, PendingInput, StepRun, Wait
from durable_django.store import clock
from tests.waiting import until
from tests.worker.waits_racing import (
    RACE_SECONDS,
    check_that_all_is_settled,
    jitter,
    not_before,
    runs_of,
    side_by_side,
)

MEET_SECONDS = 20.0


def serve(workers):
    for _ in range(2):
        workers.start(threads=2)


def until_parked(count):
    rows = Wait.objects.filter(resolved_at__isnull=True)
    until(lambda: rows.count() >= count, RACE_SECONDS)


def at_once(things, *doing):
    """Each of `doing` in a thread, with one thing after the other; all begin each at once. What
    they gave, or the InvalidState they raised, by thing."""
    gate = threading.Barrier(len(doing), timeout=MEET_SECONDS)
    found = [[None] * len(doing) for _ in things]

    def body_of(place, do):
        def body():
            for number, thing in enumerate(things):
                gate.wait()
                try:
                    found[number][place] = do(thing)
                except InvalidState as error:
                    found[number][place] = error

        return body

    side_by_side(*(body_of(place, do) for place, do in enumerate(doing)))
    return found


def was_refused(outcome):
    return isinstance(outcome, InvalidState)


class Asks(Workflow):
    class Meta:
        abstract = True

    asked = wait_for_input()

    @step
    def last(self):
        return [self.outputs["asked"], self.answers["asked"].comment]


@runs_of(60, 1000)
def test_of_two_answers_at_once_one_counts_and_the_other_is_told(workers, runs):
    class Question(Asks):
        pass

    durable.start_many(Question, [{}] * runs)
    serve(workers)
    until_parked(runs)
    waits = list(PendingInput.objects.order_by("id"))

    def answering(who):
        return lambda wait: durable.provide_input(wait, value=who, comment=f"by {who}")

    outcomes = at_once(waits, answering("anna"), answering("ben"))
    check_that_all_is_settled(runs)
    winners = Counter()
    for wait, (anna, ben) in zip(waits, outcomes, strict=True):
        assert was_refused(anna) != was_refused(ben)
        winner = "ben" if was_refused(anna) else "anna"
        winners[winner] += 1
        assert durable.get_execution(wait.execution_id).result == [winner, f"by {winner}"]
    assert sum(winners.values()) == runs


@runs_of(60, 1500)
def test_an_answer_that_was_taken_counts_though_its_time_is_up(workers, runs):
    class Late(Workflow):
        asked = wait_for_input(timeout=lambda self: self.input["seconds"], timeout_value="late")

        @step
        def last(self):
            return self.outputs["asked"]

    draw = random.Random(runs)
    inputs = [{"seconds": 0.4 + draw.uniform(0, runs / 250)} for _ in range(runs)]
    durable.start_many(Late, inputs)
    serve(workers)
    until(lambda: Wait.objects.count() == runs, RACE_SECONDS)
    waits = list(Wait.objects.order_by("due_at"))
    taken = {}

    def answer_some(which):
        def body():
            for wait in waits[which::2]:
                not_before(clock.after(wait.due_at, jitter(draw, 0.03)))
                try:
                    durable.provide_input(wait, value="in time")
                    taken[wait.pk] = True
                except InvalidState:
                    taken[wait.pk] = False

        return body

    side_by_side(answer_some(0), answer_some(1))
    check_that_all_is_settled(runs)
    told = {True: ("in time", "completed"), False: ("late", "timed_out")}
    for wait in Wait.objects.select_related("execution"):
        assert (wait.execution.result, wait.status) == told[taken[wait.pk]]


@runs_of(30, 400)
def test_a_child_that_ends_while_its_parent_parks_is_heard(workers, runs):
    class Child(Workflow):
        @step
        def only(self):
            if self.input["n"] % 5 == 4:
                raise ValueError(self.input["n"])
            return self.input["n"]

    class Parent(Workflow):
        with parallel() as both:
            one = call_workflow(Child, lambda self: {"n": 5 * self.input["n"]})

            @step
            def two(self):
                found = [self.call_workflow(Child, {"n": 5 * self.input["n"] + 1})]
                try:
                    return [*found, self.call_workflow(Child, {"n": 4})]
                except ChildFailed as error:
                    return [*found, error.error["message"]]

        @step
        def last(self):
            return [self.outputs["one"], *self.outputs["two"]]

    ids = durable.start_many(Parent, [{"n": n} for n in range(runs)])
    serve(workers)
    until(lambda: Execution.objects.filter(pk__in=ids, finished_at__isnull=False).exists(), 20)
    check_that_all_is_settled(runs)
    for n, pk in enumerate(ids):
        assert durable.get_execution(pk).result == [5 * n, 5 * n + 1, "4"]
        assert durable.list_children(pk).count() == 3
    ends = Event.objects.filter(kind="child")
    assert set(ends.values_list("status", flat=True)) == {"delivered"}
    assert ends.count() == 3 * runs


@runs_of(50, 800)
def test_a_child_that_ends_when_its_caller_gives_it_up_has_one_outcome(workers, runs):
    class Slow(Workflow):
        pause = sleep_for(lambda self: self.input["seconds"])

        @step
        def only(self):
            return "child"

    class Caller(Workflow):
        called = call_workflow(
            Slow,
            lambda self: {"seconds": self.input["seconds"]},
            timeout=lambda self: self.input["seconds"] + self.input["more"],
            timeout_value="late",
        )

        @step
        def last(self):
            return self.outputs["called"]

    draw = random.Random(runs)
    spread = runs / 150
    inputs = [
        {"seconds": 0.3 + draw.uniform(0, spread), "more": draw.uniform(-0.03, 0.1)}
        for _ in range(runs)
    ]
    ids = durable.start_many(Caller, inputs)
    serve(workers)
    until(lambda: Execution.objects.filter(pk__in=ids, finished_at__isnull=False).exists(), 20)
    check_that_all_is_settled(runs)
    for pk in ids:
        result, (child,) = durable.get_execution(pk).result, durable.list_children(pk)
        wait = Wait.objects.get(execution=pk)
        if result == "child":
            assert (child.status, wait.status) == ("completed", "completed")
        else:
            assert (result, wait.status) == ("late", "timed_out")
            assert child.status in ("cancelled", "completed")
            assert not Event.objects.filter(execution=pk, status="delivered").exists()


@pytest.mark.parametrize("wakes", ["event", "answer", "sleep", "child"])
@runs_of(30, 500)
def test_a_cancel_and_a_wake_up_at_once_leave_one_outcome(workers, runs, wakes):
    class Child(Workflow):
        begun = wait_for_event("go")

    class Waits(Workflow):
        if wakes == "event":
            wait = wait_for_event("go")
        elif wakes == "answer":
            wait = wait_for_input()
        elif wakes == "sleep":
            wait = sleep_for(lambda self: self.input["seconds"])
        else:
            wait = call_workflow(Child)

        @step
        def last(self):
            return "woken"

    draw = random.Random(runs)
    inputs = [{"seconds": 0.5 + n / 200} for n in range(runs)]
    ids = durable.start_many(Waits, inputs)
    serve(workers)
    each = 2 if wakes == "child" else 1
    until(lambda: Wait.objects.count() == each * runs, RACE_SECONDS)
    waits = {wait.execution_id: wait for wait in Wait.objects.all()}

    def wake(pk):
        if wakes == "sleep":
            return not_before(clock.after(waits[pk].due_at, jitter(draw, 0.005)))
        if wakes == "answer":
            return durable.provide_input(waits[pk], value=1)
        return durable.send_event(waits[pk].child_id or pk, "go")

    def cancel(pk):
        if wakes == "sleep":
            not_before(waits[pk].due_at)
        return durable.cancel(pk).status

    outcomes = at_once(ids, wake, cancel)
    check_that_all_is_settled(runs)
    for pk, (_, cancelled) in zip(ids, outcomes, strict=True):
        run, wait = durable.get_execution(pk), Wait.objects.get(pk=waits[pk].pk)
        steps = dict(StepRun.objects.filter(execution=pk).values_list("name", "status"))
        if was_refused(cancelled):
            assert (run.status, run.result) == ("completed", "woken")
            assert (wait.status, steps) == ("completed", {"wait": "completed", "last": "completed"})
        else:
            assert (run.status, cancelled) == ("cancelled", "cancelled")
            assert wait.status in ("cancelled", "completed")
            assert "last" not in steps or steps["last"] == "cancelled"
