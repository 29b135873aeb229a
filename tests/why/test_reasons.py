"""The reasons, from facts alone: what is ready, held, parked or rolled back, and why."""

import pytest

from durable_django.models import ExecutionStatus
from durable_django.why.facts import Act, Holder, MemberFacts, QueueFacts, StepFacts, WaitFacts

from .telling import ADA, BEFORE, LIVING, NOW, SOON, codes, event, only, told

# Ready


def test_what_is_ready_and_served_is_only_waiting_for_a_thread():
    reason = only("pending")
    assert (reason.code, reason.verb, reason.until) == ("ready", None, None)
    assert "as soon as one of its threads is free" in reason.text


def test_a_queue_that_no_living_worker_serves_is_named():
    reason = only("pending", queue=QueueFacts(name="mail", alive=3))
    assert reason.code == "no_worker"
    assert reason.text == "No living worker serves the queue “mail”: start one that does."
    assert reason.detail == {"queue": "mail", "alive": 3}


def test_that_no_worker_is_alive_at_all_is_said():
    reason = only("pending", queue=QueueFacts(name="mail"))
    assert reason.text == "No worker is alive: start one that serves the queue “mail”."


def test_a_paused_queue_is_told_with_who_paused_it_when_and_why():
    queue = QueueFacts(name="mail", served_by=("h:1",), alive=1, paused_at=BEFORE, paused=ADA)
    reason = only("pending", queue=queue)
    assert (reason.code, reason.verb) == ("queue_paused", "resume_queue")
    assert reason.text == (
        "Its queue “mail” is paused. That was ada, at 2030-01-31 09:55:00 UTC. "
        "The reason given: provider down"
    )


def test_nobody_has_to_have_said_anything_about_a_pause():
    silent = Act(by="", reason="", at=BEFORE)
    assert only("paused", paused=silent).text.endswith("That was at 2030-01-31 09:55:00 UTC.")
    assert only("paused").text.endswith("happens when it is resumed.")


def test_a_full_queue_is_told_with_its_limit():
    queue = QueueFacts(name="mail", served_by=("h:1",), alive=1, limit=2, held=2)
    reason = only("pending", queue=queue)
    assert (reason.code, reason.verb) == ("queue_full", "limit_queue")
    assert "2 of at most 2 are held" in reason.text
    with_room = QueueFacts(name="mail", served_by=("h:1",), alive=1, limit=2, held=1)
    assert codes("pending", queue=with_room) == ["ready"]


def test_several_things_may_hold_a_run_back_at_once():
    queue = QueueFacts(name="mail", paused_at=BEFORE)
    found = codes("pending", queue=queue, has_code=False, is_suspect=True)
    assert found == ["no_worker", "queue_paused", "code_missing", "suspect"]


def test_a_suspect_is_told_with_how_often_its_workers_died():
    reason = only("pending", is_suspect=True, recoveries=2, recoveries_max=5)
    assert reason.text.endswith("Workers died in this node 2 times; after 5 it fails.")
    assert "time;" in only("pending", is_suspect=True, recoveries=1, recoveries_max=5).text
    assert "died in this node" not in only("pending", is_suspect=True).text


# Held


def test_a_run_that_is_held_tells_by_whom_and_until_when_its_lease_runs():
    step = StepFacts(name="charge", status="running", attempt=2)
    reason = only("running", holder=LIVING, step=step)
    assert reason.code == "held"
    assert reason.text == (
        "Worker host:1 runs it. Its lease runs until 2030-01-31 10:00:27 UTC, and is renewed with "
        "each heartbeat. It is in attempt 2 at “charge”."
    )
    between = StepFacts(name="charge", status="completed", attempt=1)
    assert "attempt" not in only("running", holder=LIVING, step=between).text


@pytest.mark.parametrize(
    ("holder", "code"),
    [
        (Holder(name="h:1", status="alive", heartbeat_at=BEFORE), "worker_overdue"),
        (Holder(name="h:1", status="dead", heartbeat_at=NOW), "worker_gone"),
        (Holder(name="h:1", status="stopped", heartbeat_at=NOW), "worker_gone"),
        (Holder(name="h:1", status="gone"), "worker_gone"),
    ],
)
def test_a_worker_that_is_overdue_or_gone_is_told_with_what_becomes_of_what_it_held(holder, code):
    reason = only("running", holder=holder)
    assert (reason.code, reason.detail) == (code, {"worker": "h:1"})
    assert reason.text.endswith("Another worker takes it back at its next look.")
    alone = only("running", holder=holder, queue=QueueFacts(name="mail"))
    assert alone.text.endswith("No other worker is alive that could take it back: start one.")


def test_a_run_that_is_to_be_paused_says_so_while_it_runs():
    found = told("running", holder=LIVING, paused_at=BEFORE, paused=ADA)
    assert [reason.code for reason in found] == ["held", "pausing"]
    assert found[1].verb == "resume"
    assert "ada" in found[1].text


def test_a_suspect_that_runs_is_told_as_one():
    assert codes("running", holder=LIVING, is_suspect=True) == ["held", "suspect"]


# Parked


def test_a_run_that_is_scheduled_tells_for_when():
    reason = only("scheduled", scheduled_at=SOON)
    assert (reason.code, reason.until) == ("scheduled", SOON)
    assert reason.text == "It is scheduled for 2030-01-31 10:05:00 UTC."
    nobody = QueueFacts(name="mail")
    assert codes("scheduled", scheduled_at=SOON, queue=nobody) == ["scheduled", "no_worker"]
    assert codes("scheduled", scheduled_at=BEFORE, queue=nobody) == ["no_worker", "due"]


def test_a_retry_tells_what_failed_and_when_the_next_attempt_is():
    step = StepFacts(name="charge", status="failed", attempt=2, error="CardError")
    reason = only("sleeping", wake_at=SOON, step=step)
    assert (reason.code, reason.until, reason.verb) == ("next_retry", SOON, None)
    assert reason.text == (
        "Attempt 2 at “charge” failed with CardError; the next one is at 2030-01-31 10:05:00 UTC."
    )
    late = StepFacts(name="charge", status="timed_out", attempt=1)
    assert "failed with timed_out" in only("sleeping", wake_at=SOON, step=late).text


def test_a_sleep_tells_until_when():
    nap = WaitFacts(id=1, kind="sleep", node="pause", due_at=SOON)
    reason = only("sleeping", wake_at=SOON, waits=(nap,))
    assert (reason.code, reason.until, reason.verb) == ("sleeping", SOON, None)
    assert reason.text == "It sleeps at “pause”. It goes on at 2030-01-31 10:05:00 UTC."


def test_what_should_have_woken_is_due_and_needs_a_worker():
    assert codes("sleeping", wake_at=BEFORE) == ["due"]
    assert codes("sleeping", wake_at=BEFORE, queue=QueueFacts(name="q")) == ["no_worker", "due"]


def test_a_run_that_was_put_back_misses_the_code_of_its_version():
    reason = only("sleeping", wake_at=SOON)
    assert (reason.code, reason.until) == ("code_missing", SOON)
    assert "shop.Order version 2" in reason.text
    failed = StepFacts(name="charge", status="failed", attempt=1, error="E")
    assert codes("sleeping", wake_at=SOON, step=failed, has_code=False) == ["code_missing"]
    assert reason.detail == {"workflow": "shop.Order", "version": 2}


def test_a_fork_tells_how_many_members_are_left_and_how_many_failed():
    members = (
        MemberFacts(status="running", count=2, holder=LIVING),
        MemberFacts(status="sleeping", count=1, wakes_at=SOON),
        MemberFacts(status="running", count=1, holder=LIVING),
    )
    reason = only("waiting", remaining=4, failures=1, fork="sending", members=members)
    assert reason.code == "members"
    assert reason.text == (
        "It waits for 4 members of “sending”. 1 has failed. "
        "The next one that sleeps wakes at 2030-01-31 10:05:00 UTC."
    )
    assert reason.detail["statuses"] == {"running": 3, "sleeping": 1}
    assert "1 member of" in only("waiting", remaining=1, fork="sending").text


def test_members_that_are_ready_are_held_back_by_what_holds_their_queue_back():
    members = (MemberFacts(status="pending", count=2),)
    queue = QueueFacts(name="mail", served_by=("h:1",), alive=1, paused_at=BEFORE)
    facts = {"remaining": 2, "fork": "sending", "members": members}
    assert codes("waiting", queue=queue, **facts) == ["members", "queue_paused"]
    assert codes("waiting", **facts) == ["members", "ready"]


def test_members_whose_worker_is_overdue_are_told():
    overdue = Holder(name="h:2", status="alive", heartbeat_at=BEFORE)
    members = (MemberFacts(status="running", count=2, holder=overdue),)
    found = codes("waiting", remaining=2, fork="sending", members=members)
    assert found == ["members", "worker_overdue"]


def test_a_member_that_is_kept_back_waits_for_its_turn():
    assert codes("waiting", is_held_back=True, is_strand=True) == ["turn"]


def test_a_run_that_waits_for_nothing_is_about_to_be_woken():
    assert codes("waiting") == ["due"]


def test_a_paused_run_tells_who_paused_it_and_what_it_would_wait_for():
    found = told("paused", paused_at=BEFORE, paused=ADA, waits=(event(),))
    assert [(reason.code, reason.verb) for reason in found] == [
        ("paused", "resume"),
        ("waits_for_event", "send_event"),
    ]
    assert "ada" in found[0].text
    assert "provider down" in found[0].text


@pytest.mark.parametrize("status", ["pending", "sleeping", "waiting", "paused", "running"])
def test_a_workflows_own_timeout_is_told_last(status):
    found = told(status, timeout_at=SOON, waits=(event(),), wake_at=SOON, holder=LIVING)
    assert (found[-1].code, found[-1].until) == ("timeout", SOON)
    assert len(found) > 1


# Rollback


def test_a_rollback_tells_that_it_is_one_and_by_whom_it_is_driven():
    assert codes("compensating", holder=LIVING) == ["compensating", "held"]
    assert codes("compensating") == ["compensating", "ready"]
    paused = QueueFacts(name="mail", served_by=("h:1",), alive=1, paused_at=BEFORE)
    assert codes("compensating", queue=paused) == ["compensating", "queue_paused"]


def test_a_compensation_that_sleeps_or_is_retried_tells_until_when():
    step = StepFacts(name="refund", status="failed", attempt=1, error="Down")
    assert codes("compensating", wake_at=SOON, step=step) == ["compensating", "next_retry"]
    nap = WaitFacts(id=1, kind="sleep", node="refund", due_at=SOON)
    assert codes("compensating", wake_at=SOON, waits=(nap,)) == ["compensating", "sleeping"]
    assert codes("compensating", wake_at=BEFORE) == ["compensating", "due"]


def test_a_rollback_has_no_timeout():
    assert "timeout" not in codes("compensating", timeout_at=SOON)


# All


@pytest.mark.parametrize("status", ExecutionStatus.values)
def test_every_status_is_answered(status):
    found = told(status, scheduled_at=SOON, wake_at=SOON, holder=LIVING)
    assert bool(found) == (status != "completed")
    for reason in found:
        assert reason.text.endswith((".", "!")), reason.text


def test_names_that_are_hostile_are_made_printable_and_short():
    reason = only("waiting", waits=(event(name="\x1b[2J\u202epay" + "x" * 5000),))
    assert "\x1b" not in reason.text
    assert "\u202e" not in reason.text
    assert len(reason.text) < 600
