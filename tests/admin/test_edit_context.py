"""The context changed by hand: what one may not see is kept, what has moved on is left alone."""

import json
from datetime import date

import pytest
from django.urls import reverse

from durable_django import Workflow, pause, step, wait_for_event
from durable_django.admin.actions.masked_edits import DotsMoved, restored
from durable_django.models import AuditEntry, Execution
from durable_django.showing.masking import DOTS
from durable_django.store import editing
from durable_django.testing import drain
from durable_django.testing import run as run_through
from tests.admin.conftest import EVERY_VIEW
from tests.admin.rows import make_run

pytestmark = pytest.mark.usefixtures("isolated")

CARD = "4111-1111-1111-1111"


@pytest.fixture
def run():
    class Pay(Workflow):
        class Meta:
            name = "tests.pay"
            sensitive = ("card",)

        @step
        def collect(self):
            self.context["card"] = CARD
            self.context["total"] = 12
            self.context["customer"] = {"name": "Ada", "card": {"number": CARD}, "age": 36}

        go = wait_for_event("go")

        @step
        def charge(self):
            return dict(self.context)

    return run_through(Pay)


@pytest.fixture
def editor(staff):
    return staff(*EVERY_VIEW, "edit_context")


def address_of(run):
    return reverse("admin:durable_django_execution_edit_context", args=[run.pk])


def form_of(client, run):
    """What the form holds: the context as one sees it, and what it was made of."""
    initial = client.get(address_of(run)).context["adminform"].form.initial
    return json.loads(initial["context"]), initial["seen"]


def send(client, run, context, seen, **more):
    text = context if isinstance(context, str) else json.dumps(context)
    return client.post(address_of(run), {"context": text, "seen": seen, "reason": "x", **more})


def test_what_is_masked_is_shown_as_dots_and_kept(editor, run):
    context, seen = form_of(editor, run)
    assert context == {
        "card": DOTS,
        "total": 12,
        "customer": {"name": "Ada", "card": DOTS, "age": 36},
    }
    context["customer"]["age"] = 37
    context["total"] = 13
    send(editor, run, context, seen, confirmed="1")
    run.refresh_from_db()
    assert run.context["card"] == CARD
    assert run.context["customer"] == {"name": "Ada", "card": {"number": CARD}, "age": 37}
    assert run.context["total"] == 13


def test_who_may_see_what_is_sensitive_sees_it(staff, run):
    client = staff(*EVERY_VIEW, "edit_context", "view_sensitive")
    assert form_of(client, run)[0]["card"] == CARD


def test_a_masked_value_can_be_replaced_but_not_moved(editor, run):
    context, seen = form_of(editor, run)
    for elsewhere in ({"other": DOTS}, {"total": f"it was {DOTS}"}, {"customer": [DOTS]}):
        refused = send(editor, run, {**context, **elsewhere}, seen)
        assert "dots stand for what is masked" in refused.context["errors"]["context"][0]
    send(editor, run, {**context, "card": "5500-0000"}, seen, confirmed="1")
    run.refresh_from_db()
    assert run.context["card"] == "5500-0000"


def test_the_difference_is_shown_before_anything_is_saved(editor, run):
    context, seen = form_of(editor, run)
    del context["total"]
    context.update(card="5500-0000", new=[1])
    review = send(editor, run, context, seen)
    told = {row["key"]: row for row in review.context["review"]["rows"]}
    assert set(told) == {"total", "card", "new"}
    assert told["card"]["hidden"]
    assert (told["total"]["after"], told["new"]["before"]) == ("", "")
    shown = review.content.decode()
    for secret in (CARD, "5500-0000"):
        assert secret not in shown.replace(json.dumps(context), "").replace(
            json.dumps(context).replace('"', "&quot;"), ""
        )
    run.refresh_from_db()
    assert run.context["total"] == 12
    hidden = {answer["name"]: answer["value"] for answer in review.context["answers"]}
    editor.post(address_of(run), {**hidden, "confirmed": "1"})
    run.refresh_from_db()
    assert sorted(run.context) == ["card", "customer", "new"]
    assert AuditEntry.objects.get(execution=run.pk, verb="edit_context").reason == "x"


def test_the_node_after_sees_the_change(editor, run):
    context, seen = form_of(editor, run)
    send(editor, run, {**context, "total": 99}, seen, confirmed="1")
    from durable_django import send_event

    send_event(run.pk, "go")
    drain()
    run.refresh_from_db()
    assert run.result["total"] == 99


def test_a_context_that_changed_meanwhile_is_not_overwritten(editor, run):
    context, seen = form_of(editor, run)
    editing.edit_context(run.pk, {"total": "77"}, [], by="another", reason="first")
    done = editor.post(
        address_of(run),
        {
            "context": json.dumps({**context, "total": 13}),
            "seen": seen,
            "reason": "x",
            "confirmed": "1",
        },
        follow=True,
    )
    (message,) = done.context["messages"]
    assert "has moved on since you looked" in str(message)
    run.refresh_from_db()
    assert run.context["total"] == 77


def test_a_run_that_was_paused_meanwhile_is_looked_at_again(editor, run):
    context, seen = form_of(editor, run)
    pause(run.pk)
    send(editor, run, {**context, "total": 13}, seen, confirmed="1")
    run.refresh_from_db()
    assert run.context["total"] == 12


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ("[]", "The context is a JSON object"),
        ("", "This field is required"),
        ("{", "This is no JSON"),
        ('{"bad": NaN}', 'context["bad"]'),
        ('{"a": {"b": "\\u0000"}}', 'context["a"]["b"]'),
    ],
)
def test_what_is_no_context_is_refused_beside_the_field(editor, run, sent, said):
    _context, seen = form_of(editor, run)
    refused = send(editor, run, sent, seen)
    assert said in refused.context["errors"]["context"][0]


def test_the_same_again_is_no_change(editor, run):
    context, seen = form_of(editor, run)
    refused = send(editor, run, context, seen)
    assert refused.context["errors"]["context"] == ["Nothing was changed."]


def test_a_run_that_a_worker_drives_is_paused_first(editor):
    run = make_run("running")
    done = editor.get(address_of(run), follow=True)
    assert "already running" in str(next(iter(done.context["messages"])))
    assert Execution.objects.get(pk=run.pk).context == {}


def test_types_that_json_does_not_have_survive(editor):
    context = {"due": date(2030, 1, 31), "total": 1}
    run = make_run("waiting", context=context)
    shown, seen = form_of(editor, run)
    assert shown["due"] == {"$": ["date", "2030-01-31"]}
    send(editor, run, {**shown, "total": 2}, seen, confirmed="1")
    run.refresh_from_db()
    assert run.context == {**context, "total": 2}


def test_true_is_not_one():
    assert restored({"a": True}, {"a": 1}, {"a": 1}) == {"a": True}
    assert restored([1, DOTS], [1, DOTS], [1, "x"]) == [1, "x"]
    with pytest.raises(DotsMoved):
        restored([DOTS], [1, DOTS], [1, "x"])
