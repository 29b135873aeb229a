"""The keeper: what is due and what was sent is seen at once, one does not hold up the other, and
nothing that comes while it looks is overlooked. Polling is off, where that is what is tested."""

import threading
from datetime import timedelta

from django.db import IntegrityError, connections, transaction

import durable_django as durable
from durable_django import Workflow, sleep_for, step, wait_for_event
from durable_django.models import Event, Wait
from durable_django.store import clock
from durable_django.worker import keeper as keeping
from tests.waiting import until

PROMPT = timedelta(seconds=2)
# Where others write without a pause, how soon one may write is up to the database and the machine;
# a timer that is held up waits until they stop.
FLOODED = timedelta(seconds=8)


class Waits(Workflow):
    class Meta:
        abstract = True

    heard = wait_for_event("go")

    @step
    def last(self):
        return self.outputs["heard"]


def until_parked(run):
    until(lambda: Wait.objects.filter(execution=run, resolved_at__isnull=True).exists())


def test_a_stream_of_events_holds_no_timer_up(workers):
    """Senders that keep up with who delivers: there is always something new."""
    over = threading.Event()

    class Sink(Workflow):
        stopped = wait_for_event("stop")

    class Nap(Workflow):
        pause = sleep_for(lambda self: self.input["seconds"])

    workers.start()
    sinks = [Sink.start() for _ in range(20)]

    def send_on():
        try:
            while not over.is_set():
                for sink in sinks:
                    durable.send_event(sink, "noise")
        finally:
            connections.close_all()

    senders = [threading.Thread(target=send_on, daemon=True) for _ in range(2)]
    for sender in senders:
        sender.start()
    until(lambda: Event.objects.count() > 100)
    naps = [Nap.start({"seconds": 0.3 + n / 4}) for n in range(8)]
    try:
        for nap in naps:
            nap.get_result(timeout=15)
    finally:
        over.set()
        for sender in senders:
            sender.join(20)
    rows = Wait.objects.filter(kind="sleep").values_list("due_at", "resolved_at")
    assert max(resolved - due for due, resolved in rows) < FLOODED


def test_an_event_that_is_sent_while_the_keeper_looks_is_not_overlooked(
    workers, durable_settings, monkeypatch
):
    durable_settings(POLL_SECONDS=30)
    late = []

    class Two(Waits):
        pass

    look = keeping.waking.outlook

    def look_and_be_overtaken():
        found = look()
        if late:  # committed after the keeper has looked, before it rests
            durable.send_event(late.pop(), "go", "late")
        return found

    workers.start()
    first, second = Two.start(), Two.start()
    until_parked(first)
    until_parked(second)
    monkeypatch.setattr(keeping.waking, "outlook", look_and_be_overtaken)
    late.append(second.pk)
    durable.send_event(first, "go", "soon")
    assert first.get_result(timeout=10) == "soon"
    assert second.get_result(timeout=10) == "late"


def test_an_event_is_heard_without_waiting_for_a_poll(workers, durable_settings):
    durable_settings(POLL_SECONDS=30)

    class Hears(Waits):
        pass

    workers.start()
    run = Hears.start()
    until_parked(run)
    event = durable.send_event(run, "go", 1)
    assert run.get_result(timeout=10) == 1
    assert Wait.objects.get().resolved_at - event.created_at < PROMPT


def test_what_another_worker_parked_is_heard_without_waiting_for_a_poll(workers, durable_settings):
    durable_settings(POLL_SECONDS=30)

    class Hears(Waits):
        pass

    first = workers.start(queues=["default"])
    run = Hears.start()
    until_parked(run)
    first.stop()
    workers.wait(first)
    workers.start(queues=["default"])
    event = durable.send_event(run, "go", 1)
    assert run.get_result(timeout=10) == 1
    assert Wait.objects.get().resolved_at - event.created_at < PROMPT


def test_a_sleep_that_is_parked_while_the_keeper_rests_is_no_poll_late(workers, durable_settings):
    durable_settings(POLL_SECONDS=30)

    class Nap(Workflow):
        pause = sleep_for(lambda self: self.input["seconds"])

    service = workers.start()
    until(lambda: service.pool.leader_waits)
    long, short = Nap.start({"seconds": 3600}), Nap.start({"seconds": 0.3})
    short.get_result(timeout=10)
    wait = Wait.objects.get(execution=short)
    assert wait.resolved_at - wait.due_at < timedelta(seconds=1)
    assert durable.get_execution(long).status == "sleeping"


def test_events_that_were_sent_before_any_worker_lived_are_delivered_by_the_first(
    workers, durable_settings
):
    durable_settings(POLL_SECONDS=30)

    class Hears(Waits):
        pass

    first = workers.start()
    runs = [Hears.start() for _ in range(3)]
    for run in runs:
        until_parked(run)
    first.stop()
    workers.wait(first)
    for n, run in enumerate(runs):
        durable.send_event(run, "go", n)
    durable.publish_event("go", payload="to all")
    workers.start()
    assert [run.get_result(timeout=10) for run in runs] == [0, 1, 2]
    until(lambda: not Event.objects.filter(examined_at__isnull=True).exists())


def test_one_row_that_cannot_be_woken_holds_no_other_up(workers, monkeypatch, durable_settings):
    """A defect that one row meets each time must not stop the timers of all others."""
    durable_settings(POLL_SECONDS=0.1)

    class Nap(Workflow):
        pause = sleep_for(lambda self: self.input["seconds"])

    bad = Nap.start({"seconds": 0.2})
    make_ready = keeping.waking.make_ready

    def fail_for_one(queue_of, *args, **options):
        if bad.pk in queue_of:
            raise IntegrityError("this row is refused")
        return make_ready(queue_of, *args, **options)

    monkeypatch.setattr(keeping.waking, "make_ready", fail_for_one)
    workers.start()
    until_parked(bad)
    others = [Nap.start({"seconds": 0.3}) for _ in range(3)]
    for other in others:
        other.get_result(timeout=10)
    assert durable.get_execution(bad).status == "sleeping"
    assert clock.now() > Wait.objects.get(execution=bad).due_at


def test_a_burst_does_not_end_beside_what_its_keeper_delivers(workers, monkeypatch):
    # race: delivered-beside-a-burst
    delivering, looked, latch = threading.Event(), threading.Event(), workers.latch()
    deliver_all, look = keeping.delivering.deliver_all, keeping.Keeper.look

    class Hears(Waits):
        pass

    parking = workers.start()
    run = Hears.start()
    until_parked(run)
    parking.stop()
    workers.wait(parking)

    def delivered_slowly(*arguments):
        if threading.current_thread().name != "durable-keeper" or delivering.is_set():
            return deliver_all(*arguments)
        with transaction.atomic():
            found = deliver_all(*arguments)
            delivering.set()
            assert latch.wait(20)
        return found

    def look_and_tell(keeper):
        found = look(keeper)
        looked.set()
        return found

    monkeypatch.setattr(keeping.delivering, "deliver_all", delivered_slowly)
    monkeypatch.setattr(keeping.Keeper, "look", look_and_tell)
    durable.send_event(run, "go", "soon")
    service = workers.start(burst=True)
    assert delivering.wait(20)
    assert not looked.wait(0.3), "it waits for what is under way"
    latch.set()
    assert run.get_result(timeout=20) == "soon"
    workers.wait(service)
