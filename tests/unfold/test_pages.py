"""Every page and every form of an action answers under django-unfold, and shows what it is for."""

from collections.abc import Iterator

import pytest
from django.contrib.admin import site
from django.test import Client
from django.urls import reverse

from durable_django.models import Execution, Queue
from durable_django.store import clock
from tests.admin.rows import (
    make_definition,
    make_fork,
    make_run,
    make_schedule,
    make_step,
    make_worker,
)

pytestmark = pytest.mark.django_db

TABS = ("graph", "steps", "context", "events", "history")
FAILED = {"type": "PaymentDeclined", "message": "declined", "traceback": "", "node": "charge"}


@pytest.fixture
def client(admin_client: Client) -> Client:
    return admin_client


@pytest.fixture
def failed() -> Execution:
    run = make_run("failed", error=FAILED, context={"total": 12})
    make_step(run, "charge", "failed", error=FAILED, logs=["asked the bank"])
    return run


def lists() -> Iterator[str]:
    others = ("pendinginput", "queue", "schedule", "worker", "workflowdefinition")
    for name in ("overview", "execution", *others):
        yield reverse(f"admin:durable_django_{name}_changelist")
    yield reverse("admin:durable_django_overview_metrics")


def test_the_theme_is_on(client):
    assert type(site).__module__.startswith("unfold.")
    assert "unfold/css/styles.css" in client.get("/admin/").content.decode()


def test_every_list_answers_without_and_with_rows(client):
    for address in lists():
        assert client.get(address).status_code == 200, address
    make_definition()
    make_worker()
    Queue.objects.create(name="mail", created_at=clock.now())
    make_fork(make_run("waiting"), ["completed", "pending"])
    for address in lists():
        answer = client.get(address)
        assert answer.status_code == 200, address
        assert "durable_django/theme.css" in answer.content.decode(), address


def test_every_tab_of_a_run_answers_and_says_what_failed(client, failed):
    page = reverse("admin:durable_django_execution_change", args=[failed.pk])
    for tab in TABS:
        answer = client.get(page, {"tab": tab})
        assert answer.status_code == 200, tab
        assert "PaymentDeclined" in answer.content.decode(), tab


def test_the_buttons_of_a_run_are_there(client, failed):
    page = client.get(reverse("admin:durable_django_execution_change", args=[failed.pk]))
    for verb in ("retry", "edit_context"):
        address = reverse(f"admin:durable_django_execution_{verb}", args=[failed.pk])
        assert address in page.content.decode(), verb
        assert client.get(address).status_code == 200, verb


def test_a_run_is_cancelled_from_its_form(client):
    run = make_run("pending")
    address = reverse("admin:durable_django_execution_cancel", args=[run.pk])
    assert client.get(address).status_code == 200
    client.post(address, {"reason": "no longer wanted"})
    run.refresh_from_db()
    assert (run.status, run.reason) == ("cancelled", "no longer wanted")


def test_the_page_of_a_definition_a_queue_and_a_worker_answers(client):
    definition, worker = make_definition(), make_worker()
    queue = Queue.objects.create(name="mail", created_at=clock.now())
    rows = {"workflowdefinition": definition, "worker": worker, "queue": queue}
    for name, row in {**rows, "schedule": make_schedule()}.items():
        address = reverse(f"admin:durable_django_{name}_change", args=[row.pk])
        assert client.get(address).status_code == 200, address


def test_the_form_of_a_schedule_shows_its_times(client):
    address = reverse("admin:durable_django_schedule_edit", args=[make_schedule().pk])
    form = client.get(address).context["adminform"].form
    sent = {name: form[name].value() or "" for name in form.fields}
    page = client.post(address, {**sent, "preview": "1"}).content.decode()
    assert "At 09:00 every day, America/New_York" in page
    assert "Save this schedule" in page
