"""Workers are killed with SIGKILL while runs are undone: each visit is, in order; none stays."""

import random
from collections import Counter

import pytest

import durable_django as durable
from durable_django.models import Execution, StepRun
from tests.killing.models import Effect
from tests.killing.sagas import Stuck, Trip
from tests.killing.workflows import Survives
from tests.waiting import until

MARKS = ["again#2~unagain", "mark#2~unmark", "again~unagain", "mark~unmark"]
LOOP = ["turns~undo_turns", "turns[2]/turn~undo_turn", "turns[1]/turn~undo_turn"]
FLIGHT = ["both/flight~unflight", "both/flight/meal~unmeal", "both/flight/seat~unseat"]
NIGHTS = {f"both/nights[{number}]/book~unbook" for number in range(3)}


def not_ended() -> int:
    return Execution.objects.filter(finished_at__isnull=True).count()


def check_that_it_is_undone(pk, n) -> None:
    """Once in the history, at least once in the world, newest first in both."""
    run = durable.get_execution(pk)
    rows = list(run.steps.filter(kind="compensation").order_by("seq"))
    told = [(row.seq, row.path, row.attempt, row.status) for row in rows]
    final = [row.path for row in rows if row.status == "completed" or row.name == "unmeal"]
    assert len(final) == len(set(final)) == 14, told
    assert final[:4] == MARKS, told
    assert [path for path in final if path in FLIGHT] == FLIGHT
    assert {path for path in final if path in NIGHTS} == NIGHTS
    assert final[10:] == [*LOOP, "first~undo_first"], told
    # Members were undone by the order in which their step runs were recorded.
    there = run.steps.filter(name__in=["book", "seat"], kind="step").order_by("-id")
    back = [path.partition("~")[0] for path in final if path.endswith(("~unbook", "~unseat"))]
    assert back == list(there.values_list("path", flat=True))
    effects = Effect.objects.filter(run=pk).order_by("id").values_list("node", flat=True)
    assert list(dict.fromkeys(effects)) == final
    seen = [[i, 10 * i] for i in range(3)]
    assert sorted(run.context["undone"][:3]) == seen
    assert run.context["undone"][3:] == [[2, 2], [1, 1], [n, "first"]]
    assert (run.status, run.error["message"]) == ("compensation_failed", "no money")


def kill_at_random(fleet, *, runs: int, workers: int, kills: int, seed: int) -> None:
    draw = random.Random(seed)
    ids = durable.start_many(Trip, [{"n": n} for n in range(runs)])
    processes = [fleet.start("--threads=4") for _ in range(workers)]
    until(lambda: Effect.objects.exists(), 60)
    for number in range(kills):
        left = Effect.objects.count() + draw.randint(1, 10 * runs // kills)
        until(lambda left=left: Effect.objects.count() >= left or not not_ended(), 60)
        assert number or not_ended(), "all had ended before the first kill"
        victim = draw.randrange(workers)
        fleet.kill(processes[victim])
        processes[victim] = fleet.start("--threads=4")
    until(lambda: not not_ended(), 120)
    for n, pk in enumerate(ids):
        check_that_it_is_undone(pk, n)
    assert not StepRun.objects.filter(status="running").exists()


def test_a_few_kills_in_the_middle_of_a_rollback_lose_nothing(fleet):
    kill_at_random(fleet, runs=20, workers=1, kills=2, seed=1)


@pytest.mark.kill
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_many_kills_in_the_middle_of_a_rollback_lose_nothing(fleet, seed):
    kill_at_random(fleet, runs=120, workers=2, kills=8, seed=seed)


@pytest.mark.kill
def test_runs_that_are_cancelled_while_workers_die_are_undone(fleet):
    ids = durable.start_many(Trip, [{"n": n} for n in range(150)])
    processes = [fleet.start("--threads=4") for _ in range(2)]
    draw = random.Random(5)
    statuses = Counter()
    for batch in range(5):
        goal = StepRun.objects.count() + 150
        until(lambda goal=goal: StepRun.objects.count() >= goal or not not_ended(), 60)
        for pk in draw.sample(ids, 20):
            try:
                statuses[durable.cancel(pk, compensate=True).status] += 1
            except durable.InvalidState as error:
                statuses[f"refused: {error.status}"] += 1
        victim = batch % 2
        fleet.kill(processes[victim])
        processes[victim] = fleet.start("--threads=4")
    until(lambda: not not_ended(), 120)
    assert statuses["compensating"], statuses
    for pk in ids:
        run = durable.get_execution(pk)
        final = {"compensated", "compensation_failed", "cancelled"}
        assert run.status in final, (run.status, run.error)
        back = run.steps.filter(kind="compensation").exclude(status="failed", name="undo_turn")
        paths = [path.partition("~")[0] for path in back.values_list("path", flat=True)]
        assert len(set(paths)) == len(paths)
        done = run.steps.filter(status="completed", kind__in=["step", "decision"])
        named = ["first", "turn", "book", "seat", "meal", "mark", "again"]
        there = done.filter(name__in=named).order_by("-id").values_list("path", flat=True)
        assert [path for path in paths if path not in ("turns", "both/flight")] == list(there)


def test_a_handler_that_kills_its_worker_is_given_up_and_spares_the_rest(fleet):
    stuck = Stuck.start()
    ids = durable.start_many(Survives, [{"n": n} for n in range(10)])
    deaths = 0
    process = fleet.start("--threads=4", MAX_RECOVERIES=2)
    while not_ended():
        if process.poll() is not None:
            deaths += 1
            assert deaths < 8, "the poison is never given up"
            process = fleet.start("--threads=4", MAX_RECOVERIES=2)
        until(lambda p=process: p.poll() is not None or not not_ended(), 60)
    run = durable.get_execution(stuck)
    assert (run.status, run.error["message"]) == ("compensation_failed", "original")
    handlers = run.steps.filter(kind="compensation").values_list("name", "attempt", "status")
    assert list(handlers) == [
        ("undo_third", 1, "completed"),
        ("undo_second", 1, "failed"),
        ("undo_first", 1, "completed"),
    ]
    assert run.steps.get(name="undo_second").error["type"] == "WorkerLost"
    # Once in a wave, where no start is committed, and then MAX_RECOVERIES times.
    assert deaths in (2, 3)
    noted = Counter(Effect.objects.filter(run=stuck.pk).values_list("node", flat=True))
    assert noted["second~undo_second"] == deaths
    assert {durable.get_execution(pk).is_final for pk in ids} == {True}
