"""Runs that are skipped and sent elsewhere at random, whatever crashes: the laws of visits hold."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from durable_django.engine import machine
from durable_django.engine.going_on import go_on_at, places
from durable_django.engine.machine import Outcome, Recorded
from durable_django.engine.skipping import skip, skippable
from durable_django.engine.state import to_snapshot
from durable_django.engine.values import encode

from .flows import Plan, trees
from .test_flow import replayed

STEPS_MAX = 60
EVENTS = ["go on"] * 6 + ["crash", "park", "skip", "skip block", "elsewhere", "retry"]


class Driven:
    """One run in memory, with what is stored of it: a snapshot and the step runs behind that."""

    def __init__(self, tree: Any, draw: Any) -> None:
        self.definition = Plan(tree).definition()
        self.draw = draw
        self.state = machine.initial_state(self.definition)
        self.snapshot = ""
        self.rows: list[Recorded] = []
        self.all: list[Recorded] = []
        self.verdict = machine.CONTINUE
        # What is through. A block that is skipped as a whole has the path of its choice, or test.
        self.visits: list[str] = []

    def choice(self, node: Any, path: str) -> Any:
        """What the node may give there. Loops end after their second iteration."""
        if node.kind == "loop":
            return "[3]" not in path and self.draw(st.booleans())
        if node.kind == "branch":
            return self.draw(st.sampled_from([None, *(case.label for case in node.cases)]))
        if node.kind == "decision":
            return self.draw(st.sampled_from([None, None, *node.to]))
        return path

    def record(self, made: machine.Transition, path: str, kind: str, status: str) -> None:
        row = Recorded(
            self.state.seq + 1,
            path,
            status,
            self.state.attempt + 1,
            made.output,
            "[]",
            made.state.next_path,
            kind,
        )
        self.rows.append(row)
        self.all.append(row)
        if path == self.state.next_path:
            self.visits.append(path)
        self.state, self.verdict = made.state, made.verdict

    def go_on(self) -> None:
        visit = machine.next_visit(self.definition, self.state)
        text = encode(self.choice(visit.node, visit.path), "output")
        made = machine.advance(self.definition, self.state, visit, Outcome("completed", text))
        self.record(made, visit.path, visit.node.kind, "completed")

    def park(self) -> None:
        self.snapshot, self.rows = to_snapshot(self.state), []

    def crash(self) -> None:
        self.state = replayed(self.definition, self.snapshot, self.rows)

    def skip(self, *, own: bool) -> None:
        found = skippable(self.definition, self.state)
        path = next(iter(found)) if own else self.draw(st.sampled_from(list(found)))
        value = self.choice(found[path], path)
        given = Outcome("completed", encode(value, "value"))
        made = skip(self.definition, self.state, path, value, given)
        self.record(made, path, found[path].kind, "skipped")
        self.park()

    def elsewhere(self) -> None:
        found = places(self.definition, self.state)
        name = self.draw(st.sampled_from(sorted(found)))
        visited = [row.path for row in self.all]
        self.state = go_on_at(self.definition, self.state, name, found[name], visited)
        self.park()

    def retry(self) -> None:
        """As a store reopens a run that failed: whatever is counted is kept."""
        row = Recorded(self.state.seq + 1, self.state.next_path, "failed", 1, "null", "[]", "")
        self.all.append(row)
        self.rows.append(row)
        self.state = replayed(self.definition, self.snapshot, self.rows)
        self.state = self.state._replace(attempt=0)
        self.park()


@given(trees(), st.data())
@settings(max_examples=300)
def test_no_visit_is_made_twice_and_what_is_stored_gives_the_same_way(tree, data):
    run = Driven(tree, data.draw)
    while run.verdict == machine.CONTINUE and len(run.all) < STEPS_MAX:
        event = data.draw(st.sampled_from(EVENTS))
        if event == "skip":
            run.skip(own=True)
        elif event == "skip block":
            run.skip(own=False)
        elif event == "elsewhere":
            run.elsewhere()
        elif event == "retry":
            run.retry()
        elif event == "park":
            run.park()
        elif event == "crash":
            run.crash()
        else:
            run.go_on()
        if run.verdict != machine.CONTINUE:
            break
        again = replayed(run.definition, run.snapshot, run.rows)
        assert again.next_path == run.state.next_path
        assert (again.outputs, again.seq) == (run.state.outputs, run.state.seq)
    assert len(set(run.visits)) == len(run.visits), "each visit has a path of its own"
