"""The command ``schedules``: what it says of schedules, and that it does what the admin does."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from durable_django import Cron, Workflow, step
from durable_django import schedules as api
from durable_django.definition import registry
from durable_django.models import AuditEntry, Execution, Schedule, ScheduleTick
from durable_django.store import clock
from tests.admin.rows import make_tick

NAME = "tests.reports: nightly"


@pytest.fixture(autouse=True)
def reports(db):
    with registry.isolate():

        class Reports(Workflow):
            class Meta:
                name = "tests.reports"
                sensitive = ("card",)

            @step
            def write(self):
                pass

            @classmethod
            def clean_input(cls, input):
                if input.get("week") == 99:
                    from django.core.exceptions import ValidationError

                    raise ValidationError({"week": "no such week"})
                return input

        yield Reports


@pytest.fixture
def nightly():
    when = Cron("0 9 * * *", timezone="America/New_York", name="nightly", input={"card": "4111-22"})
    return api.create_schedule("tests.reports", when)


def test_without_schedules_it_says_so(terminal):
    assert terminal("schedules").out == "There are no schedules.\n"
    assert terminal("schedules", "--json").json == {"schedules": []}


def test_the_list_tells_state_next_last_and_when(terminal, nightly):
    ScheduleTick.objects.create(
        schedule=nightly, kind="time", at=clock.now(), outcome="missed", created_at=clock.now()
    )
    lines = terminal("schedules", width=200).lines
    assert lines[0].split() == ["SCHEDULE", "STATE", "NEXT", "LAST", "WHEN"]
    for said in (NAME, "on", " in ", "missed just now", "At 09:00 every day, America/New_York"):
        assert said in lines[1]


def test_a_narrow_screen_keeps_what_matters_most(terminal, nightly):
    said = terminal("schedules", width=60)
    assert said.lines[0].split() == ["SCHEDULE", "STATE", "NEXT", "LAST"]
    assert max(map(len, said.lines)) <= 60


def test_the_list_of_a_workflow(terminal, nightly, declared_without):
    said = terminal("schedules", "--workflow", "tests.declared")
    assert said.out == "There are no schedules.\n"
    found = terminal("schedules", "--workflow", "tests.reports", "--json").json["schedules"]
    assert [row["name"] for row in found] == ["nightly"]
    assert found[0]["state"] == "on"
    assert found[0]["words"] == "At 09:00 every day, America/New_York"


@pytest.fixture
def declared_without():
    class Declared(Workflow):
        class Meta:
            name = "tests.declared"

        @step
        def go(self):
            pass


def test_one_is_shown_with_its_next_ten_ticks_and_its_last(terminal, nightly):
    run = api.trigger_schedule(nightly)
    said = terminal("schedules", "show", NAME, width=200)
    assert "At 09:00 every day, America/New_York" in said.out
    assert said.out.count("09:00:00 E") == 10
    assert str(run.pk) in said.out
    assert "trigger" in said.out
    document = terminal("schedules", "show", NAME, "--json").json
    assert len(document["next"]) == 10
    assert document["ticks"][0]["execution"] == str(run.pk)
    assert document["ticks"][0]["status"] == "pending"


@pytest.mark.parametrize("words", [(NAME,), ("tests.reports", "nightly"), ("tests.reports",)])
def test_one_is_named_by_its_key_in_two_words_or_by_its_workflow(terminal, nightly, words):
    assert terminal("schedules", "show", *words, "--json").json["id"] == nightly.pk
    assert terminal("schedules", "show", nightly.pk, "--json").json["id"] == nightly.pk


def test_one_whose_workflow_is_in_no_code_any_more_is_switched_off_and_deleted(terminal, nightly):
    Schedule.objects.update(workflow_name="tests.gone", source="code")
    refused = terminal("schedules", "delete", "tests.gone")
    assert (refused.code, refused.out) == (1, "")
    assert "switch it off, then delete it" in refused.err
    terminal("schedules", "disable", "tests.gone")
    said = terminal("schedules", "delete", "tests.gone")
    assert said.out == "tests.gone: nightly is deleted. Runs that it has started stay.\n"
    assert not Schedule.objects.exists()


def test_until_when_ticks_were_missed_is_told_on_the_readers_clock(terminal, nightly, monkeypatch):
    """Programs read it as it is kept, in UTC."""
    tokyo = "durable_django.management.commands.durable.terminal_zone"
    monkeypatch.setattr(tokyo, lambda: ZoneInfo("Asia/Tokyo"))
    kept = "until 2026-03-02T21:30:00+00:00"
    make_tick(nightly, "missed", detail=kept)
    shown = terminal("schedules", "show", NAME, width=200).out
    assert "until 2026-03-03 06:30:00 JST" in shown
    assert kept not in shown
    (tick,) = terminal("schedules", "show", NAME, "--json").json["ticks"]
    assert tick["detail"] == kept


@pytest.mark.parametrize(
    "detail",
    ["until noon", "until 2026-03-02", "2026-03-02T21:30:00+00:00", "until 9999-12-31T23:30:00Z"],
)
def test_what_is_no_such_time_is_shown_as_it_is_kept(terminal, nightly, detail):
    make_tick(nightly, "missed", detail=detail)
    assert detail in terminal("schedules", "show", NAME, width=200).out


def test_one_that_is_not_there_is_not_found(terminal, nightly):
    said = terminal("schedules", "show", "tests.reports: nightli")
    assert said.code == 3
    assert "did you mean" in said.err


def test_what_is_masked_is_shown_only_if_asked_for(terminal, nightly):
    assert "4111-22" not in terminal("schedules", "show", NAME).out
    assert "4111-22" not in terminal("schedules", "--json").out
    assert "4111-22" in terminal("schedules", "show", NAME, "--reveal").out


def test_it_is_switched_off_and_on(terminal, nightly):
    said = terminal("schedules", "disable", NAME, "--reason", "holidays", "--by", "ada")
    assert said.out == f"{NAME} is off. Runs that it has started go on.\n"
    entry = AuditEntry.objects.latest("id")
    assert (entry.verb, entry.by, entry.reason) == ("disable", "ada", "holidays")
    again = terminal("schedules", "disable", NAME)
    assert (again.code, again.out) == (1, "")
    assert terminal("schedules", "enable", NAME, "--json").json["state"] == "on"
    assert Schedule.objects.get().enabled


def test_it_is_triggered_with_another_input(terminal, nightly):
    said = terminal("schedules", "trigger", NAME, "--input", '{"week": 7}', "--json")
    run = Execution.objects.get()
    assert said.json == {"execution": str(run.pk), "status": "pending"}
    assert run.input == {"week": 7}


def test_an_input_that_the_workflow_refuses_is_told(terminal, nightly):
    said = terminal("schedules", "trigger", NAME, "--input", '{"week": 99}')
    assert (said.code, Execution.objects.count()) == (1, 0)
    assert "no such week" in said.err


def test_a_range_is_filled_in_once(terminal, nightly):
    until = clock.now().replace(microsecond=0) - timedelta(hours=1)
    words = ("--from", (until - timedelta(days=3)).isoformat(), "--to", until.isoformat())
    dry = terminal("schedules", "backfill", NAME, *words, "--dry-run")
    assert "3 would be started." in dry.out
    assert Execution.objects.count() == 0
    assert terminal("schedules", "backfill", NAME, *words).out == "3 started.\n"
    assert Execution.objects.count() == 3
    again = terminal("schedules", "backfill", NAME, *words)
    assert again.out == "Nothing to start: each has been there.\n"
    assert Execution.objects.count() == 3


def test_a_range_has_two_ends(terminal, nightly):
    said = terminal("schedules", "backfill", NAME, "--from", "2020-01-01")
    assert (said.code, said.err) == (2, "error: backfill takes --from and --to\n")


def test_its_next_tick_is_moved_and_put_back(terminal, nightly):
    to = (clock.now() + timedelta(days=2)).replace(microsecond=0)
    assert terminal("schedules", "move", NAME, "--to", to.isoformat()).code == 0
    nightly.refresh_from_db()
    assert nightly.next_at == to
    assert terminal("schedules", "move", NAME).code == 0
    nightly.refresh_from_db()
    assert nightly.next_at < to


def test_one_is_made_after_a_look_at_its_times(terminal):
    words = ("create", "tests.reports", "--name", "monthly", "--cron", "0 6 1 * *")
    words += ("--timezone", "Europe/Paris", "--overlap", "queue_one", "--jitter", "5m")
    dry = terminal("schedules", *words, "--dry-run")
    assert "06:00:00 CE" in dry.out
    assert "on day 1" in dry.out.lower() or "first day" in dry.out.lower() or "1st" in dry.out
    assert not Schedule.objects.exists()
    made = terminal("schedules", *words, "--input", '{"week": 1}')
    assert made.code == 0, made.err
    row = Schedule.objects.get()
    assert (row.name, row.timezone, row.overlap) == ("monthly", "Europe/Paris", "queue_one")
    assert (row.jitter_seconds, row.input) == (300, {"week": 1})


def test_an_interval_is_changed_and_the_rest_stays(terminal):
    words = ("create", "tests.reports", "--every", "10m", "--offset", "2m", "--disable-after", "3")
    assert terminal("schedules", *words).code == 0
    assert terminal("schedules", "change", "tests.reports", "--every", "15m").code == 0
    row = Schedule.objects.get()
    assert (row.interval_seconds, row.offset_seconds, row.disable_after) == (900, 120, 3)
    words = ("--cron", "@daily", "--timezone", "UTC", "--disable-after", "0")
    assert terminal("schedules", "change", "tests.reports", *words).code == 0
    row.refresh_from_db()
    assert (row.cron, row.interval_seconds, row.disable_after) == ("@daily", None, None)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("create", "tests.reports"), "when?"),
        (("create", "tests.reports", "--cron", "0 9 * * *", "--every", "5m"), "not both"),
        (("create", "tests.reports", "--cron", "61 9 * * *"), "minute"),
        (("create", "tests.reports", "--cron", "@daily", "--timezone", "Mars"), "time zone"),
        (("create", "tests.reports", "--every", "soon"), "--every"),
        (("create", "tests.reports", "--every", "5m", "--timezone", "UTC"), "--timezone"),
        (("create", "tests.reports", "--cron", "@daily", "--offset", "5m"), "--offset"),
        (("create", "tests.reports", "--every", "0.5s"), "interval"),
        (("show", NAME, "--cron", "@daily"), "show takes no --cron"),
        (("enable",), "which schedule?"),
        (("list", NAME), "show"),
    ],
)
def test_what_makes_no_sense_is_told_and_nothing_is_made(terminal, words, told):
    said = terminal("schedules", *words)
    assert said.code == 2, said
    assert told in said.err
    assert said.err.startswith("error: ")
    assert not Schedule.objects.exists()


def test_the_queue_of_the_workflow_can_be_had_back(terminal, nightly):
    assert terminal("schedules", "change", NAME, "--queue", "slow").code == 0
    assert Schedule.objects.get().queue == "slow"
    assert terminal("schedules", "change", NAME, "--jitter", "1m").code == 0
    assert Schedule.objects.get().queue == "slow"
    said = terminal("schedules", "change", NAME, "--queue", "")
    assert (said.code, said.err, Schedule.objects.get().queue) == (0, "", "")
    run = api.trigger_schedule(NAME)
    assert run.queue == "default"


def test_one_may_be_made_with_the_queue_of_the_workflow(terminal):
    words = ("create", "tests.reports", "--cron", "@daily", "--queue", "")
    assert terminal("schedules", *words).code == 0
    assert Schedule.objects.get().queue == ""


def test_two_of_one_name_are_refused(terminal, nightly):
    said = terminal("schedules", "create", "tests.reports", "--name", "nightly", "--cron", "@daily")
    assert said.code == 2
    assert "already" in said.err


def test_one_of_the_code_is_not_changed_here(terminal, isolated_declared):
    said = terminal("schedules", "change", "tests.declared", "--every", "5m")
    assert said.code == 1
    assert "declared in code" in said.err
    said = terminal("schedules", "delete", "tests.declared")
    assert said.code == 1
    assert Schedule.objects.filter(workflow_name="tests.declared").exists()


@pytest.fixture
def isolated_declared():
    class Declared(Workflow):
        class Meta:
            name = "tests.declared"
            schedules = [Cron("@daily", timezone="UTC")]

        @step
        def go(self):
            pass

    api.sync_schedules()


def test_one_is_deleted(terminal, nightly):
    said = terminal("schedules", "delete", NAME)
    assert said.out == f"{NAME} is deleted. Runs that it has started stay.\n"
    assert not Schedule.objects.exists()


def test_what_a_schedule_brings_is_made_visible(terminal, nightly):
    Schedule.objects.update(error="\x1b[31mred\u202e", disabled_reason="")
    said = terminal("schedules", "show", NAME, is_terminal=True)
    assert "\x1b[31mred" not in said.out
    assert "\\u001b[31mred\\u202e" in said.out


def test_times_in_json_are_in_utc(terminal):
    words = ("create", "tests.reports", "--cron", "0 9 * * *", "--timezone", "America/New_York")
    first = terminal("schedules", *words, "--dry-run", "--json").json["next"][0]
    moment = datetime.fromisoformat(first)
    assert moment.utcoffset() == timedelta(0)
    assert moment.hour in (13, 14)
