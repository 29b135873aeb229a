"""`durable input`: what people are asked, and what they answer, in a terminal."""

from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model

import durable_django as durable
from durable_django import (
    Workflow,
    foreach,
    parallel,
    step,
    wait_for_approval,
    wait_for_choice,
    wait_for_form,
    wait_for_input,
    wait_for_text,
)
from durable_django.testing import drain, run


@pytest.fixture
def Expense(durable):
    class Expense(Workflow):
        class Meta:
            name = "expense"
            sensitive = ["card"]

        @step
        def begin(self):
            self.context["amount"] = 12
            self.context["card"] = "4111 1111 1111"

        manager = wait_for_approval(prompt="Approve {amount} on {card}?", assignee="user:ada")
        details = wait_for_form(
            prompt="How?",
            fields=[
                {"name": "total", "type": "decimal", "min": 0},
                {"name": "card", "type": "text", "required": False},
                {"name": "size", "type": "choice", "choices": ["s", "l"]},
            ],
        )

        @step
        def told(self):
            answer = self.answers["manager"]
            return [answer.value, answer.by, answer.comment, self.outputs["details"]]

    return Expense


@pytest.fixture
def Asks(durable):
    """Asks for a text, a choice, and for anything."""

    class Asks(Workflow):
        class Meta:
            name = "asks"

        with parallel() as asked:
            text = wait_for_text(prompt="Say")
            choice = wait_for_choice(choices={1: "One", "1": "Uno", "two": "Two"})
            anything = wait_for_input()

    return Asks


@pytest.fixture
def isolated(durable):
    """The test kit, under a name that hides nothing."""
    return durable


def result(made):
    drain()
    return durable.get_execution(made).result


def test_what_a_run_asks_is_shown(terminal, Expense):
    made = run(Expense)
    said = terminal("input", made.pk)
    assert (said.code, said.lines) == (
        0,
        ["manager: Approve 12 on ••••••?", "  for the user ada", "  approved or rejected"],
    )
    (asked,) = terminal("input", made.pk, "manager", "--json").json["inputs"]
    assert list(asked) == [
        "id", "name", "node", "index", "form", "prompt", "fields", "choices", "assignee_kind",
        "assignee", "created_at", "due_at",
    ]  # fmt: skip
    assert (asked["form"], asked["prompt"]) == ("approval", "Approve 12 on ••••••?")
    assert "4111" in terminal("input", made.pk, "--reveal").out


def test_a_plain_word_approves(terminal, Expense):
    made = run(Expense)
    said = terminal("input", made.pk, "manager", "approved", "--comment", "fine", "--by", "root")
    assert (said.code, said.out) == (0, f'Gave expense {made.pk} manager: "approved"\n')
    drain()
    said = terminal("input", made.pk)
    assert "  a mapping of these fields:" in said.lines
    assert "    total: decimal, min 0" in said.lines
    assert "    card: text, may be left out" in said.lines
    assert '    size: choice, one of "s", "l"' in said.lines
    told = terminal(
        "input",
        made.pk,
        "details",
        '{"total": "12.50", "size": "s", "card": "5500 0000"}',
        "--json",
    ).json
    assert told["value"]["card"] == "••••••"
    form = {"total": Decimal("12.50"), "card": "5500 0000", "size": "s"}
    assert result(made) == ["approved", "root", "fine", form]


def test_a_wrong_answer_is_told_with_what_is_asked_and_the_run_goes_on_waiting(terminal, Expense):
    made = run(Expense)
    said = terminal("input", made.pk, "manager", "perhaps")
    assert (said.code, said.out) == (1, "")
    assert "manager does not take this" in said.err
    assert "  approved or rejected" in said.err
    terminal("input", made.pk, "manager", "true")
    drain()
    said = terminal("input", made.pk, "details", '{"total": -1, "siz": "s"}')
    assert said.code == 1
    assert "total: " in said.err
    assert "siz: There is no field of this name" in said.err
    assert 'size: choice, one of "s", "l"' in said.err
    assert durable.get_execution(made).status == "waiting"


def test_as_a_user_only_what_that_user_may_answer_is_taken(terminal, Expense):
    users = get_user_model()
    users.objects.create_user("bob")
    users.objects.create_user("ada")
    made = run(Expense)
    said = terminal("input", made.pk, "manager", "approved", "--as", "bob")
    assert (said.code, "bob may not answer" in said.err) == (1, True)
    assert terminal("input", made.pk, "manager", "approved", "--as", "eve").code == 3
    assert terminal("input", made.pk, "manager", "approved", "--as", "ada").code == 0
    drain()
    assert durable.get_execution(made).waits.get(name="manager").answered_by == "ada"


@pytest.mark.parametrize(
    ("name", "given", "taken"),
    [
        ("text", "hello", "hello"),
        ("text", "42", "42"),
        ("text", '"quoted"', "quoted"),
        ("choice", "1", 1),
        ("choice", '"1"', "1"),
        ("choice", "two", "two"),
        ("anything", "[1, 2]", [1, 2]),
        ("anything", "null", None),
        ("anything", "yes", "yes"),
    ],
)
def test_a_value_is_the_json_it_is_or_else_the_text_it_is(terminal, Asks, name, given, taken):
    made = run(Asks)
    assert terminal("input", made.pk, name, given).code == 0
    drain()
    assert made.waits.get(name=name).value == taken
    assert type(made.waits.get(name=name).value) is type(taken)


def test_what_only_begins_like_json_is_no_text(terminal, Asks):
    made = run(Asks)
    said = terminal("input", made.pk, "anything", '{"amount": 3')
    assert (said.code, "is no JSON" in said.err) == (2, True)


def test_the_choices_are_told_where_none_of_them_was_given(terminal, Asks):
    made = run(Asks)
    said = terminal("input", made.pk, "choice", "m")
    assert (said.code, '  one of: 1, "1", "two"' in said.err) == (1, True)


def test_of_several_members_one_is_answered_by_its_index(terminal, isolated):
    class Each(Workflow):
        with foreach(lambda self: ["a", "b"]) as all_of_them:
            asked = wait_for_text(prompt="Say")

    made = run(Each)
    assert "asked of item 1: Say" in terminal("input", made.pk).lines
    assert terminal("input", made.pk, "asked", "second", "--index", "1").code == 0
    said = terminal("input", made.pk, "asked", "third", "--index", "2")
    assert (said.code, "asked of item 2" in said.err) == (1, True)
    terminal("input", made.pk, "asked", "first")
    drain()
    assert durable.get_execution(made).outputs["all_of_them"][:] == ["first", "second"]


def test_a_name_that_is_not_waited_for_is_told_with_those_that_are(terminal, Expense):
    made = run(Expense)
    said = terminal("input", made.pk, "manger", "approved")
    assert said.code == 1
    assert 'did you mean "manager"?; it waits for: manager' in said.err


def test_a_run_that_waits_for_nothing_says_so(terminal, Expense):
    made = Expense.start()
    said = terminal("input", made.pk)
    assert said.out == f"expense {made.pk} waits for no input: it is pending.\n"
    assert terminal("input", made.pk, "manager", "approved").code == 1
