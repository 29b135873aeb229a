"""Forks to begin a test with: parents that wait for their strands, and the ends of those."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from durable_django.engine.results import results_text
from durable_django.models import Execution
from durable_django.models.ids import following, uuid7
from durable_django.store.checkpoint import write_wave
from durable_django.store.claiming import Claimed, claim
from durable_django.store.records import LOCKED, Checkpoint, Fork, Move, StrandEnd
from tests.waiting import until

from .rows import held, step_of


def snapshot_at(next_path: str, *, seq: int = 1, fork: str = "", own: str = "") -> str:
    """The snapshot of an execution that goes on at `next_path`; `own` are a strand's changes."""
    data = f'"changes":{own}' if own else '"context":{"n":1}'
    forked = f',"fork":{fork}' if fork else ""
    return (
        f'{{"next":"{next_path}","seq":{seq},"attempt":0,{data},"outputs":{{}},"last":"each"'
        f"{forked}}}"
    )


def fork_of(
    run: Claimed, items: int = 3, concurrency: int | None = None, path: str = "each"
) -> Checkpoint:
    """The checkpoint of a run, or strand, that forks into items."""
    first = uuid7()
    beginning = min(concurrency or items, items)
    last = following(first, beginning)[-1] if beginning < items else None
    text = results_text(first, items)
    snapshot = snapshot_at(f"{path}[]", fork=text, own="[]" if run.path else "")
    return Checkpoint(
        run.id,
        run.lease,
        step_of(1, path=path, name="each", kind="foreach", next_path=f"{path}[]", output=text),
        Move("waiting", snapshot, 1, remaining=items, released_id=last),
        fork=Fork(first, [(f"{path}[{n}]", f'"item {n}"') for n in range(items)], beginning),
    )


def forked(worker: UUID, items: int = 3, concurrency: int | None = None, **options: Any) -> Claimed:
    """A run that has forked and waits for its strands, of which none is claimed."""
    run = held(worker, **options)
    assert write_wave(worker, [fork_of(run, items, concurrency)]) == ["written"]
    return run


def claim_strands(worker: UUID, parent: UUID, count: int) -> list[Claimed]:
    """The next strands of a parent that are ready."""
    found = claim(worker, ["default"], count)
    assert len(found) == count
    assert {strand.parent_id for strand in found} == {parent}
    return found


def end_of(
    strand: Claimed,
    status: str = "completed",
    *,
    changes: str = "[]",
    seq: int = 1,
    **fields: Any,
) -> Checkpoint:
    """The checkpoint of a strand that ends; `fields` are those of its StrandEnd."""
    assert strand.inherited is not None
    failed = status == "failed"
    step = step_of(seq, status, path=f"{strand.path}/send", name="send", next_path="")
    if failed:
        step = step._replace(next_path=step.path, output="null", error='{"type":"E"}')
    snapshot = snapshot_at(step.next_path, seq=seq, own=changes)
    move = Move(
        status,
        snapshot,
        seq,
        result="null" if failed else f'"{strand.path}"',
        error='{"type":"E","message":"no"}' if failed else "",
        changes="[]" if failed else changes,
    )
    end = StrandEnd(strand.inherited.above, failed)._replace(**fields)
    return Checkpoint(strand.id, strand.lease, step, move, end=end)


def written(worker: UUID, wave: Sequence[Checkpoint]) -> list[str]:
    """What a committer does: what is locked by somebody is written again until it is not."""
    verdicts: dict[int, str] = dict.fromkeys(range(len(wave)), LOCKED)

    def write() -> bool:
        left = [n for n, verdict in verdicts.items() if verdict == LOCKED]
        found = write_wave(worker, [wave[n] for n in left])
        verdicts.update(zip(left, found, strict=True))
        return LOCKED not in verdicts.values()

    until(write)
    return list(verdicts.values())


def writing(worker: UUID, *wave: Checkpoint) -> Callable[[], list[str]]:
    """`written` as a call for a thread."""
    return lambda: written(worker, wave)


def statuses_below(pk: UUID) -> list[str]:
    """Of the strands of an execution, in item order."""
    rows = Execution.objects.filter(parent_id=pk).order_by("id")
    return list(rows.values_list("status", flat=True))
