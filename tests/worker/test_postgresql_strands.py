"""What only PostgreSQL shows of strands: writers side by side, and locks that somebody holds.

Collected on PostgreSQL only; see conftest.py.
"""

import threading

import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError

import durable_django as durable
from durable_django import Workflow, foreach, parallel, race, step
from durable_django.exceptions import ExecutionFailed
from durable_django.models import Execution, StepRun
from durable_django.store.transactions import lock_execution
from durable_django.worker import committer as committing
from tests.store.rows import OpenTransaction
from tests.waiting import until


def names():
    return sorted(Group.objects.values_list("name", flat=True))


def statuses_of(run):
    rows = Execution.objects.filter(parent=run).order_by("id")
    return dict(rows.values_list("path", "status"))


@pytest.mark.parametrize("ends", ["fails", "finishes", "cancel"])
def test_an_atomic_member_that_runs_when_its_block_ends_does_not_commit(workers, ends):
    inside, latch = threading.Event(), workers.latch()

    class Work(Workflow):
        with parallel() as work:

            @step(atomic=True)
            def writes(self):
                Group.objects.create(name="too late")
                inside.set()
                assert latch.wait(20)

            @step
            def acts(self):
                assert inside.wait(20)
                if ends == "fails":
                    raise ValueError("this one")
                if ends == "finishes":
                    self.finish("finished")
                durable.cancel(self.execution_id)

    service = workers.start()
    run = Work.start()
    if ends == "finishes":
        assert run.get_result(timeout=20) == "finished"
    else:
        with pytest.raises(ExecutionFailed, match="this one" if ends == "fails" else "cancelled"):
            run.get_result(timeout=20)
    latch.set()
    until(lambda: not service.pool.runs)
    assert statuses_of(run)["work/writes"] == "cancelled"
    assert names() == []
    assert not StepRun.objects.filter(name="writes").exists()


def test_of_atomic_members_in_a_race_only_the_winner_takes_effect(workers):
    together = threading.Barrier(4, timeout=20)

    class First(Workflow):
        with race() as first:

            @step(atomic=True)
            def one(self):
                Group.objects.create(name=f"one {self.execution_id}")
                together.wait()

            @step(atomic=True)
            def two(self):
                Group.objects.create(name=f"two {self.execution_id}")
                together.wait()

            @step(atomic=True)
            def three(self):
                Group.objects.create(name=f"three {self.execution_id}")
                together.wait()

            @step(atomic=True)
            def four(self):
                Group.objects.create(name=f"four {self.execution_id}")
                together.wait()

    service = workers.start(threads=5)
    winners = []
    for _ in range(5):
        run = First.start()
        winners.append(f"{run.get_result(timeout=20)['winner']} {run.pk}")
        until(lambda: not service.pool.runs)
        assert names() == sorted(winners)


def test_ends_of_members_wait_for_a_parent_that_somebody_holds_and_others_go_on(workers):
    latch, inside = workers.latch(), threading.Barrier(4, timeout=20)

    class Held(Workflow):
        with foreach(lambda self: range(3)) as each:

            @step
            def first(self):
                inside.wait()
                assert latch.wait(20)

            @step
            def second(self):
                return self.index

    class Quick(Workflow):
        @step
        def only(self):
            return "quick"

    run = Held.start()
    workers.start(threads=4)
    inside.wait()
    with OpenTransaction(lambda: lock_execution(run.pk)):
        latch.set()
        until(lambda: StepRun.objects.filter(name="first", status="completed").count() == 3)
        assert Quick.start().get_result(timeout=20) == "quick"
        assert set(statuses_of(run).values()) == {"running"}
    assert run.get_result(timeout=20) == [0, 1, 2]
    assert durable.get_execution(run).steps.filter(name="second").count() == 3


def test_items_taken_with_a_commit_whose_answer_was_lost_are_given_back(
    workers, durable_settings, monkeypatch
):
    # race: lost-take
    durable_settings(POLL_SECONDS=0.1)
    taken_and_lost = []
    write = committing.write_wave

    def write_and_lose(worker_id, wave, uncertain=False, taking=None):
        verdicts = write(worker_id, wave, uncertain, taking)
        if taking is not None and taking.rows and not taken_and_lost:
            taken_and_lost.extend(taking.rows)
            raise OperationalError("server closed the connection unexpectedly")
        return verdicts

    class Held(Workflow):
        with foreach(lambda self: range(40), concurrency=3) as each:

            @step
            def give(self):
                return self.item

    monkeypatch.setattr(committing, "write_wave", write_and_lose)
    run = Held.start()
    workers.start()
    assert run.get_result(timeout=20) == list(range(40))
    assert taken_and_lost
    assert StepRun.objects.filter(name="give").count() == 40
