"""Requests answered for real: a browser, the keyboard alone, a telephone, a strict policy."""

import pytest
from playwright.sync_api import expect

from durable_django.models import Wait
from tests.admin.browser import EVIL, NARROW, opened, over, press
from tests.admin.conftest import page_of
from tests.admin.rows import make_run
from tests.admin.test_inputs import EVERYBODYS, INBOX
from tests.inputs.waits import ask, make_wait

pytestmark = pytest.mark.browser

FIELDS = {
    "why": {"type": "choice", "choices": ["broken", "wrong"], "help": "Look at it."},
    "day": "date",
    "at": {"type": "datetime", "required": False},
    "tags": {"type": "multiple_choice", "choices": ["vip", "new"], "required": False},
    "sure": "boolean",
    "note": {"type": "long_text", "required": False},
}


def form_of(wait):
    return f"{INBOX}{wait.pk}/change/"


def test_an_approval_is_given_with_the_keyboard_alone(page, server):
    wait = ask(prompt="Approve 7 for Anna?")
    page.goto("/admin/durable_django/")
    press(page.locator(".durable-inbox a").first)
    press(page.locator("#result_list th a").first)
    expect(page.locator("h1", has_text="Approve 7 for Anna?")).to_be_visible()
    page.locator("textarea").first.focus()
    page.keyboard.type("Fine.")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Reject")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist .success")).to_contain_text("Your answer was given")
    assert page.url == f"{server.url}{INBOX}"
    found = Wait.objects.get(pk=wait.pk)
    assert (found.value, found.answered_by, found.comment) == ("rejected", "admin", "Fine.")


def test_a_form_is_filled_in_with_the_admins_calendar(page):
    page.goto(form_of(ask(form="form", fields=FIELDS)))
    page.locator("input[type=radio][value='\"broken\"']").check()
    shortcuts = page.locator(".datetimeshortcuts")
    for name, number in (("Today", 0), ("Today", 1), ("Now", 0)):
        shortcuts.get_by_text(name, exact=True).nth(number).click()
    page.locator("textarea").first.fill("One\nTwo")
    page.locator(".submit-row input.default").click()
    expect(page.locator(".messagelist .success")).to_contain_text("Your answer was given")
    value = Wait.objects.get().value
    assert (value["why"], value["note"], value["tags"]) == ("broken", "One\nTwo", [])
    assert value["at"].date() == value["day"]


def test_what_is_wrong_is_tied_to_its_field(page):
    fields = {"amount": {"type": "decimal", "max": 5}, "title": "text"}
    page.goto(form_of(ask(form="form", fields=fields)))
    page.fill("input[name=answer-amount]", "7")
    page.locator("input[name=answer-amount]").press("Enter")
    expect(page.locator(".errornote")).to_contain_text("Please correct the errors below.")
    amount = page.locator("input[name=answer-amount]")
    expect(amount).to_have_value("7")
    expect(amount).to_have_attribute("aria-invalid", "true")
    assert page.title().startswith("Error:")


def test_every_field_has_a_name_for_those_who_cannot_see(page):
    page.goto(form_of(ask(form="form", fields=FIELDS)))
    shown = page.locator("#content form").locator("input:visible, textarea:visible")
    names = [field.aria_snapshot() for field in shown.all()]
    assert len(names) >= 9
    # A snapshot of a field is `- textbox "Its name"`; without a name nothing is quoted.
    assert [name for name in names if '"' not in name] == []


@pytest.mark.parametrize("is_strict", [True, False])
def test_nothing_that_is_asked_or_answered_is_executed(open_page, is_strict):
    run = make_run("waiting")
    fields = {"a": {"type": "text", "label": EVIL, "help": EVIL, "initial": EVIL}}
    wait = ask(run, form="form", prompt=EVIL, fields=fields, name=EVIL)
    given = {"status": "completed", "value_text": '"x"', "answered_by": EVIL, "comment": EVIL}
    done = make_wait(run, node="done", **given)
    page = open_page(is_strict=is_strict)
    for address in (EVERYBODYS, form_of(wait), form_of(done), f"{page_of(run)}?tab=events"):
        assert "alert" in opened(page, address).locator("#content").inner_text()


def test_no_page_of_a_request_is_wider_than_a_telephone(open_page):
    run = make_run("waiting", workflow_name="a" * 120)
    fields = {**FIELDS, "long": {"type": "text", "label": "b" * 100, "help": "c" * 200}}
    at = {"path": "d" * 200, "name": "e" * 200}
    wait = ask(run, form="form", prompt="f" * 500, fields=fields, **at)
    given = {"status": "completed", "value_text": f'"{"x" * 300}"', "comment": "g" * 300}
    done = make_wait(run, node="done", answered_by="h" * 200, **given)
    page = open_page(width=NARROW)
    for address in (form_of(wait), form_of(done), page_of(run), EVERYBODYS, INBOX):
        assert over(opened(page, address)) <= 0, address
