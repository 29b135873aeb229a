"""Going on at another node, after a deploy that took the next one away."""

import pytest

import durable_django as durable_api
from durable_django import (
    Retry,
    Workflow,
    foreach,
    parallel,
    sequence,
    step,
    wait_for_event,
)
from durable_django.models import StepRun
from durable_django.testing import isolate_registry


def fail(*args):
    raise ValueError("no")


def paths_of(execution, status="completed"):
    rows = execution.steps.filter(status=status).order_by("id")
    return list(rows.values_list("path", flat=True))


def after(durable, execution):
    durable.drain()
    execution.refresh_from_db()
    return execution


def make_onboard(charge_is_called):
    """A deploy: the step that charges is called so."""

    class Onboard(Workflow):
        class Meta:
            name = "scenarios.onboard"

        @step
        def create(self):
            self.context["made"] = True

        pause = wait_for_event("go")

        if charge_is_called == "charge":

            @step
            def charge(self): ...

        if charge_is_called == "bill":

            @step
            def bill(self): ...

        if charge_is_called == "inside":
            with sequence() as billing:

                @step
                def charge(self): ...

        @step
        def welcome(self):
            return self.context["made"]

    return Onboard


@pytest.mark.parametrize(
    ("became", "possible", "at", "ran"),
    [
        ("bill", ["create", "pause", "bill", "welcome"], "bill", ["bill", "welcome"]),
        ("", ["create", "pause", "welcome"], "welcome", ["welcome"]),
        (
            "inside",
            ["create", "pause", "billing", "welcome"],
            "billing",
            ["billing/charge", "welcome"],
        ),
    ],
)
def test_a_run_whose_next_node_is_gone_goes_on_where_somebody_says(
    durable, became, possible, at, ran
):
    with isolate_registry():
        original = make_onboard("charge")
        with durable.fail_once(original.charge):
            execution = durable.run(original)
            durable_api.send_event(execution, "go")
            after(durable, execution)
        assert execution.error["node"] == "charge"
        durable_api.retry(execution)
    make_onboard(became)
    assert after(durable, execution).error["type"] == "DefinitionChanged"
    assert durable_api.nodes_to_skip(execution) == []
    assert durable_api.nodes_to_go_on_at(execution) == possible
    durable_api.retry(execution, node=at)
    assert after(durable, execution).result is True
    assert paths_of(execution) == ["create", "pause", *ran]


def test_a_wait_whose_node_is_gone_is_left_and_its_attempt_given_up(durable):
    def make(name):
        class Asks(Workflow):
            class Meta:
                name = "scenarios.asks"

            if name == "old":
                old = wait_for_event("go")
            else:
                new = wait_for_event("go")

            @step
            def end(self):
                return self.outputs.get("new")

    with isolate_registry():
        make("old")
        execution = durable.run("scenarios.asks")
    make("new")
    durable_api.send_event(execution, "go", 1)
    assert after(durable, execution).error["type"] == "DefinitionChanged"
    durable_api.retry(execution, node="new")
    assert after(durable, execution).status == "waiting"
    rows = StepRun.objects.filter(execution=execution).order_by("seq")
    assert [(row.seq, row.path, row.status) for row in rows] == [
        (1, "old", "cancelled"),
        (2, "new", "waiting"),
    ]
    durable_api.send_event(execution, "go", 2)
    assert after(durable, execution).result == 2


def make_members(names, kind="foreach"):
    """A deploy: the steps of each item are called so."""
    blocks = {
        "foreach": lambda: foreach(lambda self: range(3), concurrency=2),
        "sequence": sequence,
    }

    class Sends(Workflow):
        class Meta:
            name = "scenarios.sends"

        with blocks[kind]() as sending:
            if "render" in names:

                @step
                def render(self):
                    return 1

            if "send" in names:

                @step(retry=Retry(2, backoff="constant", base=60))
                def send(self):
                    if self.attempt == 1:
                        raise RuntimeError("later")
                    return "send"

            if "mail" in names:

                @step
                def mail(self):
                    return "mail", self.index

        @step
        def end(self):
            return list(self.outputs["sending"] or ())


def stopped_members(durable, names, kind="foreach"):
    with isolate_registry():
        make_members(["render", "send"])
        execution = durable.run("scenarios.sends")
    make_members(names, kind)
    durable.advance(61)
    assert after(durable, execution).error["type"] == "DefinitionChanged"
    return execution


def test_all_members_whose_next_node_is_gone_go_on_where_somebody_says(durable):
    execution = stopped_members(durable, ["render", "mail"])
    assert durable_api.nodes_to_go_on_at(execution) == ["sending", "render", "mail", "end"]
    durable_api.retry(execution, node="mail")
    assert after(durable, execution).result == [("mail", 0), ("mail", 1), ("mail", 2)]
    assert paths_of(execution).count("sending[0]/render") == 1


def test_a_member_visits_a_node_anew_that_it_has_visited(durable):
    execution = stopped_members(durable, ["render", "mail"])
    durable_api.retry(execution, node="render")
    assert after(durable, execution).result == [("mail", 0), ("mail", 1), ("mail", 2)]
    done = paths_of(execution)
    assert {"sending[0]/render", "sending[0]/render#2", "sending[2]/render"} <= set(done)
    assert len(done) == len(set(done))


def test_a_block_that_became_something_else_is_visited_anew(durable):
    execution = stopped_members(durable, ["render"], "sequence")
    assert durable_api.nodes_to_go_on_at(execution) == ["sending", "end"]
    durable_api.retry(execution, node="sending")
    assert after(durable, execution).error["type"] == "TypeError", "one number is no list"
    assert paths_of(execution)[-1] == "sending#2/render"


def test_the_members_of_a_block_that_is_left_stay_as_they_ended(durable):
    execution = stopped_members(durable, ["render", "mail"])
    statuses = list(execution.members().order_by("id").values_list("status", flat=True))
    durable_api.retry(execution, node="end")
    found = after(durable, execution)
    assert (found.status, found.error["type"]) == ("failed", "KeyError")
    assert list(found.members().order_by("id").values_list("status", flat=True)) == statuses


def test_a_parallel_whose_member_is_gone_is_left_for_what_follows(durable):
    def make(names):
        class Fetches(Workflow):
            class Meta:
                name = "scenarios.fetches"

            with parallel() as fetch:
                left = wait_for_event("go")
                if "middle" in names:
                    middle = wait_for_event("go")
                if "right" in names:
                    right = wait_for_event("go")

            @step
            def end(self):
                return "end"

    with isolate_registry():
        make(["left", "right"])
        made = durable.run("scenarios.fetches")
    make(["left", "middle"])
    durable_api.send_event(made, "go")
    durable_api.send_event(made, "go")
    assert after(durable, made).error["type"] == "DefinitionChanged"
    assert durable_api.nodes_to_go_on_at(made) == ["fetch", "end"]
    durable_api.retry(made, node="end")
    assert after(durable, made).result == "end"


def test_a_node_that_is_back_in_the_code_is_skipped_though_its_attempt_still_waited(durable):
    def make(has_it):
        class Asks(Workflow):
            class Meta:
                name = "scenarios.asks"

            if has_it:

                @step
                def asks(self):
                    return self.wait_for_event("go")

            @step
            def end(self):
                return self.outputs["asks"]

    with isolate_registry():
        make(True)
        execution = durable.run("scenarios.asks")
    with isolate_registry():
        make(False)
        durable_api.send_event(execution, "go", 1)
        assert after(durable, execution).error["type"] == "DefinitionChanged"
    make(True)
    durable_api.skip(execution, "skipped")
    assert after(durable, execution).result == "skipped"
    rows = StepRun.objects.filter(execution=execution).order_by("seq")
    assert [(row.seq, row.path, row.status) for row in rows] == [
        (1, "asks", "cancelled"),
        (2, "asks", "skipped"),
        (3, "end", "completed"),
    ]
