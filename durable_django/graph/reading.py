"""Reading where a run stands, for its graph: at most six queries, however large the run is.

The database counts; what comes back are as many rows as the plan has nodes, times their statuses.
It writes nothing, and decides nothing: `judging` does.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from django.db import connections
from django.db.models import (
    BooleanField,
    Case,
    Count,
    DurationField,
    ExpressionWrapper,
    F,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    TextField,
    Value,
    When,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import Left

from ..conf import settings
from ..engine.paths import JOIN, node_name
from ..models import Execution, StepRun, Wait
from ..models.execution import ExecutionKind
from ..models.lookups import adapt_id
from . import counting
from .counting import NodeName
from .facts import Attempts, Facts, Latest, Open, Strands
from .judging import COMPENSATION, DONE, judge
from .plan import FORKS, PlanNode, plan_of, walk
from .states import States

# So many members are counted; the states of a run with more of them say that they are partial.
MEMBERS_MAX: Final = 20_000
# So many members that have not ended tell where they are.
PLACES_MAX: Final = 200
OUTPUT_LENGTH_MAX: Final = 300
GROUPS_MAX: Final = 5_000
HELD_BACK: Final = "held_back"


def read_states(run: Execution, structure: Any) -> States:
    """Where ``run``, or a strand of one, stands in the plan of ``structure``.

    Example::

        graph_of(row.structure, read_states(run, row.structure))
    """
    plan = plan_of(structure)
    return judge(plan, _Reader(run, plan).facts())


class _Reader:
    """Reads the rows of one run and of its strands."""

    def __init__(self, run: Execution, plan: tuple[PlanNode, ...]) -> None:
        self.run = run
        self.nested = any(_forks_inside(node) for node in walk(plan) if node.kind in FORKS)

    def facts(self) -> Facts:
        """What the rows say, counted."""
        strands = self._strands()
        attempts = self._attempts(bool(strands))
        is_final = self.run.is_final
        return Facts(
            status=self.run.status,
            is_final=is_final,
            next_path=self._own_last(),
            attempts=attempts,
            latest=_latest(attempts),
            strands=strands,
            waits=() if is_final else self._waits(),
            here=self._places() if strands and not is_final else {},
            is_partial=sum(group.number for group in strands) >= MEMBERS_MAX,
        )

    @property
    def _key(self) -> Any:
        return adapt_id(self.run.pk, settings.DATABASE)

    def _members(self) -> RawSQL:
        return RawSQL(counting.members(_vendor(), nested=self.nested), [self._key, MEMBERS_MAX])

    def _strands(self) -> list[Strands]:
        """How many members of which block have which status."""
        statement = counting.member_counts(_vendor(), nested=self.nested)
        with connections[settings.DATABASE].cursor() as cursor:
            cursor.execute(statement, [self._key, MEMBERS_MAX])
            return [
                Strands(name, bool(is_item), HELD_BACK if held_back else status, number)
                for name, is_item, status, held_back, number in cursor.fetchmany(GROUPS_MAX)
            ]

    def _attempts(self, has_strands: bool) -> list[Attempts]:
        own = Q(execution_id=self.run.pk)
        rows = StepRun.objects.using(settings.DATABASE).order_by()
        found = _grouped(rows.filter(own))
        if has_strands:
            inside = _grouped(rows.filter(execution__id__any=self._members()))
            found = found.union(inside, all=True).order_by()
        return [
            Attempts(name, kind, status, joins, onward, number, first, _seconds(took), last_id)
            for name, kind, status, joins, onward, number, first, took, last_id in found
        ]

    def _own_last(self) -> str | None:
        """Where the row itself goes on, as its last step run says; None before the first."""
        rows = StepRun.objects.using(settings.DATABASE).filter(execution_id=self.run.pk)
        rows = rows.exclude(kind=COMPENSATION).order_by("-seq")
        for path, next_path, status in rows.values_list("path", "next_path", "status")[:1]:
            return str(next_path if status in DONE else next_path or path)
        return None

    def _waits(self) -> list[Open]:
        rows = Wait.objects.using(settings.DATABASE).order_by()
        is_strand = self.run.kind == ExecutionKind.STRAND
        owner = Q(member_id=self.run.pk) if is_strand else Q(execution_id=self.run.pk)
        rows = rows.filter(owner, resolved_at__isnull=True).exclude(kind__in=("once", "start"))
        counted = rows.values_list("node", "kind").annotate(n=Count("id"))
        return [Open(*group) for group in counted[:GROUPS_MAX]]

    def _places(self) -> dict[tuple[str, str], int]:
        """At which nodes the members are that have not ended: of the first ones, in order."""
        rows = Execution.objects.using(settings.DATABASE).filter(
            finished_at__isnull=True, held_back=False, kind=ExecutionKind.STRAND
        )
        if self.nested:
            rows = rows.filter(id__any=self._members())
        else:
            rows = rows.filter(parent_id=self.run.pk)
        newest = StepRun.objects.filter(execution_id=OuterRef("pk")).order_by("-seq")
        onward = Case(
            When(~Q(next_path=""), then=F("next_path")), default=F("path"), output_field=TextField()
        )
        place = Subquery(newest.annotate(place=onward).values("place")[:1])
        found = rows.order_by("id").annotate(place=place).values_list("path", "status", "place")
        counts = Counter[tuple[str, str]]()
        for path, status, at in found[:PLACES_MAX]:
            counts[_place(at or path), status] += 1
        return counts


def _vendor() -> str:
    return connections[settings.DATABASE].vendor


def _forks_inside(block: PlanNode) -> bool:
    return any(node.kind in FORKS for node in block.walk() if node is not block)


def _place(path: str) -> str:
    """The name of the node there; a fork that waits for its members is told from one to come."""
    return node_name(path) + (JOIN if path.endswith(JOIN) else "")


def _grouped(rows: QuerySet[StepRun]) -> QuerySet[StepRun, Any]:
    length = ExpressionWrapper(F("finished_at") - F("started_at"), DurationField())
    joins = Case(
        When(path__endswith=JOIN, then=Value(True)),
        default=Value(False),
        output_field=BooleanField(),
    )
    named = rows.annotate(joins=joins, onward=NodeName("next_path"))
    return named.values_list("name", "kind", "status", "joins", "onward").annotate(
        number=Count("id"),
        first=Count("id", filter=Q(attempt=1)),
        took=Sum(length),
        last_id=Max("id"),
    )


def _seconds(took: Any) -> float:
    return float(took.total_seconds()) if took is not None else 0.0


def _latest(attempts: list[Attempts]) -> dict[int, Latest]:
    """The newest rows of all groups. What a step gave is not read: only what a block chose."""
    output = Case(
        When(kind__in=("branch", "decision"), then=Left("output_text", OUTPUT_LENGTH_MAX)),
        When(kind="race", path__endswith=JOIN, then=Left("output_text", OUTPUT_LENGTH_MAX)),
        default=Value(""),
        output_field=TextField(),
    )
    rows = StepRun.objects.using(settings.DATABASE).order_by()
    rows = rows.filter(id__in=[group.last_id for group in attempts]).annotate(gave=output)
    columns = ("id", "name", "path", "status", "gave", "next_path")
    return {found[0]: Latest(*found) for found in rows.values_list(*columns)}
