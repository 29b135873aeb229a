# ruff: noqa: SIM117
"""Which rows a run is carried by, and the step runs of all of them."""

import pytest
from django.db import connection

from durable_django import Workflow, call_workflow, foreach, parallel, sequence, step
from durable_django.models import Execution, StepRun
from durable_django.models.members import made_in, member_ids

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(durable):
    class Other(Workflow):
        @step
        def elsewhere(self): ...

    class Nested(Workflow):
        @step
        def first(self):
            return [1, 2]

        with foreach(first, concurrency=2) as each:
            with sequence() as turn:
                with parallel() as inside:

                    @step
                    def left(self): ...

                    @step
                    def right(self): ...

        called = call_workflow(Other)

    durable.run(Nested)
    return durable.run(Nested)


def names(rows):
    found = rows.values_list("name", flat=True)
    return sorted(set(found) & {"first", "left", "right", "elsewhere"})


def test_the_step_runs_of_a_run_are_its_own_and_those_of_strands_at_any_depth(run):
    assert run.status == "completed"
    assert names(run.steps) == ["first", "left", "right"]
    assert run.steps.filter(name="left").count() == 2
    carriers = set(run.members().values_list("pk", flat=True))
    assert {row.execution_id for row in run.steps} == carriers
    assert {row.root_id for row in Execution.objects.filter(id__any=carriers)} == {run.pk}
    assert Execution.objects.filter(pk__in=carriers, kind="workflow").get() == run


def test_a_strand_is_carried_by_itself_and_what_is_below_it(run):
    strand = run.members().filter(depth=1).first()
    below = Execution.objects.filter(id__any=member_ids(strand.pk, "default"))
    assert set(below) - {strand} == set(Execution.objects.filter(parent=strand, kind="strand"))
    assert below.count() > 1
    assert names(StepRun.objects.filter(made_in(strand))) == ["left", "right"]


def test_step_runs_can_be_narrowed_ordered_sliced_and_left_out(run):
    rows = StepRun.objects.filter(made_in(run))
    ids = sorted(row.pk for row in run.steps)
    newest = rows.select_related("execution", "worker").order_by("-id")[:3]
    assert [row.pk for row in newest] == ids[:-4:-1]
    assert rows.filter(made_in(run), name="left", id__lte=ids[-1]).exclude(id=0).count() == 2
    others = StepRun.objects.exclude(made_in(run))
    assert set(others.values_list("pk", flat=True)).isdisjoint(ids)
    assert others.filter(name="first").count() == 1


def test_postgresql_looks_them_up_by_key_and_never_joins_with_a_table(run):
    """Whatever it believes of the tables: two arrays, and a recursion row by row."""
    text = str(run.steps.query)
    if connection.vendor == "postgresql":
        assert text.count("= ANY(ARRAY(") == 2
        assert "LATERAL" in text
        assert " IN (" not in text
    else:
        assert "ANY" not in text
        assert "LATERAL" not in text


def test_a_run_of_nobody_has_no_step_runs(durable):
    run = Execution()
    assert not run.steps.exists()
    assert not run.members().exists()
