"""The doctor's page as browsers, and people who hear it or see no colours, get it."""

import pytest

from durable_django.models import Execution
from tests.admin.browser import EVIL, over, serious_faults
from tests.admin.rows import make_run, make_worker

pytestmark = pytest.mark.browser

DOCTOR = "/admin/durable_django/overview/doctor/"


@pytest.fixture
def ill():
    """Something of each severity, with names that mean harm."""
    make_worker(hostname=EVIL)
    make_run("waiting")
    make_run(queue=EVIL)
    make_run("failed")
    make_run("compensation_failed")


@pytest.fixture
def browse(open_page):
    """`browse(width=400, scheme="dark")`: the page as a superuser sees it."""

    def browsed(**options):
        page = open_page(**options)
        assert page.goto(DOCTOR).status == 200
        return page

    return browsed


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_has_no_serious_fault(browse, ill, scheme):
    assert serious_faults(browse(scheme=scheme, is_strict=False)) == []


@pytest.mark.parametrize("width", [400, 1280])
def test_it_fits_the_window(browse, ill, width):
    assert over(browse(width=width)) <= 0


def test_a_finding_is_fixed_by_its_button(browse, ill):
    page = browse()
    found = page.locator("li", has_text="Executions wait for nothing: 1")
    found.get_by_role("button", name="Fix this").click()
    page.wait_for_selector(".messagelist .success")
    assert page.get_by_text("Executions wait for nothing: 1", exact=True).count() == 0
    assert not Execution.objects.filter(status="waiting").exists()
