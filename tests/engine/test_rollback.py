"""Rollback without a database: which visits are undone, in what order, and what its state is."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_django.definition import registry
from durable_django.engine.context import Change
from durable_django.engine.machine import (
    COMPENSATION,
    COMPLETE,
    CONTINUE,
    RETRY,
    Outcome,
    Recorded,
    advance_rollback,
    replay,
    retry_delay,
    seq_of_outputs,
)
from durable_django.engine.rollback import (
    START,
    Completed,
    is_beside,
    is_from,
    merged_leniently,
    own_view,
    path_of,
    place_of,
    rounds_of,
    undo_of,
)
from durable_django.engine.state import RunState, from_snapshot, to_snapshot, undone
from durable_django.exceptions import Fatal, RetryAfter

RUN = UUID(int=1)
ALL = dict.fromkeys(("trip", "hotel", "pay", "turns", "both", "each", "way"), ...)


def row(path, kind="step", next_path="", base="", step_id=7):
    return Completed(step_id, RUN, path, kind, next_path, base)


def paths(*found):
    return [undo.path for undo in found]


# Which visits, in what order


@pytest.mark.parametrize(
    ("completed", "expected"),
    [
        (row("pay", next_path="trip"), ["pay"]),
        (row("other", next_path="pay"), []),
        (row("trip/pay", next_path="trip/hotel"), ["trip/pay"]),
        # The step that ends two blocks: the outer one completed last.
        (row("trip/hotel/pay", next_path="end"), ["trip", "trip/hotel", "trip/hotel/pay"]),
        (row("trip/hotel/pay"), ["trip", "trip/hotel", "trip/hotel/pay"]),
        (row("trip#2/pay#3", next_path="end"), ["trip#2", "trip#2/pay#3"]),
        # A choice, a test that goes on and a fork have completed nothing yet.
        (row("way", "branch", "way/pay"), []),
        (row("turns[2]", "loop", "turns[3]/pay"), []),
        (row("each", "foreach", "each[]"), []),
        # A branch skipped, a loop's last test, a foreach over nothing, a join.
        (row("way", "branch", "end"), ["way"]),
        (row("turns[2]", "loop", "end"), ["turns"]),
        (row("turns[2]/both[]", "parallel", "turns[2]"), ["turns[2]/both"]),
        (row("each", "foreach", "end"), ["each"]),
        (row("trip/each#2[]", "foreach", "end"), ["trip", "trip/each#2"]),
        # In a strand nothing beyond its fork has completed with it.
        (row("each[3]/hotel/pay", base="each"), ["each[3]/hotel", "each[3]/hotel/pay"]),
        (row("both/trip/pay", base="both"), ["both/trip", "both/trip/pay"]),
    ],
)
def test_what_a_visit_completed_is_undone_from_the_outside_in(completed, expected):
    assert paths(*undo_of(completed, ALL)) == expected


def test_only_what_has_a_compensation_is_undone():
    completed = row("trip/hotel/pay")
    assert paths(*undo_of(completed, {"hotel": ...})) == ["trip/hotel"]
    assert undo_of(completed, {}) == []


def test_the_path_of_a_compensation_names_the_visit_and_the_handler():
    (undo,) = undo_of(row("turns[3]/pay#2", next_path="turns[3]"), {"pay": ...})
    assert path_of(undo, "refund") == "turns[3]/pay#2~refund"


# Cursors


def test_a_cursor_names_a_step_run_and_a_node():
    (undo,) = undo_of(row("trip/pay", step_id=17), {"pay": ...})
    assert undo.cursor == "~17:pay"
    assert place_of(undo.cursor) == (17, "pay")
    assert place_of(START) is None


def rollback_of(*rows):
    return [undo for each in rows for undo in undo_of(each, ALL)]


ENTRIES = rollback_of(
    row("trip/hotel/pay", step_id=9),
    row("turns[2]", "loop", "trip", step_id=6),
    row("turns[2]/pay", next_path="turns[2]", step_id=5),
    row("turns[1]/pay", next_path="turns[1]", step_id=2),
)


def test_from_a_cursor_on_is_what_it_names_and_all_that_comes_after():
    assert len(ENTRIES) == 6
    assert [undo for undo in ENTRIES if is_from(undo, START)] == ENTRIES
    for at, undo in enumerate(ENTRIES):
        assert [other for other in ENTRIES if is_from(other, undo.cursor)] == ENTRIES[at:]


def test_a_cursor_of_a_node_that_has_no_compensation_any_more_leads_to_the_next():
    cursor = "~9:hotel"
    left = [undo for undo in ENTRIES if undo.node != "hotel" and is_from(undo, cursor)]
    assert paths(*left)[0] == "trip/hotel/pay"
    # Of a visit that has none at all, to the visits before it.
    left = [undo for undo in ENTRIES if undo.step_id != 9 and is_from(undo, cursor)]
    assert left == ENTRIES[3:]


# What a compensation sees

SEEN = {"room": '"two"', "n": "3", "log": "[1,2]"}


def test_a_strand_sees_what_it_had_set_itself_and_all_else_as_the_run_has_it():
    own = (
        Change("set", "room", '"one"'),
        Change("increment", "n", "1"),
        Change("append", "log", "1"),
        Change("delete", "gone", "null"),
    )
    assert own_view(SEEN, own, set()) == {**SEEN, "room": '"one"'}
    assert own_view(SEEN, own, {"room"}) == SEEN
    assert own_view(SEEN, (), set()) == SEEN


@pytest.mark.parametrize(
    ("path", "strand", "beside"),
    [
        ("nights[2]/book~unbook", "nights[1]", True),
        ("nights[12]/book~unbook", "nights[1]", True),
        ("nights[1]/book~unbook", "nights[1]", False),
        ("nights~off", "nights[1]", False),
        ("pay~refund", "nights[1]", False),
        ("both/hotel/room~unroom", "both/flight", True),
        ("both/flight~land", "both/flight", False),
        ("both/flight/seat~unseat", "both/flight", False),
        ("both~unboth", "both/flight", False),
        ("bothering/x~y", "both/flight", False),
        ("nights#2[1]/book~unbook", "nights[1]", False),
    ],
)
def test_a_compensation_is_beside_a_strand_if_it_is_another_member_of_its_fork(
    path, strand, beside
):
    assert is_beside(path, strand) is beside


def test_changes_of_members_that_do_not_fit_are_left_out_and_the_others_stay():
    changes = (
        Change("append", "n", "1"),
        Change("increment", "n", "2"),
        Change("increment", "room", "1"),
        Change("set", "late", "true"),
        Change("append", "log", "3"),
        Change("set", "big", "1e308"),
        Change("increment", "big", "1e308"),
    )
    expected = {**SEEN, "n": "5", "late": "true", "log": "[1,2,3]", "big": "1e308"}
    assert merged_leniently(SEEN, changes) == expected


@pytest.mark.parametrize(
    ("path", "plain", "with_jumps"),
    [
        ("pay", [], []),
        ("trip/pay", [], ["trip/"]),
        ("turns[3]/pay", ["turns[3]/"], ["turns[3]/"]),
        ("turns", [], []),
        (
            "turns[3]/trip/each[12]/pay",
            ["turns[3]/", "turns[3]/trip/each[12]/"],
            ["turns[3]/", "turns[3]/trip/", "turns[3]/trip/each[12]/"],
        ),
        ("trip#2/pay", [], ["trip#2/"]),
    ],
)
def test_the_turns_a_visit_took_part_in(path, plain, with_jumps):
    assert rounds_of(path, False) == plain
    assert rounds_of(path, True) == with_jumps


# The state


STATE = RunState("pay", 4, 0, {"n": "1"}, {"a": "1"}, last="a", undo="~7:pay")
CHANGES = (Change("set", "n", "2"),)
FAILED = {"type": "E", "message": "", "traceback": "", "node": "refund"}


def test_a_compensation_that_completed_changes_the_context_and_leads_to_the_next():
    made = advance_rollback(STATE, Outcome("completed", '"ok"', CHANGES), "~7:pay", "~5:book")
    assert (made.verdict, made.output) == (CONTINUE, '"ok"')
    assert made.state == STATE._replace(seq=5, context={"n": "2"}, undo="~5:book")


@pytest.mark.parametrize("status", ["failed", "timed_out"])
def test_one_that_failed_changes_nothing_and_leads_to_the_next_as_well(status):
    outcome = Outcome(status, changes=CHANGES, error=FAILED, fatal=True)
    made = advance_rollback(STATE._replace(attempt=2), outcome, "~7:pay", "~5:book")
    assert made.verdict == CONTINUE
    assert made.state == STATE._replace(seq=5, undo="~5:book", unrecovered=1)


@pytest.mark.parametrize("status", ["completed", "failed"])
def test_the_last_one_ends_the_rollback(status):
    made = advance_rollback(STATE, Outcome(status), "~7:pay", "")
    assert (made.verdict, made.state.undo) == (COMPLETE, "")
    assert made.state.unrecovered == (status == "failed")


@pytest.mark.parametrize("undo", [START, "~7:pay"])
def test_one_that_is_tried_again_stays_the_one_to_run(undo):
    outcome = Outcome("failed", error=FAILED, delay=2.5)
    made = advance_rollback(STATE._replace(undo=undo), outcome, "~7:pay", "~5:book")
    assert (made.verdict, made.delay) == (RETRY, 2.5)
    assert made.state == STATE._replace(seq=5, attempt=1)


def test_finishing_in_a_compensation_ends_no_run():
    made = advance_rollback(STATE, Outcome("completed", finish=True), "~7:pay", "~5:book")
    assert (made.verdict, made.state.undo) == (CONTINUE, "~5:book")


def test_a_change_that_does_not_fit_is_refused():
    with pytest.raises(TypeError):
        undone(STATE, "completed", (Change("append", "n", "1"),), "")
    assert undone(STATE, "failed", (Change("append", "n", "1"),), "").context == {"n": "1"}


def compensation(seq, status, next_path, changes="[]", path="pay~refund", attempt=1):
    return Recorded(seq, path, status, attempt, "null", changes, next_path, COMPENSATION)


def test_a_rollback_is_read_back_from_what_it_recorded():
    recorded = [
        compensation(5, "completed", "~5:book", '[["set","n",2]]'),
        compensation(6, "failed", "~3:turns", '[["set","n",9]]', "book#2~unbook"),
        compensation(7, "timed_out", "~1:first", path="turns[2]/turn#3~unturn"),
    ]
    for counts_visits in (False, True):
        state, started = replay(STATE, recorded, counts_visits)
        assert started is None
        assert state == STATE._replace(seq=7, context={"n": "2"}, undo="~1:first", unrecovered=2)
    running = compensation(8, "running", "first~undo", path="first~undo")
    state, started = replay(STATE, [*recorded, running], True)
    assert started == running
    assert (state.seq, state.undo) == (7, "~1:first")


def test_what_a_compensation_gives_is_nobodys_output():
    recorded = [
        Recorded(1, "pay", "completed", 1, "1", "[]", "end"),
        compensation(2, "completed", ""),
    ]
    assert seq_of_outputs(recorded) == {"pay": "1"}
    assert replay(RunState("pay"), recorded)[0].outputs == {"pay": "1"}


@given(st.sampled_from(["", START, "~1:pay", "~99999999999:n\u00fc"]), st.integers(0, 10**4))
def test_where_a_rollback_stands_is_kept_in_the_snapshot(undo, unrecovered):
    state = STATE._replace(undo=undo, unrecovered=unrecovered)
    text = to_snapshot(state)
    assert from_snapshot(text) == state
    assert ("undo" in text, "unrecovered" in text) == (bool(undo), bool(unrecovered))


# Retry


@pytest.fixture
def trip():
    from durable_django import Retry, Workflow, step

    with registry.isolate():

        class Trip(Workflow):
            class Meta:
                retry = Retry(9, backoff="constant", base=5)

            @step
            def plain(self): ...

            @plain.compensate
            def undo_plain(self): ...

            @step
            def stubborn(self): ...

            @stubborn.compensate(retry=Retry(2, backoff="constant", base=3))
            def undo_stubborn(self): ...

        yield Trip.definition


def test_the_retry_of_the_workflow_is_not_for_compensations(trip):
    handler = trip.compensations["plain"]
    assert retry_delay(trip, handler, 1, ValueError(), 0.0) is None
    assert retry_delay(trip, trip.nodes["plain"], 1, ValueError(), 0.0) == 5
    assert retry_delay(trip, handler, 50, RetryAfter(7), 0.0) == 7


def test_a_compensation_is_tried_as_often_as_it_declares(trip):
    handler = trip.compensations["stubborn"]
    assert retry_delay(trip, handler, 1, ValueError(), 0.0) == 3
    assert retry_delay(trip, handler, 2, ValueError(), 0.0) is None
    assert retry_delay(trip, handler, 1, Fatal("no"), 0.0) is None
    assert retry_delay(trip, handler, 1, RetryAfter(7), 0.0) == 7
    assert retry_delay(trip, handler, 2, RetryAfter(7), 0.0) is None
