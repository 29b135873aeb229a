"""Facts: what the database says of one run, counted; from these a graph's states follow.

Values only, as few as the plan has nodes, however many rows there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Attempts(NamedTuple):
    """The step runs of one node that ended the same way and went on to the same node.

    ``onward``  the name of the node that came next, "" for none
    ``joins``   they joined the members of a fork
    ``first``   how many were the first attempt of their visit
    ``last_id`` the newest of them
    """

    name: str
    kind: str
    status: str
    joins: bool
    onward: str
    number: int
    first: int
    seconds: float
    last_id: int


class Latest(NamedTuple):
    """The newest step run of a kind of `Attempts`; ``output`` is the beginning of what it gave."""

    id: int
    name: str
    path: str
    status: str
    output: str
    next_path: str


class Strands(NamedTuple):
    """How many members of a block have a status; ``name`` is that of the foreach, or of the member
    itself in a parallel or race."""

    name: str
    is_item: bool
    status: str
    number: int


class Open(NamedTuple):
    """How many waits are open at a node."""

    node: str
    kind: str
    number: int


class Facts(NamedTuple):
    """Where one run stands, as its rows say.

    ``status``    of the run
    ``next_path`` the visit it is at or goes on with, "" when it is through, None before the first
    ``here``      of members that have not ended: how many are at which node, and how they stand
    """

    status: str
    is_final: bool
    next_path: str | None
    attempts: Sequence[Attempts] = ()
    latest: Mapping[int, Latest] = {}
    strands: Sequence[Strands] = ()
    waits: Sequence[Open] = ()
    here: Mapping[tuple[str, str], int] = {}
    is_partial: bool = False
