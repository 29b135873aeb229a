"""Workers are killed inside loops, branches and jumps; each visit completes once."""

import random
from collections import Counter
from uuid import UUID

import pytest

import durable_django as durable
from durable_django.models import Execution, StepRun
from tests.killing.models import Effect
from tests.killing.workflows import Turns
from tests.waiting import until

FIRST = [
    "turns[1]/way",
    "turns[1]/way/odd",
    "turns[1]",
    "turns[2]/way",
    "turns[2]/way/even",
    "turns[2]",
    "turns[3]/way",
    "turns[3]/way/odd",
    "turns[3]",
    "back",
]
AGAIN = [path.replace("turns[", "turns#2[") for path in FIRST[:-1]] + ["back#2", "end"]


def not_ended() -> int:
    return Execution.objects.filter(finished_at__isnull=True).count()


def check_turns(pk: UUID) -> None:
    """Every promise about the visits of one run of `Turns`."""
    run = durable.get_execution(pk)
    assert (run.status, run.result) == ("completed", [1, 2, 3, 1, 2, 3]), run.error
    rows = run.steps.filter(status="completed").order_by("seq")
    assert list(rows.values_list("path", flat=True)) == FIRST + AGAIN


@pytest.mark.kill
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_workers_go_on_in_the_visit_they_were_in(fleet, seed):
    draw = random.Random(seed)
    ids = durable.start_many(Turns, [{}] * 150)
    processes = [fleet.start("--threads=4") for _ in range(2)]
    for _ in range(6):
        goal = StepRun.objects.count() + draw.randint(50, 500)
        until(lambda goal=goal: StepRun.objects.count() >= goal or not not_ended(), 60)
        victim = draw.randrange(2)
        fleet.kill(processes[victim])
        processes[victim] = fleet.start("--threads=4")
    until(lambda: not not_ended(), 120)
    for pk in ids:
        check_turns(pk)
    once = Counter(Effect.objects.values_list("run", "node"))
    assert set(once.values()) == {1}
    assert len(once) == 4 * len(ids)
