"""Presence: the row of this process among the workers, and what every worker does when it begins.

A process that runs steps has one, wherever it gets them from, and so has one that only hands them
to another engine.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from ..definition import registry
from ..store import leases, queues
from ..store.definitions import record_definitions
from ..store.synchronising import synchronise_or_log
from ..version import VERSION


class Presence(NamedTuple):
    """What a process tells of itself: the queues it serves, how many ``threads`` run steps in it,
    and for which executor; ``cluster`` is that of another engine."""

    queues: Sequence[str]
    threads: int
    executor: str
    cluster: str = ""

    def register(self) -> UUID:
        """Writes the row; its id."""
        return leases.register(
            hostname=platform.node()[:255],
            pid=os.getpid(),
            pid_space=pid_space(),
            queues=self.queues,
            threads=self.threads,
            executor=self.executor,
            cluster=self.cluster,
            package_version=VERSION,
            workflows=[
                f"{cls.definition.name} v{cls.definition.version}" for cls in registry.all()
            ],
        )

    def prepare(self) -> None:
        """Sees to it that queues, definitions and schedules of this code have their rows."""
        queues.ensure(self.queues)
        record_definitions(workflow.definition for workflow in registry.all())
        synchronise_or_log()


def pid_space() -> str:
    """Where a process id means something: this boot, this process namespace. "" if unknown."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"{file.read().strip()}:{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""
