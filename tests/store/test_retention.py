"""What workers delete by themselves: how long each workflow is kept, and what a round costs."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

import durable_django as durable
from durable_django import Workflow, days, step, wait_for_event
from durable_django.models import Execution, Worker
from durable_django.store import clock, leases, pruning, retention, trees
from durable_django.store.retention import Rounds, find_lost, prune_workers, retention_of
from durable_django.testing import advance, drain, isolate_registry, run
from tests.store.rows import held, make_run, make_worker

pytestmark = pytest.mark.django_db

LONG = 60.0


@pytest.fixture(autouse=True)
def _own_registry():
    with isolate_registry():
        yield


@pytest.fixture
def general(settings):
    """Sets RETENTION."""

    def retain(duration):
        settings.DURABLE = {**settings.DURABLE, "RETENTION": duration}

    return retain


class Base(Workflow):
    class Meta:
        abstract = True

    @step
    def work(self):
        return 1 / self.input.get("by", 1)


def three():
    """Workflows kept for a day, for a year, and as long as all others."""

    class Short(Base):
        class Meta:
            name = "short"
            retention = days(1)

    class Long(Base):
        class Meta:
            name = "long"
            retention = days(365)

    class Usual(Base):
        class Meta:
            name = "usual"

    return Short, Long, Usual


def left():
    return sorted(Execution.objects.filter(kind="workflow").values_list("workflow_name", flat=True))


def clean(rounds=None, seconds=LONG):
    return (rounds or Rounds()).run(None, seconds)


def test_what_meta_says_counts_and_else_the_setting(general):
    three()
    general(None)
    assert [retention_of(name) for name in ("short", "usual", "gone")] == [86_400.0, None, None]
    general(days(30))
    assert retention_of("long") == 365 * 86_400
    assert retention_of("usual") == retention_of("gone") == 30 * 86_400
    general(90)
    assert retention_of("usual") == 90.0


def test_the_highest_version_says_how_long_all_are_kept():
    class Old(Base):
        class Meta:
            name = "short"
            retention = days(9)

    class New(Base):
        class Meta:
            name = "short"
            version = 2
            retention = days(2)

    assert retention_of("short") == 2 * 86_400


def test_a_subclass_is_kept_as_its_base_is():
    short, *_ = three()

    class Also(short):
        class Meta:
            name = "also"

    assert retention_of("also") == 86_400


def test_each_workflow_is_deleted_when_its_own_time_is_up(general):
    for cls in three():
        run(cls)
    general(days(30))
    assert clean().trees == 0
    advance(days(2))
    assert clean().trees == 1
    assert left() == ["long", "usual"]
    advance(days(30))
    clean()
    assert left() == ["long"]
    advance(days(365))
    clean()
    assert left() == []


def test_without_any_setting_nothing_is_deleted(general):
    *_, usual = three()
    run(usual)
    general(None)
    advance(days(10_000))
    assert clean() == trees.Pruned()
    assert left() == ["usual"]


def test_whether_there_is_anything_to_do_is_known_without_a_look(
    general, django_assert_num_queries
):
    general(None)
    with django_assert_num_queries(0):
        assert not retention.is_any()
        three()
        assert retention.is_any()


def test_failed_runs_go_as_others_do(general):
    *_, usual = three()
    assert run(usual, {"by": 0}).status == "failed"
    general(days(1))
    advance(days(2))
    assert clean().trees == 1


def test_what_only_other_living_workers_know_is_theirs_to_delete(general):
    *_, usual = three()
    run(usual)
    Execution.objects.update(workflow_name="elsewhere")
    worker = make_worker()
    Worker.objects.filter(pk=worker).update(workflows=["elsewhere v1", "usual v3"])
    general(days(1))
    advance(days(2))
    Worker.objects.update(heartbeat_at=clock.now())
    assert clean().trees == 0
    leases.stop(worker)
    assert clean().trees == 1


def test_a_round_that_is_too_short_goes_on_where_it_was(general, monkeypatch):
    *_, usual = three()
    monkeypatch.setattr(trees, "EXECUTIONS_MAX", 2)
    for _ in range(5):
        run(usual)
    general(days(1))
    advance(days(2))
    rounds = Rounds()
    found = []
    while not found or found[-1].is_more:
        found.append(clean(rounds, seconds=0))
    assert sum(done.trees for done in found) == 5
    assert len(found) >= 3
    assert left() == []


def test_one_workflow_that_takes_all_the_time_keeps_no_other_waiting(general, monkeypatch):
    monkeypatch.setattr(trees, "EXECUTIONS_MAX", 1)
    first, second = three()[:2]
    for cls in (first, second):
        run(cls)
        run(cls)
    general(days(1))
    advance(days(400))
    rounds = Rounds()
    for _ in range(3):
        assert clean(rounds, seconds=0).is_more
    # "long" is the first by name; the round that follows its end begins with the other.
    assert left() == ["short"]


def test_a_million_sleeping_runs_at_the_front_are_walked_past_once(general, monkeypatch):
    """Here twelve, in windows of three."""

    class Waits(Workflow):
        class Meta:
            name = "waits"

        heard = wait_for_event("go")

    monkeypatch.setattr(pruning, "WINDOW", 3)
    # Their ids are as old as the runs are.
    monkeypatch.setattr(retention, "LOOKED_AT_AGAIN", timedelta(0))
    for _ in range(13):
        durable.start(Waits)
    drain()
    general(days(1))
    advance(days(2))
    rounds = Rounds()

    def asked():
        with CaptureQueriesContext(connection) as found:
            assert clean(rounds).trees == 0
        return len(found)

    first = asked()
    again = asked()
    assert again + 8 <= first  # four windows of two statements
    rounds._again_at = 0
    assert asked() == first


def test_a_run_that_slept_when_it_was_passed_is_found_by_the_next_walk(general, monkeypatch):
    class Waits(Workflow):
        class Meta:
            name = "waits"

        heard = wait_for_event("go")

    monkeypatch.setattr(pruning, "WINDOW", 2)
    runs = [durable.start(Waits) for _ in range(7)]
    drain()
    general(days(1))
    advance(days(2))
    rounds = Rounds()
    clean(rounds)
    durable.send_event(runs[0], "go")
    drain()
    advance(days(2))
    assert clean(rounds).trees == 0
    rounds._again_at = 0
    assert clean(rounds).trees == 1
    assert len(left()) == 6


def test_a_worker_that_stopped_a_week_ago_is_forgotten_unless_it_holds_something():
    alive, stopped, dead, lately = (make_worker(f"host{n}") for n in range(4))
    run = held(dead)
    leases.stop(stopped)
    leases.declare_dead(dead, overdue_only=False)
    advance(days(8))
    leases.stop(lately)
    assert prune_workers() == 1
    assert set(Worker.objects.values_list("pk", flat=True)) == {alive, dead, lately}
    Execution.objects.filter(pk=run.id).update(status="pending", worker=None)
    assert prune_workers() == 1
    assert prune_workers() == 0
    assert make_run().pk


# race: claimed-after-a-week
def test_what_a_worker_claims_whose_row_is_gone_is_taken_back():
    asleep, other = make_worker(), make_worker()
    leases.declare_dead(asleep, overdue_only=False)
    advance(days(8))
    assert prune_workers() == 1
    run = held(asleep)  # before its next heartbeat
    assert not leases.beat(asleep)
    assert leases.take_back(other) == 0
    assert (find_lost(), find_lost()) == (1, 0)
    assert leases.take_back(other) == 1
    found = Execution.objects.get(pk=run.id)
    assert (found.status, found.suspect, found.worker_id) == ("pending", True, None)
    assert set(Worker.objects.values_list("status", flat=True)) == {"alive", "dead"}
