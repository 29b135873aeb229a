"""Who sees only some runs starts none that he could not see, and is not told of other workflows."""

import pytest

from durable_django.admin.executions import ExecutionAdmin
from durable_django.models import AuditEntry, Execution
from tests.admin import test_visibility as visibility
from tests.admin.conftest import LIST
from tests.admin.test_permissions_matrix import everything
from tests.admin.test_visibility import HIDDEN, MINE, text_of

pytestmark = pytest.mark.usefixtures("isolated")
limited, world, clerk = visibility.limited, visibility.world, visibility.clerk


def test_a_workflow_whose_run_one_could_not_see_is_not_started(clerk, world):
    before = everything()
    address = f"{LIST}start/?workflow={HIDDEN}"
    for response in (clerk.get(address), clerk.post(address, {"input": "{}"})):
        assert response.status_code == 404
    assert everything() == before


def test_a_workflow_whose_runs_one_sees_is_started(clerk, world):
    response = clerk.post(f"{LIST}start/?workflow={MINE}", {"input": "{}"})
    assert response.status_code == 302
    made = Execution.objects.filter(workflow_name=MINE).latest("id")
    assert str(made.pk) in response["Location"]
    assert AuditEntry.objects.filter(execution=made.pk, verb="start").exists()


def test_one_that_would_be_hidden_once_it_is_started_is_not_started(clerk, world, monkeypatch):
    """Not every rule is about workflows: here it is about queues."""
    monkeypatch.setattr(
        ExecutionAdmin,
        "get_queryset",
        lambda self, request: Execution.objects.filter(kind="workflow", queue="default"),
    )
    before = everything()
    address = f"{LIST}start/?workflow={MINE}"
    response = clerk.post(address, {"input": "{}", "queue": "0ccult-queue"})
    assert response.status_code == 200
    assert "you could not see it" in text_of(response)
    assert everything() == before
    assert clerk.post(address, {"input": "{}", "queue": "default"}).status_code == 302


def test_who_may_see_definitions_may_choose_among_all_of_them(staff, world):
    starter = staff("view_execution", "start_execution", "view_workflowdefinition")
    assert HIDDEN in text_of(starter.get(f"{LIST}start/"))
    assert starter.get(f"{LIST}start/?workflow={HIDDEN}").status_code == 200
    before = everything()
    done = starter.post(f"{LIST}start/?workflow={HIDDEN}", {"input": "{}"})
    assert "you could not see it" in text_of(done)
    assert everything() == before


def test_an_idempotency_key_of_a_hidden_run_leads_nowhere(clerk, world):
    world.parent.workflow_name = MINE  # no longer hidden by its name, but by its queue
    world.parent.save()
    address = f"{LIST}start/?workflow={MINE}"
    response = clerk.post(address, {"input": "{}", "idempotency_key": "0ccult-key"})
    assert response.status_code in (200, 302)
