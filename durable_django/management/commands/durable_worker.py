"""``manage.py durable_worker``: runs workflows until it is told to stop."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from ...conf import settings
from ...definition.readers import read_queue
from ...exceptions import QueueNotFound
from ...executors.executor import Executor, Service, executor_of
from ...store.options import known_queue
from ...worker.supervisor import Supervisor

# What a worker process ends with when its threads are stuck: a supervisor starts another.
EXIT_STUCK = 75
# Ctrl-C, or systemd, tells each process of a group, and the supervisor tells its children as well:
# what comes twice within this time was said once.
SAME_SIGNAL_SECONDS = 0.5


class Command(BaseCommand):
    """Drains on SIGTERM and SIGINT (running steps end, the rest is handed back); a second one stops
    at once, and what ran is taken over by others."""

    help = "Runs durable workflows: claims ready runs and drives them until told to stop."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--queues",
            default="",
            help="comma-separated, in the order they are served (default: all that QUEUES names)",
        )
        parser.add_argument("--threads", type=int, help="steps at the same time (default: THREADS)")
        parser.add_argument("--processes", type=int, default=1, help="worker processes to keep up")
        parser.add_argument("--burst", action="store_true", help="stop when nothing is ready")
        parser.add_argument(
            "--executor",
            help="who runs the steps: threads, django_q, or a class (default: EXECUTOR)",
        )
        parser.add_argument("--reload", action="store_true", help="restart when code changes")

    def handle(self, *args: Any, **options: Any) -> None:
        queues = _queues(options["queues"])
        executor = _executor(options["executor"])
        threads = settings.THREADS if options["threads"] is None else options["threads"]
        for name, value in (("threads", threads), ("processes", options["processes"])):
            if value < 1:
                raise CommandError(f"--{name} must be at least 1, not {value}")
        if options["processes"] > 1:
            if options["reload"]:
                raise CommandError("--reload works with one process")
            sys.exit(Supervisor(options["processes"], burst=options["burst"]).run())
        if options["reload"]:
            from django.utils import autoreload

            autoreload.run_with_reloader(
                lambda: self._serve(executor, queues, threads, options["burst"])
            )
        else:
            self._serve(executor, queues, threads, options["burst"])

    def _serve(self, executor: Executor, queues: list[str], threads: int, burst: bool) -> None:
        service = executor.service(queues, threads, burst)
        # A reloader runs this outside the main thread, where no handler can be set.
        if threading.current_thread() is threading.main_thread():
            _handle_signals(service)
        runs = f"{threads} threads" if executor.name == "threads" else executor.name
        self.stdout.write(f"durable worker {os.getpid()}: {', '.join(queues)}, {runs}")
        self.stdout.flush()
        if not service.run():
            self.stderr.write("too many threads are stuck in steps: this process ends")
            sys.stdout.flush()
            os._exit(EXIT_STUCK)


def _queues(given: str) -> list[str]:
    if not given:
        return list(dict.fromkeys([*settings.QUEUES, "default"]))
    queues = list(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))
    try:
        for queue in queues:
            known_queue(read_queue(queue, "--queues"))
    except (TypeError, ValueError, QueueNotFound) as error:
        raise CommandError(str(error)) from None
    if not queues:
        raise CommandError("--queues names no queue")
    return queues


def _executor(given: str | None) -> Executor:
    name = settings.EXECUTOR if given is None else given
    try:
        return executor_of(name)
    except (ImportError, TypeError, ImproperlyConfigured) as error:
        raise CommandError(f'the executor "{name}" cannot be loaded: {error}') from None


def _handle_signals(service: Service) -> None:
    asked_at: float | None = None

    def handle(number: int, frame: Any) -> None:
        nonlocal asked_at
        now = time.monotonic()
        if asked_at is None:
            asked_at = now
            service.stop()
        elif now - asked_at > SAME_SIGNAL_SECONDS:
            os._exit(128 + number)

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
