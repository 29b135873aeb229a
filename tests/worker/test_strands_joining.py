"""Joins on real threads: opened once, made again when the database was away for them."""

import threading

from django.db import OperationalError

import durable_django as durable
from durable_django import Workflow, foreach, parallel, step
from durable_django.models import Execution, StepRun
from durable_django.worker import joining
from tests.waiting import until


def make_pair():
    class Pair(Workflow):
        with parallel() as both:

            @step
            def left(self):
                return "left"

            @step
            def right(self):
                self.context["by"] = "right"

        @step
        def end(self):
            return self.outputs["both"], self.context["by"]

    return Pair


FOUND = ({"left": "left", "right": None}, "right")


def test_a_join_for_which_the_database_was_away_is_made_again(workers, monkeypatch):
    pair, lost = make_pair(), []
    read = joining.read_members

    def read_or_lose(*args, **options):
        if len(lost) < 2:
            lost.append(1)
            raise OperationalError("server closed the connection unexpectedly")
        return read(*args, **options)

    monkeypatch.setattr(joining, "read_members", read_or_lose)
    run = pair.start()
    service = workers.start()
    assert run.get_result(timeout=20) == FOUND
    assert len(lost) == 2
    until(lambda: not service.pool.runs)
    join = run.steps.get(path="both[]")
    assert (join.status, join.attempt) == ("completed", 1), "no attempt is counted"


def test_a_join_that_lost_its_lease_is_dropped_and_made_by_another_worker(workers, monkeypatch):
    pair, inside, latch = make_pair(), threading.Event(), workers.latch()
    read, readers = joining.read_members, []

    def read_and_hold(*args, **options):
        found = read(*args, **options)
        readers.append(threading.current_thread())
        if len(readers) == 1:
            inside.set()
            assert latch.wait(20)
        return found

    monkeypatch.setattr(joining, "read_members", read_and_hold)
    run = pair.start()
    service = workers.start()
    assert inside.wait(20)
    # As when its worker was declared dead: another one has it now.
    row = Execution.objects.filter(pk=run.pk)
    row.update(status="pending", worker_id=None, lease=row.get().lease + 1)
    other = workers.start()
    assert run.get_result(timeout=20) == FOUND
    latch.set()
    until(lambda: not service.pool.runs and not other.pool.runs)
    assert list(run.steps.filter(path="both[]").values_list("status", flat=True)) == ["completed"]
    assert run.steps.filter(name="end").count() == 1


def test_joins_of_many_runs_each_open_once_over_several_workers(workers):
    opened = []

    class Many(Workflow):
        with foreach(lambda self: range(self.input["n"])) as each:

            @step
            def give(self):
                return self.item

        @step
        def end(self):
            opened.append(self.execution_id)
            return list(self.outputs["each"])

    ids = durable.start_many(Many, [{"n": n % 5} for n in range(60)])
    for _ in range(3):
        workers.start(threads=2)
    for number, pk in enumerate(ids):
        assert durable.get_result(pk, timeout=20) == list(range(number % 5))
    assert sorted(opened) == sorted(ids)
    joins = StepRun.objects.filter(path="each[]", status="completed")
    assert joins.count() == sum(n % 5 > 0 for n in range(60))
