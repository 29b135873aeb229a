"""Idle: what a worker costs that has nothing to do."""

import time
from collections.abc import Iterator

from ..figures import Figure
from ..server import ServerCPU
from ..sizes import Sizes
from ..workers import idle_worker
from . import database

SETTLE_SECONDS = 2.0


def measure(sizes: Sizes) -> Iterator[Figure]:
    """Statements and transactions a second; CPU of the worker and of the server."""
    database.empty()
    with idle_worker() as running:
        time.sleep(SETTLE_SECONDS)
        counts, cpu, server = running.counts(), running.cpu_seconds(), ServerCPU()
        begin = time.perf_counter()
        time.sleep(sizes.idle_seconds)
        seconds = time.perf_counter() - begin
        cpu, counts = running.cpu_seconds() - cpu, running.counts().since(counts)
        server_cpu = server.seconds()
    yield Figure(name="idle, statements", value=counts.statements / seconds, unit="/s")
    yield Figure(name="idle, commits that write", value=counts.commits / seconds, unit="/s")
    yield Figure(name="idle, CPU of the worker", value=cpu / seconds * 100, unit="% of a core")
    if server_cpu is not None:
        percent = server_cpu / seconds * 100
        yield Figure(name="idle, CPU of the server", value=percent, unit="% of a core")
