"""Decisions, nesting and retries of a run, as a person would write them, run with the kit."""

# ruff: noqa: SIM117  one with per block is how a workflow is written

from durable_django import Fatal, Retry, Workflow, branch, decision, loop, sequence, step
from durable_django.testing import run


def paths_of(execution, status="completed"):
    rows = execution.steps.filter(status=status).order_by("id")
    return list(rows.values_list("path", flat=True))


def test_a_decision_jumps_back_and_forward_and_each_visit_has_a_path(durable):
    class Claim(Workflow):
        @step
        def collect(self):
            self.context.increment("documents")

        @step
        def check(self):
            return self.context["documents"]

        @decision(to=["collect", "pay"])
        def complete(self):
            return "pay" if self.context["documents"] >= self.input["needed"] else "collect"

        @step
        def never(self): ...

        @step
        def pay(self):
            return self.outputs["complete"], self.outputs["check"]

    execution = durable.run(Claim, {"needed": 2})
    assert execution.result == ("pay", 2)
    assert paths_of(execution) == [
        "collect",
        "check",
        "complete",
        "collect#2",
        "check#2",
        "complete#2",
        "pay",
    ]


def test_a_decision_of_none_goes_on_and_of_something_else_fails(durable):
    class Maybe(Workflow):
        @decision(to=["end"])
        def skip(self):
            return self.input["to"]

        @step
        def middle(self): ...

        @step
        def end(self): ...

    assert paths_of(durable.run(Maybe, {"to": None})) == ["skip", "middle", "end"]
    assert paths_of(durable.run(Maybe, {"to": "end"})) == ["skip", "end"]
    execution = durable.run(Maybe, {"to": "middle"})
    assert execution.status == "failed"
    assert "none of its targets" in execution.error["message"]


def test_jumping_back_for_ever_fails_at_the_limit(durable):
    class Endless(Workflow):
        @step
        def again(self): ...

        @decision(to=["again"], max_visits=3)
        def back(self):
            return "again"

    execution = durable.run(Endless)
    assert (execution.status, execution.error["type"]) == ("failed", "LoopLimitExceeded")
    durable.assert_attempts(execution, Endless.again, 3)


def test_everything_nests_in_everything(durable):
    class Nested(Workflow):
        with loop(until=lambda self: self.iteration == 2) as outer:
            with branch(on=lambda self: self.iteration) as turn:
                with turn.case(1):
                    with sequence() as pair:

                        @step
                        def left(self):
                            self.context.append("seen", "left")

                        @step
                        def right(self):
                            self.context.append("seen", "right")
                            return "pair"

                with turn.default():
                    with loop(while_=lambda self: self.iteration <= 2) as inner:

                        @step(atomic=True)
                        def deep(self):
                            self.context.append("seen", self.iteration)
                            return self.iteration

    for fault in (None, durable.crash_after, durable.crash_before):
        if fault is None:
            execution = durable.run(Nested)
        else:
            with fault(Nested.deep), fault(Nested.right):
                execution = durable.run(Nested)
        assert execution.status == "completed", execution.error
        assert execution.context["seen"] == ["left", "right", 1, 2]
        assert execution.result == 2
        assert execution.outputs["turn"] == 2


def test_large_outputs_of_loops_and_branches_stay_readable_across_parks(durable):
    class Large(Workflow):
        with loop(until=lambda self: self.iteration == 2) as turns:

            @step(retry=Retry(2, backoff="constant", base=1))
            def big(self):
                if self.attempt == 1:
                    raise RuntimeError("again")
                return {"iteration": self.iteration, "text": "x" * 5_000}

        @step(retry=Retry(2, backoff="constant", base=1))
        def end(self):
            if self.attempt == 1:
                raise RuntimeError("again")
            return self.outputs["turns"]["iteration"], self.outputs["big"]["iteration"]

    execution = run(Large)
    for _ in range(5):
        durable.advance(2)
        durable.drain()
    execution.refresh_from_db()
    assert execution.status == "completed", execution.error
    assert execution.result == (2, 2)


def test_a_run_is_retried_as_a_whole_from_the_node_that_failed(durable):
    made = []

    class Twice(Workflow):
        class Meta:
            max_retries = 1

        @step
        def begin(self):
            made.append("begin")

        @step(retry=Retry(2, backoff="constant", base=1))
        def flaky(self):
            made.append(self.attempt)
            if len(made) < self.input["good_from"]:
                raise RuntimeError("not yet")
            return "done"

    def driven(good_from):
        made.clear()
        execution = durable.run(Twice, {"good_from": good_from})
        for _ in range(5):
            durable.advance(2)
            durable.drain()
        execution.refresh_from_db()
        return execution

    assert driven(4).status == "completed"
    assert made == ["begin", 1, 2, 1]
    assert driven(9).status == "failed"
    assert made == ["begin", 1, 2, 1, 2], "one retry of the run, with the node's attempts anew"


def test_a_fatal_failure_is_not_retried_as_a_whole(durable):
    class Refused(Workflow):
        class Meta:
            max_retries = 5

        @step
        def refuse(self):
            raise Fatal("no")

    execution = durable.run(Refused)
    assert execution.status == "failed"
    durable.assert_attempts(execution, Refused.refuse, 1)


def test_one_step_of_a_loop_is_run_alone_in_any_iteration(durable):
    class Polling(Workflow):
        with loop(until="done") as polling:

            @step
            def poll(self):
                return self.iteration

    assert durable.run_step(Polling.poll) == (1, {})
    assert durable.run_step(Polling.poll, iteration=7) == (7, {})
