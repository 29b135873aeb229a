"""Many runs started from a file as browsers and people get it: chosen, refused, mended, started."""

import pytest
from playwright.sync_api import expect

from durable_django import Workflow, step
from durable_django.models import Execution
from tests.admin.browser import EVIL, NARROW, WIDE, over, serious_faults
from tests.admin.conftest import LIST

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("isolated")]

SUBMIT = "input[type=submit].default"


@pytest.fixture
def order():
    class Order(Workflow):
        """Sends what was ordered."""

        class Meta:
            name = "tests.order_file"

        @classmethod
        def clean_input(cls, input):
            if "order" not in input:
                raise ValueError(f"{EVIL} has no order")
            return input

        @step
        def send(self):
            pass

    return Order


def give(page, *lines):
    """Chooses a file of these lines, and sends the form by the keyboard."""
    content = "\n".join(lines).encode()
    file = {"name": "orders.jsonl", "mimeType": "application/jsonl", "buffer": content}
    page.locator("input[name=file]").set_input_files(file)
    page.locator(SUBMIT).press("Enter")


@pytest.mark.parametrize(
    ("width", "scheme", "language"), [(NARROW, "dark", "en"), (NARROW, "light", "ar")]
)
def test_many_runs_are_started_with_the_keyboard_alone(
    open_page, order, settings, width, scheme, language
):
    settings.LANGUAGE_CODE = language
    page = open_page(width=width, scheme=scheme, language=language, is_strict=False)
    page.goto(f"{LIST}start/")
    page.locator(f'a[href="{LIST}start/many/"]').press("Enter")
    page.locator("select[name=workflow]").select_option("tests.order_file")
    page.locator(SUBMIT).press("Enter")
    expect(page.locator("input[name=file]")).to_be_visible()
    assert (serious_faults(page), over(page) <= 0) == ([], True)
    give(page, '{"order": 1}', EVIL, "{}", "x" * 5_000)
    expect(page.locator(".errorlist li")).to_have_count(4)
    # The marks of direction in our own words are no hostile text.
    assert "\\u" not in page.locator(".errorlist").first.inner_text()
    assert (serious_faults(page), over(page) <= 0) == ([], True)
    give(page, '{"order": 1}', '{"order": 2}')
    expect(page.locator(".messagelist .success")).to_contain_text("tests.order_file")
    expect(page.locator("#result_list tbody tr")).to_have_count(2)
    assert Execution.objects.count() == 2


def test_a_form_that_is_sent_again_starts_nothing_more(open_page, order):
    page = open_page(width=WIDE)
    address = f"{LIST}start/many/?workflow=tests.order_file"
    page.goto(address)
    once = page.locator("input[name=once]").input_value()
    give(page, '{"order": 1}')
    expect(page.locator(".messagelist .success")).to_be_visible()
    page.goto(address)
    # As a browser has it that went back.
    page.evaluate("(once) => { document.querySelector('input[name=once]').value = once }", once)
    give(page, '{"order": 1}')
    expect(page.locator(".messagelist .warning")).to_contain_text("Nothing was started")
    assert Execution.objects.count() == 1
