"""The reasons of runs that have ended: how, and how they go on."""

import pytest

from .telling import ADA, SOON, only, told


def test_a_failed_run_tells_where_and_how_it_can_go_on():
    error = {"type": "CardError", "message": "no <b>money</b>", "node": "charge"}
    reason = only("failed", error=error)
    assert (reason.code, reason.verb) == ("failed", "retry")
    assert reason.text.startswith("It failed at “charge” with CardError. Retry it")
    assert reason.detail == {"type": "CardError", "node": "charge"}
    assert "money" not in reason.text, "the message may hold what is masked"
    assert only("failed").text.startswith("It failed. ")
    assert only("failed", error={"type": "E", "node": None}).text.startswith("It failed with E.")


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("DefinitionChanged", "definition_changed"),
        ("NonDeterministicStep", "waits_changed"),
        ("WorkerLost", "worker_lost"),
        ("WorkflowTimeout", "timed_out"),
    ],
)
def test_a_failure_of_its_own_kind_tells_what_to_do_first(kind, code):
    reason = only("failed", error={"type": kind, "node": "charge"})
    assert (reason.code, reason.verb) == (code, "retry")
    assert reason.detail.get("forget_waits", False) == (kind == "NonDeterministicStep")


def test_a_strand_that_failed_is_its_runs_affair():
    reason = only("failed", is_strand=True, error={"type": "DefinitionChanged", "node": "n"})
    assert (reason.code, reason.verb) == ("failed", None)
    assert only("cancelled", is_strand=True).verb is None


def test_a_cancelled_run_tells_who_cancelled_it_and_goes_on_by_a_retry():
    reason = only("cancelled", cancelled=ADA, cancel_reason="provider down")
    assert (reason.code, reason.verb) == ("cancelled", "retry")
    assert reason.text.count("provider down") == 1
    assert "ada" in reason.text
    assert "its caller has ended" in only("cancelled", cancel_reason="its caller has ended").text


def test_what_was_undone_can_only_be_run_again():
    reason = only("compensated", error={"type": "CardError", "node": "charge"})
    assert (reason.code, reason.verb) == ("compensated", "rerun")
    assert reason.text.startswith("It failed at “charge” with CardError.")
    assert "ada" in only("compensated", cancelled=ADA).text


def test_what_could_not_be_undone_is_for_people():
    reason = only("compensation_failed", error={"type": "E", "node": "charge"})
    assert (reason.code, reason.verb) == ("compensation_failed", None)
    assert "by hand" in reason.text


def test_a_completed_run_has_nothing_to_explain():
    assert told("completed", timeout_at=SOON) == []
