"""Reading what a time line is drawn from, in a fixed number of queries; it draws nothing.

Of a run with very many attempts the newest are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from ..conf import settings
from ..engine.machine import COMPENSATION
from ..engine.paths import is_joining, joining, node_name
from ..engine.state import FORKS
from ..models import Execution, StepRun, Wait, WaitKind
from . import members
from .members import Fork, Member
from .run_request import RunRequest
from .timeline import Lane, Span

ATTEMPTS_MAX: Final = 5_000
WAITS_MAX: Final = 2_000
FORKS_MAX: Final = 50
# Members of one fork, and of all together.
ROOM: Final = ((40, 100),)
UNFOLDED_MAX: Final = 6

WAITING: Final = frozenset(kind for kind in WaitKind.values if kind != WaitKind.ONCE)


class Row(NamedTuple):
    """An attempt, without what it gave."""

    seq: int
    path: str
    name: str
    kind: str
    attempt: int
    status: str
    started_at: datetime
    finished_at: datetime | None


class Lanes(NamedTuple):
    """The lanes of a run in the order they began, and whether older attempts were left out."""

    lanes: list[Lane]
    is_partial: bool


def read_lanes(page: RunRequest) -> Lanes:
    """A lane for each node that was reached."""
    run = page.run
    rows = _rows(run)
    is_partial = len(rows) > ATTEMPTS_MAX
    rows = sorted(rows[:ATTEMPTS_MAX])
    forks = _forks(run, rows)
    shown = [member for fork in forks.values() for member in fork.members]
    waits = _waits(page, shown)
    lanes: dict[tuple[bool, str], Lane] = {}
    by_path: dict[str, Lane] = {}
    joined = _joined(rows)
    for row in rows:
        undoes = row.kind == COMPENSATION
        if is_joining(row.path):
            continue
        lane = lanes.get((undoes, row.name))
        if lane is None:
            address = page.tab_address("steps", node=row.name)
            lane = Lane(row.name, row.kind, address=address, is_rollback=undoes)
            lanes[undoes, row.name] = lane
        by_path[row.path] = lane
        lane.spans.append(_span(row, joined, run))
        if (fork := forks.get(row.seq)) is not None:
            _add_members(lane, fork, waits, page)
    for wait in waits.get(run.pk, ()):
        if (found := by_path.get(wait.path)) is not None:
            found.spans.append(_waited(wait))
    return Lanes(list(lanes.values()), is_partial)


def _rows(run: Execution) -> list[Row]:
    rows = StepRun.objects.using(settings.DATABASE).filter(execution_id=run.pk).order_by("-seq")
    return [Row(*row) for row in rows.values_list(*Row._fields)[: ATTEMPTS_MAX + 1]]


def _joined(rows: Iterable[Row]) -> dict[str, Row]:
    """The last visit that joined each fork."""
    return {row.path: row for row in rows if is_joining(row.path)}


def _span(row: Row, joined: dict[str, Row], run: Execution) -> Span:
    is_wait = row.kind in WAITING
    if row.kind not in FORKS:
        return Span(row.started_at, _ended(row.finished_at, run), row.status, row.attempt, is_wait)
    join = joined.get(joining(row.path))
    if row.status != "completed":
        return Span(row.started_at, _ended(row.finished_at, run), row.status, row.attempt)
    if join is None or join.finished_at is None:
        status = "running" if not run.is_final else "cancelled"
        return Span(row.started_at, run.finished_at, status, row.attempt)
    return Span(row.started_at, join.finished_at, join.status, row.attempt)


def _ended(finished_at: datetime | None, run: Execution) -> datetime | None:
    """Nothing goes on in a run that has ended, whatever its rows say."""
    return finished_at or run.finished_at


def _forks(run: Execution, rows: Sequence[Row]) -> dict[int, Fork]:
    """The last forks with some of their members, those that failed or run first."""
    own = [row for row in rows if not is_joining(row.path)]
    seqs = [row.seq for row in own if row.kind in FORKS][-FORKS_MAX:]
    if not seqs:
        return {}
    found = StepRun.objects.using(settings.DATABASE).filter(execution_id=run.pk, seq__in=seqs)
    openings = list(found.order_by("seq"))
    is_end = own[-1].seq == seqs[-1]
    return members.read_forks(run, openings, is_end=is_end, room=ROOM)


def _waits(page: RunRequest, shown: Sequence[Member]) -> dict[object, list[Wait]]:
    """The waits inside of steps, by the row that waits; declared ones are attempts themselves."""
    ids = [page.run.pk, *(member.row.pk for member in shown)]
    # By the run, too: there is an index for that, and none for members.
    run_id = page.above[0].pk if page.above else page.run.pk
    rows = Wait.objects.using(settings.DATABASE).filter(execution=run_id, member__id__any=ids)
    rows = rows.filter(position__gt=0).exclude(kind__in=(WaitKind.ONCE, WaitKind.START))
    columns = ("id", "member_id", "path", "status", "created_at", "resolved_at")
    found: dict[object, list[Wait]] = {}
    for wait in rows.order_by("-id").only(*columns)[:WAITS_MAX]:
        found.setdefault(wait.member_id, []).append(wait)
    return found


def _waited(wait: Wait) -> Span:
    status = "waiting" if wait.is_open else wait.status
    return Span(wait.created_at, wait.resolved_at, status, is_wait=True)


def _add_members(lane: Lane, fork: Fork, waits: dict[object, list[Wait]], page: RunRequest) -> None:
    """The members of a fork as lanes of its own lane; of a later visit behind those before."""
    for member in fork.members:
        row = member.row
        steps = [
            Row(*(getattr(step, name) for name in Row._fields))
            for step in member.steps
            if not is_joining(step.path)
        ]
        joined = {
            joining(inner.opening.path): Row(*(getattr(join, name) for name in Row._fields))
            for inner in member.forks.values()
            for join in inner.joins
        }
        spans = [_span(step, joined, row) for step in steps]
        spans += [_waited(wait) for wait in waits.get(row.pk, ())]
        if row.started_at is not None and not spans:
            spans = [Span(row.started_at, row.finished_at, member.status)]
        name = row.path.rpartition("/")[2]
        address = page.links.page_of(row.pk)
        lane.lanes.append(Lane(name, "", spans, member.status, address))
    lane.more += len(fork.results) - len(fork.members)
    few = len(fork.results) <= UNFOLDED_MAX
    lane.is_open = few and (fork.is_live or fork.status != "completed")
    if node_name(fork.opening.path) == lane.name:
        lane.status = fork.status
