"""What a block gives when its members have ended, and what their changes come to together."""

import pytest

from durable_django.engine import machine
from durable_django.engine.context import Change
from durable_django.engine.joining import Member, conflict, decides, join, members_of, merge
from durable_django.engine.machine import Outcome, Visit
from durable_django.engine.results import MemberFailure
from durable_django.engine.state import RunState
from durable_django.engine.values import decode
from durable_django.exceptions import ContextConflict

from .shapes import drawn

STEP = ("step",)
FORK = '{"$":["results","00000000-0000-0000-0000-000000000007",4,"parallel"]}'


def block_of(*tree):
    """The block of a workflow that holds nothing else."""
    return drawn((tree,)).definition.nodes["n0"]


def parallel_of(on_error="fail_fast"):
    return block_of("parallel", on_error, (STEP, STEP, STEP))


def foreach_of(on_error="fail_fast", tolerate=None):
    return block_of("foreach", 4, None, on_error, tolerate, (STEP,))


RACE = block_of("race", (STEP, STEP, STEP))


def done(name, output="null", *changes, **given):
    return Member(f"n0/{name}", "completed", output, changes=changes, **given)


def failed(name, ended, **given):
    error = {"type": "ValueError", "message": name, "traceback": "", "node": name}
    return Member(f"n0/{name}", "failed", error=error, ended=ended, **given)


def joined(block, *members, count=None):
    failures = sum(member.status == "failed" for member in members)
    return join(block, FORK, members, len(members) if count is None else count, failures)


# Which members there are


def test_the_members_of_a_parallel_are_its_children_and_of_a_foreach_its_items():
    assert members_of(parallel_of(), "n0#2", []) == (
        ("n0#2/n1", "null"),
        ("n0#2/n2", "null"),
        ("n0#2/n3", "null"),
    )
    assert members_of(foreach_of(), "n9[2]/n0", ['"ada"', "7"]) == (
        ("n9[2]/n0[0]", '"ada"'),
        ("n9[2]/n0[1]", "7"),
    )
    assert members_of(foreach_of(), "n0", []) == ()


def test_a_member_is_called_by_the_end_of_its_path():
    assert Member("n9[2]/n0/n1", "completed").name == "n1"
    assert Member("n9[2]/n0[17]", "completed").name == "n0[17]"


# When a block may be decided


@pytest.mark.parametrize(
    ("block", "completed", "decided"),
    [
        (parallel_of(), True, False),
        (parallel_of(), False, True),
        (parallel_of("collect"), False, False),
        (foreach_of(), False, True),
        (foreach_of("fail_fast", 3), False, True),
        (foreach_of("collect", 0), False, False),
        (RACE, True, True),
        (RACE, False, False),
        (None, False, True),
        (None, True, False),
    ],
)
def test_the_end_of_a_member_may_end_the_block(block, completed, decided):
    assert decides(block, completed) is decided


# What it gives


def test_a_parallel_gives_what_its_members_gave_in_the_order_they_stand():
    outcome = joined(parallel_of(), done("n1", "1"), done("n2", '[2,"b"]'), done("n3"))
    assert (outcome.status, outcome.finish, outcome.members) == ("completed", False, ())
    assert list(decode(outcome.output).items()) == [("n1", 1), ("n2", [2, "b"]), ("n3", None)]


def test_a_member_that_failed_is_a_failure_among_the_outputs():
    outcome = joined(parallel_of("collect"), done("n1", "1"), failed("n2", 1), failed("n3", 2))
    assert decode(outcome.output) == {
        "n1": 1,
        "n2": MemberFailure("ValueError", "n2"),
        "n3": MemberFailure("ValueError", "n3"),
    }


def test_a_parallel_fails_with_the_error_of_the_member_that_ended_it():
    outcome = joined(parallel_of(), done("n1"), failed("n3", 1), count=3)
    assert (outcome.status, outcome.error["message"]) == ("failed", "n3")
    assert (outcome.fatal, outcome.delay, outcome.changes) == (False, None, ())


def test_an_error_that_is_never_retried_stays_one():
    assert joined(parallel_of(), failed("n1", 1, fatal=True)).fatal is True


def test_a_foreach_gives_where_its_results_stand_whatever_its_members_gave():
    assert joined(foreach_of(), count=4).output == FORK
    outcome = joined(foreach_of("collect"), done("x", "5", Change("set", "k", "1")), count=4)
    assert (outcome.output, outcome.changes) == (FORK, (Change("set", "k", "1"),))
    assert (dict(outcome.gave), dict(outcome.gave_references)) == ({}, {})


@pytest.mark.parametrize(
    ("tolerate", "count", "borne"),
    [
        (0, 4, 0),
        (1, 4, 1),
        (3, 4, 3),
        (0.0, 4, 0),
        (0.5, 4, 2),
        (0.5, 5, 2),
        (0.29, 100, 29),
        (0.1, 9, 0),
        (0.75, 4, 3),
    ],
)
@pytest.mark.parametrize("on_error", ["fail_fast", "collect"])
def test_as_many_failures_are_borne_as_are_tolerated_and_no_more(on_error, tolerate, count, borne):
    block = foreach_of(on_error, tolerate)
    first, last = failed("first", 1), failed("last", 2)
    assert join(block, FORK, [last, first], count, borne).status == "completed"
    outcome = join(block, FORK, [last, first], count, borne + 1)
    assert outcome.status == "failed"
    decided = "last" if on_error == "fail_fast" else "first"
    assert outcome.error["message"] == decided


def test_more_may_be_tolerated_than_there_are():
    for on_error in ("fail_fast", "collect"):
        assert join(foreach_of(on_error, 9), FORK, [failed("a", 1)], 4, 4).status == "completed"


def test_without_tolerate_fail_fast_bears_none_and_collect_bears_all():
    assert joined(foreach_of("fail_fast"), failed("a", 1)).status == "failed"
    assert joined(foreach_of("collect"), *[failed("a", n) for n in range(4)]).output == FORK


@pytest.mark.parametrize("block", [parallel_of("collect"), foreach_of("collect"), RACE])
def test_a_member_whose_code_has_changed_is_no_failure_to_be_borne(block):
    error = {"type": "DefinitionChanged", "message": "gone", "traceback": "", "node": "n1"}
    outcome = joined(block, done("n1"), failed("n2", 1), failed("n3", 2)._replace(error=error))
    assert (outcome.status, outcome.error, outcome.fatal) == ("failed", error, True)


def test_a_race_gives_its_winner():
    change = Change("set", "k", "1")
    outcome = joined(RACE, failed("n1", 1), done("n2", '{"a":[1]}', change), count=3)
    assert decode(outcome.output) == {"winner": "n2", "value": {"a": [1]}}
    assert outcome.changes == (change,)


def test_a_race_that_all_have_lost_fails_with_the_first_error():
    outcome = joined(RACE, failed("n1", 3), failed("n2", 1, fatal=True), failed("n3", 2))
    assert (outcome.status, outcome.error["message"], outcome.fatal) == ("failed", "n2", True)


def test_nodes_inside_members_that_completed_are_seen_behind_the_block():
    lost = failed("n3", 1, outputs={"d": "4"}, references={"e": "x:5"})
    members = [
        done("n1", outputs={"a": "1", "b": "2"}, references={"c": "x:3"}),
        done("n2", outputs={"b": "9"}),
        lost,
    ]
    outcome = joined(parallel_of("collect"), *members)
    assert (outcome.gave, outcome.gave_references) == ({"a": "1", "b": "9"}, {"c": "x:3"})
    outcome = joined(RACE, members[0], lost)
    assert (outcome.gave, outcome.gave_references) == ({"a": "1", "b": "2"}, {"c": "x:3"})


def test_what_members_gave_takes_the_place_of_what_was_known_under_that_name():
    workflow = drawn((("parallel", "fail_fast", (STEP, STEP)), STEP)).definition
    before = RunState("n0[]", 3, outputs={"n1": "1", "a": "7"}, references={"n2": "2"}, fork=FORK)
    outcome = Outcome("completed", "{}", gave={"n2": "5"}, gave_references={"n1": "x:9"})
    visit = machine.next_visit(workflow, before)
    assert visit == Visit(workflow.nodes["n0"], "n0[]", 4, 1)
    assert visit.joins
    made = machine.advance(workflow, before, visit, outcome)
    assert made.state.outputs == {"a": "7", "n0": "{}", "n2": "5"}
    assert made.state.references == {"n1": "x:9"}
    assert (made.state.fork, made.state.next_path) == ("", "n3")


# Changes of several members


def test_changes_are_merged_in_the_order_of_the_members():
    members = [
        done("b", "1", Change("append", "found", "1"), Change("increment", "n", "2")),
        done("a", "1", Change("increment", "n", "-5"), Change("set", "k", "1")),
        done("c", "1", Change("append", "found", "2,3"), Change("set", "k", "2")),
    ]
    assert merge(members) == (
        Change("append", "found", "1,2,3"),
        Change("increment", "n", "-3"),
        Change("set", "k", "2"),
    )
    assert merge([done("a"), done("b")]) == merge([]) == ()


def test_an_operation_that_does_not_fit_what_another_member_set_is_refused():
    members = [
        done("a", "1", Change("set", "n", '"text"')),
        done("b", "1", Change("increment", "n", "1")),
    ]
    with pytest.raises(TypeError, match="cannot increment 'text' by 1"):
        merge(members)


SET_1, SET_2 = Change("set", "k", "1"), Change("set", "k", "2")
APPEND, COUNT, DELETE = (
    Change("append", "k", "1"),
    Change("increment", "k", "1"),
    Change("delete", "k", "null"),
)


@pytest.mark.parametrize(
    "changes",
    [
        ((SET_1,), (SET_1,)),
        ((DELETE,), (DELETE,)),
        ((APPEND,), (APPEND,)),
        ((COUNT,), (COUNT,), (COUNT,)),
        ((SET_1,), (COUNT,)),
        ((SET_1,), (Change("set", "other", "2"),)),
        ((COUNT, SET_2), ()),
    ],
)
def test_nothing_is_lost_where_members_agree_or_add(changes):
    assert conflict([done(f"m{n}", "1", *each) for n, each in enumerate(changes)]) is None


@pytest.mark.parametrize(
    "changes",
    [
        ((SET_1,), (SET_2,)),
        ((SET_1,), (), (SET_2,)),
        ((SET_1,), (DELETE,)),
        ((DELETE,), (SET_1,)),
        ((APPEND,), (SET_1,)),
        ((COUNT,), (SET_1,)),
        ((COUNT,), (DELETE,)),
        ((SET_1,), (COUNT,), (SET_1,)),
    ],
)
def test_a_value_that_one_member_takes_away_from_another_is_a_conflict(changes):
    found = conflict([done(f"m{n}", "1", *each) for n, each in enumerate(changes)])
    assert isinstance(found, ContextConflict)
    told = [f"m{n}" for n, each in enumerate(changes) if each]
    assert f'context["k"] by {", ".join(told)}' in str(found)


def test_a_conflict_of_many_members_names_some_of_them():
    members = [done(f"m{n}", "1", Change("set", "k", str(n))) for n in range(30)]
    assert str(conflict(members)).endswith("m7, m8 and 21 more")
