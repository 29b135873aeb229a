"""The function style of the context: for code that has no `self` at hand."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from durable_django import NotInStep, NotSerializable, Workflow, step
from durable_django.context import (
    append_context,
    context,
    delete_context,
    get_context,
    get_input,
    increment_context,
    put_context,
    update_context,
    workflow_id,
)


def test_code_far_from_the_step_works_on_the_same_context(durable):
    def far_away():
        put_context("total", get_input()["total"])
        put_context({"a": 1, "b": 2})
        delete_context("a")
        append_context("trail", "far")
        increment_context("n")
        increment_context("n", 2)
        update_context("total", lambda total: total * 2)
        update_context("new", lambda old: [*old, 1], default=[])
        return workflow_id()

    class Order(Workflow):
        @step
        def only(self):
            self.context["trail"] = ["near"]
            assert far_away() == self.execution_id
            assert context() is self.context
            return self.context["total"], get_context("total"), get_context("no", "default")

    run = durable.run(Order, {"total": 10})
    assert run.status == "completed", run.error
    assert run.result == (20, 20, "default")
    assert run.context == {"b": 2, "trail": ["near", "far"], "n": 3, "total": 20, "new": [1]}


def test_it_works_in_async_steps_and_in_what_they_await(durable):
    async def far_away():
        increment_context("n")
        return workflow_id()

    class Order(Workflow):
        @step
        async def only(self):
            return await far_away() == self.execution_id

    run = durable.run(Order)
    assert (run.result, run.context) == (True, {"n": 1})


CALLS = [
    context,
    get_input,
    workflow_id,
    lambda: get_context("a"),
    lambda: put_context("a", 1),
    lambda: put_context({"a": 1}),
    lambda: update_context("a", len),
    lambda: delete_context("a"),
    lambda: append_context("a", 1),
    lambda: increment_context("a"),
]


@pytest.mark.parametrize("call", CALLS)
def test_outside_a_step_there_is_no_context(call):
    with pytest.raises(NotInStep, match="no step is running"):
        call()


def test_after_a_step_even_one_that_failed_there_is_none_again(durable):
    class Order(Workflow):
        @step
        def only(self):
            raise ValueError

    assert durable.run(Order).status == "failed"
    with pytest.raises(NotInStep):
        context()


def test_a_thread_that_a_step_starts_is_not_in_the_step(durable):
    class Order(Workflow):
        @step
        def only(self):
            with ThreadPoolExecutor(1) as pool:
                return type(pool.submit(context).exception()).__name__

    assert threading.active_count() >= 1
    assert durable.run(Order).result == "NotInStep"


def test_mistakes_are_told_where_they_are_made(durable):
    class Order(Workflow):
        @step
        def only(self):
            with pytest.raises(TypeError, match="needs a value"):
                put_context("a")
            with pytest.raises(TypeError, match="a key and a value, or one mapping"):
                put_context({"a": 1}, 2)
            with pytest.raises(KeyError):
                delete_context("a")
            with pytest.raises(KeyError):
                update_context("a", len)
            with pytest.raises(NotSerializable, match=r'context\["a"\]'):
                put_context("a", object())
            return dict(self.context)

    assert durable.run(Order).result == {}
