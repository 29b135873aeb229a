"""The way through nested blocks: the machine's against a plain interpreter's, crashes included."""

from hypothesis import given, settings
from hypothesis import strategies as st

from durable_django.engine import machine
from durable_django.engine.machine import Outcome, Recorded
from durable_django.engine.state import RunState, from_snapshot, to_snapshot
from durable_django.engine.values import decode, encode

from .flows import Plan, trees

VISITS_MAX = 400


def replayed(definition, snapshot, rows):
    """The state that another worker would make from what is stored."""
    state = from_snapshot(snapshot) if snapshot else machine.initial_state(definition)
    state, running = machine.replay(state, rows, definition.has_jumps)
    assert running is None
    return state


@given(trees(), st.data())
@settings(max_examples=300)
def test_a_run_takes_the_way_that_a_person_would_whatever_crashes(tree, data):
    plan = Plan(tree)
    definition = plan.definition()
    result = plan.walk()
    state, snapshot, rows, visited = machine.initial_state(definition), "", [], []
    verdict = machine.CONTINUE
    while verdict == machine.CONTINUE:
        assert len(visited) < VISITS_MAX
        event = data.draw(st.sampled_from(["go on", "go on", "go on", "crash", "park"]))
        if event == "park":
            snapshot, rows = to_snapshot(state), []
        if event != "go on":
            state = replayed(definition, snapshot, rows)
        visit = machine.next_visit(definition, state)
        visited.append(visit.path)
        assert visit.path in plan.choices, f"{visit.path} is not to be visited"
        outcome = Outcome("completed", encode(plan.choices[visit.path], "output"))
        made = machine.advance(definition, state, visit, outcome)
        rows.append(
            Recorded(
                visit.seq,
                visit.path,
                "completed",
                visit.attempt,
                made.output,
                "[]",
                made.state.next_path,
                visit.node.kind,
            )
        )
        state, verdict = made.state, made.verdict
    assert verdict == machine.COMPLETE
    assert visited == plan.visited
    assert len(set(visited)) == len(visited), "each visit has a path of its own"
    assert decode(made.result) == result
    assert {name: decode(text) for name, text in state.outputs.items()} == plan.outputs
    again = replayed(definition, snapshot, rows)
    assert again.outputs == state.outputs
    assert isinstance(again, RunState)
