"""Schedules fired by real worker processes: on time, once, whatever becomes of the workers."""

from itertools import pairwise

import durable_django as durable
from durable_django import Every, seconds
from durable_django.models import Execution, ScheduleTick
from tests.waiting import until


def every_second(**options):
    return durable.create_schedule(
        "killing.child", Every(seconds(1), overlap="allow", input={"n": 1}, **options)
    )


def runs():
    return Execution.objects.filter(workflow_name="killing.child")


def test_a_worker_fires_a_schedule_that_somebody_made_while_it_ran(fleet):
    worker = fleet.start()
    fleet.until_serving(worker)
    every_second()
    until(lambda: runs().filter(status="completed").count() >= 2)
    ticks = list(ScheduleTick.objects.order_by("at"))
    assert {tick.outcome for tick in ticks} == {"started"}
    gaps = {later.at - tick.at for tick, later in pairwise(ticks)}
    assert gaps == {seconds(1)}
    assert all(tick.created_at - tick.at < seconds(3) for tick in ticks)
