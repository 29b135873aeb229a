"""A workflow started from a form: with an input that it takes, when and where it is said."""

from datetime import timedelta
from typing import TypedDict

import pytest
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from durable_django import Workflow, step
from durable_django.models import AuditEntry, Execution
from tests.admin.conftest import EVERY_VIEW, LIST, page_of
from tests.admin.rows import make_run, now

pytestmark = pytest.mark.usefixtures("isolated")

START = f"{LIST}start/"
EVIL = "<script>pwned()</script>"


class OrderInput(TypedDict):
    order: int
    note: str


@pytest.fixture
def order():
    class Order(Workflow):
        """Sends what was ordered."""

        input: OrderInput

        class Meta:
            name = "tests.order_form"
            queue = "orders"
            priority = 3

        @classmethod
        def clean_input(cls, input):
            if input.get("order") == 13:
                raise ValidationError({"order": [f"no order is 13 {EVIL}"]})
            return {**input, "clean": True}

        @step
        def send(self):
            pass

    return Order


@pytest.fixture
def starter(staff):
    return staff(*EVERY_VIEW, "start_execution")


def start(client, **data):
    address = f"{START}?workflow=tests.order_form"
    return client.post(address, {"input": '{"order": 7}', **data}, follow=True)


def errors_of(response, field):
    return response.context["errors"].get(field, [])


def test_first_one_chooses_the_workflow(starter, order):
    listed = starter.get(LIST).content.decode()
    assert f'href="{START}"' in listed
    page = starter.get(START).content.decode()
    assert '<option value="tests.order_form">' in page
    assert 'formmethod="get"' in page
    assert starter.get(START, {"workflow": "nobody"}).status_code == 404
    assert Execution.objects.count() == 0


def test_the_form_begins_with_what_the_class_says(starter, order):
    response = starter.get(START, {"workflow": "tests.order_form"})
    form = response.context["adminform"].form
    assert form.initial["input"] == '{\n  "order": null,\n  "note": null\n}'
    page = response.content.decode()
    assert 'placeholder="orders"' in page
    assert 'placeholder="3"' in page
    assert "Sends what was ordered." in page


def test_it_is_started_with_the_workflows_own_options(starter, order):
    done = start(starter)
    run = Execution.objects.get()
    assert done.redirect_chain == [(page_of(run), 302)]
    assert run.input == {"order": 7, "clean": True}
    assert (run.queue, run.priority, run.tags, run.idempotency_key) == ("orders", 3, [], None)
    assert LogEntry.objects.get().object_id == str(run.pk)
    assert AuditEntry.objects.get(verb="start").by == "staff-0"


def test_it_is_started_as_it_was_said(starter, order):
    later = now() + timedelta(days=2)
    start(
        starter,
        queue="night",
        priority="-2",
        timeout="1h 30m",
        tags="vip, customer=42",
        idempotency_key="order-7",
        scheduled_at_0=f"{later:%Y-%m-%d}",
        scheduled_at_1="10:00:00",
    )
    run = Execution.objects.get()
    assert (run.queue, run.priority, run.idempotency_key) == ("night", -2, "order-7")
    assert run.tags == {"vip": True, "customer": "42"}
    assert run.timeout_at - run.scheduled_at == timedelta(hours=1, minutes=30)
    assert run.status == "scheduled"
    assert f"{run.scheduled_at:%Y-%m-%d}" == f"{later:%Y-%m-%d}"


def test_words_alone_are_a_list_of_tags(starter, order):
    start(starter, tags="vip,, urgent ")
    assert Execution.objects.get().tags == ["vip", "urgent"]


@pytest.mark.parametrize(
    ("data", "field", "said"),
    [
        ({"input": "{"}, "input", "This is no JSON"),
        ({"input": '{"order": 13}'}, "input", "order: no order is 13"),
        ({"input": '{"a": NaN}'}, "input", 'input["a"]'),
        ({"input": '{"a": "%s"}' % ("x" * 1_100_000)}, "input", "bytes are more than"),
        ({"queue": "q" * 101}, "queue", "at most 100 characters"),
        ({"priority": "99999"}, "priority", "less than or equal to 32767"),
        ({"tags": "$=1"}, "tags", "cannot be the name of a tag"),
        ({"scheduled_at_0": "yesterday"}, "scheduled_at", "valid"),
    ],
)
def test_what_it_does_not_take_is_told_beside_the_field(starter, order, data, field, said):
    refused = start(starter, **data)
    assert any(said in text for text in errors_of(refused, field)), refused.context["errors"]
    assert EVIL not in refused.content.decode()
    assert Execution.objects.count() == 0
    assert LogEntry.objects.count() == 0


def test_a_queue_that_does_not_exist_is_told_beside_its_field(starter, order, settings):
    settings.DURABLE = {**settings.DURABLE, "QUEUES": {"orders": {}}}
    refused = start(starter, queue="ordres")
    assert "no queue is called &#x27;ordres&#x27;" in refused.content.decode()
    assert len(errors_of(refused, "queue")) == 1


def test_a_key_that_is_taken_leads_to_the_run_that_has_it(starter, order):
    there = make_run(workflow_name="tests.order_form", idempotency_key="order-7")
    done = start(starter, idempotency_key="order-7")
    assert done.redirect_chain == [(page_of(there), 302)]
    (message,) = done.context["messages"]
    assert str(message).startswith("Nothing was started")
    assert Execution.objects.count() == 1
    assert LogEntry.objects.count() == 0


def test_a_key_of_a_run_that_one_may_not_see_is_said_to_be_taken(starter, order, monkeypatch):
    from durable_django.admin.executions import ExecutionAdmin

    make_run(workflow_name="tests.order_form", idempotency_key="order-7")
    monkeypatch.setattr(
        ExecutionAdmin, "get_queryset", lambda self, request: Execution.objects.none()
    )
    refused = start(starter, idempotency_key="order-7")
    assert errors_of(refused, "idempotency_key")[0].startswith("Nothing was started")
    assert Execution.objects.count() == 1


def test_who_may_not_start_sees_no_button_and_is_refused(viewer, staff, order):
    assert START not in viewer.get(LIST).content.decode()
    for client in (viewer, staff("start_execution")):
        assert client.get(START).status_code == 403
        assert start(client).status_code == 403
    assert Execution.objects.count() == 0


def test_a_get_and_a_post_without_a_token_start_nothing(admin_user, admin_client, order):
    address = f"{START}?workflow=tests.order_form"
    admin_client.get(address, {"workflow": "tests.order_form", "input": "{}"})
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(admin_user)
    assert strict.post(address, {"input": "{}"}).status_code == 403
    assert Execution.objects.count() == 0


def test_the_address_has_a_name():
    assert reverse("admin:durable_django_execution_start") == START
