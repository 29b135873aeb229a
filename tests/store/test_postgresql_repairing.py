"""Repairs in somebody's open transaction: nobody waits for them, and nobody sees them half done."""

import pytest

from durable_django.engine.state import from_snapshot
from durable_django.exceptions import InvalidState
from durable_django.store.claiming import claim
from durable_django.store.editing import edit_context
from durable_django.store.going_on import retry
from durable_django.store.skipping import skip

from .rows import OpenTransaction, at_once, make_run, make_worker, now_of
from .test_repairing import failed, shop, verbs_of  # noqa: F401  the fixture is used by itself

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def worker(db):
    return make_worker()


@pytest.mark.parametrize("commits", [True, False])
def test_a_skip_that_is_not_committed_holds_no_worker_up(worker, commits):
    run = failed(worker)
    other = make_run()
    with OpenTransaction(lambda: skip(run.id, 1, None, None), commits=commits):
        assert [each.id for each in claim(worker, ["default"], 9)] == [other.pk]
        assert now_of(run.id).status == "failed"
    found = claim(worker, ["default"], 9)
    assert [each.id for each in found] == ([run.id] if commits else [])


def test_an_edit_that_is_not_committed_lets_the_run_wait_and_no_other(worker):
    run, other = make_run(), make_run()
    with OpenTransaction(lambda: edit_context(run.pk, {"n": "2"}, [])):
        assert [each.id for each in claim(worker, ["default"], 9)] == [other.pk]
    (claimed,) = claim(worker, ["default"], 9)
    assert from_snapshot(claimed.snapshot).context == {"n": "2"}


@pytest.mark.parametrize("commits", [True, False])
def test_who_comes_second_waits_for_the_first_to_end(worker, commits):
    run = failed(worker)
    first = OpenTransaction(lambda: retry(run.id, None, node="n1"), commits=commits)
    with first:
        second, _ = at_once(lambda: skip(run.id, 1, None, None), first.end)
    assert isinstance(second, InvalidState) is commits
    assert verbs_of(run.id) == (["retry"] if commits else ["skip"])


def test_an_edit_waits_for_a_claim_and_is_refused(worker):
    run = make_run()
    with OpenTransaction(lambda: claim(worker, ["default"], 1)) as other:
        edited, _ = at_once(lambda: edit_context(run.pk, {"n": "2"}, []), other.end)
    assert isinstance(edited, InvalidState)
    assert edited.status == "running"
