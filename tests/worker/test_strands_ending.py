"""Strands that are ended while they run: by a sibling, by the run, by a person, by time."""

# ruff: noqa: SIM117  one with per block is how a workflow is written

import threading

import pytest

import durable_django as durable
from durable_django import Retry, Workflow, foreach, parallel, race, sequence, step
from durable_django.exceptions import ExecutionFailed
from durable_django.models import Execution, StepRun
from tests.waiting import until


def statuses_of(run):
    rows = Execution.objects.filter(root_id=run.pk, depth__gt=0).order_by("id")
    return dict(rows.values_list("path", "status"))


def everything():
    """All that stands in the database of runs and their steps."""
    runs = Execution.objects.order_by("id").values()
    return list(runs), list(StepRun.objects.order_by("id").values())


def ends_with_nothing_written_after(service, latch):
    """Lets the held steps go: what they would write is dropped."""
    before = everything()
    latch.set()
    until(lambda: not service.pool.runs)
    assert everything() == before


def make_held(workers, block, **options):
    """A member waits for `latch` in its first of two steps, the other does as `act` says."""

    class Held(Workflow):
        latch, inside, acted = workers.latch(), threading.Event(), threading.Event()

        def act(self):
            return "acted"

        with block(**options) as work:
            with sequence() as held:

                @step
                def waits(self):
                    self.inside.set()
                    assert self.latch.wait(20)
                    self.context["late"] = True
                    return "late"

                @step
                def never(self): ...

            @step
            def acts(self):
                assert self.inside.wait(20)
                return self.act()

            @step(retry=Retry(2, backoff="constant", base=1_000))
            def sleeps(self):
                raise RuntimeError("later")

        @step
        def after(self):
            return self.outputs["work"]

    return Held


def test_a_failure_fences_off_the_members_that_run(workers):
    held = make_held(workers, parallel)

    class Fails(held):
        def act(self):
            until(lambda: "sleeping" in statuses_of(run).values())
            raise ValueError("this one")

    service = workers.start()
    run = Fails.start()
    with pytest.raises(ExecutionFailed, match="this one") as caught:
        run.get_result(timeout=20)
    assert caught.value.error["node"] == "acts"
    ended = {"work/held": "cancelled", "work/acts": "failed", "work/sleeps": "cancelled"}
    assert statuses_of(run) == ended
    ends_with_nothing_written_after(service, held.latch)
    assert not run.steps.filter(name__in=["waits", "never"], status="completed").exists()


def test_the_winner_of_a_race_fences_off_the_members_that_run(workers):
    held = make_held(workers, race)
    service = workers.start()
    run = held.start()
    assert run.get_result(timeout=20) == {"winner": "acts", "value": "acted"}
    assert statuses_of(run)["work/held"] == "cancelled"
    ends_with_nothing_written_after(service, held.latch)
    assert durable.get_execution(run).context == {}


def test_finish_in_a_member_fences_off_those_that_run(workers):
    held = make_held(workers, parallel)

    class Finishes(held):
        def act(self):
            self.context["by"] = "acts"
            self.finish("finished")

    service = workers.start()
    run = Finishes.start()
    assert run.get_result(timeout=20) == "finished"
    ended = {"work/held": "cancelled", "work/acts": "completed", "work/sleeps": "cancelled"}
    assert statuses_of(run) == ended
    ends_with_nothing_written_after(service, held.latch)
    assert durable.get_execution(run).context == {"by": "acts"}


def test_collect_waits_for_all_members_whatever_fails(workers):
    held = make_held(workers, parallel, on_error="collect")

    class Collects(held):
        sleeps = None

        def act(self):
            raise ValueError("this one")

    workers.start()
    run = Collects.start()
    until(lambda: statuses_of(run).get("work/acts") == "failed")
    assert durable.get_execution(run).status == "waiting"
    held.latch.set()
    found = run.get_result(timeout=20)
    assert (found["held"], found["acts"].message) == (None, "this one")
    assert durable.get_execution(run).context == {"late": True}


def make_items(workers, **meta):
    """Ten items, two at once; each waits for the latch."""

    class Items(Workflow):
        latch, inside = workers.latch(), []
        Meta = type("Meta", (), meta)

        with foreach(lambda self: range(10), concurrency=2) as outer:
            with parallel() as both:

                @step
                def waits(self):
                    self.inside.append(self.index)
                    assert self.latch.wait(20)

                @step(retry=Retry(2, backoff="constant", base=1_000))
                def sleeps(self):
                    raise RuntimeError("later")

    return Items


def check_all_ended(run):
    ended = statuses_of(run)
    assert len(ended) == 10 + 2 * 2
    assert set(ended.values()) == {"cancelled"}
    assert not Execution.objects.filter(finished_at=None).exists()
    assert not StepRun.objects.filter(status__in=["running", "waiting"]).exists()


def test_a_cancel_ends_members_that_run_sleep_and_are_held_back(workers):
    items = make_items(workers)
    service = workers.start()
    run = items.start()
    until(lambda: len(items.inside) == 2)
    until(lambda: list(statuses_of(run).values()).count("sleeping") == 2)
    assert list(statuses_of(run).values()).count("waiting") == 10, "eight held back, two forked"
    durable.cancel(run, "enough")
    check_all_ended(run)
    ends_with_nothing_written_after(service, items.latch)
    assert items.inside in ([0, 1], [1, 0])


def test_a_workflow_timeout_ends_members_that_run_sleep_and_are_held_back(workers):
    items = make_items(workers, timeout=1)
    service = workers.start()
    run = items.start()
    until(lambda: len(items.inside) == 2)
    with pytest.raises(ExecutionFailed, match="WorkflowTimeout"):
        run.get_result(timeout=20)
    until(lambda: not Execution.objects.filter(finished_at=None).exists())
    check_all_ended(run)
    ends_with_nothing_written_after(service, items.latch)


def test_a_step_timeout_in_a_member_is_an_attempt_of_that_member_alone(workers):
    latch = workers.latch()

    class Slow(Workflow):
        with foreach(lambda self: range(3)) as each:

            @step(timeout=0.1, retry=Retry(2, backoff="constant", base=0))
            def waits(self):
                if self.index == 1 and self.attempt == 1:
                    latch.wait(20)
                return self.attempt

    run = Slow.start()
    workers.start()
    assert run.get_result(timeout=20) == [1, 2, 1]
    late = run.steps.get(status="timed_out")
    assert (late.path, late.error["type"]) == ("each[1]/waits", "StepTimeout")


def test_a_step_timeout_may_end_the_block(workers):
    latch = workers.latch()

    class Slow(Workflow):
        with parallel() as work:

            @step(timeout=0.1)
            def waits(self):
                latch.wait(20)

            @step
            def waits_too(self):
                latch.wait(20)

    run = Slow.start()
    service = workers.start()
    with pytest.raises(ExecutionFailed, match="StepTimeout"):
        run.get_result(timeout=20)
    assert statuses_of(run) == {"work/waits": "failed", "work/waits_too": "cancelled"}
    ends_with_nothing_written_after(service, latch)


def test_no_member_begins_once_the_block_has_failed(workers):
    """Those in memory are asked for again before they start, the others never begin."""
    begun = []

    class Fails(Workflow):
        with foreach(lambda self: range(200), concurrency=4, tolerate=1) as each:

            @step
            def send(self):
                begun.append(self.index)
                if self.index in (5, 9):
                    raise ValueError(self.index)

    run = Fails.start()
    workers.start()
    with pytest.raises(ExecutionFailed, match=r"ValueError: [59]"):
        run.get_result(timeout=20)
    assert len(begun) < 30
    ended = list(statuses_of(run).values())
    assert ended.count("failed") == 2
    assert ended.count("cancelled") > 170
    assert not run.steps.filter(name="send", execution__status="cancelled").exists()


def test_an_at_most_once_member_does_not_start_when_the_race_is_won(workers):
    begun = []

    class First(Workflow):
        latch = workers.latch()

        with race() as first:

            @step
            def wins(self):
                return "won"

            with sequence() as other:

                @step
                def before(self):
                    assert self.latch.wait(20)

                @step(at_most_once=True)
                def single(self):
                    begun.append(1)

    service = workers.start()
    run = First.start()
    assert run.get_result(timeout=20) == {"winner": "wins", "value": "won"}
    First.latch.set()
    until(lambda: not service.pool.runs)
    assert begun == []
