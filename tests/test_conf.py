"""The settings: defaults, what a project gives, and that both are read when they are needed."""

from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from durable_django.conf import DEFAULTS, Settings, settings

# The contract: other code is written against these.
CONTRACT = {
    "DATABASE": "default",
    "EXECUTOR": "threads",
    "QUEUES": {},
    "THREADS": 8,
    "LEASE_SECONDS": 30,
    "HEARTBEAT_SECONDS": 5,
    "POLL_SECONDS": 1.0,
    "MAX_PAYLOAD_BYTES": 1_048_576,
    "MAX_RECOVERIES": 5,
    "LOG_LEVEL": "INFO",
    "LOG_MAX_BYTES": 65_536,
    "RETENTION": None,
    "SENSITIVE": (),
    "BASE_URL": None,
    "CALLBACK_MAX_AGE": timedelta(days=30),
    "METRICS_TOKEN": None,
}


def test_the_defaults_are_the_contracts():
    assert DEFAULTS == CONTRACT


def test_every_setting_is_declared_with_its_type():
    assert set(Settings.__annotations__) == set(DEFAULTS)


@override_settings(DURABLE={})
@pytest.mark.parametrize("name", DEFAULTS)
def test_a_setting_that_is_not_given_has_its_default(name):
    assert getattr(settings, name) == DEFAULTS[name]


@override_settings()
def test_the_dict_itself_is_optional():
    from django.conf import settings as django_settings

    del django_settings.DURABLE
    settings.reload()
    assert settings.THREADS == 8
    assert settings.given() == {}


@override_settings(DURABLE={"THREADS": 3})
def test_what_is_given_goes_before_the_default():
    assert settings.THREADS == 3
    assert settings.LEASE_SECONDS == 30


@override_settings(DURABLE={"LOG_MAX_BYTES": 0, "MAX_RECOVERIES": 0, "SENSITIVE": []})
def test_a_value_that_is_false_is_no_missing_value():
    assert (settings.LOG_MAX_BYTES, settings.MAX_RECOVERIES, settings.SENSITIVE) == (0, 0, [])


def test_overridden_settings_are_seen_at_once_and_gone_afterwards():
    threads = settings.THREADS
    with override_settings(DURABLE={"THREADS": 91}):
        assert settings.THREADS == 91
        with override_settings(DURABLE={"THREADS": 92}):
            assert settings.THREADS == 92
        assert settings.THREADS == 91
    assert threads == settings.THREADS


def test_overriding_another_setting_forgets_nothing():
    with override_settings(DURABLE={"THREADS": 91}):
        assert settings.THREADS == 91
        with override_settings(DEBUG=True):
            assert vars(settings)["THREADS"] == 91


def test_what_was_read_is_remembered_until_reload():
    durable = {"THREADS": 91}
    with override_settings(DURABLE=durable):
        assert settings.THREADS == 91
        durable["THREADS"] = 92
        assert settings.THREADS == 91
        settings.reload()
        assert settings.THREADS == 92


def test_nothing_is_read_before_it_is_asked_for():
    with override_settings(DURABLE={"THREADS": 91}):
        assert vars(settings) == {}


@pytest.mark.parametrize("name", ["THREAD", "threads", "__deepcopy__"])
def test_an_unknown_setting_is_no_attribute(name):
    with pytest.raises(AttributeError, match=name):
        getattr(settings, name)
    assert not hasattr(settings, name)


@override_settings(DURABLE={"THREADZ": 3})
def test_an_unknown_key_is_left_to_the_checks():
    assert settings.THREADS == 8
    assert settings.given() == {"THREADZ": 3}


@pytest.mark.parametrize("wrong", [None, [], "THREADS=8"])
def test_settings_that_are_no_dict_are_told_where_they_are_read(wrong):
    with override_settings(DURABLE=wrong):
        with pytest.raises(ImproperlyConfigured, match="DURABLE is a dict, not"):
            settings.THREADS  # noqa: B018
        with pytest.raises(ImproperlyConfigured, match="DURABLE is a dict, not"):
            settings.given()


@override_settings(DURABLE={"THREADS": 3})
def test_what_the_project_wrote_cannot_be_changed_through_it():
    with pytest.raises(TypeError):
        settings.given()["THREADS"] = 4
