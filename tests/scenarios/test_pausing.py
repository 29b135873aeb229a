"""Whole stories of runs that are paused, told with the test kit."""

import pytest

from durable_django import (
    Fatal,
    Retry,
    Workflow,
    edit_context,
    foreach,
    get_execution,
    hours,
    loop,
    minutes,
    parallel,
    pause,
    provide_input,
    race,
    resume,
    send_event,
    sleep_for,
    start,
    step,
    wait_for_approval,
    wait_for_event,
)
from durable_django.testing import advance, crash_after, drain, run
from durable_django.worker.inline import InlineDriver


def names_of(execution):
    return list(execution.steps.filter(status="completed").values_list("name", flat=True))


def status_of(execution):
    return get_execution(execution).status


def resumed(execution):
    resume(execution)
    drain()
    return get_execution(execution)


def test_it_stops_after_the_step_that_pauses_it(durable):
    class Order(Workflow):
        @step
        def charge(self):
            self.context["charged"] = True
            pause(self.execution_id)
            return 1

        @step
        def ship(self):
            return self.context["charged"]

    order = run(Order)
    assert (order.status, names_of(order)) == ("paused", ["charge"])
    assert order.context == {"charged": True}
    assert drain() == 0
    ended = resumed(order)
    assert (ended.status, ended.result) == ("completed", True)
    assert names_of(order) == ["charge", "ship"]


def test_what_a_step_in_hand_waits_for_is_waited_for(durable):
    class Order(Workflow):
        @step
        def charge(self):
            self.once("pause", lambda: str(pause(self.execution_id).pk))
            return self.wait_for_event("paid")

    order = run(Order)
    assert (order.status, order.waits.filter(resolved_at=None).count()) == ("paused", 1)
    send_event(order, "paid", 7)
    assert drain() == 0
    ended = resumed(order)
    assert (ended.status, ended.result) == ("completed", 7)
    assert order.steps.count() == 1, "it is the same attempt"


def test_an_answer_and_its_deadline_both_count_while_it_is_paused(durable):
    class Expense(Workflow):
        first = wait_for_approval(prompt="?", timeout=hours(1), timeout_value="late")
        second = wait_for_approval(prompt="?", timeout=hours(1), timeout_value="late")

        @step
        def told(self):
            return [self.outputs["first"], self.outputs["second"]]

    expense = run(Expense)
    pause(expense)
    provide_input(expense, "first", True)
    advance(hours(2))
    assert drain() == 0
    resumed(expense)
    assert status_of(expense) == "waiting"
    pause(expense)
    advance(hours(2))
    drain()
    assert resumed(expense).result == ["approved", "late"]


def test_members_of_members_stop_together_and_nothing_is_lost(durable):
    class Report(Workflow):
        with foreach(lambda self: range(4), concurrency=2) as each:
            with parallel() as both:

                @step
                def left(self):
                    if self.index == 1:
                        pause(self.execution_id)
                    self.context.append("seen", self.index)
                    return self.index

                @step
                def right(self):
                    return -self.index

            @step
            def added(self):
                return self.outputs["left"] + self.outputs["right"]

        @step
        def told(self):
            return [list(self.outputs["each"]), self.context["seen"]]

    report = run(Report)
    assert report.status == "paused"
    rows = report.members().filter(finished_at=None)
    assert {row.status for row in rows} == {"paused"}
    ended = resumed(report)
    assert ended.result == [[0] * 4, [0, 1, 2, 3]]
    assert sorted(names_of(report).count(name) for name in ("left", "right", "added")) == [4, 4, 4]


@pytest.mark.parametrize("event_first", [True, False])
def test_a_race_is_decided_by_what_came_first_not_by_what_is_woken_first(durable, event_first):
    class First(Workflow):
        with race() as first:
            slept = sleep_for(hours(1))
            heard = wait_for_event("go")

    first = run(First)
    pause(first)
    if event_first:
        send_event(first, "go", "x")
    advance(hours(2))
    if not event_first:
        send_event(first, "go", "x")
    drain()
    ended = resumed(first)
    assert ended.result["winner"] == ("heard" if event_first else "slept")


def test_a_pause_in_a_loop_changes_no_count(durable):
    class Polls(Workflow):
        with loop(until=lambda self: self.iteration == 3) as polling:

            @step
            def poll(self):
                pause(self.execution_id)
                return self.iteration

            rest = sleep_for(minutes(1))

    polls = run(Polls)
    for _ in range(3):
        assert status_of(polls) == "paused"
        resumed(polls)
        advance(minutes(2))
        drain()
    ended = get_execution(polls)
    assert ended.status == "completed", ended.error
    assert [row.output for row in polls.steps.filter(name="poll")] == [1, 2, 3]


def test_a_worker_that_dies_in_the_node_in_hand_leaves_it_paused(durable):
    class Order(Workflow):
        @step
        def charge(self):
            pause(self.execution_id)
            return self.attempt

    with crash_after(Order.charge):
        order = run(Order)
    assert (order.status, order.suspect, order.steps.count()) == ("paused", True, 0)
    assert drain() == 0
    ended = resumed(order)
    # The body was run again, to its end, which is the end of the run.
    assert (ended.status, ended.result) == ("completed", 1)


def test_where_the_node_in_hand_fails_the_run_fails_and_is_not_paused(durable):
    class Order(Workflow):
        @step
        def charge(self):
            pause(self.execution_id)
            raise Fatal("declined")

    order = run(Order)
    assert (order.status, order.paused_at) == ("failed", None)


def test_where_a_rollback_begins_the_pause_is_over(durable):
    undone = []

    class Order(Workflow):
        @step
        def charge(self): ...

        @charge.compensate
        def refund(self):
            undone.append(1)

        @step
        def ship(self):
            pause(self.execution_id)
            raise Fatal("gone")

    order = run(Order)
    assert (order.status, order.paused_at, undone) == ("compensated", None, [1])


def test_a_failed_member_waits_for_the_resumption_and_then_fails_the_block(durable):
    class Fetch(Workflow):
        with parallel() as both:

            @step
            def left(self):
                pause(self.execution_id)
                raise Fatal("no")

            @step
            def right(self): ...

    fetch = run(Fetch)
    assert fetch.status == "paused"
    ended = resumed(fetch)
    assert (ended.status, ended.error["message"]) == ("failed", "no")


def test_members_that_a_retry_of_the_run_reopens_are_paused_too(durable):
    class Fetch(Workflow):
        class Meta:
            max_retries = 1

        with parallel() as both:

            @step
            def left(self):
                self.context.append("left", self.attempt)
                return 1

            with foreach(lambda self: range(2)) as each:

                @step
                def right(self):
                    if not get_execution(self.execution_id).tags:
                        raise ConnectionError
                    return self.index

        @step
        def told(self):
            return list(self.outputs["each"])

    fetch = start(Fetch)
    seen = []

    def around(attempt, body):
        if attempt.visit.joins and attempt.node.name == "both" and not seen:
            seen.append(pause(fetch).status)
        return body()

    InlineDriver(around).drain()
    paused = get_execution(fetch)
    assert (seen, paused.status) == (["running"], "paused")
    rows = fetch.members().filter(finished_at=None)
    assert {row.status for row in rows} == {"paused"}
    assert rows.count() > 1, "its members are to run again"
    type(fetch).objects.filter(pk=fetch.pk).update(tags=["fixed"])
    ended = resumed(fetch)
    assert (ended.status, ended.result) == ("completed", [0, 1])


def test_a_retry_of_a_step_is_made_when_it_is_resumed(durable):
    class Flaky(Workflow):
        @step(retry=Retry(max_attempts=2, backoff="constant", base=60))
        def only(self):
            if self.attempt == 1:
                raise ConnectionError
            return self.attempt

    flaky = run(Flaky)
    pause(flaky)
    advance(minutes(2))
    assert drain() == 0
    assert resumed(flaky).result == 2


def test_drain_leaves_a_run_alone_that_another_one_has_paused(durable):
    """Both are claimed together: the one that is paused by the other does not begin."""
    begun = []

    class Second(Workflow):
        @step
        def only(self):
            begun.append(1)

    class First(Workflow):
        @step
        def only(self):
            pause(self.input["other"])

    second = start(Second, priority=0)
    first = start(First, {"other": str(second.pk)}, priority=1)
    drain()
    assert (status_of(first), status_of(second), begun) == ("completed", "paused", [])
    assert resumed(second).status == "completed"


def test_its_context_can_be_changed_before_it_goes_on(durable):
    class Order(Workflow):
        @step
        def price(self):
            self.context["total"] = 12
            pause(self.execution_id)

        @step
        def charge(self):
            return self.context["total"]

    order = run(Order)
    edit_context(order, {"total": 10}, by="ada")
    assert status_of(order) == "paused"
    assert resumed(order).result == 10
