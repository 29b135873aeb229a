"""The pages of schedules: what they show, to whom, and that reading costs the same for many."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from durable_django import Cron, Every, Workflow, step
from durable_django import schedules as api
from durable_django.admin.executions import ExecutionAdmin
from durable_django.admin.schedules import ScheduleAdmin
from durable_django.definition import registry
from durable_django.engine import values
from durable_django.models import Schedule
from tests.admin.conftest import DEFINITIONS, page_of
from tests.admin.rows import make_definition, make_run, make_schedule, make_tick, now

pytestmark = pytest.mark.usefixtures("isolated")

SCHEDULES = "/admin/durable_django/schedule/"
OVERVIEW = "/admin/durable_django/overview/"
VIEWS = ("view_schedule", "view_execution", "view_workflowdefinition")
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def viewer(staff):
    return staff(*VIEWS)


@pytest.fixture
def operator(staff):
    return staff(*VIEWS, "manage_schedule")


@pytest.fixture
def reports(isolated):
    class Reports(Workflow):
        class Meta:
            name = "tests.reports"
            sensitive = ("card",)

        @step
        def write(self):
            pass

    return Reports


def page(schedule, verb="change"):
    return f"{SCHEDULES}{schedule.pk}/{verb}/"


def text(response):
    assert response.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


# The list


def test_the_list_tells_how_each_stands_when_it_comes_and_what_came_of_the_last(viewer, reports):
    make_tick(make_schedule(), "skipped")
    make_schedule(name="often", interval_seconds=600.0, enabled=False, due_at=None, next_at=None)
    found = text(viewer.get(SCHEDULES))
    assert "tests.reports: nightly on At 09:00 every day, America/New_York 0 9 * * * in " in found
    assert "left out just now" in found
    assert re.search(r"tests.reports: often off [\w ]*10 minutes", found), found


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        ({}, "on"),
        ({"enabled": False, "due_at": None}, "off"),
        ({"enabled": False, "due_at": None, "disabled_reason": "3 in a row"}, "off after failures"),
        ({"error": "no such zone"}, "cannot be fired"),
        ({"due_at": now() - timedelta(minutes=5)}, "late"),
        ({"due_at": None, "next_at": None}, "nothing to come"),
        ({"retired_at": now(), "due_at": None}, "no longer declared"),
    ],
)
def test_how_it_stands_is_said_in_words(viewer, reports, fields, label):
    schedule = make_schedule(**fields)
    for address in (SCHEDULES, page(schedule)):
        badges = re.findall(r"</svg>([^<]+)</span>", viewer.get(address).content.decode())
        assert label in badges, address


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("state=on", ["broken", "fine", "late"]),
        ("state=off", ["gave-up", "off"]),
        ("state=attention", ["broken", "gave-up", "late"]),
        ("state=retired", ["retired"]),
        ("source=code", ["retired"]),
        ("workflow=tests.other", ["off"]),
        ("q=gave", ["gave-up"]),
    ],
)
def test_the_list_is_filtered(viewer, reports, query, names):
    make_schedule(name="fine")
    make_schedule(name="broken", error="no such zone")
    make_schedule(name="late", due_at=now() - timedelta(hours=1))
    off = {"enabled": False, "due_at": None}
    make_schedule("tests.other", "off", **off)
    make_schedule(name="gave-up", disabled_reason="3 in a row", **off)
    make_schedule(name="retired", retired_at=now(), due_at=None, source="code")
    rows = viewer.get(f"{SCHEDULES}?{query}").context["cl"].result_list
    assert sorted(row.name for row in rows) == names


@pytest.mark.parametrize("query", ["state=x", "source=x", "workflow=a%00b", "name__contains=x"])
def test_a_filter_that_is_none_leads_back_to_the_list(viewer, query):
    assert viewer.get(f"{SCHEDULES}?{query}").status_code in (302, 400)


def test_the_list_costs_the_same_for_many_schedules(viewer, reports):
    def asked():
        with CaptureQueriesContext(connection) as found:
            viewer.get(SCHEDULES)
        return len(found)

    make_tick(make_schedule())
    few = asked()
    for number in range(20):
        make_tick(make_schedule(name=f"n{number}"))
    assert asked() == few <= 12


# The page of one


def test_a_page_shows_the_next_ten_times_in_the_zone_of_the_schedule(viewer, reports):
    tick = datetime(2030, 1, 1, 14, tzinfo=UTC)
    schedule = make_schedule(next_at=tick, due_at=tick)
    answer = viewer.get(page(schedule))
    assert "At 09:00 every day, America/New_York" in text(answer)
    times = answer.context["occurrences"]
    assert len(times) == 10
    assert "2030-01-01 09:00:00 EST" in times[0].there
    assert "2030-01-01 14:00:00 UTC" in times[0].here
    assert "2030-01-10 09:00:00 EST" in times[9].there


def test_a_tick_that_was_moved_comes_first(viewer, reports):
    moved = datetime(2030, 1, 1, 3, 7, tzinfo=UTC)
    times = viewer.get(page(make_schedule(next_at=moved, due_at=moved))).context["occurrences"]
    assert "2029-12-31 22:07:00 EST" in times[0].there
    assert "2030-01-01 09:00:00 EST" in times[1].there


def test_times_in_the_readers_own_zone_are_not_said_twice(viewer, reports):
    schedule = make_schedule(timezone="UTC")
    assert {each.here for each in viewer.get(page(schedule)).context["occurrences"]} == {""}


def test_a_calendar_that_cannot_be_read_is_no_failure(viewer, reports):
    schedule = make_schedule(
        timezone="Mars/Olympus", error="no such zone", next_at=None, due_at=None
    )
    assert "0 9 * * *" in text(viewer.get(SCHEDULES))
    assert "It could not be fired when that was last tried: no such zone" in text(
        viewer.get(page(schedule))
    )


def test_a_page_tells_what_became_of_each_tick_and_of_its_run(viewer, reports):
    schedule = make_schedule()
    run = make_run("completed", workflow_name="tests.reports")
    make_tick(schedule, "missed", detail="and 3 more until noon")
    make_tick(schedule, execution=run, at=now() - timedelta(hours=1))
    found = viewer.get(page(schedule))
    assert "missed and 3 more until noon" in text(found)
    assert f'href="{page_of(run)}"' in found.content.decode()
    assert re.search(r"started completed \w{8}…\w{6}", text(found))
    assert "tag=schedule%3Dnightly" in found.content.decode()


def test_a_run_that_was_pruned_is_said_to_be_gone(viewer, reports):
    schedule = make_schedule()
    run = make_run("completed")
    make_tick(schedule, execution=run)
    type(run).objects.filter(pk=run.pk).delete()
    assert "no longer kept" in text(viewer.get(page(schedule)))


def test_older_ticks_are_a_page_further(viewer, reports):
    schedule = make_schedule()
    for number in range(55):
        make_tick(schedule, "skipped", at=now() - timedelta(days=number), detail=f"tick-{number};")
    newest = viewer.get(page(schedule))
    assert "tick-54;" in text(newest)
    assert "tick-4;" not in text(newest)
    older = viewer.get(page(schedule), {"before": newest.context["older"]})
    assert "tick-4;" in text(older)
    assert "tick-5;" not in text(older)
    assert older.context["older"] is None
    for nonsense in ("x", "-1", "9" * 30, "%00"):
        assert "tick-54;" in text(viewer.get(page(schedule), {"before": nonsense}))


def test_the_page_costs_the_same_for_many_ticks(viewer, reports):
    schedule = make_schedule()

    def asked():
        with CaptureQueriesContext(connection) as found:
            viewer.get(page(schedule))
        return len(found)

    make_tick(schedule, execution=make_run("completed"))
    few = asked()
    for number in range(30):
        at = now() - timedelta(days=number + 1)
        make_tick(schedule, execution=make_run("completed"), at=at)
    assert asked() == few <= 20


def test_the_input_is_shown_under_the_masks_of_the_workflow(viewer, staff, reports):
    given = values.encode({"card": "4111-2222", "week": 7}, "input")
    schedule = make_schedule(input_text=given, error="no card 4111-2222", disabled_reason="")
    assert "4111-2222" not in viewer.get(page(schedule)).content.decode()
    assert "week" in text(viewer.get(page(schedule)))
    seeing = staff(*VIEWS, "view_sensitive")
    assert "4111-2222" in seeing.get(page(schedule)).content.decode()


def test_what_was_decided_about_it_is_told(viewer, reports):
    schedule = make_schedule()
    api.disable_schedule(schedule, reason="holidays", by="ada")
    found = text(viewer.get(page(schedule)))
    assert "ada switched off holidays" in found


def test_it_is_told_what_exactly_was_decided_but_no_input(viewer, reports):
    schedule = make_schedule(name="nightly")
    when = Cron("0 10 * * *", timezone="UTC", input={"card": "4111-2222"})
    api.change_schedule(schedule, when, by="ada")
    api.move_schedule(schedule, datetime(2040, 1, 1, 3, 7, tzinfo=UTC), by="ada")
    until = now() - timedelta(minutes=1)
    api.backfill_schedule(schedule, until - timedelta(days=2), until, by="ada")
    found = text(viewer.get(page(schedule)))
    assert "changed: cron expression, time zone, catch up over, input" in found, found
    assert "moved the next tick: 2040-01-01 03:07:00.000 UTC" in found
    assert "back-filled: 2 runs were started." in found
    assert "4111-2222" not in found


def test_of_one_that_code_declares_it_says_what_can_be_changed_here(operator, isolated):
    class Declares(Workflow):
        class Meta:
            name = "tests.declares"
            schedules = [Cron("@daily", name="asks", input=lambda tick: {"day": tick.date()})]

        @step
        def go(self):
            pass

    api.sync_schedules()
    schedule = Schedule.objects.get(workflow_name="tests.declares")
    made = make_schedule("tests.declares", "made")
    found = operator.get(page(schedule))
    assert "Code declares it. Here it can be switched on and off" in text(found)
    assert "Its code says for each tick what the run is given." in text(found)
    assert page(schedule, "edit") not in found.content.decode()
    assert page(made, "edit") in operator.get(page(made)).content.decode()
    assert page(schedule, "delete") not in found.content.decode()


def test_one_whose_code_is_not_here_says_so(viewer):
    schedule = make_schedule("tests.elsewhere")
    assert "does not have the code of its workflow" in text(viewer.get(page(schedule)))


def test_what_a_schedule_brings_is_text(viewer, reports):
    schedule = make_schedule(EVIL, EVIL, error=EVIL, input_text=values.encode({EVIL: EVIL}, "i"))
    make_tick(schedule, "failed", detail=EVIL)
    make_run(workflow_name=EVIL)
    for address in (SCHEDULES, page(schedule), OVERVIEW):
        found = viewer.get(address).content.decode()
        assert EVIL not in found, address
        assert escape(EVIL) in found, address


# Who sees what


def test_view_only_staff_see_no_buttons(viewer, operator, reports):
    schedule = make_schedule()
    for address in (SCHEDULES, page(schedule)):
        assert "Switch off …" not in text(viewer.get(address))
        assert f"{SCHEDULES}add/" not in viewer.get(address).content.decode()
    assert "Switch off …" in text(operator.get(page(schedule)))
    assert f"{SCHEDULES}add/" in operator.get(SCHEDULES).content.decode()


@pytest.fixture
def limited(monkeypatch):
    """Only runs of one workflow are shown."""
    queryset = ExecutionAdmin.get_queryset
    monkeypatch.setattr(
        ExecutionAdmin,
        "get_queryset",
        lambda self, request: queryset(self, request).filter(workflow_name="tests.reports"),
    )


def test_a_schedule_of_a_workflow_whose_runs_one_may_not_see_is_not_there(
    operator, reports, limited
):
    make_run("completed", workflow_name="tests.reports")
    hidden = make_run("completed", workflow_name="tests.0ccult")
    mine, other = make_schedule(), make_schedule("tests.0ccult")
    make_tick(mine, execution=hidden)
    for address in (SCHEDULES, page(mine), OVERVIEW, f"{SCHEDULES}add/"):
        found = operator.get(address).content.decode()
        assert "0ccult" not in found, address
        assert str(hidden.pk)[-6:] not in found, address
    assert operator.get(page(other)).status_code == 302
    for verb in ("trigger", "disable", "edit", "delete"):
        assert operator.get(page(other, verb)).status_code == 404
        assert operator.post(page(other, verb), {"reason": ""}).status_code == 404
    assert Schedule.objects.get(pk=other.pk).enabled


def test_which_schedules_are_shown_can_be_said_otherwise(operator, reports, limited, monkeypatch):
    monkeypatch.setattr(ScheduleAdmin, "seen_workflows", lambda *given: {"tests.0ccult"})
    make_schedule()
    make_schedule("tests.0ccult")
    rows = operator.get(SCHEDULES).context["cl"].result_list
    assert [row.workflow_name for row in rows] == ["tests.0ccult"]


# On other pages


def test_the_overview_tells_what_is_due_next_the_soonest_first(viewer, reports):
    make_run("completed")
    make_schedule(name="later", due_at=now() + timedelta(days=2))
    make_schedule(name="sooner")
    make_schedule(name="off", enabled=False, due_at=None)
    found = viewer.get(OVERVIEW)
    assert [row.name for row in found.context["schedules"]] == [
        "tests.reports: sooner",
        "tests.reports: later",
    ]
    assert "Due next" in text(found)


def test_the_overview_tells_which_schedules_need_somebody(viewer, staff, reports):
    make_run("completed")
    make_schedule(name="a", error="no such zone")
    make_schedule(name="b", enabled=False, due_at=None, disabled_reason="3 in a row")
    make_schedule(name="c", due_at=now() - timedelta(minutes=5))
    said = [f"{need.number} {need.text}" for need in viewer.get(OVERVIEW).context["needs"]]
    assert [each for each in said if "schedule" in each] == [
        "1 schedule has switched itself off after failures",
        "1 schedule cannot be fired",
        "1 schedule should have started a run over a minute ago",
    ]
    other = staff("view_execution").get(OVERVIEW)
    assert other.context["schedules"] is None
    assert "schedule" not in " ".join(need.text for need in other.context["needs"])


def test_a_definition_leads_to_its_schedules(viewer, operator, reports):
    definition = make_definition(name="tests.reports")
    make_schedule()
    make_schedule("tests.other", "not-mine")
    address = f"{DEFINITIONS}{definition.pk}/change/"
    found = viewer.get(address).content.decode()
    assert "tests.reports: nightly" in found
    assert "not-mine" not in found
    assert f"{SCHEDULES}add/?workflow=tests.reports" not in found
    assert f"{SCHEDULES}add/?workflow=tests.reports" in operator.get(address).content.decode()


def test_the_names_of_the_declared_are_those_of_the_rows(db, isolated):
    class Often(Workflow):
        class Meta:
            name = "tests.often"
            schedules = [Every(600, name="a"), Cron("@daily", name="b")]

        @step
        def go(self):
            pass

    api.sync_schedules()
    names = Schedule.objects.filter(workflow_name="tests.often").values_list("name", flat=True)
    assert list(names) == ["a", "b"]
    assert registry.get("tests.often").definition.options.schedules[0].name == "a"
