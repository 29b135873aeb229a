"""Reads what has to be known of one run to say why it does not move: at most five queries, and of
the large columns only the error of a run that has failed. It writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Min, OuterRef, Q, Subquery

from ..conf import settings
from ..definition import registry
from ..engine import values
from ..engine.paths import fork_of, node_name
from ..exceptions import WorkflowNotFound
from ..executors.clusters import cluster_of, heartbeat, patience
from ..models import (
    AuditEntry,
    AuditVerb,
    Execution,
    ExecutionStatus,
    Queue,
    StepRun,
    Wait,
    Worker,
    WorkerStatus,
)
from ..models.execution import ExecutionKind
from ..store import clock
from ..store.gates import held_in
from .facts import (
    Act,
    ClusterFacts,
    Facts,
    Holder,
    MemberFacts,
    QueueFacts,
    StepFacts,
    WaitFacts,
)

Status = ExecutionStatus
WAITS_MAX = 20
WITH_ERROR = (Status.FAILED, Status.COMPENSATED, Status.COMPENSATION_FAILED)


def read_facts(execution: Execution, *, now: datetime | None = None) -> Facts:
    """What is known of a run or strand; see :func:`durable_django.why.why`."""
    return _Reading(execution, clock.now() if now is None else now).facts()


class _Reading:
    """One run, and what is asked about it. Which queries are made depends on its status alone."""

    def __init__(self, run: Execution, now: datetime) -> None:
        self.run = run
        self.now = now
        self.lease = timedelta(seconds=settings.LEASE_SECONDS)
        self.members: list[Mapping[str, Any]] = []
        self.workers: dict[UUID, Mapping[str, Any]] = {}

    def facts(self) -> Facts:
        """Everything, in as few queries as its status needs."""
        run, status = self.run, self.run.status
        ended = run.is_final
        if status == Status.WAITING and run.remaining:
            self.members = self._members()
        if not ended and status != Status.PAUSED:
            self.workers = self._workers()
        parked = status in (Status.SLEEPING, Status.WAITING, Status.PAUSED, Status.COMPENSATING)
        queue, paused, cancelled = self._queue(), None, None
        if run.paused_at is not None and not ended:
            paused = self._act(AuditVerb.PAUSE)
        elif status in (Status.CANCELLED, Status.COMPENSATED) and not self._is_strand:
            cancelled = self._act(AuditVerb.CANCEL)
        return Facts(
            now=self.now,
            status=status,
            workflow=run.workflow_name,
            version=run.version,
            queue=queue,
            cluster=None if ended else self._cluster(queue),
            has_code=ended or self._has_code(),
            is_strand=self._is_strand,
            fork=self._fork(),
            scheduled_at=run.scheduled_at,
            wake_at=run.wake_at,
            timeout_at=None if ended else run.timeout_at,
            paused_at=run.paused_at,
            paused=paused,
            cancelled=cancelled,
            cancel_reason=run.reason if status == Status.CANCELLED else "",
            holder=self._holder(run.worker_id),
            is_held_back=run.held_back,
            is_suspect=run.suspect,
            recoveries=run.recoveries,
            recoveries_max=settings.MAX_RECOVERIES,
            remaining=run.remaining,
            failures=run.failures,
            members=tuple(self._member(row) for row in self.members),
            waits=tuple(self._waits()) if parked and run.worker_id is None else (),
            step=self._step() if self._wants_step() else None,
            error=run.error if status in WITH_ERROR else None,
            lease=self.lease,
            heartbeat=heartbeat(),
            patience=patience(),
        )

    @property
    def _is_strand(self) -> bool:
        return self.run.kind == ExecutionKind.STRAND

    def _wants_step(self) -> bool:
        asleep = self.run.status in (Status.SLEEPING, Status.COMPENSATING)
        return self.run.worker_id is not None or (asleep and self.run.wake_at is not None)

    def _has_code(self) -> bool:
        """Whether a worker that serves its queue has it; where none says what it has, this process
        is asked instead."""
        run = self.run
        wanted = f"{run.workflow_name} v{run.version}"
        serving = self._serving()
        told = [row["workflows"] for row in serving if row["workflows"]]
        if told:
            return any(wanted in workflows for workflows in told)
        try:
            registry.get(run.workflow_name, run.version)
        except WorkflowNotFound:
            return False
        return True

    # -- workers and queue -------------------------------------------------------------------

    def _workers(self) -> dict[UUID, Mapping[str, Any]]:
        """Those that count as alive, and those that hold something here."""
        held_by = {self.run.worker_id, *(row["worker_id"] for row in self.members)} - {None}
        rows = Worker.objects.using(settings.DATABASE).filter(
            Q(status=WorkerStatus.ALIVE) | Q(pk__in=held_by)
        )
        return {row["id"]: row for row in rows.order_by("id").values(*_WORKER_COLUMNS)}

    def _beating(self) -> list[Mapping[str, Any]]:
        since = self.now - self.lease
        rows = self.workers.values()
        alive = [row for row in rows if row["status"] == WorkerStatus.ALIVE]
        return [row for row in alive if row["heartbeat_at"] >= since]

    def _serving(self) -> list[Mapping[str, Any]]:
        """Those that take runs of its queue: one without threads only hands them over."""
        name = self.run.queue
        return [row for row in self._beating() if row["threads"] and name in row["queues"]]

    def _holder(self, pk: UUID | None) -> Holder | None:
        if pk is None:
            return None
        worker = self.workers.get(pk)
        if worker is None:
            return Holder(name=str(pk), status="gone")
        return Holder(
            name=_name_of(worker), status=worker["status"], heartbeat_at=worker["heartbeat_at"]
        )

    def _queue(self) -> QueueFacts:
        """Its gate is only read where something is ready for a claim."""
        name = self.run.queue
        beating = self._beating()
        found = QueueFacts(
            name=name,
            served_by=tuple(_name_of(worker) for worker in self._serving()),
            alive=len(beating),
            is_kept=any(not worker["cluster"] for worker in beating),
        )
        if not self._is_ready():
            return found
        row = Queue.objects.using(settings.DATABASE).filter(pk=name).first()
        if row is None or not (row.is_paused or row.concurrency_limit):
            return found
        return replace(
            found,
            paused_at=row.paused_at,
            paused=self._queue_act(name) if row.is_paused else None,
            limit=None if row.is_paused else row.concurrency_limit,
            held=0 if row.is_paused else held_in([name]).get(name, 0),
        )

    def _is_ready(self) -> bool:
        if self.run.status in (Status.PENDING, Status.COMPENSATING):
            return self._is_ready_itself()
        return any(row["status"] == Status.PENDING for row in self.members)

    def _is_ready_itself(self) -> bool:
        run = self.run
        is_in_turn = run.status in (Status.PENDING, Status.COMPENSATING)
        return is_in_turn and run.worker_id is None and run.wake_at is None

    def _cluster(self, queue: QueueFacts) -> ClusterFacts | None:
        """That which carries the runs of its queue, and how far it is with this one."""
        run, cluster = self.run, cluster_of(self.run.queue)
        if cluster is None:
            return None
        alive = {
            row["id"]
            for row in self._beating()
            if row["threads"]
            and (row["executor"], row["cluster"]) == (cluster.executor, cluster.name)
        }
        found = ClusterFacts(name=cluster.name, start=cluster.start, processes=len(alive))
        is_handed_over = self._is_ready_itself() and run.dispatched_lease == run.lease
        if not is_handed_over or queue.paused_at is not None:
            return found
        rows = Execution.objects.using(settings.DATABASE).filter(worker_id__in=alive)
        busy = rows.order_by().values("worker_id").distinct().count() if alive else 0
        idle = max(len(alive) - busy, 0)
        found = replace(found, idle=idle, ready_at=run.ready_at)
        return replace(found, handed_over_at=run.dispatched_at)

    # -- who did it --------------------------------------------------------------------------

    def _act(self, verb: str) -> Act | None:
        run = self.run
        # Only runs have a history; a strand's is that of what is above it.
        of_run = [run.parent_id, run.root_id] if self._is_strand else [run.pk]
        return _last_act(Q(execution__in=of_run, verb=verb))

    def _queue_act(self, name: str) -> Act | None:
        return _last_act(Q(execution__isnull=True, schedule="", queue=name, verb=AuditVerb.PAUSE))

    # -- what it waits for -------------------------------------------------------------------

    def _members(self) -> list[Mapping[str, Any]]:
        rows = Execution.objects.using(settings.DATABASE).filter(
            parent_id=self.run.pk, kind=ExecutionKind.STRAND, finished_at__isnull=True
        )
        grouped = rows.order_by().values("status", "worker_id")
        return list(
            grouped.annotate(count=Count("id"), path=Min("path"), wakes_at=Min("wake_at")).order_by(
                "status", "worker_id"
            )
        )

    def _member(self, row: Mapping[str, Any]) -> MemberFacts:
        return MemberFacts(
            status=row["status"],
            count=row["count"],
            holder=self._holder(row["worker_id"]),
            wakes_at=row["wakes_at"],
        )

    def _fork(self) -> str:
        """The block whose members it waits for; of a strand that is kept back, its own."""
        if self.members:
            return node_name(fork_of(self.members[0]["path"]))
        return node_name(fork_of(self.run.path)) if self._is_strand else ""

    def _waits(self) -> Iterable[WaitFacts]:
        """Those of the run and all its members, or of this strand alone."""
        rows = Wait.objects.using(settings.DATABASE).filter(resolved_at__isnull=True)
        if self._is_strand:
            rows = rows.filter(member_id=self.run.pk)
        else:
            rows = rows.filter(execution_id=self.run.pk)
        children = Execution.objects.using(settings.DATABASE).filter(pk=OuterRef("child_id"))
        rows = rows.annotate(child_status=Subquery(children.values("status")[:1]))
        for row in rows.order_by("id").values(*_WAIT_COLUMNS, "child_status")[:WAITS_MAX]:
            yield _wait(row)

    def _step(self) -> StepFacts | None:
        rows = StepRun.objects.using(settings.DATABASE).filter(execution_id=self.run.pk)
        columns = ("name", "status", "attempt", "error_text")
        row = rows.order_by("-seq").values(*columns).first()
        if row is None:
            return None
        error = values.decode(row["error_text"]) if row["error_text"] else {}
        return StepFacts(
            name=row["name"],
            status=row["status"],
            attempt=row["attempt"],
            error=str(error.get("type", "")),
        )


_WORKER_COLUMNS = (
    *("id", "hostname", "pid", "status", "queues", "workflows", "heartbeat_at"),
    *("threads", "executor", "cluster"),
)
_WAIT_COLUMNS = (
    *("id", "kind", "node", "name", "names_text", "key", "status", "due_at", "timeout_text"),
    *("assignee_kind", "assignee", "child_id"),
)


def _wait(row: Mapping[str, Any]) -> WaitFacts:
    return WaitFacts(
        id=row["id"],
        kind=row["kind"],
        node=row["node"],
        name=row["name"],
        names=tuple(values.decode(row["names_text"])),
        key=row["key"] if row["kind"] != "call" else "",
        due_at=row["due_at"],
        is_answered=row["status"] == "answered",
        has_timeout_value=bool(row["timeout_text"]),
        assignee_kind=row["assignee_kind"],
        assignee=row["assignee"],
        child_id=row["child_id"],
        child_status=row["child_status"],
    )


def _name_of(worker: Mapping[str, Any]) -> str:
    return f"{worker['hostname']}:{worker['pid']}"


def _last_act(condition: Q) -> Act | None:
    rows = AuditEntry.objects.using(settings.DATABASE).filter(condition)
    row = rows.order_by("-id").annotate(at=F("created_at")).values("by", "reason", "at").first()
    return None if row is None else Act(**row)
