"""Pages that follow their run, in a real browser under a strict policy: what changes is seen, and
nothing that somebody is in the middle of is lost.
"""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from durable_django.admin import live
from durable_django.models import Execution, StepRun
from tests.admin.browser import EVIL
from tests.admin.conftest import context_of, page_of, steps_of
from tests.admin.rows import make_fork, make_run, make_step, now

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """Pages that ask again soon."""
    monkeypatch.setattr(live, "POLL_SECONDS", 0.2)
    monkeypatch.setattr(live, "POLL_SECONDS_AT_REST", 0.2)


def end(run):
    """The run completes; its lease counts every change."""
    Execution.objects.filter(pk=run.pk).update(
        status="completed", worker=None, finished_at=now(), due_at=None
    )


def touch(run):
    Execution.objects.filter(pk=run.pk).update(lease=100)


def polled(page, times=2):
    """Until the page has asked so often again, whatever the answer."""
    for _ in range(times):
        with page.expect_response(lambda r: "durable-live" in r.request.headers):
            pass


def test_a_page_follows_its_run_to_its_end_and_then_rests(page):
    run = make_run("running")
    page.goto(page_of(run))
    expect(page.locator(".durable-lead")).to_contain_text("running")
    expect(page.locator("#durable-live-line")).to_contain_text("This page follows what happens.")
    make_step(run, "charge", "completed", seq=1)
    touch(run)
    expect(page.locator(".durable-lanes")).to_contain_text("charge")
    end(run)
    expect(page.locator(".durable-lead")).to_contain_text("completed")
    # Said once to who cannot see it.
    expect(page.locator("#durable-live-says")).to_have_text("completed")
    expect(page.locator("#durable-live-line")).to_contain_text("Nothing moves any more.")
    expect(page.locator("#durable-live-line button")).to_be_hidden()


def test_a_page_that_stands_still_is_not_sent_again(page):
    run = make_run("running")
    page.goto(page_of(run))
    with page.expect_response(lambda r: r.status == 304):
        pass


def test_buttons_come_and_go_with_what_can_be_done(page):
    run = make_run("running")
    page.goto(page_of(run))
    expect(page.locator(".object-tools .durable-cancel")).to_be_visible()
    end(run)
    expect(page.locator(".object-tools .durable-cancel")).to_have_count(0)
    expect(page.locator(".object-tools .historylink")).to_be_visible()


def test_what_is_unfolded_stays_unfolded_and_what_is_folded_stays_folded(page):
    run = make_run("running")
    make_step(run, "first", seq=1, output="an output", logs=["a line"])
    make_step(run, "second", "failed", seq=2)
    page.goto(steps_of(run))
    first, second = page.locator("#step-1 > details"), page.locator("#step-2 > details")
    expect(second).to_have_attribute("open", "")
    page.locator("#step-1 summary").first.click()
    page.locator("#step-2 summary").first.click()
    make_step(run, "third", seq=3)
    touch(run)
    expect(page.locator("#step-3")).to_be_visible()
    expect(first).to_have_attribute("open", "")
    assert second.get_attribute("open") is None


def test_focus_scroll_and_what_has_been_typed_stay(page):
    run = make_run("running", created_at=now() - timedelta(hours=1))
    for seq in range(1, 40):
        make_step(run, f"node{seq}", seq=seq, logs=[f"line {seq}"])
    page.goto(steps_of(run))
    page.fill("input[name=q]", "half typed")
    page.select_option("select[name=level]", "INFO")
    page.locator("#step-20 summary").first.focus()
    page.evaluate("window.scrollTo(0, 600)")
    page.evaluate("window.kept = document.activeElement")
    make_step(run, "latest", seq=40)
    touch(run)
    expect(page.locator("#step-40")).to_be_attached()
    assert page.input_value("input[name=q]") == "half typed"
    assert page.input_value("select[name=level]") == "INFO"
    assert page.evaluate("document.activeElement === window.kept && kept.isConnected")
    assert page.evaluate("window.scrollY") == 600


def test_what_is_selected_is_left_alone_until_it_is_not(page):
    run = make_run("running")
    make_step(run, "charge", seq=1)
    page.goto(steps_of(run))
    select = "getSelection().selectAllChildren(document.querySelector('#step-1 code'))"
    page.evaluate(select)
    make_step(run, "next", seq=2)
    touch(run)
    polled(page, 3)
    assert page.locator("#step-2").count() == 0
    assert page.evaluate("getSelection().toString()").strip() == "charge"
    page.evaluate("getSelection().removeAllRanges()")
    expect(page.locator("#step-2")).to_be_visible()


def test_updates_are_paused_and_resumed_with_the_keyboard(page):
    run = make_run("running")
    page.goto(steps_of(run))
    button = page.locator("#durable-live-line button")
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_text("Resume updates")
    asked = []
    page.on("request", lambda r: asked.append(r) if "durable-live" in r.headers else None)
    make_step(run, "charge", seq=1)
    touch(run)
    page.wait_for_function("new Promise((done) => setTimeout(() => done(true), 700))")
    assert asked == []
    page.keyboard.press("Enter")
    expect(page.locator("#step-1")).to_be_visible()
    assert page.evaluate("document.activeElement.textContent") == "Pause updates"


def test_a_hidden_page_asks_nothing_and_catches_up_when_it_is_seen(page):
    run = make_run("running")
    page.goto(steps_of(run))
    polled(page, 1)
    hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
    hide += "document.dispatchEvent(new Event('visibilitychange'))"
    page.evaluate(hide % "true")
    asked = []
    page.on("request", lambda r: asked.append(r) if "durable-live" in r.headers else None)
    make_step(run, "charge", seq=1)
    touch(run)
    page.wait_for_function("new Promise((done) => setTimeout(() => done(true), 700))")
    assert len(asked) <= 1  # one was under way
    page.evaluate(hide % "false")
    expect(page.locator("#step-1")).to_be_visible()


def test_a_server_that_fails_is_asked_less_and_less_and_the_page_goes_on(page):
    run = make_run("running")
    page.goto(steps_of(run))
    fails = []

    def fail(route):
        if "durable-live" in route.request.headers and len(fails) < 3:
            fails.append(route)
            route.fulfill(status=502, body="no")
        else:
            route.continue_()

    page.route("**/*", fail)
    expect(page.locator("#durable-live-line")).to_contain_text("trying again")
    make_step(run, "charge", seq=1)
    touch(run)
    expect(page.locator("#step-1")).to_be_visible()
    expect(page.locator("#durable-live-line")).to_contain_text("follows what happens")
    assert len(fails) == 3


def test_who_is_logged_out_meanwhile_is_told_and_the_page_stays(page):
    run = make_run("running")
    make_step(run, "charge", seq=1)
    page.goto(steps_of(run))
    page.context.clear_cookies()
    expect(page.locator("#durable-live-line")).to_contain_text("Reload the page.")
    expect(page.locator("#step-1")).to_be_visible()


def test_relative_times_go_on(page):
    run = make_run("completed", created_at=now() - timedelta(seconds=50))
    page.goto(page_of(run))
    time = page.locator("time[data-relative]").first
    before = time.text_content()
    page.wait_for_function(
        "(t) => document.querySelector('time[data-relative]').textContent !== t", arg=before
    )


def test_members_that_end_are_counted_without_a_reload(page):
    run = make_run("running", remaining=2)
    strands = make_fork(run, ["running"] * 2)
    page.goto(steps_of(run))
    expect(page.locator(".durable-counts")).to_contain_text("2 running")
    Execution.objects.filter(pk=strands[0].pk).update(
        status="completed", worker=None, finished_at=now()
    )
    expect(page.locator(".durable-counts")).to_contain_text("1 completed")


def test_hostile_names_that_arrive_later_are_text_too(page):
    run = make_run("running")
    page.goto(steps_of(run))
    make_step(run, "odd", "failed", seq=1, path=EVIL, logs=[EVIL], output=EVIL)
    touch(run)
    expect(page.locator("#step-1")).to_contain_text("<img")


# What run.js does.


def test_logs_are_filtered_while_one_types(page):
    run = make_run("completed")
    make_step(run, "charge", seq=1, logs=["asking the bank", "the bank said no"])
    page.goto(steps_of(run))
    page.fill("input[name=q]", "SAID")
    expect(page.locator(".durable-logs li", has_text="said no")).to_be_attached()
    shown = "() => [...document.querySelectorAll('.durable-logs li:not([hidden])')].length"
    assert page.evaluate(shown) == 1
    page.fill("input[name=q]", "")
    assert page.evaluate(shown) == 2
    page.select_option("select[name=level]", "ERROR")
    assert page.evaluate(shown) == 0


def test_the_filters_and_the_comparison_are_sent_to_the_server_too(page):
    run = make_run("completed")
    make_step(run, "validate", seq=1, changes=[("set", "total", 1)])
    make_step(run, "charge", "failed", seq=2)
    page.goto(steps_of(run))
    page.select_option("select[name=state]", "failed")
    page.click("text=Filter >> visible=true")
    expect(page.locator(".durable-step")).to_have_count(1)
    assert "state=failed" in page.url
    page.goto(context_of(run))
    page.select_option("select[name=to]", "1")
    page.click("text=Show the difference")
    expect(page.locator(".durable-differences")).to_contain_text("total")


def test_all_is_unfolded_and_folded_at_once_and_so_remains(page):
    run = make_run("running")
    for seq in range(1, 4):
        make_step(run, f"node{seq}", seq=seq, logs=["a line"])
    page.goto(steps_of(run))
    page.click("[data-durable-unfold]")
    folded = "() => document.querySelectorAll('#durable-steps ~ ol details:not([open])').length"
    assert page.evaluate(folded) == 0
    touch(run)
    StepRun.objects.filter(execution=run, seq=3).update(progress=0.5)
    expect(page.locator("#step-3")).to_contain_text("50%")
    assert page.evaluate(folded) == 0
    expect(page.locator("[data-durable-unfold]")).to_be_visible()
    page.click("[data-durable-unfold]")
    assert page.evaluate(folded) == 6


def test_the_context_is_copied_as_json(page):
    run = make_run("completed", context={"total": 5})
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(context_of(run))
    page.click("[data-durable-copy=durable-copy-context]")
    expect(page.locator("[data-durable-copy=durable-copy-context]")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == '{\n  "total": 5\n}'


def test_without_scripts_the_page_is_whole_and_shows_no_button_that_does_nothing(
    open_page,
):
    run = make_run("running", context={"deep": {f"key{n}": "a" * 30 for n in range(9)}})
    make_step(run, "charge", seq=1, logs=["a line"])
    page = open_page(has_scripts=False)
    page.goto(steps_of(run))
    expect(page.locator("[data-durable-unfold]")).to_be_hidden()
    page.locator("#step-1 summary").first.click()
    expect(page.locator("#step-1 .durable-logs")).to_be_visible()
    page.goto(context_of(run))
    page.locator(".durable-folding summary").first.click()
    expect(page.locator(".durable-folding li").first).to_be_hidden()
