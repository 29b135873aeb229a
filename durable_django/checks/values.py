"""Checks of the dict ``DURABLE``: its keys, and the type and range of each value.

Reads the dict as the project wrote it, for ``conf.settings`` trusts it. One reader for each
setting, which returns the value or raises TypeError or ValueError; touches no database.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error

from ..conf import DEFAULTS
from ..definition.durations import to_seconds
from ..definition.readers import read_integer, read_queue, read_text
from ..definition.spelling import did_you_mean

EXECUTORS = ("threads", "django_q")

CLUSTER_LENGTH_MAX = 100

# A worker waits that long at most between two looks, and its runs for another one when it dies.
INTERVAL_SECONDS_MAX = 86_400
# More than the databases take as one value.
BYTES_MAX = 2**30 - 1
TOKEN_LENGTH_MIN = 16
HEARTBEATS_IN_LEASE = 3


def check_settings(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """E001 to E006: what ``DURABLE`` and ``USE_TZ`` say."""
    messages = [*_check_time_zone()]
    given = _given()
    if given is None:
        kind = type(django_settings.DURABLE).__name__
        return [
            *messages,
            Error(
                f"DURABLE is a dict, not {kind}.",
                hint='Like DURABLE = {"THREADS": 8}; leave it out for the defaults.',
                id="durable_django.E001",
            ),
        ]
    for key in given:
        messages += _check_key(key) if key not in DEFAULTS else _check_value(key, given[key])
    return [*messages, *_check_lease()]


def valid(name: str) -> Any:
    """The value of a setting that passes its check, its default if it is not given; None if it is
    wrong, which is told elsewhere.
    """
    given = _given()
    if given is None:
        return None
    value = given.get(name, DEFAULTS[name])
    try:
        READERS[name](value, name)
    except (TypeError, ValueError):
        return None
    return value


def is_left_out(name: str) -> bool:
    """Whether a setting is not given, or given as None."""
    given = _given()
    return given is not None and given.get(name) is None


def _given() -> Mapping[Any, Any] | None:
    given = getattr(django_settings, "DURABLE", {})
    return given if isinstance(given, Mapping) else None


def _check_key(key: object) -> Iterator[CheckMessage]:
    near = did_you_mean(str(key).upper(), DEFAULTS)
    yield Error(
        f"DURABLE has no setting {key!r:.80}{near or '.'}",
        hint=f"The settings are {', '.join(DEFAULTS)}.",
        id="durable_django.E002",
    )


def _check_value(name: str, value: object) -> Iterator[CheckMessage]:
    if name == "QUEUES":
        yield from _check_queues(value)
        return
    try:
        READERS[name](value, f'DURABLE["{name}"]')
    except (TypeError, ValueError) as error:
        yield Error(_sentence(error), hint=HINTS[name], id="durable_django.E003")


def _check_queues(value: object) -> Iterator[CheckMessage]:
    for message in queue_mistakes(value):
        yield Error(_sentence(message), hint=HINTS["QUEUES"], id="durable_django.E004")


def _check_lease() -> Iterator[CheckMessage]:
    lease, heartbeat = valid("LEASE_SECONDS"), valid("HEARTBEAT_SECONDS")
    if lease is None or heartbeat is None or lease >= HEARTBEATS_IN_LEASE * heartbeat:
        return
    yield Error(
        f"A lease of {lease} seconds is shorter than three heartbeats of {heartbeat} seconds: a "
        "worker that is late once would be declared dead, and what it runs be run again.",
        hint=f"Raise LEASE_SECONDS to {HEARTBEATS_IN_LEASE * heartbeat} or more, or lower "
        "HEARTBEAT_SECONDS.",
        id="durable_django.E005",
    )


def _check_time_zone() -> Iterator[CheckMessage]:
    if django_settings.USE_TZ:
        return
    yield Error(
        "durable_django stores aware datetimes, which Django's databases do not take while USE_TZ "
        "is False.",
        hint="Set USE_TZ = True.",
        id="durable_django.E006",
    )


def _sentence(message: object) -> str:
    text = str(message)
    return text if text.endswith("?") else f"{text}."


def queue_mistakes(value: object) -> Iterator[str]:
    """What is wrong with the value of ``QUEUES``, one sentence each without its full stop."""
    if not isinstance(value, Mapping):
        yield f'DURABLE["QUEUES"] is a dict of names to options, not {value!r:.80}'
        return
    for name, options in value.items():
        try:
            read_queue(name, 'A name in DURABLE["QUEUES"]')
        except (TypeError, ValueError) as error:
            yield str(error)
            continue
        where = f'DURABLE["QUEUES"]["{name}"]'
        if "," in name:
            yield f"{where}: a name with a comma cannot be given to durable_worker --queues"
        if not isinstance(options, Mapping):
            yield f"{where} is a dict of options, not {options!r:.80}"
            continue
        for option, given in options.items():
            read = QUEUE_OPTIONS.get(option)
            if read is None:
                near = did_you_mean(str(option), QUEUE_OPTIONS)
                yield f"{where} has an unknown option {option!r:.80}{near}"
                continue
            try:
                read(given, f'{where}["{option}"]')
            except (TypeError, ValueError) as error:
                yield str(error)


def _read_cluster(value: object, what: str) -> object:
    return read_text(value, what, CLUSTER_LENGTH_MAX)


# What may stand in ``QUEUES["name"]``: each comes with its feature.
QUEUE_OPTIONS: dict[str, Callable[[object, str], object]] = {"cluster": _read_cluster}


# Readers: each takes a value and what to call it, returns it, or raises TypeError or ValueError.


def _read_executor(value: object, what: str) -> object:
    if isinstance(value, str) and (value in EXECUTORS or "." in value.strip(".")):
        return value
    known = ", ".join(f'"{name}"' for name in EXECUTORS)
    near = did_you_mean(str(value), EXECUTORS)
    raise ValueError(f"{what} is {known} or the dotted path of a class, not {value!r:.80}{near}")


def _read_queues(value: object, what: str) -> object:
    for mistake in queue_mistakes(value):
        raise ValueError(mistake)
    return value


def _read_interval(value: object, what: str) -> object:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{what} is a number of seconds, not {value!r:.80}")
    # Written so that NaN fails, too.
    if not 0 < value <= INTERVAL_SECONDS_MAX:
        raise ValueError(
            f"{what} is more than 0 and at most {INTERVAL_SECONDS_MAX} seconds (a day), not "
            f"{value!r:.40}"
        )
    return value


def _read_level(value: object, what: str) -> object:
    levels = logging.getLevelNamesMapping()
    if not isinstance(value, str):
        raise TypeError(f'{what} is the name of a level, like "INFO", not {value!r:.80}')
    if value not in levels:
        near = did_you_mean(value.strip().upper(), levels)
        raise ValueError(f"{what} is no level of logging: {value!r:.80}{near}")
    return value


def _read_sensitive(value: object, what: str) -> object:
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"{what} is a list of keys, not {value!r:.80}")
    for key in value:
        if not isinstance(key, str) or not key:
            raise TypeError(f"{what} holds non-empty strings, not {key!r:.80}")
    return value


def _read_base_url(value: object, what: str) -> object:
    if value is None:
        return value
    if not isinstance(value, str):
        raise TypeError(f"{what} is a URL or None, not {value!r:.80}")
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"{what} is no URL: {error}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(f"{what} begins with http:// or https:// and a host, not {value!r:.80}")
    if parts.query or parts.fragment or value != value.strip():
        raise ValueError(f"{what} ends with the host or a path, not {value!r:.80}")
    return value


def _read_age(value: object, what: str) -> object:
    if to_seconds(value, what) == 0:
        raise ValueError(f"{what} is more than 0")
    return value


def _read_token(value: object, what: str) -> object:
    """It is not told what was given: the output of a check is read by many."""
    if value is None:
        return value
    if not isinstance(value, str):
        raise TypeError(f"{what} is a text or None, not {type(value).__name__}")
    if len(value) < TOKEN_LENGTH_MIN or not all("!" <= character <= "~" for character in value):
        raise ValueError(
            f"{what} has {TOKEN_LENGTH_MIN} characters or more, all of them printable ASCII "
            "without spaces"
        )
    return value


READERS: dict[str, Callable[[object, str], Any]] = {
    "DATABASE": lambda value, what: read_text(value, what, 1_000),
    "EXECUTOR": _read_executor,
    "QUEUES": _read_queues,
    "THREADS": lambda value, what: read_integer(value, what, 1, 10_000),
    "LEASE_SECONDS": _read_interval,
    "HEARTBEAT_SECONDS": _read_interval,
    "POLL_SECONDS": _read_interval,
    "MAX_PAYLOAD_BYTES": lambda value, what: read_integer(value, what, 1_024, BYTES_MAX),
    "MAX_RECOVERIES": lambda value, what: read_integer(value, what, 0, 10_000),
    "LOG_LEVEL": _read_level,
    "LOG_MAX_BYTES": lambda value, what: read_integer(value, what, 0, BYTES_MAX),
    "RETENTION": lambda value, what: None if value is None else _read_age(value, what),
    "SENSITIVE": _read_sensitive,
    "BASE_URL": _read_base_url,
    "CALLBACK_MAX_AGE": _read_age,
    "METRICS_TOKEN": _read_token,
}


def _seconds_hint(name: str) -> str:
    return f'Like "{name}": {DEFAULTS[name]}, the default; of a timedelta, its total_seconds().'


HINTS = {
    "DATABASE": 'An alias in DATABASES, like "default".',
    "EXECUTOR": f"One of {', '.join(EXECUTORS)}; leave it out for the threads of durable_worker.",
    "QUEUES": (
        'Like "QUEUES": {"high": {}, "heavy": {"cluster": "heavy"}, "default": {}}. '
        f"Options are {', '.join(QUEUE_OPTIONS)}."
    ),
    "THREADS": 'How many steps one worker process runs at the same time, like "THREADS": 8.',
    "LEASE_SECONDS": _seconds_hint("LEASE_SECONDS"),
    "HEARTBEAT_SECONDS": _seconds_hint("HEARTBEAT_SECONDS"),
    "POLL_SECONDS": _seconds_hint("POLL_SECONDS"),
    "MAX_PAYLOAD_BYTES": "The size of the largest value, in bytes: 1_048_576 is a mebibyte.",
    "MAX_RECOVERIES": "How often a run may lose its worker in one node, like 5; 0: not once.",
    "LOG_LEVEL": "One of DEBUG, INFO, WARNING, ERROR, CRITICAL, in capitals.",
    "LOG_MAX_BYTES": "What is kept of one step's logs, in bytes, like 65_536; 0 keeps nothing.",
    "RETENTION": f"Like {timedelta(days=30)!r}, or None to keep everything.",
    "SENSITIVE": 'Like "SENSITIVE": ["card_number"].',
    "BASE_URL": (
        'Where this project is reached from outside, like "https://shop.example", with the path '
        "below which it is served, if there is one."
    ),
    "CALLBACK_MAX_AGE": f"Like {timedelta(days=30)!r}, or a number of seconds.",
    "METRICS_TOKEN": "From the environment, say; secrets.token_urlsafe() makes one.",
}
