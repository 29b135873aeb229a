"""The forks on a page and their members, read level by level in a fixed number of queries.

However many members a fork has, all are counted and few are read: those in item order where they
fit, else the ones that failed or run first. It reads rows and makes nothing of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.db.models import Case, Count, F, IntegerField, Max, Q, QuerySet, Value, When, Window
from django.db.models.functions import RowNumber
from django.http import QueryDict

from ..conf import settings
from ..engine import values
from ..engine.paths import JOIN, is_joining, joining
from ..engine.results import Results
from ..engine.state import FORKS
from ..models import Execution, ExecutionStatus, StepRun, StepStatus
from ..models.execution import ExecutionKind
from ..models.ids import following

# For a strand whose turn has not come; in the database it is `waiting`.
HELD_BACK: Final = "held_back"

MEMBERS_PER_PAGE: Final = 50
# For each level of forks in forks: members of one fork, and of all forks together.
ROOM: Final = ((50, 200), (10, 100))
STEPS_PER_MEMBER, STEPS_PER_LEVEL = 20, 400

ATTENTION: Final = (
    (Q(status=ExecutionStatus.FAILED), 0),
    (Q(status=ExecutionStatus.RUNNING), 1),
    (Q(held_back=True), 5),
    (Q(status=ExecutionStatus.COMPLETED), 3),
    (Q(status=ExecutionStatus.CANCELLED), 4),
)


class Asked(NamedTuple):
    """The fork that somebody looks at more closely: the seq of its opening, which of its members
    (a status, "" for all), and which page of them."""

    seq: int
    status: str = ""
    page: str = "1"

    @classmethod
    def of(cls, query: QueryDict) -> Asked | None:
        """What an address asks for: ``?fork=3&status=failed&members=2``."""
        seq = query.get("fork", "")
        if not (seq.isascii() and seq.isdecimal() and len(seq) < 10):
            return None
        return cls(int(seq), query.get("status", ""), query.get("members", "1"))


@dataclass(eq=False)
class Member:
    """A strand that is shown, with its last step runs and the forks among them."""

    row: Execution
    steps: list[StepRun] = field(default_factory=list)
    forks: dict[int, Fork] = field(default_factory=dict)
    earlier: int = 0

    @property
    def status(self) -> str:
        return status_of(self.row)


@dataclass(eq=False)
class Fork:
    """A visit that forked, the visits that joined it, and those of its members that are shown.

    ``is_last``  nothing else has been recorded in ``owner`` after it
    ``asked``    which members somebody asked for; "" for all, None if nobody did
    """

    owner: Execution
    opening: StepRun
    results: Results
    joins: list[StepRun]
    is_last: bool
    counts: dict[str, int] = field(default_factory=dict)
    members: list[Member] = field(default_factory=list)
    asked: str | None = None
    page: Page[UUID] | None = None

    @property
    def ids(self) -> tuple[UUID, UUID]:
        """The first and the last id of its members."""
        first = self.results.first_id
        return first, UUID(int=first.int + max(len(self.results) - 1, 0))

    @property
    def is_live(self) -> bool:
        """Whether its members run, or are about to be joined."""
        owner = self.owner
        if not self.is_last or owner.is_final or owner.status == ExecutionStatus.COMPENSATING:
            return False
        return not self.joins or self.joins[-1].status != StepStatus.COMPLETED

    @cached_property
    def status(self) -> str:
        """How the fork as a whole stands, as the status of a step run; or paused."""
        if self.is_live:
            is_paused = self.owner.status == ExecutionStatus.PAUSED
            return (ExecutionStatus.PAUSED if is_paused else StepStatus.RUNNING).value
        if self.joins:
            return self.joins[-1].status
        failed = self.owner.status == ExecutionStatus.FAILED
        return (StepStatus.FAILED if failed else StepStatus.CANCELLED).value


def status_of(row: Execution) -> str:
    """The status of an execution; that of a strand that is held back is told from other waits."""
    return HELD_BACK if row.held_back else row.status


def own_steps(owner: Execution) -> QuerySet[StepRun]:
    """The step runs of one row, in order, without joins, which are shown with their forks."""
    rows = StepRun.objects.using(settings.DATABASE).filter(execution_id=owner.pk)
    return rows.exclude(path__endswith=JOIN).order_by("seq")


def read_forks(
    owner: Execution,
    rows: Sequence[StepRun],
    *,
    is_end: bool,
    asked: Asked | None = None,
    room: Sequence[tuple[int, int]] = ROOM,
) -> dict[int, Fork]:
    """The forks among step runs of ``owner``, by the seq of their openings, and those in their
    members. ``is_end``: the last of ``rows`` is the last of its owner; ``room`` is for how many
    members, level by level."""
    top = _opened(owner, [*rows, *_joins(owner, rows)], is_end)
    level = list(top.values())
    for most, together in room:
        if not level:
            return top
        _count(level)
        members = _show(level, min(most, together // len(level)), asked)
        asked = None
        _add_steps(members)
        level = [fork for member in members for fork in member.forks.values()]
    if level:
        _count(level)
    return top


def _opened(owner: Execution, rows: Sequence[StepRun], is_end: bool) -> dict[int, Fork]:
    joins: dict[str, list[StepRun]] = {}
    for row in rows:
        if is_joining(row.path):
            joins.setdefault(row.path, []).append(row)
    own = [row for row in rows if not is_joining(row.path)]
    found = {}
    for row in own:
        results = _results(row)
        if results is not None:
            joined = joins.get(joining(row.path), [])
            is_last = is_end and row is own[-1]
            found[row.seq] = Fork(owner, row, results, joined, is_last)
    return found


def _results(row: StepRun) -> Results | None:
    """What an opening refers to; None for any other step run, and where there were no items."""
    if row.kind not in FORKS or row.status != StepStatus.COMPLETED:
        return None
    try:
        value = values.decode(row.output_text)
    except ValueError:
        return None
    return value if isinstance(value, Results) else None


def _joins(owner: Execution, rows: Iterable[StepRun]) -> list[StepRun]:
    paths = [joining(row.path) for row in rows if _results(row) is not None]
    if not paths:
        return []
    found = StepRun.objects.using(settings.DATABASE).filter(execution_id=owner.pk, path__in=paths)
    return list(found.order_by("seq"))


def _strands(forks: Sequence[Fork]) -> QuerySet[Any]:
    """The members of forks, each with the number of its fork."""
    owners = {fork.owner.pk for fork in forks}
    first = min(fork.ids[0] for fork in forks)
    last = max(fork.ids[1] for fork in forks)
    rows = Execution.objects.using(settings.DATABASE).filter(
        parent__id__any=list(owners), kind=ExecutionKind.STRAND, id__gte=first, id__lte=last
    )
    numbered = [When(id__range=fork.ids, then=Value(n)) for n, fork in enumerate(forks)]
    found = rows.annotate(fork=Case(*numbered, output_field=IntegerField()))
    return found.filter(fork__isnull=False).order_by()


def _count(forks: Sequence[Fork]) -> None:
    """How many members of each fork have each status."""
    found = _strands(forks).values_list("fork", "status", "held_back")
    for number, status, held_back, count in found.annotate(n=Count("id")):
        forks[number].counts[HELD_BACK if held_back else status] = count


def _show(forks: Sequence[Fork], most: int, asked: Asked | None) -> list[Member]:
    """Reads the members that are shown: at most ``most`` of each fork, but of the one asked for."""
    chosen: dict[Fork, list[UUID]] = {}
    large = []
    for fork in forks:
        if asked is not None and fork.opening.seq == asked.seq:
            chosen[fork] = _ask(fork, asked)
        elif len(fork.results) <= most:
            chosen[fork] = following(fork.ids[0], len(fork.results))
        else:
            large.append(fork)
    if large and most:
        chosen.update(_first_of(large, most))
    rows = Execution.objects.using(settings.DATABASE).defer("snapshot", "changes_text")
    found = rows.in_bulk([pk for ids in chosen.values() for pk in ids])
    for fork, ids in chosen.items():
        fork.members = [Member(found[pk]) for pk in ids if pk in found]
    return [member for fork in chosen for member in fork.members]


def _ask(fork: Fork, asked: Asked) -> list[UUID]:
    """A page of the members of one fork, in order."""
    rows = _strands([fork])
    fork.asked = asked.status if asked.status in fork.counts else ""
    if fork.asked == HELD_BACK:
        rows = rows.filter(held_back=True)
    elif fork.asked:
        rows = rows.filter(status=fork.asked, held_back=False)
    paginator = Paginator(rows.order_by("id").values_list("id", flat=True), MEMBERS_PER_PAGE)
    fork.page = paginator.get_page(asked.page)
    return list(fork.page)


def _first_of(forks: Sequence[Fork], most: int) -> dict[Fork, list[UUID]]:
    """Of each fork that has too many members those that need attention first."""
    rank = Case(*(When(what, then=Value(n)) for what, n in ATTENTION), default=Value(2))
    place = Window(RowNumber(), partition_by=[F("fork")], order_by=[rank.asc(), F("id").asc()])
    rows = _strands(forks).annotate(place=place).filter(place__lte=most)
    found: dict[Fork, list[UUID]] = {fork: [] for fork in forks}
    for number, pk in rows.order_by("fork", "place").values_list("fork", "id"):
        found[forks[number]].append(pk)
    return found


def _add_steps(members: Sequence[Member]) -> None:
    """The last step runs of each member. Their seqs have no gaps, so the last one is the count."""
    begun = {member.row.pk: member for member in members if member.row.lease}
    if not begun:
        return
    most = max(min(STEPS_PER_MEMBER, STEPS_PER_LEVEL // len(begun)), 1)
    rows = StepRun.objects.using(settings.DATABASE)
    counted = rows.filter(execution__id__any=list(begun)).order_by().values_list("execution_id")
    wanted = Q()
    for pk, last in counted.annotate(last=Max("seq")):
        begun[pk].earlier = max(last - most, 0)
        wanted |= Q(execution_id=pk, seq__gt=last - most)
    if not wanted:
        return
    found: dict[UUID, list[StepRun]] = {}
    for row in rows.filter(wanted).select_related("worker").order_by("execution_id", "seq"):
        found.setdefault(row.execution_id, []).append(row)
    for pk, steps in found.items():
        member = begun[pk]
        member.steps = [row for row in steps if not is_joining(row.path)]
        member.forks = _opened(member.row, steps, is_end=True)
