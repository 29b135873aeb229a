"""The cleaner: a worker deletes what retention says, beside everything else it does."""

import logging
import threading

import pytest
from django.db import OperationalError

from durable_django import Workflow, days, step
from durable_django.models import Execution
from durable_django.store import clock, retention
from durable_django.worker import cleaner
from durable_django.worker.cleaner import Cleaner
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(cleaner, "ROUND_SECONDS", 0.0)


class Plain(Workflow):
    class Meta:
        abstract = True
        retention = days(1)

    @step
    def work(self):
        return 1


def test_a_worker_deletes_what_ended_long_ago(workers, caplog):
    class Kept(Plain):
        class Meta:
            retention = days(100)

    class Gone(Plain):
        pass

    workers.start()
    kept, gone = Kept.start(), Gone.start()
    kept.get_result(timeout=20)
    gone.get_result(timeout=20)
    clock.advance(days(2))
    try:
        with caplog.at_level(logging.INFO, logger="durable_django.worker"):
            until(lambda: not Execution.objects.filter(pk=gone.pk).exists())
            until(lambda: "deleted 1 runs that ended long ago" in caplog.text)
    finally:
        clock.reset()
    assert Execution.objects.filter(pk=kept.pk).exists()


def test_what_goes_wrong_in_a_round_is_told_and_tried_again(monkeypatch, caplog):
    errors = [ValueError("broken"), OperationalError("away")]
    came = threading.Event()

    def fail():
        if errors:
            raise errors.pop(0)
        came.set()
        return 0

    monkeypatch.setattr(retention, "prune_workers", fail)
    rounds = Cleaner()
    while not came.is_set():
        rounds.look(None)
        rounds._thread.join(20)
    rounds.stop()
    assert "the cleaner failed" in caplog.text
    assert "nothing is deleted now: away" in caplog.text


def test_one_round_at_a_time_and_none_after_the_end(monkeypatch):
    begun, go_on = [], threading.Event()

    def slow():
        begun.append(threading.current_thread())
        assert go_on.wait(20)
        return 0

    monkeypatch.setattr(retention, "prune_workers", slow)
    rounds = Cleaner()
    rounds.look(None)
    until(lambda: begun)
    rounds.look(None)
    go_on.set()
    rounds.stop()
    rounds.look(None)
    assert len(begun) == 1
    assert not begun[0].is_alive()


def test_rounds_come_a_minute_apart_or_sooner_while_there_is_more(monkeypatch):
    monkeypatch.setattr(cleaner, "ROUND_SECONDS", 60.0)
    monkeypatch.setattr(retention, "is_any", lambda: True)
    more = [True, False]

    class Rounds:
        def run(self, worker_id, seconds):
            return retention.Pruned(is_more=more.pop(0))

    found = Cleaner()
    found._rounds = Rounds()
    found._next_round = 1e12
    found.clean(None)
    soon = found._next_round
    assert soon < 1e12
    found._next_round = 1e12
    found.clean(None)
    assert found._next_round == 1e12
