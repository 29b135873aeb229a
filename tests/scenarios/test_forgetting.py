"""Forgetting what was recorded of the waits in a body, so that it runs afresh."""

import durable_django as durable_api
from durable_django import (
    Workflow,
    foreach,
    step,
)
from durable_django.models import Wait


def fail(*args):
    raise ValueError("no")


def paths_of(execution, status="completed"):
    rows = execution.steps.filter(status=status).order_by("id")
    return list(rows.values_list("path", flat=True))


def after(durable, execution):
    durable.drain()
    execution.refresh_from_db()
    return execution


def test_members_whose_bodies_changed_forget_their_own_waits(durable):
    names = ["one"]

    class Changes(Workflow):
        with foreach(lambda self: range(2)) as each:

            @step
            def asks(self):
                return [self.wait_for_event(name, key=str(self.index)) for name in names]

    made = durable.run(Changes)
    names[:] = ["two"]
    durable_api.send_event(made, "one", key="1")
    assert after(durable, made).error["type"] == "NonDeterministicStep"
    durable_api.retry(made, forget_waits=True)
    assert after(durable, made).status == "failed", "the other member still has its own"
    durable_api.retry(made, forget_waits=True)
    assert after(durable, made).status == "waiting"
    for key in "01":
        durable_api.send_event(made, "two", key, key=key)
    assert after(durable, made).result == [["0"], ["1"]]


def test_a_child_that_is_forgotten_is_called_anew(durable):
    class Child(Workflow):
        @step
        def only(self):
            return self.input["n"]

    names = [1]

    class Calls(Workflow):
        @step
        def asks(self):
            got = [self.call_workflow(Child, {"n": n}) for n in names]
            self.wait_for_event("go")
            return got, [n for n in names if self.once(f"n{n}", lambda: True)]

    made = durable.run(Calls)
    names[:] = [2, 3]
    durable_api.send_event(made, "go")
    assert after(durable, made).error["type"] == "NonDeterministicStep"
    durable_api.retry(made, forget_waits=True)
    assert after(durable, made).result == ([2, 3], [2, 3])
    assert durable_api.list_children(made).count() == 3


def test_nothing_is_forgotten_of_other_visits(durable):
    class Two(Workflow):
        @step
        def first(self):
            return self.once("n", lambda: 1)

        @step
        def second(self):
            return fail(self.once("n", lambda: 2))

    made = durable.run(Two)
    durable_api.retry(made, forget_waits=True)
    assert list(Wait.objects.filter(execution=made).values_list("path", flat=True)) == ["first"]
