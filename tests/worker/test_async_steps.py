"""`async def` steps: side by side on one event loop, without a thread each."""

import asyncio
import contextvars

import pytest
from django.contrib.auth.models import Group
from django.db import connection

import durable_django as durable
from durable_django import Retry, Workflow, step
from durable_django.context import get_context, put_context, workflow_id
from durable_django.exceptions import ExecutionFailed
from durable_django.models import Execution, StepRun
from tests.waiting import until


class Gate:
    """An asyncio event of whichever loop first waits for it."""

    def __init__(self):
        self.waiting = 0
        self.open = None
        self.loop = None

    async def wait(self):
        self.loop = asyncio.get_running_loop()
        self.open = self.open or asyncio.Event()
        self.waiting += 1
        try:
            await self.open.wait()
        finally:
            self.waiting -= 1

    def release(self):
        self.loop.call_soon_threadsafe(self.open.set)


def test_fifty_await_one_event_at_the_same_time(workers):
    gate = Gate()

    class Waits(Workflow):
        @step
        async def only(self):
            await gate.wait()
            return self.input["n"]

    ids = durable.start_many(Waits, [{"n": n} for n in range(50)])
    workers.start(threads=2)
    until(lambda: gate.waiting == 50)
    gate.release()
    assert [durable.get_result(pk, timeout=20) for pk in ids] == list(range(50))


def test_async_and_plain_steps_share_a_run(workers):
    class Mixed(Workflow):
        @step
        async def one(self):
            self.context["a"] = 1
            await asyncio.sleep(0)
            return str(workflow_id())

        @step
        def two(self):
            put_context("b", get_context("a") + 1)
            return self.outputs["one"]

        @step
        async def three(self):
            self.context.increment("b")
            return [self.outputs["two"], self.context["b"]]

    run = Mixed.start()
    workers.start()
    assert run.get_result(timeout=20) == [str(run.pk), 3]


def test_an_async_steps_timeout_cancels_it(workers):
    cancelled = []

    class Waits(Workflow):
        @step(timeout=0.05, retry=Retry(max_attempts=2, backoff="constant", base=0.01))
        async def only(self):
            if self.attempt == 2:
                return "second"
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(self.attempt)
                raise

    run = Waits.start()
    workers.start()
    assert run.get_result(timeout=20) == "second"
    assert cancelled == [1]
    rows = StepRun.objects.filter(execution=run).order_by("seq")
    assert [row.status for row in rows] == ["timed_out", "completed"]
    assert rows[0].error["type"] == "StepTimeout"
    assert rows[0].duration_seconds < 1


def test_an_async_step_that_swallows_its_cancellation_is_discarded(workers):
    latch, seen = workers.latch(), []

    class Stubborn(Workflow):
        @step(timeout=0.05)
        async def only(self):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                seen.append("cancelled")
            await asyncio.to_thread(latch.wait, 20)
            seen.append("went on")
            return "too late"

    run = Stubborn.start()
    service = workers.start(threads=1)
    with pytest.raises(ExecutionFailed, match="StepTimeout"):
        run.get_result(timeout=20)
    latch.set()
    until(lambda: not service.pool.loop.running)
    assert seen == ["cancelled", "went on"]
    assert StepRun.objects.get(execution=run).status == "timed_out"


def test_an_async_step_that_fails_is_retried(workers):
    class Fails(Workflow):
        @step(retry=Retry(max_attempts=2, backoff="constant", base=0.01))
        async def only(self):
            await asyncio.sleep(0)
            if self.attempt == 1:
                raise ValueError("not yet")
            return self.attempt

    run = Fails.start()
    workers.start()
    assert run.get_result(timeout=20) == 2


@pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError(), KeyboardInterrupt()])
def test_what_ends_a_program_ends_only_the_async_step(workers, error):
    class Ends(Workflow):
        @step
        async def only(self):
            raise error

    class After(Workflow):
        @step
        async def only(self):
            return "alive"

    run = Ends.start()
    workers.start()
    with pytest.raises(ExecutionFailed, match=type(error).__name__):
        run.get_result(timeout=20)
    assert After.start().get_result(timeout=20) == "alive"


def test_the_orm_of_async_steps_leaves_no_connection_open(workers):
    opened = []

    class Queries(Workflow):
        @step
        async def only(self):
            await Group.objects.acreate(name=f"group {self.input['n']}")
            count = await Group.objects.acount()
            from asgiref.sync import sync_to_async

            opened.append(await sync_to_async(lambda: connection.connection)())
            return count

    ids = durable.start_many(Queries, [{"n": n} for n in range(10)])
    service = workers.start()
    for pk in ids:
        durable.get_result(pk, timeout=20)
    until(lambda: not service.pool.loop.running)
    assert Group.objects.count() == 10
    assert len(opened) == 10
    if connection.vendor == "postgresql":
        assert all(each.closed for each in opened)
    else:
        import sqlite3

        for each in opened:
            with pytest.raises(sqlite3.ProgrammingError, match="closed"):
                each.execute("SELECT 1")


def test_context_variables_of_one_async_step_do_not_reach_another(workers):
    mine = contextvars.ContextVar("mine", default="nobody")

    class Sets(Workflow):
        @step
        async def only(self):
            before = mine.get()
            mine.set(str(self.execution_id))
            await asyncio.sleep(0)
            return [before, mine.get() == str(self.execution_id)]

    ids = durable.start_many(Sets, [{}] * 10)
    workers.start()
    for pk in ids:
        assert durable.get_result(pk, timeout=20) == ["nobody", True]


def test_a_slow_async_step_holds_no_thread(workers):
    gate = Gate()

    class Waits(Workflow):
        @step
        async def only(self):
            await gate.wait()

    class Quick(Workflow):
        @step
        def only(self): ...

    durable.start_many(Waits, [{}] * 5)
    service = workers.start(threads=1)
    until(lambda: gate.waiting == 5)
    ids = durable.start_many(Quick, [{}] * 20)
    for pk in ids:
        durable.get_result(pk, timeout=20)
    assert service.pool.busy == 0
    gate.release()
    until(lambda: Execution.objects.filter(status="completed").count() == 25)


def test_an_async_step_that_blocks_the_loop_delays_no_plain_step(workers):
    latch = workers.latch()
    inside = []

    class Blocks(Workflow):
        @step
        async def only(self):
            inside.append(1)
            latch.wait(20)

    class Quick(Workflow):
        @step
        def only(self):
            return "done"

    Blocks.start()
    workers.start()
    until(lambda: inside)
    assert Quick.start().get_result(timeout=20) == "done"
