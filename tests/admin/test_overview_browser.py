"""The overview as browsers and people without a mouse, or without colours, get it."""

from datetime import timedelta

import pytest

from durable_django.models import Queue
from durable_django.store import tallies
from tests.admin.browser import EVIL, over, serious_faults
from tests.admin.rows import make_run, make_worker, now

pytestmark = pytest.mark.browser

OVERVIEW = "/admin/durable_django/overview/"


@pytest.fixture
def browse(open_page):
    """`browse(width=400, scheme="dark")`: the overview as a superuser sees it."""

    def browsed(address=OVERVIEW, **options):
        page = open_page(**options)
        assert page.goto(address).status == 200
        return page

    return browsed


@pytest.fixture
def busy():
    """Something of everything."""
    tallies.forget()
    worker = make_worker(hostname=EVIL, queues=["default", EVIL])
    make_worker(heartbeat_at=now() - timedelta(minutes=5), package_version="0.0.1")
    Queue.objects.create(name=EVIL, created_at=now(), paused_at=now())
    make_run("running", worker=worker)
    make_run(queue=EVIL)
    make_run("failed", workflow_name=EVIL, error={"type": EVIL, "message": EVIL, "node": EVIL})
    for status in ("completed", "failed", "cancelled"):
        tallies.count(EVIL, status, now() - timedelta(seconds=3), now())
    tallies.flush()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_has_no_serious_fault_for_people_who_see_or_hear_it_otherwise(browse, busy, scheme):
    assert serious_faults(browse(scheme=scheme, is_strict=False)) == []


def test_the_empty_page_has_none_either(browse):
    assert serious_faults(browse(is_strict=False)) == []


@pytest.mark.parametrize("width", [400, 768, 1024, 1600, 2560])
def test_it_fits_every_window(browse, busy, width):
    page = browse(width=width)
    assert over(page) <= 0


def test_what_runs_bring_is_never_executed(browse, busy):
    page = browse()
    assert EVIL in page.locator("#durable-failing").locator("..").inner_text()


def test_it_can_be_used_with_the_keyboard_alone(browse, busy):
    page = browse()
    page.get_by_role("link", name="Past week").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/overview/?period=week")
    page.get_by_text("The chart as a table").focus()
    page.keyboard.press("Enter")
    assert page.locator(".durable-as-table[open] tbody tr").count() == 1
    page.get_by_role("link", name="1 run failed and can be retried").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/execution/?status=failed")


def test_a_queue_is_paused_by_a_person(browse, busy):
    page = browse(address="/admin/durable_django/queue/")
    Queue.objects.create(name="mail", created_at=now())
    page.reload()
    page.get_by_role("link", name="mail").click()
    page.get_by_role("link", name="Pause …").click()
    page.get_by_label("Reason").fill("provider down")
    page.get_by_role("button", name="Pause this queue").click()
    page.get_by_text("The queue mail is paused.").wait_for()
    assert Queue.objects.get(name="mail").is_paused
    assert "provider down" in page.locator("#durable-decided").locator("..").inner_text()
