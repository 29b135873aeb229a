"""`durable rerun`, `durable skip` and `durable context`: repairs of one run."""

import pytest
from django.core.exceptions import ValidationError

import durable_django as durable
from durable_django import Workflow, parallel, step
from durable_django.models import AuditEntry, Execution
from durable_django.testing import run
from tests.repairs import after, detail_of, history, make_order, rows_of


@pytest.fixture
def Order(durable):
    return make_order()


@pytest.fixture
def Secret(durable):
    class Secret(Workflow):
        class Meta:
            name = "secret"
            sensitive = ["card"]

        @step
        def begin(self):
            self.context["card"] = "4111 1111 1111"
            self.context["note"] = "4111 1111 1111 is the card"

        @step
        def charge(self):
            raise ValueError("declined")

        @classmethod
        def clean_input(cls, input):
            if "bad" in input:
                raise ValidationError({"bad": "It is bad."})
            return input

    return Secret


# -- rerun -----------------------------------------------------------------------------------


def test_a_preview_tells_what_is_kept_and_what_runs_again_and_starts_nothing(terminal, Order):
    made = run(Order)
    said = terminal("rerun", made.pk, "--from", "charge", "--dry-run", "--set", 'email="a@b"')
    assert (said.code, Execution.objects.count()) == (0, 1)
    assert said.lines[:2] == ["Kept:      validate", "Run again: charge, confirm"]
    assert '  email: "a@b"' in said.lines
    told = terminal("rerun", made.pk, "--from", "charge", "--dry-run", "--json").json
    assert told == {
        "dry_run": True,
        "asked": "charge",
        "node": "charge",
        "kept": ["validate"],
        "again": ["charge", "confirm"],
        "context": {"email": ""},
        "input": {},
    }


def test_a_run_is_run_again_from_a_node_with_other_data(terminal, Order):
    made = run(Order)
    said = terminal(
        "rerun", made.pk, "--from", "charge", "--set", 'email="a@b"', "--reason", "found",
        "--by", "ada", "--json",
    )  # fmt: skip
    assert said.code == 0
    new = durable.get_execution(said.json["execution"]["id"])
    assert new.pk != made.pk
    assert after(new).result == [{"paid": True}, "a@b"]
    assert history(new) == [("rerun", "ada", "found")]
    assert durable.get_execution(made).status == "failed"


def test_another_input_is_judged_by_the_workflow(terminal, Secret):
    made = run(Secret)
    said = terminal("rerun", made.pk, "--from", "begin", "--input", '{"bad": 1}')
    assert (said.code, "bad: It is bad." in said.err, Execution.objects.count()) == (1, True, 1)
    assert terminal("rerun", made.pk, "--from", "begin", "--input", '{"good": 1}').code == 0
    assert Execution.objects.latest("id").input == {"good": 1}


def test_a_node_inside_a_block_means_the_block(terminal, durable):
    class Forked(Workflow):
        with parallel() as both:

            @step
            def one(self):
                return 1

            @step
            def two(self):
                return 2

    made = run(Forked)
    said = terminal("rerun", made.pk, "--from", "two", "--dry-run")
    assert said.lines[0] == "two stands in both, which is run again as a whole."
    assert "Kept:      nothing" in said.lines


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ([], 2, "--from which node? It came to: validate, charge"),
        (["--from", "confirm"], 1, "charge"),
        (["--from", "charge", "--set", "email"], 2, "--set is written key=JSON"),
        (["--from", "charge", "--set", "email=ada"], 2, "--set email= is no JSON"),
        (["--from", "charge", "--set", "a=1", "--set", "a=2"], 2, "the key a twice"),
        (["--from", "charge", "--input", "{"], 2, "--input is no JSON"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_run_again(terminal, Order, words, code, told):
    made = run(Order)
    said = terminal("rerun", made.pk, *words)
    assert (said.code, told in said.err, said.out) == (code, True, "")
    assert Execution.objects.count() == 1


def test_a_run_that_has_not_ended_is_not_run_again(terminal, Order):
    made = Order.start()
    assert terminal("rerun", made.pk, "--from", "charge").code == 1
    assert terminal("rerun", made.pk).code == 1


def test_a_preview_masks_what_is_sensitive(terminal, Secret):
    made = run(Secret)
    said = terminal("rerun", made.pk, "--from", "charge", "--dry-run", is_terminal=True)
    assert "4111" not in said.out
    assert "••••••" in said.out
    assert "4111" in terminal("rerun", made.pk, "--from", "charge", "--dry-run", "--reveal").out


# -- skip ------------------------------------------------------------------------------------


def test_a_failed_node_is_skipped_with_a_value(terminal, Order):
    made = run(Order)
    words = ["--value", '{"paid": "cash"}', "--reason", "paid in cash", "--by", "ada"]
    said = terminal("skip", made.pk, *words)
    assert (said.code, said.out) == (0, f"{made.pk} take_order: goes on, pending\n")
    assert after(made).result == [{"paid": "cash"}, ""]
    assert history(made) == [("skip", "ada", "paid in cash")]


def test_one_of_several_nodes_is_skipped_by_its_path(terminal, durable):
    class Sending(Workflow):
        with parallel(on_error="collect") as both:

            @step
            def one(self):
                raise ValueError("no")

            @step
            def two(self):
                return 2

        @step
        def last(self):
            raise ValueError("no")

    made = run(Sending)
    said = terminal("skip", made.pk, "--node", "lost")
    assert (said.code, "last" in said.err) == (1, True)
    told = terminal("skip", made.pk, "--node", "last", "--json")
    assert (told.code, told.json["id"], told.json["status"]) == (0, str(made.pk), "completed")
    assert rows_of(made)[-1][:2] == ("last", "skipped")


def test_only_a_failed_run_is_skipped_in(terminal, Order):
    made = Order.start()
    assert terminal("skip", made.pk).code == 1
    assert terminal("skip", made.pk, "--value", "cash").code == 2
    assert history(made) == []


# -- context ---------------------------------------------------------------------------------


def test_the_context_of_a_run_is_shown(terminal, Order):
    made = run(Order, {"email": ""})
    said = terminal("context", made.pk)
    assert (said.code, said.out) == (0, 'email: ""\n')
    assert terminal("context", made.pk, "--json").json == {
        "id": str(made.pk),
        "workflow": "take_order",
        "version": 1,
        "status": "failed",
        "dry_run": False,
        "context": {"email": ""},
        "changes": [],
    }
    assert terminal("context", Order.start().pk).out == "The context is empty.\n"


def test_it_is_changed_and_the_difference_is_told(terminal, Order):
    made = run(Order)
    words = ["--set", 'email="a@b"', "--set", "n=1", "--reason", "forgotten", "--by", "ada"]
    said = terminal("context", made.pk, *words)
    assert said.lines == ['- email: ""', '+ email: "a@b"', "+ n: 1"]
    assert durable.get_execution(made).context == {"email": "a@b", "n": 1}
    assert history(made) == [("edit_context", "ada", "forgotten")]
    told = terminal("context", made.pk, "--remove", "n", "--json").json
    assert told["changes"] == [
        {"key": "n", "op": "removed", "had": True, "before": 1, "after": None}
    ]
    assert told["context"] == {"email": "a@b"}
    assert detail_of(made)["removed"] == ["n"]


def test_a_value_that_is_there_already_is_no_change(terminal, Order):
    made = run(Order)
    said = terminal("context", made.pk, "--set", 'email=""')
    assert said.out == "The context is so already: nothing was changed.\n"
    assert not AuditEntry.objects.exists()
    assert terminal("context", made.pk, "--set", 'email=""', "--set", "n=1").lines == ["+ n: 1"]


def test_a_dry_run_tells_the_difference_and_changes_nothing(terminal, Order):
    made = run(Order)
    said = terminal("context", made.pk, "--set", "email=null", "--dry-run")
    assert said.lines == ['- email: ""', "+ email: null", "Nothing was changed."]
    assert durable.get_execution(made).context == {"email": ""}


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--set", "email"], 2, "--set is written key=JSON"),
        (["--set", "email=ada"], 2, "a text stands in quotes"),
        (["--remove", "lost"], 1, "there is no such key (there are email)"),
        (["--remove", "email", "--set", "email=1"], 2, "to be set, and to be removed"),
        (["--set", "n=@/nowhere.json"], 2, "cannot be read"),
        (["--set", 'email="••••••"'], 2, "give the value"),
    ],
)
def test_what_is_wrong_is_named_and_changes_nothing(terminal, Order, words, code, told):
    made = run(Order)
    said = terminal("context", made.pk, *words)
    assert (said.code, told in said.err, said.out) == (code, True, "")
    assert durable.get_execution(made).context == {"email": ""}
    assert not AuditEntry.objects.exists()


def test_a_run_that_is_over_keeps_its_context(terminal, Order):
    made = run(Order, {"email": "a@b"})
    said = terminal("context", made.pk, "--set", "email=null", "--dry-run")
    assert (said.code, "it is completed" in said.err) == (1, True)


def test_what_is_sensitive_stays_masked_in_differences_too(terminal, Secret):
    made = run(Secret)
    assert terminal("context", made.pk).lines == ["card: ••••••", 'note: "•••••• is the card"']
    said = terminal("context", made.pk, "--set", 'card="5500 0000 0000"')
    assert said.lines == ["- card: ••••••", "+ card: ••••••"]
    assert terminal("context", made.pk, "--json").json["context"]["card"] == "••••••"
    assert "5500" in terminal("context", made.pk, "--reveal").out


def test_a_key_cannot_write_to_the_terminal(terminal):
    class Hostile(Workflow):
        @step
        def only(self):
            raise ValueError("no")

    made = run(Hostile)
    durable.edit_context(made, {"red\x1b[31m": "\x1b[2J"})
    said = terminal("context", made.pk)
    assert "\x1b" not in said.out
    assert "red\\u001b[31m" in said.out
