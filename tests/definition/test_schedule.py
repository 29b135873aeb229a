"""Cron and Every: what they take, what they refuse, and what Meta makes of them."""

import functools
from datetime import UTC, datetime
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from durable_django import Cron, Every, days, hours, minutes, seconds
from durable_django.definition import schedule
from durable_django.definition.nodes import step
from durable_django.definition.workflow import Workflow
from durable_django.models.schedule import CatchUp, Overlap, Schedule
from tests.definition.telling import told

NINE = datetime(2026, 1, 5, 14, tzinfo=UTC)


def body(self): ...


def test_the_defaults_are_those_of_the_contract():
    made = Cron("0 9 * * *")
    assert (made.name, made.input_at(NINE), made.queue, made.timezone) == (
        "default",
        {},
        None,
        None,
    )
    assert (made.overlap, made.catch_up, made.catch_up_window) == ("skip", "one", 31_536_000.0)
    assert (made.jitter, made.disable_after) == (0.0, None)
    assert Every(minutes(10)).interval == 600.0
    assert Every(600) == Every(minutes(10))


def test_a_cron_ticks_in_its_zone():
    made = Cron("0 9 * * *", timezone="America/New_York")
    assert made.calendar().before(NINE) == NINE
    assert made.zone == ZoneInfo("America/New_York")
    assert Cron("0 9 * * *", timezone=ZoneInfo("America/New_York")) == made


def test_an_every_ticks_at_its_offset():
    made = Every(hours(1), offset=minutes(5))
    assert made.calendar().after(NINE) == datetime(2026, 1, 5, 14, 5, tzinfo=UTC)


def test_spaces_in_an_expression_are_one():
    assert Cron("0  9 * *   *").expression == "0 9 * * *"


def test_input_can_be_said_for_each_tick_in_the_zone_of_the_schedule():
    made = Cron("0 9 * * *", timezone="America/New_York", input=lambda tick: {"hour": tick.hour})
    assert made.asks_for_input
    assert made.input_at(NINE) == {"hour": 9}
    assert not Cron("0 9 * * *", input=[1]).asks_for_input
    assert Cron("0 9 * * *", input=[1]).input_at(NINE) == [1]


def test_a_schedule_can_stand_in_a_set_whatever_its_input():
    assert len({Cron("@daily", input={"a": 1}), Cron("@daily", input={"a": 1})}) == 1


def test_the_columns_are_those_of_the_rows():
    for made in (Cron("@daily", timezone="Asia/Tokyo", queue="low"), Every(60, offset=7)):
        row = Schedule(name=made.name, **made.columns())
        assert made.calendar().after(NINE) == schedule.calendar_of(
            row.cron, row.timezone, row.interval_seconds, row.offset_seconds
        ).after(NINE)
    assert Cron("@daily", jitter=minutes(1), queue="low").columns() == {
        "queue": "low",
        "cron": "@daily",
        "timezone": "",
        "interval_seconds": None,
        "offset_seconds": 0.0,
        "overlap": "skip",
        "catch_up": "one",
        "catch_up_seconds": 31_536_000.0,
        "jitter_seconds": 60.0,
        "disable_after": None,
    }


def test_the_choices_are_those_of_the_rows():
    assert set(get_args(schedule.Overlap)) == set(Overlap.values)
    assert set(get_args(schedule.CatchUp)) == set(CatchUp.values)


def test_the_lengths_are_those_of_the_columns():
    columns = {
        field.name: field.max_length
        for field in Schedule._meta.get_fields()
        if hasattr(field, "max_length")
    }
    assert columns["name"] == schedule.SCHEDULE_NAME_LENGTH_MAX
    assert columns["timezone"] == schedule.ZONE_LENGTH_MAX
    assert columns["cron"] == schedule.CRON_LENGTH_MAX


async def coroutine(tick): ...


class AsyncCallable:
    async def __call__(self, tick): ...


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"name": 7}, TypeError, "Cron name is a string"),
        ({"name": ""}, ValueError, "Cron name is a printable text"),
        ({"name": "x" * 101}, ValueError, "Cron name has at most 100 characters"),
        ({"queue": " low"}, ValueError, "Cron queue is a printable text"),
        ({"overlap": "skp"}, ValueError, "not 'skp'; did you mean \"skip\"?"),
        ({"overlap": None}, ValueError, "Cron overlap is one of"),
        ({"overlap": []}, ValueError, "Cron overlap is one of"),
        ({"catch_up": "al"}, ValueError, 'one of "none", "one", "all"'),
        ({"catch_up_window": -1}, ValueError, "Cron catch_up_window is negative"),
        ({"jitter": "1m"}, TypeError, "Cron jitter is a timedelta or a number of seconds"),
        ({"disable_after": 0}, ValueError, "Cron disable_after is between 1 and"),
        ({"disable_after": True}, TypeError, "Cron disable_after is a whole number"),
        ({"timezone": ""}, ValueError, "Cron timezone is a printable text"),
        ({"timezone": UTC}, TypeError, "Cron timezone is a string"),
        ({"input": coroutine}, TypeError, "no coroutine"),
        ({"input": AsyncCallable()}, TypeError, "no coroutine"),
        ({"input": lambda: 1}, TypeError, "Cron input is called with one argument, the tick"),
        ({"input": functools.partial(lambda a, b: a)}, TypeError, "one argument"),
    ],
)
def test_a_wrong_option_is_told_by_its_name(options, error, words):
    with pytest.raises(error) as caught:
        Cron("0 9 * * *", **options)
    assert words in str(caught.value)


def test_a_builtin_that_tells_no_signature_may_say_the_input():
    assert Cron("@daily", input=str).input_at(NINE).startswith("2026-01-05")


@pytest.mark.parametrize(
    ("expression", "error", "words"),
    [
        (9, TypeError, "Cron expression is a string"),
        ("", ValueError, "Cron expression is a printable text"),
        ("0 9 * * *\n", ValueError, "Cron expression is a printable text"),
        ("1," * 99 + "1 * * * *", ValueError, "Cron expression has at most 200 characters"),
    ],
)
def test_an_expression_is_a_text(expression, error, words):
    with pytest.raises(error, match=words):
        Cron(expression)


@pytest.mark.parametrize(
    ("interval", "options", "error", "words"),
    [
        ("10m", {}, TypeError, "Every interval is a timedelta"),
        (0.5, {}, ValueError, "Every interval is a second or more, not 0.5 seconds$"),
        (seconds(0), {}, ValueError, "Every interval is a second or more, not 0 seconds$"),
        (60, {"offset": 60}, ValueError, "Every offset is less than the interval"),
        (
            hours(1),
            {"offset": minutes(90)},
            ValueError,
            "of 1 hour, not 1 hour 30 minutes: it says",
        ),
        (60, {"offset": -1}, ValueError, "Every offset is negative"),
        (60, {"name": None, "overlap": "x"}, ValueError, "Every overlap is one of"),
    ],
)
def test_an_interval_is_a_duration(interval, options, error, words):
    with pytest.raises(error, match=words):
        Every(interval, **options)


def test_what_the_machine_cannot_read_is_told_when_it_is_asked_and_not_at_import():
    assert Cron("61 * * * *").expression == "61 * * * *"
    with pytest.raises(ValueError, match="the minute"):
        Cron("61 * * * *").calendar()
    with pytest.raises(ValueError, match="did you mean"):
        Cron("@daily", timezone="Europe/Berlinn").calendar()


def test_a_schedule_is_frozen():
    with pytest.raises(AttributeError):
        Cron("@daily").name = "other"


# In Meta


def test_meta_keeps_its_schedules_in_their_order():
    class W(Workflow):
        class Meta:
            schedules = [Cron("@daily"), Every(60, name="often")]

        charge = step(body)

    options = W.definition.options
    assert options.schedules == (Cron("@daily"), Every(60, name="often"))


def test_schedules_are_not_inherited():
    class Base(Workflow):
        class Meta:
            schedules = [Cron("@daily")]
            retention = days(30)

        charge = step(body)

    class Sub(Base):
        class Meta(Base.Meta):
            timeout = hours(1)

    assert Sub.definition.options.schedules == ()
    assert Sub.definition.options.retention == 2_592_000.0


@pytest.mark.parametrize(
    ("schedules", "words"),
    [
        (Cron("@daily"), "Meta.schedules is a list"),
        (["0 9 * * *"], "Meta.schedules holds Cron and Every"),
        ([Cron("@daily"), Every(60)], 'two schedules have the name "default"'),
        ([Cron("@daily", name="a"), Every(60, name="a")], 'two schedules have the name "a"'),
    ],
)
def test_a_mistake_is_told_with_its_line(schedules, words):
    given = schedules
    with told(words):

        class W(Workflow):
            class Meta:  # here
                schedules = given

            charge = step(body)


@pytest.mark.parametrize(
    ("retention", "words"),
    [
        (0, "leave it out, and RETENTION decides"),
        ("30d", "Meta.retention is a timedelta"),
        (-1, "is negative"),
    ],
)
def test_a_wrong_retention_is_told_with_its_line(retention, words):
    given = retention
    with told(words):

        class W(Workflow):
            class Meta:  # here
                retention = given

            charge = step(body)


def test_a_subclass_can_leave_its_retention_to_the_setting_again():
    class Base(Workflow):
        class Meta:
            retention = 60

        charge = step(body)

    class Sub(Base):
        class Meta:
            retention = None

    assert Base.definition.options.retention == 60.0
    assert Sub.definition.options.retention is None
