"""Failing and going on: retries in members, of the run, by a person; timeouts and cancels."""

# ruff: noqa: SIM117  one with per block is how a workflow is written

import pytest

import durable_django as durable_api
from durable_django import (
    Fatal,
    Retry,
    Workflow,
    foreach,
    hours,
    parallel,
    race,
    sequence,
    step,
)
from durable_django.models import Execution, StepRun

LATER = Retry(3, backoff="constant", base=60)


def strands_of(execution):
    rows = execution.members().filter(depth__gt=0).order_by("id")
    return dict(rows.values_list("path", "status"))


def completed_paths(execution):
    return list(execution.steps.filter(status="completed").values_list("path", flat=True))


def driven(durable, execution, seconds=61, times=4):
    for _ in range(times):
        durable.advance(seconds)
        durable.drain()
    execution.refresh_from_db()
    return execution


def test_a_member_is_retried_by_its_own_rule_and_wakes_by_itself(durable):
    class Retries(Workflow):
        with parallel() as work:

            @step(retry=LATER)
            def flaky(self):
                if self.attempt < 3:
                    raise RuntimeError("again")
                return self.attempt

            @step
            def other(self): ...

    execution = durable.run(Retries)
    assert execution.status == "waiting"
    assert strands_of(execution) == {"work/flaky": "sleeping", "work/other": "completed"}
    assert driven(durable, execution).result == {"flaky": 3, "other": None}
    durable.assert_attempts(execution, Retries.flaky, 3)


def test_an_async_and_an_at_most_once_step_are_members_like_others(durable):
    class Kinds(Workflow):
        with parallel() as work:

            @step
            async def later(self):
                self.context.append("log", "later")
                return "later"

            @step(at_most_once=True)
            def single(self):
                self.context.append("log", "single")
                return "single"

            @step(atomic=True)
            def atomic(self):
                self.context.append("log", "atomic")
                return "atomic"

    execution = durable.run(Kinds)
    assert execution.result == {"later": "later", "single": "single", "atomic": "atomic"}
    assert execution.context == {"log": ["later", "single", "atomic"]}


def test_an_at_most_once_member_whose_worker_died_fails_the_block_for_good(durable):
    class Single(Workflow):
        class Meta:
            max_retries = 3

        with parallel() as work:

            @step(at_most_once=True)
            def single(self): ...

    with durable.crash_after(Single.single):
        execution = durable.run(Single)
    assert (execution.status, execution.error["type"]) == ("failed", "StepInterrupted")
    durable.assert_attempts(execution, Single.single, 1)


def test_a_run_that_is_retried_runs_only_what_had_not_completed(durable):
    tries = []

    class Again(Workflow):
        class Meta:
            max_retries = 2

        @step
        def begin(self):
            tries.append("begin")

        with foreach(lambda self: range(5), concurrency=2) as each:

            @step
            def send(self):
                tries.append(self.index)
                self.context.append("sent", self.index)
                if self.index == 2 and tries.count(2) < 3:
                    raise ValueError("not yet")
                return self.index

    execution = durable.run(Again)
    assert execution.result == [0, 1, 2, 3, 4], execution.error
    assert [tries.count(n) for n in ("begin", 0, 1, 2)] == [1, 1, 1, 3]
    assert execution.context == {"sent": [0, 1, 2, 3, 4]}


def test_the_retries_of_a_run_are_used_up(durable):
    class Never(Workflow):
        class Meta:
            max_retries = 2

        with parallel() as work:

            @step(retry=Retry(2, backoff="constant", base=0))
            def breaks(self):
                raise ValueError("never")

            @step
            def good(self): ...

    execution = durable.run(Never)
    assert execution.status == "failed"
    durable.assert_attempts(execution, Never.breaks, 6)
    durable.assert_attempts(execution, "work", 4)  # the fork, and each join


def test_a_fatal_member_is_not_retried_with_the_run(durable):
    class Refused(Workflow):
        class Meta:
            max_retries = 5

        with foreach(lambda self: [1]) as outer:
            with parallel() as work:

                @step
                def refuse(self):
                    raise Fatal("no")

    execution = durable.run(Refused)
    assert (execution.status, execution.error["type"]) == ("failed", "Fatal")
    durable.assert_attempts(execution, Refused.refuse, 1)


def test_a_failed_run_goes_on_in_the_members_that_failed_or_were_cancelled(durable):
    fails, ran = [True], []

    class Deep(Workflow):
        with foreach(lambda self: range(3), concurrency=1) as outer:

            @step
            def before(self):
                ran.append(f"before {self.index}")

            with parallel() as both:

                @step
                def left(self):
                    ran.append(f"left {self.index}")
                    return "x" * 3_000

                with sequence() as right:

                    @step
                    def first(self):
                        ran.append(f"first {self.index}")
                        return "y" * 3_000

                    @step
                    def second(self):
                        if self.index == 1 and fails:
                            raise RuntimeError("once")
                        return len(self.outputs["first"])

        @step
        def end(self):
            return [(len(each["left"]), each["right"]) for each in self.outputs["outer"]]

    execution = durable.run(Deep)
    assert execution.status == "failed"
    assert strands_of(execution)["outer[2]"] == "cancelled"
    before = list(ran)
    fails.clear()
    durable_api.retry(execution)
    assert durable_api.get_execution(execution).status == "waiting"
    durable.drain()
    execution.refresh_from_db()
    assert execution.result == [(3_000, 3_000)] * 3, execution.error
    assert ran[len(before) :] == ["before 2", "left 2", "first 2"]
    done = completed_paths(execution)
    assert len(done) == len(set(done))


def test_a_cancelled_run_goes_on_where_each_member_stood(durable):
    class Held(Workflow):
        with foreach(lambda self: range(4), concurrency=2) as each:

            @step
            def first(self):
                self.context.append("log", self.index)

            @step(retry=LATER)
            def second(self):
                if self.attempt == 1 and self.index == 0 and not self.context.get("go"):
                    raise RuntimeError("later")
                return self.index

    execution = durable.run(Held)
    assert list(strands_of(execution).values()) == ["sleeping"] + ["completed"] * 3
    durable_api.cancel(execution)
    assert strands_of(execution)["each[0]"] == "cancelled"
    durable_api.retry(execution)
    durable.drain()
    execution = driven(durable, execution)
    assert execution.result == [0, 1, 2, 3]
    assert execution.context == {"log": [0, 1, 2, 3]}
    durable.assert_attempts(execution, "first", 4)


def test_a_run_whose_strands_were_held_back_is_retried_within_its_concurrency(durable):
    fails = [True]

    class Held(Workflow):
        with foreach(lambda self: range(6), concurrency=2) as each:

            @step(retry=LATER)
            def send(self):
                if fails and self.index == 1:
                    raise Fatal("once")
                if self.attempt == 1:
                    raise RuntimeError("later")

    execution = durable.run(Held)
    assert execution.status == "failed"
    fails.clear()
    durable_api.retry(execution)
    durable.drain()
    waiting = ["sleeping"] * 2 + ["waiting"] * 4
    assert list(strands_of(execution).values()) == waiting
    assert driven(durable, execution).status == "completed"


def test_a_run_that_failed_at_its_items_asks_for_them_again(durable):
    class Asks(Workflow):
        with foreach(lambda self: [1, 2] if ready else 1 / 0) as each:

            @step
            def send(self):
                return self.item

    ready = []
    execution = durable.run(Asks)
    assert execution.status == "failed"
    ready.append(True)
    durable_api.retry(execution)
    durable.drain()
    execution.refresh_from_db()
    assert execution.result == [1, 2]


def test_a_cancel_ends_all_members_and_nothing_is_written_after(durable):
    class Held(Workflow):
        with parallel() as work:
            with foreach(lambda self: range(4), concurrency=1) as each:

                @step(retry=LATER)
                def send(self):
                    raise RuntimeError("later")

            @step
            def done(self): ...

    execution = durable.run(Held)
    durable_api.cancel(execution, "enough")
    recorded = StepRun.objects.count()
    assert strands_of(execution) == {
        "work/each": "cancelled",
        "work/done": "completed",
        **{f"work/each[{n}]": "cancelled" for n in range(4)},
    }
    driven(durable, execution)
    assert execution.status == "cancelled"
    assert StepRun.objects.count() == recorded
    assert not Execution.objects.filter(held_back=True).exists()


@pytest.mark.parametrize("block", [parallel, race])
def test_a_workflow_timeout_ends_the_members(durable, block):
    class Slow(Workflow):
        class Meta:
            timeout = hours(1)

        with block() as work:

            @step(retry=Retry(2, backoff="constant", base=7_200))
            def sleeps(self):
                raise RuntimeError("later")

            with foreach(lambda self: range(2), concurrency=1) as each:

                @step(retry=Retry(2, backoff="constant", base=7_200))
                def sleeps_too(self):
                    raise RuntimeError("later")

    execution = durable.run(Slow)
    driven(durable, execution, 3_601, 1)
    assert (execution.status, execution.error["type"]) == ("failed", "WorkflowTimeout")
    assert set(strands_of(execution).values()) == {"cancelled"}
    driven(durable, execution, 7_200, 1)
    durable.assert_attempts(execution, "sleeps", 1)


def test_a_step_timeout_in_a_member_is_a_failed_attempt_of_that_member(durable):
    class Slow(Workflow):
        with parallel(on_error="collect") as work:

            @step(timeout=5, retry=Retry(2, backoff="constant", base=0))
            def slow(self):
                if self.attempt == 1:
                    durable.advance(6)
                return self.attempt

            @step(timeout=5)
            def too_slow(self):
                durable.advance(6)

    execution = durable.run(Slow)
    assert execution.result["slow"] == 2
    assert execution.result["too_slow"].type == "StepTimeout"
    assert execution.steps.filter(status="timed_out").count() == 2
