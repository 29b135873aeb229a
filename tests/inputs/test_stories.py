"""Runs that ask people, told from the question to what the run made of the answer."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client

from durable_django import (
    Workflow,
    days,
    foreach,
    list_pending_inputs,
    provide_input,
    step,
    wait_for_approval,
    wait_for_choice,
    wait_for_form,
    wait_for_input,
    wait_for_text,
)
from durable_django.exceptions import InvalidState
from durable_django.notifications import tell_assignee
from durable_django.signals import input_requested
from tests.admin.conftest import page_of

FIELDS = {
    "amount": {"type": "decimal", "max": 500},
    "day": "date",
    "speed": {"type": "choice", "choices": [1, "fast", True]},
    "sure": "boolean",
}


@pytest.fixture
def told(monkeypatch):
    """Mails are sent as a project would have it."""
    monkeypatch.setattr(input_requested, "receivers", [])
    input_requested.connect(tell_assignee)
    yield mail.outbox
    input_requested.disconnect(tell_assignee)


def browser_of(user):
    user.is_staff = True
    user.save()
    client = Client()
    client.force_login(user)
    return client


def test_an_expense_is_approved_in_the_admin_by_the_one_who_was_mailed(
    durable, person, told, settings
):
    settings.DURABLE = {"BASE_URL": "https://shop.example"}

    class Expense(Workflow):
        @step
        def claim(self):
            self.context["amount"] = Decimal(4711)

        manager = wait_for_approval(
            prompt="Approve {amount:.2f} for Anna?", assignee="group:Managers", timeout=days(3)
        )

        @step
        def settle(self):
            answer = self.answers["manager"]
            return [self.outputs["manager"], answer.value, answer.by, answer.comment]

    bob = person("bob", groups=["Managers"], permissions=["view_pendinginput", "answer_input"])
    client = browser_of(bob)
    run = durable.run(Expense)
    durable.assert_status(run, "waiting")

    (message,) = told
    assert message.to == ["bob@shop.example"]
    assert "Approve 4711.00 for Anna?" in message.body
    link = next(line for line in message.body.split() if line.startswith("https://shop.example"))
    form = client.get(link.removeprefix("https://shop.example"))
    assert "Approve 4711.00 for Anna?" in form.content.decode()

    sent = {"answer-value": '"rejected"', "answer-with-comment": "Too much."}
    client.post(link.removeprefix("https://shop.example"), sent)
    durable.drain()
    durable.assert_status(run, "completed")
    run.refresh_from_db()
    assert run.result == ["rejected", "rejected", "bob", "Too much."]
    late = client.get(link.removeprefix("https://shop.example")).content.decode()
    assert "bob answered" in late


def test_a_form_gives_python_values_and_refuses_until_they_fit(durable):
    class Return(Workflow):
        inspection = wait_for_form(fields=FIELDS)

        @step
        def pay(self):
            given = self.outputs["inspection"]
            return [type(value).__name__ for value in given.values()], given

    run = durable.run(Return)
    with pytest.raises(ValidationError) as caught:
        provide_input(run.pk, "inspection", {"amount": 501, "day": "soon", "speed": 2})
    assert sorted(caught.value.message_dict) == ["amount", "day", "speed"]
    durable.drain()
    durable.assert_status(run, "waiting")

    given = {"amount": 12.5, "day": date(2030, 1, 31), "speed": True}
    provide_input(run.pk, Return.inspection, given)
    durable.drain()
    run.refresh_from_db()
    names, found = run.result
    assert names == ["Decimal", "date", "bool", "bool"]
    assert found == {**given, "amount": Decimal("12.5"), "sure": False}


def test_each_item_asks_for_itself(durable):
    class Reviews(Workflow):
        @step
        def books(self):
            return ["a", "b", "c"]

        with foreach(books) as reviewing:
            verdict = wait_for_choice(choices=["keep", "sell"], prompt=lambda self: self.item)

    run = durable.run(Reviews)
    asked = list(list_pending_inputs())
    assert [(wait.index, wait.prompt) for wait in asked] == [(0, "a"), (1, "b"), (2, "c")]
    for wait in reversed(asked):
        provide_input(wait, value="sell" if wait.prompt == "b" else "keep")
    durable.drain()
    run.refresh_from_db()
    assert list(run.result) == ["keep", "sell", "keep"]


def test_in_a_step_one_question_follows_the_other(durable):
    class Ask(Workflow):
        @step
        def interview(self):
            name = self.wait_for_text("name", prompt="Who?")
            anything = self.wait_for_input("anything", prompt=f"What, {name}?")
            return name, anything

    run = durable.run(Ask)
    provide_input(run.pk, "name", "Anna")
    with pytest.raises(InvalidState, match="was already answered at"):
        provide_input(run.pk, "name", "Bob")
    durable.drain()
    (asked,) = list_pending_inputs()
    assert (asked.name, asked.prompt, asked.node) == ("anything", "What, Anna?", "interview")
    provide_input(run.pk, Ask.interview, {"any": [1, Decimal(2)]})
    durable.drain()
    run.refresh_from_db()
    assert run.result == ("Anna", {"any": [1, Decimal(2)]})


def test_nobody_else_answers_and_late_answers_change_nothing(durable, person):
    class Ask(Workflow):
        question = wait_for_text(assignee="user:anna", timeout=days(1), timeout_value="silence")

        @step
        def done(self):
            answer = self.answers["question"]
            return self.outputs["question"], answer.timed_out

    anna, bob = person("anna"), person("bob", is_superuser=True)
    run = durable.run(Ask)
    (asked,) = list_pending_inputs(anna)
    assert list(list_pending_inputs(bob)) == []
    with pytest.raises(PermissionDenied):
        provide_input(asked, value="mine", by=bob)
    durable.advance(timedelta(days=1, seconds=1))
    with pytest.raises(InvalidState, match="was to be answered by"):
        provide_input(asked, value="late", by=anna)
    durable.drain()
    with pytest.raises(InvalidState, match="was to be answered by"):
        provide_input(asked, value="later", by=anna)
    run.refresh_from_db()
    assert run.result == ("silence", True)


def test_a_cancelled_run_asks_nobody_any_more(durable, person):
    class Ask(Workflow):
        question = wait_for_input()

    from durable_django import cancel

    run = durable.run(Ask)
    (asked,) = list_pending_inputs()
    cancel(run)
    assert list(list_pending_inputs()) == []
    with pytest.raises(InvalidState, match="is not waited for any more"):
        provide_input(asked, value=1)


def test_what_the_run_waits_for_and_what_was_answered_stands_on_its_page(durable, person):
    class Ask(Workflow):
        question = wait_for_approval(prompt="Go?", timeout=days(1))
        then = wait_for_text(assignee="group:Managers")

    Group.objects.create(name="Managers")
    run = durable.run(Ask)
    viewer = browser_of(person("carl", permissions=["view_execution", "view_pendinginput"]))
    provide_input(run, "question", True, by=viewer_user(viewer), comment="Yes.")
    durable.drain()
    page = viewer.get(f"{page_of(run)}?tab=events").content.decode()
    for said in ("group Managers", "Go?", "approved", "carl", "Yes.", "Look at the request"):
        assert said in page


def viewer_user(client):
    from django.contrib.auth.models import User

    return User.objects.get(pk=client.session["_auth_user_id"])
