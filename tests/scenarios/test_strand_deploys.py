"""The code changes while strands live: what is gone stops as failed, and can be continued."""

# ruff: noqa: SIM117  one with per block is how a workflow is written

import pytest

import durable_django as durable_api
from durable_django import Retry, Workflow, branch, foreach, loop, parallel, sequence, step
from durable_django.models import Execution
from durable_django.testing import isolate_registry


def make_version(members):
    """A deploy: the same workflow with other members in its block, or without the block."""

    class Deployed(Workflow):
        class Meta:
            name = "scenarios.deployed"

        @step
        def begin(self): ...

        if members:
            with parallel(on_error="collect") as work:
                if "stays" in members:

                    @step(retry=Retry(2, backoff="constant", base=60))
                    def stays(self):
                        if self.attempt == 1:
                            raise RuntimeError("later")
                        return "stays"

                if "goes" in members:

                    @step(retry=Retry(2, backoff="constant", base=60))
                    def goes(self):
                        if self.attempt == 1:
                            raise RuntimeError("later")
                        return "goes"

        @step
        def end(self):
            return self.outputs["work"]

    return Deployed


def deployed(durable, members):
    """A run whose two members sleep while the code changes."""
    with isolate_registry():
        execution = durable.run(make_version(["stays", "goes"]))
    assert execution.status == "waiting"
    make_version(members)
    durable.advance(61)
    durable.drain()
    execution.refresh_from_db()
    return execution


def test_a_member_that_is_gone_from_the_code_stops_the_run_though_failures_are_collected(durable):
    execution = deployed(durable, ["stays"])
    assert (execution.status, execution.error["type"]) == ("failed", "DefinitionChanged")
    assert execution.error["node"] == "goes"
    with isolate_registry():
        make_version(["stays", "goes"])
        durable_api.retry(execution)
        durable.drain()
        durable.advance(61)
        durable.drain()
    execution.refresh_from_db()
    assert execution.result == {"stays": "stays", "goes": "goes"}


def test_a_fork_that_is_gone_from_the_code_fails_the_run_with_definition_changed(durable):
    execution = deployed(durable, [])
    assert (execution.status, execution.error["type"]) == ("failed", "DefinitionChanged")
    assert "work" in execution.error["message"]
    assert not Execution.objects.filter(finished_at=None).exists()


def test_a_run_whose_member_was_gone_is_retried_when_the_code_is_back(durable):
    execution = deployed(durable, [])
    with isolate_registry():
        make_version(["stays", "goes"])
        durable_api.retry(execution)
        durable.drain()
        durable.advance(61)
        durable.drain()
    execution.refresh_from_db()
    assert execution.result == {"stays": "stays", "goes": "goes"}


def make_each(became, ran):
    """A deploy: what was a foreach called `each` is something else."""
    with_block = {
        "parallel": parallel,
        "sequence": sequence,
        "loop": lambda: loop(until=lambda self: True),
    }

    class Deployed(Workflow):
        class Meta:
            name = "scenarios.deployed"

        if became == "foreach":
            with foreach(lambda self: range(3), concurrency=1) as each:

                @step(retry=Retry(2, backoff="constant", base=60))
                def send(self):
                    if self.attempt == 1:
                        raise RuntimeError("later")

        elif became == "step":

            @step
            def each(self):
                ran.append("each")

        elif became == "branch":
            with branch(on=lambda self: 1) as each:
                with each.case(1):

                    @step
                    def send(self):
                        ran.append("send")

        else:
            with with_block[became]() as each:

                @step
                def send(self):
                    ran.append("send")

        @step
        def end(self):
            ran.append("end")


@pytest.mark.parametrize("became", ["step", "parallel", "sequence", "loop", "branch"])
def test_a_fork_that_became_something_else_fails_with_definition_changed(durable, became):
    ran = []
    with isolate_registry():
        make_each("foreach", ran)
        execution = durable.run("scenarios.deployed")
    make_each(became, ran)
    durable.advance(61)
    durable.drain()
    execution.refresh_from_db()
    assert (execution.status, execution.error["type"]) == ("failed", "DefinitionChanged")
    assert ran == []
    assert not Execution.objects.filter(finished_at=None).exists()


def test_an_item_that_has_not_begun_begins_at_the_first_node_of_the_new_code(durable):
    def make(names):
        class Deployed(Workflow):
            class Meta:
                name = "scenarios.deployed"

            with foreach(lambda self: range(3), concurrency=1) as each:
                if "check" in names:

                    @step
                    def check(self):
                        return "checked"

                @step(retry=Retry(2, backoff="constant", base=60))
                def send(self):
                    if self.attempt == 1 and self.index == 0:
                        raise RuntimeError("later")
                    return self.outputs.get("check")

    with isolate_registry():
        make(["send"])
        execution = durable.run("scenarios.deployed")
    make(["check", "send"])
    durable.advance(61)
    durable.drain()
    execution.refresh_from_db()
    assert execution.result == [None, "checked", "checked"]
