"""What only a database with many writers can show of queues."""

import pytest

from durable_django.store import queues
from durable_django.store.claiming import claim
from durable_django.store.starting import insert_many

from .rows import OPTIONS, OpenTransaction, make_run, make_worker, now_of

pytestmark = pytest.mark.django_db(transaction=True)


def limit(places):
    return queues.limit("default", places, "", None)


def test_an_operator_who_keeps_a_limited_queue_locked_holds_up_no_other_queue():
    worker = make_worker()
    limit(5)
    run, other = make_run(), make_run(queue="low")
    with OpenTransaction(lambda: limit(7)):
        assert [found.id for found in claim(worker, ["default", "low"], 5)] == [other.pk]
    assert [found.id for found in claim(worker, ["default", "low"], 5)] == [run.pk]


def test_a_claim_that_is_not_yet_committed_counts():
    worker, other = make_worker(), make_worker()
    insert_many(OPTIONS, ["{}"] * 9)
    limit(3)
    with OpenTransaction(lambda: claim(worker, ["default"], 2)) as open_claim:
        assert claim(other, ["default"], 9) == []
    assert len(claim(other, ["default"], 9)) == 1
    assert all(now_of(run.id).worker_id == worker for run in open_claim.gave)


def test_a_claim_that_is_rolled_back_counts_for_nothing():
    worker, other = make_worker(), make_worker()
    insert_many(OPTIONS, ["{}"] * 9)
    limit(3)
    with OpenTransaction(lambda: claim(worker, ["default"], 2), commits=False):
        pass
    assert len(claim(other, ["default"], 9)) == 3
