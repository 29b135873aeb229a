"""The plainest client of PostgreSQL: commits one INSERT at a time, over some connections.

Its processes are started afresh and know no Django; one process alone would measure the
interpreter's lock. Used by ``floor.py``.
"""

import multiprocessing
import threading
import time
from typing import Any
from uuid import uuid4

import psycopg

OUTPUT = '{"n":1}'
TABLE = "benchmark_floor"
CREATE = (
    f"CREATE TABLE {TABLE} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
    "execution uuid, seq int, name text, output text, finished_at timestamptz)"
)
INSERT = (
    f"INSERT INTO {TABLE} (execution, seq, name, output, finished_at) "
    "VALUES (%s, %s, %s, %s, now())"
)
START_SECONDS_MAX = 60


def rows_per_second(
    params: dict[str, Any], seconds: float, processes: int, connections: int
) -> float:
    """What all processes commit together, each over so many connections, one thread for each."""
    with psycopg.connect(**params, autocommit=True) as admin:
        admin.execute(CREATE)
        try:
            return _race(params, seconds, processes, connections)
        finally:
            admin.execute(f"DROP TABLE {TABLE}")


def _race(params: dict[str, Any], seconds: float, processes: int, connections: int) -> float:
    context = multiprocessing.get_context("spawn")
    gate, counts = context.Barrier(processes), context.Queue()
    running = [
        context.Process(target=_insert, args=(params, seconds, connections, gate, counts))
        for _ in range(processes)
    ]
    for process in running:
        process.start()
    try:
        found: list[int] = [counts.get(timeout=START_SECONDS_MAX + seconds) for _ in running]
    finally:
        for process in running:
            process.terminate()
            process.join()
    return sum(found) / seconds


def _insert(
    params: dict[str, Any], seconds: float, connections: int, gate: Any, counts: Any
) -> None:
    """The body of one process: how many rows it committed in its seconds."""
    clients = [
        psycopg.connect(**params, autocommit=True, prepare_threshold=1) for _ in range(connections)
    ]
    done = [0] * connections
    gate.wait(timeout=START_SECONDS_MAX)
    until = time.monotonic() + seconds

    def insert_rows(number: int) -> None:
        execute, execution, count = clients[number].execute, uuid4(), 0
        while time.monotonic() < until:
            count += 1
            execute(INSERT, (execution, count, "step", OUTPUT))
        done[number] = count

    threads = [threading.Thread(target=insert_rows, args=(n,)) for n in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts.put(sum(done))
