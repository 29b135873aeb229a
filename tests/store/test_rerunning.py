"""The copies a rerun makes: whole, in bulk, one set for each who asks, nothing of them shared."""

from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from durable_django import (
    InvalidState,
    Workflow,
    foreach,
    get_execution,
    parallel,
    rerun_from,
    retry,
    start,
    step,
)
from durable_django.models import Execution, StepRun, Wait
from durable_django.store import copying, rerunning
from durable_django.testing import drain, isolate_registry

from .rows import at_once

ROUNDS = 4


@pytest.fixture(autouse=True)
def _classes():
    with isolate_registry():
        yield


def letters(wrong=()):
    class Letters(Workflow):
        with foreach(lambda self: range(self.input["count"]), concurrency=4) as sending:
            with parallel() as both:

                @step
                def mail(self):
                    return self.once("mailed", lambda: self.index) * 10

                @step
                def note(self):
                    self.context.append("noted", self.index)
                    return "x" * 2500

            @step
            def sent(self):
                return [self.outputs["mail"], len(self.outputs["note"])]

        @step
        def count(self):
            if wrong:
                raise ValueError("not yet")
            return list(self.outputs["sending"])

    return Letters


def run_of(count, wrong=()):
    made = start(letters(wrong), {"count": count})
    drain()
    return get_execution(made)


def tree_of(run):
    return set(Execution.objects.filter(root_id=run.pk).values_list("id", flat=True))


def told(run):
    """All that stands of a run, but for the ids."""
    steps = run.steps.order_by("id").values_list("path", "seq", "attempt", "status", "next_path")
    waits = Wait.objects.filter(execution=run).order_by("id")
    strands = Execution.objects.filter(root_id=run.pk, kind="strand")
    columns = ("path", "status", "depth", "input_text", "changes_text", "lease", "finished_at")
    return (
        list(steps),
        list(waits.values_list("path", "position", "status", "value_text", "created_at")),
        sorted(strands.values_list(*columns)),
    )


@pytest.mark.django_db
@pytest.mark.parametrize("page", [1, 3, 500])
def test_the_copies_are_those_of_the_original_whatever_fits_in_a_page(monkeypatch, page):
    monkeypatch.setattr(copying, "PAGE", page)
    first = run_of(5)
    made = rerun_from(first, "count")
    drain()
    made = get_execution(made)
    assert made.result == first.result == [[index * 10, 2500] for index in range(5)]
    assert made.context == {"noted": [0, 1, 2, 3, 4]}
    assert told(made) == told(first)
    assert not tree_of(made) & tree_of(first)


@pytest.mark.django_db
def test_nothing_in_the_copies_names_the_original():
    first = run_of(3)
    made = rerun_from(first, "count")
    old = {text for pk in tree_of(first) for text in (str(pk), pk.hex)}
    texts = [row.snapshot + row.result_text for row in Execution.objects.filter(root_id=made.pk)]
    steps = StepRun.objects.filter(execution__root_id=made.pk)
    texts += [row.output_text + row.changes_text for row in steps]
    texts += Wait.objects.filter(execution_id=made.pk).values_list("value_text", flat=True)
    assert not [text for text in texts for name in old if name in text]


@pytest.mark.django_db
def test_many_strands_take_as_many_statements_as_few():
    def statements(count):
        first = run_of(count)
        with CaptureQueriesContext(connection) as queries:
            rerun_from(first, "count")
        return len(queries)

    assert statements(40) <= statements(4) + 5


@pytest.mark.django_db
def test_a_rerun_that_fails_midway_leaves_nothing(monkeypatch):
    first = run_of(2)
    before = (Execution.objects.count(), StepRun.objects.count(), Wait.objects.count())

    def broken(*args, **kwargs):
        raise OSError("the disk is full")

    monkeypatch.setattr(rerunning, "_tell", broken)
    with pytest.raises(OSError, match="full"):
        rerun_from(first, "count")
    assert (Execution.objects.count(), StepRun.objects.count(), Wait.objects.count()) == before


@pytest.mark.django_db(transaction=True)
def test_two_who_run_it_again_at_once_get_a_run_each():
    first = run_of(3)
    for _ in range(ROUNDS):
        one, two = at_once(*[partial(rerun_from, first, "count")] * 2)
        drain()
        assert not tree_of(one) & tree_of(two)
        assert told(get_execution(one)) == told(get_execution(two)) == told(first)


@pytest.mark.django_db(transaction=True)
def test_a_run_that_is_retried_at_the_same_moment_is_copied_as_it_was_or_refused():
    wrong = [True]
    for _ in range(ROUNDS):
        first = run_of(2, wrong)
        retried, made = at_once(partial(retry, first), partial(rerun_from, first, "count"))
        assert retried.status == "pending"
        if isinstance(made, InvalidState):
            assert made.status == "pending"
        else:
            assert get_execution(made).steps.count() == first.steps.count() - 1
        drain()
