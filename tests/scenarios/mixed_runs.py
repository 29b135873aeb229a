"""Runs of many kinds at once, and what each has to come to, whatever happened to who drove them.

The checks are those of the stories in which workers are killed.
"""

from collections import Counter
from collections.abc import Callable
from uuid import UUID

import durable_django as durable
from durable_django.models import Execution, StepRun
from tests.killing.models import Effect
from tests.killing.sagas import Trip
from tests.killing.waits import Calls, HearsLater, Late
from tests.killing.workflows import Strands, Survives, Turns
from tests.waiting import until

from .test_kill import check_that_nothing_is_lost, not_ended
from .test_kill_compensation import check_that_it_is_undone
from .test_kill_control_flow import check_turns
from .test_kill_strands import ITEMS, check_strands, check_visits_completed_once
from .test_kill_waits import check_rows


class MixedRuns:
    """`each` runs of every kind, and three times as many plain ones."""

    def __init__(self, each: int) -> None:
        self.plain = durable.start_many(Survives, [{"n": n} for n in range(3 * each)])
        self.strands = durable.start_many(Strands, [{"items": ITEMS}] * each)
        self.trips = durable.start_many(Trip, [{"n": n} for n in range(each)])
        self.turns = durable.start_many(Turns, [{}] * each)
        self.late = durable.start_many(Late, [{}] * each)
        self.calls = durable.start_many(Calls, [{}] * each)
        self.heard = durable.start_many(HearsLater, [{}] * each)
        for pk in self.heard:
            for name, payload in (("go", 0), ("go", 1), ("more", 2)):
                durable.send_event(pk, name, payload)

    def until_ended(self, seconds: float = 120) -> None:
        until(lambda: not not_ended(), seconds)

    def check(self) -> Counter[str]:
        """Every promise, of every kind; how the plain ones ended."""
        effects: dict[UUID, Counter[str]] = {pk: Counter() for pk in self.strands + self.turns}
        for pk, node in Effect.objects.filter(run__in=effects).values_list("run", "node"):
            effects[pk][node] += 1
        for pk in self.strands:
            check_strands(pk, effects[pk])
        for n, pk in enumerate(self.trips):
            check_that_it_is_undone(pk, n)
        for pk in self.turns:
            check_turns(pk)
            assert set(effects[pk].values()) == {1}
            assert len(effects[pk]) == 4
        heard = [("go", 0), {"go": 1, "more": 2}]
        for ids, result in ((self.late, "late"), (self.calls, 42), (self.heard, heard)):
            for pk in ids:
                run = durable.get_execution(pk)
                assert (run.status, run.result) == ("completed", result), run.error
        check_rows([*self.late, *self.calls, *self.heard])
        check_visits_completed_once()
        assert not Execution.objects.filter(worker__isnull=False).exists()
        return check_that_nothing_is_lost(self.plain)


class Stream:
    """Mixed runs that do not run out while a test has something in mind with those who drive them:
    when all have ended, others begin. How fast runs end and who takes which is chance."""

    def __init__(self, each: int) -> None:
        self.each = each
        self.begun = [MixedRuns(each)]

    def until(self, condition: Callable[[], object], seconds: float = 60) -> None:
        """Until that is so."""

        def is_so() -> object:
            if not not_ended():
                self.begun.append(MixedRuns(self.each))
            return condition()

        until(is_so, seconds)

    def until_further(self, steps: int) -> None:
        """Until so many more steps have ended, and some runs have not."""
        goal = StepRun.objects.count() + steps
        self.until(lambda: StepRun.objects.count() >= goal and not_ended())

    def until_ended(self, seconds: float = 120) -> None:
        """No others begin."""
        until(lambda: not not_ended(), seconds)

    def check(self) -> Counter[str]:
        """Every promise, of every kind; how the plain ones ended."""
        return sum((runs.check() for runs in self.begun), Counter())

    def all_completed(self) -> Counter[str]:
        """What `check` gives if none had to be given up."""
        return Counter(completed=sum(len(runs.plain) for runs in self.begun))
