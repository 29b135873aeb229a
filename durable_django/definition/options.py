"""Options: what `class Meta` says, checked and frozen.

Judges types and ranges only. What depends on settings or on the machine (an unknown queue, a time
zone) is a system check and not known here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from durable_django.definition.body import ClassBody
from durable_django.definition.durations import to_seconds
from durable_django.definition.readers import (
    read_integer,
    read_name,
    read_priority,
    read_queue,
    read_timeout,
    read_version,
)
from durable_django.definition.retry import Retry
from durable_django.definition.schedule import Cron, Every, read_schedules
from durable_django.definition.spelling import did_you_mean

# Each goes when its feature comes.
NOT_SUPPORTED_YET = frozenset({"concurrency_key", "concurrency_limit"})

NOT_INHERITED = frozenset({"name", "version", "abstract", "schedules"})


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of one workflow class, its base's included. Durations are float seconds."""

    name: str = ""
    version: int = 1
    abstract: bool = False
    timeout: float | None = None
    max_retries: int = 0
    retry: Retry | None = None
    queue: str = "default"
    priority: int = 0
    concurrency_key: Callable[[Any], str] | str | None = None
    concurrency_limit: int = 1
    schedules: tuple[Cron | Every, ...] = ()
    retention: float | None = None
    sensitive: tuple[str, ...] = ()


def read_options(body: ClassBody, base: Options, default_name: str) -> Options:
    """The options of the class whose body has ended. DefinitionError for one that is wrong."""
    given = {}
    for key, value in _written(body).items():
        if key in NOT_SUPPORTED_YET:
            raise _mistake(body, f"Meta.{key} is not supported yet; leave it out")
        if key not in READERS:
            raise _mistake(
                body,
                f"Meta.{key} is no option{did_you_mean(key, READERS)} (there are "
                f"{', '.join(sorted(READERS))})",
            )
        try:
            given[key] = READERS[key](value, f"Meta.{key}")
        except (TypeError, ValueError) as error:
            raise _mistake(body, str(error)) from None
    fresh = {"name": default_name, "version": 1, "abstract": False, "schedules": ()}
    return replace(base, **{**fresh, **given})


def _written(body: ClassBody) -> dict[str, Any]:
    """What stands in `class Meta`, and in what it derives from (``class Meta(Base.Meta)``)."""
    meta = body.get("Meta")
    found: dict[str, Any] = {}
    for cls in reversed(meta.__mro__[:-1] if meta else ()):
        for key, value in vars(cls).items():
            dunder = key.startswith("__") and key.endswith("__")
            if not dunder and (cls is meta or key not in NOT_INHERITED):
                found[key] = value
    return found


def _mistake(body: ClassBody, message: str) -> Exception:
    return body.mistake(message, line=body.meta_line)


def _read_abstract(value: object, what: str) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{what} is True or False, not {value!r:.80}")
    return value


def _read_max_retries(value: object, what: str) -> int:
    return read_integer(value, what, 0, 1_000_000)


def _read_retry(value: object, what: str) -> Retry | None:
    if value is not None and not isinstance(value, Retry):
        raise TypeError(f"{what} is a Retry, like Retry(max_attempts=3), not {value!r:.80}")
    return value


def _read_retention(value: object, what: str) -> float | None:
    if value is None:
        return None
    result = to_seconds(value, what)
    if result == 0:
        raise ValueError(
            f"{what} is 0, so a run would be gone before anybody read its result; leave it out, "
            "and RETENTION decides"
        )
    return result


def _read_sensitive(value: object, what: str) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise TypeError(f'{what} is a list of keys, like ["card_number"], not {value!r:.80}')
    for entry in value:
        if not isinstance(entry, str):
            raise TypeError(f"{what} holds strings, not {entry!r:.80}")
    return tuple(sorted(value) if isinstance(value, (set, frozenset)) else value)


READERS: dict[str, Callable[[object, str], Any]] = {
    "max_retries": _read_max_retries,
    "name": read_name,
    "version": read_version,
    "abstract": _read_abstract,
    "timeout": read_timeout,
    "retry": _read_retry,
    "queue": read_queue,
    "priority": read_priority,
    "schedules": read_schedules,
    "retention": _read_retention,
    "sensitive": _read_sensitive,
}
