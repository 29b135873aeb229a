"""`durable show`: one run, its timeline, and following it."""

import json
import re

import pytest

import durable_django
from durable_django import Workflow, foreach, parallel, step
from durable_django.models import Execution, StepRun
from durable_django.terminal import following

from .workflows import HOSTILE, make_claim, make_hostile, make_order


@pytest.fixture
def Order(durable):
    return make_order()


def test_a_run_is_told_from_its_input_to_its_result(terminal, Order, durable):
    run = durable.run(Order, {"who": "ada", "card": "4111-1111"})
    said = terminal("show", str(run.pk)[:30])
    assert said.code == 0
    assert said.lines[:2] == ["order v1  ✓ completed", str(run.pk)]
    text = said.out
    assert text.index("Input") < text.index("Timeline") < text.index("Result")
    assert "charge                   ✗ failed" in text
    assert "ConnectionError: no route" in text
    assert 'attempt 2  → "ch_1"' in text


def test_what_is_sensitive_is_masked_in_input_context_and_logs(terminal, Order, durable):
    run = durable.run(Order, {"who": "ada", "card": "4111-1111"})
    for words in (["--context"], ["--json", "--context"], ["--whole"], ["--follow"]):
        said = terminal("show", run.pk, *words)
        assert "4111" not in said.out, words
        assert "4111" in terminal("show", run.pk, "--reveal", *words).out, words
    assert "card •••••• of ada" in terminal("show", run.pk).out


def test_logs_can_be_left_out(terminal, Order, durable):
    run = durable.run(Order, {"who": "ada"})
    assert "of ada" in terminal("show", run.pk).out
    assert "of ada" not in terminal("show", run.pk, "--no-logs").out


def test_a_failed_run_tells_its_error_and_where(terminal, durable):
    class Failing(Workflow):
        class Meta:
            name = "failing"

        @step
        def load(self):
            raise ValueError("row 7")

    run = durable.run(Failing)
    said = terminal("show", run.pk)
    assert said.code == 0
    assert "✗ failed" in said.lines[0]
    assert "Error in load\nValueError: row 7\nTraceback" in said.out
    told = terminal("show", run.pk, "--json").json
    assert told["run"]["error"]["message"] == "row 7"
    assert told["attempts"][0]["error"]["type"] == "ValueError"


def test_members_stand_in_the_timeline_by_their_paths(terminal, durable):
    class Fetching(Workflow):
        class Meta:
            name = "fetching"

        with parallel() as fetch:

            @step
            def user(self):
                return 1

            @step
            def invoices(self):
                return 2

    run = durable.run(Fetching)
    said = terminal("show", run.pk)
    assert "fetch/user" in said.out
    assert "fetch/invoices" in said.out
    paths = {row["path"] for row in terminal("show", run.pk, "--json").json["attempts"]}
    assert paths == {"fetch", "fetch/user", "fetch/invoices"}


def test_the_results_of_a_foreach_are_told_in_brief(terminal, durable):
    class Sending(Workflow):
        class Meta:
            name = "sending"

        @step
        def people(self):
            return [f"p{number}" for number in range(20)]

        with foreach(people) as sending:

            @step
            def send(self):
                return f"to {self.item}"

    run = durable.run(Sending)
    said = terminal("show", run.pk, "--limit", "5")
    assert '["to p0", "to p1", "to p2", "to p3", "to p4", … 15 more]' in said.out
    for words in (["show", run.pk], ["list"]):
        told = terminal(*words, "--json").json
        found = told["run"] if words[0] == "show" else told["runs"][0]
        assert found["status"] == "completed"
        assert found["result"] is not None


def test_a_wait_tells_whom_and_until_when(terminal, durable):
    run = durable.run(make_claim(), {"account": "NL91ABNA"})
    said = terminal("show", run.pk)
    (line,) = [line for line in said.lines if "approval" in line and "Managers  " in line]
    assert "⧖" in line
    assert "for group Managers  Pay ••••••?" in line
    assert "until " in line
    told = terminal("show", run.pk, "--json").json
    assert [wait["status"] for wait in told["waits"]] == ["open"]
    assert told["why"][0]["verb"] == "answer"
    durable_django.provide_input(run, "approval", "approved")
    durable.drain()
    assert '→ "approved"' in terminal("show", run.pk).out


def test_hostile_texts_reach_no_terminal(terminal, durable):
    run = durable.run(make_hostile(), {"text": HOSTILE}, tags=[HOSTILE])
    durable_django.provide_input(run, "asked", "approved", comment=HOSTILE)
    durable.drain()
    for words in ([], ["--whole", "--context"], ["--follow"], ["--json"]):
        said = terminal("show", run.pk, *words, is_terminal=True, width=90)
        for evil in ("\x1b[31m", "\x1b[2J", "\x07", "\x9b", "\u202e"):
            assert evil not in said.out, (words, evil)
        assert "red" in said.out


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_timeline_fits_the_terminal(terminal, Order, durable, width):
    run = durable.run(Order, {"who": "x " * 200})
    said = terminal("show", run.pk, "--no-color", is_terminal=True, width=width)
    timeline = said.out.split("Timeline")[1]
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in timeline.splitlines()]
    tail = [line for line in plain if "of x" in line or line.startswith("          ")]
    assert tail
    assert max(map(len, tail)) <= max(width, 50)


def test_of_very_many_attempts_the_newest_are_told(terminal, Order, durable):
    run = durable.run(Order)
    said = terminal("show", run.pk, "--limit", "1")
    assert "the newest 1 only" in said.out
    assert "check  " not in said.out
    told = terminal("show", run.pk, "--limit", "1", "--json").json
    assert [row["path"] for row in told["attempts"]] == ["charge"]
    assert told["more"] is True


def test_what_cannot_be_read_here_is_said_to_be_so(terminal, Order, durable):
    run = durable.run(Order)
    broken = '{"at":{"$":["datetime","2030-01-31T10:00:00+00:00","Mars/Olympus"]}}'
    Execution.objects.filter(pk=run.pk).update(input_text=broken)
    StepRun.objects.filter(execution=run).update(output_text=broken, error_text="{", logs_text="[")
    for words in ([], ["--json"], ["--follow"]):
        said = terminal("show", run.pk, *words)
        assert said.code == 0, words
        assert "cannot be read" in said.out


# -- following -------------------------------------------------------------------------------


@pytest.fixture
def between_looks(monkeypatch):
    """What happens between one look and the next: the functions given, one each."""
    steps = []

    def pause():
        assert steps, "it went on looking"
        steps.pop(0)()

    monkeypatch.setattr(following, "pause", pause)
    return steps


def test_following_tells_what_is_new_until_the_end(terminal, Order, durable, between_looks):
    run = Order.start({"who": "ada"})
    between_looks += [lambda: None, durable.drain]
    said = terminal("show", run.pk, "--follow")
    assert said.code == 0
    assert said.out.count("check  ") == 1
    assert said.out.count("charge  ") == 2
    assert said.out.index("order v1") < said.out.index("check  ") < said.out.index("Result")


def test_following_a_run_that_fails_ends_with_1(terminal, Order, between_looks):
    run = Order.start()
    between_looks += [lambda: durable_django.cancel(run, reason="enough")]
    said = terminal("show", run.pk, "--follow")
    assert said.code == 1
    assert "cancelled" in said.out


def test_following_for_programs_is_a_line_for_each_thing(terminal, durable, between_looks):
    run = make_claim().start({"account": "NL91ABNA"})

    def answer():
        durable_django.provide_input(run, "approval", "approved")
        durable.drain()

    between_looks += [durable.drain, answer]
    said = terminal("show", run.pk, "--follow", "--json")
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert lines[0]["type"] == "run"
    assert lines[-1]["type"] == "run"
    assert lines[-1]["status"] == "completed"
    assert next(line["path"] for line in lines if line["type"] == "attempt") == "read"
    waits = [line["status"] for line in lines if line["type"] == "wait"]
    assert waits == ["open", "completed"]
    assert "NL91" not in said.out


def test_what_a_follower_saw_running_is_told_again_when_it_ends(
    terminal, Order, durable, between_looks
):
    run = durable.run(Order)
    Execution.objects.filter(pk=run.pk).update(status="pending", finished_at=None)
    row = StepRun.objects.filter(execution=run).order_by("-id")[0]
    ended = row.finished_at
    StepRun.objects.filter(pk=row.pk).update(status="running", finished_at=None)

    def end():
        StepRun.objects.filter(pk=row.pk).update(status="completed", finished_at=ended)
        Execution.objects.filter(pk=run.pk).update(status="completed", finished_at=ended)

    between_looks += [end]
    said = terminal("show", run.pk, "--follow")
    assert said.out.count("▶ running") == 1
    assert said.out.count("✓ completed") == 3  # check, charge, and the run at its end
