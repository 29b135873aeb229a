"""Random nested workflows on a real database give what a plain interpreter gives, workers dying."""

from random import Random
from types import SimpleNamespace

import pytest
from hypothesis import given

from durable_django import publish_event, send_event, start
from durable_django.definition import registry
from durable_django.engine.machine import Outcome
from durable_django.engine.results import Results
from durable_django.engine.values import encode
from durable_django.models import Execution, Wait
from durable_django.testing import advance, isolate_registry, reset
from durable_django.worker.attempt import concluded, failure, forked
from durable_django.worker.inline import InlineDriver, SimulatedCrash
from tests.engine.reckoning import Reckoning, goes_on, jump_of
from tests.engine.shapes import drawn, trees
from tests.engine.test_strands import Story, seeds, told
from tests.examples import examples

pytestmark = pytest.mark.django_db

ROUNDS_MAX = 200


class Actor:
    """Plays the bodies: what each visit does is given by a seed, when workers die by another."""

    def __init__(self, workflow, seed, order, fails):
        self.workflow = workflow
        self.effect = lambda path: Story.effect(SimpleNamespace(seed=seed, fails=fails), path)
        self.random = Random(order)
        self.crashes = 6

    def __call__(self, attempt, body):
        self._crash(0.05)
        outcome = self._outcome(attempt, body)
        self._crash(0.05)
        return outcome

    def _crash(self, chance):
        if self.crashes and self.random.random() < chance:
            self.crashes -= 1
            raise SimulatedCrash("now")

    def _outcome(self, attempt, body):
        visit, shape = attempt.visit, self.workflow.nodes[attempt.node.name]
        if visit.joins or shape.kind in ("parallel", "race", "wait"):
            return body()
        if shape.kind == "foreach":
            return forked(attempt, list(range(shape.chosen)))
        if shape.kind == "branch":
            return concluded(attempt, None if shape.chosen < 0 else str(shape.chosen))
        if shape.kind == "loop":
            return concluded(attempt, goes_on(shape, visit.path))
        if shape.kind == "decision":
            return concluded(attempt, jump_of(shape, visit.path))
        effect = self.effect(visit.path)
        first = shape.kind == "retried" and visit.attempt == 1 and len(visit.path) % 2
        if effect.fails or first:
            return failure(attempt, ValueError("it failed"))
        return Outcome("completed", encode(effect.output, "output"), effect.changes)

    def answers(self, run):
        """Sends what is waited for, but for what is to time out; how many events that were."""
        waits = [
            wait
            for wait in Wait.objects.filter(execution=run, status="open")
            if not self.effect(wait.path).fails
        ]
        self.random.shuffle(waits)
        for wait in waits:
            payload = self.effect(wait.path).output
            if self.random.random() < 0.3:
                publish_event(wait.name, key=wait.key, payload=payload)
            else:
                send_event(run, wait.name, payload, key=wait.key)
        return len(waits)


def run_to_its_end(actor):
    with isolate_registry():
        workflow = actor.workflow.definition.workflow
        registry.register(workflow)
        try:
            run = start(workflow)
            for _ in range(ROUNDS_MAX):
                InlineDriver(actor, is_strict=False).drain()
                run.refresh_from_db()
                if run.is_final:
                    return run
                if not actor.answers(run):
                    advance(10)  # retries of steps, and the time of waits
        finally:
            reset()
    raise AssertionError(f"it does not come to an end: {run.status}")


def winners_of(run):
    joins = run.steps.filter(kind="race", status="completed", path__endswith="[]")
    return {row.path[:-2]: row.output["winner"] for row in joins}


def plain(value):
    """Results as lists, at any depth."""
    if isinstance(value, Results | list):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return told(value)


@examples(25)
@given(trees(), seeds, seeds)
def test_what_is_stored_of_a_run_is_what_a_plain_interpreter_gives(tree, seed, order):
    check(drawn(tree), seed, order, fails=0.0)


@examples(25)
@given(trees(), seeds, seeds)
def test_members_that_fail_are_borne_as_the_plan_says(tree, seed, order):
    check(drawn(tree), seed, order, fails=0.15)


def check(workflow, seed, order, fails):
    actor = Actor(workflow, seed, order, fails)
    run = run_to_its_end(actor)
    reckoning = Reckoning(workflow, actor.effect, winners_of(run))
    assert run.status == ("failed" if reckoning.failed else "completed"), run.error
    assert not Execution.objects.filter(root=run, finished_at=None).exists()
    assert not Wait.objects.filter(execution=run, resolved_at=None).exists()
    done = list(run.steps.filter(status="completed").values_list("path", flat=True))
    assert len(set(done)) == len(done), "a visit completed twice"
    if not reckoning.failed:
        assert plain(run.result) == reckoning.result
        assert {name: plain(given) for name, given in run.outputs.items()} == reckoning.scope.own
        assert run.context == reckoning.scope.context
