"""Checks of what ``Q_CLUSTER`` tells one cluster: values that would fight those who hand it runs.

What each hint says for itself (``save``, ``timeout``, ``ack_failure``) is not judged, nor what
changes nothing for a run. The facts were measured with django-q2 1.11. They open no database and no
broker.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, Warning
from django.db import connections, router

from ..definition.readers import read_integer, read_text
from ..definition.spelling import did_you_mean
from .database import DUMMY
from .values import valid

Config = Mapping[str, Any]

# A run is driven for half of "retry"; to hand it over anew is not free.
DRIVEN_SECONDS_MIN = 10
RECYCLE_MIN = 100
NUMBER_MAX = 2**31 - 1

# What each broker needs, which of them take several hints at once, and which deliver again.
PACKAGES = {"iron_mq": "iron_mq", "sqs": "boto3", "mongo": "pymongo", "redis": "redis"}
IN_BULK = ("iron_mq", "sqs", "orm")
AGAIN = (*IN_BULK, "mongo")


def check_cluster(config: Config) -> Iterator[CheckMessage]:
    """E020 to E022 and W009 to W012, of the values that are in force in one cluster."""
    for check in (_check_values, _check_sync, _check_broker, _check_taking, _check_driving):
        yield from check(config)


def wrong(text: object, hint: str) -> CheckMessage:
    """E020: a value that Django-Q2 cannot use, or takes for another one than is meant."""
    return Error(f"{text}.", hint=hint, id="durable_django.E020")


def broker_of(config: Config) -> str:
    """The key that chooses the broker, in the order in which Django-Q2 looks."""
    for key in ("broker_class", "iron_mq"):
        if config.get(key):
            return key
    if isinstance(config.get("sqs"), dict):
        return "sqs"
    return next((key for key in ("orm", "mongo") if config.get(key)), "redis")


def _read_seconds(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{what} is a number of seconds, not {value!r:.80}")
    # Written so that NaN fails, too.
    if not 0 < value <= NUMBER_MAX:
        raise ValueError(f"{what} is more than 0 seconds, not {value!r:.40}")
    return value


READERS: dict[str, tuple[Callable[[object, str], Any], str]] = {
    "workers": (
        lambda value, what: read_integer(value, what, 1, NUMBER_MAX),
        'How many processes a cluster has, like "workers": 4; leave it out for one per processor.',
    ),
    "queue_limit": (
        lambda value, what: read_integer(value, what, -NUMBER_MAX, NUMBER_MAX),
        'As many as there are workers, like "queue_limit": 4.',
    ),
    "bulk": (
        lambda value, what: read_integer(value, what, 1, NUMBER_MAX),
        'Leave "bulk" out: one at a time is the default.',
    ),
    "retry": (
        _read_seconds,
        'Like "retry": 60, the default, and more than "timeout".',
    ),
    "orm": (
        lambda value, what: read_text(value, what, 1_000),
        'The alias of a database, like "orm": "default".',
    ),
}
# 0 and None are as good as left out.
OPTIONAL = ("workers", "queue_limit")


def _is_judged(config: Config, key: str) -> bool:
    """Whether the value is given, and matters with this broker."""
    broker = broker_of(config)
    if key not in config or (key in OPTIONAL and not config[key]):
        return False
    if key == "bulk":
        return broker in IN_BULK
    if key == "orm":
        return broker == "orm"
    return key != "retry" or broker in AGAIN or bool(config[key])


def _read(config: Config, key: str, default: Any) -> Any:
    """The value; the default where it is not judged; None if it is wrong, which is told."""
    if not _is_judged(config, key):
        return default
    try:
        return READERS[key][0](config[key], key)
    except (TypeError, ValueError):
        return None


def _check_values(config: Config) -> Iterator[CheckMessage]:
    for key, (read, hint) in READERS.items():
        if _is_judged(config, key):
            try:
                read(config[key], f'Q_CLUSTER["{key}"]')
            except (TypeError, ValueError) as error:
                yield wrong(error, hint)


def _check_sync(config: Config) -> Iterator[CheckMessage]:
    if not config.get("sync"):
        return
    yield Error(
        'Q_CLUSTER["sync"] is on, which is for tests: a cluster keeps its database connections '
        "open then when it forks, and its processes would write through the same ones.",
        hint='Leave "sync" out; tests drive runs with durable_django.testing, and can have '
        'DURABLE["EXECUTOR"] = "threads".',
        id="durable_django.E021",
    )


def _check_broker(config: Config) -> Iterator[CheckMessage]:
    broker = broker_of(config)
    package = PACKAGES.get(broker)
    alias = _read(config, "orm", None)
    if package and not _is_installed(package):
        fault = f"which the package {package} is needed for, and that is not installed"
        chosen = f'Q_CLUSTER chooses the broker "{broker}"'
        if broker == "redis" and "redis" not in config:
            chosen = 'Q_CLUSTER names no broker, so that it is "redis"'
        hint = f'pip install {package}, or take another broker, like "orm": "default".'
    elif broker != "orm" or alias is None:
        return
    elif not _exists(alias):
        chosen, fault = f'Q_CLUSTER["orm"] is "{alias}"', "and DATABASES has no such database"
        known = list(filter(_exists, connections))
        fault += did_you_mean(alias, known)
        hint = f"DATABASES has {', '.join(known) or 'none'}."
    elif apps.is_installed("django_q") and not router.allow_migrate_model(
        alias, apps.get_model("django_q", "OrmQ")
    ):
        chosen = f'Q_CLUSTER["orm"] is "{alias}"'
        fault = "but a database router does not let migrate create django_q.OrmQ there"
        hint = "Let allow_migrate() of the router say yes to django_q there, or take its database."
    else:
        return
    text = f"{chosen}, {fault}"
    yield Error(text if text.endswith("?") else f"{text}.", hint=hint, id="durable_django.E022")


def _is_installed(package: str) -> bool:
    return package in sys.modules or find_spec(package) is not None


def _check_taking(config: Config) -> Iterator[CheckMessage]:
    """How many hints a cluster takes out of the reach of others, before it can begin with them."""
    workers = _read(config, "workers", os.cpu_count() or 4)
    if workers is None:
        return
    limit = _read(config, "queue_limit", 0 if "queue_limit" in config else workers**2)
    if limit is not None and not 0 < limit <= workers:
        fate = "lost when it dies"
        if broker_of(config) in AGAIN:
            fate = 'delivered again when it has waited for "retry" seconds'
        said = f"is {limit}{'' if 'queue_limit' in config else ' by default'}"
        if limit <= 0:
            said = "sets no limit"
        yield Warning(
            f'Q_CLUSTER["queue_limit"] {said}, for {_count(workers)}'
            ": what a cluster has taken and not begun is kept from the idle processes of "
            f"others, and {fate}.",
            hint=f'"workers": {workers}, "queue_limit": {workers}: no more than there are workers.',
            id="durable_django.W009",
        )
    bulk = _read(config, "bulk", 1)
    if bulk is not None and bulk > 1:
        yield Warning(
            f'Q_CLUSTER["bulk"] is {bulk}: a cluster takes so many hints at once, also when it has '
            "a process for one only, and keeps them from the idle processes of others.",
            hint=READERS["bulk"][1],
            id="durable_django.W010",
        )


def _count(workers: int) -> str:
    return f"{workers} worker{'s' * (workers > 1)}"


def _check_driving(config: Config) -> Iterator[CheckMessage]:
    """How long a process works before something is begun anew."""
    retry = _read(config, "retry", None)
    if retry is not None and retry / 2 < DRIVEN_SECONDS_MIN:
        yield Warning(
            f'Q_CLUSTER["retry"] is {retry:g} seconds: a run is driven for half of that only, then '
            "given back and handed over anew.",
            hint=f'"retry": {2 * DRIVEN_SECONDS_MIN} or more (and more than "timeout"); 60 is the '
            "default, with which a run is driven for 30 seconds.",
            id="durable_django.W011",
        )
    recycle = config.get("recycle")
    if isinstance(recycle, (int, float)) and 0 < recycle < RECYCLE_MIN:
        yield Warning(
            f'Q_CLUSTER["recycle"] is {recycle}: after so many hints a process is replaced by '
            "another, which has to be started, to connect and to register first.",
            hint=f'Leave "recycle" out (500), or set {RECYCLE_MIN} or more; "max_rss" replaces '
            "processes that have grown.",
            id="durable_django.W012",
        )


# -- the databases -----------------------------------------------------------------------------


def check_connections(configs: Iterable[Config]) -> Iterator[CheckMessage]:
    """E023, W013 and W014: the database of the runs, and that of the ORM broker."""
    ours = valid("DATABASE")
    brokers = {_read(config, "orm", None) for config in configs} - {None}
    for alias in sorted({ours, *brokers} - {None}):
        if _exists(alias):
            yield from _check_connection(alias, connections.settings[alias])
    if ours is None:
        return
    for alias in sorted(filter(_exists, brokers - {ours})):
        yield Warning(
            f'Q_CLUSTER["orm"] is "{alias}", and DURABLE["DATABASE"] is "{ours}": hints are not '
            "written in the transaction that makes a run ready, but sent after it. What is lost in "
            "between, durable_worker sends some seconds later.",
            hint=f'"orm": "{ours}", unless that is what you want.',
            id="durable_django.W014",
        )


def _exists(alias: str) -> bool:
    return alias in connections and connections.settings[alias]["ENGINE"] != DUMMY


def _check_connection(alias: str, config: Config) -> Iterator[CheckMessage]:
    if (config.get("OPTIONS") or {}).get("pool"):
        yield Error(
            f'DATABASES["{alias}"]["OPTIONS"] has a pool: a cluster opens it, then forks, and its '
            "processes would write through the same connections.",
            hint='No "pool" for qcluster, but "CONN_MAX_AGE": None, by an environment variable of '
            "its own, say. Silence this where web processes have a pool.",
            id="durable_django.E023",
        )
    elif config.get("CONN_MAX_AGE") == 0:
        yield Warning(
            f'DATABASES["{alias}"]["CONN_MAX_AGE"] is 0: the processes of a cluster connect anew '
            "for each run, which makes it up to ten times slower.",
            hint='"CONN_MAX_AGE": None, or 60, say; by an environment variable that only qcluster '
            "has, if web processes shall have 0.",
            id="durable_django.W013",
        )
