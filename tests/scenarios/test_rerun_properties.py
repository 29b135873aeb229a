"""Random nested workflows, run again from any of their nodes: they end as if nothing had been
copied, and undo what they have not done themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import durable_django as durable_api
from durable_django import Fatal
from durable_django.definition import registry
from durable_django.models import Event, Execution, StepRun, Wait
from durable_django.testing import advance, drain, isolate_registry, reset
from durable_django.worker.inline import InlineDriver
from tests.engine.reckoning import Reckoning
from tests.engine.shapes import drawn, trees
from tests.engine.test_strands import seeds
from tests.examples import examples
from tests.scenarios import compensation_flows
from tests.scenarios.test_compensation_properties import check as check_rollback
from tests.scenarios.test_random_strands import ROUNDS_MAX, Actor, plain, winners_of

pytestmark = pytest.mark.django_db


def driven(run, actor, cancelled_after=ROUNDS_MAX):
    """The run, come to its end; it is cancelled where it has parked so often."""
    for number in range(ROUNDS_MAX):
        InlineDriver(actor, is_strict=False).drain()
        run.refresh_from_db()
        if run.is_final:
            return run
        if number == cancelled_after:
            return durable_api.cancel(run)
        if not actor.answers(run):
            advance(10)
    raise AssertionError(f"it does not come to an end: {run.status}")


def forget(run):
    """The whole tree, as retention takes it away."""
    tree = list(Execution.objects.filter(root_id=run.root_id).values_list("id", flat=True))
    for model in (StepRun, Wait, Event):
        model.objects.filter(execution_id__in=tree).delete()
    Execution.objects.filter(id__in=tree).delete()


def check(run, actor):
    """Against what a plain interpreter gives."""
    told = Reckoning(actor.workflow, actor.effect, winners_of(run))
    assert run.status == ("failed" if told.failed else "completed"), run.error
    done = list(run.steps.filter(status="completed").values_list("path", flat=True))
    assert len(set(done)) == len(done), "a visit completed twice"
    if not told.failed:
        assert plain(run.result) == told.result
        assert {name: plain(given) for name, given in run.outputs.items()} == told.scope.own
        assert run.context == told.scope.context


@examples(18)
@given(trees(), seeds, seeds, st.sampled_from([0.0, 0.0, 0.1]), st.data())
def test_a_rerun_from_any_node_ends_as_the_plan_says_and_needs_nothing_of_the_original(
    tree, seed, order, fails, data
):
    workflow = drawn(tree)
    actor = Actor(workflow, seed, order, fails)
    with isolate_registry():
        registry.register(workflow.definition.workflow)
        try:
            cancelled = data.draw(st.sampled_from([0, 1, 2, ROUNDS_MAX]), "cancelled after")
            run = driven(durable_api.start(workflow.definition.workflow), actor, cancelled)
            for _ in range(2):  # and a rerun of the rerun
                node = data.draw(st.sampled_from(durable_api.nodes_to_rerun_from(run)), "node")
                preview = durable_api.preview_rerun(run, node)
                again = durable_api.rerun_from(run, node)
                kept = set(again.steps.values_list("path", flat=True))
                assert {path.partition("/")[0].partition("[")[0] for path in kept} == set(
                    preview.kept
                )
                forget(run)
                run = driven(again, actor)
                check(run, actor)
        finally:
            reset()


@examples(18)
@given(compensation_flows.trees(), st.data())
def test_a_rerun_that_fails_undoes_what_it_has_kept_as_if_it_had_done_it(tree, data):
    saga = compensation_flows.Saga(tree)
    with isolate_registry():
        try:
            saga.run = lambda key: None  # at first nothing fails
            first = durable_api.start(saga.workflow())
            drain()
            first = durable_api.get_execution(first)
            assert first.status == "completed"
            node = data.draw(st.sampled_from(durable_api.nodes_to_rerun_from(first)), "node")
            again = durable_api.rerun_from(first, node)
            forget(first)
            del saga.run
            saga.fails = data.draw(st.sampled_from(saga.steps), "fails")
            saga.ends = Fatal
            drain()
            check_rollback(again, saga, "failed")
        finally:
            reset()
