"""Checks of the executor; of Django-Q2: that it is there, and which cluster carries which queue.

They read ``Q_CLUSTER`` as the project wrote it: Django-Q2 reads it once, when it is imported, and
judges little of it. What one cluster is told is judged in ``clusters``. They open no database and
no broker.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Warning

from ..definition.readers import read_text
from ..definition.spelling import did_you_mean
from .clusters import Config, broker_of, check_cluster, check_connections, wrong
from .values import CLUSTER_LENGTH_MAX, valid

if TYPE_CHECKING:
    from ..executors.django_q import DjangoQ

EXECUTOR_LENGTH_MAX = 200

_EXAMPLE = (
    'Like Q_CLUSTER = {"name": "shop", "orm": "default", "workers": 4, "queue_limit": 4, '
    '"retry": 60}.'
)
_ALT_EXAMPLE = '"ALT_CLUSTERS": {"heavy": {"workers": 1, "queue_limit": 1}}'


def check_executor(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """E018 to E023 and W008 to W015: who runs the steps; and its cluster, if that is Django-Q2."""
    name = valid("EXECUTOR")
    if name is None or name == "threads":
        return []
    # Whoever has threads need not load the other executors.
    from ..executors.django_q import DjangoQ
    from ..executors.executor import executor_of

    try:
        executor = executor_of(name)
        read_text(getattr(executor, "name", None), "its name", EXECUTOR_LENGTH_MAX)
    except Exception as error:  # a project's own class may raise what it likes
        return [_not_loaded(name, error)]
    if not isinstance(executor, DjangoQ):
        return []
    given = getattr(django_settings, "Q_CLUSTER", {})
    if not isinstance(given, Mapping):
        kind = type(given).__name__
        return [*_check_installed(), wrong(f"Q_CLUSTER is a dict, not {kind}", _EXAMPLE)]
    default, wanted = executor.default_cluster, _wanted(executor)
    configs = _configs(given, default, wanted)
    return [
        *_check_installed(),
        *_check_names(given),
        *_check_clusters(given, default, wanted),
        *_check_each(configs),
        *_check_listening(given, configs),
        *check_connections([given, *configs.values()]),
    ]


def _not_loaded(name: str, error: Exception) -> CheckMessage:
    text = str(error) or type(error).__name__
    return Error(
        f'DURABLE["EXECUTOR"] is "{name}", which cannot be loaded: {text.rstrip(".")}.',
        hint='pip install "durable-django[django_q]", or take "threads".'
        if name == "django_q"
        else "The dotted path of a class that derives from durable_django.executors.executor."
        "Dispatcher, has a name and is made without arguments.",
        id="durable_django.E018",
    )


def _check_installed() -> Iterator[CheckMessage]:
    if apps.is_installed("django_q"):
        return
    yield Error(
        'DURABLE["EXECUTOR"] is "django_q", and the app django_q is not installed: no command '
        "starts a cluster, and the ORM broker has no table.",
        hint='Add "django_q" to INSTALLED_APPS, and migrate.',
        id="durable_django.E019",
    )


# -- the clusters, and which of them carry our runs ----------------------------------------------


def _wanted(executor: DjangoQ) -> dict[str, str]:
    """The cluster of each queue."""
    queues = valid("QUEUES")
    if queues is None:
        return {"default": executor.default_cluster}
    return {queue: executor.cluster_of(queue) for queue in (*queues, "default")}


def _others(given: Config) -> Mapping[Any, Any]:
    others = given.get("ALT_CLUSTERS")
    return others if isinstance(others, Mapping) else {}


def _configs(given: Config, default: str, wanted: Mapping[str, str]) -> dict[str, Config]:
    """What is in force in each cluster that carries runs, as far as that is known."""
    configs: dict[str, Config] = {}
    for cluster in wanted.values():
        if cluster == default:
            configs[cluster] = given
        elif isinstance(entry := _others(given).get(cluster), Mapping):
            configs[cluster] = {**given, **entry}
    return configs


def _check_names(given: Config) -> Iterator[CheckMessage]:
    """A name that Django-Q2 and durable_django would take for different ones."""
    for key in ("name", "cluster_name"):
        if key in given:
            try:
                read_text(given[key], f'Q_CLUSTER["{key}"]', CLUSTER_LENGTH_MAX)
            except (TypeError, ValueError) as error:
                yield wrong(error, f'Like "{key}": "shop"; leave it out for "default".')
    if "ALT_CLUSTERS" not in given:
        return
    others = given["ALT_CLUSTERS"]
    if not isinstance(others, Mapping):
        text = f'Q_CLUSTER["ALT_CLUSTERS"] is a dict of names to dicts, not {others!r:.80}'
        yield wrong(text, f"Like {_ALT_EXAMPLE}.")
    for name, entry in _others(given).items():
        if not isinstance(entry, Mapping):
            text = f'Q_CLUSTER["ALT_CLUSTERS"][{name!r:.80}] is a dict, not {entry!r:.80}'
            yield wrong(text, f"Like {_ALT_EXAMPLE}.")


def _check_clusters(
    given: Config, default: str, wanted: Mapping[str, str]
) -> Iterator[CheckMessage]:
    known = [default, *(name for name in _others(given) if isinstance(name, str))]
    for queue, cluster in wanted.items():
        near, place = did_you_mean(cluster, known), "there"
        if cluster != default and cluster == given.get("name"):
            # Django-Q2 takes it for another word for cluster_name.
            fault = f'under whose name qcluster carries "{default}", the "cluster_name"'
            near, place = "", "otherwise"
        elif cluster in known:
            continue
        elif "ALT_CLUSTERS" in given:
            fault = 'which Q_CLUSTER["ALT_CLUSTERS"] does not name'
        else:
            fault = f'and without Q_CLUSTER["ALT_CLUSTERS"] none but "{default}" can be started'
            place = "in it"
        yield Warning(
            f'DURABLE["QUEUES"] gives the queue "{queue}" to the cluster "{cluster}", {fault}'
            f"{near or '.'}",
            hint=f'Name it {place}, like {_ALT_EXAMPLE}, and start it with "Q_CLUSTER_NAME=heavy '
            'manage.py qcluster". Silence this if another project runs it.',
            id="durable_django.W008",
        )


def _check_each(configs: Mapping[str, Config]) -> list[CheckMessage]:
    """What is wrong in several clusters is told once, with their names."""
    told: dict[tuple[object, ...], tuple[CheckMessage, list[str]]] = {}
    for cluster, config in configs.items():
        for message in check_cluster(config):
            key = (message.id, message.msg, message.hint)
            told.setdefault(key, (message, []))[1].append(f'"{cluster}"')
    for message, clusters in told.values():
        message.obj = f"cluster{'s' * (len(clusters) > 1)} {', '.join(clusters)}"
    return [message for message, _ in told.values()]


def _check_listening(given: Config, configs: Mapping[str, Config]) -> Iterator[CheckMessage]:
    """Hints are sent by processes that know the broker of the top level only."""
    broker = broker_of(given)
    for cluster, config in configs.items():
        theirs = broker_of(config)
        if theirs == broker and config.get(broker) == given.get(broker):
            continue
        yield Warning(
            f'The cluster "{cluster}" has a broker of its own ("{theirs}"), and hints are sent to '
            f'that of Q_CLUSTER ("{broker}"): none would reach it.',
            hint="Give all clusters one broker: each has its own queue there.",
            id="durable_django.W015",
        )
