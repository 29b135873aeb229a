"""The checks of ``DURABLE``: each wrong value is told by its setting, each right one is silent."""

from datetime import timedelta

import pytest
from django.test import override_settings

from durable_django.checks import check_database, check_settings, check_workflows, values
from durable_django.conf import DEFAULTS
from tests.checks.telling import ids, told


def test_no_settings_at_all_are_right(settings):
    del settings.DURABLE
    assert check_settings() == []


def test_the_defaults_are_right():
    assert told(**DEFAULTS) == []


@pytest.mark.parametrize("wrong", [None, [], "THREADS=8", [("THREADS", 8)], 8])
def test_settings_that_are_no_dict_are_told(wrong):
    with override_settings(DURABLE=wrong):
        assert ids(check_settings()) == ["E001"]
        assert check_database() == check_workflows() == []


@pytest.mark.parametrize("key", ["THREAD", "threads", " THREADS"])
def test_an_unknown_key_is_told_with_what_was_meant(key):
    (message,) = told(**{key: 8})
    assert ids([message]) == ["E002"]
    assert 'did you mean "THREADS"?' in message.msg


@pytest.mark.parametrize("key", ["", "X", 8, None, ("a",)])
def test_a_key_that_resembles_nothing_is_told_with_all_there_are(key):
    with override_settings(DURABLE={key: 1}):
        (message,) = check_settings()
    assert ids([message]) == ["E002"]
    assert "THREADS" in message.hint


def test_every_mistake_is_told_at_once():
    assert sorted(ids(told(THREADS=0, LOG_LEVEL="LOUD", QUEUE={}))) == ["E002", "E003", "E003"]


NUMBERS = (None, True, "8", [8], float("nan"))
WRONG = {
    "DATABASE": [None, 1, "", " default", "a\x00b"],
    "EXECUTOR": [None, "", "thread", "django-q", ".", ["threads"]],
    "THREADS": [*NUMBERS, 0, -1, 2.0, 10**12],
    "LEASE_SECONDS": [*NUMBERS, 0, -1, float("inf"), timedelta(seconds=30), 10**400],
    "HEARTBEAT_SECONDS": [*NUMBERS, 0, -0.5, float("inf")],
    "POLL_SECONDS": [*NUMBERS, 0, -1.0, 86_401],
    "MAX_PAYLOAD_BYTES": [*NUMBERS, 0, 1023, 1e6, 2**40],
    "MAX_RECOVERIES": [*NUMBERS, -1, 1.5],
    "LOG_LEVEL": [None, 20, "", "info", "Info", "LOUD", b"INFO"],
    "LOG_MAX_BYTES": [*NUMBERS, -1, 1.5],
    "RETENTION": ["30 days", True, -1, 0, float("nan"), timedelta(days=-1)],
    "SENSITIVE": [None, "card_number", {"card_number": 1}, [1], [""], ["a", None]],
    "BASE_URL": [
        *("", 1, "shop.example", "//shop.example", "ftp://shop.example", "https://", "https:///x"),
        *("https://shop.example?x=1", "https://shop.example/#a", " https://shop.example"),
        *("https://shop.example:port", "https://[::1", b"https://shop.example"),
    ],
    "CALLBACK_MAX_AGE": [None, "30", True, -1, 0, timedelta(0), float("inf")],
    "METRICS_TOKEN": [
        "",
        1,
        b"0123456789abcdef",
        "0123456789abcde",
        "0123456789abcdeé",
        "a" * 20 + " ",
    ],
}
RIGHT = {
    "DATABASE": ["default"],
    "EXECUTOR": ["threads", "django_q", "project.engines.Ours"],
    "QUEUES": [{}, {"high": {}}, {"high": {}, "default": {}, "größte Mühe": {}}],
    "THREADS": [1, 64],
    "LEASE_SECONDS": [15, 15.0, 3600],
    "HEARTBEAT_SECONDS": [0.1, 10],
    "POLL_SECONDS": [0.05, 1, 60],
    "MAX_PAYLOAD_BYTES": [1024, 10_000_000],
    "MAX_RECOVERIES": [0, 1],
    "LOG_LEVEL": ["DEBUG", "WARNING", "CRITICAL", "NOTSET"],
    "LOG_MAX_BYTES": [0, 1],
    "RETENTION": [None, timedelta(days=30), 86_400],
    "SENSITIVE": [(), [], ["card_number"], ("a", "b")],
    "BASE_URL": [None, "https://shop.example/prefix/", "http://localhost:8000"],
    "CALLBACK_MAX_AGE": [timedelta(days=30), 3600, 0.5],
    "METRICS_TOKEN": [None, "0123456789abcdef", "~!" * 100],
}


def test_every_setting_is_judged():
    assert set(values.READERS) == set(values.HINTS) == set(DEFAULTS) == set(RIGHT)
    assert {*WRONG, "QUEUES"} == set(DEFAULTS)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in WRONG for value in WRONG[name]]
)
def test_a_wrong_value_is_told_by_its_setting(name, value):
    (message,) = told(**{name: value})
    assert ids([message]) == ["E003"]
    assert message.msg.startswith(f'DURABLE["{name}"] ')


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in RIGHT for value in RIGHT[name]]
)
def test_a_right_value_is_not_told(name, value):
    assert told(**{name: value}) == []


@pytest.mark.parametrize(
    ("given", "meant"), [("info", "INFO"), (" Debug", "DEBUG"), ("WARNNG", "WARNING")]
)
def test_a_level_that_is_misspelt_is_told_with_what_was_meant(given, meant):
    (message,) = told(LOG_LEVEL=given)
    assert f'did you mean "{meant}"?' in message.msg


def test_a_lease_shorter_than_three_heartbeats_is_told():
    (message,) = told(LEASE_SECONDS=14.9)
    assert ids([message]) == ["E005"]
    assert "15" in message.hint
    assert ids(told(HEARTBEAT_SECONDS=11)) == ["E005"]


def test_a_lease_of_three_heartbeats_is_right():
    assert told(LEASE_SECONDS=3, HEARTBEAT_SECONDS=1) == []


def test_a_lease_is_not_compared_with_a_wrong_heartbeat():
    assert ids(told(LEASE_SECONDS=1, HEARTBEAT_SECONDS="5")) == ["E003"]


def test_times_without_time_zones_are_told():
    with override_settings(USE_TZ=False):
        assert ids(check_settings()) == ["E006"]


# Queues


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        ["high"],
        "high",
        {1: {}},
        {"": {}},
        {" high": {}},
        {"high,low": {}},
        {"x" * 101: {}},
        {"high": None},
        {"high": 3},
        {"high": {"concurrency": 3}},
        {"high": {1: 3}},
    ],
)
def test_queues_that_are_wrong_are_told(wrong):
    assert ids(told(QUEUES=wrong)) == ["E004"]


def test_each_wrong_queue_is_told():
    assert ids(told(QUEUES={"a": None, "b": {}, "c": {"x": 1, "y": 2}})) == ["E004"] * 3


def test_an_option_of_a_queue_is_told_with_what_was_meant():
    assert told(QUEUES={"high": {"cluster": "heavy"}}) == []
    (message,) = told(QUEUES={"high": {"clutser": "heavy"}})
    assert '["high"]' in message.msg
    assert 'did you mean "cluster"?' in message.msg


@pytest.mark.parametrize("cluster", [None, "", 3, " heavy", "h" * 101, ["heavy"]])
def test_the_cluster_of_a_queue_is_a_name(cluster):
    (message,) = told(QUEUES={"high": {"cluster": cluster}})
    assert message.id == "durable_django.E004"
    assert 'DURABLE["QUEUES"]["high"]["cluster"]' in message.msg
