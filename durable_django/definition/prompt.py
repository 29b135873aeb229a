"""Prompts: a template such as "Approve {amount:.2f}?", filled in from the run's context.

Only plain keys are read: what stands in a template cannot walk from a value to its attributes. It
knows no run; the context is handed in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import Formatter
from typing import Any

# Wider ones are no format of a value but a way to fill the memory.
_WIDTH_DIGITS_MAX = 3
_TOO_WIDE = re.compile(rf"\d{{{_WIDTH_DIGITS_MAX + 1},}}")

_parse = Formatter().parse


def check_prompt(template: str) -> None:
    """ValueError for a template that `format_prompt` would refuse, whatever the context.

    >>> check_prompt("Approve {order.total}?")
    Traceback (most recent call last):
    ValueError: prompt: {order.total} is no plain context key: no attributes and no indexes
    """
    _pieces(template)


def format_prompt(template: str, context: Mapping[str, Any]) -> str:
    """`template` with each ``{key}`` or ``{key:.2f}`` replaced by the context's value.

    ``{{`` and ``}}`` are braces. KeyError for a key that the context does not have; ValueError for
    anything else in braces, and for a format that does not fit its value.

    >>> format_prompt("Approve {amount:.2f} for {name}?", {"amount": 12.5, "name": "Anna"})
    'Approve 12.50 for Anna?'
    """
    said = []
    for text, key, spec in _pieces(template):
        said.append(text)
        if key is not None:
            said.append(_formatted(key, spec, context))
    return "".join(said)


def _pieces(template: str) -> list[tuple[str, str | None, str]]:
    """The texts of a template, each with the key that follows it, if any, and the key's format."""
    try:
        parsed = list(_parse(template))
    except ValueError as error:
        raise ValueError(
            f"prompt: {error} in {template!r:.80}; a brace that is meant is written twice, {{{{"
        ) from None
    return [
        (text, _checked_key(key, spec or "", conversion), spec or "")
        for text, key, spec, conversion in parsed
    ]


def _checked_key(key: str | None, spec: str, conversion: str | None) -> str | None:
    if key is None:
        return None
    shown = f"{{{key}{f'!{conversion}' if conversion else ''}{f':{spec}' if spec else ''}}}"
    if not key or key.isdecimal():
        raise ValueError(f"prompt: {shown} is no context key; write {{amount}}")
    if any(mark in key for mark in ".[]"):
        raise ValueError(f"prompt: {shown} is no plain context key: no attributes and no indexes")
    if conversion:
        raise ValueError(f"prompt: {shown} converts its value; !{conversion} is not for prompts")
    if "{" in spec or "}" in spec:
        raise ValueError(f"prompt: the format in {shown} holds another key; write it out")
    if _TOO_WIDE.search(spec):
        raise ValueError(f"prompt: the format in {shown} is wider than any prompt")
    return key


def _formatted(key: str, spec: str, context: Mapping[str, Any]) -> str:
    try:
        value = context[key]
    except KeyError:
        known = ", ".join(sorted(map(str, context))) or "nothing yet"
        raise KeyError(f"prompt: the context has no {key!r} (it has {known})") from None
    try:
        return format(value, spec)
    except (TypeError, ValueError) as error:
        raise ValueError(f"prompt: {{{key}:{spec}}} does not fit {value!r:.80}: {error}") from None
