"""Fault points: the places between two statements of parking and waking, by name, at which a worker
process ends itself with SIGKILL. Only a process that a test forks has them.

A name says during what, and before which statement: ``park: insert wait``, ``deliver: commit``. The
second of a kind in one transaction is ``park: update execution 2``; after the commit one is at
``park: committed``.
"""

import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from durable_django.models import FINAL
from durable_django.worker import committer, keeper, leader, pool, waiting

_TABLE = re.compile(r'"?durable_django_([a-z]+)"?')
_NOTIFY = re.compile(r"SELECT pg_notify")
_ADVISORY = re.compile(r"pg_(?:try_)?advisory_xact_lock(_shared)?")
_LOCKING = re.compile(r"FOR NO KEY UPDATE")
_WORDS = {"SELECT": "read", "INSERT": "insert", "UPDATE": "update", "DELETE": "delete"}


def named(sql: str) -> str:
    """What a statement does, in two words: ``lock execution``, ``insert wait``."""
    advisory = _ADVISORY.search(sql)
    if advisory:
        return "share inbox" if advisory[1] else "hold inbox"
    if _NOTIFY.match(sql):
        return "notify"
    verb = sql.split(None, 1)[0].upper()
    table = _TABLE.search(sql)
    if table is None:
        return verb.lower()
    if verb == "WITH":
        return f"update {table[1]}"
    if verb == "SELECT" and _LOCKING.search(sql):
        return f"lock {table[1]}"
    return f"{_WORDS.get(verb, verb.lower())} {table[1]}"


class Faults:
    """Those of this process. ``point``: where to end, ``log``: the file in which to note each point
    that is passed; either may be None."""

    def __init__(self, point: str | None, log: str | None) -> None:
        self._point = point
        self._log = log
        self._here = threading.local()

    def pass_by(self, what: str) -> None:
        """This thread is about to do ``what``."""
        during = getattr(self._here, "during", None)
        if during is None:
            return
        self._here.passed[what] += 1
        count = self._here.passed[what]
        point = f"{during}: {what}" + (f" {count}" if count > 1 else "")
        if self._log is not None:
            with open(self._log, "a", encoding="utf-8") as file:
                file.write(point + "\n")
        if point == self._point:
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def during(self, what: str | None):
        """What this thread does in here is (part of) ``what``; None: of nothing of interest."""
        self._here.during, self._here.passed = what, Counter()
        try:
            yield
        finally:
            self._here.during = None

    def begin_transaction(self) -> None:
        """Counting begins anew."""
        self._here.passed = Counter()

    # -- where it looks ----------------------------------------------------------------------

    def install(self) -> None:
        """From now on, in this process."""
        connection_created.connect(self._wrap, weak=False)
        self._name(keeper.delivering, "deliver_all", lambda *args: "deliver")
        self._name(keeper.waking, "wake_due", lambda *args: "wake")
        self._name(keeper.firing, "fire_due", lambda *args: "fire")
        self._name(keeper.firing, "fire_queued", lambda *args: "begin what waits")
        self._name(pool, "run_atomic", lambda *args: "end an atomic step")
        self._name(leader, "claim", lambda *args: "claim")
        self._name(waiting, "remember", lambda *args: "once")
        self._name(waiting, "start_and_remember", lambda *args: "start")
        self._name(committer, "write_wave", lambda worker_id, wave, *more: of_wave(wave))
        self._watch_commits()
        if self._has_copy():
            self._watch_copies()

    def _name(self, module: Any, name: str, during: Callable[..., str | None]) -> None:
        function = getattr(module, name)

        def within(*args: Any, **options: Any) -> Any:
            with self.during(during(*args)):
                return function(*args, **options)

        setattr(module, name, within)

    def _wrap(self, connection: BaseDatabaseWrapper, **more: Any) -> None:
        def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            inside = connection.in_atomic_block
            writes = not sql.lstrip().upper().startswith(("SELECT", "BEGIN"))
            if inside or writes:
                self.pass_by(named(sql))
            found = execute(sql, params, many, context)
            if not inside and writes:  # it has committed by itself
                self.pass_by("committed")
            return found

        connection.execute_wrappers.append(wrapper)

    def _watch_commits(self) -> None:
        commit = BaseDatabaseWrapper.commit

        def commit_and_tell(connection: BaseDatabaseWrapper) -> None:
            self.pass_by("commit")
            commit(connection)
            self.pass_by("committed")
            self.begin_transaction()

        BaseDatabaseWrapper.commit = commit_and_tell

    def _has_copy(self) -> bool:
        try:
            import psycopg  # noqa: F401
        except ImportError:
            return False
        return True

    def _watch_copies(self) -> None:
        import psycopg

        copy = psycopg.Cursor.copy

        def tell_and_copy(cursor: Any, statement: str, *args: Any, **options: Any) -> Any:
            table = _TABLE.search(str(statement))
            self.pass_by(f"insert {table[1]}" if table else "insert")
            return copy(cursor, statement, *args, **options)

        psycopg.Cursor.copy = tell_and_copy


def of_wave(wave: Sequence[Any]) -> str | None:
    """What is written by a wave."""
    for checkpoint in wave:
        if checkpoint.wait is not None:
            return "park"
        if checkpoint.end is not None:
            return "end a member"
        if checkpoint.child_of is not None:
            return "end a child"
        if checkpoint.replaces and checkpoint.step.status != "running":
            return "resume"
        if checkpoint.move is not None and checkpoint.move.status in FINAL:
            return "end"
    return None
