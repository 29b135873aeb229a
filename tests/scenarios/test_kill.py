"""Workers are killed with SIGKILL at any moment; nothing is lost, nothing completed twice."""

import random
from collections import Counter
from uuid import UUID

import pytest

import durable_django as durable
from durable_django.models import Execution, StepRun, Worker
from tests.killing.models import Effect
from tests.killing.workflows import Poison, Survives
from tests.waiting import until

NODES = ["plain", "atomic", "single", "retried", "later"]


def not_ended() -> int:
    return Execution.objects.filter(finished_at__isnull=True).count()


def effects() -> Counter[tuple[UUID, str]]:
    return Counter(Effect.objects.values_list("run", "node"))


def check_that_nothing_is_lost(ids: list[UUID]) -> Counter[str]:
    """Every promise that a killed worker could have broken; how the runs ended."""
    done = effects()
    rows: dict[UUID, list[StepRun]] = {pk: [] for pk in ids}
    for row in StepRun.objects.filter(execution_id__in=ids).order_by("seq"):
        rows[row.execution_id].append(row)
    runs = {run.pk: run for run in Execution.objects.filter(pk__in=ids)}
    for n, pk in enumerate(ids):
        run, steps = runs[pk], rows[pk]
        told = [(row.seq, row.name, row.attempt, row.status) for row in steps]
        completed = [row.name for row in steps if row.status == "completed"]
        assert [row.seq for row in steps] == list(range(1, len(steps) + 1)), told
        assert completed == NODES[: len(completed)], told
        assert all(row.status in ("completed", "failed") for row in steps), told
        for name in completed:
            assert done[pk, name] >= 1, told
        assert done[pk, "atomic"] == int("atomic" in completed), told
        assert done[pk, "single"] <= 1, told
        if run.status == "completed":
            assert completed == NODES
            assert run.result == {"n": n + 1, "trail": NODES}
        else:  # its worker died inside the step that may not run twice
            assert (run.status, run.error["type"]) == ("failed", "StepInterrupted"), run.error
            assert completed == ["plain", "atomic"]
    return Counter(run.status for run in runs.values())


def kill_at_random(fleet, *, runs: int, workers: int, kills: int, seed: int) -> Counter[str]:
    draw = random.Random(seed)
    ids = durable.start_many(Survives, [{"n": n} for n in range(runs)])
    processes = [fleet.start("--threads=4") for _ in range(workers)]
    for number in range(kills):
        # Each kill waits for some progress, so that whatever the machine's speed it hits work.
        left = Effect.objects.count() + draw.randint(1, 4 * runs // kills)
        until(lambda left=left: Effect.objects.count() >= left or not not_ended(), 60)
        victim = draw.randrange(workers)
        fleet.kill(processes[victim])
        processes[victim] = fleet.start("--threads=4")
        if not not_ended():
            assert number > 0, "all had ended before the first kill"
            break
    until(lambda: not not_ended(), 120)
    for process in processes:
        fleet.until_serving(process)  # a signal before that just kills it
        process.terminate()
    for process in processes:
        assert process.wait(20) == 0, fleet.said(process)
    assert not Worker.objects.filter(status="alive").exists()
    return check_that_nothing_is_lost(ids)


def test_a_few_kills_lose_nothing(fleet):
    ended = kill_at_random(fleet, runs=60, workers=1, kills=2, seed=1)
    assert ended["completed"] >= 50


@pytest.mark.kill
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_many_kills_lose_nothing(fleet, seed):
    ended = kill_at_random(fleet, runs=400, workers=2, kills=10, seed=seed)
    assert ended["completed"] >= 300


def test_a_run_that_kills_its_worker_ends_and_spares_those_beside_it(fleet):
    poison = Poison.start()
    ids = durable.start_many(Survives, [{"n": n} for n in range(20)])
    deaths = 0
    process = fleet.start("--threads=4", MAX_RECOVERIES=2)
    while not_ended():
        if process.poll() is not None:
            deaths += 1
            assert deaths < 8, "the poison is never given up"
            process = fleet.start("--threads=4", MAX_RECOVERIES=2)
        until(lambda p=process: p.poll() is not None or not not_ended(), 60)
    poison.refresh_from_db()
    assert (poison.status, poison.error["type"]) == ("failed", "WorkerLost")
    assert poison.error["node"] == "kill"
    # Once in a wave, where no start is committed, and then MAX_RECOVERIES times.
    assert deaths in (2, 3)
    assert effects()[poison.pk, "kill"] == deaths
    check_that_nothing_is_lost(ids)


@pytest.mark.kill
def test_several_poisons_end_and_spare_a_hundred_others(fleet):
    poisons = durable.start_many(Poison, [{}] * 3)
    ids = durable.start_many(Survives, [{"n": n} for n in range(100)])
    processes = [fleet.start("--threads=4", MAX_RECOVERIES=2) for _ in range(2)]
    while not_ended():
        for number, process in enumerate(processes):
            if process.poll() is not None:
                processes[number] = fleet.start("--threads=4", MAX_RECOVERIES=2)
        alive = list(processes)
        until(lambda a=alive: not not_ended() or any(p.poll() is not None for p in a), 60)
    for pk in poisons:
        assert durable.get_execution(pk).error["type"] == "WorkerLost"
    check_that_nothing_is_lost(ids)


def test_the_runs_of_a_killed_worker_go_on_at_once_and_not_after_its_lease(fleet):
    """The next worker on the same machine sees that the process is gone."""
    ids = durable.start_many(Survives, [{"n": n} for n in range(30)])
    process = fleet.start(LEASE_SECONDS=600, HEARTBEAT_SECONDS=1)
    until(lambda: Effect.objects.exists())
    fleet.kill(process)
    fleet.start(LEASE_SECONDS=600, HEARTBEAT_SECONDS=1)
    until(lambda: not not_ended(), 30)
    check_that_nothing_is_lost(ids)
