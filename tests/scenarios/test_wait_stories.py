"""Waits told as stories: their keys, cancelled and retried runs, rollback, people and outsiders."""

# ruff: noqa: SIM117

from __future__ import annotations

from durable_django import (
    Workflow,
    branch,
    days,
    foreach,
    hours,
    loop,
    minutes,
    parallel,
    step,
    wait_for_all,
    wait_for_any,
    wait_for_approval,
    wait_for_callback,
    wait_for_event,
    wait_for_text,
)
from durable_django.api import cancel, get_execution
from durable_django.api_events import publish_event, send_event
from durable_django.api_repair import retry
from durable_django.inputs.api import list_pending_inputs, provide_input
from durable_django.models import Execution, Wait


def result_of(run):
    return get_execution(run).result


def open_waits():
    return list(Wait.objects.filter(resolved_at__isnull=True).order_by("id"))


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
            answer = wait_for_event("answer", key=lambda self: str(self.item), timeout=hours(1))

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
