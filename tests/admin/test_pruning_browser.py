"""Deleting old runs as browsers and people get it: asked, counted, confirmed, told."""

from datetime import timedelta

import pytest

from durable_django.models import Execution
from durable_django.models.ids import first_at, following
from tests.admin.browser import EVIL, NARROW, WIDE, over, serious_faults
from tests.admin.conftest import LIST
from tests.admin.rows import make_run, now

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("isolated")]

SUBMIT = "input[type=submit].default"


def make_old(count=3):
    long_ago = now() - timedelta(days=60)
    for pk in following(first_at(long_ago), count):
        make_run("failed", id=pk, root_id=pk, created_at=long_ago, workflow_name=EVIL)


@pytest.mark.parametrize(("width", "scheme"), [(NARROW, "dark"), (WIDE, "light")])
def test_old_runs_are_deleted_with_the_keyboard_alone(open_page, width, scheme):
    make_old()
    make_run("completed")
    page = open_page(width=width, scheme=scheme, is_strict=False)
    page.goto(LIST)
    page.get_by_role("link", name="Delete old runs …").press("Enter")
    page.locator("input[name=older_than]").wait_for()
    assert (serious_faults(page), over(page) <= 0) == ([], True)
    page.locator("input[name=older_than]").fill("6w")
    page.get_by_label("failed", exact=True).press("Space")
    page.locator("textarea[name=reason]").fill(EVIL)
    page.locator(SUBMIT).press("Enter")
    assert "3 runs would be deleted." in page.locator(".durable-ask").inner_text()
    assert (serious_faults(page), over(page) <= 0) == ([], True)
    page.locator("button[name=change]").press("Enter")
    assert page.locator("input[name=older_than]").input_value() == "6w"
    assert page.get_by_label("failed", exact=True).is_checked()
    page.locator(SUBMIT).press("Enter")
    page.locator(SUBMIT).press("Enter")
    assert "3 runs were deleted" in page.locator(".messagelist .success").inner_text()
    assert EVIL in page.locator("section[aria-labelledby=durable-pruned]").inner_text()
    assert (serious_faults(page), over(page) <= 0) == ([], True)
    assert Execution.objects.get().status == "completed"
