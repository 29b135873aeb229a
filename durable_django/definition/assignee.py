"""Assignees: whom a request for input is for, as it is written and as it is kept.

A user, a group or a permission is told by what it answers to; no model is imported and no row read.
Whether there is such a user is not judged here.
"""

from __future__ import annotations

import re
from typing import Any

ASSIGNEE_LENGTH_MAX = 255

KINDS = ("user", "group", "permission")

_SHAPES = (
    'a user, a group or a permission: a User or Group, "user:anna", "group:Managers", '
    '"permission:shop.approve" or "shop.approve"'
)
_PERMISSION = re.compile(r"\w+\.\w+")


def read_assignee(value: Any, what: str = "assignee") -> tuple[str, str] | None:
    """``("user", username)``, ``("group", name)`` or ``("permission", "app.codename")``; None for
    None, which is anybody who may answer.

    `value` is a User, a Group, or a string that says which of the three it means; one with a dot
    and no colon is a permission. `what` names it in the TypeError or ValueError for anything else.

    >>> read_assignee("group:Managers"), read_assignee("shop.approve")
    (('group', 'Managers'), ('permission', 'shop.approve'))
    """
    if value is None:
        return None
    if isinstance(value, str):
        return _read_text(str.__str__(value), what)
    # Told by their types: the repr of a model instance may read rows.
    if not isinstance(value, type):
        kind = type(value).__name__
        if callable(getattr(value, "get_username", None)):
            return "user", _checked_name(value.get_username(), f"this {kind}", what)
        if getattr(getattr(value, "_meta", None), "label_lower", None) == "auth.group":
            return "group", _checked_name(value.name, f"this {kind}", what)
        raise TypeError(f"{what} is {_SHAPES}, not a {kind}")
    raise TypeError(f"{what} is {_SHAPES}, not the class {value.__name__}")


def _read_text(text: str, what: str) -> tuple[str, str]:
    kind, colon, name = text.partition(":")
    if not colon:
        kind, name = "permission", text
    if kind not in KINDS or (kind == "permission" and not _PERMISSION.fullmatch(name)):
        raise ValueError(f"{what} is {_SHAPES}, not {text!r:.80}")
    return kind, _checked_name(name, f"{text!r:.80}", what)


def _checked_name(name: object, who: str, what: str) -> str:
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise ValueError(f"{what} is {_SHAPES}, and {who} names nobody")
    if len(name) > ASSIGNEE_LENGTH_MAX:
        raise ValueError(f"{what} has at most {ASSIGNEE_LENGTH_MAX} characters, not {len(name)}")
    return str.__str__(name)
