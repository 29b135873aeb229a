"""People with and without permissions, and the addresses of the pages."""

from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from durable_django.admin.tabs import TABS
from durable_django.definition import registry
from durable_django.models import Execution
from durable_django.store import clock
from tests.admin.browser import chromium, open_page, page, server

# Fixtures are found by their names.
__all__ = ["chromium", "open_page", "page", "server"]

LIST = "/admin/durable_django/execution/"
CANCEL_MANY = f"{LIST}bulk/cancel/"
DEFINITIONS = "/admin/durable_django/workflowdefinition/"
WORKERS = "/admin/durable_django/worker/"

EVERY_VIEW = ("view_execution", "view_workflowdefinition", "view_worker")


def page_of(run: Execution) -> str:
    return reverse("admin:durable_django_execution_change", args=[run.pk])


def steps_of(run: Execution) -> str:
    return f"{page_of(run)}?tab=steps"


def context_of(run: Execution) -> str:
    return f"{page_of(run)}?tab=context"


def waits_of(run: Execution) -> str:
    return f"{page_of(run)}?tab=events"


def whole_page(client: Client, run: Execution) -> str:
    """All tabs of a page, one after the other."""
    pages = (client.get(f"{page_of(run)}?tab={tab}") for tab in TABS)
    return "".join(page.content.decode() for page in pages)


def cancel_of(run: Execution) -> str:
    return reverse("admin:durable_django_execution_cancel", args=[run.pk])


@pytest.fixture
def staff(db: None) -> Callable[..., Client]:
    """`staff("view_execution")`: a browser of somebody with just these permissions."""

    def make(*codenames: str) -> Client:
        user = User.objects.create_user(f"staff-{User.objects.count()}", is_staff=True)
        permissions = Permission.objects.filter(
            content_type__app_label="durable_django", codename__in=codenames
        )
        assert len(permissions) == len(set(codenames))
        user.user_permissions.set(permissions)
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture
def viewer(staff: Callable[..., Client]) -> Client:
    return staff(*EVERY_VIEW)


@pytest.fixture
def operator(staff: Callable[..., Client]) -> Client:
    return staff(*EVERY_VIEW, "cancel_execution")


@pytest.fixture
def isolated() -> Iterator[None]:
    """Workflows made in the test are forgotten after it."""
    with registry.isolate():
        yield


@pytest.fixture(autouse=True)
def calibrated(db: None) -> None:
    """The clock asks the database once a minute; not while a test counts queries."""
    clock.now()


@pytest.fixture(autouse=True)
def plain_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """CSRF tokens of two capital letters: sixty-four random letters and digits contain any short
    text now and then, also one that a page must not show."""
    monkeypatch.setattr("django.middleware.csrf.CSRF_ALLOWED_CHARS", "XZ")
