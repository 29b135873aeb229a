"""Random runs that are paused, resumed, cancelled and let go on at any moment, then fail or are
cancelled for good: what had completed is undone, once, in reverse, and nothing pauses that."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import durable_django as durable_api
from durable_django import Fatal, InvalidState, RetryAfter
from durable_django.models import AuditEntry, Execution
from durable_django.testing import advance, isolate_registry, reset
from durable_django.worker.inline import InlineDriver
from tests.examples import examples
from tests.scenarios.compensation_flows import Saga, trees
from tests.scenarios.test_compensation_properties import check

pytestmark = pytest.mark.django_db

ROUNDS_MAX = 30


class Meddler:
    """Somebody who stops the run and lets it go on, between the bodies and before or after each."""

    def __init__(self, seed):
        self.random = Random(seed)
        self.told = []
        self.left = 12

    def __call__(self, attempt, body):
        self.meddle(attempt.run.run_id, 0.1)
        outcome = body()
        self.meddle(attempt.run.run_id, 0.1)
        return outcome

    def meddle(self, run_id, chance):
        if not self.left or self.random.random() >= chance:
            return
        self.left -= 1
        verb = self.random.choice(["pause", "pause", "resume", "cancel", "retry"])
        run = durable_api.get_execution(run_id)
        try:
            getattr(durable_api, verb)(run)
        except InvalidState:
            return
        assert run.status != "compensating", f"{verb} during a rollback"
        self.told.append(verb)

    def drive(self, run):
        InlineDriver(self, is_strict=False).drain()
        return durable_api.get_execution(run)


def run_to_its_end(run, meddler, ends):
    """Until it has ended for good, however often it was stopped before."""
    for _ in range(ROUNDS_MAX):
        meddler.meddle(run.pk, 0.5)
        run = meddler.drive(run)
        if run.status == "cancelled":
            durable_api.retry(run)
        elif run.is_final:
            return run
        elif run.status == "paused":
            if meddler.random.random() < 0.5 and ends != "fail":
                break
            durable_api.resume(run)
        elif ends != "fail" and run.status == "sleeping":
            break
    meddler.left = 0
    run.refresh_from_db()
    if ends == "cancel" and not run.is_final:
        durable_api.cancel(run, compensate=True)
    elif ends == "timeout":
        advance(601)
    return meddler.drive(run)


@examples(25)
@given(trees(), st.data())
def test_what_completed_is_undone_once_whoever_has_stopped_the_run_before(tree, data):
    saga = Saga(tree)
    saga.fails = data.draw(st.sampled_from(saga.steps), "fails")
    ends = data.draw(st.sampled_from(["fail", "cancel", "timeout"]), "ends")
    saga.ends = Fatal if ends == "fail" else RetryAfter
    meddler = Meddler(data.draw(st.integers(0, 10**6), "seed"))
    with isolate_registry():
        try:
            run = durable_api.start(saga.workflow(), timeout=600)
            run = run_to_its_end(run, meddler, ends)
        finally:
            reset()
    assert run.is_final, run.status
    check(run, saga, "cancelled" if ends == "cancel" else "failed")
    rows = Execution.objects.filter(root=run)
    assert not rows.filter(finished_at=None).exists()
    assert not rows.filter(paused_at__isnull=False).exists()
    verbs = set(AuditEntry.objects.filter(execution=run).values_list("verb", flat=True))
    assert verbs >= set(meddler.told)
