"""Fork and join: which members a block has, when it is decided, and what it gives.

Members never see each other. Their changes to the context are replayed in the order in which they
were declared, or in item order, whatever the order in which they ended.

Pure: it says what is to happen; the store locks, counts and writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from ..exceptions import ContextConflict, DefinitionChanged
from . import values
from .context import Change, fold
from .machine import Outcome
from .paths import node_name
from .results import MemberFailure
from .state import EMPTY

if TYPE_CHECKING:
    from collections.abc import Mapping


class Member(NamedTuple):
    """A strand as its join finds it. ``ended`` orders members by the time of their end."""

    path: str
    status: str
    output: str = "null"
    error: dict[str, Any] | None = None
    changes: tuple[Change, ...] = ()
    outputs: Mapping[str, str] = EMPTY
    references: Mapping[str, str] = EMPTY
    fatal: bool = False
    ended: Any = 0

    @property
    def name(self) -> str:
        """What people call it: ``user``, ``sending[17]``."""
        return self.path.rpartition("/")[2]


def members_of(block: Any, path: str, items: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """(path, encoded item) of each strand that a fork at ``path`` begins, in order.

    >>> members_of(Newsletter.sending, "sending", ['"ada"', '"bob"'])  # doctest: +SKIP
    (('sending[0]', '"ada"'), ('sending[1]', '"bob"'))
    """
    if block.kind == "foreach":
        return tuple((f"{path}[{index}]", item) for index, item in enumerate(items))
    return tuple((f"{path}/{child.name}", "null") for child in block.children)


def decides(block: Any, completed: bool) -> bool:
    """Whether the end of one member may end the whole block at once: the first to complete of a
    race, a failure where ``on_error`` is "fail_fast". ``block`` is None when the code has no such
    block any more."""
    if block is not None and block.kind == "race":
        return completed
    return not completed and (block is None or block.on_error == "fail_fast")


def join(block: Any, fork: str, members: Sequence[Member], count: int, failures: int) -> Outcome:
    """What the block gives, all its members having ended.

    ``members`` are those that completed or failed, in order; of a foreach only those that changed
    the context or failed. ``count`` and ``failures`` are over all of them. ``fork`` is the stored
    form of the results.
    """
    for member in members:
        if stops(member.error):
            return Outcome("failed", error=member.error, fatal=True)
    if block.kind == "race":
        return _join_race(members)
    tolerated = block.tolerated(count)
    if tolerated is not None and failures > tolerated:
        return _failed(members, last=block.on_error == "fail_fast")
    done = [member for member in members if member.status == "completed"]
    changes = merge(done)
    if block.kind == "foreach":
        return Outcome("completed", fork, changes)
    found = {node_name(member.path): _output(member) for member in members}
    return Outcome("completed", values.join_object(found), changes, **_gave(done))


def stops(error: Mapping[str, Any] | None) -> bool:
    """Whether a run with this error stops where it is, to be continued when its code is right: no
    member's failure to be borne, and nothing to be undone."""
    return error is not None and error.get("type") == DefinitionChanged.__name__


def _join_race(members: Sequence[Member]) -> Outcome:
    for member in members:
        if member.status == "completed":
            winner = values.quote(node_name(member.path))
            output = f'{{"winner":{winner},"value":{member.output}}}'
            return Outcome("completed", output, merge([member]), **_gave([member]))
    return _failed(members, last=False)


def _failed(members: Sequence[Member], last: bool) -> Outcome:
    """The failure of the block: the member whose failure ended it, or that failed first."""
    failed = sorted((m for m in members if m.status == "failed"), key=lambda m: m.ended)
    member = failed[-1 if last else 0]
    return Outcome("failed", error=member.error, fatal=member.fatal)


def _output(member: Member) -> str:
    if member.status == "completed":
        return member.output
    error = member.error or {}
    failure = MemberFailure(str(error.get("type", "")), str(error.get("message", "")))
    return values.encode(failure, member.name)


def what_members_gave(kind: str, members: Sequence[Member]) -> dict[str, Any]:
    """The fields of the outcome of a parallel's or race's join that completed, of the nodes inside
    its members."""
    done = [member for member in members if member.status == "completed"]
    return _gave(done[:1] if kind == "race" else done)


def _gave(done: Iterable[Member]) -> dict[str, Any]:
    """The outputs of the nodes inside members, which those behind the block see."""
    outputs: dict[str, str] = {}
    references: dict[str, str] = {}
    for member in done:
        outputs.update(member.outputs)
        references.update(member.references)
    return {"gave": outputs, "gave_references": references}


def merge(done: Sequence[Member]) -> tuple[Change, ...]:
    """The changes of completed members as one, in their order."""
    if not any(member.changes for member in done):
        return ()
    return fold(tuple(change for member in done for change in member.changes))


def conflict(done: Sequence[Member]) -> ContextConflict | None:
    """What members did to one key that cannot be kept: two different values set under it, or a
    value set over what an earlier member appended or added. None if nothing is lost."""
    touched: dict[str, list[tuple[Change, Member]]] = {}
    for member in done:
        for change in member.changes:
            touched.setdefault(change.key, []).append((change, member))
    lost = {}
    for key, found in touched.items():
        if any(_overwrites(now, before) for before, now in pairwise(found)):
            lost[key] = [member.name for _, member in found]
    if not lost:
        return None
    told = "; ".join(
        f'context["{key}"] by {", ".join(dict.fromkeys(names[:9]))}{_more(names)}'
        for key, names in lost.items()
    )
    return ContextConflict(f"members set one key to different values, the last one stays: {told}")


def _overwrites(now: tuple[Change, Member], before: tuple[Change, Member]) -> bool:
    change, member = now
    earlier, other = before
    if member is other or change.op not in ("set", "delete"):
        return False
    return (change.op, change.text) != (earlier.op, earlier.text)


def _more(names: Sequence[str]) -> str:
    more = len(set(names)) - 9
    return f" and {more} more" if more > 0 else ""
