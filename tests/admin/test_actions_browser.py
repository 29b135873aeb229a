"""A failed run found, understood, put right and seen to complete, as browsers and people get it."""

import pytest

from durable_django import Workflow, pause, step, wait_for_event
from durable_django.models import Execution
from durable_django.testing import drain
from durable_django.testing import run as run_through
from tests.admin.browser import EVIL, NARROW, WIDE, WIDEST, over, serious_faults
from tests.admin.conftest import LIST, page_of
from tests.admin.rows import make_run, make_step

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("isolated")]

FAILS = "?workflow=tests.fails"


@pytest.fixture
def subjects():
    """Runs full of what must not be executed, and the addresses of all pages that ask."""

    class Fails(Workflow):
        """Fails."""

        class Meta:
            name = "tests.fails"

        @step
        def charge(self):
            raise ValueError(EVIL)

    class Waits(Workflow):
        class Meta:
            name = "tests.waits"

        @step
        def begin(self):
            self.context[EVIL] = EVIL

        go = wait_for_event(name="go")

    failed, waiting, paused = (run_through(cls) for cls in (Fails, Waits, Waits))
    pause(paused.pk, EVIL)
    Execution.objects.update(tags=[EVIL])
    long = make_run("running", workflow_name="w" * 150, tags=["t" * 200])
    make_step(long, "n" * 150, "running", progress=0.5, progress_message=EVIL)
    verbs = {failed: ["retry", "skip", "rerun", "edit_context"], paused: ["resume"]}
    verbs[waiting] = ["send_event", "pause", "cancel", "edit_context"]
    pages = [f"{LIST}{run.pk}/{verb}/" for run, each in verbs.items() for verb in each]
    start = [f"{LIST}start/{many}{of}" for many in ("", "many/") for of in ("", FAILS)]
    return [LIST, f"{LIST}?status=failed", *pages, *start, f"{LIST}bulk/cancel/"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_that_ask_have_no_serious_fault(open_page, subjects, scheme):
    page = open_page(scheme=scheme, is_strict=False)
    for address in subjects:
        assert page.goto(address).status == 200, address
        assert serious_faults(page) == [], address


def test_no_page_is_wider_than_its_window(open_page, subjects):
    for width in (NARROW, WIDE, WIDEST):
        page = open_page(width=width)
        for address in subjects:
            page.goto(address)
            assert over(page) <= 0, address


def test_a_failed_run_is_put_right_with_the_keyboard_alone(open_page):
    class Order(Workflow):
        class Meta:
            name = "tests.order"

        @step
        def price(self):
            self.context["total"] = -1

        @step
        def charge(self):
            if self.context["total"] < 0:
                raise ValueError("less than nothing")
            return self.context["total"]

    run = run_through(Order)
    page = open_page()
    page.goto(f"{LIST}?status=attention")
    page.locator("#result_list th a").first.press("Enter")
    page.locator(".durable-edit_context").press("Enter")
    text = page.locator("textarea[name=context]")
    assert '"total": -1' in text.input_value()
    text.fill('{"total": 12}')
    page.locator("textarea[name=reason]").fill("the discount was taken twice")
    page.locator("input[type=submit].default").press("Enter")
    assert "total" in page.locator(".durable-difference").inner_text()
    page.locator("input[type=submit].default").press("Enter")
    assert "The context of" in page.locator(".messagelist .success").inner_text()
    page.locator(".durable-retry").press("Enter")
    page.locator("input[type=submit].default").press("Enter")
    assert "goes on" in page.locator(".messagelist .success").inner_text()
    drain()
    page.goto(page_of(run))
    assert "completed" in page.locator(".durable-lead").inner_text()
    run.refresh_from_db()
    assert run.result == 12


def test_from_the_difference_one_comes_back_to_what_was_written(open_page, subjects):
    page = open_page()
    page.goto(next(address for address in subjects if address.endswith("edit_context/")))
    page.locator("textarea[name=context]").fill('{"note": "\\u00e9"}')
    page.locator("textarea[name=reason]").fill("why not")
    page.locator("input[type=submit].default").click()
    page.locator("button[name=change]").click()
    assert page.locator("textarea[name=context]").input_value() == '{"note": "\\u00e9"}'
    assert page.locator("textarea[name=reason]").input_value() == "why not"
