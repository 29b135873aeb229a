"""Every mistake one can make with a declared wait."""

import math
import re
from datetime import UTC, date, datetime, timedelta, tzinfo

import pytest
from django.contrib.auth.models import AnonymousUser

from durable_django import (
    DefinitionError,
    Workflow,
    branch,
    call_workflow,
    end_of_day,
    next_business_day,
    next_weekday,
    sequence,
    sleep_for,
    sleep_until,
    start_workflow,
    step,
    wait_for_all,
    wait_for_any,
    wait_for_approval,
    wait_for_callback,
    wait_for_choice,
    wait_for_event,
    wait_for_form,
    wait_for_input,
    wait_for_text,
)
from durable_django.definition import moments, registry
from tests.definition.telling import told

with registry.isolate():

    class Abstract(Workflow):
        class Meta:
            abstract = True

        @step
        def pack(self): ...

    class Claim(Workflow):
        approval = wait_for_approval()


async def later(self):
    return 1


def several(self):
    yield 1


class Later:
    async def __call__(self, run):
        return 1


class Nowhere(tzinfo):
    """A zone that shifts the last moment there is over the end of the calendar."""

    def utcoffset(self, moment):
        return timedelta(hours=-12)


# Arguments


@pytest.mark.parametrize(
    ("make", "words"),
    [
        # Times
        (lambda: sleep_for("1h"), "duration is a timedelta or a number of seconds, not '1h'"),
        (lambda: sleep_for(None), "duration is a timedelta or a number of seconds, not None"),
        (lambda: sleep_for(True), "duration is a timedelta or a number of seconds, not True"),
        (lambda: sleep_for(-1), "duration is negative"),
        (lambda: sleep_for(timedelta(days=-1)), "duration is negative"),
        (lambda: sleep_for(math.nan), "duration is no number of seconds, but NaN"),
        (lambda: sleep_for(math.inf), "duration is longer than a thousand years"),
        (lambda: sleep_until("2030-01-01"), "moment is an aware datetime, not '2030-01-01'"),
        (lambda: sleep_until(date(2030, 1, 1)), "moment is an aware datetime, not"),
        (lambda: sleep_until(60), "moment is an aware datetime, not 60"),
        (lambda: sleep_until(datetime(2030, 1, 1)), "2030-01-01T00:00:00 has none"),  # noqa: DTZ001
        (
            lambda: sleep_until(datetime.max.replace(tzinfo=Nowhere())),
            "moment is beyond the calendar",
        ),
        # Names and keys
        (lambda: wait_for_event(""), "name is a printable text without spaces around it, not ''"),
        (lambda: wait_for_event(" paid"), "name is a printable text without spaces around it"),
        (lambda: wait_for_event("a\0b"), "name is a printable text"),
        (lambda: wait_for_event(7), "name is a string, not 7"),
        (lambda: wait_for_event(lambda self: "paid"), "name is a string, not <function"),
        (lambda: wait_for_event("a" * 256), "name has at most 255 characters, not 256"),
        (lambda: wait_for_callback("a" * 256), "name has at most 255 characters, not 256"),
        (lambda: wait_for_approval(["manager"]), "name is a string, not ['manager']"),
        (lambda: wait_for_event(key=7), "key is a string, not 7"),
        (lambda: wait_for_event(key=""), "key is empty; leave it out for what has no key"),
        (lambda: wait_for_event(key="a" * 256), "key has at most 255 characters, not 256"),
        (lambda: wait_for_event(key="a\0"), "key holds a character that cannot be stored"),
        (lambda: wait_for_event(key="\ud800"), "key holds a character that cannot be stored"),
        (lambda: wait_for_any([]), "names is empty, so there is nothing to wait for"),
        (lambda: wait_for_any("paid"), "names is a list of names"),
        (lambda: wait_for_all({"paid"}), "names is a list of names"),
        (lambda: wait_for_all(7), "names is a list of names"),
        (lambda: wait_for_all(["a", ""]), "names[1] is a printable text"),
        (lambda: wait_for_all(["a", 7]), "names[1] is a string, not 7"),
        (lambda: wait_for_any(["a", "b", "a"]), 'names has "a" twice'),
        # Timeouts
        (lambda: wait_for_event(timeout="soon"), "timeout is a timedelta or a number of seconds"),
        (lambda: wait_for_event(timeout=-1), "timeout is negative"),
        (lambda: wait_for_event(timeout_value=None), "timeout_value without a timeout"),
        (lambda: wait_for_any(["a"], timeout_value=1), "timeout_value without a timeout"),
        (lambda: wait_for_text(timeout=None, timeout_value=""), "timeout_value without a timeout"),
        (lambda: call_workflow("w", timeout_value=1), "timeout_value without a timeout"),
        (lambda: wait_for_callback(timeout_value=1), "timeout_value without a timeout"),
        (lambda: wait_for_approval(timeout=0), "timeout is 0, so nobody could ever answer in time"),
        (lambda: call_workflow("w", timeout=timedelta(0)), "timeout is 0"),
        # People
        (lambda: wait_for_input(prompt=7), "prompt is a string, not 7"),
        (lambda: wait_for_input(prompt="{order.total}"), "prompt: {order.total} is no plain"),
        (lambda: wait_for_approval(prompt="{amount"), "prompt: "),
        (lambda: wait_for_text(prompt="a\0"), "prompt holds a character that cannot be stored"),
        (lambda: wait_for_form(fields={}), "fields is empty; a form has at least one field"),
        (lambda: wait_for_form(fields=None), "fields is a mapping of names to types"),
        (lambda: wait_for_form(fields=lambda self: {}), "fields is a mapping of names to types"),
        (lambda: wait_for_input(fields={"a": "txt"}), 'fields["a"] has the type "txt"'),
        (lambda: wait_for_choice(choices=[]), "choices is empty, so there is nothing to choose"),
        (lambda: wait_for_choice(choices="ab"), "choices is a list of values"),
        (lambda: wait_for_choice(choices=None), "choices is a list of values"),
        (lambda: wait_for_input(assignee="anna"), "assignee is a user, a group or a permission"),
        (lambda: wait_for_input(assignee=7), "assignee is a user, a group or a permission"),
        (lambda: wait_for_input(assignee=AnonymousUser()), "this AnonymousUser names nobody"),
        # Workflows
        (lambda: call_workflow(""), "workflow is a printable text"),
        (lambda: call_workflow(None), "workflow is a Workflow class, a registered name or "),
        (lambda: call_workflow(int), "workflow is a Workflow class"),
        (
            lambda: call_workflow(Abstract),
            "workflow Abstract is abstract; give a class that extends",
        ),
        (lambda: start_workflow(Workflow), "workflow Workflow is abstract"),
        (lambda: call_workflow("w", on_cancel="abandom"), 'did you mean "abandon"?'),
        (
            lambda: call_workflow("w", on_cancel=None),
            'on_cancel is "cancel" or "abandon", not None',
        ),
        (lambda: start_workflow("w", queue=""), "queue is a printable text"),
        (lambda: start_workflow("w", priority="high"), "priority is a whole number"),
        (lambda: start_workflow("w", timeout=0), "timeout is 0, so no run could ever complete"),
        (lambda: start_workflow("w", scheduled_at="soon"), "scheduled_at is an aware datetime"),
        (lambda: start_workflow("w", idempotency_key=7), "idempotency_key is a string, not 7"),
    ],
)
def test_an_argument_that_makes_no_sense_is_told(make, words):
    with told("W: ", words):

        class W(Workflow):
            it = make()  # here


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda: 1, "takes other arguments than the one it is called with, the run"),
        (lambda self, other: 1, "takes other arguments than the one it is called with, the run"),
        (lambda self, *, other: 1, "takes other arguments"),
        (later, "is an async def, and it is asked without await; make it a plain def"),
        (Later(), "is an async def"),
        (several, "is a generator, which gives no answer"),
    ],
)
@pytest.mark.parametrize(
    ("option", "make"),
    [
        ("duration", lambda function: sleep_for(function)),
        ("moment", lambda function: sleep_until(function)),
        ("key", lambda function: wait_for_event(key=function)),
        ("names", lambda function: wait_for_all(function)),
        ("timeout", lambda function: wait_for_callback(timeout=function)),
        ("timeout_value", lambda function: wait_for_callback(timeout=1, timeout_value=function)),
        ("prompt", lambda function: wait_for_text(prompt=function)),
        ("choices", lambda function: wait_for_choice(choices=function)),
        ("assignee", lambda function: wait_for_approval(assignee=function)),
        ("workflow", lambda function: call_workflow(function)),
        ("input", lambda function: start_workflow("w", function)),
        ("on_cancel", lambda function: call_workflow("w", on_cancel=function)),
        ("queue", lambda function: start_workflow("w", queue=function)),
        ("tags", lambda function: start_workflow("w", tags=function)),
    ],
)
def test_a_callable_that_cannot_be_asked_is_told(option, make, function, words):
    with told(f"W: {option} {words}"):

        class W(Workflow):
            it = make(function)  # here


def test_a_node_is_not_what_it_gave():
    with told(
        'W: key is the step invoice, not what it gave; write lambda self: self.outputs["invo'
    ):

        class W(Workflow):
            @step
            def invoice(self): ...

            paid = wait_for_event(key=invoice)  # here

    with told("W: timeout_value is the wait_for_approval approval, not what it gave"):

        class W(Workflow):
            approval = wait_for_approval()
            paid = wait_for_event(timeout=1, timeout_value=approval)  # here


@pytest.mark.parametrize(
    ("moment", "name"),
    [
        (lambda: next_business_day(), "next_business_day"),
        (lambda: next_weekday("monday"), "next_weekday"),
        (lambda: end_of_day(), "end_of_day"),
    ],
)
def test_a_moment_of_the_import_is_told(moment, name, monkeypatch):
    monkeypatch.setattr(moments, "now", lambda: datetime(2030, 1, 31, tzinfo=UTC))
    with told(
        f"W: {name}(…) would be asked once, when the module is imported; write lambda self: {name}("
    ):

        class W(Workflow):
            morning = sleep_until(moment())  # here

    class V(Workflow):
        morning = sleep_until(lambda self: moment())

    assert V.morning.body(None).until.year == 2030


# Names and places


@pytest.mark.parametrize(
    "make",
    [
        lambda: sleep_for(1),
        lambda: sleep_until(datetime(2030, 1, 1, tzinfo=UTC)),
        lambda: wait_for_event("paid"),
        lambda: wait_for_any(["a"]),
        lambda: wait_for_all(["a"]),
        lambda: wait_for_input("who"),
        lambda: wait_for_approval("who"),
        lambda: wait_for_choice(choices=["a"]),
        lambda: wait_for_text(),
        lambda: wait_for_form(fields={"a": "text"}),
        lambda: wait_for_callback(),
        lambda: call_workflow("w"),
        lambda: start_workflow("w"),
    ],
)
def test_a_wait_without_a_name_is_told(make):
    with registry.isolate():

        class V(Workflow):
            it = make()

    function = V.it.function
    with told(
        f"W: {function}(…) was made here but not assigned to a name of its own; "
        f"write name = {function}(…)"
    ):

        class W(Workflow):
            @step
            def pay(self): ...

            make()  # here

    where = rf"a {function} stands outside a class; .*; in a step, write self\.{function}\(…\)"
    with pytest.raises(DefinitionError, match=rf"{where}, in an async one await self\.a{function}"):
        make()


def test_a_wait_outside_a_class_is_told_where_it_stands():
    with told("a sleep_for stands outside a class"):
        sleep_for(1)  # here


def test_a_wait_in_a_class_that_is_no_workflow_is_told():
    with told("a wait_for_event stands in Mixin, which is no workflow class"):

        class Mixin:
            paid = wait_for_event()  # here


@pytest.mark.parametrize("name", ["_paid", "sleep_for", "input", "await_for_event", "clean_input"])
def test_a_wait_keeps_the_rules_of_names(name):
    with told(f'the name "{name}" of a wait_for_event '):

        class W(Workflow):
            locals()[name] = wait_for_event()  # here


def test_a_name_is_used_once():
    with told('the name "paid" of a sleep_for is taken: it names the wait_for_event of line'):

        class W(Workflow):
            paid = wait_for_event()
            paid = sleep_for(1)  # here  # noqa: PIE794


def test_a_wait_directly_under_a_branch_is_told():
    with told("a wait_for_event cannot stand directly in a branch"):

        class W(Workflow):
            with branch(on="key") as way:
                paid = wait_for_event()  # here


def test_a_wait_of_another_workflow_is_told():
    with told("W.approval is a node of Claim"):

        class W(Workflow):
            approval = Claim.approval  # here


def test_a_wait_is_redefined_by_its_kind_only():
    with told(
        "W.approval: Claim.approval is a wait_for_approval, and a wait_for_event cannot take "
        "its place"
    ):

        class W(Claim):
            approval = wait_for_event()  # here

    with told(
        "V.approval hides the wait_for_approval of Claim",
        "write approval = wait_for_approval(…) to red",
    ):

        class V(Claim):
            approval = 3  # here


def test_a_wait_is_no_block():
    with pytest.raises(TypeError, match="context manager"):

        class W(Workflow):
            with sleep_for(1) as pause:

                @step
                def pay(self): ...


def test_a_wait_is_no_decorator():
    with told("W: name is a string, not <function"):

        class W(Workflow):
            @wait_for_event  # here
            def paid(self): ...


def test_a_wait_stands_in_an_open_block_only_as_any_node():
    with told("is taken: the class body assigns it already"):

        class W(Workflow):
            paid = 3

            with sequence() as both:
                paid = wait_for_event()  # here


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: sleep_for(), "duration"),
        (lambda: wait_for_any(), "names"),
        (lambda: wait_for_choice(), "choices"),
        (lambda: wait_for_form(), "fields"),
        (lambda: call_workflow(), "workflow"),
        (lambda: wait_for_approval("a", "Approve?"), "positional"),
        (lambda: wait_for_text(fields={}), "fields"),
        (lambda: start_workflow("w", version=3), "version"),
    ],
)
def test_what_python_itself_tells(make, words):
    with pytest.raises(TypeError, match=re.escape(words)):

        class W(Workflow):
            it = make()
