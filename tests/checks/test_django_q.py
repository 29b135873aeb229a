"""The checks of the executor: what of ``Q_CLUSTER`` would fight it, and what it needs."""

import ast
import re
import sys
from pathlib import Path

import pytest
from django.core.checks import registry
from django.db.utils import ConnectionHandler
from django.test import modify_settings, override_settings

from durable_django.checks import check_executor, clusters
from durable_django.executors.executor import Dispatcher
from tests.checks.telling import ids, told

PAGE = Path(__file__).resolve().parents[2] / "docs" / "checks.md"
HEAVY = {"heavy": {"cluster": "heavy"}}
RIGHT = {"name": "shop", "orm": "default", "workers": 4, "queue_limit": 4, "retry": 60}
POSTGRESQL = {"ENGINE": "django.db.backends.postgresql", "NAME": "shop", "CONN_MAX_AGE": None}


class Ours(Dispatcher):
    name = "ours"

    def send(self, cluster, hints): ...


class Nameless(Dispatcher):
    def send(self, cluster, hints): ...


class Unfinished(Dispatcher):
    name = "unfinished"


class Broken(Ours):
    def __init__(self):
        raise RuntimeError


class NoExecutor: ...


@pytest.fixture(autouse=True)
def use_databases(monkeypatch):
    """Makes the checks see other DATABASES; nothing else does."""

    def use(**configs):
        monkeypatch.setattr(clusters, "connections", ConnectionHandler(configs))

    use(default=POSTGRESQL)
    return use


@pytest.fixture
def packages(monkeypatch):
    """Which of the packages of the brokers are installed."""

    def use(*names):
        monkeypatch.setattr(clusters, "_is_installed", lambda name: name in names)

    use("redis", "boto3", "pymongo", "iron_mq")
    return use


def checked(queues=None, **changes):
    """What is said of RIGHT with these changes; a value None leaves the key out."""
    config = {key: value for key, value in {**RIGHT, **changes}.items() if value is not None}
    return said(config, queues)


def said(config, queues=None):
    """What is said of this Q_CLUSTER."""
    with override_settings(Q_CLUSTER=config):
        return told(check_executor, EXECUTOR="django_q", QUEUES=queues or {})


def without_django_q():
    return modify_settings(INSTALLED_APPS={"remove": "django_q"})


# -- the executor ------------------------------------------------------------------------------


def test_django_runs_this_check():
    assert check_executor in registry.registry.registered_checks


@pytest.mark.parametrize("name", ["threads", f"{__name__}.Ours"])
def test_other_executors_have_nothing_to_do_with_a_cluster(name):
    with override_settings(Q_CLUSTER={"sync": True}), without_django_q():
        assert told(check_executor, EXECUTOR=name) == []


@pytest.mark.parametrize(
    "name",
    [
        "nowhere.Executor",
        f"{__name__}.Missing",
        f"{__name__}.NoExecutor",
        f"{__name__}.Unfinished",
        f"{__name__}.Nameless",
        f"{__name__}.Broken",
    ],
)
def test_an_executor_that_cannot_be_loaded_is_told(name):
    (message,) = told(check_executor, EXECUTOR=name)
    assert ids([message]) == ["E018"]
    assert name in message.msg
    assert "Dispatcher" in message.hint


def test_django_q2_that_is_not_installed_is_told_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "django_q", None)
    (message,) = told(check_executor, EXECUTOR="django_q")
    assert ids([message]) == ["E018"]
    assert "durable-django[django_q]" in message.hint


def test_a_wrong_executor_is_told_elsewhere():
    assert told(check_executor, EXECUTOR="thread") == []


def test_an_app_that_is_not_installed_is_told():
    with without_django_q():
        assert ids(checked()) == ["E019"]


# -- Q_CLUSTER ---------------------------------------------------------------------------------


def test_what_the_example_project_has_is_right(settings):
    assert said(settings.Q_CLUSTER) == []


def test_what_the_documentation_shows_is_right():
    (block,) = re.findall(r"(?ms)^Q_CLUSTER = (\{.*?^\})$", PAGE.read_text("utf-8"))
    assert said(ast.literal_eval(block), HEAVY) == []


def test_what_is_recommended_is_right():
    assert checked() == []
    assert checked(workers=1, queue_limit=None) == []
    assert checked(bulk=1, recycle=500, max_rss=100_000, retry=120.5, timeout=90, poll=0.05) == []
    assert checked(save_limit=-1, scheduler=False, ack_failures=True, max_attempts=1) == []


@pytest.mark.parametrize("given", [None, [1], "shop", 5])
def test_a_q_cluster_that_is_no_dict_is_told(given):
    (message,) = said(given)
    assert ids([message]) == ["E020"]
    assert type(given).__name__ in message.msg


def test_no_q_cluster_at_all_is_redis_with_the_defaults(settings, packages, monkeypatch):
    monkeypatch.setattr(clusters.os, "cpu_count", lambda: 4)
    del settings.Q_CLUSTER
    (message,) = told(check_executor, EXECUTOR="django_q")
    assert ids([message]) == ["W009"]
    assert "is 16 by default, for 4 workers" in message.msg
    assert "lost when it dies" in message.msg


WRONG = [
    *(("workers", value) for value in ("4", -1, 2.0, [4])),
    *(("queue_limit", value) for value in ("4", 4.0, [4])),
    *(("bulk", value) for value in ("1", 0, -1, 1.5)),
    *(("retry", value) for value in ("60", 0, -5, float("nan"), float("inf"), [60], True)),
    *(("orm", value) for value in (True, ["default"], {"a": 1})),
    *(("name", value) for value in ("", 5, "x" * 101)),
    *(("cluster_name", value) for value in ("", 5, {"a": 1})),
    *(("ALT_CLUSTERS", value) for value in (["heavy"], "heavy", {"heavy": 4}, {5: []})),
]


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_a_value_that_a_cluster_cannot_use_is_told_once(key, value):
    (message,) = checked(**{key: value})
    assert ids([message]) == ["E020"]
    assert message.msg.startswith(f'Q_CLUSTER["{key}"]')


def test_none_is_told_where_django_q2_takes_it_for_a_value():
    for key in ("name", "cluster_name", "retry", "bulk"):
        assert ids(said({**RIGHT, key: None})) == ["E020"]


def test_what_a_broker_does_not_look_at_is_not_judged(packages):
    assert checked(orm=None, redis={}, bulk="x", retry=0) == []
    assert checked(orm=None, mongo={"host": "db"}, bulk=10) == []
    assert checked(broker_class="project.brokers.Ours", bulk=10, retry=0, orm=5) == []


def test_sync_is_told():
    (message,) = checked(sync=True)
    assert ids([message]) == ["E021"]


@pytest.mark.parametrize(("limit", "words"), [(5, "is 5,"), (0, "no limit"), (-1, "no limit")])
def test_a_cluster_that_takes_more_than_it_has_workers_is_told(limit, words):
    (message,) = checked(queue_limit=limit)
    assert ids([message]) == ["W009"]
    assert words in message.msg
    assert '"retry" seconds' in message.msg
    assert '"queue_limit": 4' in message.hint


def test_the_default_of_queue_limit_is_the_square_of_the_workers():
    (message,) = checked(queue_limit=None)
    assert ids([message]) == ["W009"]
    assert "is 16 by default" in message.msg


def test_workers_that_are_not_given_are_the_processors_of_this_machine(monkeypatch):
    monkeypatch.setattr(clusters.os, "cpu_count", lambda: 2)
    assert checked(workers=None, queue_limit=2) == []
    assert ids(checked(workers=0, queue_limit=4)) == ["W009"]


def test_several_hints_at_once_are_told(packages):
    assert ids(checked(bulk=2)) == ["W010"]
    assert ids(checked(orm=None, sqs={}, bulk=10)) == ["W010"]


def test_a_retry_that_leaves_little_time_is_told(packages):
    (message,) = checked(retry=19.5)
    assert ids([message]) == ["W011"]
    assert "19.5 seconds" in message.msg
    assert checked(retry=20) == []
    # The time is given by it also where nothing is delivered again.
    assert ids(checked(orm=None, redis={}, retry=10)) == ["W011"]


def test_processes_that_are_replaced_often_are_told():
    assert ids(checked(recycle=99)) == ["W012"]
    for right in (100, 0, -1, "5"):
        assert checked(recycle=right) == []


# -- brokers and databases ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("broker", "package"),
    [
        ({"redis": {}}, "redis"),
        ({"sqs": {}}, "boto3"),
        ({"mongo": {"host": "db"}}, "pymongo"),
        ({"iron_mq": {"project_id": 1}}, "iron_mq"),
    ],
)
def test_a_broker_whose_package_is_not_installed_is_told(packages, broker, package):
    assert checked(orm=None, **broker) == []
    packages()
    (message,) = checked(orm=None, **broker)
    assert ids([message]) == ["E022"]
    assert f"pip install {package}" in message.hint


def test_whoever_named_no_broker_is_told_which_it_is(packages):
    packages()
    (message,) = checked(orm=None)
    assert "names no broker" in message.msg


def test_a_package_is_found_without_importing_it():
    assert clusters._is_installed("django_q")
    assert not clusters._is_installed("no_such_package")


def test_a_missing_database_of_the_broker_is_told_with_what_was_meant():
    (message,) = checked(orm="defualt")
    assert ids([message]) == ["E022"]
    assert message.msg.endswith('did you mean "default"?')
    assert message.hint == "DATABASES has default."


class NoTasks:
    def allow_migrate(self, db, app_label, **hints):
        return app_label != "django_q"


def test_a_router_without_a_place_for_the_table_of_the_broker_is_told():
    with override_settings(DATABASE_ROUTERS=[NoTasks()]):
        assert ids(checked()) == ["E022"]
        with without_django_q():
            assert ids(checked()) == ["E019"]


def test_connections_for_one_run_each_are_told_by_their_database(use_databases):
    use_databases(default={**POSTGRESQL, "CONN_MAX_AGE": 0}, queue={**POSTGRESQL})
    (message,) = checked()
    assert ids([message]) == ["W013"]
    assert message.msg.startswith('DATABASES["default"]["CONN_MAX_AGE"] is 0')
    use_databases(default={**POSTGRESQL, "CONN_MAX_AGE": 60})
    assert checked() == []


def test_a_pool_is_told_for_a_cluster_forks(use_databases):
    use_databases(default={**POSTGRESQL, "CONN_MAX_AGE": 0, "OPTIONS": {"pool": True}})
    assert ids(checked()) == ["E023"]


def test_a_broker_in_another_database_is_told(use_databases):
    use_databases(default=POSTGRESQL, queue={**POSTGRESQL, "CONN_MAX_AGE": 0})
    messages = checked(orm="queue")
    assert ids(messages) == ["W013", "W014"]
    assert 'DATABASES["queue"]' in messages[0].msg


# -- clusters ----------------------------------------------------------------------------------


def test_a_queue_of_a_cluster_that_nobody_can_start_is_told():
    (message,) = checked(HEAVY)
    assert ids([message]) == ["W008"]
    assert 'none but "shop" can be started' in message.msg


def test_a_misspelt_cluster_is_told_with_what_was_meant():
    (message,) = checked({"heavy": {"cluster": "heavi"}}, ALT_CLUSTERS={"heavy": {}})
    assert ids([message]) == ["W008"]
    assert message.msg.endswith('did you mean "heavy"?')


def test_the_default_cluster_and_those_beside_it_are_known():
    assert checked({"low": {"cluster": "shop"}, **HEAVY}, ALT_CLUSTERS={"heavy": {}}) == []
    assert checked({"low": {"cluster": "fast"}}, cluster_name="fast") == []


def test_the_name_beside_a_cluster_name_is_no_cluster():
    alternatives = {"shop": {}, "heavy": {}}
    (message,) = checked(
        {"low": {"cluster": "shop"}}, cluster_name="fast", ALT_CLUSTERS=alternatives
    )
    assert ids([message]) == ["W008"]
    assert 'carries "fast"' in message.msg


def test_each_cluster_is_judged_by_what_is_in_force_there():
    (message,) = checked(HEAVY, ALT_CLUSTERS={"heavy": {"workers": 1}})
    assert ids([message]) == ["W009"]
    assert "is 4, for 1 worker:" in message.msg
    assert message.obj == 'cluster "heavy"'


def test_what_several_clusters_have_in_common_is_told_once():
    (message,) = checked(HEAVY, bulk=5, ALT_CLUSTERS={"heavy": {}})
    assert ids([message]) == ["W010"]
    assert message.obj == 'clusters "heavy", "shop"'


def test_a_cluster_that_carries_no_runs_is_not_judged():
    everything = {"default": {"cluster": "heavy"}}
    assert checked(everything, bulk=5, ALT_CLUSTERS={"heavy": {"bulk": 1}}) == []
    assert checked(ALT_CLUSTERS={"mails": {"sync": True, "workers": "x"}}) == []


def test_a_cluster_with_another_broker_is_told(packages, use_databases):
    (message,) = checked(HEAVY, ALT_CLUSTERS={"heavy": {"orm": None, "redis": {}}})
    assert ids([message]) == ["W015"]
    use_databases(default=POSTGRESQL, queue=POSTGRESQL)
    messages = checked(HEAVY, ALT_CLUSTERS={"heavy": {"orm": "queue"}})
    assert ids(messages) == ["W015", "W014"]


def test_wrong_queues_are_told_elsewhere():
    assert checked(["heavy"]) == []
    assert checked({"heavy": {"cluster": 5}}) == []
