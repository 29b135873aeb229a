"""The tab of history: who did what to a run, when, why, and what exactly.

The newest first, in pages that begin where the one before ended. What a worker does by itself is
told by the other tabs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from django.utils.translation import gettext

from ...showing.audit import Change, Deed, read_deeds
from ...showing.learning import unreadable
from ...showing.visible import visible
from .. import moments
from ..run_request import RunRequest
from ..shown import Entry, ValueView

ENTRIES_PER_PAGE: Final = 50
CHANGES_MAX: Final = 200


@dataclass(frozen=True)
class ChangeView:
    """What became of one key of the context; ``old`` is None where there was none, ``new`` where it
    was removed."""

    key: str
    old: ValueView | None
    new: ValueView | None


class Fact(NamedTuple):
    """A label and what stands beside it, perhaps with an address."""

    label: str
    text: str
    address: str = ""


@dataclass(frozen=True)
class EntryView:
    """An audit entry, ready to be shown."""

    number: int
    anchor: str
    what: str
    by: str
    when: str | None
    at: str | None
    reason: str
    problem: str
    said: list[str]
    facts: list[Fact]
    changes: list[ChangeView]
    more_changes: int
    rest: list[Entry]


def context(page: RunRequest) -> dict[str, Any]:
    """A page of the audit trail of the run; for a member, of the run it belongs to."""
    run_id = page.above[0].pk if page.above else page.run.pk
    before = page.request.GET.get("before", "")
    is_first_page = not (before.isascii() and before.isdigit() and len(before) <= 18)
    found = read_deeds(
        run_id, page.mask, ENTRIES_PER_PAGE + 1, None if is_first_page else int(before)
    )
    shown = found[:ENTRIES_PER_PAGE]
    return {
        "entries": [_view(page, deed) for deed in shown],
        "before": shown[-1].entry.pk if len(found) > len(shown) else None,
        "is_first_page": is_first_page,
    }


def _view(page: RunRequest, deed: Deed) -> EntryView:
    entry = deed.entry
    changes = list(deed.changes(page.mask))
    most = len(changes) if page.whole else CHANGES_MAX
    return EntryView(
        number=entry.pk,
        anchor=f"entry-{entry.pk}",
        what=str(entry.get_verb_display()),
        by=visible(deed.by),
        when=moments.ago(entry.created_at, page.now),
        at=moments.at(entry.created_at, page.now),
        reason=page.part.text(entry.reason),
        problem="" if deed.is_readable else unreadable(),
        said=deed.said(),
        facts=list(_facts(page, deed)),
        changes=[_change(page, change) for change in changes[:most]],
        more_changes=len(changes[most:]),
        rest=[Entry(visible(key), page.part.given(value)) for key, value in deed.rest(page.mask)],
    )


def _facts(page: RunRequest, deed: Deed) -> Iterator[Fact]:
    for label, text in deed.facts(page.part.text):
        yield Fact(label, text)
    for label, pk in deed.runs():
        address = page.doors.run(pk)
        yield Fact(label, str(pk) if address else gettext("not for you to see"), address)
    if visits := deed.visits(page.part.text):
        yield Fact(gettext("Visits"), visits)


def _change(page: RunRequest, change: Change) -> ChangeView:
    return ChangeView(
        visible(change.key),
        page.part.given(change.before) if change.was_there else None,
        page.part.given(change.after) if change.is_there else None,
    )
