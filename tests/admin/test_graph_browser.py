"""Graphs in a real browser under a strict policy: by keyboard, on a telephone, with evil names."""

import pytest
from playwright.sync_api import expect

from tests.admin.browser import EVIL, NARROW, opened, over
from tests.admin.conftest import DEFINITIONS, page_of
from tests.admin.rows import make_definition, make_run, make_step

pytestmark = pytest.mark.browser

STEPS = [{"name": name, "kind": "step", "compensation": {"name": "undo"}} for name in "abcd"]
WIDE = {"nodes": [STEPS[0], {"name": "both", "kind": "parallel", "children": STEPS[1:]}]}


@pytest.fixture
def run(page):
    make_definition(WIDE)
    row = make_run("failed", error={"type": "ValueError", "message": "no", "node": "a"})
    make_step(row, "a", "failed")
    return row


def test_a_node_leads_to_its_attempts_with_the_keyboard_alone(page, run):
    page.goto(page_of(run))
    node = page.locator(".durable-graph a").first
    page.locator(".durable-graph-window").first.focus()
    page.keyboard.press("Tab")
    expect(node).to_be_focused()
    expect(node.locator(".durable-graph-outline").first).to_have_css("stroke-width", "3px")
    page.keyboard.press("Enter")
    expect(page.locator("details.durable-step").first).to_be_visible()
    assert "tab=steps" in page.url
    assert "node=a" in page.url


def test_what_is_too_wide_scrolls_in_its_own_window(open_page, run):
    page = open_page(width=NARROW)
    row = make_definition(WIDE, version=2)
    for address in (page_of(run), f"{DEFINITIONS}{row.pk}/change/?with=1"):
        window = opened(page, address).locator(".durable-graph-window").first
        assert window.evaluate("(box) => box.scrollWidth > box.clientWidth"), address
        assert over(page) <= 0, address


@pytest.mark.parametrize("is_strict", [True, False])
def test_names_in_a_graph_are_never_executed(open_page, is_strict):
    nodes = [{"name": EVIL, "kind": EVIL, "doc": EVIL, "compensation": {"name": EVIL}}]
    row = make_definition({"nodes": nodes})
    run = make_run("completed")
    make_step(run, EVIL[:200])
    page = open_page(is_strict=is_strict)
    for address in (page_of(run), f"{DEFINITIONS}{row.pk}/change/"):
        assert "alert" in opened(page, address).locator("#content").inner_text()
        expect(page.locator(".durable-graph").first).to_be_visible()
