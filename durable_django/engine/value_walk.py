"""The walk through a value: judges every part of it and gives what the JSON encoder may write.

Parts that are fit as they are come back as the same objects, so most values are not copied; the
value itself is never changed. Refusals carry their path, put together only when there is one.
Pure, and builds no JSON text.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum
from types import NoneType
from typing import Any, Final

from django.utils.functional import Promise

from .results import Results
from .value_types import FORMS, PLAIN_COPIES, TAG, Refused, check_text

NESTING_MAX: Final = 100
INTEGER_DIGITS_MAX: Final = 4_000
_INTEGER_BOUND: Final = 10**INTEGER_DIGITS_MAX
_SHOWN_MAX: Final = 200

# Two ways to walk, told apart by the types that need no look. QUICK leaves texts and floats to be
# judged all at once in the encoded text; STRICT looks at each, to find the path of a bad one.
Kinds = frozenset[type]
QUICK: Final[Kinds] = frozenset({str, float, bool, NoneType})
STRICT: Final[Kinds] = frozenset({bool, NoneType})


def plain(value: Any, depth: int, passed: Kinds) -> Any:
    """``value`` in JSON's own types, `depth` being the number of containers around it."""
    kind = type(value)
    if kind in passed:
        return value
    walk = _WALKS.get(kind)
    if walk is not None:
        return walk(value, depth, passed)
    form = FORMS.get(kind)
    if form is not None:
        return form(value)
    return plain(_plain_copy(value), depth, passed)


def _dict(value: dict[Any, Any], depth: int, passed: Kinds) -> dict[str, Any]:
    if depth >= NESTING_MAX:
        raise _too_deep()
    changed: dict[Any, Any] | None = None
    odd_keys = False
    key: Any = None
    try:
        for key, item in value.items():
            if type(key) is not str or passed is STRICT:
                odd_keys |= _check_key(key)
            kind = type(item)
            if kind in passed or (kind is int and -_INTEGER_BOUND < item < _INTEGER_BOUND):
                continue
            fit = plain(item, depth + 1, passed)
            if fit is not item:
                if changed is None:
                    changed = value.copy()
                changed[key] = fit
    except Refused as refused:
        refused.segments.append(_key_segment(key))
        raise
    result = value if changed is None else changed
    if odd_keys:
        result = {str.__str__(key): item for key, item in result.items()}
        if len(result) != len(value):
            raise Refused("two of its keys are the same text")
    if TAG in result and len(result) == 1:
        return {TAG: [TAG, result[TAG]]}
    return result


def _tuple(value: tuple[Any, ...], depth: int, passed: Kinds) -> dict[str, Any]:
    return {TAG: ["tuple", _list(list(value), depth, passed)]}


def _list(value: list[Any], depth: int, passed: Kinds) -> list[Any]:
    if depth >= NESTING_MAX:
        raise _too_deep()
    changed: list[Any] | None = None
    index = 0
    try:
        for index, item in enumerate(value):
            kind = type(item)
            if kind in passed or (kind is int and -_INTEGER_BOUND < item < _INTEGER_BOUND):
                continue
            fit = plain(item, depth + 1, passed)
            if fit is not item:
                if changed is None:
                    changed = value.copy()
                changed[index] = fit
    except Refused as refused:
        refused.segments.append(f"[{index}]")
        raise
    return value if changed is None else changed


def _results(value: Results, depth: int, passed: Kinds) -> list[Any]:
    """The values themselves: who keeps them somewhere else shall not depend on their rows."""
    return _list(list(value), depth, passed)


def _set(value: set[Any], depth: int, passed: Kinds) -> dict[str, Any]:
    """Sorted by the text of the items: equal sets have to be written alike in every process."""
    if depth >= NESTING_MAX:
        raise _too_deep()
    item: Any = None
    try:
        by_text = {}
        for item in value:
            fit = plain(item, depth + 1, passed)
            by_text[repr(fit)] = fit
    except Refused as refused:
        refused.segments.append(f"{{{_shown(item)}}}")
        raise
    if len(by_text) != len(value):
        raise Refused("two of its items are stored as the same value")
    return {TAG: ["set", [by_text[text] for text in sorted(by_text)]]}


def _str(value: str, depth: int, passed: Kinds) -> str:
    check_text(value)
    return value


def _int(value: int, depth: int, passed: Kinds) -> int:
    if not -_INTEGER_BOUND < value < _INTEGER_BOUND:
        raise Refused(f"an integer of more than {INTEGER_DIGITS_MAX:,} digits")
    return value


def _float(value: float, depth: int, passed: Kinds) -> float:
    if not math.isfinite(value):
        raise Refused(f"{value} is not a finite number")
    return value


_WALKS: Final[dict[type, Callable[[Any, int, Kinds], Any]]] = {
    dict: _dict,
    list: _list,
    tuple: _tuple,
    Results: _results,
    set: _set,
    str: _str,
    int: _int,
    float: _float,
}


def _plain_copy(value: Any) -> Any:
    """The plain form of a subclass or a lazy string; refuses every other type.

    Asks ``type(value)``, never isinstance(): lazy objects and mocks lie about their class.
    """
    kind = type(value)
    base: type = str
    copy: Callable[[Any, Any], Any]
    if issubclass(kind, Promise) and hasattr(kind, "casefold"):  # lazy, and of a str
        copy = _lazy_text
    else:
        base = next((base for base in kind.__mro__ if base in PLAIN_COPIES), object)
        if base is object:
            raise Refused(_reason(value))
        copy = PLAIN_COPIES[base]
    try:
        result = copy(base, value)
        # pandas' NaT and nanoseconds are dates that do not fit into their base
        exact = base not in FORMS or result == value or result != result
    except Exception as error:
        raise Refused(f"{kind.__name__} cannot be read as {base.__name__}: {error!r}") from None
    if type(result) is not base or not exact:
        raise Refused(f"{kind.__name__} holds more than a {base.__name__} can")
    return result


def _lazy_text(base: Any, value: Any) -> str:
    return str.__str__(str(value))


def _reason(value: object) -> str:
    kind = type(value)
    try:
        shown: type = value.__class__  # what a lazy object (request.user) stands for
        is_model = hasattr(shown, "_meta") and hasattr(shown, "pk")
    except Exception:  # it cannot be looked at here: no database, or async code
        shown, is_model = kind, False
    if is_model:
        return (
            f"a {shown.__name__} is a model instance and cannot be stored: "
            "keep its pk and load it in the step"
        )
    reason = f"{kind.__module__}.{kind.__qualname__} cannot be stored"
    if issubclass(kind, Enum):
        return f"{reason}: keep its .value"
    hint = _HINTS.get(kind.__name__)
    return f"{reason}: {hint}" if hint else reason


_HINTS: Final = {
    "frozenset": "use a set",
    "bytearray": "use bytes",
    "memoryview": "use bytes",
    "deque": "use a list",
    "range": "use a list",
    "generator": "use a list",
    "QuerySet": "use a list of its values()",
    "coroutine": "await it",
    "function": "only data can be stored",
}


def _check_key(key: object) -> bool:
    """Whether a key has to be made a plain str; refuses what is none."""
    if not issubclass(type(key), str):
        raise Refused(f"the keys of a dict must be str, not {type(key).__name__}")
    try:
        check_text(str.__str__(key))
    except Refused as refused:
        raise Refused(f"the key {refused.reason}") from None
    return type(key) is not str


def _key_segment(key: object) -> str:
    if issubclass(type(key), str):
        text = str.__str__(key).replace("\\", "\\\\").replace('"', '\\"')
        return f'["{text}"]'
    return f"[{_shown(key)}]"


def _shown(value: object) -> str:
    try:
        return repr(value)[:_SHOWN_MAX]
    except Exception:
        return f"<{type(value).__name__}>"


def _too_deep() -> Refused:
    return Refused(f"nested deeper than {NESTING_MAX} levels (or contains itself)")
