"""Django-Q2: each ready run becomes a task of a cluster, by whichever broker it has.

A task carries an id and a lease number, keeps no result, has no time limit of Django-Q2 (steps have
their own) and never fails, for Django-Q2 would deliver it for ever then. Nothing here needs the
broker to be reliable. Facts told here were measured with django-q2 1.11.
"""

from __future__ import annotations

import logging
import os
import shlex
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

from ..conf import settings
from .carrier import SECONDS, carrier_of, carry
from .dispatches import queues_of
from .executor import Dispatcher

if TYPE_CHECKING:
    from ..store.dispatching import Hint

logger = logging.getLogger("durable_django.executors")

NO_TIMEOUT = -1
# How long Redis may take to answer before what is sent is left to the sweeper.
REDIS_SECONDS = 5
TASK = "durable_django.executors.django_q.carry_task"


class DjangoQ(Dispatcher):
    """``EXECUTOR = "django_q"``. ImproperlyConfigured if Django-Q2 is not installed."""

    name = "django_q"

    def __init__(self) -> None:
        try:
            import django_q  # noqa: F401
        except ImportError:
            raise ImproperlyConfigured(
                'EXECUTOR "django_q" needs Django-Q2: pip install "durable-django[django_q]"'
            ) from None
        self._brokers: dict[tuple[int, str], Any] = {}
        self._mutex = threading.Lock()

    @property
    def default_cluster(self) -> str:
        """The one that ``manage.py qcluster`` is without a name."""
        given = getattr(django_settings, "Q_CLUSTER", None)
        if not isinstance(given, dict):
            return "default"
        return str(given.get("cluster_name") or given.get("name") or "default")

    def command(self, cluster: str) -> str:
        """By the variable: Django-Q2 reads it when it is imported, before its option is."""
        if cluster == self.default_cluster:
            return "manage.py qcluster"
        return f"Q_CLUSTER_NAME={shlex.quote(cluster)} manage.py qcluster"

    def is_transactional(self) -> bool:
        """With the ORM broker in the same database."""
        from django_q.conf import Conf

        others = Conf.BROKER_CLASS or Conf.IRON_MQ or isinstance(Conf.SQS, dict)
        return not others and Conf.ORM == settings.DATABASE

    def send(self, cluster: str, hints: Sequence[Hint]) -> None:
        """A task for each."""
        from django_q.tasks import async_task

        broker = self._broker(cluster)
        for hint in hints:
            async_task(
                TASK,
                str(hint.execution_id),
                hint.lease,
                broker=broker,
                cluster=cluster,
                timeout=NO_TIMEOUT,
                save=False,
                cached=False,
                sync=False,
                ack_failure=True,
            )

    def _broker(self, cluster: str) -> Any:
        """Kept, for that of Redis holds connections; not across a fork."""
        key = (os.getpid(), cluster)
        with self._mutex:
            if key not in self._brokers:
                self._brokers = {key: _made_broker(cluster)} | {
                    each: kept for each, kept in self._brokers.items() if each[0] == key[0]
                }
            return self._brokers[key]


def _made_broker(cluster: str) -> Any:
    """It does not wait for ever for a Redis that is cut off, unless somebody says so: a web request
    waits for what is sent, and a sweeper that is told to end."""
    from django_q.brokers import get_broker

    broker = get_broker(cluster)
    pool = getattr(broker.connection, "connection_pool", None)
    given = getattr(pool, "connection_kwargs", None)
    if isinstance(given, dict):
        for name in ("socket_timeout", "socket_connect_timeout"):
            if given.get(name) is None:
                given[name] = REDIS_SECONDS
    return broker


def carry_task(execution_id: str, lease: int) -> None:
    """What the cluster runs."""
    from django_q.conf import Conf

    # A broker that delivers again what was not acknowledged in time shall not do so with a run that
    # still goes on: nobody would take it, but it would take the place of another.
    retry = Conf.RETRY if isinstance(Conf.RETRY, int | float) and Conf.RETRY > 0 else 2 * SECONDS
    carry(
        execution_id,
        lease,
        executor=DjangoQ.name,
        cluster=str(Conf.CLUSTER_NAME),
        seconds=min(SECONDS, retry / 2),
    )


def announce_processes() -> None:
    """From now on a process of a cluster is known as soon as it begins, not with its first task."""
    from django_q.signals import post_spawn

    post_spawn.connect(_spawned, dispatch_uid="durable_django.executors.django_q")


def _spawned(**options: Any) -> None:
    from django_q.conf import Conf

    if Conf.SYNC:
        return  # it is no process of a cluster, but of whoever adds a task
    try:
        executor, cluster = DjangoQ(), str(Conf.CLUSTER_NAME)
        if queues_of(executor, cluster):
            carrier_of(executor, cluster)
    except Exception:
        logger.exception("this process is not known before its first task")
