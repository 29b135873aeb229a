"""Runs watched and cancelled for real: a browser, the pages as they are served, a strict policy."""

import pytest
from playwright.sync_api import expect

from durable_django import start
from durable_django.models import Execution
from example_project.shop.workflows import ProcessOrder
from tests.admin.browser import EVIL, NARROW, opened, over, press
from tests.admin.conftest import LIST, cancel_of, page_of, steps_of
from tests.admin.rows import make_fork, make_run, make_step

pytestmark = pytest.mark.browser


def test_a_run_is_cancelled_with_the_keyboard_alone(page, server):
    run = start(ProcessOrder, {"order": 1}, tags=["vip"])
    page.goto(LIST)
    press(page.locator("#result_list th a").first)
    press(page.locator(".durable-cancel"))
    expect(page.locator("textarea[name=reason]")).to_be_focused()
    page.keyboard.type("Ordered twice")
    press(page.locator(".submit-row input.default"))
    expect(page.locator(".messagelist .success")).to_contain_text("was cancelled")
    expect(page.locator(".durable-lead")).to_contain_text("cancelled")
    expect(page.locator(".durable-lead")).to_contain_text("Ordered twice")
    assert Execution.objects.get().status == "cancelled"
    expect(page.locator(".durable-cancel")).to_have_count(0)
    assert page.url == f"{server.url}{page_of(run)}"


def test_several_runs_are_cancelled_from_the_list(page, server):
    for _ in range(3):
        start(ProcessOrder, {"order": 1})
    page.goto(f"{LIST}?status=pending")
    for number in range(2):
        page.locator("input.action-select").nth(number).check()
    page.select_option("select[name=action]", "cancel_selected")
    page.locator(".actions button[type=submit]").click()
    expect(page.locator("h1", has_text="Cancel 2 executions")).to_be_visible()
    page.fill("textarea[name=reason]", "A test")
    page.locator(".submit-row input[type=submit]").click()
    expect(page.locator(".messagelist .success")).to_contain_text("2 executions were cancelled")
    assert page.url == f"{server.url}{LIST}?status=pending"
    statuses = sorted(Execution.objects.values_list("status", flat=True))
    assert statuses == ["cancelled", "cancelled", "pending"]


def test_a_member_is_reached_with_the_keyboard_and_says_what_it_did(page):
    run = make_run("running")
    strand = make_fork(run, ["completed"] * 59 + ["failed"])[59]
    make_step(strand, "send", "failed", path=f"{strand.path}/send", logs=["dialling"])
    page.goto(steps_of(run))
    member = page.locator(f'[id="member-{strand.pk}"]')
    press(member.locator("summary").first)
    press(member.locator("details[open] .durable-logs summary").first, "Space")
    expect(member).to_contain_text("dialling")
    press(page.locator(".durable-choices a[href*='status=completed']").first)
    expect(page.get_by_text("Members 1 to 50 of 59.")).to_be_visible()
    press(page.locator(".durable-pages a").first)
    expect(page.get_by_text("Members 51 to 59 of 59.")).to_be_visible()
    expect(member).to_have_count(0)


@pytest.mark.parametrize("is_strict", [True, False])
def test_what_runs_hold_is_never_executed(open_page, is_strict):
    run = make_run(
        "running", workflow_name=EVIL, input={EVIL: EVIL}, context={EVIL: EVIL}, tags=[EVIL]
    )
    make_step(run, EVIL[:100], "failed", logs=[EVIL], error={"type": EVIL, "message": EVIL})
    page = open_page(is_strict=is_strict)
    for address in (LIST, page_of(run), steps_of(run), cancel_of(run)):
        assert "alert" in opened(page, address).locator("#content").inner_text()


def test_no_page_is_wider_than_a_telephone(open_page):
    run = make_run(
        "failed",
        workflow_name="a" * 120,
        input={"word": "b" * 300},
        context={"key" * 30: ["c" * 100]},
        error={"type": "E" * 90, "message": "m" * 300, "traceback": "t" * 300, "node": "n" * 90},
    )
    make_step(run, "d" * 120, "failed", logs=["e" * 300], changes=[("set", "f" * 90, 1)])
    active = make_run()
    forked = make_run("running", workflow_name="a" * 120)
    row = forked
    for depth in range(3):
        texts = {"input_text": f'"{"g" * 300}"', "result_text": f'["{"h" * 300}"]'}
        at = {"path": f"{row.path or depth}{'/' if depth else ''}{'i' * 60}", "seq": 2}
        row = make_fork(row, ["completed"] * (60 if depth == 0 else 2), **at, **texts)[0]
        make_step(row, "d" * 120, "failed", logs=["e" * 300], path=f"{row.path}/{'d' * 120}")
    page = open_page(width=NARROW)
    for shown in (run, forked, row):
        for address in (page_of(shown), steps_of(shown)):
            assert over(opened(page, address)) <= 0, address
    for address in (cancel_of(active), LIST):
        assert over(opened(page, address)) <= 0, address
