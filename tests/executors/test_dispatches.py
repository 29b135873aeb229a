"""Dispatches: what becomes ready is handed over by whoever made it so, as far as there is room."""

import logging
from datetime import timedelta

import pytest
from django.db import transaction

import durable_django as durable
from durable_django.executors.dispatches import Dispatches, queues_of
from durable_django.models import Execution
from durable_django.store import clock, dispatching, gates, leases, wakeup
from durable_django.store.dispatching import Hint

from .engines import Broken, Engine, Narrow, Within

pytestmark = pytest.mark.django_db(transaction=True)


def sent():
    """The hints that were sent, in order."""
    return [hint for _, hint in Engine.sent]


# -- when --------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", [Engine, Within])
def test_a_start_hands_the_run_over(installed, flow, engine):
    installed(engine)
    run = flow.start()
    assert sent() == [Hint(run.pk, 0)]


def test_an_engine_beside_the_database_is_told_after_the_commit(installed, flow):
    installed(Engine)
    with transaction.atomic():
        run = flow.start()
        assert sent() == []
    assert sent() == [Hint(run.pk, 0)]


def test_an_engine_in_the_database_is_told_in_the_transaction(installed, flow):
    installed(Within)
    with transaction.atomic():
        run = flow.start()
        assert sent() == [Hint(run.pk, 0)]


@pytest.mark.parametrize("engine", [Engine, Within])
def test_a_start_that_is_rolled_back_was_never_handed_over(installed, flow, engine):
    installed(engine)
    with transaction.atomic():
        flow.start()
        transaction.set_rollback(True)
    assert Execution.objects.count() == 0
    assert engine is Within or sent() == []


def test_whatever_makes_a_run_ready_hands_it_over(installed, flow):
    installed()
    run = flow.start()
    durable.pause(run)
    durable.resume(run)
    assert sent() == [Hint(run.pk, 0)], "that hint is as good as before"
    durable.cancel(run)
    durable.start_many(flow, [{}, {}])
    with_key = flow.start(idempotency_key="once")
    assert flow.start(idempotency_key="once").pk == with_key.pk
    wanted = Execution.objects.values_list("pk", flat=True)
    assert sorted(hint.execution_id for hint in sent()) == sorted(wanted)


def test_what_is_made_ready_with_others_that_are_not_named_is_handed_over_in_order(installed, flow):
    installed()
    first, second = durable.start_many(flow, [{}] * 2)
    Engine.sent.clear()
    Execution.objects.update(dispatched_lease=None)
    for named in ([], [second]), ([second], []):
        with transaction.atomic(), wakeup.announcing():
            for ids in named:
                wakeup.notify("default", ids)
        assert [hint.execution_id for hint in sent()] == [first, second]
        Engine.sent.clear()
        Execution.objects.update(dispatched_lease=None)


def test_the_most_urgent_of_a_transaction_comes_first(installed, flow):
    installed(Narrow)
    with transaction.atomic(), wakeup.announcing():
        runs = [flow.start(priority=priority) for priority in (1, 3, 2)]
    assert [hint.execution_id for hint in sent()] == [runs[1].pk, runs[2].pk]


def test_what_starts_later_is_not_handed_over_now(installed, flow):
    installed()
    flow.start(scheduled_at=clock.now() + timedelta(hours=1))
    assert sent() == []


def test_a_run_of_another_queue_goes_to_its_cluster(installed, flow, durable_settings):
    durable_settings(QUEUES={"heavy": {"cluster": "big"}, "light": {}})
    installed()
    for queue in ("heavy", "light", "default"):
        flow.start(queue=queue)
    assert [cluster for cluster, _ in Engine.sent] == ["big", "default", "default"]
    assert queues_of(Engine(), "big") == ["heavy"]
    assert queues_of(Engine(), "default") == ["light", "default"]


def test_a_run_of_a_queue_that_nobody_serves_stays_where_it_is(installed, flow):
    dispatches = installed()
    flow.start(queue="nobodys")
    wakeup.notify("nobodys")
    assert sent() == []
    assert dispatches.dispatch(queues_of(Engine(), "default")) == 0


# -- how many ----------------------------------------------------------------------------------


def test_no_more_is_handed_over_than_can_start_soon(installed, flow):
    installed(Narrow)
    durable.start_many(flow, [{}] * 5)
    assert len(sent()) == 2
    flow.start()
    assert len(sent()) == 2
    assert dispatching.untaken(["default"]) == 2


def test_a_cluster_of_more_processes_gets_more(installed, flow):
    for _ in range(3):
        leases.register(
            hostname="there",
            pid=1,
            pid_space="",
            queues=["default"],
            threads=1,
            executor="narrow",
            cluster="default",
            package_version="",
        )
    installed(Narrow)
    durable.start_many(flow, [{}] * 9)
    assert len(sent()) == 6


def test_the_rest_is_handed_over_when_there_is_room_again(installed, flow):
    dispatches = installed(Narrow)
    first, second, third = durable.start_many(flow, [{}] * 3)
    assert dispatches.dispatch(["default"]) == 0
    worker = leases.register(
        hostname="", pid=1, pid_space="", queues=[], threads=1, executor="x", package_version=""
    )
    assert dispatching.take(worker, sent()[0], {})[0].id == first
    assert dispatches.dispatch(["default"]) == 1
    assert [hint.execution_id for hint in sent()] == [first, second, third]


def test_what_was_handed_over_by_others_takes_room_at_once(installed, flow):
    installed(Narrow)
    here = wakeup.announce
    first = flow.start()
    installed(Narrow)  # another process
    second = flow.start()
    wakeup.announce = here
    flow.start()
    assert [hint.execution_id for hint in sent()] == [first.pk, second.pk]


@pytest.mark.parametrize("queue", ["default", "light"])
def test_a_place_that_is_free_goes_to_the_most_urgent_and_not_to_the_newest(
    installed, flow, durable_settings, queue
):
    durable_settings(QUEUES={"light": {}})
    installed(Narrow)
    urgent = durable.start_many(flow, [{}] * 4, priority=9, queue="light")
    worker = leases.register(
        hostname="", pid=1, pid_space="", queues=[], threads=1, executor="x", package_version=""
    )
    assert dispatching.take(worker, sent()[0], {})[0].id == urgent[0]
    installed(Narrow)  # another process, which knows of the free place
    with transaction.atomic():
        flow.start(queue=queue)
        assert len(sent()) == 2, "not in somebody's transaction: others would be held by it"
    assert [hint.execution_id for hint in sent()] == urgent[:3]


def test_what_waits_in_a_queue_that_is_paused_keeps_no_place_from_others(
    installed, flow, durable_settings
):
    durable_settings(QUEUES={"light": {}})
    flow.start(queue="light")
    durable.pause_queue("light")
    installed(Within)
    with transaction.atomic():
        run = flow.start()
        assert sent() == [Hint(run.pk, 0)]


# -- what goes wrong ---------------------------------------------------------------------------


@pytest.mark.parametrize("is_within", [False, True])
def test_an_engine_that_is_away_stops_nobody(installed, flow, is_within, monkeypatch, caplog):
    monkeypatch.setattr(Broken, "is_transactional", lambda self: is_within)
    dispatches = installed(Broken)
    with caplog.at_level(logging.ERROR, "durable_django"), transaction.atomic():
        run = flow.start()
    assert "no broker" in caplog.text
    assert Execution.objects.get(pk=run.pk).dispatched_lease is None
    # Somebody else, later.
    assert Dispatches(Engine()).dispatch(["default"]) == 1
    assert sent() == [Hint(run.pk, 0)]
    assert dispatches.dispatch(["default"]) == 0


@pytest.mark.parametrize(
    ("where", "what"),
    [
        (dispatching, "hand_over_these"),
        (dispatching, "is_any_left"),
        (dispatching, "untaken"),
        (gates, "read_gates"),
    ],
)
def test_a_refusal_of_the_database_there_leaves_the_transaction_as_it_was(
    installed, flow, durable_settings, monkeypatch, caplog, where, what
):
    def refused(*args, **kwargs):
        Execution.objects.create(id=None)

    durable_settings(QUEUES={"light": {}})
    installed()
    monkeypatch.setattr(where, what, refused)
    with caplog.at_level(logging.ERROR, "durable_django"), transaction.atomic():
        run = flow.start()
        assert Execution.objects.filter(pk=run.pk).exists()
    assert "nothing is handed over now" in caplog.text
    assert Execution.objects.get(pk=run.pk).status == "pending"
