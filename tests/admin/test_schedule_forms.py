"""Making and changing a schedule in the admin: its times are shown before it is kept, errors at
their field, what is masked stays."""

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.core.exceptions import ValidationError
from django.utils.html import escape

from durable_django import Workflow, step
from durable_django.admin.executions import ExecutionAdmin
from durable_django.models import AuditEntry, Schedule
from tests.admin.rows import make_run, make_schedule
from tests.admin.test_schedule_actions import hidden
from tests.admin.test_schedules import EVIL, SCHEDULES, VIEWS, page, text

pytestmark = pytest.mark.usefixtures("isolated")

ADD = f"{SCHEDULES}add/"


@pytest.fixture
def operator(staff):
    return staff(*VIEWS, "manage_schedule")


@pytest.fixture(autouse=True)
def reports(isolated):
    class Reports(Workflow):
        class Meta:
            name = "tests.reports"
            sensitive = ("card",)

        @step
        def write(self):
            pass

        @classmethod
        def clean_input(cls, input):
            if isinstance(input, dict) and input.get("week") == 99:
                raise ValidationError({"week": "no such week"})
            return input

    return Reports


def filled(**fields):
    """What a browser sends of the form, with these fields filled in."""
    return {
        "workflow": "tests.reports",
        "name": "nightly",
        "cron": "0 9 * * *",
        "timezone": "America/New_York",
        "interval": "",
        "offset": "",
        "input": '{"week": 7}',
        "queue": "",
        "overlap": "skip",
        "catch_up": "one",
        "catch_up_window": "",
        "jitter": "",
        "disable_after": "",
        "reason": "",
        "previewed": "",
        **fields,
    }


def saved(client, address=ADD, **fields):
    """Looks at the times, then saves; the answer to the second."""
    data = filled(**fields)
    looked = client.post(address, {**data, "preview": "1"})
    assert looked.status_code == 200, looked
    return client.post(address, {**data, **hidden(looked)})


def test_the_times_are_shown_before_anything_is_kept(operator):
    asked = operator.get(ADD)
    assert "First look at the times that it means" in text(asked)
    assert "Save this schedule" not in asked.content.decode()
    looked = operator.post(ADD, filled(preview="1"))
    assert "At 09:00 every day, America/New_York" in text(looked)
    assert len(looked.context["preview"]["occurrences"]) == 10
    assert "09:00:00 E" in looked.context["preview"]["occurrences"][0].there
    assert "Save this schedule" in looked.content.decode()
    assert not Schedule.objects.exists()


def test_it_is_kept_after_that(operator):
    response = saved(operator, overlap="queue_one", jitter="5m", disable_after="3", reason="asked")
    schedule = Schedule.objects.get()
    assert response["Location"] == page(schedule)
    assert (schedule.key, schedule.source) == ("tests.reports: nightly", "people")
    assert (schedule.cron, schedule.timezone) == ("0 9 * * *", "America/New_York")
    assert (schedule.input, schedule.overlap) == ({"week": 7}, "queue_one")
    assert (schedule.jitter_seconds, schedule.disable_after) == (300.0, 3)
    assert schedule.catch_up_seconds == timedelta(days=365).total_seconds()
    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.reason) == ("create", "asked")
    assert LogEntry.objects.get().action_flag == ADDITION


def test_times_that_were_changed_since_are_shown_again_first(operator):
    looked = operator.post(ADD, filled(preview="1"))
    again = operator.post(ADD, {**filled(cron="0 10 * * *"), **hidden(looked)})
    assert "At 10:00 every day" in text(again)
    assert not Schedule.objects.exists()
    operator.post(ADD, {**filled(cron="0 10 * * *"), **hidden(again)})
    assert Schedule.objects.get().cron == "0 10 * * *"


def test_without_a_look_nothing_is_kept(operator):
    assert "At 09:00 every day" in text(operator.post(ADD, filled()))
    assert not Schedule.objects.exists()


def test_an_interval_is_made(operator):
    saved(operator, cron="", timezone="", interval="1h 30m", offset="5m", catch_up_window="2d")
    schedule = Schedule.objects.get()
    assert (schedule.interval_seconds, schedule.offset_seconds) == (5400.0, 300.0)
    assert schedule.catch_up_seconds == 172_800.0


@pytest.mark.parametrize(
    ("fields", "field", "told"),
    [
        ({"cron": ""}, "cron", "Write a cron expression, or an interval"),
        ({"interval": "5m"}, "interval", "not both"),
        ({"cron": "61 9 * * *"}, "cron", "minute"),
        ({"cron": "0 9 * *"}, "cron", "field"),
        ({"cron": "@often"}, "cron", "@often"),
        ({"cron": "0 0 30 2 *"}, "cron", "no month"),
        ({"timezone": "America/New_Yrok"}, "timezone", 'did you mean "America/New_York"'),
        ({"timezone": "\x00"}, "timezone", "Null characters"),
        ({"offset": "5m"}, "offset", "Only an interval can be shifted"),
        ({"cron": "", "interval": "5m"}, "timezone", "An interval has no time zone"),
        ({"cron": "", "timezone": "", "interval": "soon"}, "interval", "1h 30m"),
        ({"cron": "", "timezone": "", "interval": "0.5s"}, "interval", "a second or more"),
        (
            {"cron": "", "timezone": "", "interval": "1h", "offset": "2h"},
            "offset",
            "less than the interval",
        ),
        ({"cron": "", "timezone": "", "interval": "9999999999d"}, "interval", "1h 30m"),
        ({"name": ""}, "name", "required"),
        ({"workflow": "tests.nobody"}, "workflow", "valid choice"),
        ({"input": "{"}, "input", "This is no JSON"),
        ({"input": '{"week": 99}'}, "input", "week: no such week"),
        ({"queue": "x" * 101}, "queue", "100"),
        ({"overlap": "x"}, "overlap", "valid choice"),
        ({"catch_up_window": "-1"}, "catch_up_window", "1h 30m"),
        ({"jitter": "?"}, "jitter", "1h 30m"),
        ({"disable_after": "0"}, "disable_after", "1"),
    ],
)
def test_an_error_is_told_at_its_field(operator, fields, field, told):
    for more in ({"preview": "1"}, {"previewed": "whatever"}):
        response = operator.post(ADD, filled(**fields, **more))
        assert response.status_code == 200
        assert told in " ".join(response.context["errors"].get(field, [])), dict(
            response.context["errors"]
        )
    assert not Schedule.objects.exists()


def test_a_time_that_never_comes_is_told(operator, monkeypatch):
    monkeypatch.setattr("durable_django.schedules.preview_ticks", lambda *given: [])
    response = operator.post(ADD, filled(preview="1"))
    assert "It never comes" in " ".join(response.context["errors"]["cron"])
    assert "Save this schedule" not in response.content.decode()


def test_a_queue_that_nobody_knows_is_told(operator, settings):
    settings.DURABLE = {"QUEUES": {"mail": {}}}
    response = saved(operator, queue="mial")
    assert response.status_code == 200
    assert "mial" in str(response.context["errors"])
    assert not Schedule.objects.exists()


def test_a_name_that_is_taken_is_told_at_its_field(operator):
    make_schedule()
    response = saved(operator)
    assert "already" in " ".join(response.context["errors"]["name"])
    assert (Schedule.objects.count(), LogEntry.objects.count()) == (1, 0)


def test_what_was_written_is_shown_again_as_text(operator):
    response = operator.post(ADD, filled(name=EVIL, cron=EVIL, timezone=EVIL, preview="1"))
    assert EVIL not in response.content.decode()
    assert escape(EVIL) in response.content.decode()


def test_a_workflow_named_in_the_address_is_chosen(operator):
    found = operator.get(f"{ADD}?workflow=tests.reports").content.decode()
    assert re.search(r'<option value="tests.reports" selected', found)


# Changed


def unchanged(client, schedule):
    """What the form of a schedule would send without a change."""
    form = client.get(page(schedule, "edit")).context["adminform"].form
    return {
        name: form[name].value() if form[name].value() is not None else "" for name in form.fields
    }


def test_one_is_changed_and_keeps_the_rest(operator):
    schedule = make_schedule(overlap="allow", jitter_seconds=90.0, disable_after=4)
    data = unchanged(operator, schedule)
    assert (data["jitter"], data["catch_up_window"]) == ("1m 30s", "1d")
    assert "workflow" not in data
    assert "name" not in data
    data["cron"] = "30 9 * * *"
    looked = operator.post(page(schedule, "edit"), {**data, "preview": "1"})
    done = operator.post(page(schedule, "edit"), {**data, **hidden(looked)}, follow=True)
    assert "The schedule tests.reports: nightly was saved." in text(done)
    schedule.refresh_from_db()
    assert (schedule.cron, schedule.name, schedule.overlap) == ("30 9 * * *", "nightly", "allow")
    assert (schedule.jitter_seconds, schedule.disable_after) == (90.0, 4)
    assert LogEntry.objects.get().action_flag == CHANGE
    assert AuditEntry.objects.get().verb == "change"


def test_what_is_masked_is_dots_and_stays_as_it_was(operator):
    schedule = make_schedule(input_text='{"card": "4111-2222", "week": 7}')
    data = unchanged(operator, schedule)
    assert "4111" not in data["input"]
    data["input"] = data["input"].replace("7", "8")
    looked = operator.post(page(schedule, "edit"), {**data, "preview": "1"})
    assert "4111-2222" not in looked.content.decode()
    operator.post(page(schedule, "edit"), {**data, **hidden(looked)})
    schedule.refresh_from_db()
    assert schedule.input == {"card": "4111-2222", "week": 8}


def test_dots_that_were_moved_are_refused(operator):
    schedule = make_schedule(input_text='{"card": "4111-2222"}')
    data = unchanged(operator, schedule)
    data["input"] = data["input"].replace("card", "name")
    response = operator.post(page(schedule, "edit"), {**data, "preview": "1"})
    assert "Dots stand for what is masked" in " ".join(response.context["errors"]["input"])


def test_one_whose_code_is_not_here_is_not_changed(operator):
    schedule = make_schedule("tests.elsewhere")
    data = unchanged(operator, schedule)
    looked = operator.post(page(schedule, "edit"), {**data, "preview": "1"})
    done = operator.post(page(schedule, "edit"), {**data, **hidden(looked)}, follow=True)
    assert "Nothing was changed:" in text(done)


# Who may


def test_nobody_makes_one_without_the_permission(staff):
    for client in (staff(*VIEWS), staff("manage_schedule"), staff("manage_schedule", VIEWS[0])):
        assert client.get(ADD).status_code == 403
        assert client.post(ADD, filled()).status_code == 403


def test_only_workflows_whose_runs_one_sees_are_offered(operator, monkeypatch):
    class Occult(Workflow):
        class Meta:
            name = "tests.0ccult"

        @step
        def go(self):
            pass

    queryset = ExecutionAdmin.get_queryset
    monkeypatch.setattr(
        ExecutionAdmin,
        "get_queryset",
        lambda self, request: queryset(self, request).filter(workflow_name="tests.reports"),
    )
    make_run("completed", workflow_name="tests.reports")
    make_run("completed", workflow_name="tests.0ccult")
    found = operator.get(f"{ADD}?workflow=tests.0ccult").content.decode()
    assert "tests.reports" in found
    assert "0ccult" not in found
    refused = operator.post(ADD, filled(workflow="tests.0ccult"))
    assert "workflow" in refused.context["errors"]


def test_where_no_workflow_is_known_it_says_so(operator, monkeypatch):
    monkeypatch.setattr(
        "durable_django.admin.schedules.ScheduleAdmin.seen_workflows", lambda *given: ()
    )
    assert "No workflow is known here" in text(operator.get(ADD))


def test_a_form_that_lacks_everything_is_no_failure(operator):
    assert operator.post(ADD, {}).status_code == 200
    assert operator.post(page(make_schedule(), "edit"), {}).status_code == 200
