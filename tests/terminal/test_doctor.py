"""`durable doctor`: what it says, what `--fix` does, how it ends."""

import pytest

from durable_django.models import Wait
from durable_django.store import clock
from durable_django.testing import run
from tests.admin.rows import make_run, make_worker, now
from tests.doctor.sick import Pays, changed, nothing_else_registered

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _a_worker(db):
    """So that nothing is said of the fleet."""
    make_worker(heartbeat_at=clock.now())
    with nothing_else_registered():
        yield


def codes(said):
    return [each["code"] for each in said.json["findings"] if each["code"] != "check"]


def test_where_all_is_well_it_says_so(terminal, settings):
    settings.SILENCED_SYSTEM_CHECKS = ["durable_django.W003", "durable_django.W004"]
    said = terminal("doctor")
    assert (said.code, said.lines, said.err) == (0, ["All is well."], "")


def test_a_finding_says_what_it_is_where_and_what_to_do(terminal):
    execution = stuck()
    said = terminal("doctor")
    assert said.code == 1
    assert "ERROR: Executions wait for nothing: 1" in said.lines
    assert f"  execution {execution.pk}" in said.lines
    assert any(line.startswith("  To do: Have them go on.") for line in said.lines)
    assert any(line.startswith("  --fix:  They are made ready") for line in said.lines)
    assert said.lines[-1].endswith("Run it with --fix to have done what is safe.")


def test_fix_does_it_and_says_so(terminal, settings):
    settings.SILENCED_SYSTEM_CHECKS = ["durable_django.W003", "durable_django.W004"]
    execution = stuck()
    said = terminal("doctor", "--fix", "--by", "ada")
    assert said.code == 0
    assert said.lines[-2:] == ["Fixed 1: Executions wait for nothing: 1", "All is well now."]
    execution.refresh_from_db()
    assert execution.status == "pending"
    assert execution.history.get().by == "ada"
    assert "All is well." in terminal("doctor", "--fix").lines


def test_a_program_gets_all_of_it(terminal):
    execution = stuck()
    said = terminal("doctor", "--json")
    (finding,) = [each for each in said.json["findings"] if each["code"] == "await_nothing"]
    assert said.code == 1
    assert said.json["is_well"] is False
    assert "await_nothing" in said.json["left"]
    assert finding.keys() == {
        "code",
        "subject",
        "severity",
        "title",
        "what",
        "todo",
        "where",
        "number",
        "is_at_least",
        "fix",
        "fixed",
    }
    assert finding["where"] == [{"kind": "execution", "id": str(execution.pk)}]
    assert (finding["number"], finding["is_at_least"], finding["fixed"]) == (1, False, None)


def test_a_program_hears_what_was_fixed(terminal):
    stuck()
    said = terminal("doctor", "--fix", "--json")
    (finding,) = [each for each in said.json["findings"] if each["code"] == "await_nothing"]
    assert finding["fixed"] == 1
    assert "await_nothing" not in said.json["left"]


def test_hints_alone_are_no_failure(terminal, settings):
    settings.SILENCED_SYSTEM_CHECKS = ["durable_django.W003", "durable_django.W004"]
    make_run("failed", error={"type": "E", "message": "no"})
    said = terminal("doctor", "--json")
    assert (said.code, codes(said), said.json["is_well"]) == (0, ["failed"], True)


def test_a_hostile_name_changes_nothing_on_the_screen(terminal):
    make_run(queue="a\x1b[31mb")
    said = terminal("doctor")
    assert "\x1b" not in said.out
    assert "ERROR: No worker serves the queue a\\x1b[31mb" in said.lines


def stuck():
    """A run whose wait ended without anybody waking it."""
    execution = run(Pays)
    changed(execution, created_at=now())
    Wait.objects.filter(execution_id=execution.pk).update(status="completed", resolved_at=now())
    return execution
