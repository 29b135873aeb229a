"""Ids in the terminal: whole ones, beginnings, those of members, and what is none."""

from uuid import UUID

import pytest

from durable_django.models import Execution
from durable_django.terminal.command import Refused
from durable_django.terminal.ids import find_execution

from .workflows import make_mailing, make_order


def run_with(pk: str) -> Execution:
    run = make_order().start()
    Execution.objects.filter(pk=run.pk).update(id=UUID(pk), root_id=UUID(pk))
    return Execution.objects.get(pk=UUID(pk))


@pytest.fixture
def two(durable):
    return (
        run_with("01999999-aaaa-7000-8000-000000000001"),
        run_with("01999999-aaab-7000-8000-000000000002"),
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text",
    [
        "01999999-aaaa-7000-8000-000000000001",
        "01999999AAAA70008000000000000001",
        "01999999-aaaa",
        "01999999aaaa-",
        " 01999999-aaaA-7 ",
    ],
)
def test_the_beginning_of_an_id_is_enough(two, text):
    assert find_execution(text) == two[0]


def test_several_runs_with_that_beginning_are_listed(two, terminal):
    said = terminal("show", "01999999-aaa")
    assert (said.code, said.out) == (4, "")
    assert str(two[0].pk) in said.err
    assert str(two[1].pk) in said.err


def test_of_very_many_a_few_are_listed(durable, terminal):
    workflow = make_order()
    for _ in range(8):
        workflow.start()
    said = terminal("show", "0")
    assert said.code == 4
    assert len(said.err.splitlines()) == 7
    assert said.err.splitlines()[-1].strip() == "…"


@pytest.mark.parametrize("text", ["0fffffff", "ffffffff-ffff-ffff-ffff-ffffffffffff"])
def test_an_id_that_no_run_has_ends_with_3(two, terminal, text):
    said = terminal("show", text)
    assert said.code == 3
    assert "no run has an id" in said.err


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text", ["", "-", "xyz", "0199' OR 1=1", "\x1b[2J", "0" * 33, "\uff11\uff12"]
)
def test_what_is_no_id_is_told(text):
    with pytest.raises(Refused, match="is not the id of a run") as refused:
        find_execution(text)
    assert refused.value.code == 3
    assert "\x1b" not in refused.value.message


def test_the_id_of_a_member_leads_to_its_run(durable, terminal):
    run = make_mailing().start()
    strand = Execution.objects.create(
        kind="strand",
        parent=run,
        root=run,
        depth=1,
        path="sending[0]",
        workflow_name="mailing",
        status="pending",
        created_at=run.created_at,
        ready_at=run.ready_at,
    )
    said = terminal("show", strand.pk)
    assert said.code == 3
    assert str(run.pk) in said.err
