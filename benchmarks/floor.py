"""The floor: what the database itself does, asked by the plainest program there is.

On PostgreSQL eight psycopg connections, each committing one INSERT at a time, in two processes; on
SQLite one connection that does. No Django, no engine. Other figures are given as shares of this.
"""

import os
import sqlite3
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

from django.db import connection

from . import plain_client
from .plain_client import OUTPUT

# Two processes, because one is bound by its interpreter: 8,800 rows/s against 14,000.
PROCESSES = 2
CONNECTIONS_EACH = 4


def measure(seconds: float) -> float:
    """Rows a second that were committed one by one."""
    if connection.vendor != "postgresql":
        return _sqlite(seconds)
    params: dict[str, Any] = dict(connection.get_connection_params())
    for name in ("cursor_factory", "context", "pool", "prepare_threshold"):
        params.pop(name, None)
    return plain_client.rows_per_second(params, seconds, PROCESSES, CONNECTIONS_EACH)


def description() -> str:
    """What :func:`measure` does here."""
    count = PROCESSES * CONNECTIONS_EACH if connection.vendor == "postgresql" else 1
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
            sql = (
                "INSERT INTO benchmark_floor (execution, seq, name, output, finished_at) "
                "VALUES (?, ?, ?, ?, datetime())"
            )
            execution, count, begin = str(uuid4()), 0, time.monotonic()
            while time.monotonic() < begin + seconds:
                count += 1
                client.execute(sql, (execution, count, "step", OUTPUT))
            return count / (time.monotonic() - begin)
        finally:
            client.close()
