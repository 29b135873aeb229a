"""`durable start`: a run from the terminal, and what is refused before one is made."""

import io
import json

import pytest
from django.core.exceptions import ValidationError

import durable_django as durable
from durable_django import Workflow, minutes, step
from durable_django.models import AuditEntry, Execution
from durable_django.terminal import following, waiting
from durable_django.testing import drain


@pytest.fixture
def Order(durable):
    class Order(Workflow):
        class Meta:
            name = "take_order"
            queue = "orders"
            sensitive = ["card"]

        @classmethod
        def clean_input(cls, input):
            if input.get("total") == 13:
                raise KeyError("unlucky")
            if input.get("total", 0) < 0:
                raise ValidationError({"total": "It is less than nothing."})
            return input

        @step
        def charge(self):
            if self.input.get("declined"):
                raise ValueError("declined")
            return self.input

    return Order


@pytest.fixture
def driven(monkeypatch):
    """Whoever waits drives what there is."""
    monkeypatch.setattr(waiting.time, "sleep", lambda seconds: drain())
    monkeypatch.setattr(following, "pause", drain)


def test_a_run_is_started_with_what_is_given(terminal, Order):
    said = terminal(
        "start", "take_order", "--input", '{"total": 3}', "--queue", "slow", "--priority", "-2",
        "--timeout", "1h 30m", "--tag", "vip", "--tag", "customer=42", "--by", "ada",
    )  # fmt: skip
    (run,) = Execution.objects.all()
    assert said.code == 0
    assert said.out == f"Started take_order {run.pk}: pending\n"
    assert (run.input, run.queue, run.priority) == ({"total": 3}, "slow", -2)
    assert run.timeout_at - run.created_at == minutes(90)
    assert run.tags == {"vip": True, "customer": "42"}
    assert [(each.verb, each.by) for each in AuditEntry.objects.all()] == [("start", "ada")]


def test_without_options_a_run_is_what_the_workflow_says(terminal, Order):
    said = terminal("start", "take_order", "--json")
    run = Execution.objects.get()
    assert (run.input, run.queue, run.timeout_at, run.tags) == ({}, "orders", None, [])
    told = said.json
    assert list(told) == [
        "id", "workflow", "version", "status", "queue", "priority", "tags", "idempotency_key",
        "parent", "reason", "created_at", "scheduled_at", "started_at", "paused_at", "finished_at",
        "input", "result", "error", "created",
    ]  # fmt: skip
    assert told["id"] == str(run.pk)
    assert (told["workflow"], told["status"], told["created"]) == (
        "take_order", "pending", True,
    )  # fmt: skip


def test_the_input_may_stand_in_a_file_or_be_piped_in(terminal, Order, tmp_path, monkeypatch):
    file = tmp_path / "order.json"
    file.write_text('\ufeff{"total": 5}', encoding="utf-8")
    terminal("start", "take_order", "--input", f"@{file}")
    piped = io.TextIOWrapper(io.BytesIO('{"name": "Zoë"}'.encode()))
    monkeypatch.setattr("sys.stdin", piped)
    terminal("start", "take_order", "--input", "-")
    assert [run.input for run in Execution.objects.order_by("id")] == [
        {"total": 5},
        {"name": "Zoë"},
    ]


def test_a_key_that_was_used_starts_nothing(terminal, Order):
    first = terminal("start", "take_order", "--key", "order-7", "--json")
    again = terminal("start", "take_order", "--key", "order-7", "--json")
    assert (first.json["created"], again.json["created"]) == (True, False)
    assert first.json["id"] == again.json["id"]
    said = terminal("start", "take_order", "--key", "order-7")
    assert "was started with this key before" in said.out
    assert Execution.objects.count() == 1


def test_a_run_may_be_started_for_later_in_the_zone_of_the_terminal(terminal, Order, monkeypatch):
    monkeypatch.setattr("durable_django.terminal.zone._tz_at_start", lambda: "Asia/Kathmandu")
    terminal("start", "take_order", "--at", "2040-01-31T09:00")
    terminal("start", "take_order", "--at", "2040-01-31T09:00Z")
    runs = Execution.objects.order_by("id")
    assert [f"{run.scheduled_at:%H:%M}" for run in runs] == ["03:15", "09:00"]
    assert {run.status for run in runs} == {"scheduled"}


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["take_ordr"], 3, 'no workflow is called "take_ordr"; did you mean "take_order"?'),
        (["take_order", "--input", "{"], 2, "--input is no JSON"),
        (["take_order", "--input", "{\n  1}"], 2, "line 2, column 3"),
        (["take_order", "--input", "NaN"], 2, "--input"),
        (["take_order", "--input", "[" * 5000], 2, "--input"),
        (["take_order", "--input", '{"$": ["zone"]}'], 2, "--input cannot be read"),
        (["take_order", "--input", "@/nowhere/order.json"], 2, "cannot be read: No such file"),
        (["take_order", "--input", '{"total": -1}'], 1, "total: It is less than nothing."),
        (["take_order", "--input", '{"total": 13}'], 1, "KeyError: 'unlucky'"),
        (["take_order", "--at", "tomorrow"], 2, "--at is a time such as"),
        (["take_order", "--timeout", "long"], 2, "--timeout is written like"),
        (["take_order", "--priority", "70000"], 2, "priority"),
        (["take_order", "--queue", ""], 2, "queue"),
        (["take_order", "--queue", "  "], 2, "queue"),
        (["take_order", "--tag", ""], 2, "tags must be non-empty"),
        (["take_order", "--tag", "$=1"], 2, "tags"),
        (["take_order", "--timeout", "0"], 2, "timeout is 0"),
        (["take_order", "--key", "k" * 300], 2, "idempotency_key"),
        (["take_order", "--key", ""], 2, "idempotency_key"),
    ],
)
def test_what_is_wrong_is_named_and_starts_nothing(terminal, Order, words, code, told):
    said = terminal("start", *words)
    assert (said.code, said.out) == (code, "")
    assert told in said.err.replace("\n", " ") or told in said.err
    assert "Traceback" not in said.err
    assert not Execution.objects.exists()
    assert terminal("start", *words, "--json").out == ""


def test_an_input_over_the_limit_is_refused(terminal, Order, settings):
    settings.DURABLE = {**settings.DURABLE, "MAX_PAYLOAD_BYTES": 100}
    said = terminal("start", "take_order", "--input", json.dumps({"name": "x" * 100}))
    assert (said.code, "are more than the 100 allowed" in said.err) == (2, True)


def test_a_queue_that_is_not_there_is_not_found(terminal, Order, settings):
    settings.DURABLE = {**settings.DURABLE, "QUEUES": {"orders": {}}}
    said = terminal("start", "take_order", "--queue", "ordres")
    assert (said.code, 'did you mean "orders"?' in said.err) == (3, True)


def test_where_stdin_is_closed_nothing_is_piped_in(terminal, Order, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    said = terminal("start", "take_order", "--input", "-")
    assert said.code == 2
    assert said.err == "error: --input -: nothing is piped in, stdin is closed\n"
    assert terminal("start-many", "take_order", "-").code == 2


def test_what_is_piped_in_and_cannot_be_read_is_told(terminal, Order, monkeypatch):
    class Broken(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, into):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(Broken())))
    said = terminal("start", "take_order", "--input", "-")
    assert (said.code, "cannot be read: Input/output error" in said.err) == (2, True)


def test_an_error_is_one_document_for_programs(terminal, Order):
    said = terminal("start", "take_order", "--input", "{", "--json")
    assert "--input is no JSON" in json.loads(said.err)["error"]


@pytest.mark.parametrize(
    ("input", "code", "word"), [({}, 0, "completed"), ({"declined": 1}, 1, "failed")]
)
def test_waiting_tells_how_it_ended(terminal, Order, driven, input, code, word):
    said = terminal("start", "take_order", "--input", json.dumps(input), "--wait")
    assert said.code == code
    assert f"It is ✓ {word}" in said.out or f"It is ✗ {word}" in said.out
    told = terminal("start", "take_order", "--input", json.dumps(input), "--wait", "--json")
    assert (told.code, told.json["status"]) == (code, word)


def test_a_run_may_be_followed_from_its_start(terminal, Order, driven):
    said = terminal("start", "take_order", "--follow")
    assert (said.code, "charge" in said.out) == (0, True)
    assert terminal("start", "take_order", "--input", '{"declined": 1}', "--follow").code == 1
    lines = terminal("start", "take_order", "--follow", "--json").lines
    assert {json.loads(line)["type"] for line in lines} == {"run", "attempt", "history"}
    assert terminal("start", "take_order", "--follow", "--wait").code == 2


def test_whoever_stops_waiting_leaves_the_run_alone(terminal, Order, monkeypatch):
    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(waiting.time, "sleep", interrupt)
    said = terminal("start", "take_order", "--wait", "--json")
    run = durable.get_execution(Execution.objects.get())
    assert (said.code, said.out, said.err) == (130, "", f"{run.pk} goes on\n")
    assert run.status == "pending"


def test_what_is_sensitive_stays_masked_unless_it_is_asked_for(terminal, Order, driven):
    words = ["start", "take_order", "--wait", "--json", "--input"]
    given = '{"card": "4111 1111", "due": {"$": ["date", "2030-01-31"]}}'
    told = terminal(*words, given).json
    assert told["input"] == {"card": "••••••", "due": {"$": ["date", "2030-01-31"]}}
    assert told["result"]["card"] == "••••••"
    assert terminal(*words, given, "--reveal").json["input"]["card"] == "4111 1111"
