"""The reasons of runs that wait: for what, until when, and what happens then."""

from datetime import timedelta
from uuid import UUID

import pytest

from .telling import NOW, SOON, codes, event, only, told


def test_a_run_that_waits_for_an_event_tells_what_happens_when_it_does_not_come():
    reason = only("waiting", waits=(event(key="inv_1", due_at=SOON),))
    assert (reason.code, reason.verb, reason.until) == ("waits_for_event", "send_event", SOON)
    assert reason.text == (
        "It waits for the event “payment”. Its key is “inv_1”. "
        "From 2030-01-31 10:05:00 UTC on that is a WaitTimeout."
    )
    given = only("waiting", waits=(event(due_at=SOON, has_timeout_value=True),))
    assert given.text.endswith("it goes on with the value for that case.")
    assert only("waiting", waits=(event(),)).text.endswith("It waits as long as it takes.")
    assert reason.detail["wait"] == 7
    assert reason.detail["name"] == "payment"


@pytest.mark.parametrize(("kind", "word"), [("any", "any of"), ("all", "all of")])
def test_several_events_are_named(kind, word):
    reason = only("waiting", waits=(event(kind=kind, name="", names=("paid", "void")),))
    assert f"It waits for {word} the events “paid”, “void”." in reason.text
    assert (reason.code, reason.verb) == (f"waits_for_{kind}", "send_event")


@pytest.mark.parametrize(
    ("assignee_kind", "words"),
    [
        ("user", "Only the user ada may."),
        ("group", "Only members of the group ada may."),
        ("permission", "Only who has the permission ada may."),
        ("", "It waits as long"),
    ],
)
def test_an_input_tells_who_may_answer(assignee_kind, words):
    wait = event(kind="input", name="manager", assignee_kind=assignee_kind, assignee="ada")
    reason = only("waiting", waits=(wait,))
    assert (reason.code, reason.verb) == ("waits_for_input", "answer")
    assert "It waits for somebody to answer “manager”." in reason.text
    assert words in reason.text


def test_an_answer_that_is_still_to_be_told_needs_nobody():
    reason = only("waiting", waits=(event(kind="input", name="manager", is_answered=True),))
    assert (reason.code, reason.verb, reason.until) == ("answered", None, None)


def test_a_callback_waits_for_an_outside_system():
    reason = only("waiting", waits=(event(kind="callback", name="bank"),))
    assert (reason.code, reason.verb) == ("waits_for_callback", None)
    assert "call back “bank”" in reason.text


def test_a_called_workflow_is_named_with_its_status():
    child = UUID(int=5)
    call = event(kind="call", name="shop.Pay", child_id=child, child_status="running")
    reason = only("waiting", waits=(call,))
    assert (reason.code, reason.verb) == ("waits_for_call", None)
    assert reason.text == (
        "It waits for the workflow “shop.Pay” that it called. That run is running."
    )
    assert reason.detail["child"] == child
    gone = event(kind="call", name="shop.Pay", child_id=child)
    assert only("waiting", waits=(gone,)).text.endswith("That run is gone.")


def test_members_that_wait_for_the_same_share_a_sentence_and_the_nearest_time():
    waits = [event(id=n, due_at=NOW + timedelta(hours=9 - n)) for n in range(3)]
    waits += [event(id=9, name="other"), event(id=10, due_at=None)]
    found = told("waiting", waits=tuple(waits))
    assert [(reason.detail["name"], reason.detail["count"]) for reason in found] == [
        ("payment", 4),
        ("other", 1),
    ]
    assert found[0].until == NOW + timedelta(hours=7)
    assert found[0].detail["wait"] == 2
    assert "4 members wait for that." in found[0].text


def test_two_called_workflows_are_two_reasons():
    calls = [event(id=n, kind="call", name="pay", child_id=UUID(int=n)) for n in (1, 2)]
    assert codes("waiting", waits=tuple(calls)) == ["waits_for_call"] * 2
