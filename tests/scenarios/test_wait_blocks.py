"""Waits inside every block, told as stories: in loops and members, lost, retried and cancelled."""

# ruff: noqa: SIM117

from __future__ import annotations

import pytest

from durable_django import (
    Workflow,
    branch,
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
    wait_for_callback,
    wait_for_event,
    wait_for_text,
)
from durable_django.api import cancel, get_execution, retry
from durable_django.api_events import publish_event, send_event
from durable_django.inputs.api import list_pending_inputs, provide_input
from durable_django.models import Event, Execution, Wait


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


# Keys, callables, names


def test_what_is_waited_for_may_depend_on_the_run_and_is_asked_once(durable):
    asked = []

    class Keyed(Workflow):
        @step
        def begin(self):
            self.context["invoice"] = "inv_7"

        paid = wait_for_event(
            "payment",
            key=lambda self: asked.append(1) or self.context["invoice"],
            timeout=lambda self: hours(self.input["hours"]),
        )

        @step
        def end(self):
            return self.outputs["paid"]

    run = durable.run(Keyed, {"hours": 2})
    durable.advance(hours(1))
    durable.drain()
    publish_event("payment", key="inv_7", payload="paid")
    with durable.crash_before(Keyed.paid):
        durable.drain()
    assert (result_of(run), asked) == ("paid", [1])


def test_a_callable_that_raises_fails_its_wait_like_a_step(durable):
    class Wrong(Workflow):
        paid = wait_for_event("payment", key=lambda self: self.context["missing"])

    run = durable.run(Wrong)
    error = get_execution(run).error
    assert (error["type"], error["node"]) == ("KeyError", "paid")
    assert open_waits() == []
    retry(run)
    durable.drain()
    assert get_execution(run).status == "failed"


def test_one_published_event_wakes_every_run_and_one_kept_also_those_that_start_later(durable):
    class Waiting(Workflow):
        opened = wait_for_event("opened", key=lambda self: self.input["shop"])

    early = [durable.run(Waiting, {"shop": "a"}) for _ in range(3)]
    other = durable.run(Waiting, {"shop": "b"})
    publish_event("opened", key="a", payload=1, keep=hours(1))
    durable.drain()
    later = durable.run(Waiting, {"shop": "a"})
    assert [result_of(run) for run in (*early, later)] == [1] * 4
    durable.assert_status(other, "waiting")
    durable.advance(hours(2))
    durable.drain()
    durable.assert_status(durable.run(Waiting, {"shop": "a"}), "waiting")


def test_any_and_all_work_with_keys_timeouts_and_values(durable):
    class Several(Workflow):
        every = wait_for_all(["a", "b"], key="k", timeout=minutes(1), timeout_value="not all")
        one = wait_for_any(["a", "c"], key="k")

    run = durable.run(Several)
    send_event(run, "a", 1, key="k")
    send_event(run, "b", 2, key="other")
    durable.drain()
    durable.advance(minutes(1))
    durable.drain()
    assert get_execution(run).outputs["every"] == "not all"
    assert result_of(run) == ("a", 1), "which all of them had not taken"


# Cancelled and retried


def test_a_run_cancelled_while_it_waits_waits_anew_when_it_is_retried(durable):
    class Waiting(Workflow):
        paid = wait_for_event("payment", timeout=hours(1))

        @step
        def end(self):
            return self.outputs["paid"]

    run = durable.run(Waiting)
    durable.advance(minutes(50))
    cancel(run)
    durable.advance(minutes(50))
    durable.drain()
    durable.assert_status(run, "cancelled")
    retry(run)
    durable.drain()
    durable.advance(minutes(50))
    durable.drain()
    durable.assert_status(run, "waiting")
    send_event(run, "payment", 5)
    durable.drain()
    assert result_of(run) == 5
    assert Wait.objects.count() == 1


def test_a_wait_that_failed_its_run_is_waited_for_anew(durable):
    class Waiting(Workflow):
        class Meta:
            max_retries = 1

        paid = wait_for_event("payment", timeout=hours(1))

    run = durable.run(Waiting)
    durable.advance(hours(1))
    durable.drain()
    durable.assert_status(run, "waiting")  # the run was retried as a whole
    durable.advance(hours(1))
    durable.drain()
    assert get_execution(run).error["type"] == "WaitTimeout"
    retry(run)
    send_event(run, "payment", 5)
    durable.drain()
    assert result_of(run) == 5


def test_members_that_had_their_answer_are_not_asked_again_when_a_run_is_retried(durable):
    class Asking(Workflow):
        with foreach(lambda self: range(3)) as each:
            answer = wait_for_event(
                "answer", key=lambda self: str(self.item), timeout=hours(1)
            )

        @step
        def end(self):
            return list(self.outputs["each"])

    run = durable.run(Asking)
    send_event(run, "answer", "0", key="0")
    durable.drain()
    durable.advance(hours(1))
    durable.drain()
    durable.assert_status(run, "failed")
    retry(run)
    durable.drain()
    assert sorted(wait.path for wait in open_waits()) == ["each[1]/answer", "each[2]/answer"]
    for number in ("1", "2"):
        send_event(run, "answer", number, key=number)
    durable.drain()
    assert result_of(run) == ["0", "1", "2"]


def test_a_run_out_of_time_waits_for_nothing_any_more(durable):
    class Waiting(Workflow):
        class Meta:
            timeout = hours(1)

        with parallel() as both:
            asked = wait_for_approval()
            paid = wait_for_event("payment")

    run = durable.run(Waiting)
    durable.advance(hours(1))
    durable.drain()
    assert get_execution(run).error["type"] == "WorkflowTimeout"
    assert (open_waits(), list_pending_inputs().count()) == ([], 0)
    assert not Execution.objects.filter(finished_at=None).exists()


# Compensation


def test_a_compensation_sleeps_without_holding_anything(durable):
    undone = []

    class Saga(Workflow):
        @step
        def book(self):
            return "room"

        @book.compensate
        def unbook(self):
            undone.append("asked")
            self.sleep_for(hours(1))
            undone.append(self.outputs["book"])

        @step
        def fail(self):
            raise ValueError("no")

    run = durable.run(Saga)
    durable.assert_status(run, "compensating")
    row = get_execution(run)
    assert (row.worker_id, row.wake_at is not None) == (None, True)
    durable.advance(hours(1))
    durable.drain()
    durable.assert_status(run, "compensated")
    assert undone == ["asked", "asked", "room"]


def test_a_compensation_waits_for_nobody(durable):
    class Saga(Workflow):
        @step
        def book(self): ...

        @book.compensate
        def unbook(self):
            self.wait_for_event("never")

        @step
        def fail(self):
            raise ValueError("no")

    run = durable.run(Saga)
    durable.assert_status(run, "compensation_failed")
    row = run.steps.get(kind="compensation")
    assert row.error["type"] == "InvalidState"
    assert "a compensation: it may sleep and retry, nothing else" in row.error["message"]


def test_a_wait_that_completed_is_undone_by_its_own_compensation(durable):
    undone = []

    class Saga(Workflow):
        with foreach(lambda self: ["x", "y"]) as each:
            paid = wait_for_event("payment", key=lambda self: self.item)

            @paid.compensate
            def refund(self):
                undone.append([self.item, self.outputs["paid"]])

        @step
        def fail(self):
            raise ValueError("no")

    run = durable.run(Saga)
    for key in ("x", "y"):
        send_event(run, "payment", f"of {key}", key=key)
        durable.drain()
    durable.assert_status(run, "compensated")
    assert undone == [["y", "of y"], ["x", "of x"]]


# People and outside systems


def test_two_levels_of_approval_with_a_reminder(durable):
    reminded = []

    class Expense(Workflow):
        with loop(until=lambda self: self.outputs["manager"] != "late", max_iterations=3) as asking:
            manager = wait_for_approval(timeout=days(1), timeout_value="late")

            with branch(on=manager) as late:
                with late.case("late"):

                    @step
                    def remind(self):
                        reminded.append(self.iteration)

        with branch(on=manager) as decide:
            with decide.case("approved"):
                director = wait_for_approval()

        @step
        def end(self):
            return {name: answer.value for name, answer in self.answers.items()}

    run = durable.run(Expense)
    durable.advance(days(1))
    durable.drain()
    provide_input(run, "manager", "approved", comment="fine")
    durable.drain()
    provide_input(run, "director", "rejected")
    durable.drain()
    assert result_of(run) == {"manager": "approved", "director": "rejected"}
    assert reminded == [1]


def test_members_are_asked_and_answered_each_for_itself(durable):
    class Asking(Workflow):
        with foreach(lambda self: ["x", "y"]) as each:
            said = wait_for_text()

            @step
            def note(self):
                return [self.item, self.answers["said"].value]

    run = durable.run(Asking)
    first, second = list_pending_inputs()
    assert [first.index, second.index] == [0, 1]
    provide_input(second, value="of y")
    provide_input(first, value="of x")
    durable.drain()
    assert list(result_of(run)) == [["x", "of x"], ["y", "of y"]]


def test_a_callback_resumes_the_item_that_gave_its_address(durable, settings):
    from django.test import Client
    from django.urls import resolve

    settings.DURABLE = {**settings.DURABLE, "BASE_URL": "https://shop.example"}
    addresses = {}

    class Calling(Workflow):
        with foreach(lambda self: ["x", "y"]) as each:

            @step
            def tell(self):
                addresses[self.item] = self.callback_url("paid")

            paid = wait_for_callback("paid")

        @step
        def end(self):
            return list(self.outputs["each"])

    run = durable.run(Calling)
    for item in ("y", "x"):
        path = "/" + addresses[item].removeprefix("https://shop.example/")
        assert resolve(path)
        answer = Client().post(path, data={"of": item}, content_type="application/json")
        assert answer.status_code < 300
    durable.drain()
    assert result_of(run) == [{"of": "x"}, {"of": "y"}]
