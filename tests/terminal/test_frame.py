"""The frame of the terminal: options, exit codes, errors, colours, widths."""

import io
import json
import os

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import OperationalError

from durable_django.exceptions import InvalidState, WorkflowNotFound
from durable_django.terminal import COMMANDS
from durable_django.terminal.command import Refused
from durable_django.terminal.listing import List
from durable_django.terminal.screen import Column, Terminal

from .saying import Screen
from .workflows import make_order


@pytest.fixture
def Order(durable):
    return make_order()


def raising(monkeypatch, error):
    def run(self, terminal, options):
        raise error

    monkeypatch.setattr(List, "run", run)


def test_every_command_tells_its_options_and_examples(terminal):
    for command in COMMANDS:
        said = terminal(command.name, "--help")
        assert said.code == 0
        assert "examples:\nmanage.py durable " + command.name in said.out
        assert "--json" in said.out


def test_the_name_of_a_command_is_its_own():
    names = [command.name for command in COMMANDS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("words", [(), ("lits",), ("list", "--nonsense"), ("list", "--limit", "0")])
def test_wrong_usage_ends_with_2(terminal, words):
    said = terminal(*words)
    assert said.code == 2
    assert "usage:" in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Refused("no"), 1),
        (Refused("no", 4), 4),
        (InvalidState("no"), 1),
        (WorkflowNotFound("no"), 3),
        (ValidationError("no"), 1),
        (OperationalError("no"), 1),
    ],
)
def test_an_error_is_a_line_and_a_code(terminal, monkeypatch, error, code):
    raising(monkeypatch, error)
    said = terminal("list")
    assert (said.code, said.out) == (code, "")
    assert said.err in ("error: no\n", "error: the database says: no\n")
    as_json = terminal("list", "--json")
    assert as_json.code == code
    assert json.loads(as_json.err)["error"].endswith("no")


def test_a_traceback_is_shown_to_who_asks_for_it(terminal, monkeypatch):
    raising(monkeypatch, InvalidState("no"))
    with pytest.raises(InvalidState):
        terminal("list", "--traceback")


def test_what_goes_wrong_may_be_hostile(terminal, monkeypatch):
    raising(monkeypatch, InvalidState("\x1b[2Jgone"))
    assert terminal("list", is_terminal=True).err.count("\x1b[2J") == 0


def test_ctrl_c_ends_with_130_and_says_nothing(terminal, monkeypatch):
    raising(monkeypatch, KeyboardInterrupt())
    said = terminal("list")
    assert (said.code, said.out, said.err) == (130, "", "")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["lits"], "invalid choice: 'lits'"),
        (["list", "--nonsense"], "unrecognized arguments: --nonsense"),
        (["list", "--limit", "0"], "argument --limit: must be at least 1, not 0"),
        (["list", "--limit", "9" * 20], "argument --limit: must be at most 1000000000"),
        (["list", "--limit", "9" * 5_000], "is no whole number"),
        (["list", "--tag"], "argument --tag: expected one argument"),
        (["prune"], "the following arguments are required: --older-than"),
        (["queues", "show", "default"], "invalid choice: 'show'"),
    ],
)
def test_wrong_usage_is_a_document_for_programs(terminal, words, told):
    said = terminal(*words, "--json")
    assert (said.code, said.out) == (2, "")
    assert told in json.loads(said.err)["error"]
    to_people = terminal(*words)
    assert (to_people.code, told in to_people.err.replace("\n", " ")) == (2, True)
    assert to_people.err.startswith("usage:")


@pytest.mark.parametrize("option", ["--workflow", "--queue", "--tag"])
def test_bytes_that_are_no_text_are_wrong_usage(terminal, option):
    typed = os.fsdecode(b"caf\xe9")
    said = terminal("list", option, typed)
    assert (said.code, said.err) == (2, "error: an argument is no UTF-8: caf\\udce9\n")
    assert json.loads(terminal("list", option, typed, "--json").err)["error"]


def test_json_is_what_argparse_takes_for_it(terminal):
    assert json.loads(terminal("list", "--limit", "0", "--js").err)
    assert terminal("list", "--limit", "0", "--", "--json").err.startswith("usage:")


def test_code_that_calls_the_command_wrongly_is_told_so():
    with pytest.raises(CommandError, match="must be at least 1"):
        call_command("durable", "list", "--limit", "0", "--json")


def test_code_that_calls_the_command_reads_its_output(db, capsys):
    call_command("durable", "list")
    assert capsys.readouterr().out == "No runs.\n"


# -- colours and widths ----------------------------------------------------------------------


def test_colours_are_for_terminals(terminal, Order, durable):
    durable.run(Order)
    assert "\x1b[32m" in terminal("list", is_terminal=True).out
    assert "\x1b[" not in terminal("list").out
    assert "\x1b[" not in terminal("list", "--no-color", is_terminal=True).out
    assert "\x1b[" not in terminal("--no-color", "list", is_terminal=True).out
    assert "\x1b[32m" in terminal("list", "--force-color").out


def test_no_color_is_honoured(terminal, Order, durable, monkeypatch):
    durable.run(Order)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in terminal("list", is_terminal=True).out


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_a_table_is_never_wider_than_the_terminal(terminal, Order, durable, width):
    durable.run(Order, {"who": "x" * 300})
    said = terminal(
        "list",
        width=width,
        is_terminal=True,
    )
    plain = terminal("list", width=width)
    assert max(map(len, plain.lines)) <= width
    assert said.code == 0


def test_an_id_is_never_cut_and_less_important_columns_go_first(terminal, Order):
    run = Order.start(queue="default", tags=["vip"])
    narrow, wide = terminal("list", width=80), terminal("list", width=200)
    assert str(run.pk) in narrow.out
    assert "STATUS" in narrow.out
    assert "QUEUE" not in narrow.out
    assert "QUEUE" in wide.out


def test_a_pipe_is_not_cut():
    out = Screen(is_terminal=False)
    Terminal(out, out).table([Column("A"), Column("B")], [("x" * 300, "y" * 300)])
    assert "x" * 300 in out.getvalue()
    assert "y" * 300 in out.getvalue()


def test_markup_in_data_is_text():
    out = Screen(is_terminal=False)
    screen = Terminal(out, out)
    screen.say("[bold]7[/bold] :smile: [link=http://x]")
    screen.table([Column("[red]A")], [("[bold]b[/]",)])
    assert out.getvalue().splitlines()[0] == "[bold]7[/bold] :smile: [link=http://x]"
    assert "[bold]b[/]" in out.getvalue()


def test_a_terminal_that_speaks_ascii_gets_signs_it_knows(terminal, Order, durable):
    durable.run(Order, {"who": "Zoë"})
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    call_command("durable", "list", "--status", "completed", stdout=stream)
    call_command("durable", "show", "0", stdout=stream)
    said = stream.buffer.getvalue().decode("ascii")
    assert "+ completed" in said
    assert "Zo\\xeb" in said
