"""The page of a request: what is asked, a form for those who may answer, and what became of it."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from durable_django.inputs import answering
from durable_django.models import Wait
from durable_django.store import clock
from tests.admin.conftest import page_of
from tests.admin.rows import make_run, now
from tests.admin.test_inputs import INBOX, user_of
from tests.inputs.waits import ask, make_wait

ANSWERS = ("view_pendinginput", "answer_input")
EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)>"
APPROVE, REJECT = {"answer-value": '"approved"'}, {"answer-value": '"rejected"'}
FIELDS = {
    "amount": {"type": "decimal", "max": 100},
    "day": "date",
    "at": "datetime",
    "speed": {"type": "choice", "choices": {"s": "Slow", "f": "Fast"}},
    "note": {"type": "long_text", "required": False},
}
FILLED = {
    "answer-amount": "12.50",
    "answer-day": "2030-01-31",
    "answer-at_0": "2030-01-31",
    "answer-at_1": "10:30:00",
    "answer-speed": '"f"',
}


@pytest.fixture
def answerer(staff):
    return staff(*ANSWERS)


def page(wait):
    return f"{INBOX}{wait.pk}/change/"


def kept(wait):
    return Wait.objects.get(pk=wait.pk)


def messages_of(response):
    return [str(message) for message in response.context["messages"]]


# Answering


@pytest.mark.parametrize(("sent", "value"), [(APPROVE, "approved"), (REJECT, "rejected")])
def test_an_approval_is_two_buttons_and_a_comment(answerer, sent, value):
    wait = ask(prompt="Approve 7 for Anna?")
    shown = answerer.get(page(wait)).content.decode()
    for button in ("Approve", "Reject"):
        assert re.search(rf'<button type="submit"[^>]*name="answer-value"[^>]*>{button}<', shown)
    assert 'type="radio"' not in shown
    comment = {"answer-with-comment": "Fine."}
    done = answerer.post(page(wait), {**sent, **comment}, follow=True)
    assert done.redirect_chain == [(INBOX, 302)]
    assert messages_of(done) == ["Your answer was given: Approve 7 for Anna?"]
    found = kept(wait)
    assert (found.status, found.value, found.comment) == ("answered", value, "Fine.")
    assert found.answered_by == user_of(answerer).username
    assert done.context["cl"].result_count == 0


def test_a_form_shows_its_fields_with_the_admins_widgets(answerer):
    wait = ask(form="form", fields=FIELDS)
    shown = answerer.get(page(wait)).content.decode()
    for said in ("vDateField", "vTimeField", 'type="radio"', "Slow", "/admin/jsi18n/"):
        assert said in shown
    done = answerer.post(page(wait), FILLED, follow=True)
    assert done.redirect_chain == [(INBOX, 302)]
    value = kept(wait).value
    assert value["amount"] == Decimal("12.50")
    assert value["at"].isoformat() == "2030-01-31T10:30:00+00:00"
    assert (value["speed"], value["note"]) == ("f", "")


def test_what_is_wrong_is_said_at_its_field_and_nothing_is_lost(answerer):
    wait = ask(form="form", fields=FIELDS)
    sent = {**FILLED, "answer-amount": "101", "answer-speed": "", "answer-with-comment": "Hm"}
    response = answerer.post(page(wait), sent)
    shown = response.content.decode()
    assert response.status_code == 200
    assert "Please correct the errors below." in shown
    assert "less than or equal to 100" in shown
    assert 'aria-invalid="true"' in shown
    assert 'value="101"' in shown
    assert ">Hm</textarea>" in shown.replace("\n", "")
    assert kept(wait).status == "open"
    assert LogEntry.objects.count() == 0


def test_a_decision_has_to_be_made(answerer):
    wait = ask()
    for sent in ({}, {"answer-value": "approved"}, {"answer-value": '"perhaps"'}):
        response = answerer.post(page(wait), {**sent, "answer-with-comment": "Hm"})
        assert response.status_code == 200
        assert "errorlist" in response.content.decode()
    assert kept(wait).status == "open"


@pytest.mark.parametrize("form", ["text", "input"])
def test_a_text_is_given(answerer, form):
    wait = ask(form=form, prompt="Why?")
    # A browser ends lines so.
    sent = {"answer-value": "Because\r\nof it", "answer-with-comment": "One\r\nTwo"}
    answerer.post(page(wait), sent)
    assert (kept(wait).value, kept(wait).comment) == ("Because\nof it", "One\nTwo")


def test_a_choice_keeps_its_type(answerer):
    wait = ask(form="choice", choices=[1, "1", True])
    answerer.post(page(wait), {"answer-value": '"1"'})
    assert kept(wait).value == "1"


def test_a_field_may_be_called_like_what_a_page_sends(answerer):
    names = ["csrfmiddlewaretoken", "comment"]
    wait = ask(form="form", fields=dict.fromkeys(names, "text"))
    sent = {f"answer-{name}": name for name in names}
    answerer.post(page(wait), {**sent, "answer-with-comment": "aside"})
    assert kept(wait).value == {name: name for name in names}
    assert kept(wait).comment == "aside"


def test_a_value_that_cannot_be_kept_is_told(answerer, settings):
    settings.DURABLE = {"MAX_PAYLOAD_BYTES": 50}
    wait = ask(form="text")
    response = answerer.post(page(wait), {"answer-value": "x" * 100})
    assert "This answer cannot be kept: value" in response.content.decode()
    assert kept(wait).status == "open"


def test_the_history_of_the_run_tells_who_answered(answerer):
    wait = ask(node="manager")
    answerer.post(page(wait), {**APPROVE, "answer-with-comment": "secret remark"})
    entry = LogEntry.objects.get()
    assert entry.object_id == str(wait.execution_id)
    assert entry.change_message == 'Answered "manager"'
    assert entry.user == user_of(answerer)


def test_no_answer_without_a_trace_of_who_gave_it(answerer, monkeypatch):
    from durable_django.admin.inputs import PendingInputAdmin

    def broken(*args):
        raise RuntimeError("the history is full")

    monkeypatch.setattr(PendingInputAdmin, "log_change", broken)
    wait = ask()
    with pytest.raises(RuntimeError):
        answerer.post(page(wait), APPROVE)
    assert kept(wait).status == "open"


def test_one_comes_back_to_the_list_as_it_was_filtered(answerer):
    wait = ask()
    filters = "?_changelist_filters=workflow%3Dtests.order"
    assert f'href="{INBOX}?workflow=tests.order"' in (
        answerer.get(f"{page(wait)}{filters}").content.decode()
    )
    done = answerer.post(f"{page(wait)}{filters}", APPROVE)
    assert done["Location"] == f"{INBOX}?workflow=tests.order"


# Too late


def test_one_that_was_answered_meanwhile_says_by_whom_and_what(answerer):
    wait = ask(prompt="Approve?")
    other = User.objects.create_user("bob")
    answering.record(answering.judged(wait, True, other, "Was me."))
    response = answerer.get(page(wait))
    assert response.status_code == 200
    shown = response.content.decode()
    for said in ("Not waited for any more", "bob answered", "Was me.", "approved", "just now"):
        assert said in shown
    assert "<button" not in shown.partition("submit-row")[2]
    late = answerer.post(page(wait), REJECT, follow=True)
    assert late.redirect_chain == [(page(wait), 302)]
    assert messages_of(late) == ["Your answer was not given: this is not waited for any more."]
    assert kept(wait).value == "approved"


def test_one_that_is_answered_in_the_very_moment_is_told_so(answerer, monkeypatch):
    wait = ask()
    judged = answering.judged

    def overtaken(*args):
        answering.record(judged(wait, True))
        return judged(*args)

    monkeypatch.setattr(answering, "judged", overtaken)
    late = answerer.post(page(wait), REJECT, follow=True)
    assert messages_of(late) == ["Your answer was not given: this is not waited for any more."]
    assert "Code answered" in late.content.decode()
    assert kept(wait).value == "approved"
    assert LogEntry.objects.count() == 0


@pytest.mark.parametrize("status", ["timed_out", "cancelled", "completed"])
def test_one_that_is_over_has_a_page_without_a_form(answerer, status):
    wait = make_wait(status=status)
    shown = answerer.get(page(wait)).content.decode()
    assert status.replace("_", " ") in shown
    assert "with-comment" not in shown
    assert answerer.post(page(wait), APPROVE).status_code == 302
    assert kept(wait).status == status


def test_one_whose_time_is_up_is_refused_before_any_worker_looked(answerer):
    wait = ask(due_at=clock.now() - timedelta(seconds=5))
    assert "time is up" in answerer.get(page(wait)).content.decode()
    answerer.post(page(wait), APPROVE)
    assert kept(wait).status == "open"


def test_one_whose_run_has_ended_is_refused(answerer):
    wait = ask(make_run("cancelled"))
    assert "with-comment" not in answerer.get(page(wait)).content.decode()
    answerer.post(page(wait), APPROVE)
    assert kept(wait).status == "open"


@pytest.mark.parametrize("id", ["0", "999999", "nonsense", "9" * 30, "_5F"])
def test_one_that_never_was_leads_to_the_inbox(answerer, id):
    gone = answerer.get(f"{INBOX}{id}/change/", follow=True)
    assert gone.redirect_chain == [(INBOX, 302)]
    assert len(messages_of(gone)) == 1


# Who may


def test_who_may_look_only_gets_no_form_and_answers_nothing(staff):
    client = staff("view_pendinginput")
    wait = ask()
    shown = client.get(page(wait)).content.decode()
    assert "you have no permission to answer" in shown
    assert "with-comment" not in shown
    assert client.post(page(wait), APPROVE).status_code == 403
    assert kept(wait).status == "open"


def test_only_the_one_who_is_asked_gets_a_form(staff, admin_client):
    client = staff(*ANSWERS, "view_execution")
    wait = ask(to="user:bob")
    for browser in (client, admin_client):
        shown = browser.get(page(wait)).content.decode()
        assert "Only the one who is asked may answer: bob." in shown
        assert "with-comment" not in shown
        assert browser.post(page(wait), APPROVE).status_code == 403
    assert kept(wait).status == "open"


def test_who_is_not_logged_in_is_asked_to(client, db):
    wait = ask()
    response = client.post(page(wait), APPROVE)
    assert response.status_code == 302
    assert "/login/" in response["Location"]
    assert kept(wait).status == "open"


def test_a_post_without_a_csrf_token_is_refused(admin_user):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(admin_user)
    wait = ask()
    assert strict.post(page(wait), APPROVE).status_code == 403
    assert kept(wait).status == "open"


def test_a_get_answers_nothing(answerer):
    wait = ask()
    answerer.get(page(wait), APPROVE)
    assert kept(wait).status == "open"


# What is shown


def test_the_page_says_who_asks_and_leads_to_the_run(staff):
    run = make_run("waiting", workflow_name="shop.returns")
    due = now() + timedelta(days=2, seconds=30)
    wait = ask(run, prompt="One\nTwo", index=3, to="group:Managers", due_at=due)
    shown = staff(*ANSWERS, "view_execution").get(page(wait)).content.decode()
    for said in ("One", "Two", "shop.returns v1", "group Managers", "in 2 d 0 h"):
        assert said in shown
    assert page_of(run) in shown


def test_who_may_not_see_runs_gets_no_link_to_one(answerer):
    wait = ask()
    assert page_of(wait.execution) not in answerer.get(page(wait)).content.decode()


def test_nothing_of_a_request_is_taken_for_html(answerer):
    fields = {
        "a": {"type": "text", "label": EVIL, "help": EVIL, "initial": EVIL},
        "b": {"type": "choice", "choices": [(EVIL, EVIL), (1, "one")]},
        "c": {"type": "multiple_choice", "choices": [(EVIL, EVIL)]},
    }
    run = make_run("waiting", workflow_name=EVIL)
    wait = ask(run, form="form", prompt=EVIL, fields=fields, name=EVIL)
    for shown in (
        answerer.get(page(wait)).content.decode(),
        answerer.post(page(wait), {"answer-a": EVIL, "answer-b": EVIL}).content.decode(),
        answerer.get(INBOX).content.decode(),
    ):
        assert "<script>alert" not in shown
        assert "<img src=x" not in shown
        assert "&lt;script&gt;" in shown


def test_a_secret_answer_is_masked_once_it_is_given(answerer, settings):
    settings.DURABLE = {"SENSITIVE": ["pin", "token"]}
    form = ask(form="form", node="asked", fields={"pin": "text", "other": "text"})
    answerer.post(page(form), {"answer-pin": "1234567", "answer-other": "seen"})
    whole = ask(form="text", node="token")
    answerer.post(page(whole), {"answer-value": "1234567"})
    for wait in (form, whole):
        shown = answerer.get(page(wait)).content.decode()
        assert "1234567" not in shown
        assert "••••••" in shown
    assert "seen" in answerer.get(page(form)).content.decode()


def test_the_page_needs_few_queries(answerer):
    wait = ask(form="form", fields=FIELDS, to="permission:durable_django.answer_input")
    with CaptureQueriesContext(connection) as found:
        answerer.get(page(wait))
    assert len(found) <= 8
