"""provide_input and list_pending_inputs: what a project calls."""

import uuid
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction

from durable_django import Workflow, step
from durable_django.exceptions import (
    ExecutionNotFound,
    InvalidState,
    NotSerializable,
    PayloadTooLarge,
)
from durable_django.inputs.api import (
    alist_pending_inputs,
    aprovide_input,
    list_pending_inputs,
    provide_input,
)
from durable_django.models import Wait
from durable_django.signals import input_answered
from tests.admin.rows import make_fork, make_run, now
from tests.inputs.waits import ask, make_wait


def kept(wait):
    return Wait.objects.get(pk=wait.pk)


def test_an_input_is_given_by_the_run_and_a_name(db):
    run = make_run("waiting")
    ask(run, node="finance")
    wait = ask(run, node="manager")
    for id in (run.pk, str(run.pk), run):
        Wait.objects.update(status="open", answered_at=None)
        provide_input(id, "manager", "approved", comment="fine")
        assert (kept(wait).status, kept(wait).value) == ("answered", "approved")
        assert (kept(wait).answered_by, kept(wait).comment) == ("", "fine")
    assert Wait.objects.filter(status="open").count() == 1


def test_of_several_of_one_name_the_oldest_is_meant(db):
    run = make_run("waiting")
    first, second = (ask(run, node="ask", path=f"each[{n}]/ask") for n in (1, 0))
    provide_input(run.pk, "ask", True)
    assert (kept(first).status, kept(second).status) == ("answered", "open")
    provide_input(run.pk, "ask", False)
    assert kept(second).value == "rejected"


def test_a_node_stands_for_what_it_waits_for(db):
    class Ask(Workflow):
        @step
        def approval(self): ...

    wait = ask(node="approval", name="manager")
    provide_input(wait.execution_id, Ask.approval, "approved")
    assert kept(wait).status == "answered"


def test_a_pending_input_needs_no_name_but_agrees_with_one(db):
    wait = ask(node="manager")
    with pytest.raises(ValueError, match='the input given is "manager", not "finance"'):
        provide_input(wait, "finance", True)
    provide_input(wait, None, True)
    assert kept(wait).status == "answered"
    other = ask(node="manager")
    provide_input(other, "manager", True)
    third = ask()
    provide_input(third, value=True)
    assert Wait.objects.filter(status="answered").count() == 3


def test_a_pending_input_that_was_answered_meanwhile_is_refused(db):
    wait = ask()
    provide_input(wait.execution_id, "approval", True)
    with pytest.raises(InvalidState, match="was already answered at"):
        provide_input(wait, value=False)
    assert kept(wait).value == "approved"


def test_who_answers_is_kept(db, person):
    wait = ask(to="user:anna")
    provide_input(wait, value=True, by=person("anna"))
    assert kept(wait).answered_by == "anna"


def test_only_who_is_asked_may_answer(db, person):
    wait = ask(to="user:bob")
    for user in (person("anna"), person("root", is_superuser=True)):
        with pytest.raises(PermissionDenied):
            provide_input(wait, value=True, by=user)
    assert kept(wait).status == "open"
    provide_input(wait, value=True)
    assert kept(wait).status == "answered"


def test_an_answer_that_is_not_valid_leaves_the_run_waiting(db):
    wait = ask(form="form", fields={"amount": {"type": "decimal", "max": 10}})
    with pytest.raises(ValidationError) as caught:
        provide_input(wait.execution_id, "approval", {"amount": 11})
    assert caught.value.message_dict == {
        "amount": ["Ensure this value is less than or equal to 10."]
    }
    assert kept(wait).status == "open"


def test_a_value_that_cannot_be_stored_is_refused(db, settings):
    wait = ask(form="input")
    with pytest.raises(NotSerializable, match='value\\["a"\\]'):
        provide_input(wait, value={"a": object()})
    settings.DURABLE = {"MAX_PAYLOAD_BYTES": 10}
    with pytest.raises(PayloadTooLarge):
        provide_input(wait, value="x" * 20)
    assert kept(wait).status == "open"
    provide_input(wait, value=None)
    assert (kept(wait).status, kept(wait).value) == ("answered", None)


def test_a_comment_is_a_string_made_fit_to_be_kept(db):
    wait = ask()
    with pytest.raises(TypeError, match="comment must be a string"):
        provide_input(wait, value=True, comment=5)
    provide_input(wait, value=True, comment="a\0b" + "c" * 20_000)
    assert kept(wait).comment.startswith("a\\x00b")
    assert len(kept(wait).comment.encode()) == 10_000


def test_a_call_that_makes_no_sense_says_what_is_missing(db):
    wait = ask()
    with pytest.raises(TypeError, match="needs a value"):
        provide_input(wait, "approval")
    with pytest.raises(TypeError, match="needs the name"):
        provide_input(wait.execution_id, value=True)
    with pytest.raises(TypeError, match="is a string or a node, not 5"):
        provide_input(wait.execution_id, 5, True)
    with pytest.raises(TypeError, match="takes a PendingInput"):
        provide_input(make_wait(kind="event"), value=True)


def test_what_is_not_waited_for_is_told_with_what_is(db):
    run = make_run("waiting")
    for node in ("manager", "finance"):
        ask(run, node=node)
    make_wait(run, kind="event", node="payment")
    with pytest.raises(
        InvalidState, match=r'input "boss": it waits for: manager, finance$'
    ) as error:
        provide_input(run.pk, "boss", True)
    assert error.value.status == "waiting"


def test_what_was_answered_or_timed_out_before_is_told(db, person):
    run = make_run("waiting")
    provide_input(ask(run, node="manager", to="user:anna"), value=True, by=person("anna"))
    make_wait(run, node="finance", status="timed_out", due_at=now())
    ask(run, node="boss")
    with pytest.raises(InvalidState, match=r'"manager" .* was already answered by anna') as error:
        provide_input(run.pk, "manager", False)
    assert error.value.status == "waiting"
    with pytest.raises(InvalidState, match=r'"finance" .* was to be answered by'):
        provide_input(run.pk, "finance", False)


def test_many_pending_names_are_told_in_part(db):
    run = make_run("waiting")
    for number in range(12):
        ask(run, node=f"n{number}")
    with pytest.raises(InvalidState, match=r"waits for: n0, .*, n9, …$"):
        provide_input(run.pk, "boss", True)


@pytest.mark.parametrize("status", ["pending", "completed", "paused"])
def test_a_run_that_waits_for_no_input_is_told_with_its_status(db, status):
    run = make_run(status)
    with pytest.raises(InvalidState, match=f"it is {status}, and waits for none") as caught:
        provide_input(run.pk, "manager", True)
    assert caught.value.status == status


@pytest.mark.parametrize("id", [uuid.uuid4(), str(uuid.uuid4()), "nonsense", 7, None])
def test_an_id_that_is_none_is_no_execution(db, id):
    with pytest.raises(ExecutionNotFound):
        provide_input(id, "manager", True)


def test_a_member_is_no_execution(db):
    run = make_run("waiting")
    (strand,) = make_fork(run, ["waiting"])
    ask(run, member=strand)
    with pytest.raises(ExecutionNotFound):
        provide_input(strand.pk, "approval", True)
    provide_input(run.pk, "approval", True)


def test_the_answer_is_part_of_the_transaction_of_the_caller(transactional_db):
    wait = ask()
    with transaction.atomic():
        provide_input(wait.execution_id, "approval", True)
        transaction.set_rollback(True)
    assert kept(wait).status == "open"


def test_the_list_is_oldest_first_and_for_one_user_if_asked(db, person):
    first, second, third = ask(), ask(to="user:anna"), ask(to="user:bob")
    make_wait(status="answered", answered_at=now())
    make_wait(status="timed_out")
    make_wait(kind="event")
    assert list(list_pending_inputs()) == [first, second, third]
    assert list(list_pending_inputs(person("anna"))) == [first, second]
    assert list_pending_inputs().filter(assignee="bob").get() == third


def test_a_pending_input_says_what_is_asked(db):
    wait = ask(prompt="Which?", form="choice", choices=["a"], index=3, to="group:Managers")
    (found,) = list_pending_inputs()
    assert (found.prompt, found.form, found.choices) == ("Which?", "choice", [["a", "a"]])
    assert (found.index, found.node, found.name) == (3, "approval", "approval")
    assert (found.assignee_kind, found.assignee) == ("group", "Managers")
    assert found.execution == wait.execution


@pytest.fixture
def heard():
    told = []

    def listen(sender, **rest):
        told.append((sender, rest["name"], rest["by"], rest["execution_id"]))
        status = Wait.objects.get(pk=rest["pending_input_id"]).status
        told.append(status)
        raise RuntimeError("a receiver that fails changes nothing")

    input_answered.connect(listen)
    yield told
    input_answered.disconnect(listen)


def test_the_signal_comes_after_the_commit(transactional_db, person, heard):
    wait = ask()
    with transaction.atomic():
        provide_input(wait, value=True, by=person("anna"))
        assert heard == []
    assert heard == [("tests.order", "approval", "anna", wait.execution_id), "answered"]
    with pytest.raises(InvalidState):
        provide_input(wait, value=True)
    assert len(heard) == 2


def test_coroutines_do_the_same(transactional_db, person):
    wait, anna = ask(due_at=now() + timedelta(days=1)), person("anna")

    async def answer():
        found = [one async for one in await alist_pending_inputs(anna)]
        await aprovide_input(found[0], value=True, by=anna)

    async_to_sync(answer)()
    assert kept(wait).status == "answered"
