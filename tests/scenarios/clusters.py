"""Clusters of Django-Q2 as processes that a test may kill, and a Redis server of its own.

Nothing here knows a workflow; what a cluster is to do stands in the tests.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from django.db import OperationalError, connection
from django.db.models import QuerySet

from durable_django.models import Execution, Worker
from tests.waiting import WAIT_SECONDS, until


class Cluster:
    """A `manage.py qcluster`: its first process, the sentinel, and what that has started. All are
    in one process group, whose number is that of the first."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, name: str) -> None:
        self.process = process
        self.log = log
        self.name = name

    def said(self) -> str:
        """What its processes wrote so far."""
        return self.log.read_text(errors="replace")

    def rows(self) -> QuerySet[Worker]:
        """The processes that run steps, as far as they are known and have not ended."""
        rows = Worker.objects.filter(executor="django_q", cluster=self.name, status="alive")
        return rows.filter(pid__in=self._processes())

    def until_known(self, count: int = 2) -> None:
        """Until so many of its processes may be handed runs."""
        until(lambda: self.rows().count() >= count or self.process.poll() is not None)
        assert self.process.poll() is None, self.said()

    def sentinel(self) -> int:
        """The process that guards the others: the child of the first that has children."""
        return until(lambda: next(filter(_children, _children(self.process.pid)), 0))

    def kill(self) -> None:
        """SIGKILL to the whole group."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(WAIT_SECONDS)

    def kill_sentinel(self) -> None:
        """SIGKILL to the process that guards the others, which go on unguarded."""
        os.kill(self.sentinel(), signal.SIGKILL)
        self.process.wait(WAIT_SECONDS)

    def kill_busy(self, which: int = 0) -> bool:
        """SIGKILL to one process that has a run in hand; whether there was one."""
        pid = self.try_to_freeze_busy(which)
        if pid:
            os.kill(pid, signal.SIGKILL)
        return bool(pid)

    def freeze_busy(self) -> int:
        """SIGSTOP to one that has a run in hand, but not while it holds SQLite's only write lock;
        its process id."""
        while True:
            pid = until(self.try_to_freeze_busy)
            if connection.vendor != "sqlite" or may_write():
                return pid
            os.kill(pid, signal.SIGCONT)

    def try_to_freeze_busy(self, which: int = 0) -> int:
        """0 if none has one."""
        # Frozen before it is looked: between two runs it may have the lock of the queue that the
        # processes share, and killed there it would stop them all.
        for row in _turned(list(self.rows().order_by("id")), which):
            if not _freeze(row.pid):
                continue
            if Execution.objects.filter(worker_id=row.pk).exists():
                return row.pid
            os.kill(row.pid, signal.SIGCONT)
        return 0

    def kill_all_idle(self) -> int:
        """SIGKILL to all processes that run steps, of which none has a run; how many."""
        rows = list(self.rows())
        assert not Execution.objects.filter(worker__in=rows).exists()
        for row in rows:
            os.kill(row.pid, signal.SIGKILL)
        return len(rows)

    def _processes(self) -> list[int]:
        return [each for child in _children(self.process.pid) for each in _children(child)]


def _children(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _freeze(pid: int) -> bool:
    """SIGSTOP; True once it has stopped, False if it had been killed."""
    try:
        os.kill(pid, signal.SIGSTOP)
        return until(lambda: (state := _state(pid)) in "TZX" and state) == "T"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _state(pid: int) -> str:
    """A letter of proc(5): T is stopped, Z a zombie."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return file.read().rpartition(")")[2].split()[0]


def may_write() -> bool:
    """Whether nobody holds the write lock of SQLite now."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 100")
        try:
            cursor.execute("BEGIN IMMEDIATE")
            cursor.execute("ROLLBACK")
            return True
        except OperationalError:
            return False
        finally:
            cursor.execute("PRAGMA busy_timeout = 20000")


def _turned(rows: list[Worker], by: int) -> list[Worker]:
    by %= len(rows) or 1
    return rows[by:] + rows[:by]


class Redis:
    """A server that keeps nothing, in a directory of its own, with a socket there."""

    def __init__(self, directory: str | None = None) -> None:
        program = shutil.which("redis-server")
        assert program, "this test needs redis-server: apt-get install redis-server"
        import redis

        # Short, for the path of a socket may have 107 characters.
        self._directory = directory or tempfile.mkdtemp(prefix="durable-redis-")
        path = f"{self._directory}/socket"
        self._command = [program, "--port", "0", "--unixsocket", path, "--save", ""]
        self.url = f"unix://{path}"
        self.client: Any = redis.from_url(self.url)
        self.start()

    def start(self) -> None:
        """Starts it, also again."""
        self._process = subprocess.Popen(
            self._command, cwd=self._directory, stdout=subprocess.DEVNULL
        )
        until(self._answers)

    def kill(self) -> None:
        """SIGKILL: all that it had is gone."""
        self._process.kill()
        self._process.wait(WAIT_SECONDS)

    def q_cluster(self) -> dict[str, object]:
        """What makes Django-Q2 use it."""
        return {"orm": None, "redis": self.url}

    def end(self) -> None:
        self.client.close()
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _answers(self) -> bool:
        import redis

        assert self._process.poll() is None, "redis-server has ended"
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False
