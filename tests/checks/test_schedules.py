"""The checks of schedules: what their expressions, zones, inputs and queues come to here."""

import pytest
from django.core.checks import WARNING

from durable_django import Cron, Every, Workflow, hours, minutes, step
from durable_django.checks import check_schedules, check_workflows
from durable_django.definition import registry
from tests.checks.telling import ids, told


@pytest.fixture(autouse=True)
def _only_workflows_of_the_test():
    with registry.isolate():
        registry._classes.clear()
        yield


def checked(*declared, **durable):
    """The messages about a workflow with these schedules, under these settings. None is an error,
    which would keep workers from starting."""

    class Report(Workflow):
        class Meta:
            schedules = declared

        @step
        def build(self): ...

    messages = told(check_schedules, **durable)
    assert {message.level for message in messages} <= {WARNING}
    return messages


def test_right_schedules_are_passed():
    assert (
        checked(
            Cron("0 9 * * MON-FRI", timezone="America/New_York", jitter=hours(1)),
            Cron("@daily", name="daily", input={"day": 1}),
            Cron("*/10 * * * * *", name="seconds", input=lambda tick: tick),
            Every(minutes(10), name="every", jitter=minutes(10)),
        )
        == []
    )


def test_a_wrong_expression_is_told_with_the_field_and_the_name():
    (message,) = checked(Cron("61 * * * *", name="nightly"))
    assert ids([message]) == ["W017"]
    assert message.msg == (
        "Meta.schedules: \"nightly\": '61 * * * *': the minute is '61', and can be 0 to 59."
    )
    assert message.obj.endswith(".Report")


def test_a_wrong_zone_is_told_beside_a_wrong_expression():
    messages = checked(Cron("@dayli", timezone="Europe/Berlinn"))
    assert ids(messages) == ["W018", "W017"]
    assert 'did you mean "Europe/Berlin"?' in messages[0].msg
    assert 'did you mean "@daily"?' in messages[1].msg


def test_a_wrong_zone_alone_is_told_alone():
    assert ids(checked(Cron("0 0 */31 * MON#5", timezone="Nowhere"))) == ["W018"]


def test_what_never_ticks_is_a_warning():
    (message,) = checked(Cron("0 0 */31 * MON#5"))
    assert ids([message]) == ["W006"]
    assert message.msg.startswith('Meta.schedules: "default" never ticks: At 00:00 on ')


@pytest.mark.parametrize(
    "schedule",
    [Every(minutes(10), jitter=minutes(11)), Cron("0 9,10 * * *", jitter=hours(2))],
)
def test_a_jitter_longer_than_the_shortest_time_between_two_ticks_is_a_warning(schedule):
    (message,) = checked(schedule)
    assert ids([message]) == ["W007"]


def test_an_input_that_cannot_be_stored_is_told_with_its_path():
    (message,) = checked(Cron("@daily", input={"to": [object()]}))
    assert ids([message]) == ["W019"]
    assert 'input["to"][0]' in message.msg
    (message,) = checked(Cron("@daily", input="x" * 2_000), MAX_PAYLOAD_BYTES=1_024)
    assert ids([message]) == ["W019"]


def test_an_unknown_queue_is_told_with_the_one_that_is_meant():
    (message,) = checked(Cron("@daily", queue="hihg"), QUEUES={"high": {}})
    assert ids([message]) == ["W016"]
    assert 'did you mean "high"?' in message.msg
    assert checked(Cron("@daily", queue="default"), QUEUES={"high": {}}) == []
    assert checked(Cron("@daily", queue="any")) == []


def test_wrong_settings_are_told_elsewhere():
    assert checked(Cron("@daily", queue="low"), QUEUES=["low"], MAX_PAYLOAD_BYTES="x") == []


def test_each_class_is_looked_at_once_and_only_in_one_check():
    assert ids(checked(Cron("61 * * * *"), Cron("0 25 * * *", name="b"))) == ["W017", "W017"]
    assert told(check_workflows) == []
