"""A worker service in the test's own process, on the real database of the test.

Steps are held and let go by latches, states are waited for by `until`: no test sleeps.
"""

import logging
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pytest
from django.db import connection

from durable_django.conf import DEFAULTS
from durable_django.definition import registry
from durable_django.worker.capture import CaptureHandler, LastResort
from durable_django.worker.service import WorkerService
from tests.gathering import gathered
from tests.waiting import WAIT_SECONDS

ON_POSTGRESQL = [
    "test_postgresql.py",
    "test_postgresql_pausing.py",
    "test_postgresql_strands.py",
]
collect_ignore = [] if connection.vendor == "postgresql" else ON_POSTGRESQL


@pytest.fixture(autouse=True)
def _isolated_registry() -> Iterator[None]:
    with registry.isolate():
        yield


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """A service captures logs and prints for the rest of its process: undone after each test."""
    root = logging.getLogger()
    before = root.level, sys.stdout, sys.stderr, {h: list(h.filters) for h in root.handlers}
    yield
    root.level, sys.stdout, sys.stderr, filters = before
    root.manager._clear_cache()
    for handler in list(root.handlers):
        if isinstance(handler, CaptureHandler | LastResort):
            root.removeHandler(handler)
        elif handler in filters:
            handler.filters = filters[handler]


class Workers:
    """Starts services, each with threads of its own, and makes the latches that hold steps."""

    def __init__(self) -> None:
        self.latches: list[threading.Event] = []
        self._serving: list[tuple[WorkerService, threading.Thread]] = []

    def start(
        self, threads: int = 4, queues: Sequence[str] = ("default",), burst: bool = False
    ) -> WorkerService:
        """A service that has begun to serve."""
        service = WorkerService(queues, threads, burst)
        thread = threading.Thread(target=service.run, daemon=True, name="durable-service")
        thread.start()
        self._serving.append((service, thread))
        return service

    def latch(self) -> threading.Event:
        """An event that is set at the end of the test at the latest."""
        latch = threading.Event()
        self.latches.append(latch)
        return latch

    def wait(self, service: WorkerService) -> None:
        """Until the service has ended by itself, or after `stop()`."""
        thread = next(thread for each, thread in self._serving if each is service)
        thread.join(WAIT_SECONDS)
        assert not thread.is_alive(), "the service did not end"

    def end(self) -> None:
        for latch in self.latches:
            latch.set()
        for service, _ in self._serving:
            service.stop()
        for service, _ in self._serving:
            self.wait(service)


@pytest.fixture
def workers(transactional_db: None) -> Iterator[Workers]:
    made = Workers()
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def durable_settings(settings) -> Callable[..., None]:
    """`durable_settings(HEARTBEAT_SECONDS=0.1)` for the rest of the test."""

    def change(**changes: object) -> None:
        assert set(changes) <= set(DEFAULTS)
        settings.DURABLE = {**settings.DURABLE, **changes}

    return change


@pytest.fixture
def said() -> Callable[..., object]:
    """`with said() as records:` gathers what the worker's own logger says meanwhile."""

    return partial(gathered, "durable_django.worker")
