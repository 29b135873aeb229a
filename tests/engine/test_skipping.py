"""What can be skipped of a state, and what state it then is."""

# ruff: noqa: SIM117  one with per block is how a workflow is written

import pytest

from durable_django import (
    DefinitionChanged,
    Workflow,
    branch,
    decision,
    foreach,
    loop,
    parallel,
    sequence,
    step,
)
from durable_django.definition import registry
from durable_django.engine.context import Change, encode_changes
from durable_django.engine.machine import COMPLETE, CONTINUE, Outcome, Recorded, replay
from durable_django.engine.results import results_text
from durable_django.engine.skipping import fitting, skip, skippable, stands_at_fork
from durable_django.engine.state import RunState
from durable_django.models.ids import uuid7


@pytest.fixture(scope="module")
def definition():
    with registry.isolate():

        class Flow(Workflow):
            @step
            def begin(self): ...

            with loop(until="done") as polling:
                with branch(on="kind") as decide:
                    with decide.case(1, "one"):
                        with sequence() as both:

                            @step
                            def left(self): ...

                            @step
                            def right(self): ...

                    with decide.default():

                        @step
                        def other(self): ...

                @decision(to=["decide"])
                def again(self): ...

            with foreach("items") as each:
                with parallel() as members:
                    with sequence() as member:

                        @step
                        def inner(self): ...

                    @step
                    def plain(self): ...

                @step
                def behind(self): ...

    return Flow.definition


FORK = results_text(uuid7(), 2, "foreach")
MEMBERS = results_text(uuid7(), 2, "parallel")


def strand(path, base, fork=FORK):
    return RunState(path, base=base, inherited=RunState(f"{base}[]", fork=fork))


@pytest.mark.parametrize(
    ("state", "paths"),
    [
        (RunState("begin"), ["begin"]),
        (RunState("polling[2]"), ["polling[2]"]),
        (RunState("polling[2]/decide"), ["polling[2]/decide", "polling[2]"]),
        (
            RunState("polling[2]/decide/both/left"),
            [
                "polling[2]/decide/both/left",
                "polling[2]/decide/both",
                "polling[2]/decide",
                "polling[2]",
            ],
        ),
        (RunState("each"), ["each"]),
        (RunState("each[]", fork=FORK), ["each[]"]),
        (strand("each[1]/behind", "each"), ["each[1]/behind"]),
        (strand("each[1]/members", "each"), ["each[1]/members"]),
        (
            strand("each[1]/members/member/inner", "each[1]/members", MEMBERS),
            ["each[1]/members/member/inner", "each[1]/members/member"],
        ),
        (strand("each[1]/members/plain", "each[1]/members", MEMBERS), ["each[1]/members/plain"]),
    ],
    ids=lambda given: given.next_path if isinstance(given, RunState) else "",
)
def test_a_visit_can_be_skipped_and_the_blocks_around_it_up_to_its_strand(definition, state, paths):
    assert list(skippable(definition, state)) == paths


@pytest.mark.parametrize("path", ["gone", "begin/left", "polling[1]/left"])
def test_nothing_of_a_node_that_is_gone_or_elsewhere_can_be_skipped(definition, path):
    with pytest.raises(DefinitionChanged):
        skippable(definition, RunState(path))


@pytest.mark.parametrize(
    ("state", "path", "value", "onward"),
    [
        (RunState("begin"), "begin", 7, "polling[1]/decide"),
        (RunState("polling[2]"), "polling[2]", True, "each"),
        (RunState("polling[2]/decide"), "polling[2]/decide", 1, "polling[2]/decide/both/left"),
        (RunState("polling[2]/decide"), "polling[2]/decide", "one", "polling[2]/decide/both/left"),
        (RunState("polling[2]/decide"), "polling[2]/decide", "default", "polling[2]/decide/other"),
        (RunState("polling[2]/decide"), "polling[2]/decide", None, "polling[2]/again"),
        (RunState("polling[2]/decide"), "polling[2]", "end", "each"),
        (RunState("polling[2]/again"), "polling[2]/again", None, "polling[2]"),
        (RunState("polling[2]/decide/both/left"), "polling[2]/decide/both", 1, "polling[2]/again"),
        (RunState("each"), "each", [], ""),
        (RunState("each[]", fork=FORK), "each[]", [], ""),
        (strand("each[1]/behind", "each"), "each[1]/behind", 1, ""),
        (strand("each[1]/members[]", "each"), "each[1]/members[]", 1, "each[1]/behind"),
    ],
    ids=lambda given: given.next_path if isinstance(given, RunState) else str(given),
)
def test_where_a_run_goes_on_behind_what_is_skipped(definition, state, path, value, onward):
    made = skip(definition, state, path, value, Outcome("completed", '"given"'))
    assert made.state.next_path == onward
    assert made.verdict == (CONTINUE if onward else COMPLETE)
    assert (made.state.seq, made.state.attempt, made.state.fork) == (state.seq + 1, 0, "")


def test_a_jump_counts_as_a_visit(definition):
    state = RunState("polling[2]/again", visits={"polling": 1, "polling[2]/decide": 1})
    made = skip(definition, state, "polling[2]/again", "decide", Outcome("completed", '"decide"'))
    assert made.state.next_path == "polling[2]/decide#2"
    assert made.state.outputs == {"again": '"decide"'}


def test_what_is_recorded_of_a_skipped_visit_is_replayed_to_the_same_state(definition):
    state = RunState("each[]", seq=4, fork=FORK, context={"n": "1"}, attempt=2)
    changes = (Change("increment", "n", "2"),)
    made = skip(definition, state, "each[]", 0, Outcome("completed", '"none"', changes))
    row = Recorded(
        seq=5,
        path="each[]",
        status="skipped",
        attempt=3,
        output=made.output,
        changes=encode_changes(changes),
        next_path=made.state.next_path,
        kind="foreach",
    )
    assert replay(state, [row]) == (made.state, None)
    assert (made.state.outputs, made.state.context) == ({"each": '"none"'}, {"n": "3"})


def test_of_changes_that_do_not_go_together_the_first_stay():
    changes = (
        Change("set", "n", "1"),
        Change("append", "n", "2"),
        Change("increment", "n", "3"),
        Change("append", "m", "4"),
    )
    assert fitting({}, changes) == (Change("set", "n", "4"), Change("append", "m", "4"))
    assert fitting({"m": '"text"'}, changes[2:]) == (Change("increment", "n", "3"),)


def test_who_stands_at_a_join_stands_at_its_fork():
    assert stands_at_fork(RunState("each[]", fork=FORK))
    assert not stands_at_fork(RunState("each"))
