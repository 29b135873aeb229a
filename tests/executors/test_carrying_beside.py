"""Beside the run of a hint a process claims what else is ready, and leaves to others theirs."""

import threading
from datetime import timedelta

import pytest

import durable_django as durable
from durable_django import Workflow, step
from durable_django.executors import carrier as carriers
from durable_django.models import Execution, StepRun
from durable_django.store import clock, dispatching, queues, wakeup
from tests.waiting import until

from .engines import Engine, carry_all, forget_gates

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def flow():
    class Flow(Workflow):
        @step
        def first(self):
            return Execution.objects.filter(worker__isnull=False).count()

        @step
        def second(self):
            return self.outputs["first"]

    return Flow


def one_hint(count=1):
    """Of what is ready only so many are handed over."""
    Engine.sent.clear()
    Execution.objects.update(dispatched_lease=None)
    return dispatching.hand_over("default", count)


def statuses(ids):
    rows = dict(Execution.objects.values_list("id", "status"))
    return [rows[pk] for pk in ids]


def test_what_nobody_was_told_of_is_driven_with_it(carrier, flow):
    ids = durable.start_many(flow, [{}] * 20)
    (hint,) = one_hint()
    assert carrier.carry(hint, 30)
    assert statuses(ids) == ["completed"] * 20
    assert StepRun.objects.count() == 40
    assert Engine.sent == []


def test_what_was_handed_over_is_left_to_the_process_that_has_the_hint(carrier, flow):
    ids = durable.start_many(flow, [{}] * 5)
    first, *others = one_hint(3)
    assert carrier.carry(first, 30)
    handed_over = {hint.execution_id for hint in others}
    expected = ["pending" if pk in handed_over else "completed" for pk in ids]
    assert statuses(ids) == expected
    assert carrier.carry(others[0], 30)
    assert carrier.carry(others[1], 30)
    assert statuses(ids) == ["completed"] * 5


def test_a_hint_that_finds_nothing_claims_nothing(carrier, flow):
    run = flow.start()
    (hint,) = one_hint()
    assert carrier.carry(hint, 30)
    ids = durable.start_many(flow, [{}] * 3)
    one_hint(0)
    assert not carrier.carry(hint, 30)
    assert statuses([run.pk, *ids]) == ["completed", "pending", "pending", "pending"]


def test_after_a_moment_it_claims_no_more_and_ends_what_it_has(carrier, monkeypatch):
    monkeypatch.setattr(carriers, "BESIDE_SECONDS", 0.2)
    going_on = threading.Event()

    class Long(Workflow):
        @step
        async def only(self):
            until(going_on.is_set)

    first = durable.start_many(Long, [{}])
    (hint,) = one_hint()
    carrying = threading.Thread(target=carrier.carry, args=(hint, 30))
    carrying.start()
    try:
        until(lambda: carrier.leader._claims_until and not carrier.leader._claims_beside())
        later = durable.start_many(Long, [{}] * 2)
        Execution.objects.filter(pk__in=later).update(dispatched_lease=None)
        carrier.pool.wake_leader()
    finally:
        going_on.set()
        carrying.join(20)
    assert statuses([*first, *later]) == ["completed", "pending", "pending"]
    assert len(Engine.sent) == 4, "once when they were started, and once more at its end"


def test_nothing_waits_behind_a_step_of_which_it_is_not_known_how_long_it_takes(carrier):
    inside, going_on = threading.Event(), threading.Event()

    class Long(Workflow):
        @step
        def only(self):
            inside.set()
            until(going_on.is_set)

    ids = durable.start_many(Long, [{}] * 3)
    (hint,) = one_hint()
    carrying = threading.Thread(target=carrier.carry, args=(hint, 30))
    carrying.start()
    try:
        assert inside.wait(20)
        assert statuses(ids) == ["running", "pending", "pending"]
    finally:
        going_on.set()
        carrying.join(20)


def test_what_waits_behind_a_step_that_turned_out_to_take_long_is_given_back(
    carrier, durable_settings
):
    durable_settings(POLL_SECONDS=0.2)
    inside, going_on = threading.Event(), threading.Event()

    class Flow(Workflow):
        @step
        def only(self):
            if self.input.get("long"):
                inside.set()
                until(going_on.is_set)

    short = durable.start_many(Flow, [{}] * 5)
    (hint,) = one_hint()
    carrier.carry(hint, 30)
    assert statuses(short) == ["completed"] * 5
    ids = durable.start_many(Flow, [{"long": True}, *[{}] * 5])
    (hint,) = one_hint()
    carrying = threading.Thread(target=carrier.carry, args=(hint, 30))
    carrying.start()
    try:
        assert inside.wait(20)
        until(lambda: statuses(ids) == ["running", *["pending"] * 5])
    finally:
        going_on.set()
        carrying.join(20)


@pytest.mark.parametrize(("seconds", "times"), [(0.5, 1), (3_600, 0)])
def test_who_keeps_time_is_told_of_what_is_due_before_they_would_look(
    carrier, monkeypatch, seconds, times
):
    class Sleeps(Workflow):
        slept = durable.sleep_for(seconds)

    told = []
    monkeypatch.setattr(wakeup, "notify_waits", lambda: told.append(1))
    run = Sleeps.start()
    carry_all(carrier)
    assert durable.get_execution(run).status == "sleeping"
    assert len(told) == times


def test_of_many_that_are_due_soon_they_are_told_of_the_first(carrier, monkeypatch):
    told, now = [], clock.now()
    monkeypatch.setattr(wakeup, "notify_waits", lambda: told.append(1))
    monkeypatch.setattr(clock, "now", lambda: now)
    for milliseconds, times in ((300, 1), (400, 1), (200, 2), (250, 2)):
        carrier.leader.parked(now + timedelta(milliseconds=milliseconds))
        assert len(told) == times
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(milliseconds=200))
    carrier.leader.parked(now + timedelta(milliseconds=400))
    assert len(told) == 3, "that time is over"


def test_of_a_limited_queue_no_more_than_may_run(carrier, flow):
    queues.ensure(["default"])
    durable.limit_queue("default", 2)
    ids = durable.start_many(flow, [{}] * 6)
    forget_gates(carrier)
    (hint,) = one_hint()
    carrier.carry(hint, 30)
    carry_all(carrier)
    assert statuses(ids) == ["completed"] * 6
    assert max(durable.get_result(pk) for pk in ids) <= 2


def test_nothing_of_a_queue_that_another_cluster_carries(carrier, flow, settings):
    queues.ensure(["default", "heavy"])
    settings.DURABLE = {**settings.DURABLE, "QUEUES": {"heavy": {"cluster": "heavy"}}}
    run, heavy = flow.start(), flow.start(queue="heavy")
    (hint,) = one_hint()
    assert carrier.carry(hint, 30)
    assert statuses([run.pk, heavy.pk]) == ["completed", "pending"]


def test_those_of_the_first_queue_come_first(installed, flow, settings):
    settings.DURABLE = {**settings.DURABLE, "QUEUES": {"urgent": {}, "default": {}}}
    queues.ensure(["default", "urgent"])
    installed()
    made = carriers.Carrier(Engine(), "default")
    made.start()
    try:
        slow, urgent = flow.start(), flow.start(queue="urgent")
        Execution.objects.update(dispatched_lease=None)
        assert made.dispatches.dispatch(made.queues) == 2
        assert [hint.execution_id for _, hint in Engine.sent[-2:]] == [urgent.pk, slow.pk]
    finally:
        made.stop()
