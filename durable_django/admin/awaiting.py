"""Who waits for events that are published: how many runs for one, and for which names at all.

Counted up to a limit, by the index that those who deliver use. It only reads; whom an event is for
is decided by ``store.spreading``. Keys are not told: they come from what runs were given.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final, NamedTuple

from django.db.models import QuerySet

from ..conf import settings
from ..engine import values
from ..figures import Capped
from ..models import Wait, WaitKind

# So many waits of each kind are looked at.
WAITS_MAX: Final = 1_000
SEVERAL: Final = (WaitKind.ANY, WaitKind.ALL)


class Awaited(NamedTuple):
    """A name that runs wait for: by how many waits, without a key and with one."""

    name: str
    keyless: int
    keyed: int


def runs_waiting(name: str, key: str) -> Capped:
    """How many runs wait for what would be published under this name and key."""
    waits = _open(WaitKind.EVENT).filter(name=name, key=key)
    found: list[Any] = list(waits.values_list("execution_id", flat=True)[: WAITS_MAX + 1])
    found, is_more = found[:WAITS_MAX], len(found) > WAITS_MAX
    for kind in SEVERAL:
        rows = _open(kind).filter(key=key).values_list("execution_id", "names_text")
        several = list(rows[: WAITS_MAX + 1])
        is_more = is_more or len(several) > WAITS_MAX
        found += [run_id for run_id, names in several if name in values.decode(names)]
    return Capped(len(set(found)), is_more)


def names_awaited() -> tuple[list[Awaited], bool]:
    """The names that runs wait for, those with most waits first; and whether there are waits that
    were not looked at."""
    keyless: Counter[str] = Counter()
    keyed: Counter[str] = Counter()
    is_more = False
    for kind in (WaitKind.EVENT, *SEVERAL):
        # In the order of the index; else the planner may look for open waits among all there were.
        rows = _open(kind).order_by("key", "name").values_list("key", "name", "names_text")
        found = list(rows[: WAITS_MAX + 1])
        is_more = is_more or len(found) > WAITS_MAX
        for key, name, names in found[:WAITS_MAX]:
            counted = keyed if key else keyless
            counted.update([name] if kind == WaitKind.EVENT else values.decode(names))
    each = {name: keyless[name] + keyed[name] for name in keyless | keyed}
    most_first = sorted(each, key=lambda name: (-each[name], name))
    return [Awaited(name, keyless[name], keyed[name]) for name in most_first], is_more


def _open(kind: WaitKind) -> QuerySet[Wait]:
    rows = Wait.objects.using(settings.DATABASE).order_by()
    return rows.filter(kind=kind, resolved_at__isnull=True)
