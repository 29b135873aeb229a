"""Strands on real threads: side by side, in order, never more than allowed."""

import asyncio
import threading
from collections import Counter

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction

import durable_django as durable
from durable_django import (
    MemberFailure,
    Retry,
    Workflow,
    foreach,
    loop,
    parallel,
    race,
    sequence,
    signals,
    step,
)
from durable_django.models import Execution, StepRun
from durable_django.worker.leader import ASYNC_PER_THREAD
from tests.waiting import until

SOON = Retry(3, backoff="constant", base=0.01)


class Gauge:
    """How many are inside at once: counted by those who are."""

    def __init__(self):
        self._lock = threading.Lock()
        self._inside = Counter()
        self.most = Counter()

    def enter(self, key):
        with self._lock:
            self._inside[key] += 1
            self.most[key] = max(self.most[key], self._inside[key])

    def leave(self, key):
        with self._lock:
            self._inside[key] -= 1


def test_members_run_at_the_same_time(workers):
    together = threading.Barrier(3, timeout=20)

    class Fetch(Workflow):
        with parallel() as fetch:

            @step
            def user(self):
                together.wait()
                return "user"

            @step
            def orders(self):
                together.wait()
                return "orders"

            with sequence() as billing:

                @step
                def invoices(self):
                    together.wait()

                @step
                def balance(self):
                    return "balance"

    run = Fetch.start()
    workers.start(threads=4)
    found = {"user": "user", "orders": "orders", "billing": "balance"}
    assert run.get_result(timeout=20) == found


def test_members_are_spread_over_all_workers(workers, durable_settings):
    durable_settings(POLL_SECONDS=0.1)
    together = threading.Barrier(2, timeout=20)

    class Spread(Workflow):
        with foreach(lambda self: range(8), concurrency=2) as each:

            @step
            def meet(self):
                together.wait()
                return self.index

    run = Spread.start()
    workers.start(threads=1)
    workers.start(threads=1)
    assert run.get_result(timeout=20) == list(range(8))
    rows = StepRun.objects.filter(name="meet")
    assert len(set(rows.values_list("worker_id", flat=True))) == 2


def test_many_runs_with_forks_of_every_kind_side_by_side(workers):
    class Every(Workflow):
        @step
        def begin(self):
            self.context["log"] = []
            return self.input["n"]

        with foreach(lambda self: range(self.outputs["begin"] % 4), concurrency=2) as each:
            with parallel() as both:

                @step(atomic=True)
                def left(self):
                    self.context.append("log", ["left", self.index])
                    return self.item * 10

                @step(retry=SOON)
                async def right(self):
                    if self.attempt == 1:
                        raise RuntimeError("the first attempt always fails")
                    self.context.append("log", ["right", self.index])
                    return self.item * 100

            with race() as first:

                @step
                def quick(self):
                    return "quick"

                with loop(until=lambda self: self.iteration == 2) as turns:

                    @step
                    def turn(self):
                        return "turn"

            @step
            def sum_up(self):
                both = self.outputs["both"]
                return [both["left"] + both["right"], self.outputs["first"]["winner"]]

        @step
        def end(self):
            return [each[0] for each in self.outputs["each"]]

    ids = durable.start_many(Every, [{"n": n} for n in range(24)])
    workers.wait(workers.start(burst=True))
    runs = Execution.objects.in_bulk(ids)
    for n, pk in enumerate(ids):
        assert runs[pk].status == "completed", runs[pk].error
        assert runs[pk].result == [110 * i for i in range(n % 4)]
        log = [[side, i] for i in range(n % 4) for side in ("left", "right")]
        assert runs[pk].context == {"log": log}
    assert not Execution.objects.filter(finished_at=None).exists()
    visits = StepRun.objects.filter(status="completed").values_list("execution_id", "path")
    assert len(set(visits)) == len(visits)


@pytest.mark.parametrize("atomic", [False, True])
def test_the_concurrency_is_reached_and_never_exceeded(workers, atomic):
    gauge = Gauge()

    class Limited(Workflow):
        with foreach(lambda self: range(40), concurrency=3) as each:

            @step
            def enter(self):
                gauge.enter(self.execution_id)

            @step(retry=SOON)
            def park(self):
                if self.attempt == 1 and self.index % 3 == 0:
                    raise RuntimeError("a member that sleeps keeps its place")

            @step(atomic=atomic)
            def leave(self):
                gauge.leave(self.execution_id)
                return self.index

    runs = [Limited.start() for _ in range(2)]
    for _ in range(2):
        workers.start(threads=4)
    for run in runs:
        assert run.get_result(timeout=20) == list(range(40))
        assert gauge.most[run.pk] == 3


def test_results_come_in_item_order_whoever_ends_first(workers):
    latches = [threading.Event() for _ in range(5)]
    latches[-1].set()

    class Backwards(Workflow):
        with foreach(lambda self: range(5)) as each:

            @step
            def wait(self):
                assert latches[self.index].wait(20)
                latches[self.index - 1].set()
                self.context.append("log", self.index)
                return self.index

    run = Backwards.start()
    workers.start(threads=6)
    assert run.get_result(timeout=20) == [0, 1, 2, 3, 4]
    assert durable.get_execution(run).context == {"log": [0, 1, 2, 3, 4]}
    ended = Execution.objects.filter(parent=run).order_by("finished_at", "-id")
    assert list(ended.values_list("path", flat=True)) == [f"each[{n}]" for n in (4, 3, 2, 1, 0)]


def test_two_values_under_one_key_are_logged_and_the_last_stays(workers):
    class Conflict(Workflow):
        with foreach(lambda self: ["red", "green", "green"]) as each:

            @step
            def paint(self):
                self.context["color"] = self.item

        with parallel() as both:

            @step
            def left(self):
                self.context["size"] = 1

            @step
            def right(self):
                self.context["size"] = 1

    run = Conflict.start()
    workers.start()
    run.get_result(timeout=20)
    run.refresh_from_db()
    assert run.context == {"color": "green", "size": 1}
    joins = {row.path: row.logs for row in run.steps.filter(path__endswith="[]")}
    (line,) = joins["each[]"]
    assert line["level"] == "WARNING"
    assert "ContextConflict" in line["message"]
    assert 'context["color"] by each[0], each[1], each[2]' in line["message"]
    assert joins["both[]"] == [], "the same value twice is no conflict"


def test_async_members_wait_at_the_same_time_as_many_as_the_threads_allow(workers):
    inside, everybody = Gauge(), asyncio.Event()
    most = 4 * ASYNC_PER_THREAD

    class Waits(Workflow):
        with foreach(lambda self: range(3 * most)) as each:

            @step
            async def wait(self):
                inside.enter("loop")
                if inside.most["loop"] == most:
                    everybody.set()
                await asyncio.wait_for(everybody.wait(), 20)
                inside.leave("loop")
                return self.index

    run = Waits.start()
    workers.start(threads=4)
    assert run.get_result(timeout=20) == list(range(3 * most))
    assert inside.most["loop"] == most


def test_a_run_is_retried_with_the_members_that_had_not_completed(workers):
    ran = Counter()

    class Again(Workflow):
        class Meta:
            max_retries = 2

        with foreach(lambda self: range(20), concurrency=4) as each:

            @step
            def send(self):
                ran[self.index] += 1
                if self.index == 7 and ran[7] < 3:
                    raise RuntimeError("not yet")
                self.context.append("sent", self.index)
                return self.index

    run = Again.start()
    workers.start()
    assert run.get_result(timeout=20) == list(range(20))
    assert durable.get_execution(run).context == {"sent": list(range(20))}
    assert ran[7] == 3
    completed = StepRun.objects.filter(name="send", status="completed")
    assert completed.count() == 20


def test_a_run_with_strands_is_started_cancelled_and_retried_by_code(workers):
    latch, inside = workers.latch(), threading.Event()

    class Held(Workflow):
        with foreach(lambda self: (n for n in range(3)), on_error="collect") as each:

            @step
            def wait(self):
                inside.set()
                assert latch.wait(20)
                if self.index == 1:
                    raise ValueError("one")
                return self.index

    workers.start()
    with transaction.atomic():
        run = Held.start()
    assert inside.wait(20)
    with transaction.atomic():
        durable.cancel(run)
        transaction.set_rollback(True)
    assert durable.get_execution(run).status == "waiting"
    durable.cancel(run)
    latch.set()
    durable.retry(run)
    found = run.get_result(timeout=20)
    assert found == [0, MemberFailure("ValueError", "one"), 2]
    assert async_to_sync(durable.aget_result)(run, timeout=20) == found


def test_signals_tell_of_the_run_and_never_of_its_strands(workers):
    told = []

    def started(sender, execution_id, **rest):
        told.append((execution_id, "started", ""))

    def ended(sender, execution_id, node, status, **rest):
        told.append((execution_id, node, status))

    def finished(sender, execution_id, status, **rest):
        told.append((execution_id, "finished", status))

    class Work(Workflow):
        with parallel() as both:

            @step(atomic=True)
            def left(self): ...

            @step
            async def right(self): ...

        with race() as first:

            @step(retry=SOON)
            def slow(self):
                raise RuntimeError("never")

            @step
            def ends(self):
                self.finish()

    signals.execution_started.connect(started)
    signals.step_finished.connect(ended)
    signals.execution_finished.connect(finished)
    try:
        run = Work.start()
        service = workers.start()
        run.get_result(timeout=20)
        until(lambda: not service.pool.runs)
        until(lambda: "finished" in {name for _, name, _ in told})
    finally:
        signals.execution_started.disconnect(started)
        signals.step_finished.disconnect(ended)
        signals.execution_finished.disconnect(finished)
    assert {pk for pk, _, _ in told} == {run.pk}
    names = Counter(name for _, name, status in told if status != "failed")
    once = ["started", "left", "right", "ends", "finished"]
    assert names == {**dict.fromkeys(once, 1), "both": 2, "first": 1}
