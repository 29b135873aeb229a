"""The arguments of waits: how each is read, in the class body and in a step alike.

Readers take a value and what to call it, return it as kept, or raise TypeError or ValueError. They
ask no run, and what depends on the whole wait (a name, the context) is not known to them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from durable_django.definition import readers
from durable_django.definition.assignee import read_assignee
from durable_django.definition.choices import read_choices
from durable_django.definition.durations import to_seconds
from durable_django.definition.input_fields import read_fields
from durable_django.definition.prompt import check_prompt
from durable_django.definition.shown import is_storable, read_words
from durable_django.definition.spelling import did_you_mean

NAME_LENGTH_MAX = 255
KEY_LENGTH_MAX = 255
ON_CANCEL = ("cancel", "abandon")


def read_name(value: object, what: str = "name") -> str:
    """What an event, an input or a callback is called: 1 to 255 printable characters."""
    return readers.read_text(value, what, NAME_LENGTH_MAX)


def read_key(value: object, what: str = "key") -> str:
    """What picks one among the events of a name: 1 to 255 characters. "" for None, which is no key.

    >>> read_key("inv_1"), read_key(None)
    ('inv_1', '')
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"{what} is a string, not {value!r:.80}")
    if not value:
        raise ValueError(f"{what} is empty; leave it out for what has no key")
    if len(value) > KEY_LENGTH_MAX:
        raise ValueError(f"{what} has at most {KEY_LENGTH_MAX} characters, not {len(value)}")
    if not is_storable(value):
        raise ValueError(f"{what} holds a character that cannot be stored: {value!r:.80}")
    return str.__str__(value)


def read_names(value: object, what: str = "names") -> tuple[str, ...]:
    """The events of a wait for several: a list of at least one name, each of them once."""
    if isinstance(value, str) or not isinstance(value, (list, tuple)):
        raise TypeError(f'{what} is a list of names, like ["paid", "refused"], not {value!r:.80}')
    if not value:
        raise ValueError(f"{what} is empty, so there is nothing to wait for")
    names = tuple(read_name(name, f"{what}[{index}]") for index, name in enumerate(value))
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ValueError(f'{what} has "{name}" twice')
    return names


def read_timeout(value: object, what: str = "timeout") -> float | None:
    """Seconds until the wait is given up; None for no limit. 0 takes what is there already."""
    return None if value is None else to_seconds(value, what)


def read_moment(value: object, what: str = "moment") -> datetime:
    """An aware datetime, in UTC: a moment beyond its calendar could be stored, but not read."""
    if not isinstance(value, datetime):
        raise TypeError(f"{what} is an aware datetime, not {value!r:.80}")
    if value.utcoffset() is None:
        raise ValueError(
            f"{what} is a datetime with a time zone, and {value.isoformat()} has none; use "
            "django.utils.timezone.make_aware()"
        )
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{what} is beyond the calendar: {value!r}") from None


def read_prompt(value: object, what: str = "prompt") -> Any:
    """What the person is asked: a template for `format_prompt`, or a lazy translation of one."""
    prompt = read_words(value, what)
    if isinstance(prompt, str):
        check_prompt(prompt)
    return prompt


def read_workflow(value: Any, what: str = "workflow") -> Any:
    """A workflow class, a registered name or "self", as given. Whether such a name is registered is
    not judged here: its module may be imported later.
    """
    if isinstance(value, str):
        return readers.read_text(value, what, readers.NAME_LENGTH_MAX)
    if not isinstance(value, type) or not hasattr(value, "_for_attempt"):
        raise TypeError(
            f'{what} is a Workflow class, a registered name or "self", not {value!r:.80}'
        )
    if getattr(value, "definition", None) is None:
        raise ValueError(f"{what} {value.__qualname__} is abstract; give a class that extends it")
    return value


def read_on_cancel(value: object, what: str = "on_cancel") -> str:
    """What becomes of a called workflow when its caller is cancelled."""
    if isinstance(value, str) and value in ON_CANCEL:
        return str.__str__(value)
    hint = did_you_mean(value, ON_CANCEL) if isinstance(value, str) else ""
    raise ValueError(f'{what} is "cancel" or "abandon", not {value!r:.80}{hint}')


def _read_scheduled_at(value: object, what: str) -> datetime | None:
    return None if value is None else read_moment(value, what)


def _read_idempotency_key(value: object, what: str) -> str | None:
    return None if value is None else readers.read_text(value, what, KEY_LENGTH_MAX)


def _read_as_given(value: Any, what: str) -> Any:
    return value


READERS: dict[str, Callable[[Any, str], Any]] = {
    "duration": to_seconds,
    "moment": read_moment,
    "names": read_names,
    "key": read_key,
    "timeout": read_timeout,
    "timeout_value": _read_as_given,
    "prompt": read_prompt,
    "fields": read_fields,
    "choices": read_choices,
    "assignee": read_assignee,
    "workflow": read_workflow,
    "input": _read_as_given,
    "on_cancel": read_on_cancel,
}

# The keywords of `start`, which judges the tags.
START_READERS: dict[str, Callable[[Any, str], Any]] = {
    "queue": readers.read_queue,
    "priority": readers.read_priority,
    "timeout": readers.read_timeout,
    "scheduled_at": _read_scheduled_at,
    "idempotency_key": _read_idempotency_key,
    "tags": _read_as_given,
}
