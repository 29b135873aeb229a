"""A run and all its strands in memory: what the store counts and writes, in the simplest way.

A `Forest` is a world in which several executions stand side by side. It judges every step of the
way by the laws of the machine: total, safe, monotone; who walks it judges whether it is live.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from durable_django import Fatal
from durable_django.engine import joining, machine, values
from durable_django.engine.context import Change, encode_changes, fold
from durable_django.engine.joining import Member
from durable_django.engine.machine import Outcome, Recorded, Transition, Visit
from durable_django.engine.paths import fork_of, is_joining, node_name
from durable_django.engine.results import MemberFailure, Results, results_text
from durable_django.engine.state import given_by
from durable_django.engine.values import decode, encode, quote
from durable_django.exceptions import LoopLimitExceeded, NotSerializable

from .judging import judge_join, judge_transition
from .rows import Ground, Row, fetch

CHOICES = {"none": None, "again": True, "stop": False, "on": None}


class Forest:
    """``rows`` are the executions by path; ``archive`` those whose join is through; ``done`` the
    visits that have completed."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.definition = ground.definition
        run = Row("", machine.initial_state(self.definition))
        self.rows: dict[str, Row] = {"": ground.put(run, {})}
        self.archive: dict[str, Row] = {}
        self.done: frozenset[str] = frozenset()

    def copy(self) -> Forest:
        twin = object.__new__(Forest)
        twin.ground, twin.definition = self.ground, self.definition
        twin.rows, twin.archive, twin.done = dict(self.rows), dict(self.archive), self.done
        return twin

    @property
    def run(self) -> Row:
        return self.rows[""]

    def key(self) -> frozenset[Row]:
        """Equal for worlds from which the same things can happen."""
        return frozenset(self.rows.values())

    # -- what can happen ---------------------------------------------------------------------

    def ready(self) -> list[str]:
        """Who may be claimed: ready, or asleep until a time that comes."""
        return [
            path
            for path, row in self.rows.items()
            if row.status in ("pending", "sleeping") and not row.held_back
        ]

    def running(self) -> list[str]:
        return [path for path, row in self.rows.items() if row.status == "running"]

    def parked(self) -> list[str]:
        """Who waits for an event."""
        return [path for path, row in self.rows.items() if row.status == "parked"]

    def visit(self, path: str) -> Visit:
        return machine.next_visit(self.definition, self.rows[path].state)

    def start(self, path: str) -> Visit:
        """Somebody claims the execution and begins its next visit."""
        row, visit = self.rows[path], self.visit(path)
        assert not row.is_over
        assert visit.path not in self.done, "a visit that completed is not made again"
        assert all(self.rows[above].status == "waiting" for above in self._above(row))
        if visit.joins:
            assert all(member.is_over for member in self.members(row)), "all members have ended"
        else:
            assert not row.remaining
        self._judge_place(row)
        self._change(path, status="running")
        return visit

    def _judge_place(self, row: Row) -> None:
        """In each fork above there is a place for it, and nothing is decided."""
        while row.parent is not None:
            parent = self.rows[row.parent.path]
            members = self.members(parent)
            block: Any = self.definition.nodes[node_name(row.state.base)]
            begun = [m for m in members if not (m.is_over or m.held_back)]
            assert row in begun
            assert len(begun) <= (block.concurrency or len(members))
            if block.on_error == "fail_fast":
                failed = [m for m in members if m.status == "failed"]
                assert len(failed) <= block.tolerated(len(members)), "it would never have started"
            if block.kind == "race":
                assert not any(m.status == "completed" for m in members)
            row = parent

    def crash(self, path: str) -> None:
        """The worker is gone; the next one has what is stored."""
        self._put(path, self.ground.read_again(self.rows[path]))

    def park(self, path: str) -> None:
        """The run leaves the memory with a snapshot."""
        row = self.rows[path]
        self._put(path, self.ground.parked(row, row.state, row.seq_of))

    def resolve(self, path: str, how: str) -> None:
        """What somebody waits for is there ("answered"), or its time is up ("late")."""
        assert self.rows[path].awaits == "open"
        self._change(path, status="pending", awaits=how)

    def end(self, path: str, kind: str, output: str = "", changes: tuple[Change, ...] = ()) -> None:
        """The visit that runs ends this way, and is recorded."""
        row, made = self.rows[path], self.ground.made
        members = tuple(self.members(row)) if is_joining(row.state.next_path) else ()
        key = (row, kind, output, changes, members)
        if key not in made:
            made[key] = self._conclude(row, kind, output or quote(row.state.next_path), changes)
        visit, outcome, transition, changed = made[key]
        if outcome.status == "completed":
            assert visit.path not in self.done, "a join opens once, a visit completes once"
            self.done |= {visit.path}
        self._put(path, changed)
        self._go_on(path, visit, outcome, transition)

    def _conclude(self, row: Row, kind: str, output: str, changes: tuple[Change, ...]) -> Any:
        visit = machine.next_visit(self.definition, row.state)
        outcome = self._outcome(row, visit, kind, output, changes)
        advance = partial(machine.advance, self.definition, row.state, visit)
        try:
            transition = advance(outcome, lambda ref: fetch(self.ground, row, ref))
        except (LoopLimitExceeded, TypeError, NotSerializable) as error:
            outcome = Outcome("failed", error=machine.error_of(error, None, ""), fatal=True)
            transition = advance(outcome)
        if outcome.status == "waiting":
            assert transition == Transition(row.state, machine.PARK), "it is the same attempt still"
            assert not row.awaits, "what is there is not waited for again"
        else:
            judge_transition(self.definition, row.state, visit, outcome, transition)
        return visit, outcome, transition, self._stored(row, visit, outcome, transition)

    def _outcome(
        self, row: Row, visit: Visit, kind: str, output: str, changes: tuple[Change, ...]
    ) -> Outcome:
        if visit.joins:
            return Outcome("cancelled") if row.state.reopens else self._join(row, visit)
        if kind == "waits":
            return Outcome("waiting")
        if kind in ("failure", "fatal"):
            error = Fatal(visit.path) if kind == "fatal" else ValueError(visit.path)
            delay = machine.retry_delay(self.definition, visit.node, visit.attempt, error, 0.5)
            stored = machine.error_of(error, visit.node.name, "")
            return Outcome("failed", error=stored, delay=delay, fatal=kind == "fatal")
        if visit.node.kind in ("parallel", "race", "foreach"):
            items = [encode(number, "item") for number in range(int(kind))]
            members = joining.members_of(visit.node, visit.path, items)
            first = self.ground.first_id(visit.path)
            text = results_text(first, len(members), visit.node.kind) if members else "[]"
            return Outcome("completed", text, changes, members=members)
        if visit.node.kind in ("branch", "loop", "decision"):
            output = encode(CHOICES.get(kind, kind), "output")
        return Outcome("completed", output, changes, finish=kind == "finish")

    def _stored(
        self, row: Row, visit: Visit, outcome: Outcome, transition: Transition
    ) -> dict[str, Any]:
        """What of the row changes with the record, but its status."""
        state, seq_of = transition.state, row.seq_of
        if outcome.status == "completed":
            names = given_by(visit.path, visit.node.kind, state.next_path, state.base)
            seq_of = {**seq_of, **dict.fromkeys(names, str(visit.seq))}
            self.ground.outputs[self.ground.hex_of(row), visit.seq] = transition.output
        record = Recorded(
            visit.seq,
            visit.path,
            outcome.status,
            visit.attempt,
            transition.output,
            encode_changes(outcome.changes),
            state.next_path,
            visit.node.kind,
        )
        parked = {**self.ground.parked(row, state, seq_of), "awaits": ""}
        if transition.verdict == machine.PARK:
            return {**parked, "recorded": (record,), "awaits": "open"}
        if transition.verdict == machine.COMPLETE:
            return {**parked, "result": transition.result, "changes": fold(state.changes)}
        if transition.verdict != machine.CONTINUE:
            error = outcome.error if transition.verdict == machine.FAIL else None
            return {**parked, "error": error}
        before = [each for each in row.recorded if each.status != "waiting"]
        changed = {"recorded": (*before, record), "state": state, "seq_of": seq_of, "awaits": ""}
        if visit.joins:  # what members gave stands nowhere in the run's own rows
            changed |= {"snapshot": parked["snapshot"], "recorded": ()}
        return changed

    def _go_on(self, path: str, visit: Visit, outcome: Outcome, transition: Transition) -> None:
        verdict = transition.verdict
        if visit.joins and outcome.status == "completed":
            for below in self._below(path):
                self.archive[below] = self.rows.pop(below)
        if verdict == machine.CONTINUE:
            self._change(path, status="pending")
        elif verdict == machine.RETRY:
            self._change(path, status="sleeping")
        elif verdict == machine.PARK:
            self._change(path, status="parked")
        elif verdict == machine.FORK:
            self._fork(path, visit, outcome)
        elif verdict == machine.REOPEN:
            self._reopen_members(path)
        else:
            completes = verdict == machine.COMPLETE
            self._change(path, status="completed" if completes else "failed")
            if path and outcome.finish:
                self._end_below("")
                self._change("", status="completed", result=transition.result)
            elif path:
                self._count_end(path, completes)

    # -- fork and join -----------------------------------------------------------------------

    def members(self, row: Row) -> list[Row]:
        """The members of the fork at which the row stands, in order."""
        if not row.state.fork:
            return []
        fork = self.ground.forks[decode(row.state.fork).first_id]
        found = [each for each in self.rows.values() if each.parent and fork_of(each.path) == fork]
        return sorted(found, key=lambda each: each.index)

    def _fork(self, path: str, visit: Visit, outcome: Outcome) -> None:
        block: Any = visit.node
        count = len(outcome.members)
        beginning = min(block.concurrency or count, count)
        released = beginning - 1 if beginning < count else None
        self._change(path, status="waiting", remaining=count, failures=0, released=released)
        parent = self.rows[path]
        for index, (below, item) in enumerate(outcome.members):
            held_back = index >= beginning
            status = "waiting" if held_back else "pending"
            self.rows[below] = self.ground.strand(
                parent, index, below, item, status=status, held_back=held_back
            )

    def _count_end(self, path: str, completes: bool) -> None:
        """A strand has ended: its parent counts it, or ends the others."""
        row = self.rows[path]
        assert row.above is not None
        parent = self.rows[row.above]
        block: Any = self.definition.nodes[node_name(row.state.base)]
        failures = parent.failures + (not completes)
        if not completes:
            self._change(path, ended=failures)
        decides = joining.decides(block, completes)
        if decides and not completes:
            tolerated = block.tolerated(len(decode(parent.state.fork))) or 0
            decides = failures > tolerated
        if decides:
            self._end_below(parent.path)
        left = 0 if decides else parent.remaining - 1
        self._change(parent.path, remaining=left, failures=failures)
        if not left:
            self._change(parent.path, status="pending", released=None)
        elif parent.released is not None:
            self._release(parent.path, parent.released + 1)

    def _release(self, path: str, index: int) -> None:
        """The next member that is held back begins."""
        later = [m for m in self.members(self.rows[path]) if m.held_back and m.index >= index]
        if later:
            self._change(later[0].path, held_back=False, status="pending")
        self._change(path, released=later[0].index if len(later) > 1 else None)

    def _end_below(self, path: str) -> None:
        for below in self._below(path):
            if not self.rows[below].is_over:
                self._stop(below)

    def _stop(self, path: str) -> None:
        self._put(path, self.ground.stopped(self.rows[path]))
        self._change(path, status="cancelled", held_back=False)

    def _join(self, row: Row, visit: Visit) -> Outcome:
        block: Any = visit.node
        results: Results = decode(row.state.fork)
        rows = self.members(row)
        members = [self._member(each) for each in rows if each.status != "cancelled"]
        failed = sorted((m for m in members if m.status == "failed"), key=lambda m: m.ended)
        told = members
        if block.kind == "foreach":  # of ten thousand items only those that tell the join something
            changed = [m for m in members if m.status == "completed" and m.changes]
            told = changed + failed[:1] + failed[-1:]
        try:
            outcome = joining.join(block, row.state.fork, told, len(results), len(failed))
        except (TypeError, NotSerializable) as error:
            return Outcome("failed", error=machine.error_of(error, None, ""), fatal=True)
        judge_join(block, members, len(results), outcome, self.given)
        return outcome

    def _member(self, row: Row) -> Member:
        state = self.ground.ended_state(row)
        return Member(
            row.path,
            row.status,
            row.result,
            row.error,
            row.changes,
            state.outputs,
            state.references,
            state.fatal,
            row.ended,
        )

    # -- the words of others -----------------------------------------------------------------

    def cancel(self) -> None:
        """The run is cancelled, with all that is below it."""
        self._end_below("")
        self._stop("")

    def retry(self) -> None:
        """The run, failed or cancelled, goes on where it stood."""
        self._ready_again("")

    def _ready_again(self, path: str, held_back: bool = False) -> None:
        """What has ended goes on; the members of one that has to wait for its turn wait, too."""
        self._put(path, self.ground.go_on(self.rows[path], held_back), reopens=True)
        state = self.rows[path].state
        if is_joining(state.next_path) and not state.reopens:
            self._reopen_members(path)

    def _reopen_members(self, path: str) -> None:
        """Those that failed or were cancelled run again."""
        block: Any = self.definition.nodes[node_name(self.rows[path].state.next_path)]
        members = self.members(self.rows[path])
        ended = [m for m in members if m.status in ("failed", "cancelled")]
        if block.kind == "race" and any(m.status == "completed" for m in members):
            ended = []  # it is decided; who has lost does not run again
        beginning = min(block.concurrency or len(ended), len(ended))
        for number, member in enumerate(ended):
            self._ready_again(member.path, held_back=number >= beginning)
        released = ended[beginning - 1].index if beginning < len(ended) else None
        status = "waiting" if ended else "pending"
        self._change(path, status=status, remaining=len(ended), failures=0, released=released)

    # -- rows --------------------------------------------------------------------------------

    def _put(self, path: str, changes: dict[str, Any], *, reopens: bool = False) -> None:
        assert reopens or "status" not in changes or not self.rows[path].is_over
        self.rows[path] = self.ground.put(self.rows[path], changes)

    def _change(self, path: str, **changes: Any) -> None:
        self._put(path, changes)

    def _above(self, row: Row) -> list[str]:
        above = []
        while row.parent is not None:
            above.append(row.parent.path)
            row = row.parent
        return above

    def _below(self, path: str) -> list[str]:
        return [each for each, row in self.rows.items() if path in self._above(row)]

    # -- what people see -----------------------------------------------------------------------

    def given(self, text: str) -> Any:
        """A stored value as people see it: results of a foreach as a plain list."""
        return self.plain(values.decode(text))

    def plain(self, value: Any) -> Any:
        if isinstance(value, Results):
            fork = self.ground.forks[value.first_id]
            rows = {**self.archive, **self.rows}
            return [self._given_by(rows[f"{fork}[{number}]"]) for number in range(len(value))]
        if isinstance(value, dict):
            return {key: self.plain(each) for key, each in value.items()}
        return value

    def _given_by(self, row: Row) -> Any:
        if row.error is not None:
            return MemberFailure(row.error["type"], row.error["message"])
        return self.given(row.result)
