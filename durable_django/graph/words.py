"""Words: what a graph says of a node in its second line, and in full when one points at it.

What the class body says is code and not translated; what a run did is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext, pgettext

from ..engine.values import visible
from ..models import ExecutionStatus, StepStatus
from .fitting import plain
from .plan import FORKS, PlanNode
from .states import NodeState

MINUTE, HOUR, DAY = 60, 3_600, 86_400
WORDS_MAX: Final = 200


def status_word(status: str) -> str:
    """A status in the reader's language."""
    if status == "held_back":
        return gettext("waits for its turn")
    for statuses in (StepStatus, ExecutionStatus):
        if status in statuses.values:
            return str(statuses(status).label)
    return status


def duration(seconds: float) -> str:
    """A duration in its largest unit, for little room: ``1.2 s``, ``3 min``, ``10 d``."""
    if seconds < 0.0005:
        return gettext("< 1 ms")
    if seconds < 0.9995:
        return gettext("%(n)s ms") % {"n": round(seconds * 1000)}
    if seconds < MINUTE:
        return gettext("%(n)s s") % {"n": _short(seconds)}
    for unit, text in ((DAY, gettext("%(n)s d")), (HOUR, gettext("%(n)s h"))):
        if seconds >= unit:
            return text % {"n": _short(seconds / unit)}
    return gettext("%(n)s min") % {"n": _short(seconds / MINUTE)}


def _short(value: float) -> str:
    rounded = round(value, 1)
    return number_format(rounded, decimal_pos=0 if rounded.is_integer() else 1)


def number(value: int) -> str:
    """A number with its thousands set apart."""
    return number_format(value, force_grouping=True)


def declared(node: PlanNode) -> str:
    """What the class body says of a node, in a few words: ``foreach recipients · 10 at once``."""
    said = " · ".join(part for part in _declared(node) if part)
    return visible(said or node.kind, WORDS_MAX)


def _declared(node: PlanNode) -> Iterator[str]:
    told = node.options
    match node.kind:
        case "branch":
            yield f"branch on {_word(told.get('on')) or '…'}"
        case "foreach":
            yield f"foreach {_word(told.get('items'))}".strip()
            if isinstance(told.get("concurrency"), int):
                yield gettext("%(n)s at once") % {"n": told["concurrency"]}
            yield from _tolerance(told)
        case "loop":
            test = next((key for key in ("while", "until") if told.get(key)), "")
            yield f"{test} {_word(told[test])}" if test else "loop"
        case "parallel" | "race" | "sequence":
            yield node.kind
            yield from _tolerance(told)
        case "decision":
            yield f"to {', '.join(node.targets)}"
        case "step":
            yield from _flags(told)
        case _:
            yield _wait(node)
            if _is_number(told.get("timeout")):
                yield duration(told["timeout"])


def _tolerance(told: Mapping[str, Any]) -> Iterator[str]:
    if told.get("on_error") == "collect":
        yield "collect"


def _flags(told: Mapping[str, Any]) -> Iterator[str]:
    if told.get("async"):
        yield gettext("async")
    if told.get("atomic"):
        yield gettext("atomic")
    if told.get("at_most_once"):
        yield gettext("at most once")
    retry = told.get("retry")
    attempts = retry.get("max_attempts") if isinstance(retry, Mapping) else None
    if isinstance(attempts, int) and attempts > 1:
        yield ngettext("up to %(n)d attempt", "up to %(n)d attempts", attempts) % {"n": attempts}
    if _is_number(told.get("timeout")):
        yield gettext("timeout %(time)s") % {"time": duration(told["timeout"])}


def _wait(node: PlanNode) -> str:
    told = node.options
    function = str(told.get("function") or node.kind).removeprefix("wait_for_")
    function = function.removesuffix("_workflow")
    if _is_number(told.get("duration")):
        return f"{function} {duration(told['duration'])}"
    names = told.get("names")
    what = ", ".join(map(str, names)) if isinstance(names, list) else ""
    what = what or str(told.get("workflow") or told.get("wait") or "")
    return function if what in (node.name, "callable") else f"{function} {what}".strip()


def _word(value: Any) -> str:
    """What is asked, as short as it can be said: ``context key "total"`` is ``"total"``."""
    text = "" if value is None else str(value)
    return {"callable": "…"}.get(text, text.removeprefix("context key "))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def happened(node: PlanNode, state: NodeState) -> str:
    """What a run did at a node, in a few words: ``completed · 3 attempts · 1.2 s``."""
    return " · ".join(part for part in _happened(node, state) if part)


def _happened(node: PlanNode, state: NodeState) -> Iterator[str]:
    if state.counts:
        yield _members(state.counts)
        return
    yield status_word(state.status)
    if node.kind == "loop" and state.iterations:
        many = state.iterations
        text = ngettext("%(n)s iteration", "%(n)s iterations", many)
        yield text % {"n": number(many)}
        return
    if state.taken and (state.visits < 2 or node.kind == "decision"):
        yield (
            gettext("won by %(name)s") % {"name": state.taken}
            if node.kind == "race"
            else (f"→ {state.taken}")
        )
    if state.visits > 1:
        yield ngettext("%(n)s visit", "%(n)s visits", state.visits) % {"n": number(state.visits)}
    elif state.attempts > 1:
        many = state.attempts
        yield ngettext("%(n)s attempt", "%(n)s attempts", many) % {"n": number(many)}
    if state.seconds and node.kind not in FORKS:
        yield duration(state.seconds)


ORDER: Final = (
    *("failed", "running", "waiting", "sleeping", "paused", "pending", "held_back"),
    *("cancelled", "skipped"),
)


def _members(counts: Mapping[str, int]) -> str:
    """``9,950 of 10,000 completed · 50 failed``: what needs attention comes early."""
    done, every = counts.get("completed", 0), sum(counts.values())
    if done == every:
        return gettext("%(all)s completed") % {"all": number(every)}
    first = gettext("%(done)s of %(all)s") % {"done": number(done), "all": number(every)}
    known = [status for status in ORDER if counts.get(status)]
    others = [status for status in counts if status not in (*ORDER, "completed")]
    rest = [f"{number(counts[status])} {_word_of_many(status)}" for status in [*known, *others]]
    return " · ".join([first, *rest])


def _word_of_many(status: str) -> str:
    return gettext("waiting for their turn") if status == "held_back" else status_word(status)


def title(node: PlanNode, state: NodeState | None, mark: str) -> str:
    """All that is known of a node, as text: its name in full, what it is, what happened to it."""
    lines = [f"{node.name} ({node.kind})", mark and mark_word(mark)]
    said = declared(node)
    if said != node.kind:
        lines.append(said)
    if state is not None:
        lines.append(happened(node, state) if state.status else pgettext("node", "not reached"))
    if node.undone_by:
        lines.append(undone_words(node, state))
    lines.append(str(node.options.get("doc") or ""))
    return "\n".join(plain(visible(line, WORDS_MAX * 5)) for line in lines if line)


def undone_words(node: PlanNode, state: NodeState | None) -> str:
    """What is said of the compensation of a node."""
    if state is None or not state.undone:
        return gettext("undone by %(name)s") % {"name": node.undone_by}
    told = {"name": node.undone_by, "status": status_word(state.undone)}
    return gettext("undone by %(name)s: %(status)s") % told


def mark_word(mark: str) -> str:
    """What is different in a node between two versions."""
    return {
        "added": pgettext("node", "added"),
        "removed": pgettext("node", "removed"),
        "moved": pgettext("node", "moved"),
        "changed": pgettext("node", "changed"),
    }.get(mark, mark)
