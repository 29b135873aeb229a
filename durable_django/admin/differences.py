"""What is different between two values: which parts were added, removed, changed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

ADDED, REMOVED, CHANGED = "added", "removed", "changed"
DEPTH_MAX: Final = 20


class Difference(NamedTuple):
    """A part that is not the same, by the way to it: ``order.items[3]``. ``before`` means nothing
    for what was added, ``after`` nothing for what was removed."""

    path: str
    kind: str
    before: Any = None
    after: Any = None


def differences(before: Any, after: Any, path: str = "", depth: int = 0) -> Iterator[Difference]:
    """The smallest parts that differ, in order.

    >>> [tuple(found)[:2] for found in differences({"a": 1, "b": [1]}, {"b": [1, 2], "c": 3})]
    [('a', 'removed'), ('b[1]', 'added'), ('c', 'added')]
    """
    if depth < DEPTH_MAX and isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in [*before, *(key for key in after if key not in before)]:
            way = f"{path}.{key}" if path else str(key)
            yield from _of_part(before, after, key, way, depth, key in before, key in after)
    elif depth < DEPTH_MAX and isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            way, known = f"{path}[{index}]", (index < len(before), index < len(after))
            yield from _of_part(before, after, index, way, depth, *known)
    elif type(before) is not type(after) or before != after:
        yield Difference(path, CHANGED, before, after)


def _of_part(
    before: Any, after: Any, key: Any, path: str, depth: int, was: bool, is_now: bool
) -> Iterator[Difference]:
    if was and is_now:
        yield from differences(before[key], after[key], path, depth + 1)
    elif was:
        yield Difference(path, REMOVED, before=before[key])
    else:
        yield Difference(path, ADDED, after=after[key])
