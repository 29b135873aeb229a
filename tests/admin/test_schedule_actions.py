"""What one can do about a schedule in the admin: asked first, done by a POST, written down."""

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.test import Client

from durable_django import Cron, Workflow, step
from durable_django import schedules as api
from durable_django.admin.executions import ExecutionAdmin
from durable_django.admin.schedule_verbs import ACTIONS
from durable_django.models import AuditEntry, Execution, Schedule, ScheduleTick
from durable_django.store import clock
from tests.admin.conftest import page_of
from tests.admin.rows import make_schedule, make_worker, now
from tests.admin.test_schedules import SCHEDULES, VIEWS, page, text

pytestmark = pytest.mark.usefixtures("isolated")


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


def split(name, moment):
    """A moment as the two fields of Django's admin take it."""
    return {f"{name}_0": f"{moment:%Y-%m-%d}", f"{name}_1": f"{moment:%H:%M:%S}"}


def hidden(response):
    """The hidden fields of the form on a page, but for Django's token."""
    tags = re.findall(r'<input type="hidden" [^>]*>', response.content.decode())
    pairs = [re.search(r'name="([^"]+)".* value="([^"]*)"', tag) for tag in tags]
    return {pair[1]: pair[2] for pair in pairs if pair and pair[1] != "csrfmiddlewaretoken"}


# Off and on


def test_one_is_switched_off_and_on_again(operator):
    schedule = make_schedule()
    assert "Switch tests.reports: nightly off" in text(operator.get(page(schedule, "disable")))
    done = operator.post(page(schedule, "disable"), {"reason": "holidays"}, follow=True)
    assert "The schedule tests.reports: nightly is off." in text(done)
    schedule.refresh_from_db()
    assert not schedule.enabled
    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.schedule) == ("disable", "tests.reports: nightly")
    assert (entry.reason, entry.by) == ("holidays", done.context["user"].get_username())
    assert "holidays" in LogEntry.objects.get().change_message
    assert "Times that would come if it were on" in text(done)
    done = operator.post(page(schedule, "enable"), {"reason": ""}, follow=True)
    assert "The schedule tests.reports: nightly is on." in text(done)
    schedule.refresh_from_db()
    assert schedule.enabled


@pytest.mark.parametrize(
    ("fields", "verb"),
    [
        ({}, "enable"),
        ({"enabled": False, "due_at": None}, "disable"),
        ({"enabled": False, "due_at": None}, "move"),
        ({"source": "code"}, "delete"),
        ({"retired_at": now(), "due_at": None}, "trigger"),
        ({"retired_at": now(), "due_at": None}, "enable"),
    ],
)
def test_what_does_not_apply_is_neither_offered_nor_done(operator, fields, verb):
    schedule = make_schedule(**fields)
    assert page(schedule, verb) not in operator.get(page(schedule)).content.decode()
    for response in (
        operator.get(page(schedule, verb), follow=True),
        operator.post(page(schedule, verb), {"reason": ""}, follow=True),
    ):
        assert "Nothing was changed: it cannot be done to it as it is now." in text(response)
    assert (AuditEntry.objects.count(), LogEntry.objects.count()) == (0, 0)


def test_what_somebody_did_meanwhile_is_told(operator, monkeypatch):
    schedule = make_schedule()
    off = ACTIONS["disable"]._replace(applies=lambda schedule: True)
    monkeypatch.setitem(ACTIONS, "disable", off)
    api.disable_schedule(schedule)
    response = operator.post(page(schedule, "disable"), {"reason": ""}, follow=True)
    assert "is already off" in text(response)
    assert LogEntry.objects.count() == 0


# Now


def test_one_is_triggered_with_its_own_input_and_one_comes_to_the_run(operator):
    schedule = make_schedule(input_text='{"week": 7}')
    assert "&quot;week&quot;" in operator.get(page(schedule, "trigger")).content.decode()
    response = operator.post(page(schedule, "trigger"), {"input": "", "reason": "now"})
    run = Execution.objects.get()
    assert response["Location"] == page_of(run)
    assert (run.input, run.tags) == ({"week": 7}, {"schedule": "nightly"})
    tick = ScheduleTick.objects.get()
    assert (tick.kind, tick.execution_id) == ("trigger", run.pk)
    assert AuditEntry.objects.filter(verb="trigger", schedule=schedule.key).exists()


def test_one_is_triggered_with_another_input(operator):
    operator.post(page(make_schedule(), "trigger"), {"input": '{"week": 8}', "reason": ""})
    assert Execution.objects.get().input == {"week": 8}


@pytest.mark.parametrize(
    ("input", "told"),
    [
        ("{", "This is no JSON"),
        ('{"week": 99}', "week: no such week"),
        ('{"x": NaN}', "not a finite number"),
    ],
)
def test_an_input_that_is_refused_is_told_at_its_field(operator, input, told):
    response = operator.post(page(make_schedule(), "trigger"), {"input": input, "reason": ""})
    assert told in " ".join(response.context["errors"]["input"])
    assert (Execution.objects.count(), LogEntry.objects.count()) == (0, 0)


def test_the_own_input_is_shown_masked(operator):
    schedule = make_schedule(input_text='{"card": "4111-2222"}')
    assert "4111-2222" not in operator.get(page(schedule, "trigger")).content.decode()


def test_a_run_that_one_could_not_see_is_not_started(operator, monkeypatch):
    queryset = ExecutionAdmin.get_queryset
    schedule = make_schedule()
    Execution.objects.all().delete()
    monkeypatch.setattr(
        ExecutionAdmin,
        "get_queryset",
        lambda self, request: queryset(self, request).filter(tags__tagged=["mine"]),
    )
    monkeypatch.setattr(
        "durable_django.admin.schedules.ScheduleAdmin.seen_workflows", lambda *given: None
    )
    response = operator.post(page(schedule, "trigger"), {"input": "", "reason": ""})
    assert "Nothing was started, since you could not see it." in text(response)
    assert (Execution.objects.count(), ScheduleTick.objects.count()) == (0, 0)
    assert (AuditEntry.objects.count(), LogEntry.objects.count()) == (0, 0)


# Ranges


def test_a_range_is_looked_at_then_filled_in(operator):
    schedule = make_schedule(cron="0 * * * *", timezone="UTC")
    end = clock.now().replace(minute=30, second=0, microsecond=0) - timedelta(hours=2)
    data = {**split("start", end - timedelta(hours=4)), **split("end", end), "reason": "lost"}
    looked = operator.post(page(schedule, "backfill"), data)
    assert "4 runs are started." in text(looked)
    assert Execution.objects.count() == 0
    back = operator.post(page(schedule, "backfill"), {**data, "change": "1"})
    assert f'value="{end:%H:%M:%S}"' in back.content.decode()
    done = operator.post(page(schedule, "backfill"), hidden(looked), follow=True)
    assert "4 runs were started." in text(done)
    assert Execution.objects.count() == 4
    assert AuditEntry.objects.get(verb="backfill").reason == "lost"
    again = operator.post(page(schedule, "backfill"), data)
    assert "There is nothing to start" in text(again)
    assert "Start them now" not in again.content.decode()


def test_of_a_long_range_the_last_is_shown_and_how_many_lie_before_it(operator):
    schedule = make_schedule(cron="0 * * * *", timezone="UTC")
    end = clock.now().replace(minute=30, second=0, microsecond=0) - timedelta(hours=2)
    data = {**split("start", end - timedelta(hours=50)), **split("end", end), "reason": ""}
    looked = text(operator.post(page(schedule, "backfill"), data))
    assert "50 runs are started." in looked
    assert "30 more before the last one are not shown." in looked
    assert f"{end:%Y-%m-%d %H}:00:00" in looked


@pytest.mark.parametrize(
    ("begins", "ends", "field"),
    [
        (timedelta(hours=1), timedelta(hours=2), "end"),
        (timedelta(hours=-1), timedelta(hours=2), "end"),
        (timedelta(days=4000), timedelta(hours=1), "start"),
    ],
)
def test_a_range_that_makes_no_sense_is_told_at_its_field(operator, begins, ends, field):
    schedule = make_schedule(cron="0 * * * *", timezone="UTC")
    at = clock.now()
    if begins < timedelta(0):
        begin, end = at + timedelta(days=1), at + timedelta(days=2)
    else:
        begin, end = at - begins, at - ends
    data = {**split("start", begin), **split("end", end), "reason": ""}
    response = operator.post(page(schedule, "backfill"), data)
    assert field in response.context["errors"], response.context["errors"]
    assert Execution.objects.count() == 0


# Moved


def test_the_next_tick_is_moved_and_put_back(operator):
    schedule = make_schedule()
    to = (clock.now() + timedelta(days=3)).replace(microsecond=0)
    done = operator.post(page(schedule, "move"), {**split("to", to), "reason": ""}, follow=True)
    assert "The next tick of tests.reports: nightly is at" in text(done)
    schedule.refresh_from_db()
    assert (schedule.next_at, schedule.due_at) == (to, to)
    operator.post(page(schedule, "move"), {"to_0": "", "to_1": "", "reason": ""})
    schedule.refresh_from_db()
    assert schedule.next_at < to


# Gone


def test_one_of_people_is_deleted_and_its_runs_stay(operator):
    schedule = make_schedule()
    api.trigger_schedule(schedule)
    assert "with the record of its ticks" in text(operator.get(page(schedule, "delete")))
    done = operator.post(page(schedule, "delete"), {"reason": "no longer"}, follow=True)
    assert "The schedule tests.reports: nightly was deleted." in text(done)
    assert done.redirect_chain[-1][0] == SCHEDULES
    assert not Schedule.objects.exists()
    assert not ScheduleTick.objects.exists()
    assert Execution.objects.count() == 1
    assert AuditEntry.objects.filter(verb="delete", reason="no longer").exists()
    assert "no longer" in LogEntry.objects.get().change_message


def test_one_whose_workflow_is_in_no_code_any_more_is_deleted_once_it_is_off(operator):
    schedule = make_schedule(workflow="tests.gone", source="code")
    refused = operator.post(page(schedule, "delete"), {"reason": ""}, follow=True)
    assert "Nothing was changed: it cannot be done to it as it is now." in text(refused)
    off = operator.post(page(schedule, "disable"), {"reason": ""}, follow=True)
    assert page(schedule, "delete") in off.content.decode()
    operator.post(page(schedule, "delete"), {"reason": "its workflow is gone"})
    assert not Schedule.objects.exists()
    assert AuditEntry.objects.filter(verb="delete", reason="its workflow is gone").exists()


def test_one_whose_workflow_a_worker_still_has_is_not_deleted(operator):
    gone = {"source": "code", "enabled": False, "due_at": None}
    schedule = make_schedule(workflow="tests.gone", **gone)
    make_worker(workflows=["tests.gone v2"])
    assert page(schedule, "delete") not in operator.get(page(schedule)).content.decode()
    operator.post(page(schedule, "delete"), {"reason": ""})
    assert Schedule.objects.exists()


# What code declares


def test_what_code_declares_is_switched_and_moved_but_not_changed(operator):
    class Declared(Workflow):
        class Meta:
            name = "tests.declared"
            schedules = [Cron("@daily", timezone="UTC", input=lambda tick: {"day": tick.date()})]

        @step
        def go(self):
            pass

    api.sync_schedules()
    schedule = Schedule.objects.get(workflow_name="tests.declared")
    asked = text(operator.get(page(schedule, "trigger")))
    assert "Its code says for each tick what the run is given." in asked
    operator.post(page(schedule, "disable"), {"reason": ""})
    schedule.refresh_from_db()
    assert not schedule.enabled
    refused = operator.get(page(schedule, "edit"), follow=True)
    assert "Nothing was changed: code declares it: change it there." in text(refused)


# Who may


@pytest.mark.parametrize("verb", [*ACTIONS, "edit"])
def test_nobody_decides_without_the_permission_or_without_seeing(staff, verb):
    schedule = make_schedule()
    clients = (staff(*VIEWS), staff("manage_schedule"), staff("manage_schedule", "view_schedule"))
    for client in clients:
        assert client.get(page(schedule, verb)).status_code == 403
        assert client.post(page(schedule, verb), {"reason": ""}).status_code == 403
    assert (AuditEntry.objects.count(), Execution.objects.count()) == (0, 0)


@pytest.mark.parametrize("verb", ["trigger", "disable", "delete"])
def test_nobody_decides_without_a_token(operator, verb):
    schedule = make_schedule()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = operator.cookies
    assert strict.post(page(schedule, verb), {"reason": ""}).status_code == 403
    assert AuditEntry.objects.count() == 0


def test_to_trigger_needs_no_other_permission(operator):
    # What `manage_schedule` allows is to decide when a workflow starts: also that it does now.
    operator.post(page(make_schedule(), "trigger"), {"input": "", "reason": ""})
    assert Execution.objects.count() == 1


@pytest.mark.parametrize("pk", ["0", "x", "9" * 30, "%00", "-1"])
def test_one_that_is_not_there_is_not_found(operator, pk):
    for verb in ("trigger", "edit", "delete"):
        assert operator.get(f"{SCHEDULES}{pk}/{verb}/").status_code == 404
