"""What ``start`` and ``start-many`` share: the options of a start, and what is said of a refusal.

It starts nothing.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ValidationError

from ..definition import registry
from ..engine import values
from ..exceptions import DurableError, NotSerializable
from ..store.options import settled
from .command import WRONG_USAGE, Refused
from .given import duration_of, read_moment, read_tags

NO_TIMEOUT = "none"


def add_options(parser: ArgumentParser) -> None:
    """The options of a start; what is not given is the workflow's own."""
    parser.add_argument("--queue", metavar="NAME", help="default: the workflow's")
    parser.add_argument("--priority", type=int, metavar="N", help="higher first")
    parser.add_argument("--at", metavar="TIME", help="not before: 2030-01-31T09:00, or +2h")
    parser.add_argument("--timeout", metavar="DURATION", help="90s, 5m, 1h 30m, 7d, or none")
    parser.add_argument(
        "--tag",
        action="append",
        default=[],
        metavar="TAG",
        help="a word, or name=value; may be repeated",
    )


def options_given(cls: Any, options: Namespace, key: str | None = None) -> dict[str, Any]:
    """The keywords of ``durable.start`` that were given, judged. Refused for what is none or what
    they cannot be, QueueNotFound. ``key`` is judged with them."""
    found: dict[str, Any] = {}
    if options.queue is not None:
        found["queue"] = options.queue
    if options.priority is not None:
        found["priority"] = options.priority
    if options.at is not None:
        found["scheduled_at"] = read_moment(options.at, "--at")
    if options.timeout is not None:
        is_none = options.timeout.strip().lower() == NO_TIMEOUT
        found["timeout"] = None if is_none else duration_of(options.timeout, "--timeout")
    tags = read_tags(options.tag)
    if tags is not None:
        found["tags"] = tags
    try:
        settled(cls, **found, idempotency_key=key)
    except (NotSerializable, TypeError, ValueError) as error:
        raise Refused(refusal(error), WRONG_USAGE) from None
    return found


def workflow_called(name: str) -> Any:
    """The class that is started by this name. WorkflowNotFound, with what was meant."""
    return registry.get(name)


def refusal(error: BaseException) -> str:
    """What the gate, the API or ``clean_input`` says of what it does not take, on one line."""
    if isinstance(error, ValidationError):
        return values.visible("; ".join(_messages(error)))
    if isinstance(error, (DurableError, TypeError, ValueError)):
        return values.visible(error)
    return values.visible(f"{type(error).__name__}: {error}")  # of the workflow's own code


def _messages(error: ValidationError) -> Iterator[str]:
    """Each message, with the key that it is about."""
    if not hasattr(error, "error_dict"):
        yield from error.messages
        return
    for key, texts in error.message_dict.items():
        for text in texts:
            yield f"{key}: {text}"
