"""What a run knows between two steps, and its stored form, the snapshot.

Values stay encoded: a step decodes only what it looks at, and a checkpoint re-encodes only what it
touched. An output over ``INLINE_OUTPUT_BYTES`` stands in a snapshot as a reference to the step run
that holds it, so that parking a run does not copy its large results again and again. A strand's
snapshot holds what is its own; the rest is its parent's, which cannot change while strands live.

Pure: no clock, no settings, no database.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from . import values
from .context import Change, apply_changes, decode_changes, encode_changes, fold
from .paths import closed_blocks, joining, node_name, top_name

INLINE_OUTPUT_BYTES = 2_048
EMPTY: Mapping[str, str] = MappingProxyType({})
NO_VISITS: Mapping[str, int] = MappingProxyType({})


class RunState(NamedTuple):
    """The run, or strand, after its last checkpoint.

    ``next_path``  visit path of the node to run next, "" when the run is through
    ``seq``        number of step runs recorded, so the next one takes ``seq + 1``
    ``attempt``    attempts already recorded for the next node
    ``context``    key -> encoded value
    ``outputs``    node name -> encoded output held in memory
    ``references`` node name -> which step run holds the output: its seq, "12", or, of another
                   execution, that one's id and the seq, "<hex>:12"
    ``last``       name of the top-level node that was worked on last, "" before the first
    ``visits``     path -> how often it was visited, in definitions that can jump
    ``retries``    retries of the whole run made so far (``Meta.max_retries``)
    ``fork``       while members run: the encoded results of the fork
    ``reopens``    the members of that fork that failed are to run again, before it is joined
    ``fatal``      a strand failed with an error that is never retried
    ``undo``       in a rollback: what is undone next
    ``unrecovered`` compensations that failed

    Of a strand also

    ``base``       path of the visit that forked it
    ``inherited``  its parent's state at the fork
    ``changes``    what it did to the context since, folded
    """

    next_path: str
    seq: int = 0
    attempt: int = 0
    context: Mapping[str, str] = EMPTY
    outputs: Mapping[str, str] = EMPTY
    references: Mapping[str, str] = EMPTY
    last: str = ""
    visits: Mapping[str, int] = NO_VISITS
    retries: int = 0
    base: str = ""
    inherited: RunState | None = None
    changes: tuple[Change, ...] = ()
    fork: str = ""
    reopens: bool = False
    fatal: bool = False
    undo: str = ""
    unrecovered: int = 0


# Kinds whose members are strands of their own.
FORKS = frozenset({"parallel", "race", "foreach"})
# Kinds whose own visit is a choice, a test or a fork, not the node's output.
EVALUATED = frozenset({"branch", "loop"}) | FORKS


def given_by(path: str, kind: str, next_path: str, base: str = "") -> tuple[str, ...]:
    """The nodes whose output is what the visit at ``path`` gave: its own, unless it was a choice,
    and the blocks that ended with it. ``base``: in a strand, the visit that forked it.

    >>> given_by("decide/pay", "step", "archive"), given_by("decide", "branch", "decide/pay")
    (('pay', 'decide'), ())
    """
    evaluated = kind in EVALUATED
    onward = next_path or base
    closed = closed_blocks(path, evaluated, onward) if "/" in path or evaluated else ()
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
    names = given_by(path, kind, next_path, state.base)
    outputs, references = state.outputs, state.references
    if names:
        outputs = {**outputs, **dict.fromkeys(names, output)}
        if references and not references.keys().isdisjoint(names):
            references = {key: ref for key, ref in references.items() if key not in names}
    context, own = state.context, state.changes
    if changes:
        context = apply_changes(context, changes)
        own = fold((*own, *changes)) if state.base else ()
    return RunState(
        next_path,
        state.seq + 1,
        0,
        context,
        outputs,
        references,
        top_name(path),
        state.visits if visits is None else visits,
        state.retries,
        state.base,
        state.inherited,
        own,
        output if kind in FORKS and next_path == joining(path) else "",
    )


def attempted(state: RunState) -> RunState:
    """``state`` after an attempt at the next node that did not complete it."""
    return state._replace(seq=state.seq + 1, attempt=state.attempt + 1)


def undone(state: RunState, status: str, changes: tuple[Change, ...], undo: str) -> RunState:
    """``state`` after a compensation has ended for good, completed or not; ``undo`` is the next."""
    failed = status != "completed"
    return state._replace(
        undo=undo,
        seq=state.seq + 1,
        attempt=0,
        context=state.context if failed else apply_changes(state.context, changes),
        unrecovered=state.unrecovered + failed,
    )


def as_inherited(state: RunState, execution_hex: str) -> RunState:
    """``state`` as a strand of that execution sees it: its references say whose rows they name."""
    if not state.references:
        return state
    named = {
        key: ref if ":" in ref else f"{execution_hex}:{ref}"
        for key, ref in state.references.items()
    }
    return state._replace(references=named)


def to_snapshot(state: RunState, seq_of: Mapping[str, str] | None = None) -> str:
    """The stored form. ``seq_of`` names the step run of each output held in memory; large ones
    with a known step run are written as references.

    >>> to_snapshot(RunState("charge", 1, 0, {"total": "12"}, {"sum": "12"}, last="sum"))
    '{"next":"charge","seq":1,"attempt":0,"context":{"total":12},"outputs":{"sum":[12]},"last":"sum"}'
    """
    known = seq_of or {}
    outputs = {name: _reference_text(ref) for name, ref in state.references.items()}
    for name, text in state.outputs.items():
        large = name in known and _is_large(text)
        outputs[name] = _reference_text(known[name]) if large else f"[{text}]"
    if state.base:
        data = f'"changes":{encode_changes(state.changes)}'
    else:
        data = f'"context":{values.join_object(state.context)}'
    return (
        f'{{"next":{values.quote(state.next_path)},"seq":{state.seq},"attempt":{state.attempt},'
        f'{data},"outputs":{values.join_object(outputs)},'
        f'"last":{values.quote(state.last)}{_rare_parts(state)}}}'
    )


def _reference_text(reference: str) -> str:
    return values.quote(reference) if ":" in reference else reference


def _rare_parts(state: RunState) -> str:
    """What most states do not have is left out."""
    text = ""
    if state.visits:
        counts = {path: str(number) for path, number in state.visits.items()}
        text = f',"visits":{values.join_object(counts)}'
    if state.retries:
        text += f',"retries":{state.retries}'
    if state.fork:
        text += f',"fork":{state.fork}'
    if state.reopens:
        text += ',"reopens":true'
    if state.fatal:
        text += ',"fatal":true'
    if state.undo:
        text += f',"undo":{values.quote(state.undo)}'
    if state.unrecovered:
        text += f',"unrecovered":{state.unrecovered}'
    return text


def _is_large(text: str) -> bool:
    if len(text) > INLINE_OUTPUT_BYTES or text.isascii():
        return len(text) > INLINE_OUTPUT_BYTES
    return len(text.encode()) > INLINE_OUTPUT_BYTES


def from_snapshot(text: str, base: str = "", inherited: RunState | None = None) -> RunState:
    """The inverse of :func:`to_snapshot`. ``base`` and ``inherited`` are those of a strand, which
    its snapshot does not hold."""
    parts = values.split_object(text)
    outputs: dict[str, str] = {}
    references: dict[str, str] = {}
    for name, entry in values.split_object(parts["outputs"]).items():
        if entry.startswith("["):
            outputs[name] = entry[1:-1]
        else:
            references[name] = entry.strip('"')
    changes = decode_changes(parts.get("changes", "[]"))
    if "context" in parts:
        context: Mapping[str, str] = values.split_object(parts["context"])
    else:
        context = apply_changes(inherited.context if inherited else EMPTY, changes)
    return RunState(
        next_path=values.decode(parts["next"]),
        seq=int(parts["seq"]),
        attempt=int(parts["attempt"]),
        context=context,
        outputs=outputs,
        references=references,
        last=values.decode(parts["last"]),
        visits={p: int(n) for p, n in values.split_object(parts.get("visits", "{}")).items()},
        retries=int(parts.get("retries", "0")),
        base=base,
        inherited=inherited,
        changes=changes,
        fork=parts.get("fork", ""),
        reopens="reopens" in parts,
        fatal="fatal" in parts,
        undo=values.decode(parts.get("undo", '""')),
        unrecovered=int(parts.get("unrecovered", "0")),
    )
