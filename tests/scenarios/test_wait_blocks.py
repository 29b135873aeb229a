"""Waits inside every block, told as stories: in loops and members, lost, retried and cancelled."""

from __future__ import annotations

import pytest

from durable_django import (
    Workflow,
    days,
    decision,
    foreach,
    hours,
    loop,
    minutes,
    parallel,
    race,
    sequence,
    sleep_for,
    step,
    wait_for_all,
    wait_for_any,
    wait_for_approval,
    wait_for_event,
)
from durable_django.api import get_execution
from durable_django.api_events import send_event
from durable_django.inputs.api import list_pending_inputs
from durable_django.models import Event, Wait


def result_of(run):
    return get_execution(run).result


def open_waits():
    return list(Wait.objects.filter(resolved_at__isnull=True).order_by("id"))


# Loops and jumps


def test_a_loop_waits_anew_in_each_iteration(durable):
    class Polling(Workflow):
        with loop(until=lambda self: self.outputs["heard"] == "stop") as polling:
            heard = wait_for_event("word")

            @step
            def note(self):
                self.context.append("words", [self.iteration, self.outputs["heard"]])

            pause = sleep_for(minutes(1))

    run = durable.run(Polling)
    for word in ("go", "on", "stop"):
        send_event(run, "word", word)
    for _ in range(3):
        durable.drain()
        durable.advance(minutes(1))
    durable.drain()
    durable.assert_status(run, "completed")
    durable.assert_context(run, words=[[1, "go"], [2, "on"], [3, "stop"]])
    paths = Wait.objects.filter(kind="event").order_by("id").values_list("path", flat=True)
    assert list(paths) == [f"polling[{n}]/heard" for n in (1, 2, 3)]


def test_a_jump_back_waits_anew(durable):
    class Asking(Workflow):
        asked = wait_for_event("papers", timeout=days(1), timeout_value="nothing")

        @decision(to=["asked"])
        def complete(self):
            return "asked" if self.outputs["asked"] == "half" else None

        @step
        def end(self):
            return self.outputs["asked"]

    run = durable.run(Asking)
    send_event(run, "papers", "half")
    durable.drain()
    durable.assert_status(run, "waiting")
    durable.advance(days(1))
    durable.drain()
    assert result_of(run) == "nothing"


def test_a_step_in_a_loop_remembers_for_each_iteration(durable):
    calls = []

    class Counting(Workflow):
        with loop(until=lambda self: self.iteration == 3) as counting:

            @step
            def count(self):
                number = self.once("n", lambda: calls.append(1) or len(calls))
                self.sleep_for(1)
                return number

    run = durable.run(Counting)
    for _ in range(3):
        durable.advance(1)
        durable.drain()
    assert (result_of(run), len(calls)) == (3, 3)


# Members


def test_ten_members_wait_five_at_a_time_and_a_waiting_one_keeps_its_place(durable):
    class Many(Workflow):
        with foreach(lambda self: range(10), concurrency=5) as each:
            answer = wait_for_event("answer", key=lambda self: str(self.item))

        @step
        def end(self):
            return list(self.outputs["each"])

    run = durable.run(Many)
    assert len(open_waits()) == 5
    for number in range(9, -1, -1):  # half of them come before their waits
        send_event(run, "answer", number * number, key=str(number))
    durable.drain()
    assert result_of(run) == [n * n for n in range(10)]
    assert set(Event.objects.values_list("status", flat=True)) == {"delivered"}


def test_members_of_a_parallel_wait_in_sequences_and_steps(durable):
    class Many(Workflow):
        with parallel() as both:
            with sequence() as first:
                a = wait_for_event("a")
                b = wait_for_event("b")

            @step
            def second(self):
                return [self.wait_for_event("b"), self.wait_for_event("a")]

    run = durable.run(Many)
    for number, name in enumerate("abab"):
        send_event(run, name, number)
        durable.drain()
    assert result_of(run) == {"first": 3, "second": [1, 2]}


def test_a_member_whose_wait_fails_is_collected(durable):
    class Collecting(Workflow):
        with parallel(on_error="collect") as both:
            late = wait_for_event("never", timeout=minutes(1))
            heard = wait_for_event("word")

        @step
        def end(self):
            both = self.outputs["both"]
            return [both["late"].type, both["heard"]]

    run = durable.run(Collecting)
    durable.advance(minutes(1))
    send_event(run, "word", "x")
    durable.drain()
    assert result_of(run) == ["WaitTimeout", "x"]


def test_a_member_whose_wait_fails_ends_the_waits_beside_it(durable):
    class Failing(Workflow):
        with parallel() as both:
            late = wait_for_event("never", timeout=minutes(1))
            asked = wait_for_approval()

            @step
            def talk(self):
                self.wait_for_event("word")

    run = durable.run(Failing)
    assert list_pending_inputs().count() == 1
    durable.advance(minutes(1))
    durable.drain()
    assert get_execution(run).error["type"] == "WaitTimeout"
    assert (open_waits(), list_pending_inputs().count()) == ([], 0)
    statuses = dict(Wait.objects.values_list("node", "status"))
    assert statuses == {"late": "timed_out", "asked": "cancelled", "talk": "cancelled"}


def make_racing():
    class Racing(Workflow):
        with race() as first:
            stopped = wait_for_event("stop")
            paid = wait_for_event("payment")

        late = wait_for_event("payment", timeout=minutes(1), timeout_value="nothing")

        @step
        def end(self):
            return [self.outputs["first"]["winner"], self.outputs["late"]]

    return Racing


def test_an_event_for_who_lost_a_race_stays_in_the_inbox(durable):
    run = durable.run(make_racing())
    send_event(run, "stop")
    durable.drain()
    send_event(run, "payment", 5)
    durable.drain()
    assert result_of(run) == ["stopped", 5]


def test_an_event_for_who_lost_a_race_stays_though_it_was_delivered_with_the_winners(durable):
    run = durable.run(make_racing())
    send_event(run, "stop")
    send_event(run, "payment", 5)
    durable.drain()
    assert result_of(run) == ["stopped", 5]


def test_an_event_a_loser_had_been_given_wakes_who_waits_for_it_already(durable):
    class Beside(Workflow):
        with parallel() as both:
            with race() as first:
                stopped = wait_for_event("stop")
                paid = wait_for_event("payment")
            with sequence() as second:
                pause = sleep_for(1)
                later = wait_for_event("payment")

    run = durable.run(Beside)
    durable.advance(1)
    durable.drain()
    assert [wait.node for wait in open_waits()] == ["stopped", "paid", "later"]
    send_event(run, "stop")
    send_event(run, "payment", 5)
    durable.drain()
    assert get_execution(run).status == "completed", open_waits()
    assert result_of(run)["second"] == 5


def test_what_a_loser_had_been_given_of_several_comes_back_in_its_order(durable):
    class Several(Workflow):
        with race() as first:
            stopped = wait_for_event("stop")
            every = wait_for_all(["a", "b"])

        then = wait_for_any(["a", "b"])
        last = wait_for_event("a")

        @step
        def end(self):
            return [self.outputs[name] for name in ("then", "last")]

    run = durable.run(Several)
    for number, name in enumerate(["stop", "b", "a", "a"]):
        send_event(run, name, number)
    durable.drain()
    assert result_of(run) == [("b", 1), 2]


def test_what_comes_after_a_race_was_decided_is_kept_for_the_next_wait(durable):
    class Racing(Workflow):
        with race() as first:
            paid = wait_for_event("payment")
            expired = sleep_for(hours(1))

        more = wait_for_event("payment")

    run = durable.run(Racing)
    durable.advance(hours(1))
    durable.drain()
    assert [wait.node for wait in open_waits()] == ["more"]
    send_event(run, "payment", 5)
    durable.drain()
    assert result_of(run) == 5


@pytest.mark.parametrize("event_first", [True, False])
def test_of_an_event_and_a_timer_the_earlier_wins_whenever_a_worker_looks(durable, event_first):
    class Racing(Workflow):
        with race() as first:
            paid = wait_for_event("payment")
            expired = sleep_for(hours(1))

    run = durable.run(Racing)
    durable.advance(minutes(59 if event_first else 61))
    send_event(run, "payment", 5)
    durable.advance(hours(5))
    durable.drain()
    assert result_of(run)["winner"] == ("paid" if event_first else "expired")
