"""Each action on a run does what its page says: retried, skipped, run again, given an event."""

import pytest
from django.contrib.admin.models import LogEntry
from django.db import OperationalError
from django.urls import reverse

from durable_django import Workflow, api, foreach, parallel, step, wait_for_event
from durable_django.models import AuditEntry, Execution
from durable_django.testing import drain
from durable_django.testing import run as run_through
from tests.admin.conftest import page_of

pytestmark = pytest.mark.usefixtures("isolated")


def address_of(run, verb):
    return reverse(f"admin:durable_django_execution_{verb}", args=[run.pk])


def messages_of(response):
    return [str(message) for message in response.context["messages"]]


def errors_of(response):
    return [text for texts in response.context["errors"].values() for text in texts]


def choices_of(response, name="node"):
    form = response.context["adminform"].form
    return [value for value, _label in form.fields[name].choices]


class Deadlock(Exception):
    """As psycopg tells it."""

    sqlstate = "40P01"


@pytest.fixture
def pay():
    class Pay(Workflow):
        class Meta:
            name = "tests.pay"

        @step
        def reserve(self):
            self.context["n"] = 1

        @step
        def charge(self):
            if self.input.get("broken", True):
                raise ValueError("no money")
            return 12

        @step
        def ship(self):
            return self.outputs["charge"]

    return Pay


@pytest.fixture
def failed(pay):
    return run_through(pay)


# Retry


def test_a_run_is_retried_at_the_node_chosen(admin_client, failed):
    asked = admin_client.get(address_of(failed, "retry"))
    assert choices_of(asked) == ["", "reserve", "charge", "ship"]
    data = {"node": "reserve", "reason": "once more"}
    done = admin_client.post(address_of(failed, "retry"), data, follow=True)
    assert messages_of(done) == [f"{failed} goes on."]
    drain()
    names = list(failed.steps.values_list("name", flat=True))
    assert names == ["reserve", "charge", "reserve", "charge"]


def test_a_node_that_cannot_be_chosen_is_refused_beside_the_field(admin_client, failed):
    refused = admin_client.post(address_of(failed, "retry"), {"node": "nowhere"})
    assert "nowhere is not one of the available choices" in errors_of(refused)[0]
    failed.refresh_from_db()
    assert failed.status == "failed"


def test_a_run_whose_node_is_gone_is_let_go_on_at_another(admin_client, failed):
    class Renamed(Workflow):
        class Meta:
            name = "tests.renamed"

        @step
        def reserve(self):
            pass

        @step
        def collect(self):
            return "collected"

    Execution.objects.filter(pk=failed.pk).update(workflow_name="tests.renamed")
    data = {"node": "collect", "reason": "renamed by a deploy"}
    admin_client.post(address_of(failed, "retry"), data)
    drain()
    failed.refresh_from_db()
    assert (failed.status, failed.result) == ("completed", "collected")


# Skip


def test_a_failed_node_is_skipped_with_a_result(admin_client, failed):
    asked = admin_client.get(address_of(failed, "skip"))
    assert choices_of(asked) == ["charge"]
    data = {"node": "charge", "value": '{"paid": 12}', "reason": "paid in cash"}
    admin_client.post(address_of(failed, "skip"), data)
    drain()
    failed.refresh_from_db()
    assert (failed.status, failed.result) == ("completed", {"paid": 12})
    assert failed.steps.get(name="charge", status="skipped").output == {"paid": 12}


def test_one_of_several_failed_nodes_is_chosen(admin_client):
    class Fetch(Workflow):
        @step
        def items(self):
            return [1, 2, 3]

        with foreach(items, on_error="fail_fast", tolerate=2) as sending:

            @step
            def send(self):
                if self.index < 3:
                    raise ValueError("no")

    run = run_through(Fetch)
    assert run.status == "failed"
    asked = choices_of(admin_client.get(address_of(run, "skip")))
    assert "sending[0]/send" in asked
    assert asked[-1] == "sending"
    data = {"node": "sending", "value": "[]", "reason": "all of it"}
    admin_client.post(address_of(run, "skip"), data)
    run.refresh_from_db()
    assert run.status != "failed"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{", "This is no JSON"),
        ("NaN", "not a finite number"),
        ('"\\ud800"', "surrogate"),
        ("[" * 200 + "]" * 200, "nested"),
        ('{"$": ["nonsense", 1]}', "This cannot be read"),
        ("1" * 5_000, "This cannot be read"),
    ],
)
def test_a_value_that_cannot_be_kept_is_refused_beside_the_field(admin_client, failed, value, said):
    data = {"node": "charge", "value": value, "reason": "x"}
    refused = admin_client.post(address_of(failed, "skip"), data)
    assert said in refused.context["errors"]["value"][0]
    failed.refresh_from_db()
    assert failed.status == "failed"


# Re-run


def test_a_rerun_shows_first_what_is_kept_and_what_runs_again(admin_client, failed):
    asked = admin_client.get(address_of(failed, "rerun"))
    form = asked.context["adminform"].form
    assert form["node"].value() == form.fields["node"].choices[-1][0]  # where it failed
    assert choices_of(asked) == ["reserve", "charge"]
    data = {"node": "charge", "reason": "again", "input": '{"broken": false}'}
    review = admin_client.post(address_of(failed, "rerun"), data)
    assert review.context["review"]["kept"] == ["reserve"]
    assert review.context["review"]["again"] == ["charge", "ship"]
    assert Execution.objects.count() == 1
    hidden = {answer["name"]: answer["value"] for answer in review.context["answers"]}
    assert hidden.items() >= data.items()
    done = admin_client.post(address_of(failed, "rerun"), {**hidden, "confirmed": "1"}, follow=True)
    made = Execution.objects.exclude(pk=failed.pk).get()
    assert done.redirect_chain[-1][0] == page_of(made)
    drain()
    made.refresh_from_db()
    assert (made.status, made.result) == ("completed", 12)
    assert made.context == {"n": 1}


def test_from_the_second_page_one_can_go_back_to_the_form(admin_client, failed):
    data = {"node": "charge", "reason": "again", "confirmed": "1", "change": "1"}
    form = admin_client.post(address_of(failed, "rerun"), data)
    assert form.context["adminform"].form.data["reason"] == "again"
    assert "review" not in form.context
    assert Execution.objects.count() == 1


def test_a_rerun_with_a_change_to_the_context(admin_client, failed):
    bad = {"node": "charge", "context": "[]"}
    refused = admin_client.post(address_of(failed, "rerun"), bad)
    assert errors_of(refused) == ["The context is a JSON object: {…}."]
    data = {"node": "charge", "context": '{"n": 7}', "confirmed": "1"}
    admin_client.post(address_of(failed, "rerun"), data)
    made = Execution.objects.exclude(pk=failed.pk).get()
    assert made.context == {"n": 7}


# Cancel


def test_where_there_is_something_to_undo_one_chooses(admin_client):
    class Hold(Workflow):
        @step
        def reserve(self):
            pass

        @reserve.compensate
        def release(self):
            pass

        go = wait_for_event("go")

    run, other = run_through(Hold), run_through(Hold)
    page = admin_client.get(address_of(run, "cancel")).content.decode()
    assert "these compensations may run: release." in page
    sent = {"reason": "no need", "how": "undo"}
    done = admin_client.post(address_of(run, "cancel"), sent, follow=True)
    assert messages_of(done) == [f"{run} was cancelled: what it did is being undone."]
    admin_client.post(address_of(other, "cancel"), {"reason": "no need", "how": "stop"})
    drain()
    statuses = Execution.objects.order_by("id").values_list("status", flat=True)
    assert list(statuses) == ["compensated", "cancelled"]


def test_where_nothing_can_be_undone_nobody_is_asked(admin_client):
    class Plain(Workflow):
        go = wait_for_event("go")

    run = run_through(Plain)
    page = admin_client.get(address_of(run, "cancel")).content.decode()
    assert 'name="how"' not in page


@pytest.mark.django_db(transaction=True)
def test_what_a_deadlock_undid_is_done_again(admin_client, monkeypatch):
    class Waits(Workflow):
        go = wait_for_event("go")

    run = run_through(Waits)
    cancel, tries = api.cancel, []

    def deadlocked(*args, **options):
        tries.append(args)
        found = cancel(*args, **options)
        if len(tries) == 1:
            raise OperationalError from Deadlock()
        return found

    monkeypatch.setattr(api, "cancel", deadlocked)
    admin_client.post(address_of(run, "cancel"), {"reason": "enough"})
    run.refresh_from_db()
    assert (run.status, len(tries)) == ("cancelled", 2)
    assert AuditEntry.objects.filter(execution=run.pk).count() == 1
    assert LogEntry.objects.count() == 1


# Events


def test_the_name_of_an_event_is_that_of_what_is_waited_for(admin_client):
    class Both(Workflow):
        with parallel() as both:
            paid = wait_for_event("payment.success", key="inv_1")
            sent = wait_for_event("parcel.sent")

    run = run_through(Both)
    asked = admin_client.get(address_of(run, "send_event"))
    assert asked.context["adminform"].form.initial["name"] == "payment.success"
    assert "payment.success, parcel.sent" in asked.content.decode()
    named = admin_client.get(address_of(run, "send_event"), {"name": "parcel.sent"})
    assert named.context["adminform"].form.initial["name"] == "parcel.sent"
    for name in ("payment.success", "parcel.sent"):
        admin_client.post(
            address_of(run, "send_event"), {"name": name, "payload": f'{{"name": "{name}"}}'}
        )
    drain()
    run.refresh_from_db()
    assert run.result["paid"] == {"name": "payment.success"}


def test_an_event_that_cannot_be_sent_says_why(admin_client):
    class Once(Workflow):
        go = wait_for_event("go")

    run = run_through(Once)
    refused = admin_client.post(address_of(run, "send_event"), {"name": "go", "payload": "{x"})
    assert "This is no JSON" in refused.context["errors"]["payload"][0]
    assert "line 1, column 2" in refused.context["errors"]["payload"][0]
    missing = admin_client.post(address_of(run, "send_event"), {"name": "", "payload": "1"})
    assert errors_of(missing) == ["This field is required."]


# Pause and resume


def test_a_run_is_paused_and_resumed(admin_client, pay):
    run = pay.start({"broken": False})
    assert messages_of(admin_client.post(address_of(run, "pause"), {}, follow=True)) == [
        f"{run} was paused."
    ]
    drain()
    run.refresh_from_db()
    assert run.status == "paused"
    again = admin_client.get(address_of(run, "pause"), follow=True)
    assert messages_of(again) == [f"{run} was not paused. It is paused already."]
    admin_client.post(address_of(run, "resume"), {"reason": "go on"}, follow=True)
    drain()
    run.refresh_from_db()
    assert run.status == "completed"
    done = admin_client.get(address_of(run, "resume"), follow=True)
    assert messages_of(done) == [f"{run} was not resumed. It is already completed."]
