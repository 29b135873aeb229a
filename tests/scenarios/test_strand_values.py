"""What members give and see, and what people see of them: values, steps, signals, changed code."""

# ruff: noqa: SIM117  one with per block is how a workflow is written

import pytest

import durable_django as durable_api
from durable_django import (
    MemberFailure,
    Retry,
    Workflow,
    branch,
    foreach,
    loop,
    parallel,
    race,
    sequence,
    signals,
    step,
)
from durable_django.models import Execution

BIG = 5_000


def test_large_outputs_are_read_across_run_and_members(durable):
    class Large(Workflow):
        @step
        def begin(self):
            return "b" * BIG

        with parallel() as work:
            with sequence() as chain:

                @step
                def one(self):
                    return self.outputs["begin"].upper()

                @step(retry=Retry(2, backoff="constant", base=60))
                def two(self):
                    if self.attempt == 1:
                        raise RuntimeError("parks, so that its outputs leave memory")
                    return [self.outputs["one"][:2], self.outputs["begin"][:2], "c" * BIG]

            with foreach(lambda self: ["d" * BIG, "e" * BIG]) as each:
                with sequence() as pair:

                    @step
                    def head(self):
                        return self.item

                    @step
                    def tail(self):
                        return self.outputs["head"] + self.outputs["begin"]

        @step(retry=Retry(2, backoff="constant", base=60))
        def end(self):
            if self.attempt == 1:
                raise RuntimeError("parks, too")
            work = self.outputs["work"]
            return [
                len(self.outputs["one"]),
                self.outputs["two"][:2],
                work["chain"] == self.outputs["chain"] == self.outputs["two"],
                [value[0] + value[-1] for value in work["each"]],
                [len(value) for value in self.outputs["each"]],
            ]

    execution = durable.run(Large)
    for _ in range(2):
        durable.advance(61)
        durable.drain()
    execution.refresh_from_db()
    assert execution.status == "completed", execution.error
    assert execution.result == [BIG, ["BB", "bb"], True, ["db", "eb"], [2 * BIG] * 2]
    assert len(execution.outputs["one"]) == BIG
    assert len(execution.snapshot) < 3 * BIG, "large outputs stand in it as references"


def test_a_large_output_of_a_member_is_read_in_a_member_of_the_next_fork(durable):
    class Twice(Workflow):
        with parallel() as first:

            @step
            def big(self):
                return "x" * BIG

        with foreach(lambda self: range(2)) as outer:
            with parallel() as second:

                @step
                async def reads(self):
                    return len(self.outputs["big"]) + len(self.outputs["first"]["big"])

    execution = durable.run(Twice)
    assert execution.result == [{"reads": 2 * BIG}] * 2, execution.error


def test_an_async_step_reads_the_results_of_a_foreach(durable):
    class Reads(Workflow):
        with foreach(lambda self: range(3)) as each:

            @step
            def give(self):
                return self.item

        @step
        async def end(self):
            return list(self.outputs["each"])

    assert durable.run(Reads).result == [0, 1, 2]


def test_what_self_knows_in_a_member(durable):
    class Knows(Workflow):
        with loop(until=lambda self: self.iteration == 2) as turns:
            with foreach(lambda self: ["x", "y"]) as each:
                with parallel() as both:

                    @step
                    def told(self):
                        return {
                            "run": self.execution_id == execution_id(),
                            "input": self.input["of"],
                            "item": self.item,
                            "index": self.index,
                            "iteration": self.iteration,
                            "key": self.idempotency_key.partition(":")[2],
                            "name": self.step_name,
                        }

    def execution_id():
        return Execution.objects.get(kind="workflow").pk

    execution = durable.run(Knows, {"of": "the run"})
    assert execution.result[1] == {
        "told": {
            "run": True,
            "input": "the run",
            "item": "y",
            "index": 1,
            "iteration": 2,
            "key": "turns[2]/each[1]/both/told",
            "name": "told",
        }
    }


def test_item_and_index_are_refused_where_there_are_none(durable):
    class Bare(Workflow):
        with parallel() as both:

            @step
            def left(self):
                return self.item

    execution = durable.run(Bare)
    assert execution.status == "failed"
    assert "left is not inside a foreach" in execution.error["message"]


def test_the_steps_of_a_run_are_those_of_its_members_too(durable):
    class Work(Workflow):
        @step
        def begin(self): ...

        with foreach(lambda self: range(2)) as each:

            @step
            def send(self): ...

    other = durable.run(Work)
    execution = durable.run(Work)
    paths = ["begin", "each", "each[0]/send", "each[1]/send", "each[]"]
    assert list(execution.steps.values_list("path", flat=True)) == paths
    loaded = durable_api.get_execution(execution.pk, include_steps=True)
    assert [row.path for row in loaded.steps] == paths
    assert {row.execution.root_id for row in loaded.steps} == {execution.pk}
    assert other.pk not in {row.execution.root_id for row in loaded.steps}
    assert [row.output for row in loaded.steps if row.path == "each[]"] == [[None, None]]
    assert list(durable_api.list_executions(workflow=Work)) == [execution, other]
    assert list(durable_api.list_children(execution)) == []


def test_signals_tell_of_runs_and_of_every_step(durable, django_capture_on_commit_callbacks):
    class Work(Workflow):
        with race() as first:

            @step
            def wins(self): ...

        with foreach(lambda self: [1]) as each:

            @step
            def ends(self):
                self.finish()

    told = []

    def ended(sender, execution_id, node, status, **rest):
        told.append((execution_id, node, status))

    def finished(sender, execution_id, status, **rest):
        told.append((execution_id, "run", status))

    signals.step_finished.connect(ended)
    signals.execution_finished.connect(finished)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            execution = durable.run(Work)
    finally:
        signals.step_finished.disconnect(ended)
        signals.execution_finished.disconnect(finished)
    nodes = ["first", "wins", "first", "each", "ends", "run"]
    assert told == [(execution.pk, node, "completed") for node in nodes]


def test_the_id_of_a_strand_is_not_the_id_of_an_execution(durable):
    class Held(Workflow):
        with parallel() as work:

            @step(retry=Retry(2, backoff="constant", base=60))
            def sleeps(self):
                if self.attempt == 1:
                    raise RuntimeError("later")
                return "slept"

    execution = durable.run(Held)
    strand = Execution.objects.get(parent=execution)
    for call in (durable_api.cancel, durable_api.retry, durable_api.get_execution):
        with pytest.raises(durable_api.DurableError):
            call(strand.pk)
    durable.advance(61)
    durable.drain()
    execution.refresh_from_db()
    assert execution.result == {"sleeps": "slept"}


def test_results_and_failures_are_values_like_others(durable):
    class Keeps(Workflow):
        with foreach(lambda self: range(3), on_error="collect") as each:

            @step
            def give(self):
                if self.item == 1:
                    raise ValueError("no")
                return self.item

        @step
        def keep(self):
            self.context["results"] = self.outputs["each"]
            self.context["failure"] = self.outputs["each"][1]
            return {"results": self.outputs["each"]}

        @step
        def end(self):
            kept = self.outputs["keep"]["results"]
            return [list(self.context["results"]), self.context["failure"], list(kept)]

    class Reads(Workflow):
        @step
        def only(self):
            return list(self.input["results"])

    failure = MemberFailure("ValueError", "no")
    with durable.crash_before(Keeps.end):
        execution = durable.run(Keeps)
    assert execution.result == [[0, failure, 2], failure, [0, failure, 2]]
    handed = durable.run(Reads, {"results": execution.outputs["each"]})
    assert handed.result == [0, failure, 2]


@pytest.mark.parametrize("fault", ["crash_before", "crash_after"])
@pytest.mark.parametrize("node", ["turns", "end"])
def test_a_large_output_of_a_parallel_is_what_the_loop_around_it_gives(durable, node, fault):
    class Turns(Workflow):
        with loop(until=lambda self: True) as turns:
            with parallel() as both:

                @step
                def left(self):
                    return "x" * BIG

                @step
                def right(self): ...

        @step
        def end(self):
            return len(self.outputs["turns"]["left"]), len(self.outputs["left"])

    with getattr(durable, fault)(getattr(Turns, node)):
        assert durable.run(Turns).result == (BIG, BIG)


def test_blocks_around_a_fork_give_what_it_gave(durable):
    class Around(Workflow):
        with parallel() as work:
            with sequence() as chain:

                @step
                def items(self):
                    return [1, 2]

                with foreach(items) as each:

                    @step
                    def give(self):
                        return self.item

            with branch(on=lambda self: 1) as way:
                with way.case(1):
                    with race() as first:

                        @step
                        def wins(self):
                            return "w" * BIG

        @step
        def end(self):
            work = self.outputs["work"]
            return [
                list(self.outputs["chain"]),
                list(work["chain"]),
                self.outputs["way"]["winner"],
                len(work["way"]["value"]),
                len(self.outputs["wins"]),
            ]

    with durable.crash_before(Around.end):
        assert durable.run(Around).result == [[1, 2], [1, 2], "wins", BIG, BIG]


def test_one_step_of_an_item_is_run_alone(durable):
    class Sends(Workflow):
        with foreach("people") as sending:
            with loop(until="done") as turns:
                with parallel() as both:

                    @step
                    def send(self):
                        self.context.append("sent", self.item["name"])
                        return self.index, self.iteration, self.idempotency_key.partition(":")[2]

    output, context = durable.run_step(Sends.send, item={"name": "ada"}, index=3, iteration=2)
    assert output == (3, 2, "sending[3]/turns[2]/both/send")
    assert context == {"sent": ["ada"]}
    with pytest.raises(TypeError):
        durable.run_step(Sends.send)
