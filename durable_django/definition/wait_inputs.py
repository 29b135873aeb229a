"""The functions that make waits for people in a class body: input, approval, choice, text, form.

What a person is asked, who that is, and until when. Making a form of it and judging what they give
is not done here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from durable_django.definition.durations import Duration
from durable_django.definition.requests import NO_VALUE
from durable_django.definition.wait_nodes import InputWait, OrAsked

Fields: TypeAlias = Mapping[str, Any] | Sequence[Mapping[str, Any]]
Choices: TypeAlias = Sequence[Any] | Mapping[Any, str]


def wait_for_input(
    name: str | None = None,
    *,
    prompt: OrAsked[str] = "",
    fields: Fields | None = None,
    assignee: OrAsked[Any] = None,
    timeout: OrAsked[Duration | None] = None,
    timeout_value: Any = NO_VALUE,
) -> InputWait:
    """A node that waits for what a person gives; that is its output.

    `name`: which request this is, the node's own by default. `prompt`: what the person is asked; a
    string is formatted with keys of the context (``"Approve {amount:.2f}?"``), what a callable
    gives is not. `fields`: of the form, a mapping of names to a type or to options (see
    `wait_for_form`); without them, one text. `assignee`: who may answer, a user, a group or a
    permission (a User or Group, ``"user:anna"``, ``"group:Managers"``, ``"shop.approve"``); None:
    whoever may answer at all. `timeout` and `timeout_value` as for `wait_for_event`.

    Example::

        address = wait_for_input(prompt="Where does {name} live?", assignee="group:Office")
    """
    given = {
        "prompt": prompt,
        "fields": fields,
        "assignee": assignee,
        "timeout": timeout,
        "timeout_value": timeout_value,
    }
    return InputWait("wait_for_input", name, given)


def wait_for_approval(
    name: str | None = None,
    *,
    prompt: OrAsked[str] = "",
    assignee: OrAsked[Any] = None,
    timeout: OrAsked[Duration | None] = None,
    timeout_value: Any = NO_VALUE,
) -> InputWait:
    """A node that waits for a person's yes or no; its output is "approved" or "rejected".

    Arguments as for `wait_for_input`.

    Example::

        approval = wait_for_approval(
            prompt="Approve {amount}?", timeout=days(3), timeout_value="rejected"
        )
    """
    given = {
        "prompt": prompt,
        "assignee": assignee,
        "timeout": timeout,
        "timeout_value": timeout_value,
    }
    return InputWait("wait_for_approval", name, given)


def wait_for_choice(
    name: str | None = None,
    *,
    choices: OrAsked[Choices],
    prompt: OrAsked[str] = "",
    assignee: OrAsked[Any] = None,
    timeout: OrAsked[Duration | None] = None,
    timeout_value: Any = NO_VALUE,
) -> InputWait:
    """A node that waits for a person to choose; its output is the value chosen.

    `choices`: a sequence of values or of (value, label) pairs, or a mapping of values to labels;
    the values are strings, numbers, True, False or None. The rest as for `wait_for_input`.

    Example::

        size = wait_for_choice(prompt="Which size?", choices={"s": "Small", "l": "Large"})
    """
    given = {
        "prompt": prompt,
        "choices": choices,
        "assignee": assignee,
        "timeout": timeout,
        "timeout_value": timeout_value,
    }
    return InputWait("wait_for_choice", name, given)


def wait_for_text(
    name: str | None = None,
    *,
    prompt: OrAsked[str] = "",
    assignee: OrAsked[Any] = None,
    timeout: OrAsked[Duration | None] = None,
    timeout_value: Any = NO_VALUE,
) -> InputWait:
    """A node that waits for a person to write a text; that is its output.

    Arguments as for `wait_for_input`.

    Example::

        reason = wait_for_text(prompt="Why was {order} sent back?")
    """
    given = {
        "prompt": prompt,
        "assignee": assignee,
        "timeout": timeout,
        "timeout_value": timeout_value,
    }
    return InputWait("wait_for_text", name, given)


def wait_for_form(
    name: str | None = None,
    *,
    fields: Fields,
    prompt: OrAsked[str] = "",
    assignee: OrAsked[Any] = None,
    timeout: OrAsked[Duration | None] = None,
    timeout_value: Any = NO_VALUE,
) -> InputWait:
    """A node that waits for a person to fill in a form; its output is a dict of the fields.

    `fields`: a mapping of names to a type or to options, or a list of options with "name". The
    types are text, long_text, integer, decimal, boolean, date, datetime, email, choice and
    multiple_choice; the options type, label, required, help, initial, min, max (lengths of a text)
    and choices. The rest as for `wait_for_input`.

    Example::

        details = wait_for_form(
            fields={"amount": "decimal", "note": {"type": "long_text", "required": False}}
        )
    """
    given = {
        "prompt": prompt,
        "fields": fields,
        "assignee": assignee,
        "timeout": timeout,
        "timeout_value": timeout_value,
    }
    return InputWait("wait_for_form", name, given)
