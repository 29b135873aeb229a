"""Forks inside everything, and everything inside forks, run to their ends with the kit."""

# ruff: noqa: SIM117  one with per block is how a workflow is written

import pytest

from durable_django import (
    Retry,
    Workflow,
    branch,
    decision,
    foreach,
    loop,
    parallel,
    race,
    sequence,
    step,
)
from durable_django.models import Execution


def paths_of(execution, status="completed"):
    return list(execution.steps.filter(status=status).values_list("path", flat=True))


def test_a_loop_runs_inside_a_member(durable):
    class Polls(Workflow):
        with parallel() as work:
            with loop(until=lambda self: self.iteration == 3) as polling:

                @step
                def poll(self):
                    self.context.append("polled", self.iteration)
                    return self.iteration

            @step
            def other(self):
                return "other"

        @step
        def end(self):
            return self.outputs["work"], self.outputs["poll"]

    execution = durable.run(Polls)
    assert execution.result == ({"polling": 3, "other": "other"}, 3)
    assert execution.context == {"polled": [1, 2, 3]}
    assert "work/polling[2]/poll" in paths_of(execution)


def test_a_parallel_runs_anew_in_each_iteration(durable):
    class Turns(Workflow):
        with loop(until=lambda self: self.iteration == 3) as turns:
            with parallel() as both:

                @step
                def left(self):
                    self.context.append("log", f"left {self.iteration}")
                    return self.iteration, self.outputs.get("both")

                @step
                def right(self):
                    self.context.append("log", f"right {self.iteration}")
                    return self.iteration * 10

            @step
            def sum_up(self):
                return self.outputs["right"], self.outputs["both"]["right"]

    execution = durable.run(Turns)
    assert execution.result == (30, 30)
    log = [f"{side} {turn}" for turn in (1, 2, 3) for side in ("left", "right")]
    assert execution.context == {"log": log}
    before = execution.outputs["left"][1]
    assert before["right"] == 20, "a member sees what the block gave in the last iteration"


def test_each_item_has_forks_of_its_own(durable):
    class Nested(Workflow):
        with foreach(lambda self: ["a", "b"]) as outer:
            with foreach(lambda self: [f"{self.item}{n}" for n in range(3)]) as inner:
                with parallel() as both:

                    @step
                    def name(self):
                        return self.item, self.index

                    @step
                    def key(self):
                        return self.idempotency_key.partition(":")[2]

    execution = durable.run(Nested)
    assert execution.result == [
        [
            {
                "name": (f"{letter}{n}", n),
                "key": f"outer[{number}]/inner[{n}]/both/key",
            }
            for n in range(3)
        ]
        for number, letter in enumerate("ab")
    ]


def test_a_foreach_in_an_item_in_a_case(durable):
    class Cases(Workflow):
        with branch(on=lambda self: self.input["way"]) as way:
            with way.case("each"):
                with foreach(lambda self: [2, 0, 1], concurrency=2) as outer:
                    with branch(on=lambda self: self.item > 0) as some:
                        with some.case(True):
                            with foreach(lambda self: range(self.item)) as inner:

                                @step
                                def give(self):
                                    self.context.append("seen", self.item)
                                    return self.item

            with way.default():

                @step
                def other(self):
                    return "other"

        @step
        def end(self):
            found = self.outputs["way"]
            return found if isinstance(found, str) else [each and list(each) for each in found]

    execution = durable.run(Cases, {"way": "each"})
    assert execution.result == [[0, 1], None, [0]]
    assert execution.context == {"seen": [0, 1, 0]}
    assert durable.run(Cases, {"way": ""}).result == "other"


def test_a_jump_back_over_a_fork_runs_it_again(durable):
    class Again(Workflow):
        with foreach(lambda self: range(2)) as sending:
            with sequence() as pair:

                @step
                def send(self):
                    self.context.append("sent", self.index)

                @step
                def told(self):
                    return self.outputs.get("again"), self.index

        @decision(to=["sending"])
        def again(self):
            return "sending" if len(self.context["sent"]) < 6 else None

        @step
        def end(self):
            return list(self.outputs["sending"])

    execution = durable.run(Again)
    assert execution.result == [("sending", 0), ("sending", 1)]
    assert execution.context == {"sent": [0, 1] * 3}
    forks = [path for path in paths_of(execution) if path.startswith("sending") and "/" not in path]
    assert forks == [f"sending{n}{j}" for n in ("", "#2", "#3") for j in ("", "[]")]
    strands = execution.members().filter(depth=1).order_by("id").values_list("path", flat=True)
    assert list(strands) == [f"sending{n}[{i}]" for n in ("", "#2", "#3") for i in (0, 1)]


def test_a_decision_jumps_inside_a_member(durable):
    class Jumps(Workflow):
        with parallel() as work:
            with sequence() as one:

                @step
                def begin(self):
                    self.context.increment("tries")

                @decision(to=["begin", "done"])
                def enough(self):
                    return "done" if self.context["tries"] == 3 else "begin"

                @step
                def never(self): ...

                @step
                def done(self):
                    return self.context["tries"]

            with foreach(lambda self: range(2)) as each:

                @step
                def first(self):
                    self.context.append(f"item{self.index}", "first")

                @decision(to=["first"])
                def back(self):
                    return "first" if len(self.context[f"item{self.index}"]) < 2 else None

    execution = durable.run(Jumps)
    assert execution.status == "completed", execution.error
    assert execution.result == {"one": 3, "each": [None, None]}
    assert execution.context == {"tries": 3, "item0": ["first"] * 2, "item1": ["first"] * 2}
    assert "never" not in execution.outputs
    assert "work/each[1]/back#2" in paths_of(execution)


def test_a_race_between_a_sequence_of_items_and_a_parallel(durable):
    class Mixed(Workflow):
        with race() as first:
            with sequence() as chain:
                with foreach(lambda self: [1, 2], concurrency=1) as each:

                    @step
                    def add(self):
                        self.context.increment("sum", self.item)

                @step
                def total(self):
                    return self.context["sum"]

            with parallel() as slow:

                @step(retry=Retry(2, backoff="constant", base=60))
                def sleeps(self):
                    raise RuntimeError("later")

                @step
                def done(self): ...

        @step
        def end(self):
            return self.outputs["first"], self.outputs["total"], "done" in self.outputs

    execution = durable.run(Mixed)
    assert execution.result == ({"winner": "chain", "value": 3}, 3, False)
    assert execution.context == {"sum": 3}


@pytest.mark.parametrize("atomic", [False, True])
def test_finish_deep_inside_merges_what_had_completed_on_every_level(durable, atomic):
    class Deep(Workflow):
        @step
        def begin(self):
            self.context["log"] = ["begin"]

        with foreach(lambda self: range(3), concurrency=1) as outer:

            @step
            def before(self):
                self.context.append("log", f"before {self.index}")

            with parallel() as both:

                @step
                def left(self):
                    self.context.append("log", f"left {self.index}")

                with foreach(lambda self: range(3), concurrency=1) as inner:

                    @step(atomic=atomic)
                    def look(self):
                        self.context.append("log", f"look {self.item}")
                        if "before 1" in self.context["log"] and self.item == 1:
                            self.finish(self.item)

        @step
        def never(self): ...

    execution = durable.run(Deep)
    assert (execution.status, execution.result) == ("completed", 1)
    first = ["before 0", "left 0", "look 0", "look 1", "look 2"]
    assert execution.context == {"log": ["begin", *first, "before 1", "left 1", "look 0", "look 1"]}
    assert not Execution.objects.filter(finished_at=None).exists()


def test_empty_items_on_every_level_give_empty_lists(durable):
    class Empty(Workflow):
        with foreach(lambda self: range(self.input["n"])) as outer:
            with foreach(lambda self: []) as inner:

                @step
                def never(self): ...

        with parallel() as both:
            with foreach(lambda self: []) as nothing:

                @step
                def neither(self): ...

            @step
            def other(self): ...

    assert durable.run(Empty, {"n": 0}).outputs["outer"] == []
    execution = durable.run(Empty, {"n": 2})
    assert execution.outputs["outer"] == [[], []]
    assert execution.result == {"nothing": [], "other": None}
    assert execution.outputs["nothing"] == []


@pytest.mark.parametrize("fault", ["crash_before", "crash_after"])
@pytest.mark.parametrize("node", ["outer", "turns", "both", "left", "right", "end"])
def test_a_worker_that_dies_anywhere_changes_nothing(durable, node, fault):
    class Deep(Workflow):
        with foreach(lambda self: "x" * 3 and ["x", "y", "z"], concurrency=2) as outer:
            with loop(until=lambda self: self.iteration == 2) as turns:
                with parallel() as both:

                    @step(atomic=True)
                    def left(self):
                        self.context.append("log", [self.index, self.iteration, "left"])

                    @step
                    def right(self):
                        self.context.append("log", [self.index, self.iteration, "right"])
                        return self.item * self.iteration

        @step
        def end(self):
            return [each["right"] for each in self.outputs["outer"]]

    with getattr(durable, fault)(getattr(Deep, node)):
        execution = durable.run(Deep)
    assert execution.result == ["xx", "yy", "zz"], execution.error
    wanted = [[i, n, side] for i in range(3) for n in (1, 2) for side in ("left", "right")]
    assert execution.context == {"log": wanted}
    done = paths_of(execution)
    assert len(done) == len(set(done))
