"""ForEach: what its items are, how many may fail, and its place in the plan."""

from collections import OrderedDict, deque

import pytest

from durable_django import Workflow, decision, foreach, parallel, step
from durable_django.definition import registry
from durable_django.definition.flow import ForEach, Fork
from durable_django.definition.retry import NO_RETRY, Retry
from tests.definition.runs import Run

with registry.isolate():

    class Mailing(Workflow):
        class Meta:
            retry = Retry(7)

        @step
        def recipients(self): ...

        with foreach(recipients, concurrency=10, on_error="collect", tolerate=0.05) as sending:

            @step
            def render(self): ...
            @step
            def send(self): ...

        with foreach("reports") as filing:

            @step
            def file(self): ...

        with foreach(lambda self: self.context["left"]) as calling:

            @step
            def call(self): ...


def foreach_of(given):
    class W(Workflow):
        with foreach(given) as sending:

            @step
            def send(self): ...

    return W.sending


def tolerating(**options):
    class W(Workflow):
        with foreach("items", **options) as sending:

            @step
            def send(self): ...

    return W.sending


# The plan


def test_the_nodes_of_a_foreach_run_in_order_for_each_item():
    definition = Mailing.definition
    assert isinstance(Mailing.sending, ForEach)
    assert isinstance(Mailing.sending, Fork)
    assert Mailing.sending.kind == "foreach"
    assert Mailing.sending.children == (Mailing.render, Mailing.send)
    assert Mailing.sending.side_by_side is False
    assert definition.next_of("render") == "send"
    assert definition.next_of("send") is None
    assert definition.next_of("sending") == "filing"
    assert definition.chain_of("send") == ("sending",)


def test_a_foreach_is_run_like_a_step_without_retry():
    sending = Mailing.sending
    assert (sending.is_async, sending.atomic, sending.at_most_once) == (False, False, False)
    assert (sending.timeout, sending.retry, sending.doc) == (None, None, "")
    assert Mailing.definition.retry_of("sending") is NO_RETRY
    assert Mailing.definition.retry_of("send") == Retry(7)


def test_a_foreach_knows_how_its_items_run():
    sending, filing = Mailing.sending, Mailing.filing
    assert (sending.concurrency, sending.on_error, sending.tolerate) == (10, "collect", 0.05)
    assert (filing.concurrency, filing.on_error, filing.tolerate) == (None, "fail_fast", None)


def test_the_structure_tells_the_items_and_the_options():
    _, sending, filing, calling = Mailing.definition.structure()["nodes"]
    assert {**sending, "children": ()} == {
        "name": "sending",
        "kind": "foreach",
        "items": "recipients",
        "concurrency": 10,
        "on_error": "collect",
        "tolerate": 0.05,
        "children": (),
    }
    assert [child["name"] for child in sending["children"]] == ["render", "send"]
    assert (filing["items"], filing["concurrency"]) == ('context key "reports"', None)
    assert calling["items"] == "callable"


def test_a_decision_in_a_foreach_jumps_within_its_item():
    class W(Workflow):
        with foreach("items") as sending:

            @step
            def send(self): ...
            @decision(to=[send])
            def again(self): ...

    assert W.again.to == ("send",)


def test_a_foreach_in_a_foreach_and_in_a_parallel():
    class W(Workflow):
        with parallel() as fetch, foreach("pages") as paging, foreach("rows") as reading:

            @step
            def read(self): ...

    assert W.definition.chain_of("read") == ("fetch", "paging", "reading")


def test_a_step_in_a_foreach_is_redefined_in_its_place():
    class W(Mailing):
        @step
        def render(self): ...

    assert W.sending.children == (W.render, W.send)
    assert (W.sending.concurrency, W.sending.tolerate) == (10, 0.05)
    assert W.sending.body(Run(outputs={"recipients": [1]})) == [1]
    assert W.filing is Mailing.filing


# The items


@pytest.mark.parametrize(
    "items",
    [
        [1, 2],
        (),
        {1, 2},
        {"a": 1}.keys(),
        OrderedDict(a=1),
        deque([1]),
        range(3),
        iter([1]),
        map(str, [1]),
    ],
)
def test_any_iterable_is_given_on_as_it_is(items):
    assert Mailing.filing.body(Run({"reports": items})) is items
    assert Mailing.sending.body(Run(outputs={"recipients": items})) is items
    assert Mailing.calling.body(Run({"left": items})) is items


class Lazy:
    """Counts how often somebody begins to read it, as a QuerySet would ask the database."""

    def __init__(self):
        self.begun = 0

    def __iter__(self):
        self.begun += 1
        return iter(())

    async def __aiter__(self):
        yield


def test_nobody_begins_to_read_the_items():
    items = Lazy()
    assert Mailing.filing.body(Run({"reports": items})) is items
    assert items.begun == 0


class Indexed:
    def __getitem__(self, index):
        return [1, 2][index]


def test_what_can_only_be_indexed_is_iterable_too():
    items = Indexed()
    assert Mailing.filing.body(Run({"reports": items})) is items
    assert list(items) == [1, 2]


def test_the_callable_may_be_a_generator():
    def left(run):
        yield from run.context["left"]

    assert list(foreach_of(left).body(Run({"left": [1, 2]}))) == [1, 2]


def test_the_callable_may_be_a_generator_method_of_the_class():
    class W(Workflow):
        def left(self):
            yield from (1, 2)

        with foreach(left) as sending:

            @step
            def send(self): ...

    assert list(W.sending.body(Run())) == [1, 2]


def test_what_is_missing_is_a_key_error():
    for asked in (Mailing.sending, Mailing.filing, Mailing.calling):
        with pytest.raises(KeyError):
            asked.body(Run())


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ("abc", "items gave a str, whose items would be its single characters; give a list"),
        (b"abc", "items gave a bytes, whose items would be its single bytes; give a list"),
        (bytearray(b"a"), "items gave a bytearray"),
        (None, "items gave None, which is not iterable"),
        (3, "items gave 3, which is not iterable"),
    ],
)
def test_what_are_no_items_is_a_type_error(items, words):
    with pytest.raises(TypeError) as caught:
        Mailing.filing.body(Run({"reports": items}))
    assert words in str(caught.value)


class NotIterable:
    __iter__ = None

    def __getitem__(self, index): ...


def test_what_refuses_to_be_iterated_is_a_type_error():
    with pytest.raises(TypeError, match="which is not iterable"):
        Mailing.filing.body(Run({"reports": NotIterable()}))


async def pages():
    yield 1


def test_an_async_iterable_is_a_type_error():
    with pytest.raises(TypeError, match=r"async iterable \(async_generator\); it is asked without"):
        foreach_of(lambda self: pages()).body(Run())


def test_a_coroutine_is_a_type_error():
    async def later(): ...

    with pytest.raises(TypeError, match="items gave a coroutine; it is asked without await"):
        foreach_of(lambda self: later()).body(Run())


# How many may fail


@pytest.mark.parametrize(
    ("options", "borne"),
    [
        ({}, 0),
        ({"tolerate": 0}, 0),
        ({"tolerate": 3}, 3),
        ({"tolerate": 300}, 300),
        ({"tolerate": 0.0}, 0),
        ({"tolerate": 0.5}, 50),
        ({"tolerate": 1.0}, 100),
        ({"on_error": "collect"}, None),
        ({"on_error": "collect", "tolerate": 0}, 0),
        ({"on_error": "collect", "tolerate": 3}, 3),
        ({"on_error": "collect", "tolerate": 0.05}, 5),
    ],
)
def test_how_many_failures_of_a_hundred_are_borne(options, borne):
    assert tolerating(**options).tolerated(100) == borne


@pytest.mark.parametrize(
    ("fraction", "count", "borne"),
    [
        (0.29, 100, 29),
        (0.57, 100, 57),
        (0.1, 30, 3),
        (0.07, 100, 7),
        (0.333, 1000, 333),
        (0.05, 19, 0),
        (0.05, 20, 1),
        (0.05, 39, 1),
        (0.5, 3, 1),
        (1e-05, 100_000, 1),
        (1.0, 7, 7),
        (0.5, 0, 0),
    ],
)
def test_a_fraction_is_meant_as_it_is_written(fraction, count, borne):
    assert tolerating(tolerate=fraction).tolerated(count) == borne


def test_the_whole_number_one_is_one_item_and_the_float_is_all():
    assert tolerating(tolerate=1).tolerated(10) == 1
    assert tolerating(tolerate=1.0).tolerated(10) == 10
