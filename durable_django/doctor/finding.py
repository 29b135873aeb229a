"""What the doctor finds, as frozen data: what it is, where, what to do, and what would be done.

Texts are in the language that is active, without markup. Names in them, which runs and people
bring, are made printable; whoever shows them still escapes them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ..figures import Capped

# The gravest first.
ERROR: Final = "error"
WARNING: Final = "warning"
INFO: Final = "info"
SEVERITIES: Final = (ERROR, WARNING, INFO)

# So many places are named, of however many there are.
PLACES_MAX: Final = 5
ONE: Final = Capped(1)


@dataclass(frozen=True)
class Place:
    """Where it is: ``kind`` is "execution", "queue", "worker", "schedule", "workflow", "setting",
    "table", "index" or "process" (of the database), ``id`` what it is called there."""

    kind: str
    id: str


@dataclass(frozen=True)
class Fix:
    """What heals it, and is safe beside workers, and twice. ``text`` says what is done,
    ``permission`` is what somebody needs for it in the admin. ``perform`` takes who does it, and
    gives how many it has healed."""

    text: str
    permission: str
    perform: Callable[[Any], int]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is stuck, stale, stranded or misconfigured.

    ``code``      names it for machines: "no_worker", "await_nothing", …
    ``subject``   of which of several alike it is: the name of a queue; else ""
    ``severity``  "error": something does not move, or may be lost; "warning": somebody should
                  look; "info": good to know
    ``title``     in a few words, ``what``: what it means, ``todo``: what to do about it
    ``where``     some of the places where it is, at most five; ``number``: how many there are
    ``fix``       what ``doctor.fix`` would do; None: only somebody can decide
    """

    code: str
    severity: str
    title: str
    what: str
    todo: str
    subject: str = ""
    where: tuple[Place, ...] = ()
    number: Capped = ONE
    fix: Fix | None = None

    @property
    def key(self) -> str:
        """Its name among all findings: ``"queue_late:mail"``."""
        return f"{self.code}:{self.subject}" if self.subject else self.code


def places(kind: str, ids: Any) -> tuple[Place, ...]:
    """The first few of these ids, as places."""
    return tuple(Place(kind, str(pk)) for pk in list(ids)[:PLACES_MAX])
