"""The pages of schedules as browsers and people without a mouse, or without colours, get them."""

import pytest

from durable_django import Workflow, step
from durable_django.definition import registry
from durable_django.engine import values
from durable_django.models import Execution, Schedule
from tests.admin.browser import EVIL, over, press, serious_faults
from tests.admin.rows import make_run, make_schedule, make_tick

pytestmark = pytest.mark.browser

SCHEDULES = "/admin/durable_django/schedule/"
ADD = f"{SCHEDULES}add/"


@pytest.fixture
def reports(server):
    with registry.isolate():

        class Reports(Workflow):
            class Meta:
                name = "tests.reports"

            @step
            def write(self):
                pass

        yield Reports


@pytest.fixture
def busy(reports):
    """A schedule that brings whatever can be brought."""
    schedule = make_schedule(
        "tests.reports", EVIL, error=EVIL, input_text=values.encode({EVIL: EVIL}, "input")
    )
    make_tick(schedule, "failed", detail=EVIL)
    make_tick(
        schedule, execution=make_run("completed", workflow_name="tests.reports"), kind="trigger"
    )
    return schedule


def pages_of(schedule):
    verbs = ("change", "edit", "trigger", "backfill", "delete")
    return [SCHEDULES, ADD, *(f"{SCHEDULES}{schedule.pk}/{verb}/" for verb in verbs)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_they_have_no_serious_fault_for_people_who_see_or_hear_them_otherwise(
    open_page, busy, scheme
):
    page = open_page(scheme=scheme, is_strict=False)
    for address in pages_of(busy):
        assert page.goto(address).status == 200
        assert serious_faults(page) == [], address


@pytest.mark.parametrize("width", [400, 1024, 2560])
def test_they_fit_every_window(open_page, busy, width):
    page = open_page(width=width)
    for address in pages_of(busy):
        page.goto(address)
        assert over(page) <= 0, address


def test_from_right_to_left_they_fit_too(open_page, busy):
    page = open_page(width=400, language="ar")
    for address in pages_of(busy):
        page.goto(address)
        assert over(page) <= 0, address


def test_what_a_schedule_brings_is_never_executed(open_page, busy):
    page = open_page(is_strict=False)
    for address in pages_of(busy):
        page.goto(address)
    page.goto(pages_of(busy)[2])
    assert EVIL in page.locator("#durable-ticks").locator("..").inner_text()


@pytest.mark.parametrize("has_scripts", [True, False])
def test_one_is_made_after_a_look_at_its_times(open_page, reports, has_scripts):
    page = open_page(has_scripts=has_scripts)
    page.goto(SCHEDULES)
    page.get_by_role("link", name="Add schedule").first.click()
    page.get_by_label("Workflow:").select_option("tests.reports")
    page.get_by_label("Name:").fill("nightly")
    page.get_by_label("Cron expression").fill("0 9 * *")
    page.get_by_label("Time zone").fill("Europe/Paris")
    page.get_by_role("button", name="Preview").click()
    page.get_by_text("has 4 fields").wait_for()
    page.get_by_label("Cron expression").fill("0 9 * * *")
    page.get_by_role("button", name="Preview").click()
    page.get_by_text("At 09:00 every day, Europe/Paris").wait_for()
    assert page.locator(".durable-preview tbody tr").count() == 10
    assert not Schedule.objects.exists()
    page.get_by_role("button", name="Save this schedule").click()
    page.get_by_text("The schedule tests.reports: nightly was saved.").wait_for()
    assert Schedule.objects.get().timezone == "Europe/Paris"


def test_all_can_be_done_with_the_keyboard_alone(open_page, reports):
    schedule = make_schedule()
    page = open_page()
    page.goto(SCHEDULES)
    press(page.get_by_role("link", name="tests.reports: nightly"))
    press(page.get_by_role("link", name="Switch off …"))
    page.get_by_label("Reason").fill("holidays")
    press(page.get_by_role("button", name="Switch it off"))
    page.get_by_text("The schedule tests.reports: nightly is off.").wait_for()
    schedule.refresh_from_db()
    assert not schedule.enabled
    press(page.get_by_role("link", name="Trigger now …"))
    press(page.get_by_role("button", name="Start a run now"))
    page.wait_for_url("**/execution/**")
    assert Execution.objects.count() == 1


def test_a_range_is_filled_in_after_a_look(open_page, reports):
    schedule = make_schedule(cron="0 * * * *", timezone="UTC")
    page = open_page()
    page.goto(f"{SCHEDULES}{schedule.pk}/backfill/")
    for field, text in (("start", "02:30:00"), ("end", "05:30:00")):
        page.locator(f"#id_{field}_0").fill("2026-01-05")
        page.locator(f"#id_{field}_1").fill(text)
    page.get_by_role("button", name="Look at the times").click()
    page.get_by_text("3 runs are started.").wait_for()
    page.get_by_role("button", name="Back to the form").click()
    assert page.locator("#id_start_1").input_value() == "02:30:00"
    page.get_by_role("button", name="Look at the times").click()
    page.get_by_role("button", name="Start them now").click()
    page.get_by_text("3 runs were started.").first.wait_for()
    assert Execution.objects.count() == 3
