"""Skipping what failed inside of blocks: the run goes on behind it, with all that had completed."""

import pytest

import durable_django as durable_api
from durable_django import (
    InvalidState,
    Workflow,
    branch,
    decision,
    loop,
    parallel,
    sequence,
    step,
)


def fail(*args):
    raise ValueError("no")


def rows_of(execution, status="skipped"):
    rows = execution.steps.filter(status=status).order_by("id")
    return list(rows.values_list("path", "next_path"))


def strands_of(execution):
    rows = execution.members().filter(depth__gt=0).order_by("id")
    return dict(rows.values_list("path", "status"))


def after(durable, execution):
    durable.drain()
    execution.refresh_from_db()
    return execution


# Branches


class TestBranch:
    @pytest.fixture
    def Chooses(self, durable):
        class Chooses(Workflow):
            with branch(on="kind") as decide:
                with decide.case("a", "b"):

                    @step
                    def first(self):
                        return "first"

                with decide.case(True):

                    @step
                    def second(self):
                        fail()

                    @step
                    def third(self):
                        return "third"

                with decide.default():

                    @step
                    def other(self):
                        return "other"

            @step
            def end(self):
                return self.outputs["decide"]

        return Chooses

    @pytest.mark.parametrize(
        ("choice", "result"),
        [("a", "first"), ("a | b", "first"), ("default", "other"), (None, None)],
    )
    def test_a_choice_that_could_not_be_made_is_made_by_the_value(
        self, durable, Chooses, choice, result
    ):
        made = durable.run(Chooses)
        assert made.error["type"] == "KeyError"
        durable_api.skip(made, choice)
        found = after(durable, made)
        assert (found.status, found.result) == ("completed", result)
        assert [path for path, _ in rows_of(made)] == ["decide"]

    def test_what_is_no_choice_is_refused(self, durable, Chooses):
        made = durable.run(Chooses)
        for wrong in ("c", 1, {"a": 1}):
            with pytest.raises(ValueError, match=r"no case for .*a \| b, true, default"):
                durable_api.skip(made, wrong)
        with pytest.raises(ValueError, match='did you mean "default"'):
            durable_api.skip(made, "defaul")
        assert after(durable, made).status == "failed"

    def failed_inside(self, durable, Chooses):
        made = durable.run(Chooses)
        durable_api.skip(made, True)
        assert after(durable, made).error["node"] == "second"
        return made

    def test_a_node_of_a_case_is_skipped_within_its_case(self, durable, Chooses):
        made = self.failed_inside(durable, Chooses)
        assert durable_api.nodes_to_skip(made) == ["decide/second", "decide"]
        durable_api.skip(made, 1)
        assert after(durable, made).result == "third"
        assert rows_of(made)[1:] == [("decide/second", "decide/third")]

    def test_the_branch_around_a_node_is_skipped_as_a_whole(self, durable, Chooses):
        made = self.failed_inside(durable, Chooses)
        durable_api.skip(made, "whole", node=Chooses.decide)
        found = after(durable, made)
        assert found.result == found.outputs["decide"] == "whole"
        assert rows_of(made)[1:] == [("decide", "end")]


# Loops and sequences


class TestLoop:
    @pytest.fixture
    def Polls(self, durable):
        class Polls(Workflow):
            with loop(until=lambda self: self.context["n"] >= 3, max_iterations=5) as polling:

                @step
                def poll(self):
                    if self.context.increment("n") == 2:
                        fail()
                    return self.iteration

                with sequence() as both:

                    @step
                    def left(self):
                        return self.input.get("bad") and fail()

                    @step
                    def right(self):
                        return self.outputs["poll"]

            @step
            def end(self):
                return self.outputs["polling"], self.outputs["poll"]

        return Polls

    def test_a_node_is_skipped_in_its_iteration(self, durable, Polls):
        made = durable.run(Polls)
        assert durable_api.nodes_to_skip(made) == ["polling[2]/poll", "polling[2]"]
        durable_api.edit_context(made, {"n": 2})
        durable_api.skip(made, "second")
        found = after(durable, made)
        assert (found.result, found.context) == ((3, 3), {"n": 3})
        assert rows_of(made) == [("polling[2]/poll", "polling[2]/both/left")]

    def test_the_loop_around_a_node_ends_with_the_value(self, durable, Polls):
        made = durable.run(Polls)
        durable_api.skip(made, "enough", node="polling")
        assert after(durable, made).result == ("enough", 1)
        assert rows_of(made) == [("polling[2]", "end")]

    def test_a_sequence_around_a_node_is_skipped_as_a_whole(self, durable, Polls):
        made = durable.run(Polls, {"bad": True})
        assert durable_api.nodes_to_skip(made) == [
            "polling[1]/both/left",
            "polling[1]/both",
            "polling[1]",
        ]
        durable_api.skip(made, "both", node="polling[1]/both")
        after(durable, made)
        assert rows_of(made) == [("polling[1]/both", "polling[1]")]
        assert made.outputs["both"] == "both"
        assert made.error["node"] == "poll"

    def test_a_loop_that_cannot_say_whether_to_go_on_ends_with_the_value(self, durable):
        class Asks(Workflow):
            with loop(until="done") as asking:

                @step
                def ask(self):
                    return "asked"

            @step
            def end(self):
                return self.outputs["asking"]

        made = durable.run(Asks)
        assert made.error == {**made.error, "type": "KeyError", "node": "asking"}
        durable_api.skip(made, "told")
        assert after(durable, made).result == "told"
        assert rows_of(made) == [("asking[1]", "end")]

    def test_a_jump_too_many_is_refused_as_a_choice(self, durable):
        class Jumps(Workflow):
            @step
            def first(self): ...

            @decision(to=["first"], max_visits=2)
            def again(self):
                return "first"

            @step
            def end(self):
                return "end"

        made = durable.run(Jumps)
        assert made.error["type"] == "LoopLimitExceeded"
        with pytest.raises(ValueError, match="max_visits"):
            durable_api.skip(made, "first")
        durable_api.skip(made)
        assert after(durable, made).result == "end"


# What cannot be skipped


def test_members_that_were_cut_off_by_a_timeout_did_not_fail(durable):
    class Slow(Workflow):
        class Meta:
            timeout = 60

        with parallel() as work:
            with sequence() as waits:

                @step
                def asks(self):
                    self.wait_for_event("never")

            @step
            def other(self):
                self.wait_for_event("never")

    made = durable.run(Slow)
    durable.advance(61)
    assert after(durable, made).error["type"] == "WorkflowTimeout"
    with pytest.raises(ValueError, match=r"cut off: name their block with node= \(work\)"):
        durable_api.skip(made)
    given = durable_api.skip(made, "late", node="work")
    assert (given.status, given.result) == ("completed", "late")


def test_a_member_cannot_be_skipped_by_its_own_id(durable):
    class Parallel(Workflow):
        with parallel() as work:

            @step
            def bad(self):
                fail()

    made = durable.run(Parallel)
    member = made.members().get(depth=1)
    with pytest.raises(InvalidState, match=f"member of the run {made.pk}"):
        durable_api.skip(member)
    with pytest.raises(InvalidState, match=f"member of the run {made.pk}"):
        durable_api.edit_context(member, {"a": 1})


# Compensation


class TestCompensation:
    @pytest.fixture
    def undone(self):
        return []

    @pytest.fixture
    def Trip(self, durable, undone):
        class Trip(Workflow):
            @step
            def hotel(self):
                fail()

            @hotel.compensate
            def free_hotel(self):
                undone.append("hotel")

            with sequence() as flight:

                @step
                def seat(self):
                    return self.outputs["hotel"]

                @seat.compensate
                def free_seat(self):
                    undone.append(("seat", self.outputs["hotel"], self.outputs["seat"]))

                @step
                def meal(self): ...

            @flight.compensate
            def free_flight(self):
                undone.append("flight")

            @step
            def pay(self):
                fail()

        return Trip

    def test_a_skipped_node_is_not_compensated(self, durable, Trip, undone):
        made = durable.run(Trip)
        assert made.status == "failed", "there was nothing to undo"
        durable_api.skip(made, "ritz")
        assert after(durable, made).status == "compensated"
        assert undone == ["flight", ("seat", "ritz", "ritz")]
        with pytest.raises(InvalidState, match="it is compensated"):
            durable_api.skip(made)

    def test_a_block_that_ended_with_a_skipped_node_is_compensated(self, durable, undone):
        class Packs(Workflow):
            with sequence() as pack:

                @step
                def bag(self):
                    fail()

            @pack.compensate
            def unpack(self):
                undone.append("pack")

            @bag.compensate
            def unbag(self):
                undone.append("bag")

            @step
            def pay(self):
                fail()

        made = durable.run(Packs)
        durable_api.skip(made)
        assert after(durable, made).status == "compensated"
        assert undone == ["pack"]

    def test_a_block_that_was_skipped_as_a_whole_is_not(self, durable, undone):
        class Packs(Workflow):
            with sequence() as pack:

                @step
                def bag(self):
                    fail()

            @pack.compensate
            def unpack(self):
                undone.append("pack")

            @step
            def pay(self):
                fail()

        made = durable.run(Packs)
        durable_api.skip(made, node="pack")
        assert after(durable, made).status == "failed"
        assert undone == []
