"""Workers are killed while strands run and while joins are due; each visit completes once."""

import random
from collections import Counter
from uuid import UUID

import pytest

import durable_django as durable
from durable_django import MemberFailure
from durable_django.models import Execution, StepRun
from tests.killing.models import Effect
from tests.killing.workflows import Newsletter, PoisonItem, Strands
from tests.waiting import until

ITEMS = 5


def not_ended() -> int:
    return Execution.objects.filter(finished_at__isnull=True).count()


def check_visits_completed_once() -> None:
    """No visit has two ends, and no execution a gap in its step runs."""
    done = Counter(StepRun.objects.filter(status="completed").values_list("execution_id", "path"))
    assert {visit: count for visit, count in done.items() if count > 1} == {}
    seqs: dict[UUID, list[int]] = {}
    for pk, seq in StepRun.objects.order_by("seq").values_list("execution_id", "seq"):
        seqs.setdefault(pk, []).append(seq)
    assert [found for found in seqs.values() if found != list(range(1, len(found) + 1))] == []


def check_strands(pk: UUID, effects: Counter[str]) -> None:
    """Every promise that a killed worker could have broken, for one run of `Strands`."""
    run = durable.get_execution(pk)
    assert run.status == "completed", run.error
    wanted = Counter({"end": 1})
    for number, (index, right, first) in enumerate(run.result):
        assert (index, right, first["value"]) == (number, number, 3_000)
        won = f"first {number}: {first['winner']}"
        wanted += Counter({f"left {number}": 1, won: 1, f"after {number}": 1})
    assert len(run.result) == ITEMS
    assert effects == wanted
    trail = [f"{side} {number}" for number in range(ITEMS) for side in ("left", "right")]
    assert run.context == {"trail": ["begin", *trail]}


def kill_at_random(fleet, *, runs: int, workers: int, kills: int, seed: int) -> None:
    draw = random.Random(seed)
    ids = durable.start_many(Strands, [{"items": ITEMS}] * runs)
    processes = [fleet.start("--threads=4") for _ in range(workers)]
    for number in range(kills):
        # Each kill waits for some progress, so that whatever the machine's speed it hits work.
        goal = StepRun.objects.count() + draw.randint(1, 60 * runs // kills)
        until(lambda goal=goal: StepRun.objects.count() >= goal or not not_ended(), 60)
        assert not_ended() or number, "all had ended before the first kill"
        victim = draw.randrange(workers)
        fleet.kill(processes[victim])
        processes[victim] = fleet.start("--threads=4")
    until(lambda: not not_ended(), 120)
    effects: dict[UUID, Counter[str]] = {pk: Counter() for pk in ids}
    for pk, node in Effect.objects.values_list("run", "node"):
        effects[pk][node] += 1
    for pk in ids:
        check_strands(pk, effects[pk])
    check_visits_completed_once()


def test_a_kill_among_strands_loses_nothing(fleet):
    kill_at_random(fleet, runs=4, workers=2, kills=2, seed=1)


@pytest.mark.kill
@pytest.mark.parametrize("seed", [2, 3])
def test_many_kills_among_strands_lose_nothing(fleet, seed):
    kill_at_random(fleet, runs=40, workers=2, kills=10, seed=seed)


def send(fleet, *, items: int, workers: int, kills: int) -> None:
    """One newsletter over several processes, of which `kills` die on the way."""
    run = Newsletter.start({"items": items})
    processes = [fleet.start("--threads=4") for _ in range(workers)]

    def left() -> int:
        run.refresh_from_db(fields=["status", "remaining"])
        return 0 if run.is_final else run.remaining or items

    for number in range(kills):
        goal = items * (kills - number) // (kills + 1)
        until(lambda goal=goal: left() <= goal, 120)
        assert left() > 0
        fleet.kill(processes[number])
    until(lambda: not left(), 240)
    run.refresh_from_db()
    assert run.status == "completed", run.error
    assert run.result == [2 * number for number in range(items)]
    effects = Counter(Effect.objects.values_list("node", flat=True))
    assert effects == Counter(f"send {number}" for number in range(items))
    check_visits_completed_once()


def test_a_newsletter_survives_a_killed_worker(fleet):
    send(fleet, items=300, workers=2, kills=1)


@pytest.mark.kill
def test_ten_thousand_items_over_four_workers_of_which_two_are_killed(fleet):
    send(fleet, items=10_000, workers=4, kills=2)


def test_an_item_that_kills_its_worker_ends_and_spares_those_beside_it(fleet):
    # race: suspect-in-doubt
    run = PoisonItem.start()
    ids = durable.start_many(Strands, [{"items": ITEMS}] * 2)
    deaths = 0
    process = fleet.start("--threads=4", MAX_RECOVERIES=2)
    while not_ended():
        if process.poll() is not None:
            deaths += 1
            assert deaths < 8, "the poison is never given up"
            process = fleet.start("--threads=4", MAX_RECOVERIES=2)
        until(lambda p=process: p.poll() is not None or not not_ended(), 60)
    run.refresh_from_db()
    assert run.status == "completed", run.error
    failure = run.result[2]
    assert isinstance(failure, MemberFailure)
    assert failure.type == "WorkerLost"
    assert [run.result[n] for n in (0, 1, 3, 4, 5)] == [0, 1, 3, 4, 5]
    # Once in a wave, where no start is committed, and then MAX_RECOVERIES times.
    assert deaths in (2, 3)
    assert [durable.get_execution(pk).status for pk in ids] == ["completed"] * 2
