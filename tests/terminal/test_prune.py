"""`durable prune`: asks, deletes what ended long ago, and tells how much that was."""

from datetime import datetime, timedelta

import pytest

import durable_django as api
from durable_django import Workflow, foreach, step
from durable_django.models import AuditEntry, Execution
from durable_django.store import clock
from durable_django.terminal import prune
from tests.terminal.asking import Asked


@pytest.fixture
def two(durable):
    """Two runs that ended a month ago, one of them failed."""

    class Plain(Workflow):
        class Meta:
            name = "plain"

        with foreach(lambda self: range(2)) as each:

            @step
            def work(self):
                if self.input.get("fails"):
                    raise ValueError("no")

    runs = [durable.run(Plain), durable.run(Plain, {"fails": True})]
    durable.advance(timedelta(days=30))
    return runs


def test_what_ended_long_ago_is_deleted_and_counted(terminal, two):
    said = terminal("prune", "--older-than", "29d", "--yes", "--reason", "room", "--by", "ada")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(
        "Deleted 2 runs that ended more than 29d ago: 6 executions, 7 step runs, "
    )
    assert not Execution.objects.exists()
    (entry,) = AuditEntry.objects.all()
    assert (entry.verb, entry.by, entry.reason) == ("prune", "ada", "room")
    assert entry.detail["trees"] == 2
    assert entry.detail["older_than"] == 29 * 86_400


def test_a_dry_run_deletes_nothing_and_asks_nobody(terminal, two):
    said = terminal("prune", "--older-than", "4w", "--dry-run")
    assert said.out.startswith("Would delete 2 runs that ended more than 28d ago: 6 executions")
    assert Execution.objects.count() == 6
    assert not AuditEntry.objects.exists()


def test_a_program_reads_the_numbers(terminal, two):
    said = terminal("prune", "--older-than", "1d", "--status", "failed", "--yes", "--json")
    found = said.json
    before = found.pop("before")
    assert datetime.fromisoformat(before) < clock.now()
    assert found == {
        "dry_run": False,
        "older_than_seconds": 86_400.0,
        "status": ["failed"],
        "workflow": None,
        "trees": 1,
        "executions": 3,
        "step_runs": 3,
        "waits": 0,
        "events": 0,
        "audit_entries": 0,
        "kept": 0,
        "is_more": False,
    }
    assert list(Execution.objects.filter(kind="workflow")) == [two[0]]


def test_somebody_is_asked_who_may_say_no(terminal, two, monkeypatch):
    asked = Asked(monkeypatch, "n\n")
    said = terminal("prune", "--older-than", "1d", "--status", "failed", "--workflow", "plain")
    assert said.code == 1
    assert "Delete 1 failed run of plain that ended more than 1d ago" in asked.question
    assert Execution.objects.count() == 6
    Asked(monkeypatch, "yes\n")
    assert terminal("prune", "--older-than", "1d").code == 0
    assert not Execution.objects.exists()


def test_where_nobody_can_be_asked_nothing_is_deleted(terminal, two, monkeypatch):
    Asked(monkeypatch, "", is_terminal=False)
    said = terminal("prune", "--older-than", "1d")
    assert said.code == 2
    assert "--yes" in said.err
    assert Execution.objects.count() == 6


def test_the_question_says_when_there_is_more_than_was_counted(terminal, two, monkeypatch):
    monkeypatch.setattr(prune, "COUNTED_MAX", 1)
    asked = Asked(monkeypatch, "y\n")
    terminal("prune", "--older-than", "1d")
    assert "Delete 1 or more runs that" in asked.question
    assert not Execution.objects.exists()


def test_where_there_is_nothing_nobody_is_asked(terminal, two, monkeypatch):
    asked = Asked(monkeypatch, "")
    said = terminal("prune", "--older-than", "52w")
    assert (said.code, said.lines) == (0, ["There are no runs that ended more than 364d ago."])
    assert asked.question == ""
    assert not AuditEntry.objects.exists()


def test_only_so_many_go_as_asked_for(terminal, two):
    assert terminal("prune", "--older-than", "1d", "--limit", "1", "--yes").code == 0
    assert list(Execution.objects.filter(kind="workflow")) == [two[1]]


def test_what_stays_because_something_of_it_has_not_ended_is_told(terminal, two):
    child = Execution.objects.filter(kind="strand").first()
    Execution.objects.filter(pk=child.pk).update(status="pending", finished_at=None)
    said = terminal("prune", "--older-than", "1d", "--yes")
    assert "Deleted 1 run that" in said.out
    assert "1 more stay" in said.out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--older-than", "30"], 2, "--older-than needs a unit, w, d, h, m or s: 30d is 30 days"),
        (["--older-than", " 0.5 "], 2, "--older-than needs a unit"),
        (["--older-than", "0"], 2, "--older-than needs a unit"),
        (["--older-than", "30s"], 0, "There are no runs"),
        (["--older-than", "0d"], 0, "There are no runs"),
        (["--older-than", "a month"], 2, "--older-than is written like 30s, 10m, 1h 30m or 7d"),
        (["--older-than", "-1d"], 2, ""),
        ([], 2, "--older-than"),
        (["--older-than", "1d", "--status", "sleeping"], 2, "only what has ended"),
        (["--older-than", "1d", "--status", "done"], 2, "status is one or several of"),
        (["--older-than", "1d", "--workflow", "plian"], 3, 'no workflow is called "plian"'),
        (["--older-than", "1d", "--batch-size", "0"], 2, "must be at least 1"),
        (["--older-than", "1d", "--batch-size", "100001"], 2, "batch_size is between 1 and"),
    ],
)
def test_what_makes_no_sense_is_told_and_nothing_deleted(terminal, words, code, told, capsys):
    said = terminal("prune", *words, "--yes")
    assert said.code == code
    assert told in said.out + said.err + capsys.readouterr().err
    assert not AuditEntry.objects.exists()


def test_a_workflow_that_no_code_has_any_more_can_be_named(terminal, two):
    Execution.objects.update(workflow_name="gone")
    assert (
        "Deleted 2 runs of gone"
        in terminal("prune", "--older-than", "1d", "--workflow", "gone", "--yes").out
    )
    assert api.list_executions().count() == 0
