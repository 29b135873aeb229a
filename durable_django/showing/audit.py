"""What people did to a run, as its audit entries tell it: who, when, why, and what exactly.

The admin's tab of history and the terminal both stand on it. It reads rows, and lets the mask learn
what is secret in them before anything is shown; it draws nothing, and knows no person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ..conf import settings
from ..models import AuditEntry
from .masking import Mask, dotted

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


class Change(NamedTuple):
    """What became of one key of the context, with both values masked. ``was_there`` is False where
    there was none before, ``is_there`` where it was removed."""

    key: str
    was_there: bool
    before: Any
    is_there: bool
    after: Any


@dataclass(frozen=True)
class Deed:
    """An audit entry with what it holds: nothing, and ``is_readable`` False, where that cannot be
    read on this machine."""

    entry: AuditEntry
    detail: Mapping[str, Any]
    is_readable: bool = True

    @property
    def by(self) -> str:
        """Who did it; where nobody was named, that code did."""
        return self.entry.by or gettext("code")

    def said(self) -> list[str]:
        """What is to be said of it in whole sentences."""
        return [*(str(SAID[key]) for key in SAID if self.detail.get(key)), *self._forgotten()]

    def facts(self, text: Callable[[str], str]) -> Iterator[tuple[str, str]]:
        """Where, and under which name: a label and what stands beside it. ``text`` masks."""
        for key, label in FACTS.items():
            if isinstance(self.detail.get(key), str) and self.detail[key]:
                yield str(label), text(self.detail[key])

    def runs(self) -> Iterator[tuple[str, UUID]]:
        """The other runs that it tells of, each behind a label."""
        for key, label in RUNS.items():
            if key in self.detail:
                yield str(label), UUID(str(self.detail[key]))

    def visits(self, text: Callable[[str], str]) -> str:
        """The visits that it was done to, the first ones only; "" where it names none."""
        paths = [text(str(path)) for path in self.detail.get("paths", ())]
        if not paths:
            return ""
        more = max(int(self.detail.get("count", 0)), len(paths)) - len(paths[:PATHS_MAX])
        rest = ngettext("and %(n)s more", "and %(n)s more", more) % {"n": more} if more else ""
        return f"{', '.join(paths[:PATHS_MAX])} {rest}".rstrip()

    def changes(self, mask: Mask) -> Iterator[Change]:
        """What it changed in the context."""
        before, given = self.detail.get("before", {}), self.detail.get("set", {})
        for key in (*given, *self.detail.get("removed", ())):
            yield Change(
                key,
                key in before,
                mask.under(key, before.get(key)),
                key in given,
                mask.under(key, given.get(key)),
            )

    def rest(self, mask: Mask) -> Iterator[tuple[str, Any]]:
        """All that is told by none of the others, masked, so that nothing that was written is left
        out."""
        for key, value in self.detail.items():
            is_told = key in FACTS and isinstance(value, str)
            if not is_told and not (key in APART or key in SAID or key in RUNS):
                yield key, mask.under_any(self._keys(key), value)

    def shape(self, mask: Mask) -> dict[str, Any]:
        """The entry for programs; ``detail`` is None where it cannot be read here."""
        entry = self.entry
        detail = {key: self._masked(key, value, mask) for key, value in self.detail.items()}
        return {
            "id": entry.pk,
            "verb": entry.verb,
            "by": entry.by,
            "reason": mask.text(entry.reason),
            "created_at": entry.created_at,
            "detail": detail if self.is_readable else None,
        }

    def teach(self, mask: Mask) -> None:
        """Lets ``mask`` gather the secrets in it."""
        mask.learn(self.detail)
        if any(map(mask.hides, self._keys("value"))):
            mask.learn_secret(self.detail.get("value"))

    def _masked(self, key: str, value: Any, mask: Mask) -> Any:
        if key in FACTS and isinstance(value, str):
            return mask.text(value)
        return dotted(mask.under_any(self._keys(key), value))

    def _keys(self, key: str) -> tuple[str, ...]:
        """The names that what stands under ``key`` may stand under, too."""
        if key != "value":
            return (key,)
        named = (self.detail.get(name) for name in ("node", "name"))
        return (key, *(str(name) for name in named if name))

    def _forgotten(self) -> Iterator[str]:
        count = len(self.detail.get("forgotten", ()))
        if count:
            told = ngettext(
                "What %(n)s wait had given was forgotten.",
                "What %(n)s waits had given was forgotten.",
                count,
            )
            yield told % {"n": count}


def read_deeds(run_id: UUID, mask: Mask, most: int, before: int | None = None) -> list[Deed]:
    """The newest ``most`` entries of a run, the newest first; with ``before`` of those that are
    older than the entry with this id. ``mask`` learns from them."""
    rows = AuditEntry.objects.using(settings.DATABASE).filter(execution_id=run_id).order_by("-id")
    if before is not None:
        rows = rows.filter(id__lt=before)
    deeds = [_deed(entry) for entry in rows[:most]]
    for deed in deeds:
        deed.teach(mask)
    return deeds


def _deed(entry: AuditEntry) -> Deed:
    try:
        return Deed(entry, entry.detail)
    except ValueError:
        return Deed(entry, {}, is_readable=False)
