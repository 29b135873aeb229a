"""A simulated year of a fleet: twenty schedules, three workers that fire at once, outages, changes
of the clocks. What became of each tick is exactly what an independent calculation says.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from random import Random
from threading import Barrier
from uuid import UUID

import pytest
from django.db import connections
from django.db.models import Count

import durable_django as durable
from durable_django import Cron, Every, Workflow, days, hours, minutes, sleep_for
from durable_django.definition import registry
from durable_django.models import Execution, Schedule, ScheduleTick
from durable_django.store import clock, firing, leases
from durable_django.worker.inline import InlineDriver
from tests.scenarios.reckoned_fleet import Plan, Reckoner, Told, reckon_ticks

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS = 3
WAIT_SECONDS = 60


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def plans() -> list[Plan]:
    """Every overlap and every way to catch up, at the hours at which clocks are moved."""
    york, berlin, casablanca = "America/New_York", "Europe/Berlin", "Africa/Casablanca"
    day = 24 * 60
    found = [
        Plan(Cron("0 9 * * *", timezone=york)),
        Plan(Cron("30 2 * * *", timezone=berlin, catch_up="all"), minutes=30),
        Plan(Cron("30 1 * * *", timezone=york, overlap="allow"), minutes=3 * day),
        Plan(Cron("0 2,3 * * *", timezone=berlin, overlap="allow", catch_up="all")),
        Plan(Cron("15 2 * * *", timezone="Australia/Lord_Howe", catch_up="none")),
        Plan(Cron("@daily", timezone=casablanca, catch_up="none"), minutes=25 * 60),
        Plan(Cron("0 0 L * *", timezone="Asia/Kathmandu", catch_up="all")),
        Plan(Cron("0 18 * * MON-FRI", timezone="America/St_Johns", overlap="queue_one"), 30 * 60),
        Plan(Cron("0 */12 * * *", timezone=berlin, catch_up="all", catch_up_window=days(2)), 60),
        Plan(Every(hours(8), overlap="skip"), minutes=20 * 60),
        Plan(Every(days(1), offset=hours(5), overlap="cancel_previous"), minutes=40 * 60),
        Plan(Cron("0 6 1,15 JAN-JUN *", timezone="America/Sao_Paulo", catch_up="all")),
        Plan(Cron("*/30 1-3 * * SUN", timezone="Europe/Dublin", overlap="allow")),
        Plan(Cron("0-59/20 2 * * SUN", timezone=berlin, overlap="queue_one", catch_up="all"), 15),
        Plan(Cron("0 12 * * MON#2", timezone="Pacific/Apia")),
        Plan(Every(days(7), catch_up="none", offset=days(2.5)), minutes=8 * day),
        Plan(Cron("45 23 * * *", timezone=casablanca, overlap="queue_one", catch_up="all"), 50 * 60),
        Plan(Cron("0 30 4 * * *", timezone=york, overlap="cancel_previous", catch_up="all"), day),
        Plan(Every(hours(6), offset=minutes(7), catch_up="all", catch_up_window=hours(13))),
        Plan(Cron("0 2 * * *", timezone="Europe/Dublin", catch_up="one", catch_up_window=hours(3))),
    ]
    named = [f"{number:02}" for number in range(len(found))]
    for plan, name in zip(found, named, strict=True):
        object.__setattr__(plan.when, "name", name)
        object.__setattr__(plan.when, "input", {"minutes": plan.minutes})
    return found
