"""Pause and resume beside a worker that serves: what it has in hand ends, nothing else begins."""

import pytest

import durable_django as durable
from durable_django import Retry, Workflow, call_workflow, foreach, hours, parallel, race, step
from durable_django.models import Execution, StepRun
from durable_django.store import clock
from tests.waiting import until


def status_of(run):
    return durable.get_execution(run.pk).status


def names_of(run):
    return list(run.steps.filter(status="completed").values_list("name", flat=True))


def until_paused(run):
    until(lambda: status_of(run) == "paused")
    assert not run.members().filter(worker__isnull=False).exists()


@pytest.mark.parametrize("kind", ["plain", "at_most_once", "async"])
def test_the_node_in_hand_ends_and_is_recorded_and_the_next_one_waits(workers, kind):
    inside, latch, begun = workers.latch(), workers.latch(), []

    class Order(Workflow):
        if kind == "async":

            @step
            async def charge(self):
                import asyncio

                inside.set()
                await asyncio.to_thread(latch.wait, 20)
                return 1
        else:

            @step(at_most_once=kind == "at_most_once")
            def charge(self):
                inside.set()
                latch.wait(20)
                return 1

        @step
        def ship(self):
            begun.append(self.attempt)
            return self.outputs["charge"] + 1

    run = Order.start()
    workers.start()
    assert inside.wait(20)
    assert durable.pause(run).status == "running"
    latch.set()
    until_paused(run)
    assert (names_of(run), begun) == (["charge"], [])
    durable.resume(run)
    assert run.get_result(timeout=20) == 2
    assert (names_of(run), begun) == (["charge", "ship"], [1])


def test_short_steps_stop_in_the_middle_and_none_runs_twice(workers):
    # So many that they outlast a pause which waits for SQLite's lock on a busy machine.
    made, steps = [], 2_000

    class Counts(Workflow):
        with durable.loop(
            until=lambda self: self.iteration == steps, max_iterations=steps
        ) as turns:

            @step
            def one(self):
                made.append(self.iteration)

    run = Counts.start()
    workers.start()
    for goal in (10, 50, 100):
        until(lambda goal=goal: len(made) > goal)
        durable.pause(run)
        until_paused(run)
        stopped = len(made)
        rows = StepRun.objects.filter(execution=run, name="one")
        assert rows.count() == stopped < steps
        durable.resume(run)
    run.get_result(timeout=60)
    assert made == list(range(1, steps + 1))


def test_what_waits_for_a_free_thread_does_not_begin_and_is_handed_back(workers):
    inside, latch, begun = workers.latch(), workers.latch(), []

    class Holds(Workflow):
        @step(at_most_once=True)
        def only(self):
            inside.set()
            latch.wait(20)

    class Behind(Workflow):
        @step(at_most_once=True)
        def only(self):
            begun.append(1)

    holds = Holds.start()
    workers.start(threads=1)
    assert inside.wait(20)
    behind = Behind.start()
    durable.pause(behind)
    latch.set()
    holds.get_result(timeout=20)
    until_paused(behind)
    assert (begun, behind.steps.count()) == ([], 0)
    durable.resume(behind)
    behind.get_result(timeout=20)
    assert begun == [1]


def test_a_step_may_pause_its_own_run(workers):
    class Careful(Workflow):
        @step
        def looks(self):
            durable.pause(self.execution_id, "somebody should see this", by=self.step_name)

        @step
        def goes_on(self):
            return "seen"

    run = Careful.start()
    workers.start()
    until_paused(run)
    assert names_of(run) == ["looks"]
    durable.resume(run)
    assert run.get_result(timeout=20) == "seen"


def test_an_atomic_step_may_pause_its_own_run(workers):
    class Careful(Workflow):
        @step(atomic=True)
        def looks(self):
            durable.pause(self.execution_id)

        @step
        def goes_on(self):
            return "seen"

    run = Careful.start()
    workers.start()
    until_paused(run)
    assert names_of(run) == ["looks"]
    durable.resume(run)
    assert run.get_result(timeout=20) == "seen"


def test_a_resumption_while_the_node_is_in_hand_stops_nothing(workers):
    inside, latch = workers.latch(), workers.latch()

    class Order(Workflow):
        @step
        def charge(self):
            inside.set()
            latch.wait(20)

        @step
        def ship(self):
            return "shipped"

    run = Order.start()
    workers.start()
    assert inside.wait(20)
    durable.pause(run)
    durable.resume(run)
    latch.set()
    assert run.get_result(timeout=20) == "shipped"
    assert durable.get_execution(run.pk).lease == 1, "it never left the worker"


def test_members_end_what_they_have_in_hand_and_the_others_wait(workers):
    latch = workers.latch()
    inside = [workers.latch() for _ in range(2)]

    class Fetch(Workflow):
        with foreach(lambda self: range(3), concurrency=2) as each:

            @step
            def get(self):
                if self.index < 2:
                    inside[self.index].set()
                    latch.wait(20)
                return self.index

    run = Fetch.start()
    workers.start()
    assert all(each.wait(20) for each in inside)
    assert durable.pause(run).status == "paused"
    latch.set()
    until(lambda: not run.members().filter(worker__isnull=False).exists())
    assert sorted(row.output for row in run.steps.filter(name="get")) == [0, 1]
    durable.resume(run)
    assert list(run.get_result(timeout=20)) == [0, 1, 2]


def test_a_paused_run_goes_on_with_another_worker(workers):
    class Order(Workflow):
        with parallel() as both:

            @step
            def left(self):
                return 1

            @step
            def right(self):
                return 2

        @step
        def after(self):
            return self.outputs["both"]

    run = Order.start()
    durable.pause(run)
    first = workers.start(burst=True)
    workers.wait(first)
    assert (status_of(run), run.steps.count()) == ("paused", 0)
    durable.resume(run)
    workers.start()
    assert run.get_result(timeout=20) == {"left": 1, "right": 2}


def test_a_retry_that_came_due_meanwhile_is_made_when_it_is_resumed(workers):
    class Flaky(Workflow):
        @step(retry=Retry(max_attempts=2, backoff="constant", base=0.05))
        def only(self):
            if self.attempt == 1:
                durable.pause(self.execution_id)
                raise ConnectionError
            return self.attempt

    run = Flaky.start()
    workers.start()
    until_paused(run)
    assert run.steps.get().status == "failed"
    durable.resume(run)
    assert run.get_result(timeout=20) == 2


def test_a_child_ends_though_its_caller_is_paused(workers):
    inside, latch = workers.latch(), workers.latch()

    class Child(Workflow):
        class Meta:
            name = "child"

        @step
        def only(self):
            inside.set()
            latch.wait(20)
            return 42

    class Calls(Workflow):
        called = call_workflow("child")

    run = Calls.start()
    workers.start()
    assert inside.wait(20)
    until(lambda: status_of(run) == "waiting")
    assert durable.pause(run).status == "paused"
    latch.set()
    child = Execution.objects.get(parent=run, kind="workflow")
    assert child.get_result(timeout=20) == 42
    until(lambda: not run.waits.filter(resolved_at=None).exists())
    assert status_of(run) == "paused"
    durable.resume(run)
    assert run.get_result(timeout=20) == 42


# race: earlier-but-apart
@pytest.mark.parametrize("is_slow", [False, True])
def test_the_race_is_won_in_time_order_of_what_came_due_while_it_was_paused(workers, is_slow):
    class First(Workflow):
        with race() as first:
            heard = durable.wait_for_event("go")
            slept = durable.sleep_for(hours(1))

    run = First.start()
    service = workers.start()
    until(lambda: run.waits.filter(resolved_at=None).count() == 2)
    durable.pause(run)
    if is_slow:
        service.pool.costs.measure(First.first.children[0], 1.0)
    durable.send_event(run, "go", "x")
    until(lambda: not run.waits.filter(name="go", resolved_at=None).exists())
    clock.advance(hours(1))
    try:
        assert not run.waits.filter(kind="sleep", due_at__gt=clock.now()).exists()
        durable.resume(run)
        assert run.get_result(timeout=20) == {"winner": "heard", "value": "x"}
    finally:
        clock.reset()
