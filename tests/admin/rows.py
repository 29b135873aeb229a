"""Rows as the engine would have left them, made one at a time."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from durable_django.engine import values
from durable_django.engine.context import Change, encode_changes
from durable_django.engine.paths import node_name
from durable_django.engine.results import results_text
from durable_django.engine.state import RunState, to_snapshot
from durable_django.models import (
    FINAL,
    Execution,
    Schedule,
    ScheduleTick,
    StepRun,
    Worker,
    WorkflowDefinition,
)
from durable_django.models.ids import following, uuid7


def now() -> datetime:
    return datetime.now(UTC)


def encoded(mapping: dict[str, Any]) -> dict[str, str]:
    return {key: values.encode(value, key) for key, value in mapping.items()}


def make_worker(**fields: Any) -> Worker:
    """A worker that is alive."""
    return Worker.objects.create(
        **{
            "hostname": "host",
            "pid": 4711,
            "queues": ["default"],
            "threads": 8,
            "package_version": "0.1.0",
            "started_at": now(),
            "heartbeat_at": now(),
            **fields,
        }
    )


def make_run(
    status: str = "pending",
    *,
    input: Any = None,
    context: dict[str, Any] | None = None,
    outputs: dict[str, Any] | None = None,
    result: Any = None,
    error: dict[str, Any] | None = None,
    **fields: Any,
) -> Execution:
    """A run in a status, with all that the constraints ask of it."""
    pk = uuid7()
    begun = fields.get("created_at", now())
    needs: dict[str, Any] = {}
    if status == "running":
        needs = {"worker": fields.pop("worker", None) or make_worker(), "lease": 1}
    if status in FINAL:
        needs["finished_at"] = begun + timedelta(seconds=2)
    if status in ("sleeping", "scheduled"):
        needs["due_at"] = begun + timedelta(hours=1)
    if status == "paused":
        needs["paused_at"] = begun + timedelta(seconds=1)
    if status not in ("pending", "scheduled"):
        needs["started_at"] = begun + timedelta(seconds=0.5)
    state = RunState("", 0, 0, encoded(context or {}), encoded(outputs or {}))
    return Execution.objects.create(
        **{
            "id": pk,
            "root_id": pk,
            "workflow_name": "tests.order",
            "status": status,
            "created_at": begun,
            "ready_at": begun,
            "input_text": values.encode({} if input is None else input, "input"),
            "snapshot": to_snapshot(state),
            "result_text": values.encode(result, "result"),
            "error_text": values.encode(error, "error") if error else "",
            **needs,
            **fields,
        }
    )


def make_step(
    run: Execution,
    name: str = "charge",
    status: str = "completed",
    *,
    seq: int = 1,
    attempt: int = 1,
    output: Any = None,
    changes: list[tuple[str, str, Any]] | None = None,
    error: dict[str, Any] | None = None,
    logs: list[str] | None = None,
    **fields: Any,
) -> StepRun:
    """One attempt; `logs` are messages."""
    at = run.started_at or run.created_at
    found = [Change(op, key, values.encode(value, key)) for op, key, value in changes or []]
    lines = [
        {"at": at, "level": "INFO", "logger": "tests", "message": message} for message in logs or []
    ]
    return StepRun.objects.create(
        **{
            "execution": run,
            "seq": seq,
            "path": name,
            "name": name,
            "kind": "step",
            "attempt": attempt,
            "status": status,
            "output_text": values.encode(output, "output"),
            "changes_text": encode_changes(tuple(found)),
            "error_text": values.encode(error, "error") if error else "",
            "logs_text": values.encode(lines, "logs"),
            "started_at": at,
            "finished_at": None if status == "running" else at + timedelta(seconds=0.25),
            **fields,
        }
    )


def make_fork(
    run: Execution,
    statuses: list[str],
    *,
    path: str = "sending",
    seq: int = 1,
    kind: str = "foreach",
    names: list[str] | None = None,
    joined: str | None = None,
    **fields: Any,
) -> list[Execution]:
    """A fork with a member of each status ("held_back", too), the last of all step runs unless it
    was `joined`, with that status. `names` are the members of a parallel or race."""
    first = uuid7()
    ids = following(first, len(statuses))
    members = [
        _strand(
            run,
            pk,
            number,
            status,
            f"{path}/{names[number]}" if names else f"{path}[{number}]",
            fields,
        )
        for number, (pk, status) in enumerate(zip(ids, statuses, strict=True))
    ]
    Execution.objects.bulk_create(members)
    at = {"path": path, "kind": kind, "next_path": f"{path}[]"}
    opening = make_step(run, node_name(path), seq=seq, **at)
    StepRun.objects.filter(pk=opening.pk).update(output_text=results_text(first, len(statuses)))
    if joined is not None:
        error = make_error("the last word") if joined == "failed" else None
        at = {"path": f"{path}[]", "kind": kind, "error": error}
        make_step(run, node_name(path), joined, seq=seq + 1, **at)
    return members


def _strand(
    run: Execution, pk: UUID, number: int, status: str, path: str, fields: dict[str, Any]
) -> Execution:
    at = run.started_at or run.created_at
    ended, begun = status in FINAL, status not in ("held_back", "pending")
    return Execution(
        id=pk,
        kind="strand",
        parent=run,
        root_id=run.root_id,
        depth=run.depth + 1,
        path=path,
        workflow_name=run.workflow_name,
        status="waiting" if status == "held_back" else status,
        held_back=status == "held_back",
        lease=1 if begun else 0,
        created_at=at,
        ready_at=at,
        started_at=at if begun else None,
        finished_at=at + timedelta(seconds=1) if ended else None,
        **{
            "worker": run.worker if status == "running" else None,
            "input_text": values.encode({"number": number}, "item"),
            "result_text": values.encode(f"gave {number}", "result"),
            "error_text": values.encode(make_error(f"no {number}"), "e")
            if status == "failed"
            else "",
            **fields,
        },
    )


def make_error(message: str = "no", traceback: str = "Traceback …") -> dict[str, Any]:
    return {"type": "ValueError", "message": message, "traceback": traceback, "node": "charge"}


def make_definition(structure: Any = None, **fields: Any) -> WorkflowDefinition:
    """A stored definition."""
    return WorkflowDefinition.objects.create(
        **{
            "name": "tests.order",
            "structure_text": values.encode(structure or {"nodes": []}, "structure"),
            "created_at": now(),
            "updated_at": now(),
            **fields,
        }
    )


def make_schedule(
    workflow: str = "tests.reports", name: str = "nightly", **fields: Any
) -> Schedule:
    """A schedule of people that is on, at 9:00 in New York unless another time is given."""
    when = {"cron": "0 9 * * *", "timezone": "America/New_York"}
    return Schedule.objects.create(
        **{
            "workflow_name": workflow,
            "name": name,
            "source": "people",
            "catch_up_seconds": 86_400.0,
            "enabled_at": now(),
            "created_at": now(),
            "next_at": now() + timedelta(hours=3),
            "due_at": now() + timedelta(hours=3),
            **({} if "interval_seconds" in fields else when),
            **fields,
        }
    )


def make_tick(schedule: Schedule, outcome: str = "started", **fields: Any) -> ScheduleTick:
    """A tick that was due just now."""
    given = {"kind": "time", "at": now(), "created_at": now(), **fields}
    return ScheduleTick.objects.create(schedule=schedule, outcome=outcome, **given)
