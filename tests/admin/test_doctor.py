"""The doctor's page: who sees it, what it tells, who may have what fixed."""

from datetime import timedelta

import pytest
from django.urls import reverse

from durable_django.admin.executions import ExecutionAdmin
from durable_django.models import AuditEntry, Event, Wait
from durable_django.store import clock
from tests.admin.conftest import page_of
from tests.admin.rows import make_run, make_worker, now
from tests.doctor.sick import nothing_else_registered

OVERVIEW = "/admin/durable_django/overview/"
DOCTOR = f"{OVERVIEW}doctor/"


@pytest.fixture
def stuck(db, settings):
    """A run that waits for nothing, and a worker, so that nothing else is wrong."""
    settings.SILENCED_SYSTEM_CHECKS = ["durable_django.W003", "durable_django.W004"]
    make_worker(heartbeat_at=clock.now())
    with nothing_else_registered():
        yield make_run("waiting")


def read(client):
    response = client.get(DOCTOR)
    assert response.status_code == 200
    return response.content.decode()


def fix(client, key):
    return client.post(DOCTOR, {"finding": key}, follow=True)


def test_the_overview_leads_to_it(viewer):
    make_run("completed")
    assert reverse("admin:durable_django_overview_doctor") == DOCTOR
    assert f'href="{DOCTOR}"' in viewer.get(OVERVIEW).content.decode()


def test_a_finding_is_told_with_its_run_and_what_to_do(viewer, stuck):
    page = read(viewer)
    assert "Executions wait for nothing: 1" in page
    assert "Have them go on." in page
    assert f'href="{page_of(stuck)}"' in page


def test_who_may_only_look_is_told_what_would_be_done_and_cannot_do_it(viewer, stuck):
    page = read(viewer)
    assert "They are made ready; a worker looks where they stand." in page
    assert "Fix this" not in page
    assert fix(viewer, "await_nothing").status_code == 403
    stuck.refresh_from_db()
    assert stuck.status == "waiting"


def test_who_may_retry_has_it_fixed_and_it_is_known_by_whom(staff, stuck):
    client = staff("view_execution", "retry_execution")
    assert "Fix this" in read(client)
    page = fix(client, "await_nothing").content.decode()
    assert "1 was fixed: Executions wait for nothing: 1." in page
    stuck.refresh_from_db()
    assert stuck.status == "pending"
    entry = AuditEntry.objects.get(execution=stuck)
    assert (entry.verb, entry.by) == ("fix", "staff-0")


def test_what_is_well_meanwhile_is_left_alone(staff, stuck):
    client = staff("view_execution", "retry_execution")
    fix(client, "await_nothing")
    page = fix(client, "await_nothing").content.decode()
    assert "Nothing was changed: that is well now." in page
    assert AuditEntry.objects.count() == 1


def test_each_fix_takes_the_permission_of_what_it_does(staff, stuck):
    Wait.objects.create(
        execution=stuck,
        member=stuck,
        path="paid",
        node="paid",
        kind="event",
        name="paid",
        created_at=now() - timedelta(minutes=9),
    )
    Event.objects.create(
        execution=stuck,
        name="paid",
        status="kept",
        created_at=now(),
        examined_at=now() - timedelta(minutes=9),
    )
    client = staff("view_execution", "retry_execution", "manage_queue", "cancel_execution")
    assert "Runs wait for events that they have: 1" in read(client)
    assert fix(client, "event_missed").status_code == 403
    assert fix(staff("view_execution", "send_event"), "event_missed").status_code == 200
    assert Event.objects.get().status == "new"


def test_who_sees_only_some_runs_is_told_nothing_of_all(viewer, stuck, monkeypatch):
    everything = ExecutionAdmin.get_queryset
    monkeypatch.setattr(
        ExecutionAdmin, "get_queryset", lambda self, r: everything(self, r).filter(queue="mine")
    )
    assert viewer.get(DOCTOR).status_code == 403
    assert DOCTOR not in viewer.get(OVERVIEW).content.decode()


def test_hostile_names_are_text(viewer, stuck):
    make_run(queue="<script>alert(1)</script>\u202e")
    page = read(viewer)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "\u202e" not in page


def test_where_all_is_well_it_says_so(viewer, stuck):
    stuck.delete()
    assert "Nothing. No run is stuck" in read(viewer)
