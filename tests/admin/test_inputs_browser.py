"""Requests answered for real: a browser, the keyboard alone, a telephone, a strict policy.

Needs Chromium and its driver (Debian: chromium, chromium-driver).
"""

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from durable_django.models import Wait
from tests.admin.conftest import page_of
from tests.admin.rows import make_run
from tests.admin.test_browser import (  # noqa: F401  fixtures are found by their names
    EVIL,
    NARROW,
    driver,
    server,
    wait_for,
    wait_until_says,
)
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


def page(wait):
    return f"{INBOX}{wait.pk}/change/"


def test_an_approval_is_given_with_the_keyboard_alone(driver, server):  # noqa: F811
    wait = ask(prompt="Approve 7 for Anna?")
    driver.get(f"{server.url}/admin/durable_django/")
    wait_for(driver, ".durable-inbox a").send_keys(Keys.ENTER)
    wait_for(driver, "#result_list th a").send_keys(Keys.ENTER)
    wait_until_says(driver, "#content h1", "Approve 7 for Anna?")
    wait_for(driver, "textarea").send_keys("Fine.", Keys.TAB, Keys.TAB)
    assert driver.switch_to.active_element.text == "Reject"
    driver.switch_to.active_element.send_keys(Keys.ENTER)
    wait_until_says(driver, ".messagelist .success", "Your answer was given")
    assert driver.current_url == f"{server.url}{INBOX}"
    found = Wait.objects.get(pk=wait.pk)
    assert (found.value, found.answered_by, found.comment) == ("rejected", "admin", "Fine.")


def test_a_form_is_filled_in_with_the_admins_calendar(driver, server):  # noqa: F811
    wait = ask(form="form", fields=FIELDS)
    driver.get(f"{server.url}{page(wait)}")
    wait_for(driver, "input[type=radio][value='\"broken\"']").click()
    shortcuts = driver.find_elements(By.CSS_SELECTOR, ".datetimeshortcuts a")
    assert shortcuts[0].text == "Today"
    for shortcut in (shortcuts[0], shortcuts[2], shortcuts[4]):
        shortcut.click()
    wait_for(driver, "textarea").send_keys("One", Keys.ENTER, "Two")
    wait_for(driver, ".submit-row input.default").click()
    wait_until_says(driver, ".messagelist .success", "Your answer was given")
    value = Wait.objects.get().value
    assert (value["why"], value["note"], value["tags"]) == ("broken", "One\nTwo", [])
    assert value["at"].date() == value["day"]


def test_what_is_wrong_is_tied_to_its_field(driver, server):  # noqa: F811
    wait = ask(form="form", fields={"amount": {"type": "decimal", "max": 5}, "title": "text"})
    driver.get(f"{server.url}{page(wait)}")
    wait_for(driver, "input[name=answer-amount]").send_keys("7", Keys.ENTER)
    wait_until_says(driver, ".errornote", "Please correct the errors below.")
    amount = wait_for(driver, "input[name=answer-amount]")
    assert amount.get_attribute("value") == "7"
    assert amount.get_attribute("aria-invalid") == "true"
    assert driver.title.startswith("Error:")


def test_every_field_has_a_name_for_those_who_cannot_see(driver, server):  # noqa: F811
    driver.get(f"{server.url}{page(ask(form='form', fields=FIELDS))}")
    wait_for(driver, "textarea")
    fields = driver.find_elements(By.CSS_SELECTOR, "#content form input, #content form textarea")
    shown = [field for field in fields if field.is_displayed()]
    assert len(shown) >= 9
    assert [field.get_attribute("name") for field in shown if not field.accessible_name] == []


def test_nothing_that_is_asked_or_answered_is_executed(driver, server):  # noqa: F811
    run = make_run("waiting")
    fields = {"a": {"type": "text", "label": EVIL, "help": EVIL, "initial": EVIL}}
    wait = ask(run, form="form", prompt=EVIL, fields=fields, name=EVIL)
    over = {"status": "completed", "value_text": '"x"', "answered_by": EVIL, "comment": EVIL}
    done = make_wait(run, node="done", **over)
    for address in (EVERYBODYS, page(wait), page(done), page_of(run)):
        driver.get(f"{server.url}{address}")
        wait_for(driver, "#content")
        assert driver.execute_script("return window.pwned === undefined")


def test_no_page_of_a_request_is_wider_than_a_telephone(driver, server):  # noqa: F811
    run = make_run("waiting", workflow_name="a" * 120)
    fields = {**FIELDS, "long": {"type": "text", "label": "b" * 100, "help": "c" * 200}}
    at = {"path": "d" * 200, "name": "e" * 200}
    wait = ask(run, form="form", prompt="f" * 500, fields=fields, **at)
    over = {"status": "completed", "value_text": f'"{"x" * 300}"', "comment": "g" * 300}
    done = make_wait(run, node="done", answered_by="h" * 200, **over)
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", NARROW)
    for address in (page(wait), page(done), page_of(run), EVERYBODYS, INBOX):
        driver.get(f"{server.url}{address}")
        wait_for(driver, "#content")
        for fold in driver.find_elements(By.TAG_NAME, "details"):
            driver.execute_script("arguments[0].open = true", fold)
        assert driver.execute_script("return document.documentElement.scrollWidth") <= 400, address
