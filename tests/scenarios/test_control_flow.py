"""Branches and loops as a person would write them, run to their ends with the kit."""

# ruff: noqa: SIM117  one with per block is how a workflow is written

import pytest

from durable_django import Retry, Workflow, branch, loop, step


def paths_of(execution, status="completed"):
    rows = execution.steps.filter(status=status).order_by("id")
    return list(rows.values_list("path", flat=True))


def test_a_branch_takes_the_case_of_its_value_and_gives_its_last_output(durable):
    class Route(Workflow):
        @step
        def kind(self):
            return self.input["kind"]

        with branch(on=kind) as route:
            with route.case("book", "record"):

                @step
                def pack(self):
                    return "packed"

                @step
                def post(self):
                    return "posted"

            with route.case(1):

                @step
                def count(self):
                    return "counted"

            with route.default():

                @step
                def ask(self):
                    return "asked"

        @step
        def end(self):
            return self.outputs["route"]

    for kind, result in [
        ("book", "posted"),
        ("record", "posted"),
        (1, "counted"),
        (1.0, "counted"),
        (True, "asked"),
        ("1", "asked"),
        (None, "asked"),
    ]:
        assert durable.run(Route, {"kind": kind}).result == result, kind
    execution = durable.run(Route, {"kind": "book"})
    assert paths_of(execution) == ["kind", "route", "route/pack", "route/post", "end"]
    assert execution.outputs["route"] == "posted"


def test_a_branch_without_a_match_or_default_is_skipped(durable):
    class Maybe(Workflow):
        @step
        def begin(self):
            self.context["express"] = self.input["express"]

        with branch(on="express") as speed:
            with speed.case(True):

                @step
                def hurry(self):
                    return "hurried"

        @step
        def end(self):
            return self.outputs["speed"]

    assert durable.run(Maybe, {"express": True}).result == "hurried"
    execution = durable.run(Maybe, {"express": False})
    assert execution.result is None
    assert "hurry" not in execution.outputs


@pytest.mark.parametrize("on", ["gone", lambda self: 1 / 0])
def test_a_branch_that_cannot_be_asked_fails_like_a_step_without_retry(durable, on):
    class Broken(Workflow):
        class Meta:
            retry = Retry(5)

        with branch(on=on) as route:
            with route.case(1):

                @step
                def never(self): ...

    execution = durable.run(Broken)
    assert execution.status == "failed"
    assert execution.error["node"] == "route"
    durable.assert_attempts(execution, "route", 1)


def test_a_choice_is_recorded_and_never_made_twice(durable):
    asked = []

    class Once(Workflow):
        with branch(on=lambda self: asked.append(1) or len(asked)) as route:
            with route.case(1):

                @step
                def first(self):
                    return "first"

            with route.default():

                @step
                def other(self):
                    return "other"

    with durable.crash_after(Once.first):
        execution = durable.run(Once)
    assert execution.result == "first"
    assert asked == [1]


def test_a_loop_runs_until_it_is_told_to_stop_and_counts_its_iterations(durable):
    class Polling(Workflow):
        with loop(until=lambda self: self.context["seen"] >= self.input["enough"]) as polling:

            @step
            def poll(self):
                self.context.increment("seen")
                return self.iteration

        @step
        def end(self):
            return self.outputs["polling"]

    execution = durable.run(Polling, {"enough": 3})
    assert execution.result == 3
    assert [path for path in paths_of(execution) if path.endswith("poll")] == [
        "polling[1]/poll",
        "polling[2]/poll",
        "polling[3]/poll",
    ]
    assert durable.run(Polling, {"enough": 0}).result == 1, "until is tested after an iteration"


def test_while_is_tested_before_and_may_never_begin(durable):
    class Import(Workflow):
        @step
        def look(self):
            self.context["left"] = self.input["rows"]

        with loop(while_=lambda self: self.context["left"]) as importing:

            @step
            def take(self):
                return self.context["left"].pop()

        @step
        def end(self):
            return self.outputs["importing"]

    assert durable.run(Import, {"rows": [1, 2, 3]}).result == 1
    assert durable.run(Import, {"rows": []}).result is None


def test_a_loop_without_end_fails_at_its_limit(durable):
    class Endless(Workflow):
        with loop(until=lambda self: False, max_iterations=3) as turning:

            @step
            def turn(self): ...

    execution = durable.run(Endless)
    assert (execution.status, execution.error["type"]) == ("failed", "LoopLimitExceeded")
    durable.assert_attempts(execution, Endless.turn, 3)


def test_a_worker_that_dies_in_a_loop_goes_on_in_the_same_iteration(durable):
    keys = []

    class Polling(Workflow):
        with loop(until=lambda self: self.iteration == 250) as polling:

            @step
            def poll(self):
                keys.append(self.idempotency_key)
                self.context.increment("n")
                if self.iteration in (120, 121) and self.input.get("boom"):
                    raise RuntimeError("boom")
                return self.iteration

    with durable.crash_after(Polling.poll):
        execution = durable.run(Polling)
    assert execution.result == 250
    assert execution.context == {"n": 250}
    assert len(keys) == 251
    assert len(set(keys)) == 250, "each iteration has a key of its own, repeats share it"


def test_a_failed_run_is_retried_in_the_iteration_that_failed(durable):
    from durable_django import retry

    fails = [True]

    class Polling(Workflow):
        with loop(until=lambda self: self.iteration == 3) as polling:

            @step
            def poll(self):
                if self.iteration == 2 and fails:
                    raise RuntimeError("once")
                return self.iteration

    execution = durable.run(Polling)
    assert execution.status == "failed"
    fails.clear()
    retry(execution)
    durable.drain()
    durable.assert_status(execution, "completed")
    assert [p for p in paths_of(execution) if "/" in p] == [
        "polling[1]/poll",
        "polling[2]/poll",
        "polling[3]/poll",
    ]
