"""Examining: all that is looked at, the gravest finding first; and fixing what was found.

It only reads, by index and up to limits, however large the tables are. Where tables are missing
nothing else is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from .. import figures
from ..exceptions import InvalidState
from ..store import clock
from . import database, fleet, runs, schedules, sent
from .finding import SEVERITIES, Finding
from .ward import Ward

EXAMINERS: Final[tuple[Callable[[Ward], Iterable[Finding]], ...]] = (
    fleet.examine,
    runs.examine,
    sent.examine,
    schedules.examine,
    database.examine,
)


def examine() -> list[Finding]:
    """What is stuck, stale, stranded or misconfigured, the gravest first; nothing where all is
    well.

    >>> [finding.code for finding in examine()]  # doctest: +SKIP
    ['no_worker', 'failed']
    """
    found = list(database.examine_tables())
    if not any(finding.code == "tables_missing" for finding in found):
        now = clock.now()
        ward = Ward(now, figures.fleet(now))
        found += [each for examiner in EXAMINERS for each in examiner(ward)]
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def fix(finding: Finding, *, by: Any = None) -> int:
    """Does what the finding's fix says; how many it has healed. ``by`` is who asks for it, a user
    or a text, for the audit trail. InvalidState for a finding without a fix."""
    if finding.fix is None:
        raise InvalidState(f"{finding.key} has no fix: only somebody can decide what to do")
    return finding.fix.perform(by)
