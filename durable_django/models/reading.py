"""Reading single values that a run refers to: an output in its row, the results of a fork.

Both can be asked for in a step that runs on an event loop, where Django refuses to query; they are
read in a thread then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from uuid import UUID

from asgiref.sync import AsyncToSync
from django.db import connections

from ..conf import settings
from ..engine import values
from ..engine.results import MemberFailure, Results
from .ids import following

T = TypeVar("T")


def output_text(execution_id: UUID, reference: str, using: str | None = None) -> str:
    """The encoded output a reference names: a step run's seq, "12", of the execution; or one of
    another execution, "<hex>:12"."""
    from .step_run import StepRun

    owner, _, seq = reference.rpartition(":")
    rows = StepRun.objects.using(using or settings.DATABASE).values_list("output_text", flat=True)
    wanted = rows.filter(execution_id=UUID(owner) if owner else execution_id, seq=int(seq))
    return off_loop(wanted.get)


def read_results(first_id: UUID, start: int, stop: int) -> list[Any]:
    """What the members ``start`` to ``stop`` of a fork gave; a MemberFailure for a failed one."""
    from .execution import Execution

    if start >= stop:
        return []
    ids = following(UUID(int=first_id.int + start), stop - start)
    rows = Execution._default_manager.using(settings.DATABASE)
    rows = rows.filter(id__gte=ids[0], id__lte=ids[-1]).order_by("id")
    texts = rows.values_list("status", "result_text", "error_text")
    return [_given(*row) for row in off_loop(lambda: list(texts))]


def _given(status: str, result_text: str, error_text: str) -> Any:
    if status != "completed" and error_text:
        error = values.decode(error_text)
        return MemberFailure(error["type"], error["message"])
    return values.decode(result_text)


def off_loop(read: Callable[[], T]) -> T:
    """What ``read`` gives, read in a thread where this one runs an event loop."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return read()
    # Under the test kit the loop was begun by a thread that waits for it, in whose transaction the
    # rows may stand.
    outer = AsyncToSync.loop_thread_executors.get(loop)
    if outer is not None:
        return outer.submit(read).result()

    def in_thread() -> T:
        try:
            return read()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(in_thread).result()


Results.read = read_results
