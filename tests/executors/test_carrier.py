"""The carrier: a process of another engine drives what it is told of, and nothing else."""

import asyncio
import threading
import time

import pytest
from django.db import transaction

import durable_django as durable
from durable_django import Retry, Workflow, foreach, signals, step
from durable_django.executors import carrier as carriers
from durable_django.executors.carrier import Carrier, carry
from durable_django.models import Execution, StepRun, Worker
from durable_django.store import leases, queues
from durable_django.store.dispatching import Hint
from tests.waiting import until

from .engines import Engine, carry_all, forget_gates

pytestmark = pytest.mark.django_db(transaction=True)

ENGINE = "tests.executors.engines.Engine"


def three():
    class Three(Workflow):
        @step
        def plain(self):
            self.context["by"] = threading.current_thread().name
            return 1

        @step(atomic=True)
        def atomic(self):
            return self.outputs["plain"] + 1

        @step
        async def waiting(self):
            await asyncio.sleep(0)
            return self.outputs["atomic"] + 1

    return Three


def test_a_run_is_driven_to_its_end(carrier):
    run = three().start()
    assert carry_all(carrier) == 1
    run.refresh_from_db()
    assert (run.status, run.result) == ("completed", 3)
    assert {row.worker_id for row in StepRun.objects.all()} == {carrier.worker_id}


def test_it_ends_for_those_who_listen(carrier):
    ended = []
    signals.execution_finished.connect(
        lambda execution_id, **_: ended.append(execution_id), weak=False, dispatch_uid="test"
    )
    try:
        run = three().start()
        carry_all(carrier)
    finally:
        signals.execution_finished.disconnect(dispatch_uid="test")
    assert ended == [run.pk]


def test_every_hint_twice_and_in_reverse_changes_nothing(carrier):
    ran = []

    class Flow(Workflow):
        with foreach(lambda self: range(3)) as each:

            @step
            def one(self):
                ran.append((self.execution_id, self.index))

        @step
        def last(self):
            ran.append((self.execution_id, "last"))

    runs = [Flow.start() for _ in range(3)]
    while Engine.sent:
        hints = [hint for _, hint in Engine.sent]
        Engine.sent.clear()
        for hint in [*reversed(hints), *hints]:
            carrier.carry(hint, 30)
    for run in runs:
        assert durable.get_result(run) is None
    assert len(ran) == len(set(ran)) == 12


def test_a_hint_that_comes_too_late_finds_nothing(carrier):
    run = three().start()
    hint = Hint(run.pk, 0)
    assert carrier.carry(hint, 30)
    assert not carrier.carry(hint, 30)
    assert not carrier.carry(Hint(carrier.worker_id, 0), 30)


def test_the_members_of_a_run_go_through_the_engine_each(carrier):
    class Flow(Workflow):
        with foreach(lambda self: range(5)) as each:

            @step
            def one(self):
                return self.index

    run = Flow.start()
    assert carry_all(carrier) == 7, "the run, five members, and the run for what they gave"
    assert durable.get_result(run) == [0, 1, 2, 3, 4]


def test_what_waits_is_let_go(carrier):
    class Flow(Workflow):
        @step
        def ask(self):
            return self.wait_for_event("go")

    run = Flow.start()
    carry_all(carrier)
    run.refresh_from_db()
    assert (run.status, run.worker_id) == ("waiting", None)
    assert carrier.pool.runs == {}


def test_a_failure_is_the_runs_and_not_the_engines(carrier):
    class Flow(Workflow):
        @step(retry=Retry(1))
        def only(self):
            raise RuntimeError("no")

    run = Flow.start()
    carry_all(carrier)
    run.refresh_from_db()
    assert (run.status, run.error["message"]) == ("failed", "no")


# -- its time ----------------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", [False, True])
def test_when_its_time_is_over_it_ends_the_step_and_hands_the_run_on(carrier, is_async):
    until_then = time.monotonic()

    class Flow(Workflow):
        if is_async:

            @step
            async def first(self):
                while time.monotonic() < until_then + 1:
                    await asyncio.sleep(0.01)

        else:

            @step
            def first(self):
                while time.monotonic() < until_then + 1:
                    time.sleep(0.01)

        @step
        async def second(self): ...

        @step
        def third(self): ...

    run = Flow.start()
    until_then = time.monotonic()
    _, hint = Engine.sent.pop()
    assert carrier.carry(hint, 0.01)
    run.refresh_from_db()
    assert (run.status, run.worker_id) == ("pending", None)
    assert [row.name for row in StepRun.objects.all()] == ["first"]
    ((_, again),) = Engine.sent
    assert again == Hint(run.pk, run.lease)
    carry_all(carrier)
    assert durable.get_result(run) is None
    assert StepRun.objects.count() == 3


# -- what reaches it ---------------------------------------------------------------------------


def test_a_cancel_reaches_a_step_that_runs(carrier, durable_settings):
    durable_settings(HEARTBEAT_SECONDS=0.1)
    inside, wrote = threading.Event(), []

    class Flow(Workflow):
        @step
        def first(self):
            inside.set()
            until(lambda: Execution.objects.get().status == "cancelled")

        @step
        def second(self):
            wrote.append(1)

    run = Flow.start()
    _, hint = Engine.sent.pop()
    thread = threading.Thread(target=carrier.carry, args=(hint, 30))
    thread.start()
    assert inside.wait(20)
    durable.cancel(run)
    thread.join(20)
    assert not thread.is_alive()
    assert wrote == []
    assert carrier.pool.runs == {}


def test_a_step_that_takes_too_long_is_given_up(carrier):
    class Flow(Workflow):
        @step(timeout=0.1, retry=Retry(1))
        async def only(self):
            await asyncio.sleep(60)

    run = Flow.start()
    carry_all(carrier)
    run.refresh_from_db()
    assert run.status == "failed"
    assert StepRun.objects.get().status == "timed_out"


def test_a_queue_that_is_paused_is_not_carried(carrier):
    run = three().start()
    queues.ensure(["default"])
    durable.pause_queue("default")
    forget_gates(carrier)
    assert carry_all(carrier) == 1
    run.refresh_from_db()
    assert (run.status, run.dispatched_lease) == ("pending", None)
    durable.resume_queue("default")
    carrier.dispatches.dispatch(["default"])
    assert len(Engine.sent) == 1, "it is handed over again"
    carry_all(carrier)
    assert durable.get_result(run) == 3


def test_of_a_limited_queue_no_more_are_handed_over_than_may_run(carrier):
    queues.ensure(["default"])
    durable.limit_queue("default", 2)
    forget_gates(carrier)
    flow = three()
    runs = durable.start_many(flow, [{}] * 5)
    Engine.sent.clear()
    Execution.objects.update(dispatched_lease=None)
    assert carrier.dispatches.dispatch(["default"]) == 2
    assert carrier.dispatches.dispatch(["default"]) == 0
    carry_all(carrier)
    assert [durable.get_result(pk) for pk in runs] == [3] * 5


def test_a_process_that_was_declared_dead_goes_on_under_another_name(carrier, durable_settings):
    durable_settings(HEARTBEAT_SECONDS=0.05)
    before = carrier.worker_id
    leases.declare_dead(before, overdue_only=False)
    carrier.heartbeat._beat()
    assert carrier.worker_id != before
    run = three().start()
    carry_all(carrier)
    assert durable.get_result(run) == 3


def test_its_row_tells_where_it_belongs_and_ends_with_it(installed):
    installed()
    made = Carrier(Engine(), "default")
    made.start()
    row = Worker.objects.get()
    assert (row.executor, row.cluster, row.threads, row.queues) == (
        "engine",
        "default",
        1,
        ["default"],
    )
    made.stop()
    made.stop()
    row.refresh_from_db()
    assert row.status == "stopped"


# race: given-while-idle
def test_a_run_that_comes_when_the_last_one_ends_is_waited_for(carrier):
    flow = three()
    for _ in range(20):
        run = flow.start()
        _, hint = Engine.sent.pop()
        carrier.carry(hint, 30)
        assert Execution.objects.get(pk=run.pk).status == "completed"


# race: asked-before-it-waits
def test_what_is_asked_for_just_before_it_waits_is_not_left_lying(carrier, durable_settings):
    durable_settings(POLL_SECONDS=1_000)
    leader, run = carrier.leader, three().start()
    _, hint = Engine.sent.pop()
    until(lambda: carrier.pool.leader_waits)
    asked, wait = [], leader._wait

    def ask_and_wait():
        if not asked:
            asked.append(leader.ask(hint))
        wait()

    leader._wait = ask_and_wait
    carrier.pool.wake_leader()
    until(lambda: asked and Execution.objects.get(pk=run.pk).status == "completed")
    assert asked[0].is_taken


# -- the function that an engine calls ---------------------------------------------------------


@pytest.fixture
def process():
    """As in a process of an engine, of which nothing is left after the test."""
    yield
    if carriers._carrier is not None:
        carriers._carrier.stop()
        carriers._carrier = None


def test_the_first_task_begins_and_the_next_goes_on_with_the_same(process):
    flow = three()
    runs = []
    for _ in range(2):
        runs.append(flow.start())
        assert carry(str(runs[-1].pk), 0, executor=ENGINE)
    assert not carry(str(runs[0].pk), 0, executor=ENGINE)
    assert [durable.get_result(run) for run in runs] == [3, 3]
    assert Worker.objects.count() == 1


@pytest.mark.parametrize(
    ("given", "executor"),
    [("nonsense", ENGINE), ("nonsense", "threads"), ("x", "no.such.Engine"), ("x", "no_engine")],
)
def test_nothing_is_raised_whatever_it_is_given(process, caplog, given, executor):
    assert carry(given, 0, executor=executor) is False
    assert "could not be driven here" in caplog.text


def test_nothing_is_driven_inside_a_transaction(process, caplog):
    run = three().start()
    with transaction.atomic():
        assert carry(str(run.pk), 0, executor=ENGINE) is False
    assert "inside a transaction" in caplog.text
    assert Execution.objects.get().status == "pending"
