"""What is settled before a row is written: the options of a start, from its arguments and the
workflow's Meta, and its input; the node and the changes that a repair is given. Each argument is
judged; nothing is written, and no model is imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..conf import settings
from ..definition import readers
from ..definition.node import Node
from ..definition.spelling import did_you_mean
from ..engine import values
from ..engine.context import Change, Context
from ..exceptions import QueueNotFound

if TYPE_CHECKING:
    from ..definition.workflow import Workflow


class _Unset:
    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final[Any] = _Unset()
"""Says that an option is taken from the workflow's Meta."""


class StartOptions(NamedTuple):
    """What ``start`` settled from its arguments and the workflow's Meta."""

    workflow_name: str
    version: int
    queue: str
    priority: int
    timeout: float | None
    scheduled_at: datetime | None
    idempotency_key: str | None
    tags: Any


def settled(
    cls: type[Workflow],
    *,
    queue: Any = UNSET,
    priority: Any = UNSET,
    timeout: Any = UNSET,
    scheduled_at: Any = None,
    idempotency_key: Any = None,
    tags: Any = None,
) -> StartOptions:
    """The options of a run of ``cls``. TypeError or ValueError naming the argument, QueueNotFound,
    NotSerializable."""
    definition = cls.definition
    meta = definition.options
    if queue is not UNSET:
        readers.read_queue(queue, "queue")
    if idempotency_key is not None:
        readers.read_text(idempotency_key, "idempotency_key", 255)
    return StartOptions(
        workflow_name=definition.name,
        version=definition.version,
        queue=known_queue(meta.queue if queue is UNSET else str(queue)),
        priority=meta.priority
        if priority is UNSET
        else readers.read_priority(priority, "priority"),
        timeout=meta.timeout if timeout is UNSET else readers.read_timeout(timeout, "timeout"),
        scheduled_at=_scheduled_at(scheduled_at),
        idempotency_key=idempotency_key,
        tags=tags_given(tags),
    )


def _scheduled_at(moment: Any) -> datetime | None:
    """In UTC: a moment beyond its calendar could be stored, but not read back."""
    if moment is None:
        return None
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        raise ValueError(f"scheduled_at must be an aware datetime, not {moment!r}")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"scheduled_at is beyond the calendar: {moment!r}") from None


def known_queue(queue: str) -> str:
    """The queue, if it exists: where ``QUEUES`` names queues, only those and "default" do.
    QueueNotFound otherwise."""
    known = settings.QUEUES
    if known and queue != "default" and queue not in known:
        names = ", ".join(sorted({*known, "default"}))
        meant = did_you_mean(queue, known)
        raise QueueNotFound(f"no queue is called {queue!r}{meant} (DURABLE['QUEUES'] has {names})")
    return queue


def tags_given(tags: Any) -> list[str] | dict[str, Any]:
    """Tags as they are stored. TypeError or ValueError for what are none."""
    if tags is None:
        return []
    if isinstance(tags, str):
        tags = [tags]
    if not isinstance(tags, Iterable):
        raise TypeError(f"tags are strings or a mapping of names to scalars, not {tags!r:.80}")
    values.encode(dict(tags) if isinstance(tags, Mapping) else list(tags), "tags")
    if isinstance(tags, Mapping):
        if "$" in tags:
            raise ValueError('tags: "$" cannot be the name of a tag')
        for key, value in tags.items():
            if not isinstance(value, str | int | float | bool | None):
                raise TypeError(f"tags[{key!r}] must be a string, number or boolean: {value!r}")
        return dict(tags)
    found = list(dict.fromkeys(tags))
    for tag in found:
        if not isinstance(tag, str) or not tag:
            raise TypeError(f"tags must be non-empty strings, not {tag!r}")
    return [str(tag) for tag in found]


def input_text(cls: type[Workflow], input: Any, path: str = "input") -> str:
    """The input of a run, cleaned by its workflow and encoded. ``path`` names it in errors."""
    cleaned = cls.clean_input({} if input is None else input)
    return values.encode(cleaned, path, limit=settings.MAX_PAYLOAD_BYTES)


def node_given(node: Any) -> str:
    """The name of a node that somebody names: a node, a name, or the path of a visit. TypeError
    for anything else."""
    name = node.name if isinstance(node, Node) else node
    if not isinstance(name, str):
        raise TypeError(f"node is a node or the name of one, not {node!r:.80}")
    return name


def changes_given(changes: Any, name: str) -> tuple[Change, ...]:
    """What somebody wants set in a context, judged; ``name`` is that of the argument. TypeError,
    NotSerializable, PayloadTooLarge."""
    if changes is None:
        return ()
    if not isinstance(changes, Mapping):
        raise TypeError(f"{name} is a mapping of keys to values, not {changes!r:.80}")
    judged = Context({}, settings.MAX_PAYLOAD_BYTES)
    for key, value in changes.items():
        judged[key] = value
    return judged.changes()
