"""What callers give as the id of a run, as a UUID. Reads no row."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ..exceptions import ExecutionNotFound


def pk_of(id: Any) -> UUID:
    """The id of what a caller gave: a UUID, its text, or an Execution. ExecutionNotFound for what
    is none."""
    if isinstance(id, UUID):
        return id
    pk = getattr(id, "pk", id)
    if isinstance(pk, UUID):
        return pk
    try:
        return UUID(str(pk))
    except ValueError:
        raise ExecutionNotFound(f"{id!r} is not the id of an execution") from None
