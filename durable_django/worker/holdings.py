"""Holdings: what a pool has in memory, for the parts beside its threads."""

from __future__ import annotations

from uuid import UUID

from .attempt import Attempt
from .pool import Pool


def attempts_running(pool: Pool) -> list[Attempt]:
    """All attempts whose body runs now."""
    inline = [slot.attempt for slot in list(pool.slots) if slot.attempt is not None]
    return list({*inline, *list(pool.active), *list(pool.loop.running)})


def forget_all(pool: Pool, worker_id: UUID) -> None:
    """This process was declared dead: what it held belongs to others now, and it goes on as
    ``worker_id``."""
    with pool.mutex:
        pool.worker_id = worker_id
        pool.fast.clear()
        pool.slow.clear()
        pool.runs.clear()
        pool.suspect = None
        pool.unsure = True
