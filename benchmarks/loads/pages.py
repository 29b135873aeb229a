"""Pages: how long the admin takes over a million runs, and over one with ten thousand step runs.

The rows are the engine's own: started in bulk, then given the ends that most of them would have.
The long runs are made by a worker. Each page is asked for by a superuser of Django's test client,
so that templates and middleware count, and the network does not.
"""

import time
from collections.abc import Iterator
from statistics import median
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

import durable_django as durable
from durable_django.models import Execution

from ..figures import Figure
from ..sizes import Sizes
from ..workers import worker
from ..workflows import FiveSteps, ForEachItem, LongLoop, OneStep
from . import database

AT_ONCE = 10_000
ASKED = 5
# One in so many of the runs ...
FAILED, CANCELLED, TAGGED, PENDING = 1_000, 2_500, 5_000, 10_000
TABS = ("graph", "steps", "context", "events", "history")


def measure(sizes: Sizes) -> Iterator[Figure]:
    """Milliseconds and statements of each page; medians of five."""
    database.empty()
    long, wide = _long_runs(sizes.long_run)
    some = _fill(sizes.listed)
    name = f"admin-{time.monotonic_ns()}"
    client = Client()
    client.force_login(get_user_model().objects.create_superuser(name))
    yield from (_page(client, name, address) for name, address in _lists(some))
    for what, run in ((f"{sizes.long_run:,} steps", long), (f"{sizes.long_run:,} items", wide)):
        page = reverse("admin:durable_django_execution_change", args=[run.pk])
        for tab in TABS:
            yield _page(client, f"run with {what}, {tab}", f"{page}?tab={tab}")


def _lists(some: Execution) -> Iterator[tuple[str, str]]:
    runs = reverse("admin:durable_django_execution_changelist")
    workflow = some.workflow_name
    yield "list", runs
    for status in ("failed", "completed", "pending", "paused"):
        yield f"list, {status}", f"{runs}?status={status}"
    yield "list, a workflow", f"{runs}?workflow={workflow}"
    yield "list, failed of a workflow", f"{runs}?workflow={workflow}&status=failed"
    yield "list, search by id", f"{runs}?q={str(some.pk)[:13]}"
    yield "list, search by tag", f"{runs}?q=vip"
    yield "list, search for what is not there", f"{runs}?q=nothing-like-it"
    yield "overview", reverse("admin:durable_django_overview_changelist")
    yield "definitions", reverse("admin:durable_django_workflowdefinition_changelist")
    yield "queues", reverse("admin:durable_django_queue_changelist")


def _page(client: Client, name: str, address: str) -> Figure:
    _ask(client, address)  # templates are compiled, caches filled
    with CaptureQueriesContext(connection) as statements:
        _ask(client, address)
        count = len(statements)  # the next request empties the log
    taken = [_ask(client, address) for _ in range(ASKED)]
    return Figure(name=f"page, {name}", value=median(taken), unit="ms", statements=float(count))


def _ask(client: Client, address: str) -> float:
    begin = time.perf_counter()
    answer = client.get(address)
    taken_ms = (time.perf_counter() - begin) * 1_000
    if answer.status_code != 200:
        raise RuntimeError(f"{address} answers {answer.status_code}")
    return taken_ms


def _long_runs(count: int) -> tuple[Execution, Execution]:
    long = durable.start(LongLoop, {"iterations": count})
    wide = durable.start(ForEachItem, {"items": count})
    with worker("--burst") as running:
        running.wait()
    for run in (long, wide):
        run.refresh_from_db()
        if run.status != "completed":
            raise RuntimeError(f"{run} is {run.status}: {run.error}")
    return long, wide


def _fill(count: int) -> Execution:
    """So many runs, most of them completed; one from their middle."""
    workflows: tuple[Any, ...] = (OneStep, FiveSteps)
    for number, begin in enumerate(range(0, count, AT_ONCE)):
        inputs = [{"n": n} for n in range(min(AT_ONCE, count - begin))]
        durable.start_many(workflows[number % 2], inputs)
    table = Execution._meta.db_table
    number = "(hashtext(id::text) & 2147483647)"
    if connection.vendor != "postgresql":
        number = "rowid"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""UPDATE "{table}" SET
                status = CASE WHEN {number} % {FAILED} = 0 THEN 'failed'
                    WHEN {number} % {CANCELLED} = 1 THEN 'cancelled' ELSE 'completed' END,
                tags = CASE WHEN {number} % {TAGGED} = 0 THEN '["vip"]' ELSE tags END,
                lease = 1, started_at = created_at, finished_at = created_at
            WHERE status = 'pending' AND {number} % {PENDING} <> 2"""
        )
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")
    rows = Execution.objects.filter(workflow_name=OneStep.definition.name)
    return rows.order_by("id")[min(AT_ONCE, count) // 2]
