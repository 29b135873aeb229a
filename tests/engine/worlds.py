"""Workflows to walk through without a database: made from a few numbers, driven by outcomes.

A `World` keeps beside the machine's state what would stand in the rows, so that a crash is a replay
of them; it judges every step of the way by the machine's laws.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from durable_django import Fatal, Retry, RetryAfter, Workflow, step
from durable_django.definition import registry
from durable_django.definition.definition import Definition
from durable_django.engine import machine
from durable_django.engine.context import Change, encode_changes
from durable_django.engine.machine import Outcome, Recorded
from durable_django.engine.state import RunState, from_snapshot, to_snapshot

# What may become of an attempt.
OUTCOMES = ("success", "error", "fatal", "retry_after", "timeout", "finish")
ERRORS = {"error": ValueError("no"), "fatal": Fatal("never"), "retry_after": RetryAfter(5)}


def make_definition(attempts: tuple[int | None, ...]) -> Definition:
    """A sequence of steps n0, n1, …, each with so many attempts; None declares no Retry."""
    lines = ["class Made(Workflow):", "    class Meta:", "        name = 'made'"]
    for number, count in enumerate(attempts):
        option = "" if count is None else f"(retry=Retry({count}, backoff='linear', base=3))"
        lines += [f"    @step{option}", f"    def n{number}(self): ..."]
    names: dict[str, Any] = {"Workflow": Workflow, "Retry": Retry, "step": step}
    with registry.isolate():
        exec("\n".join(lines), names)
    return names["Made"].definition


@dataclass
class World:
    """One run: its state in memory, and the rows from which any worker can make it again."""

    definition: Definition
    state: RunState = None  # type: ignore[assignment]
    rows: list[Recorded] = field(default_factory=list)
    snapshot: str = ""
    verdict: str = machine.CONTINUE
    started: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.state is None:
            self.state = machine.initial_state(self.definition)

    @property
    def over(self) -> bool:
        return self.verdict in (machine.COMPLETE, machine.FAIL)

    def copy(self) -> World:
        return World(
            self.definition,
            self.state,
            list(self.rows),
            self.snapshot,
            self.verdict,
            list(self.started),
            list(self.done),
        )

    def attempt(self, kind: str, changes: tuple[Change, ...] = ()) -> None:
        """The next visit is made, ends this way, and is recorded."""
        before = self.state
        visit = machine.next_visit(self.definition, before)
        name = visit.node.name
        assert name not in self.done, "a node that completed is not started again"
        assert name == f"n{len(self.done)}", "nodes run in the order they stand"
        assert (visit.seq, visit.attempt) == (before.seq + 1, before.attempt + 1)
        outcome = self._outcome(visit, kind, changes)
        after = machine.advance(self.definition, before, visit, outcome)
        self._judge(visit, outcome, before, after)
        self.started.append(name)
        self.state, self.verdict = after.state, after.verdict
        if outcome.status == "completed":
            self.done.append(name)
        self.rows.append(
            Recorded(
                visit.seq,
                visit.path,
                outcome.status,
                visit.attempt,
                outcome.output,
                encode_changes(outcome.changes),
                after.state.next_path,
            )
        )

    def _outcome(self, visit: machine.Visit, kind: str, changes: tuple[Change, ...]) -> Outcome:
        if kind in ("success", "finish"):
            return Outcome("completed", str(visit.seq), changes, finish=kind == "finish")
        error = ERRORS.get(kind, TimeoutError("late"))
        delay = machine.retry_delay(self.definition, visit.node, visit.attempt, error, 0.5)
        status = "timed_out" if kind == "timeout" else "failed"
        return Outcome(status, error={"type": kind}, delay=delay)

    def _judge(
        self,
        visit: machine.Visit,
        outcome: Outcome,
        before: RunState,
        after: machine.Transition,
    ) -> None:
        assert after.state.seq == before.seq + 1
        assert before.outputs.keys() <= after.state.outputs.keys(), "nothing is un-finished"
        last = visit.node.name == next(reversed(self.definition.nodes))
        if outcome.status == "completed":
            over = outcome.finish or last
            assert after.verdict == (machine.COMPLETE if over else machine.CONTINUE)
            assert after.result == (outcome.output if over else "null")
            assert after.state.outputs[visit.node.name] == outcome.output
            assert bool(after.state.next_path) is not over
            return
        assert (after.state.context, after.state.outputs) == (before.context, before.outputs)
        assert after.state.next_path == before.next_path
        if outcome.delay is None:
            assert after.verdict == machine.FAIL
        else:
            assert (after.verdict, after.delay) == (machine.RETRY, outcome.delay)

    def take_snapshot(self) -> None:
        """What parking and every hundredth step do. Of one that is through, it is the last."""
        self.snapshot = to_snapshot(self.state)
        self.rows.clear()

    def replayed(self, running: bool = False) -> tuple[RunState, Recorded | None]:
        """The state as another worker makes it from the rows; `running` adds a committed start."""
        state = from_snapshot(self.snapshot) if self.snapshot else RunState("")
        rows = list(self.rows)
        if running:
            visit = machine.next_visit(self.definition, self.state)
            rows.append(
                Recorded(visit.seq, visit.path, "running", visit.attempt, "null", "[]", visit.path)
            )
        state, started = machine.replay(state, rows)
        if not state.next_path and not state.last:  # no row and no snapshot names the first node
            state = state._replace(next_path=self.definition.first)
        return state, started

    def crash(self, running: bool = False) -> None:
        """The worker is gone; the next one has only the rows."""
        state, started = self.replayed(running)
        assert state == self.state
        assert (started is not None) is running
        if started is not None:
            again = machine.next_visit(self.definition, state)
            assert (again.seq, again.attempt) == (started.seq, started.attempt)
        self.state = state
