"""Mails to those who are asked: who gets one, what it says, and that nothing is lost by it."""

import pytest
from django.core import mail
from django.core.mail.backends import locmem

from durable_django.models import Wait
from durable_django.notifications import people_asked, tell_assignee
from durable_django.signals import input_requested
from tests.admin.rows import make_run, now
from tests.inputs.waits import ask

PERMISSION = "durable_django.answer_input"


@pytest.fixture
def connected(settings, monkeypatch):
    """The two lines of a project, which has no other receivers."""
    settings.DURABLE = {}
    monkeypatch.setattr(input_requested, "receivers", [])
    input_requested.connect(tell_assignee)
    yield
    input_requested.disconnect(tell_assignee)


def tell(wait):
    """As a worker does when a run was parked."""
    return input_requested.send_robust(
        sender=wait.execution.workflow_name,
        execution_id=wait.execution_id,
        pending_input_id=wait.pk,
        name=wait.name,
        assignee_kind=wait.assignee_kind,
        assignee=wait.assignee,
    )


def told():
    return sorted(address for message in mail.outbox for address in message.to)


def test_the_user_who_is_asked_is_told(connected, person, settings):
    settings.DURABLE = {"BASE_URL": "https://shop.example/"}
    person("anna")
    person("bob")
    wait = ask(prompt="Approve 7 & more\nfor <Anna>?", to="user:anna", due_at=now())
    tell(wait)
    (message,) = mail.outbox
    assert message.to == ["anna@shop.example"]
    assert message.subject == "Please answer: Approve 7 & more for <Anna>?"
    assert "Approve 7 & more\nfor <Anna>?" in message.body
    assert "tests.order" in message.body
    assert "Answer by:" in message.body
    link = f"https://shop.example/admin/durable_django/pendinginput/{wait.pk}/change/"
    assert link in message.body


def test_without_a_base_url_there_is_no_link(connected, person):
    person("anna")
    tell(ask(to="user:anna"))
    assert "http" not in mail.outbox[0].body
    assert "Answer by:" not in mail.outbox[0].body


def test_everybody_in_the_group_gets_a_mail_of_his_own(connected, person):
    for name in ("anna", "bob"):
        person(name, groups=["Managers"])
    person("carl", groups=["Managers"], is_active=False)
    person("dora", groups=["Managers"], email="")
    person("eve", groups=["Managers"], email="ANNA@shop.example")
    person("fred")
    tell(ask(to="group:Managers"))
    assert [address.casefold() for address in told()] == ["anna@shop.example", "bob@shop.example"]


def test_those_with_the_permission_are_told(connected, person):
    person("anna", permissions=["answer_input"])
    person("bob", groups=["Managers"]).groups.get().permissions.set(
        person("carl", permissions=["answer_input"], is_active=False).user_permissions.all()
    )
    person("dora")
    tell(ask(to=f"permission:{PERMISSION}"))
    assert told() == ["anna@shop.example", "bob@shop.example"]


def test_what_is_assigned_to_nobody_is_told_to_nobody(connected, person):
    person("anna", is_superuser=True)
    tell(ask())
    tell(ask(to="user:nobody"))
    assert mail.outbox == []
    assert people_asked("", "") == []


def test_what_was_answered_meanwhile_is_not_told(connected, person):
    person("anna")
    wait = ask(to="user:anna")
    Wait.objects.update(status="answered", answered_at=now())
    tell(wait)
    assert mail.outbox == []


def test_what_a_run_keeps_secret_is_not_mailed(connected, person, settings):
    settings.DURABLE = {"SENSITIVE": ["card_number"]}
    person("anna")
    run = make_run("waiting", context={"card_number": "4111-1111"})
    tell(ask(run, prompt="Charge 4111-1111?", to="user:anna"))
    assert "4111" not in mail.outbox[0].body + mail.outbox[0].subject


def test_a_project_has_its_own_words(connected, person, settings, tmp_path):
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    (tmp_path / "durable_django").mkdir()
    body = "{{ user.username }}: {{ pending_input.name }}, {{ workflow }}"
    (tmp_path / "durable_django" / "input_requested_body.txt").write_text(body)
    person("anna")
    tell(ask(to="user:anna"))
    assert mail.outbox[0].body == "anna: approval, tests.order"


def test_a_mail_that_cannot_be_sent_is_logged_and_nothing_else(connected, person, settings, caplog):
    settings.EMAIL_BACKEND = "nowhere.Backend"
    person("anna")
    assert [answer for _receiver, answer in tell(ask(to="user:anna"))] == [None]
    assert "nobody was told of the input" in caplog.text


class Particular(locmem.EmailBackend):
    """A mail server that knows no Bob."""

    def send_messages(self, messages):
        if messages[0].to == ["bob@shop.example"]:
            raise OSError("no such mailbox")
        return super().send_messages(messages)


def test_a_mail_that_is_refused_keeps_nobody_else_from_his(connected, person, settings, caplog):
    settings.EMAIL_BACKEND = f"{__name__}.Particular"
    for name in ("anna", "bob", "carl"):
        person(name, groups=["Managers"])
    tell(ask(to="group:Managers"))
    assert told() == ["anna@shop.example", "carl@shop.example"]
    assert "bob@shop.example could not be told" in caplog.text


def test_without_the_admin_only_the_name_is_told(connected, person, settings):
    person("anna")
    wait = ask(to="user:anna", prompt="Charge 4111-1111?")
    settings.INSTALLED_APPS = [
        app for app in settings.INSTALLED_APPS if app != "django.contrib.admin"
    ]
    tell(wait)
    assert "4111" not in mail.outbox[0].body
    assert "approval" in mail.outbox[0].body
