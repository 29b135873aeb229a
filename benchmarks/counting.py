"""Counts what a worker process asks of its database, in the worker, readable from outside.

Each process writes its counters into a file of its own, mapped into memory: a statement costs a
microsecond more and nothing is sent anywhere. Counted are statements, BEGIN and COMMIT left out
(an ``executemany`` is one, as it is one call to the database's library), and the transactions
that were committed and may have written: those begun with BEGIN, and single writing statements.
"""

import mmap
import os
import re
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

DIRECTORY = "DURABLE_BENCHMARK_COUNTS"
# Statements, commits, and the process's CPU nanoseconds at its first and latest statement.
FORMAT = struct.Struct("=4q")
WRITES = re.compile(r"\s*(?:WITH\b.{0,40}?\b)?(?:INSERT|UPDATE|DELETE)\b", re.DOTALL)


class Counts(NamedTuple):
    """What processes did; of their CPU time the start of their interpreters is left out."""

    statements: int
    commits: int
    cpu_seconds: float

    def since(self, before: "Counts") -> "Counts":
        """What was done after ``before`` was read."""
        return Counts(
            self.statements - before.statements,
            self.commits - before.commits,
            self.cpu_seconds - before.cpu_seconds,
        )


def install_if_asked() -> None:
    """Counts in this process if the environment names a directory for the counters."""
    directory = os.environ.get(DIRECTORY)
    if directory:
        connection_created.connect(_Counter(Path(directory)).watch, weak=False)


def read_own() -> Counts:
    """What this process did so far, if it counts at all."""
    return read(Path(os.environ[DIRECTORY]))


def read(directory: Path) -> Counts:
    """The sum over the processes that wrote into the directory."""
    rows = [FORMAT.unpack(path.read_bytes()) for path in directory.iterdir()]
    return Counts(
        statements=sum(row[0] for row in rows),
        commits=sum(row[1] for row in rows),
        cpu_seconds=sum(row[3] - row[2] for row in rows) / 1e9,
    )


class _Counter:
    """On PostgreSQL it counts in the driver, which COPY passes too; else in Django's cursor."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._mutex = threading.Lock()
        self._statements = self._commits = self._first_ns = 0
        self._memory: mmap.mmap | None = None
        self._in_driver = False

    def watch(self, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
        """Called for each connection that is opened; one Django connection may reconnect."""
        if connection.vendor == "postgresql":
            if not self._in_driver:
                self._in_driver = True
                self._count_in_psycopg()
        elif self._count not in connection.execute_wrappers:
            connection.execute_wrappers.append(self._count)
            connection.commit = self._committing(connection.commit)  # type: ignore[method-assign]

    def _count_in_psycopg(self) -> None:
        import psycopg

        cursor: Any = psycopg.Cursor
        for name in ("execute", "executemany", "copy"):
            setattr(cursor, name, self._counting(getattr(cursor, name)))
        client: Any = psycopg.Connection
        client.commit = self._committing(client.commit)

    def _counting(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def counted(cursor: Any, query: Any, *args: Any, **options: Any) -> Any:
            result = method(cursor, query, *args, **options)
            autocommit = cursor.connection.autocommit
            self._add(1, int(autocommit and WRITES.match(str(query)) is not None))
            return result

        return counted

    def _committing(self, commit: Callable[..., None]) -> Callable[..., None]:
        def counted(*args: Any) -> None:
            commit(*args)
            self._add(0, 1)

        return counted

    def _count(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any
    ) -> Any:
        """An ``execute_wrapper`` of Django."""
        result = execute(sql, params, many, context)
        if not str(sql).startswith("BEGIN"):
            autocommit = not context["connection"].in_atomic_block
            self._add(1, int(autocommit and WRITES.match(str(sql)) is not None))
        return result

    def _add(self, statements: int, commits: int) -> None:
        with self._mutex:
            self._statements += statements
            self._commits += commits
            memory = self._memory or self._open()
            FORMAT.pack_into(
                memory,
                0,
                self._statements,
                self._commits,
                self._first_ns,
                time.process_time_ns(),
            )

    def _open(self) -> mmap.mmap:
        self._first_ns = time.process_time_ns()
        path = self._directory / str(os.getpid())
        path.write_bytes(bytes(FORMAT.size))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), FORMAT.size)
        return self._memory
