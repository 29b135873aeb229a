"""Skipping what failed in a member: that goes on, and with it those that the failure had ended."""

import pytest

import durable_django as durable_api
from durable_django import (
    Workflow,
    foreach,
    parallel,
    race,
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


# Parallels


class TestParallel:
    @pytest.fixture
    def Fetches(self, durable):
        class Fetches(Workflow):
            with parallel() as fetch:

                @step
                def user(self):
                    self.context["user"] = 1
                    return "user"

                with sequence() as billing:

                    @step
                    def invoices(self):
                        self.context.append("log", "invoices")
                        return 3

                    @step
                    def balance(self):
                        fail()

                    @step
                    def total(self):
                        self.context["total"] = self.outputs["balance"]
                        return self.outputs["balance"] + self.outputs["invoices"]

            @step
            def end(self):
                return self.outputs["fetch"], self.outputs["invoices"], self.context["log"]

        return Fetches

    def test_a_node_is_skipped_in_its_member_which_goes_on(self, durable, Fetches):
        made = durable.run(Fetches)
        assert durable_api.nodes_to_skip(made) == [
            "fetch/billing/balance",
            "fetch",
            "fetch/billing",
        ]
        given = durable_api.skip(made, 4)
        assert (given.status, given.remaining) == ("waiting", 1)
        found = after(durable, made)
        assert found.result == ({"user": "user", "billing": 7}, 3, ["invoices"])
        assert found.context == {"user": 1, "log": ["invoices"], "total": 4}
        assert rows_of(made) == [("fetch/billing/balance", "fetch/billing/total")]
        durable.assert_attempts(made, Fetches.user, 1)

    def test_a_member_that_is_a_block_is_skipped_as_a_whole(self, durable, Fetches):
        made = durable.run(Fetches)
        given = durable_api.skip(made, "none", node="billing")
        assert (given.status, given.remaining) == ("pending", 0)
        assert strands_of(made) == {"fetch/user": "completed", "fetch/billing": "completed"}
        found = after(durable, made)
        assert found.result == ({"user": "user", "billing": "none"}, 3, ["invoices"])

    def test_the_parallel_itself_is_skipped_with_what_its_members_did(self, durable, Fetches):
        made = durable.run(Fetches)
        durable_api.skip(made, {"user": "none"}, node="fetch")
        after(durable, made)
        assert rows_of(made) == [("fetch[]", "end")]
        assert strands_of(made) == {"fetch/user": "completed", "fetch/billing": "failed"}
        assert made.context == {"user": 1}
        assert made.outputs == {"fetch": {"user": "none"}, "user": "user"}
        assert made.error["type"] == "KeyError", "the invoices are of a member that failed"

    def test_members_that_were_cancelled_by_the_failure_go_on_too(self, durable):
        class Stops(Workflow):
            with foreach(lambda self: range(4), concurrency=1) as each:

                @step
                def send(self):
                    return fail() if self.index == 1 else self.index

        made = durable.run(Stops)
        assert list(strands_of(made).values()) == ["completed", "failed", "cancelled", "cancelled"]
        given = durable_api.skip(made, "skipped")
        assert (given.remaining, given.status) == (2, "waiting")
        assert after(durable, made).result == [0, "skipped", 2, 3]


# Foreach


class TestForeach:
    @pytest.fixture
    def Sends(self, durable):
        class Sends(Workflow):
            with foreach(lambda self: range(6), on_error="collect", tolerate=1) as sending:

                @step
                def render(self):
                    self.context.increment("rendered")
                    return self.item * 10

                @step
                def send(self):
                    if self.index % 2 and not self.context.get("mended"):
                        fail()
                    return self.outputs["render"]

            @step
            def end(self):
                return list(self.outputs["sending"])

        return Sends

    def test_of_several_that_failed_one_has_to_be_named(self, durable, Sends):
        made = durable.run(Sends)
        with pytest.raises(ValueError, match=r"3 members failed: name one.*sending\[1\]/send, "):
            durable_api.skip(made, 1)
        assert durable_api.nodes_to_skip(made) == [
            *(f"sending[{n}]/send" for n in (1, 3, 5)),
            "sending",
        ]

    def test_a_name_means_all_that_failed_there(self, durable, Sends):
        made = durable.run(Sends)
        durable_api.skip(made, -1, node=Sends.send)
        found = after(durable, made)
        assert found.result == [0, -1, 20, -1, 40, -1]
        assert found.context == {"rendered": 6}
        assert len(rows_of(made)) == 3

    def test_a_path_means_one_and_the_others_are_tried_again(self, durable, Sends):
        made = durable.run(Sends)
        durable_api.edit_context(made, {"mended": True})
        durable_api.skip(made, -1, node="sending[3]/send")
        found = after(durable, made)
        assert found.result == [0, 10, 20, -1, 40, 50]
        assert rows_of(made) == [("sending[3]/send", "")]

    def test_the_whole_foreach_is_skipped_with_what_its_items_did(self, durable, Sends):
        made = durable.run(Sends)
        durable_api.skip(made, ["nothing"], node="sending")
        found = after(durable, made)
        assert (found.result, found.context) == (["nothing"], {"rendered": 3})

    def test_a_foreach_that_cannot_say_its_items_is_skipped_with_its_output(self, durable):
        class Asks(Workflow):
            with foreach("items") as each:

                @step
                def send(self): ...

            @step
            def end(self):
                return self.outputs["each"]

        made = durable.run(Asks)
        assert made.error["type"] == "KeyError"
        durable_api.skip(made, [])
        assert after(durable, made).result == []
        assert rows_of(made) == [("each", "end")]

    def test_a_join_that_failed_by_itself_is_skipped_with_what_fits(self, durable):
        class Mixes(Workflow):
            with foreach(lambda self: [1, 2]) as each:

                @step
                def put(self):
                    if self.index:
                        self.context.append("n", 1)
                    else:
                        self.context["n"] = 1

        made = durable.run(Mixes)
        assert (made.status, made.error["node"]) == ("failed", "each")
        assert durable_api.nodes_to_skip(made) == ["each"]
        given = durable_api.skip(made, "given")
        assert (given.status, given.result, given.context) == ("completed", "given", {"n": 1})


# Races


class TestRace:
    @pytest.fixture
    def Races(self, durable):
        class Races(Workflow):
            with race() as first:

                @step
                def left(self):
                    fail()

                with sequence() as right:

                    @step
                    def asks(self):
                        fail()

                    @step
                    def gets(self):
                        return "got"

        return Races

    def test_a_member_that_is_skipped_wins_and_the_others_do_not_run_again(self, durable, Races):
        made = durable.run(Races)
        with pytest.raises(ValueError, match="2 members failed"):
            durable_api.skip(made)
        given = durable_api.skip(made, 7, node="left")
        assert (given.status, given.remaining) == ("pending", 0)
        assert after(durable, made).result == {"winner": "left", "value": 7}
        durable.assert_attempts(made, Races.asks, 1)

    def test_a_member_that_goes_on_behind_what_was_skipped_may_win(self, durable, Races):
        made = durable.run(Races)
        durable_api.skip(made, 7, node="asks")
        assert after(durable, made).result == {"winner": "right", "value": "got"}
        assert strands_of(made) == {"first/left": "failed", "first/right": "completed"}


# Forks in forks


class TestNested:
    @pytest.fixture
    def Deep(self, durable):
        class Deep(Workflow):
            with foreach(lambda self: range(3), concurrency=1) as outer:
                with parallel() as both:

                    @step
                    def left(self):
                        return f"left {self.index}"

                    with sequence() as right:

                        @step
                        def first(self):
                            if self.index == 1:
                                fail()
                            return "first"

                        @step
                        def second(self):
                            return self.outputs["first"]

                @step
                def behind(self):
                    return self.outputs["both"]["right"]

            @step
            def end(self):
                return list(self.outputs["outer"])

        return Deep

    def test_a_node_is_skipped_where_it_stands(self, durable, Deep):
        made = durable.run(Deep)
        assert durable_api.nodes_to_skip(made) == [
            "outer[1]/both/right/first",
            "outer",
            "outer[1]/both",
            "outer[1]/both/right",
        ]
        durable_api.skip(made, "given")
        assert after(durable, made).result == ["first", "given", "first"]
        durable.assert_attempts(made, Deep.left, 3)

    def test_an_inner_fork_is_skipped_within_its_item(self, durable, Deep):
        made = durable.run(Deep)
        durable_api.skip(made, {"right": "whole"}, node="both")
        assert after(durable, made).result == ["first", "whole", "first"]
        assert rows_of(made) == [("outer[1]/both[]", "outer[1]/behind")]
