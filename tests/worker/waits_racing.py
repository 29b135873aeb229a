"""Things that happen at the same moment, each on a connection of its own, and what has to hold
afterwards of everything that waited: one outcome each, told alike by all rows, nothing left."""

import random
import threading
from collections import Counter
from collections.abc import Callable

import pytest
from django.db import connections

from durable_django.models import Event, Execution, StepRun, Wait
from durable_django.store import clock
from tests.waiting import until

# How long a race of thousands may take.
RACE_SECONDS = 60.0


def runs_of(few: int, many: int) -> pytest.MarkDecorator:
    """`runs`: a few in the ordinary suite, many in the slow one."""
    sizes = [pytest.param(few, id="some"), pytest.param(many, marks=pytest.mark.slow, id="many")]
    return pytest.mark.parametrize("runs", sizes)


def side_by_side(*bodies: Callable[[], None]) -> None:
    """Runs the bodies in threads of their own, each with its own connections, until all ended."""
    errors: list[BaseException] = []

    def guarded(body: Callable[[], None]) -> None:
        try:
            body()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=guarded, args=(body,), daemon=True) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(RACE_SECONDS)
    for error in errors:
        raise error
    assert not any(thread.is_alive() for thread in threads), f"still racing: {what_is_left()}"


def what_is_left() -> dict[str, list[object]]:
    """What has not come to its end, for the message of a test that fails."""
    runs = Execution.objects.filter(finished_at__isnull=True).order_by("id")
    columns = ("id", "kind", "status", "path", "lease", "worker_id", "remaining", "due_at")
    waits = Wait.objects.filter(resolved_at__isnull=True).order_by("id")
    events = Event.objects.filter(examined_at__isnull=True).order_by("id")
    return {
        "now": [clock.now()],
        "executions": list(runs.values_list(*columns)[:20]),
        "waits": list(waits.values_list("member_id", "kind", "name", "status", "due_at")[:20]),
        "events": list(events.values_list("execution_id", "kind", "name", "created_at")[:20]),
    }


def jitter(draw: random.Random, seconds: float) -> float:
    """Before or after, by up to `seconds`; mostly by little."""
    return draw.uniform(-1, 1) ** 3 * seconds


def not_before(moment) -> None:
    """Returns at `moment` by the database's time, or a little later."""
    until(lambda: clock.now() >= moment)


def check_that_all_is_settled(runs: int) -> None:
    """Waits for the end of all, and compares what the rows of runs, waits and events tell."""
    try:
        until(lambda: not Execution.objects.filter(finished_at__isnull=True).exists(), RACE_SECONDS)
        until(lambda: not Event.objects.filter(examined_at__isnull=True).exists())
    except AssertionError:
        raise AssertionError(f"not settled: {what_is_left()}") from None
    assert Execution.objects.filter(parent__isnull=True).count() == runs
    assert not Execution.objects.filter(worker__isnull=False).exists()
    assert not Execution.objects.filter(due_at__isnull=False).exists()
    assert not StepRun.objects.filter(status__in=["running", "waiting"]).exists()
    assert not Wait.objects.filter(resolved_at__isnull=True).exists()
    assert not Wait.objects.filter(status__in=["open", "answered"]).exists()
    check_steps()
    check_events()


def check_steps() -> None:
    """Of each visit one row completed at most; the sequence has no gaps."""
    rows = StepRun.objects.order_by("execution_id", "seq")
    completed = Counter(rows.filter(status="completed").values_list("execution_id", "path"))
    assert [visit for visit, count in completed.items() if count > 1] == []
    seqs: dict[object, list[int]] = {}
    for pk, seq in rows.values_list("execution_id", "seq"):
        seqs.setdefault(pk, []).append(seq)
    assert all(found == list(range(1, len(found) + 1)) for found in seqs.values())


def check_events() -> None:
    """Each event ended one wait at most, of its own run; each wait that completed by events has
    consumed one of each name."""
    addressed = Event.objects.filter(execution__isnull=False)
    delivered = addressed.filter(status="delivered").values_list("wait_id", "execution_id", "name")
    assert not addressed.filter(status="new").exists()
    assert not addressed.filter(wait_id__isnull=False).exclude(status="delivered").exists()
    consumed: dict[int, list[tuple[object, str]]] = {}
    for wait_id, run_id, name in delivered:
        consumed.setdefault(wait_id, []).append((run_id, name))
    waits = Wait.objects.filter(kind__in=["event", "any", "all", "callback", "call"])
    for wait in waits:
        events = consumed.pop(wait.pk, [])
        assert {run_id for run_id, _ in events} <= {wait.execution_id}
        names = sorted(name for _, name in events)
        ended = wait.status in ("completed", "failed")
        if wait.kind == "all":
            assert names == (sorted(wait.names) if ended else []), (str(wait), wait.status, names)
        else:
            assert len(names) == int(ended), (str(wait), wait.status, names)
    assert consumed == {}
