"""At which nodes a stopped run may go on, and as which visit."""

import pytest

from durable_django import Workflow, branch, foreach, loop, parallel, race, sequence, step
from durable_django.definition import registry
from durable_django.engine.flow import has_revisited
from durable_django.engine.going_on import can_go_on, go_on_at, places
from durable_django.engine.machine import Recorded, replay
from durable_django.engine.results import results_text
from durable_django.engine.state import RunState
from durable_django.models.ids import uuid7


@pytest.fixture(scope="module")
def definition():
    with registry.isolate():

        class Flow(Workflow):
            @step
            def begin(self): ...

            with loop(until="done") as polling:

                @step
                def poll(self): ...

                with branch(on="kind") as decide:
                    with decide.case(1):

                        @step
                        def left(self): ...

                    with decide.default():

                        @step
                        def other(self): ...

            with foreach("items") as each:

                @step
                def send(self): ...

                with race() as first:
                    with sequence() as member:

                        @step
                        def inner(self): ...

                    @step
                    def plain(self): ...

            with parallel() as work:

                @step
                def works(self): ...

    return Flow.definition


TOP = {"begin": "", "polling": "", "each": "", "work": ""}
IN_LOOP = {"poll": "polling[3]/", "decide": "polling[3]/"}
IN_BRANCH = {"left": "polling[3]/decide#2/", "other": "polling[3]/decide#2/"}


def strand(path, base, kind):
    fork = results_text(uuid7(), 2, kind)
    return RunState(path, base=base, inherited=RunState(f"{base}[]", fork=fork))


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("begin", TOP),
        ("gone", TOP),
        ("each[]", TOP),
        ("polling[3]", TOP),
        ("polling[3]/poll", TOP | IN_LOOP),
        ("polling[3]/gone", TOP | IN_LOOP),
        ("polling[3]/decide#2/left", TOP | IN_LOOP | IN_BRANCH),
        ("polling[3]/decide#2/gone/deeper", TOP | IN_LOOP | IN_BRANCH),
        ("polling[3]/poll/deeper", TOP | IN_LOOP),
        ("polling/poll", TOP),
        ("gone/poll", TOP),
        ("decide/left", TOP),
        ("begin/left", TOP),
    ],
)
def test_a_run_goes_on_outside_of_blocks_or_in_those_it_stands_in(definition, path, found):
    assert places(definition, RunState(path)) == found


@pytest.mark.parametrize(
    ("path", "base", "kind", "found"),
    [
        ("each[2]/send", "each", "foreach", {"send": "each[2]/", "first": "each[2]/"}),
        ("each[2]/gone", "each", "foreach", {"send": "each[2]/", "first": "each[2]/"}),
        ("each[2]/first[]", "each", "foreach", {"send": "each[2]/", "first": "each[2]/"}),
        (
            "each[2]/first/member/inner",
            "each[2]/first",
            "race",
            {"inner": "each[2]/first/member/"},
        ),
        ("each[2]/first/member/gone", "each[2]/first", "race", {"inner": "each[2]/first/member/"}),
        ("each[2]/first/plain", "each[2]/first", "race", {}),
        ("each[2]/first/gone/inner", "each[2]/first", "race", {}),
        ("each[2]/first/member[1]/inner", "each[2]/first", "race", {}),
        ("each[2]/send", "each", "parallel", {}),
        ("work[2]/works", "work", "foreach", {}),
        ("gone[2]/send", "gone", "foreach", {}),
        ("first/member/inner", "first", "race", {}),
    ],
)
def test_a_member_goes_on_inside_of_itself(definition, path, base, kind, found):
    assert places(definition, strand(path, base, kind)) == found


def test_where_it_stands_it_goes_on_as_it_is(definition):
    for path, name, prefix in (
        ("begin", "begin", ""),
        ("polling[3]/poll", "poll", "polling[3]/"),
        ("each[]", "each", ""),
    ):
        state = RunState(path, attempt=2, fork=results_text(uuid7(), 2) if "[]" in path else "")
        assert go_on_at(definition, state, name, prefix, [path]) is state


def test_a_block_of_another_kind_is_none_where_it_stands(definition):
    state = RunState("each[]", fork=results_text(uuid7(), 2, "parallel"))
    assert not can_go_on(definition, state)
    made = go_on_at(definition, state, "each", "", ["begin", "each"])
    assert (made.next_path, made.fork) == ("each#2", "")


def test_a_node_that_was_never_visited_is_visited_first(definition):
    state = RunState("gone", seq=3, attempt=2, context={"n": "1"}, outputs={"begin": "1"})
    made = go_on_at(definition, state, "polling", "", ["begin"])
    assert made == state._replace(
        next_path="polling[1]/poll",
        attempt=0,
        visits={"begin": 1, "polling": 1, "polling[1]/poll": 1},
    )
    assert not has_revisited(made.visits)


VISITED = [
    "begin",
    "polling[1]/poll",
    "polling[1]/decide",
    "polling[1]/decide/left",
    "polling[1]",
    "polling[2]/poll",
    "polling[2]/poll#2",
    "each",
    "each[]",
]


@pytest.mark.parametrize(
    ("name", "prefix", "path"),
    [
        ("begin", "", "begin#2"),
        ("polling", "", "polling#2[1]/poll"),
        ("each", "", "each#2"),
        ("work", "", "work"),
        ("poll", "polling[2]/", "polling[2]/poll#3"),
        ("decide", "polling[2]/", "polling[2]/decide"),
    ],
)
def test_a_node_that_was_visited_is_visited_anew(definition, name, prefix, path):
    assert go_on_at(definition, RunState("gone"), name, prefix, VISITED).next_path == path


def test_what_follows_is_visited_anew_too_and_replayed_so(definition):
    state = go_on_at(definition, RunState("each", seq=9), "begin", "", VISITED)
    assert has_revisited(state.visits)
    row = Recorded(10, "begin#2", "completed", 1, "null", "[]", "polling#2[1]/poll")
    after, _ = replay(state, [row])
    assert after.visits["polling"] == 2
    again = go_on_at(definition, after, "begin", "", [*VISITED, "begin#2"])
    assert again.next_path == "begin#3"
