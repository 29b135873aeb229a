"""Races of what parks with what wakes, on real connections, again and again: an event with the
parking of its run, with its timeout, with a cancel; each has one outcome and nothing is stuck."""

import queue
import random
from collections import Counter
from datetime import timedelta

import pytest

import durable_django as durable
from durable_django import (
    InvalidState,
    Workflow,
    foreach,
    hours,
    race,
    sleep_for,
    step,
    wait_for_all,
    wait_for_any,
    wait_for_event,
)
from durable_django.models import Event, Execution, Wait
from durable_django.store import clock, delivering, racing, waits, waking
from durable_django.store.claiming import claim, release
from durable_django.worker import committer
from tests.store.rows import make_worker
from tests.waiting import until
from tests.worker.waits_racing import (
    RACE_SECONDS,
    check_that_all_is_settled,
    jitter,
    not_before,
    runs_of,
    side_by_side,
)


@pytest.fixture
def parking(monkeypatch):
    """A queue of what is parked at this moment: some is told before its wait is written, some
    after, all before it is committed."""
    told = queue.SimpleQueue()
    insert = waits.insert_waits

    def insert_and_tell(wave, locked):
        parked = [checkpoint.wait for checkpoint in wave]
        for wait in parked[::2]:
            told.put(wait)
        ready = insert(wave, locked)
        for wait in parked[1::2]:
            told.put(wait)
        return ready

    monkeypatch.setattr(waits, "insert_waits", insert_and_tell)
    return told


def sizes(sent, published):
    """Of events that are sent to a run and of published ones: how many runs, a few and many."""
    return [
        pytest.param(is_published, size, marks=marks, id=f"{name}-{size}")
        for is_published, name, both in ((False, "sent", sent), (True, "published", published))
        for size, marks in zip(both, ((), pytest.mark.slow), strict=True)
    ]


def all_ended():
    return not Execution.objects.filter(finished_at__isnull=True).exists()


def send_quietly(run_id, name, payload=None, **options):
    try:
        return durable.send_event(run_id, name, payload, **options)
    except InvalidState:
        return None


def sending(parking, send):
    """A body that calls `send(wait)` for each wait that is parked, until all runs have ended."""

    def body():
        while True:
            try:
                wait = parking.get(timeout=0.1)
            except queue.Empty:
                if all_ended():
                    return
                continue
            send(wait)

    return body


class Go:
    """Sends what a wait waits for, numbered by run and name."""

    def __init__(self, published):
        self.published = published
        self.sent = Counter()

    def __call__(self, wait):
        names = Wait(names_text=wait.names_text).names or [wait.name]
        for name in names if wait.kind == "all" else names[:1]:
            number = self.sent[wait.execution_id, name]
            self.sent[wait.execution_id, name] += 1
            if self.published:
                durable.publish_event(name, key=wait.key, payload=number, keep=60)
            else:
                send_quietly(wait.execution_id, name, number)


@pytest.mark.parametrize(("published", "runs"), sizes(sent=(40, 700), published=(10, 150)))
def test_no_event_that_is_sent_while_its_run_parks_is_lost(workers, parking, published, runs):
    def key(self):
        return self.input["key"] if published else None

    class Three(Workflow):
        first = wait_for_event("go", key=key)
        second = wait_for_any(["go", "never"], key=key)
        third = wait_for_all(["go", "more"], key=key)

        @step
        def last(self):
            return [self.outputs[name] for name in ("first", "second", "third")]

    ids = durable.start_many(Three, [{"key": str(n)} for n in range(runs)])
    for _ in range(2):
        workers.start(threads=2)
    go = Go(published)
    # One sender: the events of a run have to be sent in their order.
    side_by_side(sending(parking, go))
    check_that_all_is_settled(runs)
    for pk in ids:
        assert durable.get_execution(pk).result == [0, ("go", 1), {"go": 2, "more": 0}]


@runs_of(20, 250)
def test_members_that_park_side_by_side_each_get_their_event(workers, parking, runs):
    class Many(Workflow):
        with foreach(lambda self: range(4)) as each:
            answer = wait_for_event("answer", key=lambda self: str(self.index))

        @step
        def last(self):
            return list(self.outputs["each"])

    ids = durable.start_many(Many, [{}] * runs)
    for _ in range(2):
        workers.start(threads=2)

    def send(wait):
        send_quietly(wait.execution_id, "answer", int(wait.key) * 10, key=wait.key)

    side_by_side(sending(parking, send), sending(parking, send))
    check_that_all_is_settled(runs)
    for pk in ids:
        assert durable.get_execution(pk).result == [0, 10, 20, 30]


@runs_of(20, 250)
def test_members_that_park_side_by_side_for_one_name_share_its_events_out(workers, parking, runs):
    class Many(Workflow):
        with foreach(lambda self: range(4)) as each:
            answer = wait_for_event("answer")

        @step
        def last(self):
            return sorted(self.outputs["each"])

    ids = durable.start_many(Many, [{}] * runs)
    for pk in ids[::2]:  # kept, before any of its members waits
        durable.send_event(pk, "answer", -2)
        durable.send_event(pk, "answer", -1)
    for _ in range(2):
        workers.start(threads=2)
    sent = Counter()

    def send(wait):
        number = sent[wait.execution_id]
        sent[wait.execution_id] += 1
        send_quietly(wait.execution_id, "answer", number)

    side_by_side(sending(parking, send))
    check_that_all_is_settled(runs)
    for pk in ids[::2]:
        assert durable.get_execution(pk).result == [-2, -1, 0, 1]
    for pk in ids[1::2]:
        assert durable.get_execution(pk).result == [0, 1, 2, 3]


@pytest.mark.parametrize(("published", "runs"), sizes(sent=(80, 2000), published=(30, 500)))
def test_an_event_and_a_timeout_at_one_moment_have_one_outcome(workers, parking, published, runs):
    class Late(Workflow):
        answer = wait_for_event(
            "go",
            key=lambda self: str(self.input["n"]) if published else None,
            timeout=lambda self: self.input["seconds"],
            timeout_value="late",
        )

        @step
        def last(self):
            return self.outputs["answer"]

    draw = random.Random(runs)
    spread = runs / (60 if published else 250)
    # Of ten one is sent at once, and one never: on a slow machine all others may be late.
    inputs = [
        {"n": n, "seconds": 0.3 + draw.uniform(0, spread) if n % 10 else RACE_SECONDS}
        for n in range(runs)
    ]
    ids = durable.start_many(Late, inputs)
    early = set(ids[::10])
    for _ in range(2):
        workers.start(threads=2)
    parked = [parking.get(timeout=RACE_SECONDS) for _ in ids]
    keys = {pk: str(n) for n, pk in enumerate(ids)}
    moments = [
        clock.now() if wait.execution_id in early else clock.after(wait.due_at, jitter(draw, 0.03))
        for wait in parked
    ]
    plan = sorted(zip(moments, parked, strict=True), key=lambda pair: pair[0])
    never = set(ids[5::10])

    def send_some(which):
        def body():
            for moment, wait in plan[which::2]:
                not_before(moment)
                if wait.execution_id in never:
                    continue
                if published:
                    durable.publish_event("go", key=keys[wait.execution_id], payload="in time")
                else:
                    send_quietly(wait.execution_id, "go", "in time")

        return body

    side_by_side(send_some(0), send_some(1))
    check_that_all_is_settled(runs)
    outcomes = Counter()
    for pk in ids:
        run, wait = durable.get_execution(pk), Wait.objects.get(execution=pk)
        outcomes[run.result] += 1
        if run.result == "in time":
            assert (wait.status, wait.value) == ("completed", "in time")
            (event,) = Event.objects.filter(wait_id=wait.pk)
            assert event.created_at <= wait.due_at
        else:
            assert (run.result, wait.status) == ("late", "timed_out")
            assert wait.resolved_at >= wait.due_at
            assert not Event.objects.filter(execution=pk, status="delivered").exists()
    assert set(outcomes) == {"late", "in time"}


@runs_of(40, 800)
def test_a_race_of_an_event_with_a_sleep_is_won_once(workers, parking, runs):
    class First(Workflow):
        with race() as first:
            paid = wait_for_event("go")
            expired = sleep_for(lambda self: self.input["seconds"])

        @step
        def last(self):
            return self.outputs["first"]["winner"]

    draw = random.Random(runs)
    spread = runs / 100
    ids = durable.start_many(
        First, [{"seconds": 0.3 + draw.uniform(0, spread)} for _ in range(runs)]
    )
    for _ in range(2):
        workers.start(threads=2)
    both = [parking.get(timeout=RACE_SECONDS) for _ in range(2 * runs)]
    asleep = sorted((w for w in both if w.kind == "sleep"), key=lambda wait: wait.due_at)
    assert len(asleep) == runs

    def send_all():
        for wait in asleep:
            not_before(clock.after(wait.due_at, jitter(draw, 0.03)))
            send_quietly(wait.execution_id, "go")

    side_by_side(send_all)
    check_that_all_is_settled(runs)
    for pk in ids:
        winner = durable.get_execution(pk).result
        ended = dict(Wait.objects.filter(execution=pk).values_list("kind", "status"))
        won, lost = ("event", "sleep") if winner == "paid" else ("sleep", "event")
        # Both may come to their end before the first of them has told its parent.
        assert ended[won] == "completed"
        assert ended[lost] in ("cancelled", "completed")


@pytest.fixture
def parked(workers):
    """A race that waits for its event or an hour, and no worker any more."""

    class First(Workflow):
        with race() as first:
            slept = sleep_for(hours(1))
            heard = wait_for_event("go")

    run = First.start()
    parking = workers.start()
    until(lambda: run.waits.filter(resolved_at=None).count() == 2)
    parking.stop()
    workers.wait(parking)
    yield run
    clock.reset()


@pytest.fixture
def overdue(parked):
    """Its event was sent before its hour was over, and nobody has looked since: who has claimed
    the member with the event, and the run."""
    durable.send_event(parked, "go", "x")
    clock.advance(hours(1))
    worker = make_worker()
    delivering.deliver_all(worker)
    waking.wake_due(worker)
    [heard] = claim(worker, ["default"], 1)
    assert heard.path == "first/heard"
    return worker, heard, parked


def test_of_two_that_two_workers_have_the_one_that_was_over_first_wins(
    workers, overdue, monkeypatch
):
    worker, heard, run = overdue
    monkeypatch.setattr(racing, "YIELDING", hours(1))
    yielded, is_overtaken = [], racing.is_overtaken

    def noting(checkpoint):
        found = is_overtaken(checkpoint)
        yielded.append(found)
        return found

    monkeypatch.setattr(committer, "is_overtaken", noting)
    workers.start()
    until(lambda: yielded.count(True) >= 2)
    assert durable.get_execution(run).status == "waiting"
    release(worker, {heard.id: heard.lease})
    assert run.get_result(timeout=20) == {"winner": "heard", "value": "x"}


def test_an_event_that_came_after_the_time_does_not_win_though_it_is_delivered_before_that_is_woken(
    workers, parked, monkeypatch
):
    monkeypatch.setattr(racing, "YIELDING", hours(1))
    clock.advance(hours(1))
    durable.send_event(parked, "go", "x")
    with monkeypatch.context() as patch:
        patch.setattr(waking, "wake_due", lambda worker_id: 0)
        workers.start()
        until(lambda: Execution.objects.filter(path="first/heard", status="running").exists())
    assert parked.get_result(timeout=20) == {"winner": "slept", "value": None}


def test_a_worker_that_does_not_go_on_is_not_waited_for_long(workers, overdue, monkeypatch):
    monkeypatch.setattr(racing, "YIELDING", timedelta(milliseconds=50))
    workers.start()
    assert overdue[2].get_result(timeout=20) == {"winner": "slept", "value": None}
