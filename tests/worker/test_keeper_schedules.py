"""The keeper fires schedules on time, beside all else that it does. Polling is off where that is
what is tested."""

import threading
from datetime import timedelta

import pytest

import durable_django as durable
from durable_django import Every, Workflow, sleep_for, step
from durable_django.definition import registry
from durable_django.models import Execution, Schedule, ScheduleTick
from durable_django.store import clock, firing
from durable_django.worker import keeper as keeping
from tests.waiting import until

PROMPT = timedelta(seconds=2)


@pytest.fixture(autouse=True)
def _no_other_schedules(_isolated_registry):
    """The example project has some."""
    registry._classes.clear()


def make_report(*schedules, steps=None):
    held = steps

    class Report(Workflow):
        class Meta:
            name = "shop.report"

        @step
        def write(self):
            if held is not None:
                held.wait(20)
            return self.input

    for entry in schedules:
        durable.create_schedule(Report, entry)
    return Report


def started():
    return ScheduleTick.objects.filter(outcome="started")


def test_a_tick_is_fired_on_time_without_a_poll(workers, durable_settings):
    durable_settings(POLL_SECONDS=30)
    make_report(Every(1, overlap="allow"))
    workers.start()
    until(lambda: Execution.objects.filter(status="completed").count() >= 2)
    for tick in started():
        assert tick.created_at - tick.at < PROMPT


def test_a_worker_that_starts_synchronises_what_is_declared(workers):
    class Report(Workflow):
        class Meta:
            name = "shop.report"
            schedules = [Every(1, overlap="allow", input={"n": 1})]

        @step
        def write(self):
            return self.input["n"]

    workers.start()
    until(
        lambda: Execution.objects.filter(status="completed", workflow_name="shop.report").exists()
    )
    assert Schedule.objects.get(workflow_name="shop.report").source == "code"


def test_a_schedule_that_is_moved_while_the_keeper_rests_is_fired_within_a_poll(
    workers, durable_settings
):
    durable_settings(POLL_SECONDS=0.2)
    report = make_report(Every(86_400))
    workers.start()
    made = durable.get_schedule(report)
    durable.move_schedule(made, clock.now() + timedelta(seconds=0.3))
    until(lambda: started().exists())


def test_what_waits_for_a_run_begins_when_it_has_ended(workers, durable_settings):
    durable_settings(POLL_SECONDS=0.2)
    latch = workers.latch()
    make_report(Every(1, overlap="queue_one"), steps=latch)
    workers.start()
    until(lambda: ScheduleTick.objects.filter(outcome="skipped").exists())
    assert started().count() == 1
    latch.set()
    until(lambda: started().count() >= 2)


def test_a_burst_fires_what_is_due_before_it_ends(workers):
    make_report(Every(60, catch_up="all", overlap="allow"))
    Schedule.objects.update(
        next_at=clock.now() - timedelta(hours=4), due_at=clock.now() - timedelta(hours=4)
    )
    workers.wait(workers.start(burst=True))
    assert Execution.objects.filter(status="completed").count() >= 240
    assert not Execution.objects.exclude(status="completed").exists()


def test_a_burst_does_not_end_while_others_fire_what_is_due(workers, monkeypatch):
    # race: fired-beside-a-burst
    make_report(Every(60))
    Schedule.objects.update(next_at=clock.now(), due_at=clock.now())
    held = [False] * 6
    fire_due = firing.fire_due

    def fire(*args):
        """Another worker holds it the first few times."""
        return held.pop() if held else fire_due(*args)

    monkeypatch.setattr(keeping.firing, "fire_due", fire)
    workers.wait(workers.start(burst=True))
    assert held == []
    assert Execution.objects.get().status == "completed"


def test_a_flood_of_schedules_holds_no_timer_up(workers, monkeypatch):
    """What is fired in one look is bounded by time, whatever is due."""

    class Nap(Workflow):
        pause = sleep_for(lambda self: self.input["seconds"])

    report = make_report()
    now = clock.now()
    Schedule.objects.bulk_create(
        Schedule(
            workflow_name=report.definition.name,
            name=str(n),
            source="people",
            interval_seconds=86_400.0,
            catch_up_seconds=1e9,
            enabled_at=now,
            created_at=now,
            next_at=now,
            due_at=now,
        )
        for n in range(300)
    )
    looked = []
    fire_due = firing.fire_due

    def fire(worker_id, seconds=None):
        looked.append(seconds)
        return fire_due(worker_id, seconds)

    monkeypatch.setattr(keeping.firing, "fire_due", fire)
    nap = Nap.start({"seconds": 0.2})
    workers.start(threads=1)
    nap.get_result(timeout=20)
    until(lambda: started().count() == 300)
    assert set(looked) == {keeping.FIRING_SECONDS}
    assert len(looked) > 2


def test_a_schedule_that_cannot_be_fired_is_no_reason_to_spin(workers, durable_settings, said):
    """Its error is told once a minute, and the others go on."""
    durable_settings(POLL_SECONDS=0.05)
    report = make_report(Every(1, name="good", overlap="allow"), Every(1, name="bad"))
    Schedule.objects.filter(name="bad").update(cron="99 * * * *", interval_seconds=None)
    with said() as records:
        workers.start()
        until(lambda: started().count() >= 2)
    told = [record for record in records if "cannot be fired" in record.getMessage()]
    assert len(told) == 1
    assert durable.get_schedule(f"{report.definition.name}: bad").error


def test_two_workers_fire_each_tick_once(workers):
    make_report(Every(1, overlap="allow"))
    for _ in range(2):
        workers.start(threads=1)
    until(lambda: started().count() >= 3)
    times = list(started().order_by("at").values_list("at", flat=True))
    assert len(set(times)) == len(times)
    assert len(times) <= Execution.objects.count() <= len(times) + 1


def test_a_worker_whose_schedules_are_not_due_looks_at_none_of_them(
    workers, durable_settings, monkeypatch
):
    """The one statement that it asks anyway says that there is nothing to fire."""
    durable_settings(POLL_SECONDS=0.05)
    make_report(*[Every(86_400, name=str(n)) for n in range(20)])
    looks = threading.Event()
    outlooks, fired = [], []
    outlook = keeping.waking.outlook

    def look():
        outlooks.append(outlook())
        if len(outlooks) > 5:
            looks.set()
        return outlooks[-1]

    monkeypatch.setattr(keeping.waking, "outlook", look)
    monkeypatch.setattr(keeping.firing, "fire_due", lambda *args: fired.append(args))
    monkeypatch.setattr(keeping.firing, "fire_queued", lambda *args: fired.append(args))
    workers.start()
    assert looks.wait(20)
    assert fired == []
    assert {found.fires_at for found in outlooks} == {Schedule.objects.order_by("due_at")[0].due_at}
