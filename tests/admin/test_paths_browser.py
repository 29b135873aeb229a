"""Each action as a person goes the whole way, with the keyboard alone, while a worker serves."""

import json

import pytest
from playwright.sync_api import expect

from durable_django import Workflow, send_event, start, step, wait_for_approval, wait_for_event
from durable_django.admin import live
from durable_django.models import Execution, Queue
from durable_django.testing import run as run_through
from tests.admin.browser import press
from tests.admin.conftest import LIST, page_of
from tests.admin.rows import now
from tests.worker.conftest import _logging_as_before, workers

__all__ = ["_logging_as_before", "workers"]  # fixtures, which are found by their names

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("isolated")]

OVERVIEW = "/admin/durable_django/overview/"
QUEUES = "/admin/durable_django/queue/"
SUBMIT = ".submit-row input.default"


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """Pages that ask again soon."""
    monkeypatch.setattr(live, "POLL_SECONDS", 0.2)
    monkeypatch.setattr(live, "POLL_SECONDS_AT_REST", 0.2)


@pytest.fixture
def Order():
    class Order(Workflow):
        """An order: priced, charged, paid for, shipped."""

        class Meta:
            name = "tests.order"

        @step
        def price(self):
            self.context["total"] = self.input.get("total", -1)

        @step
        def charge(self):
            if self.context["total"] < 0:
                raise ValueError("less than nothing")
            return self.context["total"]

        paid = wait_for_event(name="paid")
        fine = wait_for_approval(prompt="Ship it?")

        @step
        def ship(self):
            return f"shipped for {self.context['total']}"

    return Order


def says(page, text):
    """That the page leads with this status, once it has followed its run there."""
    expect(page.locator(".durable-lead")).to_contain_text(text)


def done(page, text):
    expect(page.locator(".messagelist .success")).to_contain_text(text)


def button(page, verb):
    return page.locator(f".object-tools a.durable-{verb}")


def give_reason(page, text="because"):
    page.locator("textarea[name=reason]").focus()
    page.keyboard.type(text)
    press(page.locator(SUBMIT))


def test_a_run_is_started_sent_an_event_answered_and_seen_to_complete(page, workers, Order):
    workers.start()
    page.goto(LIST)
    press(page.locator(".object-tools a.addlink"))
    page.locator("select[name=workflow]").focus()
    page.locator("select[name=workflow]").select_option("tests.order")
    press(page.locator(SUBMIT))
    expect(page.locator("textarea[name=input]")).to_be_visible()
    page.fill("textarea[name=input]", '{"total": 12}')
    page.fill("input[name=tags]", "vip, customer=42")
    press(page.locator(SUBMIT))
    done(page, "was started")
    says(page, "waiting")
    press(button(page, "send_event"))
    expect(page.locator("input[name=name]")).to_have_value("paid")
    page.fill("textarea[name=payload]", '{"by": "card"}')
    press(page.locator(SUBMIT))
    done(page, "The event was sent")
    answer = page.locator(".durable-why a.button")
    expect(answer).to_contain_text("Answer")
    press(answer)
    press(page.get_by_role("button", name="Approve"))
    done(page, "Your answer was given")
    run = Execution.objects.get(kind="workflow")
    page.goto(page_of(run))
    says(page, "completed")
    run.refresh_from_db()
    assert run.result == "shipped for 12"
    page.goto(f"{page_of(run)}?tab=history")
    for said in ("start", "sent an event", "answer"):
        expect(page.locator("#durable-history").locator("..")).to_contain_text(said)


def test_a_failed_run_is_skipped_past_its_node(page, workers, Order):
    run = run_through(Order)
    workers.start()
    page.goto(page_of(run))
    says(page, "failed")
    press(button(page, "skip"))
    expect(page.locator("select[name=node]")).to_have_value("charge")
    page.fill("textarea[name=value]", "7")
    give_reason(page, "paid in cash")
    done(page, "goes on after the node")
    says(page, "waiting")
    run.refresh_from_db()
    assert run.outputs["charge"] == 7


def test_a_failed_run_is_retried_and_fails_again(page, workers, Order):
    run = run_through(Order)
    workers.start()
    page.goto(page_of(run))
    press(button(page, "retry"))
    press(page.locator(SUBMIT))
    done(page, "goes on")
    says(page, "failed")
    page.goto(f"{page_of(run)}?tab=steps")
    expect(page.locator("details.durable-step", has_text="charge")).to_have_count(2)


def test_a_run_is_paused_and_resumed(page, workers, Order):
    run = run_through(Order, {"total": 1})
    workers.start()
    page.goto(page_of(run))
    press(button(page, "pause"))
    give_reason(page, "provider down")
    done(page, "was paused")
    says(page, "paused")
    press(button(page, "resume"))
    press(page.locator(SUBMIT))
    done(page, "was resumed")
    says(page, "waiting")
    page.goto(f"{page_of(run)}?tab=history")
    expect(page.locator("#durable-history").locator("..")).to_contain_text("provider down")


def test_from_the_overview_a_failed_order_is_found_understood_and_run_again(page, workers, Order):
    run = run_through(Order)
    workers.start()
    page.goto(OVERVIEW)
    press(page.get_by_role("link", name="1 run failed and can be retried"))
    press(page.locator("#result_list th a").first)
    says(page, "failed")
    expect(page.locator(".durable-head")).to_contain_text("less than nothing")
    press(button(page, "rerun"))
    page.locator("select[name=node]").select_option("charge")
    page.fill("textarea[name=context]", '{"total": 5}')
    give_reason(page, "the price was wrong")
    expect(page.locator("#durable-kept").locator("..")).to_contain_text("price")
    again = page.locator("#durable-again").locator("..")
    for name in ("charge", "paid", "fine", "ship"):
        expect(again).to_contain_text(name)
    press(page.locator(SUBMIT))
    done(page, "A new run was started")
    says(page, "waiting")
    made = Execution.objects.filter(kind="workflow").exclude(pk=run.pk).get()
    assert page_of(made) in page.url
    send_event(made.pk, "paid")
    expect(page.locator(".durable-why a.button")).to_contain_text("Answer")
    press(page.locator(".durable-why a.button"))
    press(page.get_by_role("button", name="Approve"))
    page.goto(page_of(made))
    says(page, "completed")
    made.refresh_from_db()
    assert made.result == "shipped for 5"


def test_a_run_that_has_moved_on_meanwhile_is_told_of_and_left_alone(page, Order):
    run = run_through(Order)
    page.goto(f"{LIST}{run.pk}/retry/")
    Execution.objects.filter(pk=run.pk).update(status="completed", error_text="")
    press(page.locator(SUBMIT))
    expect(page.locator(".messagelist .error, .messagelist .warning")).to_contain_text("retried")
    assert Execution.objects.get(pk=run.pk).status == "completed"


def test_all_that_a_filter_finds_is_paused_and_resumed(page, Order):
    for _ in range(3):
        start(Order, {"total": 1})
    page.goto(f"{LIST}?status=pending")
    press(page.locator(".durable-all a", has_text="Pause"))
    expect(page.locator("h1", has_text="Pause 3 executions")).to_be_visible()
    give_reason(page, "closing time")
    done(page, "3 executions were paused")
    assert set(Execution.objects.values_list("status", flat=True)) == {"paused"}
    page.goto(f"{LIST}?status=paused")
    press(page.locator(".durable-all a", has_text="Resume"))
    press(page.locator(SUBMIT))
    done(page, "3 executions were resumed")
    assert set(Execution.objects.values_list("status", flat=True)) == {"pending"}


def test_several_are_retried_and_the_one_that_moved_on_is_named(page, Order):
    runs = [run_through(Order) for _ in range(3)]
    page.goto(f"{LIST}?status=failed")
    page.locator("#action-toggle").check()
    page.select_option("select[name=action]", "retry_selected")
    press(page.locator(".actions button[type=submit]"))
    Execution.objects.filter(pk=runs[0].pk).update(status="completed", error_text="")
    press(page.locator(SUBMIT))
    done(page, "2 executions go on")
    told = page.locator(".messagelist li:not(.success)")
    expect(told).to_contain_text(str(runs[0].pk)[:8])


def test_what_is_ticked_and_what_is_found_is_exported(page, Order):
    runs = [start(Order, {"total": number}) for number in range(3)]
    page.goto(LIST)
    page.locator("input.action-select").first.check()
    page.select_option("select[name=action]", "export_selected")
    with page.expect_download() as ticked:
        press(page.locator(".actions button[type=submit]"))
    with page.expect_download() as found:
        press(page.locator(".durable-all a", has_text="Export"))
    assert ids_in(ticked.value) == [str(runs[2].pk)]
    assert ids_in(found.value) == [str(run.pk) for run in reversed(runs)]


def ids_in(download):
    lines = download.path().read_text().splitlines()
    return [json.loads(line)["id"] for line in lines]


def test_a_queue_is_limited_paused_and_resumed(page):
    Queue.objects.create(name="mail", created_at=now())
    page.goto(QUEUES)
    press(page.locator("#result_list th a", has_text="mail"))
    press(page.get_by_role("link", name="Limit …"))
    page.locator("input[name=limit]").focus()
    page.keyboard.type("3")
    give_reason(page, "they throttle us")
    done(page, "runs at most 3 at once")
    press(page.get_by_role("link", name="Pause …"))
    give_reason(page, "maintenance")
    done(page, "is paused")
    press(page.get_by_role("link", name="Resume …"))
    give_reason(page, "they are back")
    done(page, "goes on")
    queue = Queue.objects.get(name="mail")
    assert (queue.is_paused, queue.concurrency_limit) == (False, 3)
    decided = page.locator("#durable-decided").locator("..")
    for said in ("they throttle us", "maintenance", "they are back"):
        expect(decided).to_contain_text(said)


def test_who_may_only_look_finds_no_button_and_no_way_around_it(open_page, Order):
    run = run_through(Order)
    page = open_page("view_execution", "view_queue", "view_pendinginput")
    for tab in ("graph", "steps", "context", "events", "history"):
        page.goto(f"{page_of(run)}?tab={tab}")
        says(page, "failed")
        expect(page.locator(".object-tools a[class^=durable-]")).to_have_count(0)
    for verb in ("retry", "skip", "rerun", "edit_context", "cancel", "pause", "resume"):
        assert page.goto(f"{LIST}{run.pk}/{verb}/").status == 403, verb
    for address in (f"{LIST}start/", f"{LIST}bulk/cancel/", f"{QUEUES}default/pause/"):
        assert page.goto(address).status in (403, 404), address
