"""The reasons, from facts alone, where the cluster of another engine carries the runs."""

from dataclasses import replace
from datetime import timedelta

import pytest

from durable_django.why.facts import ClusterFacts, Holder, MemberFacts, QueueFacts

from .telling import BEFORE, NOW, SERVED, SOON, codes, only, told

HEAVY = ClusterFacts(name="heavy", start="Q_CLUSTER_NAME=heavy manage.py qcluster", processes=3)
JUST_NOW = NOW - timedelta(seconds=4)
HANDED = replace(HEAVY, ready_at=JUST_NOW, handed_over_at=JUST_NOW, idle=1)
LATE = replace(HANDED, ready_at=BEFORE, handed_over_at=NOW - timedelta(seconds=6), idle=3)
UNKEPT = replace(SERVED, is_kept=False)


def test_what_was_handed_over_tells_when_and_how_many_processes_could_take_it():
    reason = only("pending", cluster=HANDED)
    assert (reason.code, reason.verb) == ("handed_over", None)
    assert reason.text == (
        "It was handed to the cluster “heavy” at 2030-01-31 09:59:56 UTC, and no process of it has "
        "taken it yet. The cluster has 3 processes; idle: 1."
    )
    assert reason.detail == {"cluster": "heavy", "processes": 3, "idle": 1}
    one = only("pending", cluster=replace(HANDED, processes=1, idle=0))
    assert one.text.endswith("The cluster has 1 process; idle: 0.")


def test_a_cluster_that_leaves_it_for_long_though_it_is_idle_is_to_be_restarted():
    assert only("pending", cluster=LATE).text.endswith("restart the cluster.")
    for change in ({"idle": 2}, {"ready_at": JUST_NOW}, {"handed_over_at": JUST_NOW}):
        assert "restart" not in only("pending", cluster=replace(LATE, **change)).text


def test_what_has_not_been_handed_over_waits_for_room():
    reason = only("pending", cluster=HEAVY)
    assert reason.code == "not_handed_over"
    assert reason.text == (
        "It is handed to the cluster “heavy” when there is room: it has as many runs as its 3 "
        "processes can begin soon."
    )
    assert "its 1 process can" in only("pending", cluster=replace(HEAVY, processes=1)).text


@pytest.mark.parametrize(
    ("start", "text"),
    [
        (HEAVY.start, "No process of the cluster “heavy” is alive: start one with Q_CLUSTER_NAME="),
        ("", "No process of the cluster “heavy” is alive: start one."),
    ],
)
def test_a_cluster_without_processes_is_to_be_started(start, text):
    nobody = QueueFacts(name="mail", alive=1)
    cluster = ClusterFacts(name="heavy", start=start)
    reason = only("pending", queue=nobody, cluster=cluster)
    assert reason.code == "no_process"
    assert reason.text.startswith(text)
    assert reason.detail == {"cluster": "heavy", "start": start}
    assert codes("sleeping", wake_at=BEFORE, queue=nobody, cluster=cluster) == ["no_process", "due"]


def test_threads_that_serve_the_queue_beside_a_cluster_take_it_too():
    assert codes("pending", cluster=ClusterFacts(name="heavy")) == ["ready"]


def test_what_holds_it_back_is_told_instead_of_the_cluster():
    paused = replace(SERVED, paused_at=BEFORE)
    assert codes("pending", queue=paused, cluster=HANDED) == ["queue_paused"]
    assert codes("pending", cluster=HANDED, is_suspect=True) == ["handed_over", "suspect"]


def test_of_members_that_are_ready_the_cluster_is_named():
    members = (MemberFacts(status="pending", count=2),)
    found = told("waiting", cluster=HEAVY, remaining=2, fork="sending", members=members)
    assert [reason.code for reason in found] == ["members", "ready"]
    assert "The cluster “heavy” takes those that are ready" in found[1].text


def test_beside_clusters_alone_nothing_is_woken():
    found = told("sleeping", wake_at=BEFORE, queue=UNKEPT, cluster=HEAVY)
    assert [reason.code for reason in found] == ["no_sweeper", "due"]
    assert found[0].text.endswith("start one with manage.py durable_worker")
    assert codes("scheduled", scheduled_at=SOON, queue=UNKEPT, cluster=HEAVY) == [
        "scheduled",
        "no_sweeper",
    ]


def test_beside_clusters_alone_what_is_lost_is_handed_over_by_nobody():
    assert codes("pending", queue=UNKEPT, cluster=HANDED) == ["handed_over"]
    assert codes("pending", queue=UNKEPT, cluster=LATE) == ["handed_over", "no_sweeper"]
    assert "restart" not in told("pending", queue=UNKEPT, cluster=LATE)[0].text
    assert codes("pending", queue=UNKEPT, cluster=HEAVY) == ["not_handed_over", "no_sweeper"]


def test_where_nobody_lives_at_all_both_are_to_be_started():
    nobody = QueueFacts(name="mail", is_kept=False)
    cluster = ClusterFacts(name="heavy")
    found = codes("sleeping", wake_at=BEFORE, queue=nobody, cluster=cluster)
    assert found == ["no_process", "no_sweeper", "due"]
    assert codes("sleeping", wake_at=BEFORE, queue=nobody) == ["no_worker", "due"]


def test_what_a_dead_process_held_is_taken_back_by_a_durable_worker_only():
    dead = Holder(name="h:1", status="dead", heartbeat_at=NOW)
    assert only("running", holder=dead, queue=UNKEPT).text.endswith("start one.")
    assert only("running", holder=dead).text.endswith("at its next look.")
