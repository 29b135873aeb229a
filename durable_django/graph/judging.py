"""Judging: from the facts of a run to the state of each node, and to the way it took.

A node shows what is true now where the run is, and how it last ended elsewhere. Pure: it reads
nothing, and guesses only where rows are missing since nothing was written yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from ..engine import values
from ..engine.paths import JOIN, node_name
from .facts import Attempts, Facts, Latest
from .places import Places
from .plan import FORKS, PlanNode
from .states import NodeState, States

COMPENSATION: Final = "compensation"
DONE: Final = frozenset({"completed", "skipped"})
BAD: Final = frozenset({"failed", "timed_out"})
# In the order in which they tell most of a block, or of a node at several places at once.
ALIVE: Final = ("running", "waiting", "sleeping", "paused", "pending", "held_back", "scheduled")


def judge(plan: tuple[PlanNode, ...], facts: Facts) -> States:
    """Where a run stands in its plan."""
    judged = _Judge(plan, facts)
    for node in plan:
        judged.settle(node)
    return States(
        status=facts.status,
        is_final=facts.is_final,
        is_partial=facts.is_partial,
        nodes={key: state for key, state in judged.states.items() if state.status},
        ways=frozenset(judged.ways()),
    )


class _Judge:
    """Settles node by node, those inside a block before the block itself."""

    def __init__(self, plan: tuple[PlanNode, ...], facts: Facts) -> None:
        self.facts = facts
        self.places = Places(plan)
        self.states: dict[str, NodeState] = {}
        self.groups: dict[str, list[Attempts]] = {}
        self.undone: dict[str, list[Attempts]] = {}
        for group in facts.attempts:
            kept = self.undone if group.kind == COMPENSATION else self.groups
            kept.setdefault(group.name, []).append(group)
        self.here = Counter[tuple[str, str]]()
        for (place, status), number in facts.here.items():
            self.here[self.places.begin(place), status] += number
        self.strands: dict[str, Counter[str]] = {}
        for strand in facts.strands:
            self.strands.setdefault(strand.name, Counter())[strand.status] += strand.number
        self.waits: dict[str, Counter[str]] = {}
        for wait in facts.waits:
            status = "sleeping" if wait.kind == "sleep" else "waiting"
            self.waits.setdefault(wait.node, Counter())[status] += wait.number
        self.current, self.is_joining = self._current()

    def _current(self) -> tuple[str, bool]:
        """The node the run itself is at, and whether it waits for the members of a fork there."""
        path = self.facts.next_path
        if self.facts.status == "compensating" or path == "":
            return "", False
        if path is None:
            return self.places.first(), False
        return node_name(path), path.endswith(JOIN)

    def settle(self, node: PlanNode) -> None:
        """Finds the state of a node, and before it of all inside it."""
        for child in node.children:
            self.settle(child)
        status = self._block_status(node) if node.is_block else self._status(node)
        own = [group for group in self.groups.get(node.name, ()) if not group.joins]
        if node.kind == "case":
            own = []
        self.states[node.key] = NodeState(
            status=status,
            visits=sum(group.first for group in own),
            attempts=sum(group.number for group in own),
            seconds=sum(group.seconds for group in own),
            counts=self._counts(node, status) if status else {},
            iterations=self._iterations(node) if node.kind == "loop" else 0,
            taken=self._taken(node),
            here=self._here(node),
            undone=self._undone(node),
        )

    def _here(self, node: PlanNode) -> int:
        if self.facts.is_final or node.kind == "case":
            return 0
        members = sum(n for (name, _), n in self.here.items() if name == node.name)
        waiting = sum(self.waits.get(node.name, Counter()).values())
        return max(members, waiting) or int(node.name == self.current)

    def _newest(self, node: PlanNode) -> Latest | None:
        groups = self.groups.get(node.name)
        if not groups or node.kind == "case":
            return None
        return self.facts.latest.get(max(group.last_id for group in groups))

    def _status(self, node: PlanNode) -> str:
        """Of a node that is no block."""
        newest = self._newest(node)
        found = newest.status if newest is not None else ""
        if self.facts.is_final:
            if node.name == self.current and found not in BAD and self.facts.status != "completed":
                return self.facts.status if self.facts.status in ("failed", "cancelled") else found
            return found or self._of_member(node)
        return self._alive(node) or found or self._of_member(node)

    def _alive(self, node: PlanNode) -> str:
        """How it stands where the run, or one of its members, is here now."""
        if node.kind == "case":  # its label may be the name of a node
            return ""
        is_current = node.name == self.current
        if is_current and self.facts.status == "paused":
            return "paused"
        found = {*self.waits.get(node.name, ())}
        found |= {g.status for g in self.groups.get(node.name, ()) if g.status == "running"}
        found |= {status for name, status in self.here if name == node.name}
        if not found and is_current:
            found = {self.facts.status}
        return next((status for status in ALIVE if status in found), "")

    def _of_member(self, node: PlanNode) -> str:
        """The status of a strand that is this node, where no step run tells it."""
        owner = self.places.owner(node)
        if owner is None or node.kind == "case" or owner.kind not in ("parallel", "race"):
            return ""
        return _most_telling(self.strands.get(node.name, ()))

    def _block_status(self, node: PlanNode) -> str:
        inside = [self.states[child.key].status for child in node.children]
        newest = self._newest(node)
        if node.kind in FORKS and newest is not None:
            return self._fork_status(newest)
        if not self.facts.is_final:
            alive = {status for status in (*inside, self._alive(node)) if status in ALIVE}
            if alive:
                return alive.pop() if alive <= {"paused", "scheduled"} else "running"
        if newest is not None and (newest.status in BAD or self._left(node)):
            return newest.status
        if any(status in BAD for status in inside):
            return "failed"
        if self.facts.is_final and "cancelled" in inside:
            return "cancelled"
        if node.kind == "loop" and newest is None:
            return next(filter(None, inside), "")
        if newest is not None:
            return newest.status
        last = inside[-1] if inside else ""
        return last or self._of_member(node) or next(filter(None, inside), "")

    def _left(self, node: PlanNode) -> bool:
        """Whether the last visit of a block went on behind it."""
        groups = self.groups.get(node.name, [])
        newest = max(groups, key=lambda group: group.last_id)
        inside = {below.name for below in node.walk()} - {node.name}
        last = max((g.last_id for name in inside for g in self.groups.get(name, ())), default=0)
        return newest.status in DONE and newest.onward not in inside and newest.last_id > last

    def _fork_status(self, newest: Latest) -> str:
        if newest.path.endswith(JOIN) or not newest.next_path.endswith(JOIN):
            return newest.status
        if self.facts.is_final or self.facts.status == "compensating":
            return "failed" if self.facts.status != "cancelled" else "cancelled"
        return "paused" if self.facts.status == "paused" else "running"

    def _counts(self, node: PlanNode, status: str) -> dict[str, int]:
        if node.kind == "foreach":
            return dict(self.strands.get(node.name, ()))
        groups = [group for group in self.groups.get(node.name, ()) if not group.joins]
        visits = sum(group.first for group in groups)
        if node.is_block or visits < 2 or not self.places.is_in_foreach(node):
            return {}
        counts = Counter[str]()
        for group in groups:
            if group.status not in BAD:
                counts[group.status] += group.number
        if waits := self.waits.get(node.name):  # which say what those wait for that wait
            del counts["waiting"]
            counts.update(waits)
        counts["failed"] = max(visits - sum(counts.values()), 0)
        return {status: number for status, number in counts.items() if number}

    def _iterations(self, loop: PlanNode) -> int:
        """Those that the last visit of a loop has begun."""
        found = [0]
        sign = f"{loop.name}["
        names = {below.name for below in loop.walk()} - {loop.name}
        tests_first = bool(loop.options.get("while"))
        for row in self.facts.latest.values():
            if row.name in names:
                found.append(_number_after(row.path, sign))
            elif row.name == loop.name:
                number = _number_after(row.path, sign)
                ended = tests_first and f"{sign}{number}]/" not in row.next_path
                found.append(number - 1 if ended else number)
        if self.current in names:
            found.append(_number_after(self.facts.next_path or "", sign))
        return max(found)

    def _taken(self, node: PlanNode) -> str:
        newest = self._newest(node)
        if newest is None or newest.status != "completed" or not newest.output:
            return ""
        if node.kind == "race":
            head, _, rest = newest.output.partition('"winner":"')
            return rest.partition('"')[0] if head == "{" else ""
        return _text(newest.output) if node.kind in ("branch", "decision") else ""

    def _undone(self, node: PlanNode) -> str:
        groups = self.undone.get(node.undone_by)
        if not groups or not node.undone_by:
            return ""
        return max(groups, key=lambda group: group.last_id).status

    def ways(self) -> Iterable[tuple[str, str]]:
        """The arrows between neighbours that were taken, and those of jumps and turns."""
        for group in self.facts.attempts:
            if group.kind != COMPENSATION and group.status in DONE and group.onward:
                way = self.places.way(group.name, group.onward)
                if way is not None:
                    yield way


def _most_telling(statuses: Iterable[str]) -> str:
    known = {*statuses}
    order = (*ALIVE, "failed", "completed", "cancelled")
    return next((status for status in order if status in known), "")


def _number_after(path: str, sign: str) -> int:
    """``polling[3]/poll`` -> 3, for ``polling[``."""
    for part in reversed(path.split("/")):
        name, bracket, rest = part.partition("[")
        if bracket and f"{name.partition('#')[0]}[" == sign and rest != "]":
            digits = rest.rstrip("]")
            return int(digits) if digits.isdecimal() else 0
    return 0


def _text(output: str) -> str:
    try:
        value: Any = values.decode(output)
    except ValueError:
        return ""
    return value if isinstance(value, str) else ""
