"""Counts what a worker process asks of its database, in the worker, readable from outside.

Each process writes its counters into a file of its own, mapped into memory: a statement costs a
microsecond more and nothing is sent anywhere. Counted is what goes through Django's connections:
statements without BEGIN and COMMIT, and the transactions that were committed.
"""

import mmap
import os
import re
import struct
import threading
import time
from collections.abc import Callable, Sized
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
        return Counts(*(now - then for now, then in zip(self, before, strict=True)))


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
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._mutex = threading.Lock()
        self._statements = self._commits = self._first_ns = 0
        self._memory: mmap.mmap | None = None

    def watch(self, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
        """Called for each connection that is opened; one Django connection may reconnect."""
        if self._count in connection.execute_wrappers:
            return
        connection.execute_wrappers.append(self._count)
        commit = connection.commit

        def commit_counted() -> None:
            commit()
            self._add(0, 1)

        connection.commit = commit_counted  # type: ignore[method-assign]

    def _count(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any
    ) -> Any:
        result = execute(sql, params, many, context)
        if not str(sql).startswith("BEGIN"):
            autocommit = not context["connection"].in_atomic_block
            statements = len(params) if many and isinstance(params, Sized) else 1
            self._add(statements, int(autocommit and WRITES.match(str(sql)) is not None))
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
