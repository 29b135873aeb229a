"""Timers fire within a second of their time while a worker lives, whatever else it does.

Compared are the times in the rows, all of them the database's.
"""

import itertools
import threading
from datetime import timedelta

import durable_django as durable
from durable_django import (
    Workflow,
    call_workflow,
    parallel,
    sleep_for,
    step,
    wait_for_approval,
    wait_for_event,
)
from durable_django.models import Execution, Wait
from durable_django.store import clock
from tests.waiting import until

SECOND = timedelta(seconds=1)


def lateness_of_waits():
    rows = Wait.objects.filter(due_at__isnull=False).values_list("due_at", "resolved_at")
    return [resolved - due for due, resolved in rows]


def lateness_of_runs():
    rows = Execution.objects.filter(timeout_at__isnull=False, status="failed")
    found = rows.values_list("timeout_at", "finished_at")
    return [finished - due for due, finished in found]


def check(lateness, count):
    assert len(lateness) == count
    assert timedelta(0) <= min(lateness)
    assert max(lateness) < SECOND


def until_ended():
    until(lambda: not Execution.objects.filter(finished_at__isnull=True).exists())


def seconds(self):
    return self.input["seconds"]


class Never(Workflow):
    class Meta:
        abstract = True

    begun = wait_for_event("never")


def test_every_kind_of_wait_ends_within_a_second_of_its_time(workers):
    class Child(Never):
        pass

    class Waits(Workflow):
        with parallel() as all_kinds:
            slept = sleep_for(seconds)
            heard = wait_for_event("never", timeout=seconds, timeout_value=None)
            asked = wait_for_approval(timeout=seconds, timeout_value="rejected")
            called = call_workflow(Child, timeout=seconds, timeout_value=None)

            @step
            def inside(self):
                return self.wait_for_event("never", timeout=seconds(self), timeout_value=None)

    workers.start()
    durable.start_many(Waits, [{"seconds": n * 0.17} for n in range(1, 11)])
    until(lambda: Wait.objects.filter(resolved_at__isnull=False).exists())
    until_ended()
    check(lateness_of_waits(), 50)


def test_a_workflow_timeout_fires_within_a_second_of_its_time(workers):
    class Parked(Never):
        pass

    workers.start()
    for n in range(1, 11):
        Parked.start(timeout=n * 0.17)
    Parked.start(timeout=0.5, queue="nobody serves it")
    Parked.start(timeout=0.5, scheduled_at=clock.now() + timedelta(seconds=0.2))
    until_ended()
    check(lateness_of_runs(), 12)


def test_what_is_over_before_anybody_looked_again_is_ended_within_a_second(workers):
    """Nobody is told of a start in a queue that this worker does not serve."""

    class Parked(Never):
        pass

    service = workers.start()
    until(lambda: service.pool.leader_waits)
    for _ in range(20):
        Parked.start(timeout=0.01, queue="another")
        before = clock.now() + timedelta(seconds=0.07)
        until(lambda before=before: clock.now() > before)
    until_ended()
    check(lateness_of_runs(), 20)


def test_a_worker_whose_threads_are_all_held_keeps_time(workers):
    latch, inside = workers.latch(), threading.Event()

    class Holds(Workflow):
        @step(at_most_once=True)
        def only(self):
            inside.set()
            assert latch.wait(20)

    class Late(Workflow):
        heard = wait_for_event("never", timeout=seconds, timeout_value=None)

    class Parked(Never):
        pass

    workers.start(threads=1)
    durable.start_many(Late, [{"seconds": 0.5 + n / 10} for n in range(10)])
    durable.start_many(Parked, [{}] * 5, timeout=1)
    until(lambda: Wait.objects.count() == 15)
    Holds.start()
    assert inside.wait(20)
    until(lambda: not Wait.objects.filter(resolved_at__isnull=True).exists())
    check(lateness_of_waits(), 10)
    check(lateness_of_runs(), 5)
    latch.set()
    until_ended()


def test_a_retry_and_a_sleep_of_a_compensation_are_timers_too(workers):
    class Undone(Workflow):
        @step
        def first(self): ...

        @first.compensate
        def back(self):
            self.sleep_for(0.4)

        @step
        def last(self):
            raise ValueError

    workers.start()
    ids = durable.start_many(Undone, [{}] * 5)
    until_ended()
    check(lateness_of_waits(), 5)
    assert {durable.get_execution(pk).status for pk in ids} == {"compensated"}


def test_timers_that_come_due_one_after_the_other_fire_in_their_order(workers):
    class Naps(Workflow):
        pause = sleep_for(seconds)

    workers.start()
    numbers = [7, 2, 9, 4, 1, 8, 3, 6, 5]
    durable.start_many(Naps, [{"seconds": 0.5 + n / 20} for n in numbers])
    until(lambda: Wait.objects.count() == len(numbers))
    until_ended()
    rows = list(Wait.objects.order_by("due_at").values_list("due_at", "resolved_at"))
    for (_, before), (_, after) in itertools.pairwise(rows):
        assert before <= after
    check(lateness_of_waits(), len(numbers))
