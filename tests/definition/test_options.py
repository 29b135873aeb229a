"""class Meta: each option, its mistakes, and what is inherited."""

from datetime import timedelta

import pytest

from durable_django.definition.durations import hours
from durable_django.definition.nodes import step
from durable_django.definition.options import NOT_SUPPORTED_YET, READERS, Options
from durable_django.definition.retry import NO_RETRY, Retry
from durable_django.definition.workflow import Workflow
from tests.definition.telling import told


def body(self): ...


def options_of(**given):
    class W(Workflow):
        Meta = type("Meta", (), given)
        charge = step(body)

    return W.definition.options


def test_the_defaults_are_those_of_the_contract():
    assert options_of(name="w") == Options(
        name="w",
        version=1,
        abstract=False,
        timeout=None,
        max_retries=0,
        retry=None,
        queue="default",
        priority=0,
        concurrency_key=None,
        concurrency_limit=1,
        schedules=(),
        retention=None,
        sensitive=(),
    )


def test_every_option_is_read():
    class W(Workflow):
        class Meta:
            name = "process_order"
            version = 2
            timeout = hours(2)
            retry = Retry(5)
            queue = "high"
            priority = -3
            sensitive = ["card_number", "cvc"]

        charge = step(body)

    options = W.definition.options
    assert (options.name, options.version, options.timeout) == ("process_order", 2, 7200.0)
    assert (options.retry, options.queue, options.priority) == (Retry(5), "high", -3)
    assert options.sensitive == ("card_number", "cvc")
    assert (W.definition.name, W.definition.version) == ("process_order", 2)


def test_there_is_a_reader_or_a_refusal_for_every_option():
    assert set(Options.__dataclass_fields__) == READERS.keys() | NOT_SUPPORTED_YET
    assert not READERS.keys() & NOT_SUPPORTED_YET


def test_meta_may_hold_annotations_and_a_docstring():
    class W(Workflow):
        class Meta:
            """How it is run."""

            name: str = "documented"
            queue: str

        charge = step(body)

    assert W.definition.options == Options(name="documented")


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("name", 3, "Meta.name is a string, not 3"),
        ("name", None, "Meta.name is a string"),
        ("name", "", "Meta.name is a printable text"),
        ("name", " order", "Meta.name is a printable text without spaces around it"),
        ("name", "or\nder", "Meta.name is a printable text"),
        ("name", "or\x00der", "Meta.name is a printable text"),
        ("name", "o" * 201, "Meta.name has at most 200 characters"),
        ("name", "self", 'Meta.name cannot be "self"'),
        ("version", "1", "Meta.version is a whole number, not '1'"),
        ("version", True, "Meta.version is a whole number"),
        ("version", 1.0, "Meta.version is a whole number"),
        ("version", 0, "Meta.version is between 1 and"),
        ("version", 10**400, "Meta.version"),
        ("abstract", 1, "Meta.abstract is True or False"),
        ("timeout", "2h", "Meta.timeout is a timedelta or a number of seconds"),
        ("timeout", True, "Meta.timeout is a timedelta"),
        ("timeout", 0, "Meta.timeout is 0"),
        ("timeout", -5, "Meta.timeout is negative"),
        ("timeout", float("nan"), "Meta.timeout is no number of seconds"),
        ("max_retries", -1, "Meta.max_retries is between 0 and"),
        ("max_retries", "3", "Meta.max_retries is a whole number"),
        ("retry", 3, "Meta.retry is a Retry, like Retry(max_attempts=3), not 3"),
        ("retry", Retry, "Meta.retry is a Retry"),
        ("queue", None, "Meta.queue is a string"),
        ("queue", "", "Meta.queue is a printable text"),
        ("queue", "q" * 101, "Meta.queue has at most 100 characters"),
        ("priority", "high", "Meta.priority is a whole number"),
        ("priority", False, "Meta.priority is a whole number"),
        ("priority", 100_000, "Meta.priority is between -32767 and 32767, not 100000"),
        ("sensitive", "card_number", "Meta.sensitive is a list of keys"),
        ("sensitive", None, "Meta.sensitive is a list of keys"),
        ("sensitive", ["card", 3], "Meta.sensitive holds strings, not 3"),
    ],
)
def test_an_option_of_the_wrong_kind_is_told(option, value, words):
    with told("W: ", words):

        class W(Workflow):
            Meta = type("Meta", (), {option: value})  # here
            charge = step(body)


@pytest.mark.parametrize("option", sorted(NOT_SUPPORTED_YET))
def test_an_option_that_is_still_to_come_is_refused(option):
    with told(f"Meta.{option} is not supported yet"):

        class W(Workflow):
            Meta = type("Meta", (), {option: 1})  # here
            charge = step(body)


@pytest.mark.parametrize(
    ("option", "meant"),
    [
        ("qeue", "queue"),
        ("time_out", "timeout"),
        ("max_retry", "max_retries"),
        ("Version", "version"),
    ],
)
def test_an_unknown_option_is_told_with_what_was_meant(option, meant):
    with told(f'Meta.{option} is no option; did you mean "{meant}"?'):

        class W(Workflow):
            Meta = type("Meta", (), {option: 1})  # here
            charge = step(body)


def test_an_option_like_nothing_is_told_with_all_there_are():
    with told("Meta._zzz is no option (there are abstract, max_retries, name, "):

        class W(Workflow):
            class Meta:  # here
                _zzz = 1

            charge = step(body)


@pytest.mark.parametrize("name", ["meta", "META"])
def test_meta_in_another_spelling_is_told(name):
    with told(f"W.{name} is read by nobody; it is spelled class Meta"):

        class W(Workflow):
            locals()[name] = type(name, (), {})  # here
            charge = step(body)


def test_a_meta_that_is_no_class_is_told():
    with told("W.Meta is not a class; write class Meta"):

        class W(Workflow):
            Meta = {"queue": "high"}  # here
            charge = step(body)


# Inheritance


class Base(Workflow):
    class Meta:
        abstract = True
        name = "base"
        version = 7
        timeout = 60
        retry = Retry(5)
        queue = "high"
        sensitive = ("card",)


def test_options_are_inherited_one_by_one():
    class W(Base):
        class Meta:
            queue = "low"

        charge = step(body)

    assert W.definition.options == Options(
        name="definition.W", timeout=60.0, retry=Retry(5), queue="low", sensitive=("card",)
    )


def test_without_a_meta_all_is_inherited_but_what_names_the_class():
    class W(Base):
        charge = step(body)

    options = W.definition.options
    assert (options.name, options.version, options.abstract) == ("definition.W", 1, False)
    assert (options.queue, options.timeout) == ("high", 60.0)


def test_an_inherited_option_can_be_taken_back():
    class W(Base):
        class Meta:
            timeout = None
            retry = None
            sensitive = ()

        charge = step(body)

    options = W.definition.options
    assert (options.timeout, options.retry, options.sensitive) == (None, None, ())


def test_a_meta_that_derives_from_the_base_s_meta_reads_the_same():
    class W(Base):
        class Meta(Base.Meta):
            queue = "low"

        charge = step(body)

    assert W.definition.options == Options(
        name="definition.W", timeout=60.0, retry=Retry(5), queue="low", sensitive=("card",)
    )


def test_a_meta_may_derive_from_a_plain_class():
    class Slow:
        timeout = timedelta(days=2)

    class W(Workflow):
        class Meta(Slow):
            queue = "low"

        charge = step(body)

    assert W.definition.options.timeout == 172_800.0


def test_the_retry_of_a_step_is_its_own_or_metas_or_none():
    class W(Base):
        charge = step(body)
        send = step(retry=Retry(2))(body)

    class Plain(Workflow):
        charge = step(body)

    assert W.definition.retry_of("charge") == Retry(5)
    assert W.definition.retry_of("send") == Retry(2)
    assert Plain.definition.retry_of("charge") is NO_RETRY
