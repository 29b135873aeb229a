"""The attempt that is running in this thread or task, for code that has no ``self`` at hand."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Protocol
from uuid import UUID

from .context import Context
from .logs import LogBuffer


class CurrentAttempt(Protocol):
    """What such code may ask of it."""

    logs: LogBuffer

    @property
    def context(self) -> Context: ...
    @property
    def input(self) -> Any: ...
    @property
    def execution_id(self) -> UUID: ...


current_attempt: ContextVar[CurrentAttempt | None] = ContextVar("durable_attempt", default=None)
