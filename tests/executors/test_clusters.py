"""Clusters: which one carries a queue, what starts it, and that asking never fails."""

from datetime import timedelta

import pytest

from durable_django.executors.clusters import Cluster, cluster_of, patience

ENGINE = "tests.executors.engines.Engine"
NAME = "Q_CLUSTER_NAME='big ones'"
QUEUES = {"heavy": {"cluster": "big ones"}, "mail": {}}


def test_threads_have_no_cluster():
    assert cluster_of("default") is None


@pytest.mark.parametrize(
    ("queue", "cluster"),
    [
        ("mail", Cluster("django_q", "shop", "manage.py qcluster", ("mail", "default"))),
        ("unnamed", Cluster("django_q", "shop", "manage.py qcluster", ("mail", "default"))),
        ("heavy", Cluster("django_q", "big ones", f"{NAME} manage.py qcluster", ("heavy",))),
    ],
)
def test_each_queue_of_django_q_has_a_cluster_and_what_starts_it(
    durable_settings, settings, queue, cluster
):
    durable_settings(EXECUTOR="django_q", QUEUES=QUEUES)
    settings.Q_CLUSTER = {"name": "shop"}
    assert cluster_of(queue) == cluster


def test_how_another_engine_is_started_is_not_known(durable_settings):
    durable_settings(EXECUTOR=ENGINE, QUEUES=QUEUES)
    assert cluster_of("heavy") == Cluster("engine", "big ones", "", ("heavy",))


@pytest.mark.parametrize("executor", ["nowhere.Engine", "datetime.date", "collections.abc", ""])
def test_an_executor_that_cannot_be_loaded_has_no_clusters(durable_settings, executor):
    durable_settings(EXECUTOR=executor)
    assert cluster_of("default") is None


def test_patience_outlasts_what_is_sent_again(durable_settings):
    durable_settings(HEARTBEAT_SECONDS=2)
    assert patience() == timedelta(seconds=10)
