"""Random nested workflows that are paused and resumed at any moment give what a plain interpreter
gives: between steps, while a body runs, while members wait, while workers die."""

import pytest
from hypothesis import given

from durable_django import InvalidState, pause, resume, start
from durable_django.definition import registry
from durable_django.models import AuditEntry, Execution, Wait
from durable_django.testing import advance, isolate_registry, reset
from durable_django.worker.inline import InlineDriver
from tests.engine.reckoning import Reckoning
from tests.engine.shapes import drawn, trees
from tests.engine.test_strands import seeds
from tests.examples import examples

from .test_random_strands import ROUNDS_MAX, Actor, plain, winners_of

pytestmark = pytest.mark.django_db


class Pauser(Actor):
    """Plays the bodies, and somebody who pauses and resumes the run beside them."""

    def __call__(self, attempt, body):
        self.meddle(attempt.run.run_id, 0.1)
        outcome = super().__call__(attempt, body)
        self.meddle(attempt.run.run_id, 0.1)
        return outcome

    def meddle(self, run_id, chance):
        """Pauses the run, or resumes it if it is paused."""
        if self.random.random() < chance:
            try:
                pause(run_id, by="somebody")
            except InvalidState:
                resume(run_id, by="somebody")


def run_to_its_end(actor):
    with isolate_registry():
        workflow = actor.workflow.definition.workflow
        registry.register(workflow)
        try:
            run = start(workflow)
            for _ in range(ROUNDS_MAX):
                actor.meddle(run.pk, 0.4)
                InlineDriver(actor, is_strict=False).drain()
                run.refresh_from_db()
                if run.is_final:
                    return run
                check_that_all_or_none_is_paused(run)
                # What is waited for comes while it is paused, too, or its time passes.
                if not actor.answers(run):
                    advance(10)
        finally:
            reset()
    raise AssertionError(f"it does not come to an end: {run.status}")


def check_that_all_or_none_is_paused(run):
    rows = list(Execution.objects.filter(root=run, finished_at=None))
    assert {row.paused_at for row in rows} == {run.paused_at}
    if run.paused_at is None:
        assert not [row for row in rows if row.status == "paused"]
        return
    assert {row.status for row in rows} == {"paused"}
    assert {(row.worker_id, row.due_at) for row in rows} == {(None, None)}


@examples(25)
@given(trees(), seeds, seeds)
def test_pauses_change_nothing_of_what_a_run_gives(tree, seed, order):
    check(drawn(tree), seed, order, fails=0.0)


@examples(25)
@given(trees(), seeds, seeds)
def test_pauses_change_nothing_where_members_fail(tree, seed, order):
    check(drawn(tree), seed, order, fails=0.15)


def check(workflow, seed, order, fails):
    actor = Pauser(workflow, seed, order, fails)
    run = run_to_its_end(actor)
    reckoning = Reckoning(workflow, actor.effect, winners_of(run))
    assert run.status == ("failed" if reckoning.failed else "completed"), run.error
    assert not Execution.objects.filter(root=run, finished_at=None).exists()
    assert not Execution.objects.filter(root=run, paused_at__isnull=False).exists()
    assert not Wait.objects.filter(execution=run, resolved_at=None).exists()
    done = list(run.steps.filter(status="completed").values_list("path", flat=True))
    assert len(set(done)) == len(done), "a visit completed twice"
    told = list(AuditEntry.objects.filter(execution=run).order_by("id").values_list("verb"))
    assert told == [("pause",), ("resume",)] * (len(told) // 2) + [("pause",)] * (len(told) % 2)
    if not reckoning.failed:
        assert plain(run.result) == reckoning.result
        assert {name: plain(given) for name, given in run.outputs.items()} == reckoning.scope.own
        assert run.context == reckoning.scope.context
