"""The state machine: (definition, state) -> next action; (state, outcome) -> state and record.

Every rule about what runs next, what a failure means and when a run is over stands here, over
frozen data, so that it can be walked exhaustively in memory. It decides; the store writes; the
worker runs the bodies.

Pure: no clock, no settings, no database, no logging, no randomness (a draw is handed in).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from ..definition.retry import NO_RETRY
from ..exceptions import DefinitionChanged, RetryAfter
from . import values
from .context import Change, decode_changes
from .flow import Course, following, has_revisited, named_chain
from .paths import (
    chain_names,
    fork_of,
    is_joining,
    node_name,
    number_in,
    visits_on,
)
from .state import EMPTY, NO_VISITS, RunState, attempted, completed, given_by, undone

if TYPE_CHECKING:
    from ..definition.definition import Definition
    from ..definition.nodes import Node
    from .rollback import Undo

# What the stored form of an exception takes at the most.
ERROR_BYTES = 65_536

# Verdicts of a transition: what becomes of the run.
CONTINUE = "continue"  # the next node may start
RETRY = "retry"  # the same node again, after `delay` seconds
COMPLETE = "complete"  # the run is over, with `result`
FAIL = "fail"  # the run is over, with the outcome's error
FORK = "fork"  # its members run, until the last of them makes the run ready for the join
REOPEN = "reopen"  # the members that failed are run again, since the whole run is retried
PARK = "park"  # the same attempt goes on when what it waits for is there

# The kind of a visit that undoes another one.
COMPENSATION = "compensation"
# How the step run of a visit ended that is through: somebody may have said what it gave.
THROUGH = ("completed", "skipped")


class Visit(NamedTuple):
    """The next thing to do: attempt ``attempt`` of ``node``, recorded as step run ``seq``.

    ``undoes``  the visit that ``node``, a compensation, undoes
    """

    node: Node
    path: str
    seq: int
    attempt: int
    undoes: Undo | None = None

    @property
    def joins(self) -> bool:
        """Whether it joins the members of a fork, rather than running a body."""
        return is_joining(self.path)


class Outcome(NamedTuple):
    """How an attempt ended.

    ``status``  "completed", "failed", "timed_out", or "waiting": it has not ended
    ``error``   {"type", "message", "traceback", "node"} unless completed
    ``delay``   seconds until the next attempt, None for no further attempt
    ``finish``  True when the step called ``self.finish(value)``: ``output`` is the run's result
    ``fatal``   True when nothing may be tried again, not the run either
    ``members`` of a fork: (path, encoded item) of each strand that begins
    ``gave``    of a join: node name -> encoded output, and
    ``gave_references`` those that stand in rows, of the nodes inside the members
    ``waits``   of one that waits: what the store is to write of it
    ``wake_at`` when it goes on at the latest, None for no limit
    """

    status: str
    output: str = "null"
    changes: tuple[Change, ...] = ()
    error: dict[str, Any] | None = None
    delay: float | None = None
    finish: bool = False
    fatal: bool = False
    members: tuple[tuple[str, str], ...] = ()
    gave: Mapping[str, str] = EMPTY
    gave_references: Mapping[str, str] = EMPTY
    waits: tuple[Any, ...] = ()
    wake_at: datetime | None = None


class Transition(NamedTuple):
    """What an outcome does to a run: its new state, the verdict, and what goes with it.

    ``output``  what is recorded of the visit: of a loop's last test, the output of the loop
    """

    state: RunState
    verdict: str
    delay: float = 0.0
    result: str = "null"
    output: str = "null"


class Recorded(NamedTuple):
    """A step run as it is read back from its row, in ``seq`` order."""

    seq: int
    path: str
    status: str
    attempt: int
    output: str
    changes: str
    next_path: str
    kind: str = "step"
    started_at: datetime | None = None


def initial_state(definition: Definition) -> RunState:
    """The state of a run that has not begun."""
    course = Course(definition, NO_VISITS)
    return RunState(course.begin(), visits=course.visits)


def initial_strand(definition: Definition, path: str, inherited: RunState) -> RunState:
    """The state of a strand that has not begun. ``path`` is its own, ``inherited`` its parent's
    state at the fork."""
    course = Course(definition, NO_VISITS)
    first = course.begin_strand(path)
    return RunState(
        first,
        context=inherited.context,
        visits=course.visits,
        base=fork_of(path),
        inherited=inherited,
    )


def next_visit(definition: Definition, state: RunState) -> Visit:
    """The visit to run now. Raises DefinitionChanged when the code no longer has the node the
    checkpoint names, or has it inside other blocks."""
    node = definition.nodes.get(node_name(state.next_path))
    if node is None:
        raise DefinitionChanged(
            f"{definition.name}: the checkpoint goes on at node {node_name(state.next_path)!r}, "
            f"which version {definition.version} of the code no longer has"
        )
    assert node.name is not None
    if "/" in state.next_path or node.block is not None:
        stored, current = chain_names(state.next_path), named_chain(node)
        if stored != current:
            raise DefinitionChanged(
                f"{definition.name}: node {node.name!r} stands in {'/'.join(current) or 'the top'} "
                f"now, but the checkpoint names it in {'/'.join(stored) or 'the top'}"
            )
    if state.fork:
        _check_fork(definition, node, state.fork)
    elif state.inherited is not None:
        _check_fork(definition, definition.nodes[node_name(state.base)], state.inherited.fork)
    return Visit(node, state.next_path, state.seq + 1, state.attempt + 1)


def _check_fork(definition: Definition, block: Node, fork: str) -> None:
    """The block of a fork is still what it was when its members began."""
    forked = kind_of_fork(fork)
    if forked != block.kind:
        raise DefinitionChanged(
            f"{definition.name}: node {block.name!r} is a {block.kind} now, but was a {forked} "
            "when its members began"
        )


def kind_of_fork(fork: str) -> str:
    """Of which kind the block was that forked. ``fork`` is the stored form of its results, which
    ends with that."""
    return fork.rsplit('"', 2)[1]


def advance(
    definition: Definition,
    state: RunState,
    visit: Visit,
    outcome: Outcome,
    fetch: Callable[[str], str] | None = None,
) -> Transition:
    """The transition an outcome causes. ``fetch`` gives the output a reference names.

    Raises TypeError if the attempt's changes do not fit the context it started from.
    """
    if outcome.status == "waiting":
        return Transition(state, PARK)
    if outcome.status != "completed":
        return _not_completed(definition, state, visit, outcome)
    assert visit.node.name is not None
    onward, visits = "", state.visits
    if not outcome.finish:
        onward, visits = following(definition, state.visits, visit.node, visit.path, outcome.output)
    output = _recorded_output(visit, state, outcome, fetch)
    after = completed(state, visit.path, visit.node.kind, output, outcome.changes, onward, visits)
    if outcome.gave or outcome.gave_references:
        after = with_what_members_gave(after, outcome)
    if outcome.members:
        return Transition(after, FORK, output=output)
    if onward:
        return Transition(after, CONTINUE, output=output)
    return Transition(after, COMPLETE, result=output, output=output)


def _not_completed(
    definition: Definition, state: RunState, visit: Visit, outcome: Outcome
) -> Transition:
    after = attempted(state)
    if state.reopens:
        return Transition(after._replace(attempt=0, reopens=False), REOPEN)
    if outcome.delay is not None:
        return Transition(after, RETRY, delay=outcome.delay)
    if state.base:  # whether the run is retried is asked when it fails as a whole
        return Transition(after._replace(fatal=outcome.fatal), FAIL)
    if outcome.fatal or state.retries >= definition.options.max_retries:
        return Transition(after, FAIL)
    # The run is retried from the failed node, which gets its attempts anew.
    again = after._replace(attempt=0, retries=state.retries + 1)
    return Transition(again, REOPEN if is_joining(visit.path) else RETRY)


def with_what_members_gave(state: RunState, outcome: Outcome) -> RunState:
    """The nodes inside a parallel or race are seen by those behind it; what the join itself gave
    under the same name stays."""
    fresh = {**outcome.gave, **outcome.gave_references}
    kept = {name: ref for name, ref in state.references.items() if name not in fresh}
    references = {**kept, **outcome.gave_references}
    before = {n: text for n, text in state.outputs.items() if n not in outcome.gave_references}
    return state._replace(outputs={**before, **outcome.gave}, references=references)


def advance_rollback(state: RunState, outcome: Outcome, undoes: str, following: str) -> Transition:
    """What the outcome of the compensation ``undoes`` does: the next one comes whether or not it
    completed. ``following`` names that, "" if it was the last."""
    if outcome.status == "waiting":
        return Transition(state._replace(undo=undoes), PARK)
    if outcome.delay is not None:
        return Transition(attempted(state)._replace(undo=undoes), RETRY, delay=outcome.delay)
    after = undone(state, outcome.status, outcome.changes, following)
    return Transition(after, CONTINUE if following else COMPLETE, output=outcome.output)


def _recorded_output(
    visit: Visit, state: RunState, outcome: Outcome, fetch: Callable[[str], str] | None
) -> str:
    """A loop's last test is recorded with what the loop gives: its last iteration's output."""
    node: Any = visit.node
    if node.kind != "loop" or outcome.output != "false" or outcome.finish:
        return outcome.output
    tested = number_in(visit.path) or 1
    iterations = tested - 1 if node.tests_first else tested
    last = node.children[-1].name
    if not iterations:
        return "null"
    if last in state.references and fetch is not None:
        return fetch(state.references[last])
    return state.outputs.get(last, "null")


def replay(
    state: RunState, recorded: Sequence[Recorded], counts_visits: bool = False
) -> tuple[RunState, Recorded | None]:
    """``state`` brought up to date with the step runs recorded after its snapshot, and the one
    that has not ended, if any: it waits, or its start was committed (its seq is the next visit's).

    ``counts_visits``: the definition can jump, or may be able to. A run that somebody has let go
    back counts them, too.
    """
    visits = dict(state.visits)
    counts_visits = counts_visits or has_revisited(visits)
    for row in recorded:
        if row.status in ("running", "waiting"):
            return state, row
        if counts_visits and row.kind != COMPENSATION:
            visits.update(visits_on(row.path))
            visits.update(visits_on(row.next_path) if row.next_path else ())
        changes = decode_changes(row.changes)
        if row.kind == COMPENSATION:  # one that is tried again has parked, and so a snapshot
            state = undone(state, row.status, changes, row.next_path)
        elif row.status in THROUGH:
            state = completed(
                state, row.path, row.kind, row.output, changes, row.next_path, {**visits}
            )
        else:
            state = attempted(state)._replace(next_path=row.next_path or row.path)
    return state, None


def seq_of_outputs(recorded: Sequence[Recorded], base: str = "") -> dict[str, str]:
    """Node name -> reference to the last of these step runs that holds its output. ``base``: in a
    strand, the visit that forked it."""
    found: dict[str, str] = {}
    for row in recorded:
        if row.status in THROUGH and row.kind != COMPENSATION:
            names = given_by(row.path, row.kind, row.next_path, base)
            found.update(dict.fromkeys(names, str(row.seq)))
    return found


def retry_delay(
    definition: Definition, node: Node, attempt: int, error: BaseException, draw: float
) -> float | None:
    """Seconds until the next attempt after ``error`` in attempt number ``attempt``, or None when
    the node is out of attempts. ``draw`` is a number from [0, 1) for the jitter.

    ``RetryAfter`` is the step's own wish: it sets the delay, and where no retry is declared for
    the node it also asks for the attempt.
    """
    assert node.name is not None
    declared = getattr(node, "retry", None)
    if node.kind == COMPENSATION:  # Meta.retry is for steps
        retry = declared or NO_RETRY
    else:
        retry = definition.retry_of(node.name)
        declared = declared or definition.options.retry
    if isinstance(error, RetryAfter):
        return None if declared and attempt >= retry.max_attempts else error.delay
    if attempt >= retry.max_attempts or not retry.allows(error):
        return None
    return retry.delay_after(attempt, draw)


def error_of(error: BaseException, node: str | None, trace: str) -> dict[str, Any]:
    """The stored form of an exception: printable whatever it holds, and bounded."""
    kind = type(error)
    return {
        "type": values.visible(kind.__name__, 200),
        "message": values.visible(error, ERROR_BYTES // 4),
        "traceback": values.visible(trace, ERROR_BYTES // 2),
        "node": node,
    }
