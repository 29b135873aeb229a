"""Stored JSON cut into its parts and put together again, without decoding what is in them.

A context of a hundred keys is read and written without turning a hundred values into objects.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final

_load: Final = json.JSONDecoder(parse_float=None).decode
_dump: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
quote: Final = json.JSONEncoder(ensure_ascii=False).encode


def split_object(text: str) -> dict[str, str]:
    """Key -> JSON text of each member of a JSON object.

    >>> split_object('{"a":[1,2],"b":null}')
    {'a': '[1,2]', 'b': 'null'}
    """
    return {key: _dump(value) for key, value in _load(text).items()}


def split_array(text: str) -> list[str]:
    """The JSON text of each item of a JSON array.

    >>> split_array('["a",{"b":1}]')
    ['"a"', '{"b":1}']
    """
    return [_dump(value) for value in _load(text)]


def join_object(members: Mapping[str, str]) -> str:
    """The inverse of :func:`split_object`.

    >>> join_object({"a": "[1,2]", "b": "null"})
    '{"a":[1,2],"b":null}'
    """
    return "{" + ",".join([f"{quote(key)}:{text}" for key, text in members.items()]) + "}"


def join_array(items: Iterable[str]) -> str:
    """The inverse of :func:`split_array`."""
    return "[" + ",".join(items) + "]"
