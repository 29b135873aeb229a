"""Under django-unfold the buttons of a form stand outside of it: they do what they say."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from durable_django.models import Execution
from tests.admin.rows import make_run, make_schedule

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(open_page: Any) -> Any:
    """The theme itself needs inline styles and evaluated expressions."""
    return open_page(is_strict=False)


def test_a_run_is_cancelled_by_clicking_from_its_page(page):
    run = make_run("pending")
    page.goto(reverse("admin:durable_django_execution_change", args=[run.pk]))
    page.get_by_role("link", name="Cancel").first.click()
    page.get_by_label("Reason").fill("no longer wanted")
    page.locator(".submit-row input[type=submit]").click()
    page.wait_for_url("**/change/**")
    assert Execution.objects.get(pk=run.pk).reason == "no longer wanted"


def test_a_phone_scrolls_down_only(open_page):
    run = make_run("failed")
    page = open_page(is_strict=False, width=400)
    schedule = [make_schedule().pk]
    for name, args in (
        ("execution_change", [run.pk]),
        ("overview_changelist", []),
        ("schedule_change", schedule),
        ("schedule_edit", schedule),
    ):
        page.goto(reverse(f"admin:durable_django_{name}", args=args))
        over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(over) <= 0, name
