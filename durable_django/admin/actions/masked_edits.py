"""Values that somebody edits without seeing all of them: dots in the place of what is masked.

What comes back with the dots where they were is the value that was there. Pure.
"""

from __future__ import annotations

from typing import Any

from ...engine import values
from ...showing.masking import DOTS


class DotsMoved(ValueError):
    """Dots stand where nothing was masked: nobody knows what they stand for."""


def restored(edited: Any, shown: Any, real: Any) -> Any:
    """What ``edited`` means to somebody who was shown ``shown`` of ``real``.

    >>> restored({"card": "••••••", "n": 2}, {"card": "••••••", "n": 1}, {"card": "4111", "n": 1})
    {'card': '4111', 'n': 2}
    """
    if same(edited, shown):
        return real
    if type(edited) is type(shown) is type(real):
        if isinstance(edited, dict):
            return {
                key: restored(item, shown[key], real[key]) if key in shown else _clear(item, None)
                for key, item in edited.items()
            }
        if isinstance(edited, list) and len(edited) == len(shown) == len(real):
            pairs = zip(edited, shown, real, strict=True)
            return [restored(*each) for each in pairs]
    return _clear(edited, real)


def same(one: Any, other: Any) -> bool:
    """Whether two values are stored as the same text: ``True`` is not 1."""
    return values.encode(one, "value") == values.encode(other, "value")


def _clear(value: Any, real: Any) -> Any:
    if DOTS in values.encode(value, "value") and DOTS not in values.encode(real, "value"):
        raise DotsMoved
    return value
