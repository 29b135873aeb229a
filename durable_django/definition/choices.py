"""Choices: between what a person chooses, as it is written and as it is kept.

The values are JSON's own scalars, told apart by type and value, as the cases of a branch are. It
knows no form.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from durable_django.definition.shown import read_words

_SHAPES = "a list of values or of (value, label) pairs, or a mapping of values to labels"


def read_choices(value: Any, what: str = "choices") -> list[list[Any]]:
    """``[[value, label], …]``, at least one. `value` is a sequence of values or of (value, label)
    pairs, a mapping of values to labels, or one of Django's ``TextChoices`` classes.

    `what` names it in the TypeError or ValueError for anything else.

    >>> read_choices(["car", "train"]), read_choices({1: "one"})
    ([['car', 'car'], ['train', 'train']], [[1, 'one']])
    """
    if isinstance(value, type):
        value = getattr(value, "choices", value)
    if isinstance(value, Mapping):
        value = list(value.items())
    if isinstance(value, (str, bytes, set, frozenset)) or not isinstance(value, Iterable):
        raise TypeError(f"{what} is {_SHAPES}, not {value!r:.80}")
    found: list[list[Any]] = []
    seen = set()
    for entry in value:
        choice, label = _read_choice(entry, what)
        key = key_of_scalar(choice)
        if key in seen:
            raise ValueError(f"{what} has {choice!r:.80} twice")
        seen.add(key)
        found.append([choice, label])
    if not found:
        raise ValueError(f"{what} is empty, so there is nothing to choose")
    return found


def _read_choice(entry: Any, what: str) -> tuple[Any, Any]:
    value, label = entry, None
    if isinstance(entry, (tuple, list)):
        if len(entry) != 2:
            raise ValueError(f"{what} is {_SHAPES}; {entry!r:.80} is no pair")
        value, label = entry
    plain = plain_scalar(value)
    if key_of_scalar(plain) is None:
        raise TypeError(
            f"{what} holds strings, finite numbers, True, False and None, not {value!r:.80}"
        )
    if isinstance(plain, str):
        read_words(plain, what)
    return plain, str(plain) if label is None else read_words(label, f"{what}: a label")


def plain_scalar(value: Any) -> Any:
    """`value` without its subclass: a TextChoices member is the string that is stored for it."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int.__index__(value)
    return float.__float__(value) if isinstance(value, float) else value


def key_of_scalar(value: Any) -> tuple[str, Any] | None:
    """What makes two choices the same one: ``True`` is not 1, ``1.0`` is. None for what is no
    choice.
    """
    if value is None or isinstance(value, bool):
        return "word", value
    if isinstance(value, str):
        return "string", value
    if isinstance(value, (int, float)) and math.isfinite(value):
        return "number", value
    return None
