"""Long strands, and strands in the middle of jumps and loops, go on where their worker died."""

# ruff: noqa: SIM117  one with per block is how a workflow is written

import pytest

import durable_django as durable_api
from durable_django import Workflow, decision, foreach, loop, parallel, race, sequence, step
from durable_django.worker import attempt as attempts
from durable_django.worker.inline import InlineDriver, SimulatedCrash


@pytest.mark.parametrize("fault", ["crash_before", "crash_after"])
@pytest.mark.parametrize("node", ["poll", "back"])
def test_a_long_strand_goes_on_from_its_own_snapshot(durable, node, fault):
    class Long(Workflow):
        @step
        def begin(self):
            self.context["n"] = 5

        with parallel() as work:
            with loop(until=lambda self: self.iteration == 130) as turns:

                @step
                def poll(self):
                    self.context.increment("n")
                    self.context.append("seen", self.iteration)
                    return self.iteration

            with sequence() as chain:

                @step
                def one(self):
                    self.context.increment("visits")

                @decision(to=["one"])
                def back(self):
                    return "one" if self.context["visits"] < 120 else None

                @step
                def last(self):
                    return self.idempotency_key.partition(":")[2]

    with getattr(durable, fault)(getattr(Long, node)):
        execution = durable.run(Long)
    assert execution.status == "completed", execution.error
    assert execution.result == {"turns": 130, "chain": "work/chain/last"}
    assert execution.context == {"n": 135, "visits": 120, "seen": list(range(1, 131))}
    done = list(execution.steps.filter(status="completed").values_list("path", flat=True))
    assert len(done) == len(set(done))


def test_what_the_items_did_to_the_context_is_seen_by_every_strand(durable):
    def items(self):
        self.context["n"] = 2
        return range(2)

    class Items(Workflow):
        with foreach(items) as each:

            @step
            def read(self):
                return self.context["n"]

    with durable.crash_after(Items.each), durable.crash_before(Items.read):
        assert durable.run(Items).result == [2, 2]


def test_finish_while_the_items_are_asked_for_or_a_test_is_made(durable):
    class Items(Workflow):
        with foreach(lambda self: self.finish("in the items")) as each:

            @step
            def never(self): ...

    class Test(Workflow):
        with parallel() as work:
            with loop(until=lambda self: self.finish("in the test")) as turns:

                @step
                def turn(self): ...

        @step
        def never(self): ...

    assert durable.run(Items).result == "in the items"
    execution = durable.run(Test)
    assert (execution.status, execution.result) == ("completed", "in the test")


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_worker_that_dies_at_a_join_opens_it_again(durable, monkeypatch, moment):
    left = [2]
    join = attempts.join_members

    def join_and_die(attempt):
        outcome = join(attempt) if moment == "after" else None
        if left[0]:
            left[0] -= 1
            raise SimulatedCrash("at the join")
        return outcome or join(attempt)

    class Joins(Workflow):
        with foreach(lambda self: range(2)) as each:
            with parallel() as both:

                @step
                def one(self):
                    self.context.append("log", self.index)
                    return "x" * 3_000

                @step
                def two(self): ...

            with race() as first:

                @step
                def wins(self):
                    return len(self.outputs["one"])

                @step
                def loses(self): ...

        @step
        def end(self):
            return [each["value"] for each in self.outputs["each"]]

    monkeypatch.setattr(attempts, "join_members", join_and_die)
    execution = durable.run(Joins)
    assert execution.result == [3_000, 3_000], execution.error
    assert execution.context == {"log": [0, 1]}
    assert left == [0]
    joins = execution.steps.filter(path__endswith="[]")
    assert joins.count() == 5


def make_atomic_pair(ran, fails):
    class Pair(Workflow):
        with parallel() as both:
            with sequence() as chain:

                @step
                def first(self):
                    ran.append("first")
                    self.context.append("log", "first")

                @step(atomic=True)
                def second(self):
                    ran.append("second")
                    self.context.append("log", "second")
                    return "x" * 3_000

            @step
            def beside(self):
                if fails:
                    raise RuntimeError("once")
                return "beside"

        @step
        def end(self):
            return len(self.outputs["chain"]), self.outputs["both"]["beside"]

    return Pair


def test_a_worker_that_dies_between_an_atomic_step_and_the_end_of_its_strand(durable, monkeypatch):
    """The step has committed by itself: it is not run again, and its strand ends."""
    ran, crashes = [], [1]
    write = InlineDriver._write

    def write_or_die(driver, conclusion):
        if conclusion.told is not None and crashes:
            crashes.pop()
            raise SimulatedCrash("before the end of the strand")
        return write(driver, conclusion)

    monkeypatch.setattr(InlineDriver, "_write", write_or_die)
    execution = durable.run(make_atomic_pair(ran, []))
    assert crashes == []
    assert execution.result == (3_000, "beside"), execution.error
    assert execution.context == {"log": ["first", "second"]}
    assert ran == ["first", "second"]


def test_a_strand_cancelled_after_its_last_atomic_step_is_through_when_it_is_retried(
    durable, monkeypatch
):
    ran, fails, freezes = [], [1], [1]
    write = InlineDriver._write

    def write_or_freeze(driver, conclusion):
        if conclusion.told is not None and freezes:
            freezes.pop()
            return None  # never heard of again: the sibling fails meanwhile
        return write(driver, conclusion)

    monkeypatch.setattr(InlineDriver, "_write", write_or_freeze)
    execution = durable.run(make_atomic_pair(ran, fails))
    assert (execution.status, execution.error["message"]) == ("failed", "once")
    members = execution.members().filter(depth=1).order_by("id")
    assert list(members.values_list("status", flat=True)) == ["cancelled", "failed"]
    fails.clear()
    durable_api.retry(execution)
    durable.drain()
    execution.refresh_from_db()
    assert execution.result == (3_000, "beside"), execution.error
    assert execution.context == {"log": ["first", "second"]}
    assert ran == ["first", "second"]
