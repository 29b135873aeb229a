"""The run's data as operations: what a step reads and writes as ``self.context``.

A checkpoint does not store the context but what an attempt did to it: ``set``, ``delete``,
``append``, ``increment``. So an attempt that fails leaves nothing behind, and members of a parallel
block can be merged. Each attempt reads decoded copies, never the state itself.

Pure: no clock, no settings, no database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from decimal import Decimal
from typing import Any, NamedTuple

from ..exceptions import NotSerializable
from . import values

IMMUTABLE = frozenset({str, int, float, bool, type(None), Decimal})
MISSING: Any = object()


class Change(NamedTuple):
    """One operation on a top-level key. ``text`` is the encoded value, "null" for a delete; several
    appends to one key may be folded to one, their values joined by commas."""

    op: str
    key: str
    text: str


def encode_changes(changes: tuple[Change, ...]) -> str:
    """The stored form: ``[["set","total",12.5],["increment","n",1]]``."""
    if not changes:
        return "[]"
    quote = values.quote
    return "[" + ",".join(f'["{c.op}",{quote(c.key)},{c.text}]' for c in changes) + "]"


def decode_changes(text: str) -> tuple[Change, ...]:
    """The inverse of :func:`encode_changes`."""
    if text in ("", "[]"):
        return ()
    rows = [values.split_array(row) for row in values.split_array(text)]
    return tuple(
        Change(values.decode(op), values.decode(key), value)
        for op, key, *given in rows
        for value in given
    )


def apply_changes(texts: Mapping[str, str], changes: tuple[Change, ...]) -> Mapping[str, str]:
    """``texts`` (key -> encoded value) after ``changes``, as a new mapping; raises TypeError where
    an operation does not fit the value (append to a number)."""
    if not changes:
        return texts
    result = dict(texts)
    # Put together at the end: ten thousand items that append each would copy the list each time.
    appended: dict[str, list[str]] = {}
    for change in changes:
        key = change.key
        if change.op == "append":
            appended.setdefault(key, []).append(change.text)
            continue
        if change.op in ("set", "delete"):
            if key in appended:
                _with_appended(result, key, appended.pop(key))  # refuses what does not fit
            result[key] = change.text
            if change.op == "delete":
                del result[key]
            continue
        if key in appended:
            _with_appended(result, key, appended.pop(key))
        before = values.decode(result.get(key, "0"))
        after = _incremented(key, before, values.decode(change.text))
        result[key] = values.encode(after, f'context["{key}"]')
    for key, items in appended.items():
        _with_appended(result, key, items)
    return result


def _with_appended(texts: dict[str, str], key: str, items: list[str]) -> None:
    text = texts.get(key, "[]")
    if not text.startswith("["):
        raise TypeError(f'context["{key}"] is not a list: cannot append to it')
    more = ",".join(items)
    texts[key] = f"[{more}]" if text == "[]" else f"{text[:-1]},{more}]"


def fold(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """The fewest operations with the same effect: what a strand leaves for its join.

    Increments are added up where that is exact, that is for whole numbers.

    >>> changes = Change("set", "n", "1"), Change("increment", "n", "2"), Change("set", "n", "7")
    >>> fold(changes)
    (Change(op='set', key='n', text='7'),)
    """
    by_key: dict[str, list[Change]] = {}
    for change in changes:
        found = by_key.setdefault(change.key, [])
        if change.op in ("set", "delete"):
            found[:] = [change]
        elif found and found[0].op in ("set", "delete"):
            base = {} if found[0].op == "delete" else {change.key: found[0].text}
            found[:] = [Change("set", change.key, apply_changes(base, (change,))[change.key])]
        elif found and change.op == found[-1].op == "increment" and _are_whole(found[-1], change):
            found[-1] = Change("increment", change.key, str(int(found[-1].text) + int(change.text)))
        elif found and change.op == found[-1].op == "append":
            found[-1] = Change("append", change.key, f"{found[-1].text},{change.text}")
        else:
            found.append(change)
    return tuple(change for found in by_key.values() for change in found)


def _are_whole(*changes: Change) -> bool:
    return all(change.text.removeprefix("-").isdigit() for change in changes)


def _incremented(key: str, before: Any, by: Any) -> Any:
    for value in (before, by):
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            raise TypeError(f'context["{key}"]: cannot increment {before!r} by {by!r}')
    try:
        return before + by
    except ArithmeticError as error:  # a float and an integer beyond all floats, say
        raise TypeError(f'context["{key}"]: cannot add the two numbers: {error}') from error


def _judged_key(key: Any) -> str:
    """The key as it will be stored: a plain, printable ``str``. NotSerializable otherwise."""
    if type(key) is str and key.isidentifier():
        return key
    if not isinstance(key, str):
        raise NotSerializable("context key", f"{key!r} is a {type(key).__name__}, not a str")
    stored: str = values.decode(values.encode(key, "context key"))
    return stored


class _Appends(list[str]):
    """The encoded values appended to a key in this attempt."""


class _Increment:
    __slots__ = ("by",)

    def __init__(self, by: Any) -> None:
        self.by = by


_SET = object()
_DELETE = object()


class Context(MutableMapping[str, Any]):
    """What a step sees as ``self.context``: a mutable mapping with ``str`` keys.

    ``context[k] = v`` is judged at once (NotSerializable, PayloadTooLarge); in-place changes of a
    value read from it are found, and judged, at the checkpoint.

    >>> context = Context({"items": "[1]"})
    >>> context["items"].append(2)
    >>> context.increment("seen")
    1
    >>> [tuple(change) for change in context.changes()]
    [('set', 'items', '[1,2]'), ('increment', 'seen', '1')]
    """

    __slots__ = ("_limit", "_live", "_ops", "_texts")

    def __init__(self, texts: Mapping[str, str], limit: int | None = None) -> None:
        self._texts = texts
        self._limit = limit
        self._live: dict[str, Any] = {}
        self._ops: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        if key in self._live:
            return self._live[key]
        if self._ops.get(key) is _DELETE:
            raise KeyError(key)
        value = self._live[key] = values.decode(self._texts[key])
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        key = _judged_key(key)
        values.encode(value, f'context["{key}"]', limit=self._limit)
        self._live[key] = value
        self._ops[key] = _SET

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._live.pop(key, None)
        if key in self._texts:
            self._ops[key] = _DELETE
        else:
            self._ops.pop(key, None)

    def __contains__(self, key: object) -> bool:
        if key in self._live:
            return True
        return key in self._texts and self._ops.get(str(key)) is not _DELETE

    def __iter__(self) -> Iterator[str]:
        for key in list(self._texts):
            if self._ops.get(key) is not _DELETE:
                yield key
        for key in list(self._live):
            if key not in self._texts:
                yield key

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<Context {dict(self)!r}>"

    def append(self, key: str, value: Any) -> None:
        """Appends ``value`` to the list under ``key`` (from an empty one). TypeError if it holds
        something else. Members of a parallel block may append to the same key."""
        key = _judged_key(key)
        text = values.encode(value, f'context["{key}"]', limit=self._limit)
        current = self.get(key, [])
        if not isinstance(current, list):
            raise TypeError(f'context["{key}"] is a {type(current).__name__}: cannot append to it')
        op = self._ops.get(key)
        if isinstance(op, _Appends):
            op.append(text)
        elif op is None:
            self._ops[key] = _Appends([text])
        else:
            self._ops[key] = _SET
        current.append(values.decode(text))
        self._live[key] = current

    def increment(self, key: str, by: Any = 1) -> Any:
        """Adds ``by`` (int, float or Decimal) to the number under ``key`` (from 0) and returns the
        sum. TypeError if it holds something else."""
        key = _judged_key(key)
        values.encode(by, f'context["{key}"]')
        op = self._ops.get(key)
        if isinstance(op, _Increment):
            # Added up as it will be recorded: floats give another sum in another order.
            by = _incremented(key, op.by, by)
            result = _incremented(key, values.decode(self._texts.get(key, "0")), by)
        else:
            result = _incremented(key, self.get(key, 0), by)
        values.encode(result, f'context["{key}"]', limit=self._limit)
        self._ops[key] = _SET if op in (_SET, _DELETE) else _Increment(by)
        self._live[key] = result
        return result

    def update_key(self, key: str, function: Callable[[Any], Any], default: Any = MISSING) -> Any:
        """Sets ``key`` to ``function(its value)`` and returns that; ``default`` stands in for a
        missing value, without it a missing key is a KeyError."""
        current = self[key] if default is MISSING else self.get(key, default)
        self[key] = result = function(current)
        return result

    def changes(self) -> tuple[Change, ...]:
        """What this attempt did, folded to the fewest operations, in-place changes included."""
        if not self._live and not self._ops:
            return ()
        found = [Change("delete", k, "null") for k, op in self._ops.items() if op is _DELETE]
        for key, value in self._live.items():
            found.extend(self._changes_of(key, value))
        return tuple(found)

    def _changes_of(self, key: str, value: Any) -> list[Change]:
        op = self._ops.get(key)
        if isinstance(op, _Increment):
            return [Change("increment", key, values.encode(op.by, f'context["{key}"]'))]
        if op is None and type(value) in IMMUTABLE:
            return []
        what = f'context["{key}"]'
        if op is None and values.encode(value, what) == self._texts[key]:
            return []  # only read, and maybe stored when more was let in
        text = values.encode(value, what, limit=self._limit)
        if op is None:
            return [Change("set", key, text)]
        if isinstance(op, _Appends):
            appends = [Change("append", key, item) for item in op]
            expected = apply_changes({key: self._texts.get(key, "[]")}, tuple(appends))[key]
            if text == expected:
                return appends
        return [Change("set", key, text)]
