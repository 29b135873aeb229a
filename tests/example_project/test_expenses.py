"""Claims: approved at once, by one, or by two; reminded of, rejected, or met with silence."""

from datetime import date
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core import mail
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from durable_django import days, hours, list_executions, list_pending_inputs, provide_input
from durable_django.testing import (
    advance,
    assert_status,
    crash_after,
    crash_before,
    drain,
)
from example_project.expenses import playing
from example_project.expenses.models import Claim
from example_project.expenses.people import PEOPLE, make_people
from example_project.expenses.workflows import ApproveExpense, submit, who_has_to_agree

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def kit(durable):
    """Puts time back after each test."""
    make_people()


def person(name):
    return get_user_model().objects.get(username=name)


@pytest.fixture
def hand_in():
    """Hands a claim of emma's in; it has come to whom it has to ask."""

    def make(amount):
        claim = submit(
            Claim(
                employee=person("emma"),
                title="Train",
                amount=Decimal(amount),
                spent_on=date(2026, 9, 3),
            )
        )
        drain()
        return claim

    return make


def asked(name):
    """The names of the claims' prompts that wait for somebody."""
    return [pending.prompt for pending in list_pending_inputs(person(name))]


def answer(name, value, comment=""):
    [pending] = list_pending_inputs(person(name))
    provide_input(pending, value=value, by=person(name), comment=comment)
    drain()


def became(claim):
    claim.refresh_from_db()
    [execution] = list_executions(workflow=ApproveExpense)
    assert_status(execution, "completed")
    assert execution.result == claim.status, "what a branch gives is what its last step gave"
    return claim.status, claim.decided_by, claim.reason


def letters(to):
    return [message for message in mail.outbox if message.to == [f"{to}@example.com"]]


@pytest.mark.parametrize(
    ("amount", "approvers"),
    [("0.01", 0), ("50.00", 0), ("50.01", 1), ("1000.00", 1), ("1000.01", 2)],
)
def test_how_many_have_to_agree_depends_on_the_amount(amount, approvers):
    assert len(who_has_to_agree(Decimal(amount))) == approvers


def test_a_small_claim_is_approved_at_once(hand_in):
    claim = hand_in("50.00")
    assert became(claim) == ("approved", "", "")
    assert [message.subject for message in mail.outbox] == ["You get your money"]


def test_a_manager_is_told_and_approves(hand_in):
    claim = hand_in("64.90")
    assert asked("maria") == asked("jonas") == ["emma claims 64.90 dollars: Train. Approve?"]
    assert asked("felicia") == asked("omar") == []
    [told] = letters("maria")
    assert "/admin/durable_django/pendinginput/" in told.body
    assert len(letters("jonas")) == 1
    answer("jonas", "approved")
    assert became(claim) == ("approved", "jonas", "")
    assert asked("maria") == []


def test_the_comment_of_who_rejects_reaches_the_employee(hand_in):
    claim = hand_in("64.90")
    answer("maria", "rejected", "There is no receipt.")
    assert became(claim) == ("rejected", "maria", "There is no receipt.")
    [told] = letters("emma")
    assert "maria: There is no receipt." in told.body


def test_a_large_claim_needs_the_finance_director_after_a_manager(hand_in):
    claim = hand_in("1000.01")
    assert asked("felicia") == []
    answer("maria", "approved")
    assert asked("maria") == []
    assert len(asked("felicia")) == 1
    answer("felicia", "approved")
    assert became(claim) == ("approved", "felicia", "")


def test_after_the_no_of_a_manager_the_director_is_not_asked(hand_in):
    claim = hand_in("5400.00")
    answer("maria", "rejected")
    assert became(claim) == ("rejected", "maria", "No reason was given.")
    assert letters("felicia") == []


def test_nobody_approves_a_claim_that_is_not_asked_of_them(hand_in):
    hand_in("1000.01")
    [pending] = list_pending_inputs()
    for name in ("emma", "felicia"):
        with pytest.raises(PermissionDenied):
            provide_input(pending, value="approved", by=person(name))
    assert asked("maria")


def test_who_does_not_answer_is_reminded_every_two_days_of_the_same_request(
    hand_in, django_capture_on_commit_callbacks
):
    claim = hand_in("64.90")
    [pending] = list_pending_inputs()
    for reminders in (1, 2, 3):
        advance(days(2))
        with django_capture_on_commit_callbacks(execute=True):
            drain()
        claim.refresh_from_db()
        assert claim.reminders == reminders
    assert [message.subject for message in letters("maria")][1:] == [
        "Somebody is still waiting for you"
    ] * 3
    assert [waiting.pk for waiting in list_pending_inputs()] == [pending.pk]
    answer("maria", "approved")
    assert became(claim) == ("approved", "maria", "")
    advance(days(30))
    drain()
    assert len(letters("maria")) == 4, "who has answered is reminded no more"


def test_a_claim_that_nobody_answers_within_a_week_is_rejected(hand_in):
    claim = hand_in("64.90")
    advance(days(7) - hours(1))
    drain()
    claim.refresh_from_db()
    assert claim.status == "submitted"
    advance(hours(1))
    drain()
    assert became(claim) == ("rejected", "", "Nobody answered in time.")


def test_each_approver_has_a_week(hand_in):
    claim = hand_in("1000.01")
    advance(days(6))
    drain()
    answer("maria", "approved")
    advance(days(6))
    drain()
    answer("felicia", "approved")
    assert became(claim) == ("approved", "felicia", "")


@pytest.mark.parametrize("crash", [crash_before, crash_after])
def test_a_crash_at_an_answer_loses_nothing_and_asks_nobody_twice(hand_in, crash):
    claim = hand_in("64.90")
    with crash(ApproveExpense.take_answer):
        answer("maria", "approved")
    drain()
    assert became(claim) == ("approved", "maria", "")
    assert len(letters("maria")) == 1
    assert len(letters("emma")) == 1


def test_the_people_of_the_sample_answer_as_it_says():
    claims = playing.hand_in_sample()
    assert len(claims) == 16
    for _ in range(2 * 7 * 2 + 1):
        drain()
        playing.answer_inboxes()
        drain()
        advance(hours(12))
    statuses = list(Claim.objects.values_list("title", "status", "decided_by"))
    assert ("Whiteboard pens", "approved", "") in statuses
    assert ("Flight to Nashville", "approved", "maria") in statuses
    assert ("Birthday cake", "rejected", "") in statuses
    assert ("Listening station", "approved", "felicia") in statuses
    assert ("Neon sign", "rejected", "felicia") in statuses
    assert not Claim.objects.filter(status="submitted").exists()


def test_people_are_made_once_and_keep_their_passwords():
    maria = person("maria")
    maria.set_password("a better one")
    maria.save()
    make_people()
    assert person("maria").check_password("a better one")
    assert person("omar").check_password("omar")
    assert get_user_model().objects.count() == len(PEOPLE)
    assert Group.objects.count() == 3


def test_an_employee_hands_a_claim_in_and_a_manager_answers_all_in_the_admin(client):
    client.force_login(person("emma"))
    given = {"title": "Train", "amount": "64.90", "spent_on": "2026-09-03"}
    client.post(reverse("admin:expenses_claim_add"), given)
    claim = Claim.objects.get()
    assert claim.employee.get_username() == "emma"
    drain()
    client.force_login(person("maria"))
    [pending] = list_pending_inputs()
    inbox = client.get(reverse("admin:durable_django_pendinginput_changelist"))
    assert "emma claims 64.90 dollars: Train. Approve?" in inbox.content.decode()
    page = reverse("admin:durable_django_pendinginput_change", args=[pending.pk])
    _, reject = client.get(page).context["buttons"]
    given = {"answer-value": reject["value"], "answer-with-comment": "Ask again in May."}
    client.post(page, given)
    drain()
    assert became(claim) == ("rejected", "maria", "Ask again in May.")
    listed = client.get(reverse("admin:expenses_claim_changelist")).content.decode()
    assert f"/admin/durable_django/execution/{claim.run}/change/" in listed


def test_a_claim_is_not_edited_once_it_is_handed_in(client, hand_in):
    claim = hand_in("64.90")
    client.force_login(person("emma"))
    page = reverse("admin:expenses_claim_change", args=[claim.pk])
    assert client.get(page).status_code == 200
    assert client.post(page, {"amount": "1"}).status_code == 403
    assert client.get(reverse("admin:durable_django_pendinginput_changelist")).status_code == 403
