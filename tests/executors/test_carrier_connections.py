"""A process of another engine whose connections break, and one that has nothing to do."""

import logging

import pytest
from django.db import Error as DatabaseError

import durable_django as durable
from durable_django.executors import carrier as carriers
from durable_django.models import Execution
from durable_django.store import dispatching
from tests.waiting import until

from .engines import Engine

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def refusing(monkeypatch):
    """`refusing(dispatching, "take", 2)`: the database refuses that so often, then no more."""

    def refuse(where, what, times):
        real, left = getattr(where, what), [None] * times

        def refused(*args, **kwargs):
            if left:
                left.pop()
                raise DatabaseError("the connection is gone")
            return real(*args, **kwargs)

        monkeypatch.setattr(where, what, refused)

    return refuse


@pytest.mark.parametrize("times", [1, 2])
def test_a_hint_is_not_lost_with_a_connection(carrier, flow, refusing, times):
    run = flow.start()
    refusing(dispatching, "take", times)
    assert carrier.carry(Engine.sent.pop()[1], 30)
    assert durable.get_result(run, timeout=20) == 1


def test_a_hint_that_is_refused_again_and_again_is_left_to_the_sweeper(carrier, flow, refusing):
    run, other = flow.start(), flow.start()
    refusing(dispatching, "take", carriers.TRIES)
    assert not carrier.carry(Engine.sent[0][1], 30)
    assert Execution.objects.get(pk=run.pk).status == "pending"
    assert carrier.carry(Engine.sent[1][1], 30)
    assert durable.get_result(other, timeout=20) == 1


def test_what_was_driven_was_driven_though_nothing_can_be_handed_over_after_it(
    carrier, flow, refusing, caplog
):
    flow.start()
    refusing(carrier.dispatches, "dispatch", 1)
    with caplog.at_level(logging.WARNING, "durable_django"):
        assert carrier.carry(Engine.sent.pop()[1], 30)
    assert "handed over later" in caplog.text


def test_nothing_is_claimed_once_nobody_waits_for_it(carrier, flow, monkeypatch):
    monkeypatch.setattr(carriers, "BESIDE_SECONDS", 1_000)
    first = flow.start()
    assert carrier.carry(Engine.sent.pop()[1], 30)
    assert durable.get_result(first, timeout=20) == 1
    late = flow.start()
    Execution.objects.update(dispatched_lease=None)  # as if there had been no room for it
    looked = []
    claim = carrier.leader._claim
    monkeypatch.setattr(carrier.leader, "_claim", lambda: looked.append(1) or claim())
    for count in range(1, 4):
        carrier.pool.wake_leader()
        until(lambda count=count: len(looked) >= count)
    assert Execution.objects.get(pk=late.pk).status == "pending"
