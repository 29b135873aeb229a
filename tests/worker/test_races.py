"""The races that comments in the worker name by a mark, each made to happen on purpose."""

import threading
import time

from django.contrib.auth.models import Group

import durable_django as durable
from durable_django import Workflow, step
from durable_django.exceptions import AttemptAbandoned
from durable_django.models import Execution, StepRun
from durable_django.store import claiming
from durable_django.worker import leader as leading
from tests.waiting import until


def make_quick():
    class Quick(Workflow):
        @step
        def only(self):
            return self.input.get("n")

    return Quick


def test_a_wake_up_during_a_fetch_is_not_cleared_by_it(workers, durable_settings, monkeypatch):
    # race: clear-then-fetch
    durable_settings(POLL_SECONDS=30)
    quick = make_quick()
    late = []
    claim = leading.claim

    def claim_and_be_overtaken(*args, **options):
        found = claim(*args, **options)
        if found and not late:  # committed after the fetch has read, before it is over
            late.append(quick.start({"n": 2}))
            service._ready()
        return found

    monkeypatch.setattr(leading, "claim", claim_and_be_overtaken)
    monkeypatch.setattr("durable_django.worker.listener.Listener._run", lambda self: None)
    first = quick.start({"n": 1})
    service = workers.start()
    assert first.get_result(timeout=5) == 1
    assert late[0].get_result(timeout=5) == 2


def test_an_interrupt_on_the_way_out_of_a_step_hits_nobody_else(workers):
    # race: late-interrupt
    """The body has returned when the interrupt comes: it reaches neither the engine's own code nor
    the next step of the thread."""
    raised = []

    class First(Workflow):
        @step
        def only(self):
            return "first"

    service = workers.start(threads=1)
    until(lambda: service.pool.leader_waits)
    for slot in service.pool.slots:

        def leave_interrupted(slot=slot, leave=slot.leave):
            attempt = slot.attempt
            if attempt is not None and not raised:
                raised.append(attempt)
                raise AttemptAbandoned
            leave()
            if attempt is raised[0]:
                # Too late: the thread may be inside another step by now.
                assert slot.interrupt(attempt) is True
                assert not slot.was_interrupted()

        slot.leave = leave_interrupted
    runs = [First.start() for _ in range(3)]
    assert [run.get_result(timeout=5) for run in runs] == ["first"] * 3
    assert len(raised) == 1


def test_a_verdict_that_comes_with_the_end_of_a_step_spares_the_next_one(workers):
    """The watch gives an attempt up at the moment its thread goes on to another run."""
    latch, entered = workers.latch(), threading.Event()

    class Next(Workflow):
        @step(at_most_once=True)
        def only(self):
            entered.set()
            assert latch.wait(20)
            for _ in range(100_000):
                pass
            return "undisturbed"

    class First(Workflow):
        @step(at_most_once=True)
        def only(self): ...

    old = []
    service = workers.start(threads=1)
    begin = service.pool.begin

    def begin_and_remember(run):
        attempt = begin(run)
        old.append(attempt)
        return attempt

    service.pool.begin = begin_and_remember
    First.start().get_result(timeout=20)
    run = Next.start()
    assert entered.wait(20)
    old[0].settled = False
    service.pool.abandon(old[0])
    assert old[0].interrupt is not None
    latch.set()
    assert run.get_result(timeout=20) == "undisturbed"


def test_a_claim_whose_answer_was_lost_is_given_back(workers, durable_settings, monkeypatch):
    # race: lost-claim
    from django.db import OperationalError

    durable_settings(POLL_SECONDS=0.1)
    quick = make_quick()
    lost = []
    claim = claiming._claim

    def claim_and_lose(*args, **options):
        found = claim(*args, **options)
        if found and not lost:
            lost.extend(found)
            raise OperationalError("server closed the connection unexpectedly")
        return found

    monkeypatch.setattr(claiming, "_claim", claim_and_lose)
    ids = durable.start_many(quick, [{"n": n} for n in range(5)])
    workers.start()
    assert [durable.get_result(pk, timeout=5) for pk in ids] == list(range(5))
    assert lost
    assert not Execution.objects.filter(suspect=True).exists()


def test_a_note_that_comes_after_the_end_of_an_atomic_step_changes_nothing(
    workers, durable_settings, monkeypatch
):
    from durable_django.store.checkpoint import write_wave
    from durable_django.worker.conclusion import note_running

    notes = []

    class Atomic(Workflow):
        @step(atomic=True)
        def first(self):
            Group.objects.create(name="once")
            return "first"

        @step
        def second(self):
            (note,) = notes
            assert write_wave(service.pool.worker_id, [note.checkpoint]) == ["written"]
            row = StepRun.objects.get(execution=self.execution_id, name="first")
            return [row.status, row.output]

    service = workers.start(threads=1)
    begin = service.pool.begin

    def begin_and_note(run):
        attempt = begin(run)
        if not notes:
            notes.append(note_running(attempt))
        return attempt

    service.pool.begin = begin_and_note
    run = Atomic.start()
    assert run.get_result(timeout=20) == ["completed", "first"]


def test_a_cancel_is_seen_by_what_waited_in_memory(workers):
    """Within 50 ms a worker may start what it had in hand; after that it has to ask."""
    latch, inside, ran = workers.latch(), threading.Event(), []

    class Held(Workflow):
        @step
        def only(self):
            inside.set()
            assert latch.wait(20)

    class Quick(Workflow):
        @step
        def only(self):
            ran.append(self.execution_id)

    service = workers.start(threads=1)
    Held.start()
    assert inside.wait(20)
    waiting = Quick.start()
    until(lambda: durable.get_execution(waiting).status == "running")
    durable.cancel(waiting)
    over = time.monotonic() + 0.06
    until(lambda: time.monotonic() > over)
    latch.set()
    until(lambda: not service.pool.runs)
    assert ran == []
