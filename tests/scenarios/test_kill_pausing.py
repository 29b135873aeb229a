"""Workers are killed while runs of every kind are paused and resumed at random; nothing is lost,
nothing is done twice, and what is paused stays so, whoever dies."""

import random
from collections import Counter
from uuid import UUID

import pytest

import durable_django as durable
from durable_django import InvalidState
from durable_django.models import AuditEntry, Execution, Worker
from tests.killing.models import Effect
from tests.killing.workflows import Strands, Survives
from tests.waiting import until

from .test_kill import check_that_nothing_is_lost
from .test_kill_strands import ITEMS, check_strands, check_visits_completed_once, not_ended


class Meddler:
    """Somebody who pauses and resumes runs, whatever they are at."""

    def __init__(self, ids, draw):
        self.ids, self.draw = ids, draw
        self.stopped = set()

    def flip_some(self, count):
        for pk in self.draw.sample(self.ids, count):
            self.resume(pk) if pk in self.stopped else self.pause(pk)

    def pause(self, pk):
        try:
            durable.pause(pk, by="meddler")
            self.stopped.add(pk)
        except InvalidState:
            assert durable.get_execution(pk).is_final

    def resume(self, pk):
        self.stopped.discard(pk)
        try:
            durable.resume(pk, by="meddler")
        except InvalidState:  # the node in hand was its last, or failed
            assert durable.get_execution(pk).is_final

    def until_all_stand_still(self):
        """What is paused and was held has ended its node, or its worker has died."""
        stopped = list(self.stopped)
        rows = Execution.objects.filter(root__in=stopped, finished_at=None)
        until(lambda: not rows.filter(worker__isnull=False).exists(), 60)
        assert set(rows.values_list("status", flat=True)) <= {"paused"}
        return Counter(rows.values_list("root", flat=True))

    def resume_all(self):
        for pk in list(self.stopped):
            self.resume(pk)


def kill_at_random(fleet, *, runs, workers, kills, seed):
    draw = random.Random(seed)
    strands = durable.start_many(Strands, [{"items": ITEMS}] * runs)
    plain = durable.start_many(Survives, [{"n": n} for n in range(runs)])
    meddler = Meddler([*strands, *plain], draw)
    processes = [fleet.start("--threads=4") for _ in range(workers)]
    for _ in range(kills):
        for _ in range(4):
            goal = Effect.objects.count() + draw.randint(1, 4)
            meddler.flip_some(min(4, len(meddler.ids)))
            until(lambda goal=goal: Effect.objects.count() >= goal or _stands_still(), 60)
        victim = draw.randrange(workers)
        fleet.kill(processes[victim])
        processes[victim] = fleet.start("--threads=4")
    meddler.until_all_stand_still()
    assert AuditEntry.objects.filter(verb="pause").count() > kills
    meddler.resume_all()
    until(lambda: not not_ended(), 120)
    assert not Execution.objects.filter(paused_at__isnull=False).exists()
    check_all(strands, plain)
    for process in processes:
        fleet.until_serving(process)  # a signal before that just kills it
        process.terminate()
    for process in processes:
        assert process.wait(20) == 0, fleet.said(process)
    assert not Worker.objects.filter(status="alive").exists()


def _stands_still():
    return not Execution.objects.filter(status__in=["pending", "running"]).exists()


def check_all(strands, plain):
    effects: dict[UUID, Counter[str]] = {pk: Counter() for pk in strands}
    for pk, node in Effect.objects.filter(run__in=strands).values_list("run", "node"):
        effects[pk][node] += 1
    for pk in strands:
        check_strands(pk, effects[pk])
    check_visits_completed_once()
    ended = check_that_nothing_is_lost(plain)
    assert ended["completed"] >= len(plain) // 2


def test_a_few_kills_among_pauses_lose_nothing(fleet):
    kill_at_random(fleet, runs=6, workers=2, kills=2, seed=1)


@pytest.mark.kill
@pytest.mark.parametrize("seed", [2, 3])
def test_many_kills_among_pauses_lose_nothing(fleet, seed):
    kill_at_random(fleet, runs=60, workers=2, kills=12, seed=seed)


def test_what_is_paused_in_the_hands_of_a_worker_that_is_killed_stays_paused(fleet):
    process = fleet.start("--threads=4")
    run = durable.start("killing.waits")
    until(lambda: Effect.objects.filter(node="inside").exists())
    assert durable.pause(run).status == "running"
    fleet.kill(process)
    fleet.start("--threads=4")
    until(lambda: durable.get_execution(run).status == "paused")
    assert run.steps.filter(status="completed").count() == 0
    Effect.objects.create(run=run.pk, node="go")
    durable.resume(run)
    assert len(run.get_result(timeout=20)) == 2
    assert Effect.objects.filter(node="inside").count() == 2, "its body is run again"
