"""The gate: every value that is stored passes here, is judged here and comes out as JSON text.

The only module that encodes JSON. It has one verdict for both databases: what gets through can be
stored by either and is read back as the same value. It never changes a value, never pickles and
never imports what a text names; it knows no settings, no clock and no database.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from ..exceptions import NotSerializable, PayloadTooLarge
from .value_types import TAG, Refused, restore
from .value_walk import QUICK, STRICT, plain

# The walk has bounded the nesting, so the encoder need not look for cycles itself.
_dumps: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
).encode
_plain_decoder: Final = json.JSONDecoder()
_form_decoder: Final = json.JSONDecoder(object_hook=restore)
_REASON_BYTES_MAX: Final = 1_000
_TAG_TEXT: Final = f'"{TAG}"'

# Control characters but tab, newline and carriage return; lone surrogates.
_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def encode(value: Any, path: str, *, limit: int | None = None, around: int = 0) -> str:
    """The JSON text of ``value``, which is not changed.

    Lets in None, bool, int, float, str, list, tuple, set, dict with str keys, datetime, date,
    time, timedelta, Decimal, UUID and bytes. Subclasses of these, and lazy strings, become the
    plain type. Equal sets give equal texts; ``encode(decode(text), …) == text``.

    ``path`` is what the value is called in errors, ``limit`` the most bytes its UTF-8 may have
    (None: any), ``around`` how many containers around values that were judged before do not count
    as nesting. Raises NotSerializable with the path of the part at fault, and PayloadTooLarge.

    >>> from datetime import date
    >>> encode({"n": 1, "due": date(2030, 1, 31)}, "input")
    '{"n":1,"due":{"$":["date","2030-01-31"]}}'
    >>> encode({"items": [1, object()]}, "input")
    Traceback (most recent call last):
    durable_django.exceptions.NotSerializable: input["items"][1]: builtins.object cannot be stored
    """
    try:
        text = _dumps(plain(value, -around, QUICK))
        size = len(text) if text.isascii() else len(text.encode())
        if "\\u0000" in text:  # NUL, or somebody's text about \u0000
            plain(value, -around, STRICT)
    except Refused as refused:
        raise _at(path, refused) from None
    except ValueError as error:  # NaN, Infinity or a lone surrogate somewhere in it
        raise _located(value, path, error) from None
    if limit is not None and size > limit:
        raise PayloadTooLarge(path, size, limit)
    return text


def decode(text: str) -> Any:
    """The value that :func:`encode` was given, as a new object. ValueError for another text.

    >>> decode('{"n":1,"due":{"$":["date","2030-01-31"]}}')
    {'n': 1, 'due': datetime.date(2030, 1, 31)}
    """
    decoder = _form_decoder if _TAG_TEXT in text else _plain_decoder
    return decoder.decode(text)


def _located(value: Any, path: str, error: ValueError) -> NotSerializable:
    try:
        plain(value, 0, STRICT)
    except Refused as refused:
        return _at(path, refused)
    return NotSerializable(path, visible(error))


def _at(path: str, refused: Refused) -> NotSerializable:
    full_path = path + "".join(reversed(refused.segments))
    return NotSerializable(visible(full_path), visible(refused.reason, _REASON_BYTES_MAX))


def visible(text: object, limit: int | None = None) -> str:
    """Any object as a text that can be stored and printed, for logs and errors. Never raises.

    Control characters (but tab, newline, return) and lone surrogates are written as escapes; an
    object whose str() fails is named. ``limit`` is in bytes of UTF-8; what is cut ends in "…".

    >>> visible("a\\0b")
    'a\\\\x00b'
    >>> visible("abcdefgh", 6)
    'abc…'
    """
    try:
        shown = str.__str__(str(text))
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        shown = f"<{type(text).__name__}: its str() raised {type(error).__name__}>"
    if limit is not None:
        shown = shown[: limit + 1]  # a character has at least one byte: enough, and quick
    if not shown.isprintable():
        shown = _UNPRINTABLE.sub(_escaped, shown)
    if limit is None:
        return shown
    encoded = shown.encode()
    if len(encoded) <= limit:
        return shown
    mark = "…" if limit >= 3 else ""
    return encoded[: limit - len(mark.encode())].decode(errors="ignore") + mark


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


# Texts within texts: rows hold objects of encoded values, which are taken apart and put together
# without decoding what nobody looks at.


def quote(text: str) -> str:
    """``text``, which has passed the gate, as a JSON string.

    >>> quote('a "b"')
    '"a \\\\"b\\\\""'
    """
    return _dumps(text)


def join_object(parts: Mapping[str, str]) -> str:
    """The JSON object of encoded values by key.

    >>> join_object({"a": "[1]", "b": "2"})
    '{"a":[1],"b":2}'
    """
    return "{" + ",".join([f"{_dumps(key)}:{text}" for key, text in parts.items()]) + "}"


def split_object(text: str) -> dict[str, str]:
    """The inverse of :func:`join_object`. ValueError where ``text`` is no compact JSON object.

    >>> split_object('{"a":[1],"b":2}')
    {'a': '[1]', 'b': '2'}
    """
    parts: dict[str, str] = {}
    start, last = _between(text, "{}")
    scan = _plain_decoder.raw_decode
    while start < last:
        key, end = scan(text, start)
        _expect(text, end, ":")
        _, after = scan(text, end + 1)
        parts[key] = text[end + 1 : after]
        start = _next(text, after, last)
    return parts


def split_array(text: str) -> list[str]:
    """The encoded values in a JSON array. ValueError where ``text`` is no compact JSON array.

    >>> split_array('[1,"two",[3]]')
    ['1', '"two"', '[3]']
    """
    parts: list[str] = []
    start, last = _between(text, "[]")
    scan = _plain_decoder.raw_decode
    while start < last:
        _, after = scan(text, start)
        parts.append(text[start:after])
        start = _next(text, after, last)
    return parts


def _between(text: str, brackets: str) -> tuple[int, int]:
    if len(text) < 2 or text[0] != brackets[0] or text[-1] != brackets[1]:
        raise ValueError(f"not a compact JSON text in {brackets}: {visible(text, 80)}")
    return 1, len(text) - 1


def _next(text: str, after: int, last: int) -> int:
    if after != last:
        _expect(text, after, ",")
        after += 1
        if after == last:
            raise ValueError(f"a value is missing at {after}: {visible(text, 80)}")
    return after


def _expect(text: str, index: int, character: str) -> None:
    if text[index : index + 1] != character:
        raise ValueError(f"{character!r} expected at {index}: {visible(text, 80)}")
