"""The laws that hold of every step of the way, whoever walks it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from durable_django.definition.definition import Definition
from durable_django.engine import machine
from durable_django.engine.joining import Member
from durable_django.engine.machine import Outcome, Transition, Visit
from durable_django.engine.paths import node_name
from durable_django.engine.results import MemberFailure
from durable_django.engine.state import RunState

VERDICTS = {
    machine.CONTINUE,
    machine.RETRY,
    machine.COMPLETE,
    machine.FAIL,
    machine.FORK,
    machine.REOPEN,
}


def judge_transition(
    definition: Definition,
    before: RunState,
    visit: Visit,
    outcome: Outcome,
    transition: Transition,
) -> None:
    """Total: there is a verdict, and a place to go on unless it is over. Monotone: what was known
    stays known."""
    after, verdict = transition.state, transition.verdict
    assert verdict in VERDICTS
    assert (after.seq, after.base, after.inherited) == (
        before.seq + 1,
        before.base,
        before.inherited,
    )
    known = before.outputs.keys() | before.references.keys()
    assert known <= after.outputs.keys() | after.references.keys()
    assert (outcome.status == "completed") == (
        verdict in (machine.CONTINUE, machine.FORK, machine.COMPLETE)
    )
    assert bool(after.next_path) == (verdict != machine.COMPLETE)
    assert not after.reopens
    assert bool(after.fork) == (bool(outcome.members) or (visit.joins and verdict in REPEATED))
    if outcome.status != "completed":
        assert (after.next_path, after.context) == (before.next_path, before.context)
        assert (after.outputs, after.changes) == (before.outputs, before.changes)
    elif verdict != machine.COMPLETE:
        assert machine.next_visit(definition, after).attempt == 1
        assert after.next_path.startswith(before.base)


REPEATED = (machine.FAIL, machine.RETRY, machine.REOPEN)


def judge_join(
    block: Any,
    members: Sequence[Member],
    count: int,
    outcome: Outcome,
    given: Callable[[str], Any],
) -> None:
    """``members`` are all that were not cancelled, in order. Asserts what the block gives."""
    done = [member for member in members if member.status == "completed"]
    failed = sorted((m for m in members if m.status == "failed"), key=lambda m: m.ended)
    assert [member.ended for member in failed] == list(range(1, len(failed) + 1))
    tolerated = count - 1 if block.kind == "race" else block.tolerated(count)
    if tolerated is not None and len(failed) > tolerated:
        decided = failed[-1] if block.on_error == "fail_fast" else failed[0]
        assert (outcome.status, outcome.error) == ("failed", decided.error)
        assert block.kind != "race" or not done
        if block.on_error == "fail_fast":
            assert len(failed) == tolerated + 1, "the block ends with the failure that is too much"
        return
    assert outcome.status == "completed"
    if block.kind == "race":
        (winner,) = done
        name = node_name(winner.path)
        assert given(outcome.output) == {"winner": name, "value": given(winner.output)}
        return
    assert len(members) == count, "all have run"
    expected = [_given(member, given) for member in members]
    if block.kind == "foreach":
        assert given(outcome.output) == expected, "in the order of the items"
    else:
        names = [child.name for child in block.children]
        assert list(given(outcome.output).items()) == list(zip(names, expected, strict=True))


def _given(member: Member, given: Callable[[str], Any]) -> Any:
    if member.status == "completed":
        return given(member.output)
    assert member.error is not None
    return MemberFailure(member.error["type"], member.error["message"])
