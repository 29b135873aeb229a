"""Executors: which one a setting means."""

import pytest

from durable_django.executors.dispatches import queues_of
from durable_django.executors.django_q import DjangoQ
from durable_django.executors.executor import Dispatcher, Threads, executor_of
from durable_django.executors.sweeper import Sweeper
from durable_django.worker.service import WorkerService

from .engines import Engine, Narrow


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("threads", Threads),
        ("django_q", DjangoQ),
        ("tests.executors.engines.Engine", Engine),
    ],
)
def test_a_name_means_a_class(name, expected):
    assert type(executor_of(name)) is expected


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("", ImportError),
        ("django-q", ImportError),
        ("tests.executors.engines.Other", ImportError),
        ("decimal.Decimal", TypeError),
        ("durable_django.executors.executor.Dispatcher", TypeError),
    ],
)
def test_what_means_none_is_told(name, error):
    with pytest.raises(error):
        executor_of(name)


def test_each_has_its_service():
    assert type(Threads().service(["default"], 2, False)) is WorkerService


@pytest.mark.django_db
def test_another_engine_has_a_sweeper():
    service = Engine().service(["default"], 2, True)
    assert type(service) is Sweeper
    assert (service.queues, service.burst) == (["default"], True)


def test_the_room_is_two_for_each_process_and_two_to_find_out():
    assert [Dispatcher.room(Narrow(), processes) for processes in (0, 1, 2, 10)] == [2, 2, 4, 20]


def test_a_queue_belongs_to_its_cluster_or_to_the_default_one(durable_settings):
    durable_settings(QUEUES={"heavy": {"cluster": "big"}, "light": {}})
    engine = Engine()
    assert [engine.cluster_of(queue) for queue in ("heavy", "light", "default", "any")] == [
        "big",
        *["default"] * 3,
    ]
    assert queues_of(engine, "big") == ["heavy"]
    assert queues_of(engine, "default") == ["light", "default"]
