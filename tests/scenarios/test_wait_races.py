"""Worker processes and runs that wait: events from other processes, workers that are told to stop
or are killed at any moment while much is parked and woken."""

import random
from collections import Counter
from datetime import timedelta

import pytest

import durable_django as durable
from durable_django import InvalidState
from durable_django.models import Event, Execution, StepRun, Wait, Worker
from tests.killing import waits
from tests.waiting import until

SECOND = timedelta(seconds=1)


def not_ended():
    return Execution.objects.filter(finished_at__isnull=True).count()


def parked(count):
    rows = Wait.objects.filter(resolved_at__isnull=True)
    until(lambda: rows.count() >= count)


def check_that_nothing_is_left():
    until(lambda: not Event.objects.filter(examined_at__isnull=True).exists())
    assert not Wait.objects.filter(resolved_at__isnull=True).exists()
    assert not StepRun.objects.filter(status__in=["running", "waiting"]).exists()
    assert not Execution.objects.filter(due_at__isnull=False).exists()
    addressed = Event.objects.filter(execution__isnull=False, status="delivered")
    consumed = Counter(addressed.values_list("wait_id", flat=True))
    of_several = set(Wait.objects.filter(kind="all").values_list("id", flat=True))
    assert None not in consumed
    assert {pk for pk, count in consumed.items() if count > 1} <= of_several


def test_events_from_another_process_wake_runs_of_two_workers(fleet):
    for _ in range(2):
        fleet.start("--threads=2", POLL_SECONDS=30)
    ids = durable.start_many(waits.Hears, [{}] * 60)
    parked(60)
    for n, pk in enumerate(ids):
        durable.send_event(pk, "go", n)
    assert [durable.get_result(pk, timeout=20) for pk in ids] == list(range(60))
    late = Wait.objects.filter(kind="event").values_list("resolved_at", "pk")
    sent = dict(Event.objects.values_list("wait_id", "created_at"))
    assert max(resolved - sent[pk] for resolved, pk in late) < 5 * SECOND
    check_that_nothing_is_left()


def test_sigterm_leaves_parked_runs_as_they_are(fleet):
    process = fleet.start("--threads=2")
    heard, talked = waits.Hears.start(), waits.Talks.start()
    asleep = waits.Races.start()
    until(lambda: Wait.objects.filter(kind="event", resolved_at__isnull=True).count() == 3)
    until(lambda: not Execution.objects.filter(status__in=["pending", "running"]).exists())
    before = list(Execution.objects.order_by("id").values("id", "status", "lease", "due_at"))
    process.terminate()
    assert process.wait(10) == 0, fleet.said(process)
    assert (
        list(Execution.objects.order_by("id").values("id", "status", "lease", "due_at")) == before
    )
    assert not Execution.objects.filter(worker__isnull=False).exists()
    for run in (heard, talked, asleep):
        durable.send_event(run, "go", 1)
    fleet.start("--threads=2")
    assert heard.get_result(timeout=20) == 1
    assert talked.get_result(timeout=20)[2:] == [4, 1, [1]]
    assert asleep.get_result(timeout=20) == {"winner": "heard", "value": 1}
    assert not Execution.objects.filter(suspect=True).exists()


def test_what_a_killed_worker_had_parked_is_woken_in_time_by_another(fleet):
    first = fleet.start("--threads=2")
    fleet.until_serving(first)
    ids = durable.start_many(waits.Naps, [{"seconds": 1.0 + n / 20} for n in range(20)])
    parked(20)
    fleet.start("--threads=2", POLL_SECONDS=1)
    until(lambda: Worker.objects.count() == 2)
    fleet.kill(first)
    for pk in ids:
        durable.get_result(pk, timeout=20)
    rows = Wait.objects.values_list("due_at", "resolved_at")
    assert max(resolved - due for due, resolved in rows) < SECOND


class Crowd:
    """Runs of every kind that waits, and those who see to what they wait for."""

    def __init__(self, runs, draw):
        self.draw = draw
        self.expected = {}
        self.to_send = []
        for number in range(runs):
            self._start(number)
        draw.shuffle(self.to_send)

    def _start(self, number):
        kind = [
            waits.Hears,
            waits.HearsLater,
            waits.Late,
            waits.Calls,
            waits.GivesUp,
            waits.Talks,
            waits.Races,
            waits.Asks,
        ][number % 8]
        run = kind.start({"key": None})
        self.expected[run.pk] = {
            waits.Hears: "x",
            waits.HearsLater: [("go", "x"), {"go": "y", "more": "z"}],
            waits.Late: "late",
            waits.Calls: 42,
            waits.GivesUp: "late",
            waits.Races: {"winner": "heard", "value": "x"},
            waits.Asks: ["approved", ""],
        }.get(kind)
        if kind in (waits.Hears, waits.Races, waits.Talks):
            self.to_send.append((run.pk, [("go", "x")]))
        elif kind is waits.HearsLater:
            self.to_send.append((run.pk, [("go", "x"), ("go", "y"), ("more", "z")]))

    def send_some(self, count):
        for _ in range(min(count, len(self.to_send))):
            pk, events = self.to_send.pop()
            for name, payload in events:
                durable.send_event(pk, name, payload)
        for asked in durable.list_pending_inputs()[:count]:
            try:
                durable.provide_input(asked, value=True)
            except InvalidState:  # answered a moment ago, and not delivered yet
                continue

    def check(self):
        for pk, expected in self.expected.items():
            run = durable.get_execution(pk)
            assert run.status == "completed", run.error
            if expected is None:
                token, started, called, heard, kept = run.result
                recorded = Wait.objects.filter(execution=pk)
                assert token == recorded.get(kind="once").value
                assert started == str(recorded.get(kind="start").value)
                assert (called, heard, kept) == (4, "x", ["x"])
            else:
                assert run.result == expected
            steps = run.steps.values_list("path", "status")
            assert len({path for path, _ in steps}) == len(steps)
        called = Wait.objects.filter(kind__in=["call", "start"])
        children = Execution.objects.filter(parent__isnull=False, kind="workflow")
        assert set(called.values_list("child_id", flat=True)) == {c.pk for c in children}
        assert called.count() == children.count()


def kill_at_random(fleet, *, runs, workers, kills, seed):
    draw = random.Random(seed)
    crowd = Crowd(runs, draw)
    processes = [fleet.start("--threads=2") for _ in range(workers)]
    until(lambda: Wait.objects.exists())
    for _ in range(kills):
        rows = Wait.objects.filter(resolved_at__isnull=False)
        goal = rows.count() + draw.randint(1, runs // kills)
        crowd.send_some(1 + runs // kills)
        until(lambda goal=goal, rows=rows: rows.count() >= goal or not not_ended(), 60)
        victim = draw.randrange(workers)
        fleet.kill(processes[victim])
        processes[victim] = fleet.start("--threads=2")

    def see_through():
        crowd.send_some(20)
        return not not_ended()

    until(see_through, 120)
    crowd.check()
    check_that_nothing_is_left()


def test_a_few_kills_leave_no_run_that_waits_for_ever(fleet):
    kill_at_random(fleet, runs=24, workers=1, kills=2, seed=1)


@pytest.mark.kill
@pytest.mark.parametrize("seed", [2, 3])
def test_many_kills_leave_no_run_that_waits_for_ever(fleet, seed):
    kill_at_random(fleet, runs=400, workers=2, kills=25, seed=seed)
