"""What a run knows between two steps, and its stored form, the snapshot.

Values stay encoded: a step decodes only what it looks at, and a checkpoint re-encodes only what it
touched. An output over ``INLINE_OUTPUT_BYTES`` stands in a snapshot as a reference to the step run
that holds it, so that parking a run does not copy its large results again and again.

Pure: no clock, no settings, no database.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from . import values
from .context import Change, apply_changes
from .paths import closed_blocks, node_name, top_name

INLINE_OUTPUT_BYTES = 2_048
EMPTY: Mapping[str, str] = MappingProxyType({})
NO_REFERENCES: Mapping[str, int] = MappingProxyType({})


class RunState(NamedTuple):
    """The run after its last checkpoint.

    ``next_path``  visit path of the node to run next, "" when the run is through
    ``seq``        number of step runs recorded, so the next one takes ``seq + 1``
    ``attempt``    attempts already recorded for the next node
    ``context``    key -> encoded value
    ``outputs``    node name -> encoded output held in memory
    ``references`` node name -> seq of the step run whose row holds the output
    ``last``       name of the top-level node that was worked on last, "" before the first
    ``visits``     path -> how often it was visited, in definitions that can jump
    ``retries``    retries of the whole run made so far (``Meta.max_retries``)
    """

    next_path: str
    seq: int = 0
    attempt: int = 0
    context: Mapping[str, str] = EMPTY
    outputs: Mapping[str, str] = EMPTY
    references: Mapping[str, int] = NO_REFERENCES
    last: str = ""
    visits: Mapping[str, int] = NO_REFERENCES
    retries: int = 0


# Kinds whose own visit is a choice or a test, not the node's output.
EVALUATED = frozenset({"branch", "loop"})


def given_by(path: str, kind: str, next_path: str) -> tuple[str, ...]:
    """The nodes whose output is what the visit at ``path`` gave: its own, unless it was a choice,
    and the blocks that ended with it.

    >>> given_by("decide/pay", "step", "archive"), given_by("decide", "branch", "decide/pay")
    (('pay', 'decide'), ())
    """
    evaluated = kind in EVALUATED
    closed = closed_blocks(path, evaluated, next_path) if "/" in path or evaluated else ()
    return closed if evaluated else (node_name(path), *closed)


def completed(
    state: RunState,
    path: str,
    kind: str,
    output: str,
    changes: tuple[Change, ...],
    next_path: str,
    visits: Mapping[str, int] | None = None,
) -> RunState:
    """``state`` after the visit at ``path`` gave ``output``. Where the changes do not fit the
    context it raises TypeError. ``visits``: the counts of visits, where jumps need them."""
    names = given_by(path, kind, next_path)
    outputs, references = state.outputs, state.references
    if names:
        outputs = {**outputs, **dict.fromkeys(names, output)}
        if references and not references.keys().isdisjoint(names):
            references = {key: seq for key, seq in references.items() if key not in names}
    context = apply_changes(state.context, changes) if changes else state.context
    counts = state.visits if visits is None else visits
    last = top_name(path)
    return RunState(
        next_path, state.seq + 1, 0, context, outputs, references, last, counts, state.retries
    )


def attempted(state: RunState) -> RunState:
    """``state`` after an attempt at the next node that did not complete it."""
    return state._replace(seq=state.seq + 1, attempt=state.attempt + 1)


def to_snapshot(state: RunState, seq_of: Mapping[str, int] | None = None) -> str:
    """The stored form. ``seq_of`` names the step run of each output held in memory; large ones
    with a known step run are written as references.

    >>> to_snapshot(RunState("charge", 1, 0, {"total": "12"}, {"sum": "12"}, last="sum"))
    '{"next":"charge","seq":1,"attempt":0,"context":{"total":12},"outputs":{"sum":[12]},"last":"sum"}'
    """
    known = seq_of or {}
    outputs = {name: str(seq) for name, seq in state.references.items()}
    for name, text in state.outputs.items():
        large = name in known and _is_large(text)
        outputs[name] = str(known[name]) if large else f"[{text}]"
    return (
        f'{{"next":{values.quote(state.next_path)},"seq":{state.seq},"attempt":{state.attempt},'
        f'"context":{values.join_object(state.context)},"outputs":{values.join_object(outputs)},'
        f'"last":{values.quote(state.last)}{_visits_text(state.visits)}'
        f"{_retries_text(state.retries)}}}"
    )


def _visits_text(visits: Mapping[str, int]) -> str:
    """Nothing, where nothing is counted: most definitions cannot jump."""
    if not visits:
        return ""
    return f',"visits":{values.join_object({path: str(n) for path, n in visits.items()})}'


def _retries_text(retries: int) -> str:
    return f',"retries":{retries}' if retries else ""


def _is_large(text: str) -> bool:
    if len(text) > INLINE_OUTPUT_BYTES or text.isascii():
        return len(text) > INLINE_OUTPUT_BYTES
    return len(text.encode()) > INLINE_OUTPUT_BYTES


def from_snapshot(text: str) -> RunState:
    """The inverse of :func:`to_snapshot`."""
    parts = values.split_object(text)
    outputs: dict[str, str] = {}
    references: dict[str, int] = {}
    for name, entry in values.split_object(parts["outputs"]).items():
        if entry.startswith("["):
            outputs[name] = entry[1:-1]
        else:
            references[name] = int(entry)
    return RunState(
        next_path=values.decode(parts["next"]),
        seq=int(parts["seq"]),
        attempt=int(parts["attempt"]),
        context=values.split_object(parts["context"]),
        outputs=outputs,
        references=references,
        last=values.decode(parts["last"]),
        visits={p: int(n) for p, n in values.split_object(parts.get("visits", "{}")).items()},
        retries=int(parts.get("retries", "0")),
    )
