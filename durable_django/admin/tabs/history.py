"""The tab of history: who did what to a run, when, why, and what exactly.

The newest first, in pages that begin where the one before ended. What a worker does by itself is
told by the other tabs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ...conf import settings
from ...models import AuditEntry
from ...showing.learning import unreadable
from ...showing.visible import visible
from .. import moments
from ..run_request import RunRequest
from ..shown import Entry, ValueView

ENTRIES_PER_PAGE: Final = 50
CHANGES_MAX: Final = 200
PATHS_MAX: Final = 20

# What an entry tells in words; where it says something else, it stands as it is under its key.
FACTS: Final = {
    "node": _("Node"),
    "name": _("Name"),
    "key": _("Key"),
    "path": _("Visit"),
    "idempotency_key": _("Idempotency key"),
}
# Said of an entry where it holds a yes.
SAID: Final = {
    "compensate": _("What it had completed is undone."),
    "new_input": _("The new run has another input."),
    "published": _("It was published to every run that waited for it."),
}
RUNS: Final = {"new": _("New run"), "original": _("Run again from")}
# Told together: as changes, or with the visits. Where in the run an edit falls is for the engine.
APART: Final = frozenset({"set", "removed", "before", "paths", "count", "forgotten", "seq"})


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
    rows = AuditEntry.objects.using(settings.DATABASE).filter(execution_id=run_id).order_by("-id")
    before = page.request.GET.get("before", "")
    is_first_page = not (before.isascii() and before.isdigit() and len(before) <= 18)
    if not is_first_page:
        rows = rows.filter(id__lt=int(before))
    found = list(rows[: ENTRIES_PER_PAGE + 1])
    shown = found[:ENTRIES_PER_PAGE]
    details = [_detail(page, entry) for entry in shown]
    return {
        "entries": [_view(page, *pair) for pair in zip(shown, details, strict=True)],
        "before": shown[-1].pk if len(found) > len(shown) else None,
        "is_first_page": is_first_page,
    }


def _detail(page: RunRequest, entry: AuditEntry) -> Mapping[str, Any] | None:
    """What an entry holds, None where it cannot be read here. The mask learns its secrets."""
    try:
        detail = entry.detail
    except ValueError:
        return None
    page.mask.learn(detail)
    if "value" in detail and any(map(page.mask.hides, _keys(detail))):
        page.mask.learn_secret(detail["value"])
    return detail


def _keys(detail: Mapping[str, Any]) -> tuple[str, ...]:
    """The names that the value in an entry may stand under."""
    return tuple(str(detail[key]) for key in ("node", "name") if detail.get(key))


def _view(page: RunRequest, entry: AuditEntry, detail: Mapping[str, Any] | None) -> EntryView:
    told = detail or {}
    changes = list(_changes(page, told))
    most = len(changes) if page.whole else CHANGES_MAX
    return EntryView(
        number=entry.pk,
        anchor=f"entry-{entry.pk}",
        what=str(entry.get_verb_display()),
        by=visible(entry.by) or gettext("code"),
        when=moments.ago(entry.created_at, page.now),
        at=moments.at(entry.created_at, page.now),
        reason=page.part.text(entry.reason),
        problem=unreadable() if detail is None else "",
        said=[*(str(SAID[key]) for key in SAID if told.get(key)), *_forgotten(told)],
        facts=list(_facts(page, told)),
        changes=changes[:most],
        more_changes=len(changes[most:]),
        rest=list(_rest(page, told)),
    )


def _facts(page: RunRequest, detail: Mapping[str, Any]) -> Iterator[Fact]:
    for key, label in FACTS.items():
        if isinstance(detail.get(key), str) and detail[key]:
            yield Fact(str(label), page.part.text(detail[key]))
    for key, label in RUNS.items():
        if key in detail:
            pk = UUID(str(detail[key]))
            address = page.doors.run(pk)
            yield Fact(str(label), str(pk) if address else gettext("not for you to see"), address)
    paths = [page.part.text(str(path)) for path in detail.get("paths", ())]
    if paths:
        more = max(int(detail.get("count", 0)), len(paths)) - len(paths[:PATHS_MAX])
        listed = ", ".join(paths[:PATHS_MAX])
        rest = ngettext("and %(n)s more", "and %(n)s more", more) % {"n": more} if more else ""
        yield Fact(gettext("Visits"), f"{listed} {rest}".rstrip())


def _forgotten(detail: Mapping[str, Any]) -> Iterator[str]:
    count = len(detail.get("forgotten", ()))
    if count:
        told = ngettext(
            "What %(n)s wait had given was forgotten.",
            "What %(n)s waits had given was forgotten.",
            count,
        )
        yield told % {"n": count}


def _changes(page: RunRequest, detail: Mapping[str, Any]) -> Iterator[ChangeView]:
    before, given = detail.get("before", {}), detail.get("set", {})
    for key in (*given, *detail.get("removed", ())):
        yield ChangeView(
            visible(key),
            _shown(page, before[key], key) if key in before else None,
            _shown(page, given[key], key) if key in given else None,
        )


def _rest(page: RunRequest, detail: Mapping[str, Any]) -> Iterator[Entry]:
    """All that is told by none of the others, so that nothing that was written is left out."""
    for key, value in detail.items():
        is_text = isinstance(value, str)
        if key in APART or key in SAID or key in RUNS or (key in FACTS and is_text):
            continue
        keys = (key, *_keys(detail)) if key == "value" else (key,)
        yield Entry(visible(key), _shown(page, value, *keys))


def _shown(page: RunRequest, value: Any, *keys: str) -> ValueView:
    return page.part.given(page.mask.under_any(keys, value))
