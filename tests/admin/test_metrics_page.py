"""The page of the metrics: what it tells, to whom, and that it agrees with what machines read."""

import html
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from durable_django import metrics
from durable_django.admin.executions import ExecutionAdmin
from durable_django.models import Queue, Schedule
from durable_django.store import clock, tallies
from tests.admin.rows import make_run, make_worker, now
from tests.doctor.sick import nothing_else_registered

OVERVIEW = "/admin/durable_django/overview/"
METRICS = f"{OVERVIEW}metrics/"
EVIL = "<script>alert(1)</script>\u202e"


@pytest.fixture(autouse=True)
def _alone(db):
    tallies.forget()
    with nothing_else_registered():
        yield
    tallies.forget()


def make_schedule(name="nightly"):
    return Schedule.objects.create(
        workflow_name="tests.order",
        name=name,
        source="code",
        interval_seconds=60,
        catch_up_seconds=60,
        enabled_at=clock.now(),
        created_at=clock.now(),
    )


def read(client):
    response = client.get(METRICS)
    assert response.status_code == 200
    return response.content.decode()


def table_of(page):
    return page.partition('class="durable-figures durable-metrics"')[2].partition("</table>")[0]


def rows_of(page):
    """The rows of the table: what each is of, and its number, as people read them."""
    rows = re.findall(r"<tr>(.*?)</tr>", table_of(page), re.DOTALL)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
    return [[html.unescape(_plain(cell)) for cell in row] for row in cells]


def text_of(page):
    """What stands there for machines."""
    found = re.search(r'<pre [^>]*id="durable-metrics-text"[^>]*>(.*?)</pre>', page, re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", "", found[1]))


def _plain(cell):
    return " ".join(re.sub(r"<[^>]+>", " ", cell).split())


def test_the_overview_leads_to_it(viewer):
    make_run("completed")
    assert reverse("admin:durable_django_overview_metrics") == METRICS
    assert f'href="{METRICS}"' in viewer.get(OVERVIEW).content.decode()


def test_each_metric_is_told_with_its_meaning_and_its_numbers(admin_client):
    make_run("failed")
    make_run("failed", queue="reports")
    make_worker(heartbeat_at=clock.now())
    make_schedule()
    rows = rows_of(read(admin_client))
    assert ["status: failed", "2"] in rows
    assert ["state: alive", "1"] in rows
    assert ["workflow: tests.order schedule: nightly", "1"] in rows
    (row,) = [row for row in rows if row[0].startswith("durable_executions_overdue ")]
    assert "Runs whose time to go on came over a minute ago" in row[0]
    assert row[1] == "0"


def test_of_durations_people_read_how_many_and_their_sum_and_machines_the_classes(admin_client):
    at = now()
    tallies.count("tests.order", "completed", at, at)
    tallies.flush()
    page = read(admin_client)
    assert ["workflow: tests.order _count", "1"] in rows_of(page)
    assert "_bucket" not in table_of(page)
    assert 'durable_execution_duration_seconds_bucket{workflow="tests.order"' in text_of(page)


def test_of_what_is_counted_people_read_what_is_not_0_and_machines_all(admin_client):
    page = read(admin_client)
    (row,) = [row for row in rows_of(page) if row[0].startswith("durable_executions_ended_total ")]
    assert row[1] == "0"
    at = now()
    tallies.count("tests.order", "failed", at, at)
    tallies.flush()
    page = read(admin_client)
    assert ["workflow: tests.order status: failed", "1"] in rows_of(page)
    assert "workflow: tests.order status: completed" not in [row[0] for row in rows_of(page)]
    assert 'ended_total{workflow="tests.order",status="completed"} 0' in text_of(page)


def test_the_text_is_what_machines_read(admin_client, monkeypatch):
    make_run("failed", queue="reports")
    at = clock.now()
    monkeypatch.setattr(clock, "now", lambda: at)
    assert text_of(read(admin_client)) == metrics.as_prometheus(metrics.collect(at))


@pytest.mark.parametrize(
    ("codename", "told"),
    [
        ("view_queue", "durable_queue_ready"),
        ("view_worker", "durable_workers"),
        ("view_schedule", "durable_schedule_on"),
    ],
)
def test_what_has_a_permission_of_its_own_is_told_to_who_has_it(staff, codename, told):
    make_run("pending", queue="reports")
    make_schedule()
    assert told not in read(staff("view_execution"))
    assert told in read(staff("view_execution", codename))
    assert "durable_executions_overdue" in read(staff("view_execution"))


def test_who_sees_only_some_runs_is_told_nothing_of_all(viewer, monkeypatch):
    make_run("failed")
    everything = ExecutionAdmin.get_queryset
    monkeypatch.setattr(
        ExecutionAdmin, "get_queryset", lambda self, r: everything(self, r).filter(queue="mine")
    )
    assert viewer.get(METRICS).status_code == 403
    assert METRICS not in viewer.get(OVERVIEW).content.decode()


def test_hostile_names_are_text(admin_client):
    Queue.objects.create(name=EVIL, created_at=now(), paused_at=now())
    make_run("pending", queue=EVIL)
    make_schedule(EVIL)
    page = read(admin_client)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "\u202e" not in page


def test_its_queries_do_not_grow_with_the_runs(admin_client):
    def queries():
        with CaptureQueriesContext(connection) as found:
            read(admin_client)
        return len(found)

    make_run("failed")
    few = queries()
    for _ in range(20):
        make_run("failed")
    assert queries() == few <= 12
