"""Counts up to a limit, all in one statement. Nobody reads "8,312,405 failed" as more than "many",
and to count them takes seconds.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import BooleanField, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.expressions import RawSQL

from ..conf import settings
from ..models import Execution, ExecutionStatus
from ..models.execution import ExecutionKind
from ..models.rare import RARE, rare_only
from ..store.hot import IS_READY

_TABLE: Final = Execution._meta.db_table

COUNTED_MAX: Final = 10_000
# What is due for longer than this, and not woken, has no keeper.
OVERDUE_AFTER: Final = timedelta(minutes=1)
# How long a worker puts back what it has no code for, and a little.
PUT_BACK_SECONDS: Final = 35.0


class Capped(NamedTuple):
    """A number, or at least so many.

    >>> str(Capped(10_000, True))
    '10000+'
    """

    number: int
    more: bool = False

    def __str__(self) -> str:
        return f"{self.number}+" if self.more else str(self.number)


NONE: Final = Capped(0)


def all_runs() -> QuerySet[Execution]:
    """All runs of workflows: without their strands."""
    rows = Execution.objects.using(settings.DATABASE)
    return rows.filter(kind=ExecutionKind.WORKFLOW)


def count_capped(wanted: Mapping[str, QuerySet[Any]], most: int = COUNTED_MAX) -> dict[str, Capped]:
    """How many rows each of the querysets has, up to ``most``, by one statement for all of them. Of
    one with an annotation ``counted``, only rows in which that is not NULL.

    >>> count_capped({"mine": all_runs().filter(queue="mine")})
    {'mine': Capped(number=0, more=False)}
    """
    parts: list[str] = []
    values: list[Any] = []
    asked: list[str] = []
    for name, rows in wanted.items():
        counted = {} if "counted" in rows.query.annotations else {"counted": Value(1)}
        one = rows.annotate(**counted).values("counted")[: most + 1]
        try:
            sql, params = one.query.get_compiler(using=settings.DATABASE).as_sql()
        except EmptyResultSet:
            continue
        asked.append(name)
        parts.append(f"(SELECT COUNT(counted) FROM ({sql}) AS counted_{len(parts)})")
        values += params
    found: dict[str, int] = {}
    if parts:
        with connections[settings.DATABASE].cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(parts)}", values)
            found = dict(zip(asked, cursor.fetchone(), strict=True))
    return {name: Capped(min(n := found.get(name, 0), most), n > most) for name in wanted}


def statuses(rows: QuerySet[Execution]) -> dict[str, QuerySet[Any]]:
    """For :func:`count_capped`, what :func:`count_statuses` needs of ``rows``: each status by the
    index that knows it."""
    runs = rows.order_by()
    ready = _literally(Execution.objects.using(settings.DATABASE), IS_READY)
    mine = runs.filter(pk=OuterRef("pk"), status=ExecutionStatus.PENDING)
    return {
        **{status: rare_only(runs).filter(status=status) for status in RARE},
        # Members of runs, too. There may be many more of them than of runs, so that of these only
        # those are counted that are among the first of all; asked one by one, since the planner of
        # PostgreSQL would read the table to join the two.
        "ready": ready.order_by(),
        "pending": ready.order_by("queue", F("priority").desc(), "ready_at", "id").annotate(
            counted=Subquery(mine.values(one=Value(1))[:1])
        ),
        "running": runs.filter(worker__isnull=False, status=ExecutionStatus.RUNNING),
        # In this order there is an index of runs alone; many strands may stand between them.
        "all": _literally(rows, "kind = 'workflow'").order_by("workflow_name", "id"),
    }


def overdue(rows: QuerySet[Execution], now: datetime) -> QuerySet[Execution]:
    """Those among ``rows`` whose time to go on, or to end, has passed long ago."""
    return rows.filter(due_at__lt=now - OVERDUE_AFTER).order_by()


def put_back(
    rows: QuerySet[Execution], code: Collection[tuple[str, int]], now: datetime
) -> QuerySet[Execution]:
    """Those among ``rows`` of one of these workflows and versions, which no worker has, that will
    be looked at again soon: as long as nobody has their code, they are put back each time."""
    wanted = Q(pk__in=())
    for name, version in code:
        wanted |= Q(workflow_name=name, version=version)
    soon = now + timedelta(seconds=PUT_BACK_SECONDS)
    return rows.filter(wanted, due_at__gte=now, due_at__lte=soon).order_by()


def count_statuses(found: Mapping[str, Capped]) -> dict[str, Capped]:
    """What was counted of :func:`statuses`, by status, in their order. Completed are those that no
    other status accounts for: there may be millions, and no index tells them from the others."""
    counted = {status: found[status] for status in (*RARE, ExecutionStatus.RUNNING.value)}
    counted["pending"] = Capped(found["pending"].number, found["ready"].more)
    others = sum(capped.number for capped in counted.values())
    is_known = not found["all"].more and not any(capped.more for capped in counted.values())
    completed = Capped(max(found["all"].number - others, 0))
    counted["completed"] = completed if is_known else Capped(found["all"].number, True)
    return {status: counted[status] for status in ExecutionStatus.values}


def _literally(rows: QuerySet[Execution], condition: str) -> QuerySet[Execution]:
    """With a condition as an index has it: with parameters, as the ORM makes of values, SQLite does
    not use it."""
    columns = "kind|status|worker_id|wake_at"
    qualified = re.sub(rf"\b({columns})\b", rf'"{_TABLE}"."\1"', condition)
    return rows.filter(RawSQL(qualified, (), output_field=BooleanField()))
