"""Waits inside a step: what `self` hands to the attempt, in plain and in async steps alike."""

import asyncio
import inspect
from datetime import UTC, datetime, timedelta

import pytest

from durable_django import Answer, NodeCalled, Workflow, hours, step
from durable_django.definition import registry
from durable_django.definition.async_waiting import AsyncWaiting
from durable_django.definition.names import RUN_NAMES
from durable_django.definition.requests import Request
from durable_django.definition.waiting import Waiting

NOON = datetime(2030, 1, 31, 12, tzinfo=UTC)
FORM = {"form": "input", "prompt": "", "fields": [], "choices": []}
METHODS = [name for name in vars(AsyncWaiting) if not name.startswith("_")]

with registry.isolate():

    class Shipping(Workflow):
        class Meta:
            name = "shipping"
            version = 3

        @step
        def pack(self): ...


class Attempt:
    """Answers every request with itself, and keeps what is remembered."""

    def __init__(self, **context):
        self.context = context
        self.answers = {"manager": Answer("approved", "anna")}

    def wait(self, request):
        return request

    async def wait_async(self, request):
        return request

    def once(self, key, function, args, kwargs):
        return key, function(*args, **kwargs)

    async def once_async(self, key, function, args, kwargs):
        given = function(*args, **kwargs)
        return key, (await given if inspect.isawaitable(given) else given)

    def callback_url(self, name):
        return f"https://example.com/{name}"


def run(**context):
    """What `self` is in a step of Shipping."""
    return Shipping._for_attempt(Attempt(**context))


def both(ask, **context):
    """What ``ask`` gives in a plain step, which has to be what it gives in an async one."""
    plain = ask(run(**context), "")
    assert asyncio.run(ask(run(**context), "a")) == plain
    return plain


def asked(name, *args, **kwargs):
    """The Request of ``self.<name>(…)``."""
    context = kwargs.pop("context", {})
    return both(lambda self, a: getattr(self, a + name)(*args, **kwargs), **context)


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "request_made"),
    [
        ("wait_for_event", ("paid",), {}, Request("event", "paid")),
        (
            "wait_for_event",
            ("paid", "inv_1", 60, None),
            {},
            Request("event", "paid", key="inv_1", seconds=60.0, timeout_value=None),
        ),
        ("wait_for_any", (["a", "b"],), {}, Request("any", names=("a", "b"))),
        (
            "wait_for_all",
            (["a"],),
            {"key": "k", "timeout": hours(1), "timeout_value": "late"},
            Request("all", names=("a",), key="k", seconds=3600.0, timeout_value="late"),
        ),
        ("wait_for_callback", ("scan", 5), {}, Request("callback", "scan", seconds=5.0)),
        ("wait_for_input", ("who",), {}, Request("input", "who", form=FORM)),
        (
            "wait_for_approval",
            ("who",),
            {"assignee": "group:Managers", "timeout": 9, "timeout_value": "rejected"},
            Request(
                "input",
                "who",
                seconds=9.0,
                timeout_value="rejected",
                form={**FORM, "form": "approval"},
                assignee=("group", "Managers"),
            ),
        ),
        ("wait_for_text", ("why",), {}, Request("input", "why", form={**FORM, "form": "text"})),
        (
            "wait_for_choice",
            ("size",),
            {"choices": {"s": "Small"}},
            Request("input", "size", form={**FORM, "form": "choice", "choices": [["s", "Small"]]}),
        ),
        ("call_workflow", (Shipping, 7), {}, Request("call", "shipping", input=7, version=3)),
        ("call_workflow", ("self",), {}, Request("call", "shipping", version=3)),
        (
            "call_workflow",
            ("other",),
            {"timeout": 5, "timeout_value": 0, "on_cancel": "abandon"},
            Request("call", "other", seconds=5.0, timeout_value=0, on_cancel="abandon"),
        ),
        (
            "start_workflow",
            ("other", {"a": 1}),
            {"queue": "slow", "timeout": None, "scheduled_at": NOON, "tags": ["x"]},
            Request(
                "start",
                "other",
                input={"a": 1},
                options={"queue": "slow", "timeout": None, "scheduled_at": NOON, "tags": ["x"]},
            ),
        ),
        ("start_workflow", (Shipping,), {}, Request("start", "shipping", version=3, options={})),
    ],
)
def test_a_wait_in_a_step_asks_for_what_a_declared_one_does(name, args, kwargs, request_made):
    assert asked(name, *args, **kwargs) == request_made


@pytest.mark.parametrize("name", ["wait_for_form", "wait_for_input"])
def test_a_form_in_a_step_has_fields(name):
    request = asked(name, "details", fields={"amount": "decimal"})
    assert request.form["form"] == name.removeprefix("wait_for_")
    assert request.form["fields"][0]["label"] == "Amount"


@pytest.mark.parametrize(
    ("name", "argument", "request_made"),
    [
        ("sleep_for", 60, Request("sleep", seconds=60.0)),
        ("sleep_for", timedelta(days=-1), Request("sleep", seconds=0.0)),
        ("sleep_until", NOON, Request("sleep", until=NOON)),
    ],
)
def test_a_sleep_in_a_step_gives_nothing(name, argument, request_made):
    seen = []

    class Sleeping(Attempt):
        def wait(self, request):
            seen.append(request)
            return "ignored"

        async def wait_async(self, request):
            return self.wait(request)

    self = Shipping._for_attempt(Sleeping())
    assert getattr(self, name)(argument) is None
    assert asyncio.run(getattr(self, f"a{name}")(argument)) is None
    assert seen == [request_made, request_made]


def test_a_deadline_that_is_over_is_no_mistake():
    assert asked("wait_for_event", "paid", timeout=timedelta(seconds=-1)).seconds == 0
    assert asked("wait_for_approval", "who", timeout=0).seconds == 0


def test_what_a_start_may_have_is_judged_when_it_starts():
    assert asked("start_workflow", "other", timeout=-5).options == {"timeout": -5}


def test_a_prompt_in_a_step_is_formatted_with_the_context():
    request = asked("wait_for_approval", "who", prompt="Pay {amount:.2f}?", context={"amount": 2})
    assert request.form["prompt"] == "Pay 2.00?"
    with pytest.raises(KeyError, match="the context has no 'amount'"):
        run().wait_for_approval("who", prompt="Pay {amount}?")


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "error", "words"),
    [
        ("sleep_for", ("1h",), {}, TypeError, "duration is a timedelta or a number of seconds"),
        ("sleep_for", (len,), {}, TypeError, "duration is a timedelta or a number of seconds"),
        ("sleep_for", (float("nan"),), {}, ValueError, "duration is no number of seconds"),
        ("sleep_until", (60,), {}, TypeError, "moment is an aware datetime"),
        ("sleep_until", (NOON.replace(tzinfo=None),), {}, ValueError, "has none"),
        ("wait_for_event", ("",), {}, ValueError, "name is a printable text"),
        ("wait_for_event", (None,), {}, TypeError, "name is a string, not None"),
        ("wait_for_event", ("paid", 7), {}, TypeError, "key is a string, not 7"),
        ("wait_for_event", ("paid",), {"key": len}, TypeError, "key is a string, not <built-in"),
        ("wait_for_event", ("paid",), {"timeout": "x"}, TypeError, "timeout is a timedelta"),
        ("wait_for_event", ("a",), {"timeout_value": 1}, ValueError, "timeout_value without a"),
        ("wait_for_any", ([],), {}, ValueError, "names is empty"),
        ("wait_for_all", ("ab",), {}, TypeError, "names is a list of names"),
        ("wait_for_approval", (None,), {}, TypeError, "name is a string, not None"),
        ("wait_for_text", ("why",), {"prompt": "{a.b}"}, ValueError, "prompt: {a.b} is no plain"),
        ("wait_for_text", ("why",), {"prompt": len}, TypeError, "prompt is a string"),
        ("wait_for_input", ("why",), {"assignee": "anna"}, ValueError, "assignee is a user,"),
        ("wait_for_form", ("why",), {"fields": {}}, ValueError, "fields is empty"),
        ("wait_for_choice", ("why",), {"choices": []}, ValueError, "choices is empty"),
        ("wait_for_callback", (7,), {}, TypeError, "name is a string, not 7"),
        ("call_workflow", (len,), {}, TypeError, "workflow is a Workflow class"),
        ("call_workflow", (Workflow,), {}, ValueError, "workflow Workflow is abstract"),
        ("call_workflow", ("w",), {"on_cancel": "no"}, ValueError, "on_cancel is"),
        ("start_workflow", (7,), {}, TypeError, "workflow is a Workflow class"),
    ],
)
def test_an_argument_that_makes_no_sense_is_told_in_a_step(name, args, kwargs, error, words):
    with pytest.raises(error) as plain:
        getattr(run(), name)(*args, **kwargs)
    with pytest.raises(error) as awaited:
        asyncio.run(getattr(run(), f"a{name}")(*args, **kwargs))
    assert words in str(plain.value)
    assert str(awaited.value) == str(plain.value)


# Once


def test_once_hands_on_what_it_was_given():
    def note(*args, **kwargs):
        return args, kwargs

    found = both(lambda self, a: getattr(self, f"{a}once")("token", note, 1, key="k", function="f"))
    assert found == ("token", ((1,), {"key": "k", "function": "f"}))


def test_an_async_function_is_awaited_by_aonce_only():
    async def fetch(n):
        return n + 1

    assert asyncio.run(run().aonce("n", fetch, 1)) == ("n", 2)
    with pytest.raises(TypeError, match=r"async def, and once does not await; use self\.aonce"):
        run().once("n", fetch, 1)


@pytest.mark.parametrize(
    ("key", "function", "error", "words"),
    [
        ("", len, ValueError, "key is a printable text"),
        (7, len, TypeError, "key is a string, not 7"),
        (len, "token", TypeError, "key is a string"),
        ("token", "value", TypeError, "function is what to call, not 'value'"),
        ("token", None, TypeError, "function is what to call, not None"),
    ],
)
def test_once_needs_a_key_and_what_to_call(key, function, error, words):
    with pytest.raises(error, match=words):
        run().once(key, function)
    with pytest.raises(error, match=words):
        asyncio.run(run().aonce(key, function))


def test_a_node_is_not_run_once():
    with pytest.raises(NodeCalled, match=r"self\.pack\(\) would run"):
        run().once("packed", run().pack)


# Beside the waits


def test_the_answers_are_those_of_the_attempt():
    answer = run().answers["manager"]
    assert (answer.value, answer.by, answer.comment) == ("approved", "anna", "")
    assert (answer.at, answer.timed_out) == (None, False)
    with pytest.raises(AttributeError):
        answer.value = "rejected"


def test_a_callback_url_is_that_of_a_name():
    assert run().callback_url("scan") == "https://example.com/scan"
    for name in ("", None, run().pack):
        with pytest.raises((TypeError, ValueError), match="name is a "):
            run().callback_url(name)


# Twins


@pytest.mark.parametrize("name", METHODS)
def test_each_async_method_takes_what_its_plain_twin_takes(name):
    plain, twin = getattr(Waiting, name.removeprefix("a")), getattr(AsyncWaiting, name)
    assert inspect.signature(twin) == inspect.signature(plain)
    assert inspect.iscoroutinefunction(twin)
    assert not inspect.iscoroutinefunction(plain)


def test_there_are_two_of_each():
    plain = {name for name in vars(Waiting) if not name.startswith("_")}
    assert plain == {name.removeprefix("a") for name in METHODS} | {"answers", "callback_url"}
    assert plain | set(METHODS) <= RUN_NAMES


def test_a_wait_in_a_step_takes_what_its_declared_twin_takes():
    import durable_django

    for name in METHODS:
        plain = name.removeprefix("a")
        if plain == "once":
            continue
        declared = inspect.signature(getattr(durable_django, plain)).parameters
        in_step = inspect.signature(getattr(Waiting, plain)).parameters
        assert list(in_step)[1:] == list(declared)
        for parameter in declared:
            assert in_step[parameter].kind == declared[parameter].kind, (plain, parameter)
            if parameter != "name":  # required in a step
                assert in_step[parameter].default == declared[parameter].default
