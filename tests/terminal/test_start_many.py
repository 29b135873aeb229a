"""`durable start-many`: a run for each line, all of them judged before the first is started."""

import io
import json
import os
import threading

import pytest
from django.core.exceptions import ValidationError

from durable_django import Workflow, api, step
from durable_django.models import AuditEntry, Execution
from durable_django.terminal import start_many


@pytest.fixture
def Order(durable):
    class Order(Workflow):
        class Meta:
            name = "take_order"

        @classmethod
        def clean_input(cls, input):
            if input.get("total") == 13:
                raise KeyError("unlucky")
            if input.get("total", 0) < 0:
                raise ValidationError({"total": "It is less than nothing."})
            return input

        @step
        def charge(self):
            return self.input

    return Order


@pytest.fixture
def write(tmp_path):
    def write(*lines):
        file = tmp_path / "orders.jsonl"
        file.write_bytes(
            b"\n".join(line.encode() if isinstance(line, str) else line for line in lines)
        )
        return f"@{file}"

    return write


def totals():
    return [run.input["total"] for run in Execution.objects.order_by("id")]


def test_each_line_that_holds_something_becomes_a_run(terminal, Order, write):
    lines = write('\ufeff{"total": 1}', "", "  ", '{"total": 2}\r', '{"total": 3}')
    said = terminal("start-many", "take_order", lines, "--tag", "import", "--queue", "slow")
    assert (said.code, said.out, said.err) == (0, "Started 3 runs of take_order.\n", "")
    assert totals() == [1, 2, 3]
    assert {(run.queue, tuple(run.tags)) for run in Execution.objects.all()} == {
        ("slow", ("import",))
    }


def test_each_run_says_who_started_it(terminal, Order, write):
    lines = write('{"total": 1}', '{"total": 2}')
    terminal("start-many", "take_order", lines, "--by", "ada")
    entries = AuditEntry.objects.order_by("id").values_list("execution_id", "verb", "by")
    runs = Execution.objects.order_by("id").values_list("id", flat=True)
    assert list(entries) == [(pk, "start", "ada") for pk in runs]


def test_lines_may_be_piped_in(terminal, Order, monkeypatch):
    piped = io.TextIOWrapper(io.BytesIO(b'{"total": 1}\n{"total": 2}\n'))
    monkeypatch.setattr("sys.stdin", piped)
    assert terminal("start-many", "take_order", "-").code == 0
    assert totals() == [1, 2]


def test_a_file_may_be_a_pipe(terminal, Order, tmp_path):
    pipe = tmp_path / "orders"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=('{"total": 1}\n{"total": 2}\n',))
    writer.start()
    assert terminal("start-many", "take_order", f"@{pipe}").code == 0
    writer.join()
    assert totals() == [1, 2]


def test_they_are_started_in_batches_each_in_a_transaction_of_its_own(
    terminal, Order, write, monkeypatch
):
    monkeypatch.setattr(start_many, "BATCH", 2)
    batches = []
    monkeypatch.setattr(
        start_many.api, "start_many", lambda cls, inputs, **given: batches.append(len(inputs))
    )
    lines = write(*(json.dumps({"total": n}) for n in range(5)))
    said = terminal("start-many", "take_order", lines, "--json")
    assert batches == [2, 2, 1]
    assert said.json == {
        "workflow": "take_order",
        "version": 1,
        "dry_run": False,
        "lines": 5,
        "started": 5,
        "refused": [],
    }


def test_one_bad_line_among_many_starts_nothing_and_is_named(terminal, Order, write):
    lines = write('{"total": 1}', "{", '{"total": -1}', b'{"name": "\xff"}', '{"n": NaN}')
    said = terminal("start-many", "take_order", lines)
    assert (said.code, Execution.objects.count()) == (1, 0)
    assert said.out == "4 of 5 lines are refused. Nothing was started.\n"
    told = said.err.splitlines()
    assert [line.split(":")[0] for line in told] == ["line 2", "line 3", "line 4", "line 5"]
    assert "is no JSON" in told[0]
    assert "total: It is less than nothing." in told[1]
    assert "no UTF-8: byte 11" in told[2]
    assert "NaN" in told[3] or "nan" in told[3]


def test_a_dry_run_judges_every_line_and_starts_nothing(terminal, Order, write):
    good = write('{"total": 1}', '{"total": 2}')
    said = terminal("start-many", "take_order", good, "--dry-run")
    assert (said.code, said.out) == (0, "All 2 lines are good. Nothing was started.\n")
    told = terminal("start-many", "take_order", write('{"total": 13}', "x"), "--dry-run", "--json")
    assert (told.code, told.json["lines"], told.json["dry_run"]) == (1, 2, True)
    assert [line["line"] for line in told.json["refused"]] == [1, 2]
    assert told.json["refused"][0]["error"] == "KeyError: 'unlucky'"
    assert not Execution.objects.exists()


def test_of_many_bad_lines_some_are_told_and_how_many_more(terminal, Order, write):
    said = terminal("start-many", "take_order", write(*["{"] * 25))
    assert len(said.err.splitlines()) == 21
    assert said.err.splitlines()[-1] == "and 5 more"


def test_what_was_started_before_is_left_out(terminal, Order, write):
    lines = write(*(json.dumps({"total": n}) for n in range(1, 6)))
    terminal("start-many", "take_order", lines, "--from-line", "4")
    assert totals() == [4, 5]


def test_where_a_batch_fails_it_says_how_to_go_on(terminal, Order, write, monkeypatch):
    real = api.start_many

    def start(cls, inputs, **given):
        if {"total": 2} in inputs:
            raise durable_error
        return real(cls, inputs, **given)

    durable_error = ValidationError("The shop has closed.")
    monkeypatch.setattr(start_many, "BATCH", 2)
    monkeypatch.setattr(start_many.api, "start_many", start)
    said = terminal("start-many", "take_order", write(*(f'{{"total": {n}}}' for n in range(4))))
    assert said.code == 1
    assert "lines 3 to 4 were not started: The shop has closed." in said.err
    assert "2 were started before; go on with --from-line 3" in said.err
    assert totals() == [0, 1]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["nobody", "@x"], 3, "no workflow is called"),
        (["take_order", "orders.jsonl"], 2, "written @orders.jsonl"),
        (["take_order", "@/nowhere.jsonl"], 2, "cannot be read"),
        (["take_order", "@/", "--from-line", "0"], 2, "must be at least 1"),
        (["take_order", "-", "--priority", "70000"], 2, "priority"),
    ],
)
def test_what_is_wrong_is_named(terminal, Order, words, code, told, capsys):
    said = terminal("start-many", *words)
    assert (said.code, told in said.err + capsys.readouterr().err) == (code, True)


def test_a_bar_is_shown_on_a_terminal_only(terminal, Order, write):
    lines = write('{"total": 1}')
    assert "starting" in terminal("start-many", "take_order", lines, is_terminal=True).err
    assert terminal("start-many", "take_order", lines).err == ""
