"""Workers and queues: who is missing, silent, left behind, or too few."""

from datetime import timedelta

import pytest

import durable_django as durable
from durable_django import doctor
from durable_django.models import Execution, Queue, Worker
from durable_django.store import clock, leases
from tests.admin.rows import make_run, make_worker, now

from .sick import Pays, found, later, now_of, staffed


def all_found():
    return {
        each.key: each for each in doctor.examine() if each.code not in ("check", "clocks_apart")
    }


def test_an_empty_database_is_well():
    assert all_found() == {}


def test_a_busy_fleet_is_well():
    worker = staffed(threads=2)
    for _ in range(5):
        make_run(ready_at=later(minutes=-3))
    make_run("running", worker=worker)
    make_run("completed")
    assert all_found() == {}


@pytest.mark.parametrize(
    ("status", "is_missed"),
    [("pending", True), ("sleeping", True), ("running", True), ("completed", False)],
)
def test_no_worker_is_a_finding_where_there_is_something_to_do(status, is_missed):
    make_run(status)
    Worker.objects.update(status="stopped", stopped_at=later())
    assert ("no_worker" in all_found()) is is_missed


def test_a_silent_worker_is_buried_and_its_runs_are_handed_back():
    silent = make_worker(heartbeat_at=later(minutes=-5))
    held = [make_run("running", worker=silent) for _ in range(3)]
    finding = all_found()["worker_overdue"]
    assert (finding.severity, finding.number.number) == ("error", 1)
    assert doctor.fix(finding) == 1
    assert "worker_overdue" not in all_found()
    silent.refresh_from_db()
    assert silent.status == "dead"
    assert not leases.beat(silent.pk)
    assert {(now_of(run).status, now_of(run).lease) for run in held} == {("pending", 2)}
    assert doctor.fix(finding) == 0


def test_a_worker_that_beats_again_is_not_buried():
    silent = make_worker(heartbeat_at=later(minutes=-5))
    finding = all_found()["worker_overdue"]
    assert leases.beat(silent.pk)
    assert doctor.fix(finding) == 0
    silent.refresh_from_db()
    assert silent.status == "alive"


def test_the_living_have_the_time_of_two_heartbeats_to_bury_it(settings):
    settings.DURABLE = {"LEASE_SECONDS": 30, "HEARTBEAT_SECONDS": 5}
    staffed()
    silent = make_worker(heartbeat_at=later(seconds=-35))
    assert "worker_overdue" not in all_found()
    Worker.objects.filter(pk=silent.pk).update(heartbeat_at=later(seconds=-41))
    assert "worker_overdue" in all_found()


def test_workers_that_a_deploy_has_left_behind_are_named():
    old = staffed(workflows=["sick.pays v1"], hostname="old")
    new = staffed(workflows=["sick.pays v2"])
    elsewhere = staffed(workflows=["other v1"], queues=["other"])
    assert "workers_differ" not in all_found()  # the deploy may be under way
    Worker.objects.filter(pk__in=[new.pk, elsewhere.pk]).update(started_at=later(hours=-2))
    Worker.objects.filter(pk=old.pk).update(started_at=later(hours=-9))
    finding = all_found()["workers_differ"]
    assert [place.id for place in finding.where] == ["old:4711"]


def test_a_queue_that_nobody_serves_is_found_by_what_waits_in_it():
    staffed(queues=["default"])
    make_run(queue="mail")
    finding = all_found()["queue_unserved:mail"]
    assert finding.severity == "error"
    assert "--queues mail" in finding.todo


def test_a_queue_that_is_long_behind_wants_more_workers():
    staffed()
    make_run(ready_at=later(minutes=-16))
    assert "more workers" in all_found()["queue_late:default"].todo


def test_a_queue_that_is_behind_because_of_its_limit_says_so():
    worker = staffed()
    Queue.objects.create(name="default", created_at=now(), concurrency_limit=1)
    make_run(ready_at=later(minutes=-16))
    make_run("running", worker=worker)
    assert "limit of 1" in all_found()["queue_late:default"].todo


def test_a_paused_queue_is_forgotten_after_a_day():
    staffed()
    make_run(ready_at=later(days=-1))
    queue = Queue.objects.create(name="default", created_at=now(), paused_at=later(hours=-23))
    assert all_found() == {}
    Queue.objects.filter(pk=queue.pk).update(paused_at=later(hours=-25))
    assert all_found()["queue_paused:default"].severity == "warning"
    Execution.objects.all().delete()
    assert all_found()["queue_paused:default"].severity == "info"


def test_runs_whose_code_no_worker_has_are_found():
    staffed(workflows=["tests.other v1"])
    run = durable.start(Pays)
    Execution.objects.filter(pk=run.pk).update(
        status="sleeping", wake_at=later(seconds=20), due_at=later(seconds=20), version=9
    )
    from tests.admin.rows import make_definition

    make_definition(name="sick.pays", version=9)
    finding = found()["code_missing"]
    assert [place.id for place in finding.where] == ["sick.pays v9"]
    assert finding.fix is None


def test_what_nobody_wakes_though_workers_live_is_overdue():
    make_run("sleeping", wake_at=later(minutes=-6), due_at=later(minutes=-6))
    assert "overdue" not in found()  # told as: no worker
    staffed()
    assert found()["overdue"].fix is None


def test_forgotten_runs_and_those_that_ended_badly_are_counted():
    staffed()
    make_run("paused", paused_at=later(days=-8))
    make_run("paused", paused_at=later(days=-6))
    make_run("failed")
    make_run("compensation_failed")
    keys = {key: each.number.number for key, each in all_found().items()}
    assert keys == {"paused": 1, "failed": 1, "compensation_failed": 1}


def test_a_large_table_without_retention_is_worth_a_word(settings, monkeypatch):
    monkeypatch.setattr("durable_django.doctor.runs.KEPT_MANY", 2)
    for _ in range(3):
        make_run("completed")
    assert all_found()["kept_for_ever"].title == "Ended runs are kept for ever: at least 2"
    settings.DURABLE = {"RETENTION": timedelta(days=30)}
    assert all_found() == {}


def test_a_finding_without_a_fix_is_for_people():
    make_run("failed")
    with pytest.raises(durable.InvalidState, match="failed has no fix"):
        doctor.fix(all_found()["failed"])


def test_the_gravest_comes_first():
    make_run("failed")
    make_run("compensation_failed")
    make_run(queue="mail")
    staffed()
    order = [each.severity for each in all_found().values()]
    assert order == ["error", "warning", "info"]


def test_a_visit_reads_by_a_bounded_number_of_queries(django_assert_max_num_queries):
    clock.now()
    staffed()
    for _ in range(30):
        make_run("waiting")
        make_run("sleeping", wake_at=later(hours=1))
    doctor.examine()
    with django_assert_max_num_queries(100):
        doctor.examine()


def test_a_name_in_a_command_is_quoted_for_the_shell():
    staffed()
    make_run(queue="a; rm -rf /")
    assert all_found()["queue_unserved:a; rm -rf /"].todo.endswith("--queues 'a; rm -rf /'")
