"""What a mask has to know of a run before anything of it is shown: the secrets in its values.

It reads nothing but the rows it is given.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext

from ..engine import values
from ..engine.context import decode_changes
from ..models import Execution
from ..models.history import base_state
from .masking import Mask


def unreadable() -> str:
    """Said of a value with a time zone or a type that this process does not know."""
    return gettext("This value cannot be read on this machine.")


def learn(mask: Mask, text: str, keys: Iterable[str] = ()) -> None:
    """Lets ``mask`` gather the secrets of a stored value, which may itself stand under keys."""
    try:
        value = values.decode(text)
    except ValueError:
        return
    if any(map(mask.hides, keys)):
        mask.learn_secret(value)
    else:
        mask.learn(value)


def learn_run(mask: Mask, run: Execution) -> None:
    """Lets ``mask`` gather the secrets of what a run was given, knows and gave, as its own row
    tells. It reads nothing where nothing is hidden."""
    if mask.is_empty:
        return
    learn(mask, run.input_text)
    learn(mask, run.result_text)
    state = base_state(run.snapshot)
    for key, text in [*state.context.items(), *state.outputs.items()]:
        learn(mask, text, (key,))


def learn_changes(mask: Mask, text: str) -> None:
    """Lets ``mask`` gather the secrets of what an attempt did to the context."""
    try:
        changes = decode_changes(text)
    except ValueError:
        return
    for change in changes:
        learn(mask, change.text, (change.key,))
