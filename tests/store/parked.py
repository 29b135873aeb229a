"""Runs that wait, to begin a test with: parked as a worker parks them, or as rows at once."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Any
from uuid import UUID

from durable_django.engine import values
from durable_django.models import Event, Execution, Wait
from durable_django.models.ids import uuid7
from durable_django.store import clock, sending
from durable_django.store.checkpoint import write_wave
from durable_django.store.claiming import Claimed
from durable_django.store.options import StartOptions
from durable_django.store.records import Checkpoint, Child, Move, WaitRecord

from .rows import OPTIONS, checkpoint_of, completion, held, step_of

# Of two runs that are ready the later one is claimed first: the one a test has just made.
_priorities = count(1)
SNAPSHOT = '{"next":"paid","seq":0,"attempt":0,"context":{},"outputs":{},"last":""}'


def held_now(worker_id: UUID, **options: Any) -> Claimed:
    """A new run, claimed, whatever else is ready."""
    return held(worker_id, priority=next(_priorities), **options)


def wait_of(run: Claimed, kind: str = "event", name: str = "paid", **fields: Any) -> WaitRecord:
    """What a run, or strand, waits for. `names` are those of any and all; `seconds` until it is
    due."""
    names = fields.pop("names", ())
    seconds = fields.pop("seconds", None)
    now = clock.now()
    if seconds is not None:
        fields["due_at"] = clock.after(now, seconds)
    record = WaitRecord(run.run_id, run.id, "paid", 0, 1, "paid", kind, now, name)
    if names:
        record = record._replace(name="", names_text=values.encode(list(names), "names"))
    return record._replace(**fields)


def parking(run: Claimed, kind: str = "event", name: str = "paid", **fields: Any) -> Checkpoint:
    """The checkpoint of a run that parks at the wait `paid`, its first node."""
    wait = wait_of(run, kind, name, **fields)
    status = "sleeping" if kind == "sleep" else "waiting"
    seq = fields.get("seq", 1)
    step = step_of(seq, "waiting", path=wait.path, name="paid", kind=kind, finished_at=None)
    step = step._replace(next_path=wait.path, output="null")
    snapshot = SNAPSHOT.replace('"seq":0', f'"seq":{seq - 1}')
    move = Move(status, snapshot, seq - 1, wake_at=wait.due_at)
    return Checkpoint(run.id, run.lease, step, move, wait=wait)


def parked(worker_id: UUID, kind: str = "event", name: str = "paid", **fields: Any) -> Claimed:
    """A run that waits. `timeout` is the run's own."""
    options = {"timeout": fields.pop("timeout")} if "timeout" in fields else {}
    run = held_now(worker_id, **options)
    assert write_wave(worker_id, [parking(run, kind, name, **fields)]) == ["written"]
    return run


def calling(run: Claimed, **fields: Any) -> tuple[Checkpoint, UUID]:
    """The checkpoint of a run that calls a workflow, and the id of that child. `shares` says
    whether it ends with its caller."""
    shares = fields.pop("shares", True)
    options: StartOptions = fields.pop("options", OPTIONS._replace(workflow_name="ship"))
    child = Child(uuid7(), run.run_id, options, '{"n":1}', shares)
    on_cancel = "cancel" if shares else "abandon"
    known = {"child_id": child.id, "key": child.id.hex, "on_cancel": on_cancel}
    return parking(run, "call", "ship", **known, **fields)._replace(child=child), child.id


def called(worker_id: UUID, **fields: Any) -> tuple[Claimed, UUID]:
    """A run that waits for a child, and the child's id."""
    run = held_now(worker_id)
    checkpoint, child_id = calling(run, **fields)
    assert write_wave(worker_id, [checkpoint]) == ["written"]
    return run, child_id


def ending(child: Claimed, status: str = "completed", **fields: Any) -> Checkpoint:
    """The checkpoint of a child that ends."""
    assert child.parent_id is not None
    move = completion()._replace(status=status, **fields)
    status = "completed" if status == "completed" else "failed"
    step = step_of(1, status)
    told = (child.parent_id, child.workflow_name)
    return checkpoint_of(child, step=step, move=move, child_of=told)


def sent(run: Any, payload: Any = None, name: str = "paid", **fields: Any) -> Event:
    """An event sent to a run, committed."""
    pk = getattr(run, "id", run)
    event = sending.send(pk, name, values.encode(payload, "payload"), **fields)
    assert event is not None
    return event


def published(payload: Any = None, name: str = "paid", key: str = "", **options: Any) -> Event:
    """An event published, committed. `keep_seconds`: how long it is kept."""
    return sending.publish(name, key, values.encode(payload, "payload"), **options)


def kept(run_id: UUID, keys: Iterable[str], name: str = "paid") -> None:
    """Events that came before their waits, one for each of the keys, as rows at once."""
    now = clock.now()
    events = [
        Event(
            execution_id=run_id,
            name=name,
            key=key,
            payload_text=values.encode(key, "payload"),
            status="kept",
            created_at=now,
            examined_at=now,
        )
        for key in keys
    ]
    Event.objects.bulk_create(events, batch_size=500)


def waiting_members(run: Claimed, waits: Iterable[dict[str, Any]]) -> list[UUID]:
    """Strands that wait, below a run, as rows at once: their ids. `waits` are columns of each."""
    now = clock.now()
    strands, rows = [], []
    for index, columns in enumerate(waits):
        strand = Execution(
            pk=uuid7(),
            root_id=run.id,
            parent_id=run.id,
            kind="strand",
            path=f"each[{index}]",
            depth=1,
            workflow_name="shop",
            status="waiting",
            lease=1,
            created_at=now,
            ready_at=now,
        )
        strands.append(strand)
        plain = {"kind": "event", "name": "paid", "path": f"each[{index}]/paid", "node": "paid"}
        columns = {**plain, "created_at": now, **columns}
        rows.append(Wait(execution_id=run.id, member_id=strand.pk, **columns))
    Execution.objects.bulk_create(strands, batch_size=50)
    Wait.objects.bulk_create(rows, batch_size=30)
    return [strand.pk for strand in strands]


def wait_at(run: Any, path: str = "paid", position: int = 0) -> Wait:
    """A wait as it stands now."""
    return Wait.objects.get(execution_id=getattr(run, "id", run), path=path, position=position)


def outcome_of(run: Any, path: str = "paid") -> tuple[str, Any]:
    """(status, value) of a wait."""
    row = wait_at(run, path)
    return row.status, row.value


def state_of(event: Event) -> str:
    """Of an event."""
    return Event.objects.get(pk=event.pk).status
