"""Parallel members as a person would write them, run to their ends with the kit."""

import pytest

from durable_django import Fatal, MemberFailure, Retry, Workflow, parallel, sequence, step
from durable_django.models import Execution


def members_of(execution):
    rows = execution.members().filter(depth__gt=0).order_by("id")
    return dict(rows.values_list("path", "status"))


def test_members_see_what_came_before_and_what_comes_after_sees_them(durable):
    class Fetch(Workflow):
        @step
        def begin(self):
            self.context["n"] = 1
            return 5

        with parallel() as fetch:

            @step
            def user(self):
                return {"id": self.outputs["begin"], "n": self.context["n"]}

            with sequence() as billing:

                @step
                def invoices(self):
                    return [1, 2]

                @step
                def balance(self):
                    return sum(self.outputs["invoices"])

        @step
        def end(self):
            return [self.outputs[name] for name in ("fetch", "user", "invoices", "billing")]

    execution = durable.run(Fetch)
    user = {"id": 5, "n": 1}
    assert execution.result == [{"user": user, "billing": 3}, user, [1, 2], 3]
    assert execution.outputs["fetch"] == {"user": user, "billing": 3}
    assert members_of(execution) == {"fetch/user": "completed", "fetch/billing": "completed"}


def test_a_parallel_at_the_end_is_the_result_of_the_run(durable):
    class Only(Workflow):
        with parallel() as both:

            @step
            def left(self):
                return "left"

            @step
            def right(self): ...

    assert durable.run(Only).result == {"left": "left", "right": None}


def test_members_do_not_see_each_other(durable):
    seen = {}

    class Apart(Workflow):
        with parallel() as both:

            @step
            def left(self):
                seen["left"] = (list(self.context), list(self.outputs))
                self.context["by_left"] = 1

            @step
            def right(self):
                seen["right"] = (list(self.context), list(self.outputs))
                self.context["by_right"] = 1
                with pytest.raises(KeyError, match="left"):
                    self.outputs["left"]

    execution = durable.run(Apart)
    assert execution.status == "completed", execution.error
    assert seen == {"left": ([], []), "right": ([], [])}
    assert execution.context == {"by_left": 1, "by_right": 1}


def test_changes_are_merged_in_the_order_of_declaration_whoever_ends_first(durable):
    class Late(Workflow):
        @step
        def begin(self):
            self.context["log"] = ["begin"]
            self.context["old"] = True

        with parallel() as work:

            @step(retry=Retry(2, backoff="constant", base=60))
            def first(self):
                if self.attempt == 1:
                    raise RuntimeError("later")
                self.context.append("log", "first")
                self.context.increment("n")

            @step
            def second(self):
                self.context.append("log", "second")
                self.context.increment("n", 2)
                del self.context["old"]

    execution = durable.run(Late)
    assert execution.status == "waiting"
    assert execution.context == {"log": ["begin"], "old": True}, "not before the join"
    durable.advance(61)
    durable.drain()
    execution.refresh_from_db()
    assert execution.status == "completed", execution.error
    assert execution.context == {"log": ["begin", "first", "second"], "n": 3}


def test_what_a_member_set_itself_is_what_its_next_node_sees(durable):
    class Sees(Workflow):
        with parallel() as work:
            with sequence() as chain:

                @step
                def one(self):
                    self.context["items"] = []

                @step(retry=Retry(2, backoff="constant", base=1))
                def two(self):
                    self.context["items"].append(self.attempt)
                    if self.attempt == 1:
                        raise RuntimeError("again")

                @step
                def three(self):
                    return self.context["items"]

            @step
            def other(self):
                return "items" in self.context

    execution = durable.run(Sees)
    durable.advance(2)
    durable.drain()
    execution.refresh_from_db()
    assert execution.result == {"chain": [2], "other": False}


def test_two_values_under_one_key_are_told_in_a_test(durable):
    class Conflict(Workflow):
        with parallel() as work:

            @step
            def left(self):
                self.context["color"] = "red"

            @step
            def right(self):
                self.context["color"] = self.input["color"]

    execution = durable.run(Conflict, {"color": "blue"})
    assert (execution.status, execution.error["type"]) == ("failed", "ContextConflict")
    assert 'context["color"] by left, right' in execution.error["message"]
    assert execution.error["node"] == "work"
    assert durable.run(Conflict, {"color": "red"}).context == {"color": "red"}


def test_changes_that_do_not_go_together_fail_the_block(durable):
    class Misfit(Workflow):
        with parallel() as work:

            @step
            def left(self):
                self.context.append("n", "text")

            @step
            def right(self):
                self.context.increment("n")

    execution = durable.run(Misfit)
    assert (execution.status, execution.error["type"]) == ("failed", "TypeError")
    assert execution.error["node"] == "work"


def test_the_first_failure_ends_the_block_and_is_the_error_of_the_run(durable):
    begun = []

    class Fails(Workflow):
        with parallel() as work:

            @step(retry=Retry(5, backoff="constant", base=60))
            def sleeps(self):
                begun.append("sleeps")
                raise RuntimeError("sleeps")

            @step
            def breaks(self):
                raise ValueError("broken")

            @step
            def done(self):
                begun.append("done")

        @step
        def never(self): ...

    execution = durable.run(Fails)
    assert execution.status == "failed"
    error = execution.error
    assert (error["type"], error["message"], error["node"]) == ("ValueError", "broken", "breaks")
    assert members_of(execution) == {
        "work/sleeps": "cancelled",
        "work/breaks": "failed",
        "work/done": "cancelled",
    }
    assert begun == ["sleeps"], "what had not started never starts"
    assert not execution.steps.filter(name="never").exists()


def test_collect_gives_a_failure_in_place_of_the_output(durable):
    class Collects(Workflow):
        with parallel(on_error="collect") as work:

            @step
            def good(self):
                self.context["by"] = "good"
                return "good"

            with sequence() as half:

                @step
                def begins(self):
                    self.context["by"] = "half"
                    return "begun"

                @step
                def breaks(self):
                    raise Fatal("no use")

        @step
        def end(self):
            return self.outputs["work"], self.outputs["good"], "begins" in self.outputs

    execution = durable.run(Collects)
    failure = MemberFailure("Fatal", "no use")
    assert execution.result == ({"good": "good", "half": failure}, "good", False)
    assert execution.context == {"by": "good"}, "what a failed member did is not merged"


def test_a_block_whose_members_all_failed_completes_when_it_collects(durable):
    class Collects(Workflow):
        with parallel(on_error="collect") as work:

            @step
            def one(self):
                raise ValueError("one")

            @step
            def two(self):
                raise ValueError("two")

    found = durable.run(Collects).result
    assert found == {
        "one": MemberFailure("ValueError", "one"),
        "two": MemberFailure("ValueError", "two"),
    }


def test_finish_in_a_member_ends_the_run_and_keeps_what_had_completed(durable):
    class Finishes(Workflow):
        @step
        def begin(self):
            self.context["log"] = ["begin"]

        with parallel() as work:

            @step
            def done(self):
                self.context.append("log", "done")

            @step
            def ends(self):
                self.context.append("log", "ends")
                self.finish({"by": "ends"})

            @step
            def never(self):
                self.context.append("log", "never")

        @step
        def after(self): ...

    execution = durable.run(Finishes)
    assert (execution.status, execution.result) == ("completed", {"by": "ends"})
    assert execution.context == {"log": ["begin", "done", "ends"]}
    assert members_of(execution)["work/never"] == "cancelled"
    assert not Execution.objects.filter(finished_at=None).exists()
    assert not execution.steps.filter(name="after").exists()


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "fail_once"])
@pytest.mark.parametrize("node", ["begin", "left", "right", "end", "both"])
def test_a_fault_anywhere_changes_nothing(durable, node, fault):
    class Work(Workflow):
        class Meta:
            max_retries = 1

        @step
        def begin(self):
            self.context["n"] = 0

        with parallel() as both:

            @step
            def left(self):
                self.context.increment("n")
                return self.idempotency_key.partition(":")[2]

            @step(atomic=True)
            def right(self):
                self.context.increment("n", 10)
                return self.idempotency_key.partition(":")[2]

        @step
        def end(self):
            return self.outputs["both"]

    with getattr(durable, fault)(getattr(Work, node)):
        execution = durable.run(Work)
    assert execution.status == "completed", execution.error
    assert execution.result == {"left": "both/left", "right": "both/right"}
    assert execution.context == {"n": 11}
