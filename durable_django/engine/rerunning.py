"""Where a run can be run again from: its visits at the top level, and what comes before each.

A rerun begins at a node that stands outside any block, before the last visit the run paid it.
What a rollback has undone is never kept.

Pure: rows in, places out; the store reads and copies.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import NamedTuple

from .machine import COMPENSATION, THROUGH


class Ended(NamedTuple):
    """A step run of the run's own row, as far as it tells where the run has been."""

    seq: int
    path: str
    kind: str
    status: str
    next_path: str


class Place(NamedTuple):
    """A visit at the top level: ``path``, ``route#2``, with the first of its step runs, and the
    last that was recorded while the run still stood at it, not inside or behind."""

    path: str
    first_seq: int
    stood_until: int

    @property
    def node(self) -> str:
        """The name of the node visited."""
        return self.path.partition("#")[0]


class Start(NamedTuple):
    """Where a rerun begins: at ``node``, the first ``seq`` step runs and these ``kept`` visits
    standing; what people changed while it stood there, so ``until`` that step run, stands, too."""

    node: str
    seq: int
    kept: tuple[str, ...]
    until: int


class Starts(NamedTuple):
    """The places a run can be run again from, by node. ``undone`` are those that something stands
    before which was compensated."""

    possible: Mapping[str, Start]
    undone: Mapping[str, Start]

    @property
    def last(self) -> str | None:
        """The node that keeps the most; None if nothing can be kept, not even nothing."""
        return max(self.possible, key=lambda node: self.possible[node].seq, default=None)


def places(rows: Sequence[Ended], first: str) -> list[Place]:
    """The visits at the top level, in order, and the one the run would go on with; ``first`` is
    where a run begins. ``rows`` are all step runs of the run, by ``seq``.

    >>> rows = [Ended(1, "ask", "step", "completed", "route[1]/poll")]
    >>> [place.path for place in places(rows, "ask")]
    ['ask', 'route']
    """
    found: list[Place] = []
    onward, last_seq = first, 0
    for row in rows:
        if row.kind == COMPENSATION:
            break
        last_seq = row.seq
        if not found or found[-1].path != _top(row.path):
            found.append(Place(_top(row.path), row.seq, row.seq - 1))
        if row.path == found[-1].path and row.status not in THROUGH:
            found[-1] = found[-1]._replace(stood_until=row.seq)
        onward = row.next_path if row.status in THROUGH else row.path
    if onward and (not found or found[-1].path != _top(onward)):
        found.append(Place(_top(onward), last_seq + 1, last_seq))
    return found


def starts(rows: Sequence[Ended], first: str, top: Container[str]) -> Starts:
    """Where the run can be run again from. ``top`` are the nodes outside any block of the code as
    it is now; one that is gone cannot be started from."""
    found = places(rows, first)
    undone = _first_undone(rows, found)
    possible: dict[str, Start] = {}
    barred: dict[str, Start] = {}
    for index, place in enumerate(found):
        if place.node not in top:
            continue
        kept = tuple(each.path for each in found[:index])
        start = Start(place.node, place.first_seq - 1, kept, place.stood_until)
        # The last visit of a node counts, whatever may be said of those before.
        possible.pop(place.node, None)
        (possible if index <= undone else barred)[place.node] = start
    return Starts(possible, barred)


def _first_undone(rows: Iterable[Ended], found: Sequence[Place]) -> int:
    """The index of the first visit of which something was compensated, whatever came of it."""
    undone = {_top(row.path) for row in rows if row.kind == COMPENSATION}
    return next((i for i, place in enumerate(found) if place.path in undone), len(found))


def _top(path: str) -> str:
    """The visit at the top level a path lies in: ``route#2[3]/poll`` -> ``route#2``."""
    return path.partition("/")[0].partition("~")[0].partition("[")[0]
