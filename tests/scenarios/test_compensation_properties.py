"""Random nested workflows fail anywhere, and workers die: what completed is undone, in reverse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import durable_django as durable_api
from durable_django import Fatal, RetryAfter
from durable_django.testing import (
    advance,
    crash_after,
    crash_before,
    drain,
    isolate_registry,
    reset,
)
from tests.examples import examples
from tests.scenarios.compensation_flows import Saga, trees

pytestmark = pytest.mark.django_db


def stop(run, ends, saga):
    """However it comes to its end; the status it then has if there is nothing to undo."""
    if ends == "cancel":
        durable_api.cancel(run, compensate=True)
    elif ends == "timeout":
        advance(601)
    drain()
    return "cancelled" if ends == "cancel" else "failed"


def check(run, saga, otherwise):
    """The rows of the rollback against those of the way there."""
    run = durable_api.get_execution(run)
    rows = list(run.steps.order_by("id").values_list("path", "kind", "status"))
    there = [path for path, kind, status in rows if status == "completed" and kind != UNDO]
    back = [path for path, kind, _ in rows if kind == UNDO]
    assert len(set(there)) == len(there), "a visit completed twice"
    expected = [visit for path in reversed(there) for visit in reversed(saga.completes[path])]
    assert [path.rpartition("~")[0] for path in back] == expected
    assert all(status == "completed" for _, kind, status in rows if kind == UNDO)
    assert [path for at, path in enumerate(saga.said) if [path] != saga.said[at - 1 : at]] == back
    assert run.status == ("compensated" if expected else otherwise)


UNDO = "compensation"


@examples(45)
@given(trees(), st.data())
def test_what_completed_is_undone_in_reverse_and_once_whatever_dies_meanwhile(tree, data):
    saga = Saga(tree)
    saga.fails = data.draw(st.sampled_from(saga.steps), "fails")
    ends = data.draw(st.sampled_from(["fail", "cancel", "timeout"]), "ends")
    saga.ends = Fatal if ends == "fail" else RetryAfter
    names = [f"n{number}" for number in range(saga.count)]
    handlers = data.draw(st.lists(st.sampled_from(names), max_size=4), "dying handlers")
    steps = data.draw(st.lists(st.sampled_from(names), max_size=2), "dying nodes")
    before = data.draw(st.lists(st.booleans(), min_size=6, max_size=6), "before")
    with isolate_registry():
        try:
            workflow = saga.workflow()
            for name, early in zip([f"un_{n}" for n in handlers] + steps, before, strict=False):
                node = getattr(workflow, name)
                (crash_before if early else crash_after)(node)
            run = durable_api.start(workflow, timeout=600)
            drain()
            check(run, saga, stop(run, ends, saga))
        finally:
            reset()
