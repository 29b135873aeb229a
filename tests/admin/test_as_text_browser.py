"""Graphs and metrics as text in a real browser: unfolded and copied with the keyboard alone."""

import pytest
from playwright.sync_api import expect

from tests.admin.browser import opened
from tests.admin.conftest import DEFINITIONS, page_of
from tests.admin.rows import make_definition, make_run

pytestmark = pytest.mark.browser

METRICS = "/admin/durable_django/overview/metrics/"


@pytest.mark.parametrize("where", ["run", "definition", "metrics"])
def test_it_is_unfolded_and_copied_with_the_keyboard_alone(page, where):
    row = make_definition({"nodes": [{"name": "charge", "kind": "step"}]})
    addresses = {
        "run": page_of(make_run("failed")),
        "definition": f"{DEFINITIONS}{row.pk}/change/",
        "metrics": METRICS,
    }
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(addresses[where])
    part = page.locator(".durable-as-text")
    text = part.locator("pre")
    expect(text).to_be_hidden()
    part.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(text).to_be_visible()
    page.keyboard.press("Tab")
    expect(part.get_by_role("button", name="Copy the text")).to_be_focused()
    page.keyboard.press("Enter")
    expect(part.get_by_role("button")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == text.text_content()
    page.keyboard.press("Tab")
    expect(text).to_be_focused()


def test_it_is_there_without_a_script(open_page):
    page = opened(open_page(has_scripts=False), METRICS)
    part = page.locator(".durable-as-text")
    part.locator("summary").click()
    expect(part.locator("pre")).to_contain_text("durable_build_info")
    expect(part.get_by_role("button")).to_have_count(0)
