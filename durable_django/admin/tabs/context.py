"""The tab of what a run knows: its input, its context, its outputs, its result; and what steps did
to its context."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

from ...engine.state import RunState
from ...showing.learning import learn, unreadable
from ...showing.visible import visible
from ..contexts import Checkpoint, checkpoints, contexts_at, last_seq
from ..differences import Difference, differences
from ..fork_view import has_item
from ..run_request import RunRequest
from ..shown import Entry, Shown, ValueView
from ..tree import copied

ENTRIES_MAX: Final = 500
DIFFERENCES_MAX: Final = 500
COPIED_LENGTH_MAX: Final = 200_000
SIGNS: Final = {"added": "+", "removed": "\N{MINUS SIGN}", "changed": "~"}


class Entries(NamedTuple):
    """Values by key, and how many more there are."""

    entries: list[Entry]
    more: int


class DifferenceView(NamedTuple):
    """A part that differs, ready to be shown."""

    path: str
    kind: str
    sign: str
    before: ValueView | None
    after: ValueView | None


def context(page: RunRequest) -> dict[str, Any]:
    """Of a strand ``input`` is its item, None outside of a foreach, and ``context`` what it changed
    there."""
    run, shown = page.run, page.shown
    has_input = not page.is_strand or has_item(run)
    completed = run.status == "completed"
    compared = {} if page.is_strand else _compared(page)
    state = page.state
    given = shown.tree(run.input_text, *page.item_keys) if has_input else None
    known = _entries(state.context, page.part)
    return {
        "input": given,
        "result": shown.tree(run.result_text, *page.own_keys) if completed else None,
        "context": _changes(state, page.part) if page.is_strand else known,
        "outputs": _entries(page.outputs, page.part),
        "copies": {} if page.is_strand else _copies(page, known, given),
        **compared,
    }


def _entries(texts: Mapping[str, str], shown: Shown) -> Entries:
    """The first of many, all of them where values are shown whole."""
    most = len(texts) if shown.limit is None else ENTRIES_MAX
    kept = islice(texts.items(), most)
    found = [Entry(visible(key), shown.tree(text, key)) for key, text in kept]
    return Entries(found, max(len(texts) - most, 0))


def _changes(state: RunState, shown: Shown) -> Entries:
    """The same for what a strand did to the context of its run."""
    most = len(state.changes) if shown.limit is None else ENTRIES_MAX
    kept = state.changes[:most]
    entries = [shown.entry(change.key, change.text, change.op) for change in kept]
    return Entries(entries, len(state.changes) - len(kept))


def _copies(page: RunRequest, known: Entries, given: ValueView | None) -> dict[str, str]:
    """What a button copies: what is shown, as JSON; nothing of what is not shown to its end."""
    found = {}
    if not known.more and not any(entry.value.is_cut for entry in known.entries):
        found["context"] = _copied(page, page.state.context)
    if given is not None and not given.is_cut:
        found["input"] = _copied(page, page.run.input_text)
    return found


def _copied(page: RunRequest, given: str | Mapping[str, str]) -> str:
    try:
        if isinstance(given, str):
            value = page.mask.value(page.part.previews.decode(given))
        else:
            value = _masked(page, given)
        text = copied(value)
    except ValueError:
        return ""
    return text if len(text) <= COPIED_LENGTH_MAX else ""


# What is different between two checkpoints.


def _compared(page: RunRequest) -> dict[str, Any]:
    listed = checkpoints(page.run)
    last = last_seq(page.run)
    query = page.request.GET
    is_asked = "from" in query or "to" in query
    first = _seq(query.get("from", ""), 0, last)
    second = _seq(query.get("to", ""), last, last)
    return {
        "checkpoints": [Checkpoint(0, "", 0), *_visible(listed)] if listed else [],
        "has_checkpoints": last > 0,
        "last_seq": last,
        "from_seq": _listed(first, listed),
        "to_seq": _listed(second, listed),
        "is_asked": is_asked,
        **(_differences(page, first, second) if is_asked else {}),
    }


def _listed(seq: int, listed: list[Checkpoint]) -> int:
    """That of the last checkpoint up to there: a failed attempt leaves the context as it was."""
    return max((found.seq for found in listed if found.seq <= seq), default=0) if listed else seq


def _visible(listed: list[Checkpoint]) -> list[Checkpoint]:
    return [found._replace(path=visible(found.path)) for found in listed]


def _seq(text: str, default: int, last: int) -> int:
    """A number somebody typed, or chose; the default for nonsense."""
    is_number = text.isascii() and text.isdecimal() and len(text) < 10
    return min(int(text), last) if is_number else default


def _differences(page: RunRequest, first: int, second: int) -> dict[str, Any]:
    try:
        before, after = contexts_at(page.run, first, second)
        for key, text in [*before.items(), *after.items()]:
            learn(page.mask, text, (key,))
        was, is_now = _masked(page, before), _masked(page, after)
    except (ValueError, TypeError):
        return {"problem": unreadable()}
    found = list(islice(differences(was, is_now), DIFFERENCES_MAX + 1))
    shown = [_view(page, difference) for difference in found[:DIFFERENCES_MAX]]
    return {"differences": shown, "more_differences": len(found) > DIFFERENCES_MAX}


def _masked(page: RunRequest, texts: Mapping[str, str]) -> dict[str, Any]:
    return {key: page.mask.under(key, page.part.previews.decode(texts[key])) for key in texts}


def _view(page: RunRequest, found: Difference) -> DifferenceView:
    kind = found.kind
    return DifferenceView(
        visible(found.path),
        kind,
        SIGNS[kind],
        None if kind == "added" else page.part.given(found.before),
        None if kind == "removed" else page.part.given(found.after),
    )
