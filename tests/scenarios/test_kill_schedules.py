"""Workers are killed between every two statements of firing a schedule: no tick is lost, none makes
two runs.

As in `test_kill_waits`: a worker that notes where it comes by finds the points, and for each of
them the story is told once more with a worker that ends there by SIGKILL, and another after it.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import durable_django as durable
from durable_django import Every, seconds
from durable_django.models import Execution, Schedule, ScheduleTick
from durable_django.store import clock

from .test_kill_waits import TELLINGS, TELLINGS_BY_CHANCE, Nursery

FAR = timedelta(days=1)


@pytest.fixture
def nursery(child_environment: dict[str, str], tmp_path: Path) -> Iterator[Nursery]:
    made = Nursery(child_environment, tmp_path)
    try:
        yield made
    finally:
        made.end()


def runs():
    return Execution.objects.filter(kind="workflow")


def killed():
    """The schedule of the story; the example project has one as well."""
    return Schedule.objects.filter(name="killed")


def made(workflow, every, **options):
    """A schedule that nobody has seen so far; the runs of the last one are forgotten."""
    Schedule.objects.all().delete()
    runs().delete()
    return durable.create_schedule(workflow, Every(every, name="killed", **options))


def ticks_on_time(nursery):
    """Three seconds, each with its run."""
    schedule = made("killing.plain_child", 1, overlap="allow", input={"n": 1})
    nursery.until(lambda: runs().filter(status="completed").count() >= 3)
    durable.disable_schedule(schedule)
    nursery.until(lambda: not runs().exclude(status="completed").exists())
    times = list(ScheduleTick.objects.order_by("at").values_list("at", flat=True))
    assert times == [schedule.next_at + n * seconds(1) for n in range(len(times))]
    assert sorted(runs().values_list("scheduled_at", flat=True)) == times


def catches_up(nursery):
    """What was missed is started, each time once."""
    schedule = made("killing.plain_child", 60, overlap="allow", catch_up="all", input={"n": 1})
    long_ago = schedule.next_at - timedelta(minutes=30)
    killed().update(next_at=long_ago, due_at=long_ago)
    nursery.until(lambda: not killed().filter(due_at__lte=clock.now()).exists())
    durable.disable_schedule(schedule)
    nursery.until(lambda: not runs().exclude(status="completed").exists())
    times = list(ScheduleTick.objects.order_by("at").values_list("at", flat=True))
    assert times == [long_ago + n * seconds(60) for n in range(len(times))]
    assert len(times) >= 30
    assert sorted(runs().values_list("scheduled_at", flat=True)) == times


def waits_for_the_run_before(nursery):
    """A tick that waits begins once, when the run before it has ended."""
    schedule = made("killing.hears", 1, overlap="queue_one")
    first = durable.trigger_schedule(schedule)
    nursery.until(lambda: killed().get().queued_at)
    durable.move_schedule(schedule, clock.now() + FAR)
    durable.send_event(first, "go", 1)
    second = nursery.until(lambda: runs().exclude(pk=first.pk).first())
    durable.send_event(second, "go", 2)
    nursery.until(lambda: not runs().exclude(status="completed").exists())
    assert runs().count() == 2
    started = ScheduleTick.objects.filter(outcome="started").order_by("id")
    assert [tick.execution_id for tick in started] == [first.pk, second.pk]
    assert killed().get().queued_at is None
    assert not ScheduleTick.objects.filter(outcome="queued").exists()


def cancels_the_run_before(nursery):
    """The run before is cancelled by the tick that starts another, and by no other."""
    schedule = made("killing.hears", 1, overlap="cancel_previous")
    first = durable.trigger_schedule(schedule)
    nursery.until(lambda: runs().filter(status="cancelled").exists())
    durable.disable_schedule(schedule)
    statuses = list(runs().order_by("id").values_list("status", flat=True))
    assert statuses[:-1] == ["cancelled"] * (len(statuses) - 1)
    assert statuses[-1] != "cancelled"
    first.refresh_from_db()
    assert first.reason == f"the next tick of {schedule.key} came"
    started = ScheduleTick.objects.filter(outcome="started").values_list("execution_id", flat=True)
    assert sorted(started) == sorted(runs().values_list("id", flat=True))
    durable.cancel(runs().order_by("id").last())


# Of each story points that have to be among those found, whatever the database.
STORIES: dict[Callable[[Nursery], None], set[str]] = {
    ticks_on_time: {
        "fire: insert execution",
        "fire: insert scheduletick",
        "fire: update schedule",
        "fire: commit",
        "fire: committed",
    },
    catches_up: {"fire: insert execution 2", "fire: insert scheduletick", "fire: commit"},
    waits_for_the_run_before: {
        "begin what waits: insert execution",
        "begin what waits: update scheduletick",
        "begin what waits: commit",
        "begin what waits: committed",
    },
    cancels_the_run_before: {
        "fire: insert execution",
        "fire: update execution",
        "fire: insert auditentry",
        "fire: committed",
    },
}


def points_of(nursery, story, log):
    """Where workers come by that see the story through, and whether each of them did."""

    def tell():
        story(nursery)
        nursery.stop()

    found = {
        point: each
        for point, each in nursery.trace(tell, log).items()
        if point.partition(":")[0] in ("fire", "begin what waits")
    }
    assert STORIES[story] <= set(found), (STORIES[story] - set(found), found)
    # Ending before a read, or a lock, is ending before the write after it. Of thirty runs in one
    # transaction each is written as the second is.
    return {
        point: each
        for point, each in found.items()
        if not point.partition(": ")[2].startswith(("read", "lock"))
        and (not point[-1].isdigit() or point.endswith(" 2"))
    }


def kill_at(nursery, story, point, has_to_come=True):
    """Tells the story with a worker that is killed at the point."""
    for _ in range(TELLINGS if has_to_come else TELLINGS_BY_CHANCE):
        before = nursery.killed
        nursery.start(point)
        try:
            story(nursery)
        except AssertionError as error:
            raise AssertionError(f"killed at {point!r}: {error}") from error
        nursery.stop()
        if nursery.killed > before:
            return
    assert not has_to_come, f"no worker came by {point!r}"


@pytest.mark.kill
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_a_worker_killed_between_any_two_statements_loses_and_doubles_no_tick(
    nursery, tmp_path, story
):
    for point, has_to_come in points_of(nursery, story, tmp_path / "points").items():
        kill_at(nursery, story, point, has_to_come)


def test_a_worker_killed_before_and_after_the_commit_of_a_tick_loses_and_doubles_none(nursery):
    for point in ("fire: insert scheduletick", "fire: commit", "fire: committed"):
        kill_at(nursery, catches_up, point)
