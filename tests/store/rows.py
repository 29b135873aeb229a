"""Rows to begin a test with, and threads that begin at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connections, transaction

from durable_django.models import Execution, StepRun
from durable_django.store import clock, leases
from durable_django.store.claiming import Claimed, claim
from durable_django.store.options import StartOptions
from durable_django.store.records import Checkpoint, Move, StepRecord
from durable_django.store.starting import insert

OPTIONS = StartOptions("shop", 1, "default", 0, None, None, None, [])
WAIT_SECONDS = 20


def make_worker(hostname: str = "here") -> UUID:
    return leases.register(
        hostname=hostname,
        pid=1,
        pid_space="",
        queues=["default"],
        threads=1,
        executor="threads",
        package_version="",
    )


def make_run(input_text: str = "{}", **options: Any) -> Execution:
    return insert(OPTIONS._replace(**options), input_text)[0]


def claim_one(worker_id: UUID, pk: UUID | None = None) -> Claimed:
    """The claim of the one run that is ready (of `pk`, to be sure that it is that one)."""
    (found,) = claim(worker_id, ["default"], 1)
    assert pk is None or found.id == pk
    return found


def held(worker_id: UUID, **options: Any) -> Claimed:
    """A new run, claimed."""
    run = make_run(**options)
    return claim_one(worker_id, run.pk)


def step_of(seq: int = 1, status: str = "completed", **fields: Any) -> StepRecord:
    now = clock.now()
    record = StepRecord(
        seq=seq,
        path=f"n{seq}",
        name=f"n{seq}",
        kind="step",
        attempt=1,
        status=status,
        started_at=now,
        finished_at=None if status == "running" else now,
        next_path=f"n{seq}" if status == "running" else f"n{seq + 1}",
        output=str(seq),
    )
    return record._replace(**fields)


def checkpoint_of(run: Claimed, seq: int = 1, **fields: Any) -> Checkpoint:
    """The checkpoint of a completed step of a run that goes on."""
    return Checkpoint(run.id, run.lease, step_of(seq))._replace(**fields)


def completion(snapshot: str = "{}", seq: int = 1) -> Move:
    return Move("completed", snapshot, seq, result='"done"')


def sleep_of(seconds: float, seq: int = 1) -> Move:
    return Move("sleeping", SNAPSHOT, seq, wake_at=clock.now() + timedelta(seconds=seconds))


SNAPSHOT = '{"next":"n2","seq":1,"attempt":0,"context":{"n":1},"outputs":{"n1":[1]},"last":"n1"}'


def now_of(pk: UUID) -> Execution:
    return Execution.objects.get(pk=pk)


def seqs_of(pk: UUID) -> list[int]:
    return list(
        StepRun.objects.filter(execution_id=pk).order_by("id").values_list("seq", flat=True)
    )


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Each call in a thread and on a connection of its own, all let go at the same moment; what
    they gave, or the errors they raised."""
    barrier = threading.Barrier(len(calls))

    def begin(call: Callable[[], Any]) -> Any:
        try:
            connections["default"].ensure_connection()
            barrier.wait(WAIT_SECONDS)
            return call()
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(begin, calls))


class OpenTransaction:
    """A transaction of somebody else: `act` is done in it, and it stays open for the block."""

    def __init__(self, act: Callable[[], Any], *, commits: bool = True) -> None:
        self._act = act
        self._commits = commits
        self._done = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.gave: Any = None

    def __enter__(self) -> OpenTransaction:
        self._thread.start()
        assert self._done.wait(WAIT_SECONDS)
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def end(self) -> None:
        """Commits (or rolls back) and waits until that is done."""
        self._end.set()
        self._thread.join(WAIT_SECONDS)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        try:
            with transaction.atomic():
                self.gave = self._act()
                self._done.set()
                self._end.wait(WAIT_SECONDS)
                transaction.set_rollback(not self._commits)
        finally:
            self._done.set()
            connections.close_all()
