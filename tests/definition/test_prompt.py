"""Prompts: what is filled in, and all that is refused."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_django.definition.prompt import check_prompt, format_prompt

CONTEXT = {"amount": 12.5, "name": "Anna", "due": date(2030, 1, 31), "items": ["a"], "two words": 2}


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("", ""),
        ("Approve?", "Approve?"),
        ("Approve {amount}?", "Approve 12.5?"),
        ("Approve {amount:.2f} for {name}?", "Approve 12.50 for Anna?"),
        ("{name:>6}|{name:*<6}", "  Anna|Anna**"),
        ("Until {due:%d.%m.%Y}", "Until 31.01.2030"),
        ("{{amount}} is {amount}", "{amount} is 12.5"),
        ("{items}", "['a']"),
        ("{two words}", "2"),
    ],
)
def test_keys_are_filled_in(template, said):
    check_prompt(template)
    assert format_prompt(template, CONTEXT) == said


def test_a_value_is_not_formatted_itself():
    assert format_prompt("For {name}", {"name": "{secret}", "secret": "x"}) == "For {secret}"


def test_a_missing_key_says_which_and_what_there_is():
    with pytest.raises(KeyError) as caught:
        format_prompt("Approve {amonut}?", {"name": "Anna", "amount": 1})
    assert caught.value.args == ("prompt: the context has no 'amonut' (it has amount, name)",)


def test_a_missing_key_of_an_empty_context_says_so():
    with pytest.raises(KeyError, match="nothing yet"):
        format_prompt("{amount}", {})


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{order.total}", "{order.total} is no plain context key: no attributes and no indexes"),
        ("{name.__class__}", "no attributes"),
        ("{order[total]}", "no attributes and no indexes"),
        ("{items[0]:>3}", "no attributes and no indexes"),
        ("{}", "{} is no context key"),
        ("{:.2f}", "{:.2f} is no context key"),
        ("{0}", "{0} is no context key"),
        ("{name!r}", "{name!r} converts its value"),
        ("{name!s:>9}", "{name!s:>9} converts its value"),
        ("{amount:{width}}", "the format in {amount:{width}} holds another key"),
        ("{amount:>1000}", "is wider than any prompt"),
        ("{amount:.99999f}", "is wider than any prompt"),
        ("{amount", "a brace that is meant is written twice, {{"),
        ("amount}", "a brace that is meant is written twice"),
        ("{amount!x}", "converts its value"),
        ("{amount!}", "prompt: "),
    ],
)
def test_all_else_in_braces_is_refused_whatever_the_context(template, words):
    for refused in (check_prompt, lambda text: format_prompt(text, CONTEXT)):
        with pytest.raises(ValueError, match=r"^prompt: ") as caught:
            refused(template)
        assert words in str(caught.value)


@pytest.mark.parametrize("value", ["abc", None, [1], Decimal(1)])
def test_a_format_that_does_not_fit_says_so(value):
    with pytest.raises(ValueError, match=r"prompt: \{amount:%Q\?d\} does not fit"):
        format_prompt("{amount:%Q?d}", {"amount": value})


@given(st.text(alphabet="{}.[]!:0a<%é "))
def test_a_template_that_was_checked_lacks_nothing_but_its_keys(template):
    try:
        check_prompt(template)
    except ValueError:
        with pytest.raises(ValueError, match=r"^prompt: "):
            format_prompt(template, Anything())
    else:
        format_prompt(template, Anything())


class Anything(dict):
    """A context that has every key, each with a value that takes every format."""

    def __missing__(self, key):
        return self

    def __format__(self, spec):
        return ""


@given(st.text())
def test_doubled_braces_say_any_text(text):
    assert format_prompt(text.replace("{", "{{").replace("}", "}}"), {}) == text
