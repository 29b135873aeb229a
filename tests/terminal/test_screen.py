"""What the screen draws with: statuses, the zone of the terminal, JSON, progress."""

import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from durable_django.models import ExecutionStatus, StepStatus, WaitStatus, WorkerStatus
from durable_django.terminal import zone
from durable_django.terminal.looks import look_of
from durable_django.terminal.screen import Column, Terminal
from durable_django.terminal.shapes import plain

from .saying import Screen
from .workflows import make_order

STATUSES = {
    *ExecutionStatus.values,
    *StepStatus.values,
    *WaitStatus.values,
    *WorkerStatus.values,
    "overdue",
    "held_back",
}


def screen(is_terminal=False, **options):
    out, err = Screen(is_terminal), Screen(is_terminal)
    return Terminal(out, err, **options), out, err


@pytest.mark.parametrize("status", sorted(STATUSES))
def test_a_status_is_a_sign_and_a_word_and_not_a_colour_alone(status):
    terminal, _out, _err = screen()
    sign, _, word = terminal.status(status).plain.partition(" ")
    assert sign != "·"
    assert len(sign) == 1
    assert look_of(status).ascii.isascii()
    assert word == status.replace("_", " ")


def test_a_status_that_is_unknown_is_shown_all_the_same():
    terminal, _out, _err = screen()
    assert terminal.status("tired\x1b").plain == "· tired\\u001b"


def test_with_json_only_json_is_on_stdout():
    terminal, out, err = screen(json=True)
    terminal.say("hello")
    terminal.table([Column("A")], [("b",)])
    terminal.warn("careful")
    terminal.emit({"at": datetime(2030, 1, 31, 9, tzinfo=ZoneInfo("Asia/Tokyo"))})
    assert json.loads(out.getvalue()) == {"at": "2030-01-31T00:00:00+00:00"}
    assert err.getvalue() == "careful\n"


def test_without_json_no_json_is():
    terminal, out, _err = screen()
    terminal.emit({"a": 1})
    terminal.emit_line({"a": 1})
    assert out.getvalue() == ""


def test_what_json_has_no_form_for_is_a_mistake_of_ours():
    with pytest.raises(TypeError, match="object has no form"):
        plain({"a": object()})


def test_a_line_of_a_terminal_is_broken_between_words():
    terminal, out, _err = screen(is_terminal=True, no_color=True)
    terminal.out.width = 20
    terminal.say("what it says is longer than that")
    assert out.getvalue() == "what it says is \nlonger than that\n"
    piped, out, _err = screen()
    piped.out.width = 20
    piped.say("what it says is longer than that")
    assert out.getvalue() == "what it says is longer than that\n"


def test_progress_is_drawn_in_a_terminal_only():
    for is_terminal in (False, True):
        terminal, out, err = screen(is_terminal=is_terminal)
        with terminal.progress(3, "Starting") as advance:
            advance(3)
        assert out.getvalue() == ""
        assert ("Starting" in err.getvalue()) == is_terminal


# -- zones -----------------------------------------------------------------------------------


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine: `machine(tz, localtime)` says what TZ a process is started with, and the file
    that /etc/localtime is."""

    def make(tz=None, localtime=None):
        started = tmp_path / "environ"
        started.write_bytes(b"HOME=/root\0" + (b"TZ=" + tz.encode() if tz is not None else b""))
        monkeypatch.setattr(zone, "_STARTED_WITH", started)
        monkeypatch.setattr(zone, "_LOCALTIME", Path(localtime or tmp_path / "none"))

    return make


def test_the_zone_is_that_of_tz(machine):
    machine(tz="Asia/Kathmandu", localtime="/usr/share/zoneinfo/Asia/Tokyo")
    assert str(zone.terminal_zone()) == "Asia/Kathmandu"
    machine(tz=":Asia/Kathmandu")
    assert str(zone.terminal_zone()) == "Asia/Kathmandu"


@pytest.mark.parametrize("tz", [None, "", "Mars/Olympus", "../../etc/passwd", "<+03>-3", "\0"])
def test_without_a_tz_it_is_the_machine_s_and_else_the_project_s(machine, tmp_path, tz):
    machine(tz=tz)
    assert zone.terminal_zone() == timezone.get_default_timezone()
    (tmp_path / "zoneinfo" / "Asia").mkdir(parents=True)
    file = tmp_path / "zoneinfo" / "Asia" / "Tokyo"
    file.write_bytes(b"")
    machine(tz=tz, localtime=file)
    assert str(zone.terminal_zone()) == "Asia/Tokyo"


def test_a_file_that_is_no_zone_is_passed_over(machine, tmp_path):
    file = tmp_path / "localtime"
    file.write_bytes(b"nonsense")
    machine(localtime=file)
    assert zone.terminal_zone() == timezone.get_default_timezone()


def test_people_read_their_own_zone_and_programs_utc(terminal, durable, monkeypatch, settings):
    settings.TIME_ZONE = "America/New_York"
    tokyo = "durable_django.management.commands.durable.terminal_zone"
    monkeypatch.setattr(tokyo, lambda: ZoneInfo("Asia/Tokyo"))
    run = durable.run(make_order())
    local = run.created_at.astimezone(ZoneInfo("Asia/Tokyo"))
    assert f"{local:%Y-%m-%d %H:%M:%S} JST" in terminal("show", run.pk).out
    told = terminal("show", run.pk, "--json").json["run"]["created_at"]
    assert datetime.fromisoformat(told) == run.created_at
    assert datetime.fromisoformat(told).utcoffset() == datetime.now(UTC).utcoffset()
