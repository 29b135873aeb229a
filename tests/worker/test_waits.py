"""Runs that wait, served by real workers: in threads, on the event loop, by two workers at once;
a parked run holds none of them."""

# ruff: noqa: SIM117

import threading

import pytest
from django.contrib.auth.models import Group

import durable_django as durable
from durable_django import (
    ExecutionFailed,
    Retry,
    WaitTimeout,
    Workflow,
    call_workflow,
    foreach,
    hours,
    loop,
    parallel,
    race,
    sleep_for,
    step,
    wait_for_approval,
    wait_for_event,
)
from durable_django.models import Event, Execution, StepRun, Wait
from tests.waiting import until


def until_waiting(count=1):
    rows = Wait.objects.filter(resolved_at__isnull=True)
    until(lambda: rows.count() == count)


class Bodies:
    """Kept out of the class bodies: what was run, in which thread."""

    def __init__(self):
        self.seen = []

    def __call__(self, what):
        self.seen.append((what, threading.current_thread().name))

    def __len__(self):
        return len(self.seen)


@pytest.mark.parametrize("apart", [False, True], ids=["in a wave", "in a thread of its own"])
def test_a_step_that_waits_goes_on_where_it_was(workers, apart):
    bodies = Bodies()

    class Talks(Workflow):
        @step
        def talk(self):
            bodies("talk")
            token = self.once("token", lambda: len(bodies))
            self.context.append("heard", self.wait_for_event("first"))
            self.sleep_for(0.05)
            self.context.append("heard", self.wait_for_event("second"))
            return token

        @step
        def last(self):
            return [self.outputs["talk"], *self.context["heard"]]

    service = workers.start()
    if apart:
        service.pool.costs.is_slow = lambda node: True
    run = Talks.start()
    until_waiting()
    durable.send_event(run, "first", "a")
    until(lambda: Wait.objects.filter(name="second").exists())
    durable.send_event(run, "second", "b")
    assert run.get_result(timeout=20) == [1, "a", "b"]
    assert len(bodies) == 4
    row = StepRun.objects.get(execution=run, name="talk")
    assert (row.attempt, row.seq, row.status) == (1, 1, "completed")


def test_an_async_step_that_waits_holds_no_task(workers):
    class Naps(Workflow):
        @step
        async def nap(self):
            number = await self.aonce("number", lambda: 7)
            await self.asleep_for(0.05)
            return [number, await self.await_for_event("go")]

    service = workers.start()
    runs = [Naps.start() for _ in range(20)]
    until(lambda: Wait.objects.filter(kind="event", status="open").count() == 20)
    until(lambda: not service.pool.loop.running)
    until(lambda: not service.pool.runs)
    for n, run in enumerate(runs):
        durable.send_event(run, "go", n)
    assert [run.get_result(timeout=20) for run in runs] == [[7, n] for n in range(20)]


def test_a_parked_run_holds_no_thread(workers):
    class Parks(Workflow):
        @step
        def talk(self):
            return self.wait_for_event("go")

    service = workers.start(threads=1)
    runs = [Parks.start() for _ in range(30)]
    until_waiting(30)
    until(lambda: not service.pool.runs)
    assert service.pool.busy == 0
    assert not Execution.objects.filter(worker__isnull=False).exists()
    for run in runs:
        durable.send_event(run, "go", 1)
    assert [run.get_result(timeout=20) for run in runs] == [1] * 30


def test_an_atomic_step_after_a_wait_takes_effect_once(workers):
    class Pays(Workflow):
        paid = wait_for_event("payment")

        @step(atomic=True)
        def book(self):
            Group.objects.create(name=self.outputs["paid"])
            return self.outputs["paid"]

    workers.start()
    workers.start()
    runs = [Pays.start() for _ in range(20)]
    until_waiting(20)
    for n, run in enumerate(runs):
        durable.send_event(run, "payment", f"p{n}")
    assert [run.get_result(timeout=20) for run in runs] == [f"p{n}" for n in range(20)]
    assert Group.objects.count() == 20


@pytest.mark.parametrize("options", [{"at_most_once": True}, {"atomic": True}], ids=str)
def test_a_step_that_may_not_run_again_may_not_wait(workers, options):
    class Once(Workflow):
        @step(**options)
        def only(self):
            Group.objects.create(name="begun")
            self.wait_for_event("go")

    workers.start()
    with pytest.raises(ExecutionFailed, match="InvalidState"):
        Once.start().get_result(timeout=20)
    assert not Wait.objects.exists()
    assert Group.objects.count() == (0 if "atomic" in options else 1)


def test_a_published_event_wakes_five_hundred_runs(workers):
    class Hears(Workflow):
        heard = wait_for_event("news", key="k")

        @step
        def last(self):
            return self.outputs["heard"]

    class Deaf(Workflow):
        heard = wait_for_event("news", key="other")

    ids = durable.start_many(Hears, [{}] * 500)
    deaf = Deaf.start()
    workers.start()
    workers.start()
    until_waiting(501)
    durable.publish_event("news", key="k", payload={"n": 1})
    until(lambda: Execution.objects.filter(status="completed").count() == 500)
    assert {durable.get_result(pk)["n"] for pk in ids} == {1}
    assert Event.objects.filter(execution__isnull=False, status="delivered").count() == 500
    assert durable.get_execution(deaf).status == "waiting"


def test_parents_and_children_share_one_thread_without_a_deadlock(workers):
    class Grandchild(Workflow):
        @step
        def only(self):
            return self.input["n"] * 2

    class Child(Workflow):
        called = call_workflow(Grandchild, lambda self: self.input)

        @step
        def last(self):
            return self.outputs["called"] + 1

    class Parent(Workflow):
        with parallel() as both:
            one = call_workflow(Child, lambda self: self.input)

            @step
            def two(self):
                return self.call_workflow(Child, {"n": self.input["n"] + 100})

        @step
        def last(self):
            return [self.outputs["one"], self.outputs["two"]]

    ids = durable.start_many(Parent, [{"n": n} for n in range(50)])
    workers.wait(workers.start(threads=1, burst=True))
    for n, pk in enumerate(ids):
        assert durable.get_result(pk) == [2 * n + 1, 2 * n + 201]
    assert Execution.objects.filter(parent__isnull=True).count() == 50
    assert Execution.objects.filter(kind="workflow").count() == 50 * 5


def test_a_chain_of_twenty_calls_ends_with_one_thread(workers):
    class Deep(Workflow):
        @step
        def only(self):
            depth = self.input["depth"]
            return 1 + self.call_workflow("self", {"depth": depth - 1}) if depth else 1

    run = Deep.start({"depth": 20})
    workers.start(threads=1)
    assert run.get_result(timeout=20) == 21
    assert Execution.objects.count() == 21
    assert set(Execution.objects.values_list("root_id", flat=True)) == {run.pk}


def test_a_cancelled_parent_leaves_no_child_that_runs(workers):
    inside, latch = threading.Event(), workers.latch()

    class Child(Workflow):
        @step
        def only(self):
            inside.set()
            assert latch.wait(20)

        @step
        def never(self):
            raise AssertionError("not reached")

    class Parent(Workflow):
        called = call_workflow(Child)

    service = workers.start()
    run = Parent.start()
    assert inside.wait(20)
    durable.cancel(run)
    latch.set()
    until(lambda: not service.pool.runs)
    (child,) = durable.list_children(run)
    assert (child.status, child.steps.filter(name="never").count()) == ("cancelled", 0)
    until(lambda: not Event.objects.filter(examined_at__isnull=True).exists())


def test_a_wait_that_failed_is_made_anew_by_the_next_attempt(workers):
    bodies, seconds = Bodies(), {1: 0.1, 2: 60}

    class Tries(Workflow):
        @step(retry=Retry(max_attempts=3, backoff="constant", base=0.02))
        def ask(self):
            bodies(self.attempt)
            self.once("kept", lambda: bodies("once"))
            return [self.attempt, self.wait_for_event("answer", timeout=seconds[self.attempt])]

    workers.start()
    run = Tries.start()
    until(lambda: Wait.objects.filter(seq=2, kind="event").exists())
    durable.send_event(run, "answer", "yes")
    assert run.get_result(timeout=20) == [2, "yes"]
    assert [what for what, _ in bodies.seen].count("once") == 1
    row = Wait.objects.get(execution=run, kind="event")
    assert (row.seq, row.status) == (2, "completed")


def test_a_timeout_that_a_body_catches_is_caught_again_when_it_is_replayed(workers):
    class Catches(Workflow):
        @step
        def ask(self):
            try:
                self.wait_for_event("never", timeout=0.05)
            except WaitTimeout:
                return self.wait_for_event("rescue")

    workers.start()
    run = Catches.start()
    until(lambda: Wait.objects.filter(name="rescue").exists())
    durable.send_event(run, "rescue", "saved")
    assert run.get_result(timeout=20) == "saved"


def test_everything_waits_inside_everything(workers):
    class Nested(Workflow):
        with loop(until=lambda self: self.iteration == 2) as turns:
            with foreach(lambda self: range(3), concurrency=2) as each:
                with race() as first:
                    heard = wait_for_event("go", key=lambda self: str(self.item))
                    late = sleep_for(hours(1))

            asked = wait_for_approval()

        @step
        def last(self):
            return [winner["value"] for winner in self.outputs["each"]]

    workers.start(threads=2)
    workers.start(threads=2)
    run = Nested.start()
    asked = durable.list_pending_inputs().filter(execution_id=run.pk)
    for turn in range(2):
        for item in range(3):
            durable.send_event(run, "go", [turn, item], key=str(item))
        until(asked.exists)
        durable.provide_input(run, "asked", True)
        until(lambda: not asked.exists())
    assert run.get_result(timeout=20) == [[1, 0], [1, 1], [1, 2]]
    assert not Wait.objects.filter(resolved_at__isnull=True).exists()
    assert not Event.objects.exclude(status="delivered").exists()


def test_a_worker_that_ends_leaves_what_is_parked_to_the_next(workers):
    class Parks(Workflow):
        heard = wait_for_event("go")
        pause = sleep_for(0.3)

        @step
        def last(self):
            return self.outputs["heard"]

    first = workers.start()
    runs = [Parks.start() for _ in range(10)]
    until_waiting(10)
    for run in runs[:5]:
        durable.send_event(run, "go", 1)
    first.stop()
    workers.wait(first)
    for run in runs[5:]:
        durable.send_event(run, "go", 1)
    assert not Execution.objects.filter(worker__isnull=False).exists()
    workers.start()
    assert [run.get_result(timeout=20) for run in runs] == [1] * 10
    assert not Execution.objects.filter(suspect=True).exists()
