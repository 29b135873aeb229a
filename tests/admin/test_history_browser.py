"""What came to a run from outside, in a browser: nothing of it is executed, all of it fits."""

import pytest
from playwright.sync_api import expect

from tests.admin.browser import EVIL, NARROW, opened, over
from tests.admin.rows import make_run
from tests.admin.test_events_tab import make_event, received, shown_at
from tests.admin.test_history_tab import make_entry
from tests.admin.test_history_tab import shown_at as history_of
from tests.inputs.waits import make_wait

pytestmark = pytest.mark.browser


def busy_run(text):
    """A run to which much has been done with this text."""
    run = make_run("waiting")
    wait = received(run, path=text, name=text)
    make_event(run, text, {text: text}, wait, key=text, idempotency_key=text)
    make_wait(run, "event", node="open", name=text)
    changes = {"set": {text: text}, "before": {text: [text]}, "removed": [text]}
    make_entry(run, "edit_context", changes, by=text, reason=text)
    detail = {"node": text, "paths": [text] * 30, "value": {text: text}, text: text}
    make_entry(run, "skip", detail, by=text, reason=text)
    return run


@pytest.mark.parametrize("is_strict", [True, False])
def test_what_came_from_outside_is_never_executed(open_page, is_strict):
    run = busy_run(EVIL)
    page = open_page(is_strict=is_strict)
    for address in (shown_at(run), history_of(run)):
        assert "alert" in opened(page, address).locator("#content").inner_text()


def test_neither_tab_is_wider_than_a_telephone(open_page):
    run = busy_run("w" * 200)
    page = open_page(width=NARROW)
    for address in (shown_at(run), history_of(run)):
        assert over(opened(page, address)) <= 0, address


def test_a_page_of_events_leads_to_the_wait_that_got_one(page):
    run = make_run("waiting")
    wait = received(run)
    make_event(run, "paid", 7, wait)
    opened(page, shown_at(run))
    page.locator(f'.durable-facts a[href="#wait-{wait.pk}"]').click()
    assert page.url.endswith(f"#wait-{wait.pk}")
    expect(page.locator(f'[id="wait-{wait.pk}"]')).to_be_visible()
