"""Runs that wait, told as stories: parked, woken once by what they wait for, replayed alike."""

from __future__ import annotations

from datetime import timedelta

import pytest

from durable_django import (
    ChildFailed,
    WaitTimeout,
    Workflow,
    branch,
    call_workflow,
    days,
    foreach,
    hours,
    minutes,
    parallel,
    race,
    sleep_for,
    start_workflow,
    step,
    wait_for_all,
    wait_for_any,
    wait_for_approval,
    wait_for_event,
)
from durable_django.api import get_execution
from durable_django.api_events import publish_event, send_event
from durable_django.inputs.api import provide_input
from durable_django.models import Event, Wait


def test_a_declared_sleep_parks_the_run_until_its_time(durable):
    class Reminder(Workflow):
        @step
        def begin(self):
            return 1

        pause = sleep_for(days(3))

        @step
        def remind(self):
            return self.outputs["pause"]

    run = durable.run(Reminder)
    durable.assert_status(run, "sleeping")
    durable.advance(days(2))
    durable.drain()
    durable.assert_status(run, "sleeping")
    durable.advance(days(1))
    durable.drain()
    durable.assert_status(run, "completed")
    durable.assert_nodes_run(run, ["begin", "pause", "remind"])
    [row] = run.steps.filter(name="pause")
    assert row.finished_at - row.started_at >= timedelta(days=3)


def test_an_event_ends_a_wait_with_its_payload(durable):
    class Pay(Workflow):
        paid = wait_for_event("payment")

        @step
        def ship(self):
            return self.outputs["paid"]["amount"]

    run = durable.run(Pay)
    durable.assert_status(run, "waiting")
    send_event(run, "payment", {"amount": 12})
    durable.drain()
    assert get_execution(run).result == 12


def test_an_event_sent_before_the_wait_is_kept_for_it(durable):
    class Pay(Workflow):
        pause = sleep_for(hours(1))
        first = wait_for_event("payment")
        second = wait_for_event("payment")

        @step
        def end(self):
            return [self.outputs["first"], self.outputs["second"]]

    run = durable.run(Pay)
    send_event(run, "payment", 1)
    send_event(run, "payment", None)
    durable.drain()
    durable.assert_status(run, "sleeping")
    durable.advance(hours(1))
    durable.drain()
    assert get_execution(run).result == [1, None]
    assert set(Event.objects.values_list("status", flat=True)) == {"delivered"}


def test_waits_in_a_step_are_replayed_by_position(durable):
    calls = []

    class Talk(Workflow):
        @step
        def talk(self):
            calls.append("body")
            token = self.once("token", lambda: calls.append("token") or len(calls))
            self.context["token"] = token
            self.sleep_for(minutes(5))
            answer = self.wait_for_event("answer", timeout=hours(1), timeout_value="none")
            self.context.append("heard", answer)
            return (token, answer)

    run = durable.run(Talk)
    durable.assert_status(run, "sleeping")
    durable.advance(minutes(5))
    durable.drain()
    durable.assert_status(run, "waiting")
    send_event(run, "answer", "yes")
    durable.drain()
    assert get_execution(run).result == (2, "yes")
    durable.assert_context(run, token=2, heard=["yes"])
    assert calls == ["body", "token", "body", "body"]
    assert run.steps.count() == 1


def test_a_wait_that_times_out_raises_or_gives_its_value(durable):
    class Late(Workflow):
        @step
        def ask(self):
            try:
                self.wait_for_event("never", timeout=minutes(1))
            except WaitTimeout:
                return self.wait_for_event("never", timeout=minutes(1), timeout_value="late")

    run = durable.run(Late)
    durable.advance(minutes(1))
    durable.drain()
    durable.advance(minutes(1))
    durable.drain()
    assert get_execution(run).result == "late"


def test_a_race_of_an_event_and_a_sleep_is_won_once(durable):
    class Order(Workflow):
        with race() as first:
            paid = wait_for_event("payment", key=lambda self: self.input["invoice"])
            expired = sleep_for(days(7))

        @step
        def end(self):
            return self.outputs["first"]

    paid = durable.run(Order, {"invoice": "inv_1"})
    late = durable.run(Order, {"invoice": "inv_2"})
    publish_event("payment", key="inv_1", payload={"n": 1})
    durable.drain()
    assert get_execution(paid).result == {"winner": "paid", "value": {"n": 1}}
    durable.assert_status(late, "waiting")
    durable.advance(days(7))
    durable.drain()
    assert get_execution(late).result == {"winner": "expired", "value": None}
    assert not Wait.objects.filter(resolved_at__isnull=True).exists()


def test_any_and_all_of_several_events(durable):
    class Both(Workflow):
        every = wait_for_all(["a", "b"])
        one = wait_for_any(["c", "d"])

        @step
        def end(self):
            return [self.outputs["every"], self.outputs["one"]]

    run = durable.run(Both)
    send_event(run, "b", 2)
    send_event(run, "d", 4)
    durable.drain()
    durable.assert_status(run, "waiting")
    send_event(run, "a", 1)
    durable.drain()
    assert get_execution(run).result == [{"a": 1, "b": 2}, ("d", 4)]


def test_a_person_is_asked_and_the_answer_decides(durable):
    class Expense(Workflow):
        @step
        def begin(self):
            self.context["amount"] = 12.5

        approval = wait_for_approval(
            prompt="Approve {amount:.2f}?", timeout=days(3), timeout_value="rejected"
        )

        with branch(on=approval) as decide:
            with decide.case("approved"):

                @step
                def pay(self):
                    return self.answers["approval"].comment

            with decide.default():

                @step
                def refuse(self):
                    return self.answers["approval"].timed_out

    run = durable.run(Expense)
    provide_input(run, "approval", "approved", comment="fine")
    durable.drain()
    assert get_execution(run).result == "fine"
    late = durable.run(Expense)
    durable.advance(days(3))
    durable.drain()
    assert get_execution(late).result is True


def test_a_called_workflow_gives_its_result(durable):
    class Ship(Workflow):
        @step
        def ship(self):
            return f"parcel {self.input['order']}"

    class Order(Workflow):
        shipped = call_workflow(Ship, lambda self: {"order": self.input["id"]})

        @step
        def end(self):
            return [self.outputs["shipped"], self.call_workflow(Ship, {"order": 8})]

    run = durable.run(Order, {"id": 7})
    assert get_execution(run).result == ["parcel 7", "parcel 8"]
    from durable_django.api import list_children

    assert list_children(run).count() == 2
    assert {child.root_id for child in list_children(run)} == {run.pk}


def test_a_child_that_fails_can_be_caught(durable):
    class Ship(Workflow):
        @step
        def ship(self):
            raise ValueError("no stock")

    class Order(Workflow):
        @step
        def end(self):
            try:
                self.call_workflow(Ship)
            except ChildFailed as failure:
                return failure.error["message"]

    class Plain(Workflow):
        shipped = call_workflow(Ship)

    assert get_execution(durable.run(Order)).result == "no stock"
    run = durable.run(Plain)
    assert get_execution(run).error["type"] == "ChildFailed"


def test_cancelling_a_parent_cancels_its_child(durable):
    class Ship(Workflow):
        sleep = sleep_for(days(1))

    class Order(Workflow):
        with parallel() as both:
            shipped = call_workflow(Ship)
            kept = call_workflow(Ship, on_cancel="abandon")

    class Started(Workflow):
        begun = start_workflow(Ship)

        @step
        def end(self):
            return self.outputs["begun"]

    from durable_django.api import cancel, list_children

    run = durable.run(Order)
    cancel(run)
    assert sorted(child.status for child in list_children(run)) == ["cancelled", "sleeping"]
    started = durable.run(Started)
    assert get_execution(get_execution(started).result).parent_id == started.pk
    durable.advance(days(1))
    durable.drain()


def test_members_wait_side_by_side(durable):
    class Many(Workflow):
        with foreach(lambda self: range(3)) as each:
            answer = wait_for_event("answer", key=lambda self: str(self.item), timeout=days(1))

        @step
        def end(self):
            return list(self.outputs["each"])

    run = durable.run(Many)
    for number in (2, 0, 1):
        send_event(run, "answer", number * 10, key=str(number))
    durable.drain()
    assert get_execution(run).result == [0, 10, 20]


@pytest.mark.parametrize("name", ["asleep_for"])
def test_an_async_step_waits(durable, name):
    class Nap(Workflow):
        @step
        async def nap(self):
            await self.asleep_for(minutes(1))
            value = await self.aonce("x", lambda: 5)
            return value + await self.await_for_event("more")

    run = durable.run(Nap)
    durable.advance(minutes(1))
    send_event(run, "more", 1)
    durable.drain()
    assert get_execution(run).result == 6
