"""How many runs there are of which version of a workflow, and whether any worker has its code.

Counted among the newest runs of a workflow and the oldest that have not ended, so that it costs the
same however many there are. It reads, and changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, NamedTuple

from django.db import connections
from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL
from django.utils.formats import number_format

from ..conf import settings
from ..definition import registry
from ..models import Execution, ExecutionStatus, Worker, WorkerStatus
from ..models.rare import RARE, rare_only
from ..models.status import FINAL_VALUES
from ..store import clock
from ..store.hot import IS_READY
from . import badges

# So many runs that have not ended are looked at for each status, the oldest first: those whose code
# is gone have waited longest.
UNENDED_MAX: Final = 2_000
NEWEST_MAX: Final = 10_000
UNENDED: Final = tuple(s for s in ExecutionStatus.values if s not in FINAL_VALUES)


class Version(NamedTuple):
    """A workflow in one version."""

    name: str
    number: int

    def __str__(self) -> str:
        return f"{self.name} v{self.number}"


@dataclass
class Unended:
    """The runs that have not ended, by version and status. ``capped`` are the statuses of which
    there are more than were looked at."""

    counts: dict[Version, Counter[str]] = field(default_factory=dict)
    capped: set[str] = field(default_factory=set)

    def of(self, version: Version) -> Counter[str]:
        return self.counts.get(version, Counter())


def unended(runs: QuerySet[Execution]) -> Unended:
    """How many of ``runs`` have not ended, by one statement, each status by the index it has."""
    parts: list[str] = []
    values: list[Any] = []
    for status in UNENDED:
        rows = _by_index(runs, status).filter(status=status)
        chosen = rows.values("workflow_name", "version", "status")[: UNENDED_MAX + 1]
        sql, params = chosen.query.get_compiler(using=settings.DATABASE).as_sql()
        parts.append(f"SELECT * FROM ({sql}) AS chosen_{len(parts)}")
        values += params
    statement = (
        "SELECT workflow_name, version, status, COUNT(*) FROM "
        f"({' UNION ALL '.join(parts)}) AS counted GROUP BY workflow_name, version, status"
    )
    found, every = Unended(), Counter[str]()
    with connections[settings.DATABASE].cursor() as cursor:
        cursor.execute(statement, values)
        for name, number, status, count in cursor.fetchall():
            found.counts.setdefault(Version(name, number), Counter())[status] = count
            every[status] += count
    found.capped = {status for status, count in every.items() if count > UNENDED_MAX}
    return found


def _by_index(runs: QuerySet[Execution], status: str) -> QuerySet[Execution]:
    """What finds the runs of a status, the oldest first where that costs nothing."""
    if status in RARE:
        return rare_only(runs).order_by("id")
    rows = runs.order_by()
    if status == ExecutionStatus.RUNNING:
        return rows.filter(worker__isnull=False)
    return rows.filter(RawSQL(_FIRST_READY, [UNENDED_MAX + 1], output_field=BooleanField()))


_TABLE: Final = Execution._meta.db_table
# Members of runs, too; of these only those are looked at that are among the first of all.
_FIRST_READY: Final = f"""
"{_TABLE}"."id" IN (
    SELECT id FROM "{_TABLE}" WHERE {IS_READY} ORDER BY queue, priority DESC, ready_at, id LIMIT %s
)
"""


def newest(runs: QuerySet[Execution], name: str) -> tuple[dict[int, Counter[str]], bool]:
    """The newest runs of a workflow by version and status, and whether there are more."""
    rows = runs.filter(workflow_name=name).order_by("-id").values("version", "status")
    sql, params = rows[: NEWEST_MAX + 1].query.get_compiler(using=settings.DATABASE).as_sql()
    statement = f"SELECT version, status, COUNT(*) FROM ({sql}) AS newest GROUP BY version, status"
    found: dict[int, Counter[str]] = {}
    with connections[settings.DATABASE].cursor() as cursor:
        cursor.execute(statement, params)
        for number, status, count in cursor.fetchall():
            found.setdefault(number, Counter())[status] = count
    return found, sum(map(Counter.total, found.values())) > NEWEST_MAX


@dataclass(frozen=True)
class Code:
    """Which versions can be run. ``of_workers`` is what workers that are alive say they have; None
    where none is alive, or one does not say it."""

    of_workers: frozenset[str] | None
    here: frozenset[str]

    @property
    def is_known(self) -> bool:
        """Whether it is known what the workers have."""
        return self.of_workers is not None

    def has(self, version: Version) -> bool:
        """Whether a worker has it; where that is not known, whether this process has."""
        return str(version) in (self.here if self.of_workers is None else self.of_workers)


def code() -> Code:
    """The code of the workers that are alive, in one query, and of this process."""
    beaten = clock.now() - timedelta(seconds=settings.LEASE_SECONDS)
    alive = Worker.objects.using(settings.DATABASE).filter(
        status=WorkerStatus.ALIVE, heartbeat_at__gte=beaten, threads__gt=0
    )
    told: list[Any] = list(alive.order_by("-id").values_list("workflows", flat=True)[:1_000])
    of_workers = None
    if told and all(told):
        of_workers = frozenset(str(name) for names in told for name in names)
    here = (Version(cls.definition.name, cls.definition.version) for cls in registry.all())
    return Code(of_workers, frozenset(map(str, here)))


def count_badges(counts: Mapping[str, int], capped: Iterable[str] = ()) -> list[str]:
    """A badge with its number for each status, in their own order."""
    more = set(capped)
    return [
        badges.badge(status, f"{_number(status, counts, more)} {ExecutionStatus(status).label}")
        for status in ExecutionStatus.values
        if counts.get(status)
    ]


def _number(status: str, counts: Mapping[str, int], capped: set[str]) -> str:
    return number_format(counts[status], force_grouping=True) + ("+" if status in capped else "")
