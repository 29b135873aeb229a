"""The floor: what the database itself does, asked by the plainest program there is.

On PostgreSQL eight psycopg connections, each a thread that commits one INSERT at a time; on SQLite
one connection that does. No Django, no engine. Other figures are given as shares of this one.
"""

import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID, uuid4

from django.db import connection

CONNECTIONS = 8
OUTPUT = '{"n":1}'
_COLUMNS = "execution, seq, name, output, finished_at"


def measure(seconds: float) -> float:
    """Rows a second that were committed one by one."""
    return _postgresql(seconds) if connection.vendor == "postgresql" else _sqlite(seconds)


def description() -> str:
    """What :func:`measure` does here."""
    count = CONNECTIONS if connection.vendor == "postgresql" else 1
    return f"{count} connection{'s' * (count > 1)}, one INSERT a commit"


def flush_ms(directory: Path) -> float:
    """The median time in which this disk makes a page durable."""
    times = []
    with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
        for _ in range(200):
            file.write(bytes(4096))
            begin = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - begin)
    return median(times) * 1000


def _postgresql(seconds: float) -> float:
    import psycopg

    params: dict[str, Any] = dict(connection.get_connection_params())
    for name in ("cursor_factory", "context", "pool"):
        params.pop(name, None)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE benchmark_floor (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
            "execution uuid, seq int, name text, output text, finished_at timestamptz)"
        )
    sql = f"INSERT INTO benchmark_floor ({_COLUMNS}) VALUES (%s, %s, %s, %s, now())"
    clients = [
        psycopg.connect(**{**params, "autocommit": True, "prepare_threshold": 1})
        for _ in range(CONNECTIONS)
    ]
    try:
        return _race(seconds, [partial(client.execute, sql) for client in clients])
    finally:
        for client in clients:
            client.close()
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE benchmark_floor")


def _race(seconds: float, inserts: list[Callable[[tuple[UUID, int, str, str]], Any]]) -> float:
    """Rows a second of threads that each insert until the time is up."""
    counts = [0] * len(inserts)
    gate = threading.Barrier(len(inserts) + 1)

    def insert_rows(number: int) -> None:
        insert, execution, count = inserts[number], uuid4(), 0
        gate.wait()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            count += 1
            insert((execution, count, "step", OUTPUT))
        counts[number] = count

    threads = [threading.Thread(target=insert_rows, args=(n,)) for n in range(len(inserts))]
    for thread in threads:
        thread.start()
    gate.wait()
    begin = time.monotonic()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.monotonic() - begin)


def _sqlite(seconds: float) -> float:
    directory = Path(connection.settings_dict["NAME"]).parent
    with tempfile.TemporaryDirectory(dir=directory) as fresh:
        client = sqlite3.connect(Path(fresh) / "floor.sqlite3", isolation_level=None)
        try:
            client.execute("PRAGMA journal_mode=WAL")
            client.execute("PRAGMA synchronous=FULL")
            client.execute(
                "CREATE TABLE benchmark_floor (id INTEGER PRIMARY KEY AUTOINCREMENT, "
                "execution TEXT, seq INTEGER, name TEXT, output TEXT, finished_at TEXT)"
            )
            sql = f"INSERT INTO benchmark_floor ({_COLUMNS}) VALUES (?, ?, ?, ?, datetime())"
            execution, count, begin = str(uuid4()), 0, time.monotonic()
            while time.monotonic() < begin + seconds:
                count += 1
                client.execute(sql, (execution, count, "step", OUTPUT))
            return count / (time.monotonic() - begin)
        finally:
            client.close()
