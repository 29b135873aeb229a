"""Parallel and race: their members, how many may fail, and how a subclass changes them."""

import pytest

import durable_django as durable
from durable_django import Workflow, branch, decision, loop, parallel, race, sequence, step
from durable_django.definition import registry
from durable_django.definition.blocks import Block
from durable_django.definition.flow import Fork, Parallel, Race
from durable_django.definition.retry import NO_RETRY, Retry
from tests.definition.runs import Run

with registry.isolate():

    class Report(Workflow):
        class Meta:
            retry = Retry(7)

        with parallel() as fetch:

            @step
            def user(self): ...

            with sequence() as billing:

                @step
                def invoices(self): ...
                @step
                def balance(self): ...

        with parallel(on_error="collect") as checks:

            @step
            def one(self): ...

        with race() as quote:

            @step
            def carrier_a(self): ...
            @step
            def carrier_b(self): ...
            @step
            def carrier_c(self): ...

        @step
        def close(self): ...


# The plan


def test_each_node_directly_in_a_parallel_is_a_member():
    assert isinstance(Report.fetch, Parallel)
    assert isinstance(Report.fetch, Fork)
    assert Report.fetch.children == (Report.user, Report.billing)
    assert Report.quote.children == (Report.carrier_a, Report.carrier_b, Report.carrier_c)
    assert isinstance(Report.quote, Race)
    assert (Report.fetch.kind, Report.quote.kind) == ("parallel", "race")


def test_nothing_follows_a_member():
    next_of = Report.definition.next_of
    assert next_of("fetch") == "checks"
    assert next_of("quote") == "close"
    for member in ("user", "billing", "one", "carrier_a", "carrier_b", "carrier_c"):
        assert next_of(member) is None


def test_inside_a_member_nodes_follow_each_other():
    assert Report.definition.next_of("invoices") == "balance"
    assert Report.definition.next_of("balance") is None
    assert Report.definition.chain_of("balance") == ("fetch", "billing")


def test_a_fork_is_run_like_a_step_without_retry():
    for fork in (Report.fetch, Report.quote):
        assert (fork.is_async, fork.atomic, fork.at_most_once) == (False, False, False)
        assert (fork.timeout, fork.retry, fork.doc) == (None, None, "")
        assert Report.definition.retry_of(fork.name) is NO_RETRY
        assert fork.body(Run()) is None
    assert Report.definition.retry_of("user") == Retry(7)


def test_a_fork_knows_how_its_members_run():
    fetch, checks, quote = Report.fetch, Report.checks, Report.quote
    assert [fork.on_error for fork in (fetch, checks, quote)] == ["fail_fast", "collect", "collect"]
    assert {fork.concurrency for fork in (fetch, checks, quote)} == {None}
    assert {fork.tolerate for fork in (fetch, checks, quote)} == {None}


def test_only_the_members_of_a_fork_are_side_by_side():
    side_by_side = {
        node.name
        for node in Report.definition.nodes.values()
        if isinstance(node, Block) and node.side_by_side
    }
    assert side_by_side == {"fetch", "checks", "quote"}


@pytest.mark.parametrize("count", [1, 3])
def test_a_parallel_that_fails_fast_bears_no_failure(count):
    assert Report.fetch.tolerated(count) == 0


def test_a_parallel_that_collects_bears_any_number():
    assert Report.checks.tolerated(1) is None


@pytest.mark.parametrize(("count", "borne"), [(1, 0), (3, 2)])
def test_a_race_bears_all_failures_but_one(count, borne):
    assert Report.quote.tolerated(count) == borne


def test_the_structure_tells_the_members():
    fetch, checks, quote, _ = Report.definition.structure()["nodes"]
    assert {**fetch, "children": ()} == {
        "name": "fetch",
        "kind": "parallel",
        "on_error": "fail_fast",
        "children": (),
    }
    assert [child["name"] for child in fetch["children"]] == ["user", "billing"]
    assert checks["on_error"] == "collect"
    assert {**quote, "children": ()} == {"name": "quote", "kind": "race", "children": ()}
    assert [child["name"] for child in quote["children"]] == ["carrier_a", "carrier_b", "carrier_c"]


def test_a_single_member_is_enough():
    class W(Workflow):
        with parallel() as fetch:

            @step
            def user(self): ...

        with race() as first:

            @step
            def only(self): ...

    assert W.first.tolerated(1) == 0
    assert W.fetch.children == (W.user,)


def test_everything_may_stand_in_a_fork():
    class W(Workflow):
        with parallel() as all_of:
            with branch(on="plan") as by_plan, by_plan.case("pro"):

                @step
                def invoice(self): ...

            with loop(until="done") as polling:

                @step
                def poll(self): ...

            with race() as first, parallel() as inner:

                @step
                def deep(self): ...

    assert [node.name for node in W.all_of.children] == ["by_plan", "polling", "first"]
    assert W.definition.chain_of("deep") == ("all_of", "first", "inner")


def test_a_fork_may_stand_in_everything():
    class W(Workflow):
        with branch(on="plan") as by_plan, by_plan.case("pro"), parallel() as fetch:

            @step
            def invoice(self): ...

        with loop(until="done") as polling, race() as first:

            @step
            def poll(self): ...

    assert W.definition.chain_of("invoice") == (
        "by_plan",
        "pro",
        "fetch",
    )
    assert W.definition.chain_of("poll") == ("polling", "first")


def test_a_decision_may_stand_in_a_sequence_of_a_parallel():
    class W(Workflow):
        with parallel() as fetch, sequence() as asking:

            @step
            def collect(self): ...
            @decision(to=["collect"])
            def complete(self): ...

    assert W.complete.to == ("collect",)


def test_a_decision_may_jump_to_a_fork():
    class W(Workflow):
        with durable.parallel() as fetch:

            @step
            def user(self): ...

        @decision(to=[fetch])
        def again(self): ...

    assert W.again.to == ("fetch",)


# Inheritance


def test_a_member_is_redefined_in_its_place():
    class W(Report):
        @step(timeout=3)
        def user(self): ...

    assert W.fetch.children == (W.user, W.billing)
    assert W.user.block is W.fetch
    assert Report.fetch.children == (Report.user, Report.billing)
    assert (W.checks, W.quote) == (Report.checks, Report.quote)


def test_a_member_can_be_taken_out():
    class W(Report):
        carrier_b = None

    assert W.quote.children == (W.carrier_a, W.carrier_c)
    assert W.quote.on_error == "collect"
    assert W.definition.next_of("carrier_a") is None


def test_a_fork_is_redefined_as_a_whole():
    class W(Report):
        with parallel(on_error="collect") as fetch:

            @step
            def user(self): ...

    assert W.fetch.on_error == "collect"
    assert W.fetch.children == (W.user,)
    assert W.definition.next_of("fetch") == "checks"
    assert "balance" not in W.definition.nodes
