"""Skipping: how a run would go on if the visit it stopped at had given a value.

The visit itself can be skipped, or a block around it as a whole. What a branch or a decision is
said to have chosen has to be one of its choices.

Pure: states in, transitions out; the store records the step run and reopens the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..definition.spelling import did_you_mean
from ..exceptions import LoopLimitExceeded, NotSerializable
from . import values
from .context import Change, apply_changes, fold
from .flow import Course
from .machine import COMPLETE, CONTINUE, Outcome, Transition, next_visit, with_what_members_gave
from .paths import is_joining, node_name, parent_path
from .state import FORKS, RunState, completed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..definition.definition import Definition
    from ..definition.node import Node


def skippable(definition: Definition, state: RunState) -> dict[str, Node]:
    """The visit a stopped run, or strand, stands at, by its path, then the blocks around it, from
    the innermost out. DefinitionChanged where the code has the node no longer.

    >>> skippable(definition, RunState("polling[3]/decide/pay")).keys()  # doctest: +SKIP
    dict_keys(['polling[3]/decide/pay', 'polling[3]/decide', 'polling[3]'])
    """
    visit = next_visit(definition, state)
    found: dict[str, Node] = {visit.path: visit.node}
    path = parent_path(visit.path)
    while path:
        block = definition.nodes[node_name(path)]
        if block.kind in FORKS:
            break  # the strand itself
        found[path] = block
        path = parent_path(path)
    return found


def skip(
    definition: Definition, state: RunState, path: str, value: Any, given: Outcome
) -> Transition:
    """The transition of skipping the visit at ``path``, one of :func:`skippable`. ``given`` is what
    it shall have given: ``value`` encoded, and of a fork what its members did.

    Raises ValueError for a choice that cannot be followed.
    """
    node: Any = definition.nodes[node_name(path)]
    course = Course(definition, state.visits)
    output = given.output
    if path != state.next_path:
        onward = course.after(node, path)
    elif node.kind == "decision":
        onward = _jump(course, node, path, value)
    elif node.kind == "branch":
        label = _label_for(node, value)
        output = values.encode(label, "value")
        onward = course.choose(node, path, label)
    else:
        onward = course.after(node, path)
    after = completed(state, path, node.kind, output, given.changes, onward, course.visits)
    if given.gave or given.gave_references:
        after = with_what_members_gave(after, given)
    if onward:
        return Transition(after, CONTINUE, output=output)
    return Transition(after, COMPLETE, result=output, output=output)


def _jump(course: Course, decision: Any, path: str, value: Any) -> str:
    try:
        return course.jump(decision, path, decision.target_of(value))
    except (TypeError, LoopLimitExceeded) as fault:
        raise ValueError(str(fault)) from fault


def _label_for(branch: Any, value: Any) -> str | None:
    """The label of the case meant: one that is taken for the value, or one so called; None, where
    None has no case, for none of them, so that the whole branch is skipped."""
    case = branch.case_for(value)
    if case is not None and not case.is_default:
        return str(case.label)
    if isinstance(value, str) and branch.case_labelled(value) is not None:
        return value
    if value is None:
        return None
    labels = [str(case.label) for case in branch.cases]
    near = did_you_mean(value, labels) if isinstance(value, str) else ""
    raise ValueError(
        f"the branch {branch.label} has no case for {value!r:.80}{near}: give one of "
        f"{', '.join(labels)}, or None to take none"
    )


def fitting(context: Mapping[str, str], changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """Those of the changes that fit the context one after another, folded: what members of a fork
    did that is skipped as a whole, perhaps since they did not fit."""
    try:
        folded = fold(changes)
        apply_changes(context, folded)
        return folded
    except (TypeError, NotSerializable):
        return fold(tuple(_fitting_one_by_one(context, changes)))


def _fitting_one_by_one(context: Mapping[str, str], changes: Iterable[Change]) -> Iterator[Change]:
    for change in changes:
        try:
            context = apply_changes(context, (change,))
        except (TypeError, NotSerializable):
            continue
        yield change


def stands_at_fork(state: RunState) -> bool:
    """Whether a stopped run stands at the join of a fork, so that its members are what stopped."""
    return is_joining(state.next_path) and bool(state.fork)
