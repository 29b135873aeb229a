"""The listener: learns at once that a run became ready, instead of asking again and again.

LISTEN on PostgreSQL, ``PRAGMA data_version`` on SQLite, nothing elsewhere; polling is the net.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connections

from ..conf import settings
from ..store.wakeup import CHANNEL, WAITS_CHANNEL

logger = logging.getLogger("durable_django.worker")

# How often SQLite is asked whether somebody else committed. Asking takes 10 µs, waking up for it
# five times that: 200 times a second are 2 % of a core, so a file that rests is asked less often.
WATCH_SECONDS = 0.005
WATCH_SECONDS_AT_REST = 0.02
REST_SECONDS = 2.0
RECONNECT_SECONDS = 5.0


class Listener:
    """One thread. ``ready`` is called when a run of one of ``queues`` may be ready, ``sent`` when
    something may have been sent that parked runs wait for."""

    def __init__(
        self, queues: Sequence[str], ready: Callable[[], None], sent: Callable[[], None]
    ) -> None:
        self._queues = frozenset(queues)
        self._ready = ready
        self._sent = sent
        self._stopping = threading.Event()
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="durable-listener", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._stopping.set()
        self._wake.send(b"!")
        self._thread.join(timeout=5)
        self._wake.close()
        self._woken.close()

    def _run(self) -> None:
        vendor = connections[settings.DATABASE].vendor
        listen = {"postgresql": self._listen, "sqlite": self._watch_file}.get(vendor)
        while listen is not None and not self._stopping.is_set():
            try:
                listen()
            except Exception as error:
                logger.warning("not listening, polling every second meanwhile: %s", error)
                self._stopping.wait(RECONNECT_SECONDS)
        connections[settings.DATABASE].close()

    def _listen(self) -> None:
        """A dedicated psycopg connection, woken 1 ms after a commit."""
        import psycopg

        params: dict[str, Any] = dict(connections[settings.DATABASE].get_connection_params())
        for name in ("cursor_factory", "context", "pool"):
            params.pop(name, None)
        with psycopg.connect(**{**params, "autocommit": True}) as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            connection.execute(f"LISTEN {WAITS_CHANNEL}")
            self._ready()  # what was committed before we listened
            self._sent()
            # Sleeps until there is something to read, from the server or from stop().
            with selectors.DefaultSelector() as selector:
                selector.register(connection, selectors.EVENT_READ)
                selector.register(self._woken, selectors.EVENT_READ)
                while not self._stopping.is_set():
                    selector.select()
                    for notice in connection.notifies(timeout=0):
                        if notice.channel == WAITS_CHANNEL:
                            self._sent()
                        elif notice.payload in self._queues:
                            self._ready()

    def _watch_file(self) -> None:
        """A connection sees another ``data_version`` when somebody else committed."""
        connection = connections[settings.DATABASE]
        connection.ensure_connection()
        raw = connection.connection
        before = None
        changed_at = 0.0
        while not self._stopping.is_set():
            version = raw.execute("PRAGMA data_version").fetchone()
            now = time.monotonic()
            if version != before:
                before, changed_at = version, now
                self._ready()
                self._sent()
            at_rest = now - changed_at > REST_SECONDS
            time.sleep(WATCH_SECONDS_AT_REST if at_rest else WATCH_SECONDS)
