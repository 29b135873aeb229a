# ruff: noqa: SIM117
"""Several operators at the same moment, and beside workers that serve the run: one of two acts that
exclude each other is done, the other is refused, and nothing is stuck or made twice."""

from collections import Counter

import pytest

import durable_django as durable
from durable_django import InvalidState, Workflow, foreach, parallel, step
from durable_django.models import AuditEntry, Execution
from tests.store.rows import at_once
from tests.waiting import until

ROUNDS = 8


def status_of(run):
    return durable.get_execution(run.pk).status


def done_once(run):
    paths = list(run.steps.filter(status="completed").values_list("path", flat=True))
    return len(set(paths)) == len(paths)


def told(run):
    return [entry.verb for entry in AuditEntry.objects.filter(execution=run).order_by("id")]


@pytest.fixture
def Order(transactional_db):
    """Fails at its second node unless its input says that it is paid."""

    class Order(Workflow):
        @step
        def first(self):
            return 1

        @step
        def pay(self):
            if not self.input.get("paid") and not self.context.get("paid"):
                raise ValueError("not paid")
            return 2

        @step
        def last(self):
            return [self.outputs["pay"], self.context.get("paid")]

    return Order


PAIRS = {
    "pause": durable.pause,
    "cancel": durable.cancel,
    "edit": lambda run: durable.edit_context(run, {"n": 1}),
}
REPAIRS = {
    "skip": lambda run: durable.skip(run, 7),
    "retry": durable.retry,
    "elsewhere": lambda run: durable.retry(run, node="last"),
    "rerun": lambda run: durable.rerun_from(run, "pay"),
    "edit": lambda run: durable.edit_context(run, {"n": 1}),
}


@pytest.mark.parametrize("verb", ["pause", "cancel"])
def test_of_two_operators_who_do_the_same_one_is_refused(Order, verb):
    for _ in range(ROUNDS):
        run = Order.start()
        gave = at_once(*[lambda run=run: PAIRS[verb](run)] * 3)
        refused = [each for each in gave if isinstance(each, InvalidState)]
        assert len(refused) == 2, gave
        assert told(run) == [verb]


@pytest.mark.parametrize("first", ["skip", "retry", "elsewhere"])
@pytest.mark.parametrize("second", ["skip", "retry", "elsewhere", "rerun", "edit"])
def test_of_two_who_repair_a_run_each_is_done_whole_or_refused(Order, workers, first, second):
    service = workers.start()
    runs = [Order.start() for _ in range(ROUNDS)]
    until(lambda: {status_of(run) for run in runs} == {"failed"})
    service.stop()
    workers.wait(service)
    for run in runs:
        gave = at_once(lambda run=run: REPAIRS[first](run), lambda run=run: REPAIRS[second](run))
        errors = [each for each in gave if isinstance(each, Exception)]
        assert all(isinstance(each, InvalidState) for each in errors), gave
        assert len(errors) <= 1
        assert len(told(run)) == 2 - len(errors)
        assert status_of(run) == "pending"
    workers.start()
    until(lambda: {status_of(run) for run in runs} <= {"failed", "completed"})
    assert all(done_once(run) for run in runs)


@pytest.mark.parametrize("act", ["pause", "cancel", "edit"])
def test_an_operator_beside_a_worker_that_ends_the_run(Order, workers, act):
    workers.start()
    seen = Counter()
    for _ in range(ROUNDS):
        run = Order.start({"paid": True})
        (gave,) = at_once(lambda run=run: PAIRS[act](run))
        if isinstance(gave, Exception):
            assert isinstance(gave, InvalidState), gave
            assert told(run) == []
        elif act == "pause":
            until(lambda run=run: status_of(run) in ("paused", "completed"))
            if status_of(run) == "paused":
                durable.resume(run)
        until(lambda run=run: durable.get_execution(run.pk).is_final)
        seen[status_of(run)] += 1
        found = durable.get_execution(run.pk)
        assert (found.paused_at, found.worker_id, found.due_at) == (None, None, None)
        assert found.status == ("cancelled" if told(run) == ["cancel"] else "completed")
        assert done_once(run)
    assert sum(seen.values()) == ROUNDS


def test_pauses_and_resumes_by_many_while_workers_serve_members(workers):
    class Wide(Workflow):
        with foreach(lambda self: range(30), concurrency=4) as each:
            with parallel() as both:

                @step
                def one(self):
                    self.context.increment("n")
                    return 1

                @step
                def two(self):
                    return 2

        @step
        def end(self):
            return self.context["n"]

    run = Wide.start()
    workers.start(4)
    workers.start(4)

    def meddling():
        done = 0
        while done < 15 and not durable.get_execution(run.pk).is_final:
            for act in (durable.pause, durable.resume):
                try:
                    act(run)
                    done += 1
                except InvalidState:
                    continue

    gave = at_once(meddling, meddling, meddling)
    assert gave == [None] * 3
    if durable.get_execution(run.pk).paused_at is not None:
        durable.resume(run)
    assert run.get_result(timeout=20) == 30
    assert done_once(run)
    verbs = told(run)
    assert verbs == ["pause", "resume"] * (len(verbs) // 2)
    assert not Execution.objects.filter(root=run, paused_at__isnull=False).exists()
    assert not Execution.objects.filter(root=run, finished_at=None).exists()


def test_a_queue_that_is_paused_and_limited_meanwhile_loses_no_run(Order, workers):
    workers.start(4)
    workers.start(4)
    durable.pause_queue("default")
    runs = [Order.start({"paid": True}) for _ in range(20)]
    for number in (1, 3, None, 2):
        durable.limit_queue("default", number)
    gave = at_once(*[lambda: durable.resume_queue("default")] * 3)
    assert sum(isinstance(each, InvalidState) for each in gave) == 2, gave
    until(lambda: {status_of(run) for run in runs} == {"completed"})
    assert all(done_once(run) for run in runs)
