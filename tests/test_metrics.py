"""Metrics: the figures are right, a Prometheus server can read them, and only some people may."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import AnonymousUser, Permission, User
from django.db import connection
from django.test import RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import path, reverse
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from durable_django import Workflow, metrics, step
from durable_django.definition import registry
from durable_django.metrics import Metric, Sample, as_prometheus, collect
from durable_django.metrics import view as metrics_view
from durable_django.metrics.ended import BOUNDS
from durable_django.models import Execution, Queue, Schedule
from durable_django.store import clock, tallies
from tests.admin.rows import make_run, make_worker

NOON = datetime(2030, 5, 17, 12, tzinfo=UTC)
TOKEN = "a-token-of-many-letters"

urlpatterns = [path("metrics/", metrics_view.metrics, name="metrics")]


@pytest.fixture(autouse=True)
def _alone():
    """No workflow but those of the test, and no count of another."""
    tallies.forget()
    with registry.isolate():
        registry._classes.clear()
        yield
    tallies.forget()
    clock.reset()


def collected(now=None):
    return {metric.name: metric for metric in collect(now)}


def families(text):
    return {family.name: family for family in text_string_to_metric_families(text)}


def ended(name="tests.order", status="completed", seconds=1.0, at=NOON, times=1):
    for _ in range(times):
        tallies.count(name, status, at - timedelta(seconds=seconds), at)
    tallies.flush()


def make_schedule(name="nightly", **columns):
    return Schedule.objects.create(
        **{
            "workflow_name": "tests.order",
            "name": name,
            "source": "code",
            "interval_seconds": 60,
            "catch_up_seconds": 60,
            "enabled_at": clock.now(),
            "created_at": clock.now(),
        }
        | columns
    )


# What is told


@pytest.mark.django_db
def test_runs_are_counted_by_status_but_for_those_that_completed():
    for status in ("pending", "failed", "failed", "sleeping", "completed"):
        make_run(status=status)
    found = collected()["durable_executions"]
    assert found.value(status="failed") == 2
    assert found.value(status="pending") == found.value(status="sleeping") == 1
    assert found.value(status="waiting") == 0
    with pytest.raises(LookupError, match="durable_executions has no sample"):
        found.value(status="completed")


@pytest.mark.django_db
def test_a_run_that_nobody_woke_is_overdue():
    now = clock.now()
    make_run(status="sleeping", due_at=now - timedelta(minutes=2), wake_at=now)
    make_run(status="sleeping", due_at=now - timedelta(seconds=30), wake_at=now)
    assert collected(now)["durable_executions_overdue"].value() == 1


@pytest.mark.django_db
def test_queues_tell_how_much_waits_and_for_how_long():
    now = clock.now()
    Queue.objects.create(name="high", concurrency_limit=3, paused_at=now, created_at=now)
    make_run(queue="high", ready_at=now - timedelta(seconds=90))
    make_run(queue="high", ready_at=now - timedelta(seconds=30))
    worker = make_worker(queues=["default"], threads=5)
    make_run(status="running", worker=worker, lease=1)
    found = collected(now)
    assert found["durable_queue_ready"].value(queue="high") == 2
    assert found["durable_queue_oldest_seconds"].value(queue="high") == pytest.approx(90)
    assert found["durable_queue_oldest_seconds"].value(queue="default") == 0
    assert found["durable_queue_paused"].value(queue="high") == 1
    assert found["durable_queue_limit"].value(queue="high") == 3
    assert found["durable_queue_held"].value(queue="default") == 1
    assert found["durable_queue_workers"].value(queue="default") == 1
    assert found["durable_queue_workers"].value(queue="high") == 0
    assert found["durable_worker_threads"].value() == 5
    assert found["durable_worker_held"].value() == 1


@pytest.mark.django_db
def test_a_worker_that_has_missed_its_lease_is_overdue():
    now = clock.now()
    make_worker(heartbeat_at=now)
    make_worker(heartbeat_at=now - timedelta(minutes=5))
    found = collected(now)["durable_workers"]
    assert (found.value(state="alive"), found.value(state="overdue")) == (1, 1)


@pytest.mark.django_db
def test_schedules_tell_whether_they_are_on_failing_or_late():
    now = clock.now()
    late = now - timedelta(seconds=12)
    make_schedule("late", next_at=late, due_at=late)
    make_schedule("off", enabled=False, error="no such zone")
    make_schedule("gone", retired_at=now)
    found = collected(now)
    assert {sample.labels["schedule"] for sample in found["durable_schedule_on"].samples} == {
        "late",
        "off",
    }
    of = {"workflow": "tests.order"}
    assert found["durable_schedule_on"].value(**of, schedule="late") == 1
    assert found["durable_schedule_on"].value(**of, schedule="off") == 0
    assert found["durable_schedule_error"].value(**of, schedule="off") == 1
    assert found["durable_schedule_late_seconds"].value(**of, schedule="late") == 12
    assert found["durable_schedule_late_seconds"].value(**of, schedule="off") == 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("columns", "seconds"),
    [
        ({"error": "no such zone"}, 600),
        ({"error": "no such zone", "jitter_seconds": 100}, 500),
        ({"error": "no such zone", "jitter_seconds": 10_000}, 0),
        ({"error": "", "jitter_seconds": 700}, 0),
    ],
)
def test_a_schedule_that_is_put_off_is_late_since_it_was_due_first(columns, seconds):
    now = clock.now()
    soon = now + timedelta(seconds=50)
    make_schedule(next_at=now - timedelta(seconds=600), due_at=soon, **columns)
    assert (
        collected(now)["durable_schedule_late_seconds"].value(
            workflow="tests.order", schedule="nightly"
        )
        == seconds
    )


@pytest.mark.django_db
def test_a_schedule_that_failed_and_is_not_due_is_not_late():
    now = clock.now()
    beyond = datetime.max.replace(tzinfo=UTC)
    make_schedule(next_at=beyond, due_at=beyond, jitter_seconds=60, error="no such day")
    found = collected(now)["durable_schedule_late_seconds"]
    assert found.value(workflow="tests.order", schedule="nightly") == 0


@pytest.mark.django_db
def test_what_ended_today_is_counted_by_workflow_and_status():
    ended(times=3)
    ended(status="failed")
    ended("tests.other", at=NOON - timedelta(hours=11, minutes=59))
    ended(at=NOON - timedelta(hours=13))  # yesterday
    found = collected(NOON)["durable_executions_ended_total"]
    assert found.value(workflow="tests.order", status="completed") == 3
    assert found.value(workflow="tests.order", status="failed") == 1
    assert found.value(workflow="tests.order", status="cancelled") == 0
    assert found.value(workflow="tests.other", status="completed") == 1


@pytest.mark.django_db
def test_a_workflow_of_which_nothing_ended_counts_0():
    class Quiet(Workflow):
        @step
        def only(self): ...

    found = collected()
    name = Quiet.definition.name
    assert found["durable_executions_ended_total"].value(workflow=name, status="completed") == 0
    assert found["durable_execution_duration_seconds"].value("_count", workflow=name) == 0


@pytest.mark.django_db
def test_durations_fall_into_buckets_that_add_up():
    ended(seconds=0.0005)
    ended(seconds=0.9, times=4)
    ended(seconds=86_400 * 300)
    ended(status="failed", seconds=5)
    tallies.count("tests.order", "completed", None, NOON)  # it never started
    tallies.flush()
    found = collected(NOON)["durable_execution_duration_seconds"]
    of = {"workflow": "tests.order"}
    assert found.value("_bucket", **of, le="0.001") == 1
    assert found.value("_bucket", **of, le="0.256") == 1
    assert found.value("_bucket", **of, le="1.024") == 5
    assert found.value("_bucket", **of, le="+Inf") == found.value("_count", **of) == 6


@given(st.floats(min_value=0, max_value=86_400 * 100))
def test_the_bound_of_a_bucket_is_exact(seconds):
    found = tallies.class_of(seconds)
    for last, bound in BOUNDS.items():
        if abs(seconds - bound) > bound * 1e-6:
            assert (found <= last) == (seconds <= bound)


@pytest.mark.django_db
def test_it_takes_few_statements_however_much_there_is():
    def statements():
        with CaptureQueriesContext(connection) as captured:
            collect()
        return len(captured)

    clock.now()
    few = statements()
    for number in range(20):
        make_run(queue=f"q{number}", workflow_name=f"tests.w{number}")
        make_schedule(f"s{number}")
    ended(at=clock.now(), times=20)
    assert statements() == few <= 8
    assert Execution.objects.count() == 20


@pytest.mark.django_db
def test_every_metric_is_documented_with_its_kind_and_labels():
    make_run(queue="high")
    Queue.objects.create(name="high", concurrency_limit=3, created_at=clock.now())
    make_schedule()
    ended(at=clock.now())
    page = Path(__file__).resolve().parent.parent / "docs" / "metrics.md"
    rows = re.findall(
        r"^\| `(durable_\w+)` \| (\w+) \| ([^|]*?) ?\|", page.read_text("utf-8"), re.MULTILINE
    )
    told = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    assert told == {
        metric.name: (metric.kind, {name for s in metric.samples for name in s.labels} - {"le"})
        for metric in collect()
    }


# The text


@pytest.mark.django_db
def test_a_prometheus_server_can_read_it():
    make_run(queue="high")
    ended(times=3)
    ended(seconds=100)
    metrics_told = collect(NOON)
    found = families(as_prometheus(metrics_told))
    # The parser leaves the suffix of a counter out.
    assert set(found) == {metric.name.removesuffix("_total") for metric in metrics_told}
    for metric in metrics_told:
        family = found[metric.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (metric.kind, metric.help)
        assert [(s.name, s.labels, s.value) for s in family.samples] == [
            (metric.name + sample.suffix, dict(sample.labels), pytest.approx(sample.value))
            for sample in metric.samples
        ]


@given(st.text(), st.floats(allow_nan=False))
def test_whatever_a_name_is_the_text_stays_one_line_a_sample(name, value):
    text = as_prometheus([Metric("durable_x", "gauge", "X.", (Sample(value, {"queue": name}),))])
    [sample] = families(text)["durable_x"].samples
    assert sample.value == value
    assert len(text.split("\n")) == 4
    assert set(sample.labels) == {"queue"}
    if name.isprintable():
        assert sample.labels["queue"] == name


def test_what_nobody_can_print_is_written_as_an_escape():
    text = as_prometheus([Metric("x", "gauge", "X.", (Sample(1, {"queue": "a\x1b[31m\t\r\n"}),))])
    assert text.splitlines()[-1] == 'x{queue="a\\\\x1b[31m\\\\t\\\\r\\n"} 1'


# The page


@pytest.fixture
def get(settings):
    """Asks for the page, through the project's middleware, with these headers."""
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]
    settings.DURABLE = {**settings.DURABLE, "METRICS_TOKEN": TOKEN}

    def ask(client, **headers):
        return client.get(reverse("metrics"), headers=headers)

    return ask


@pytest.mark.django_db
@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_who_knows_the_token_may_read_it(get, client, scheme):
    response = get(client, authorization=f"{scheme} {TOKEN}")
    assert response.status_code == 200
    assert response["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "no-store" in response["Cache-Control"]
    assert "durable_executions" in families(response.content.decode())


@pytest.mark.django_db
@pytest.mark.parametrize(
    "given",
    [
        "",
        TOKEN,
        f"Basic {TOKEN}",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN}x",
        "Bearer None",
        "Bearer é",
    ],
)
def test_without_the_token_nobody_may_and_nothing_is_asked(get, client, given):
    with CaptureQueriesContext(connection) as captured:
        response = get(client, authorization=given)
    assert response.status_code == 403
    assert len(captured) == 0


@pytest.mark.django_db
@pytest.mark.parametrize("token", [None, ""])
def test_without_a_token_in_the_settings_none_is_right(get, client, settings, token):
    settings.DURABLE = {**settings.DURABLE, "METRICS_TOKEN": token}
    for said in ("Bearer", "Bearer ", "Bearer None", f"Bearer {TOKEN}"):
        assert get(client, authorization=said).status_code == 403


@pytest.mark.django_db
@pytest.mark.parametrize("staff", [True, False])
@pytest.mark.parametrize("permitted", [True, False])
def test_staff_who_may_view_executions_may_read_it(get, client, staff, permitted):
    user = User.objects.create_user("ada", is_staff=staff)
    if permitted:
        user.user_permissions.add(Permission.objects.get(codename="view_execution"))
    client.force_login(user)
    assert get(client).status_code == (200 if staff and permitted else 403)


@pytest.mark.django_db
def test_it_is_only_read(get, client):
    given = {"authorization": f"Bearer {TOKEN}"}
    assert client.head(reverse("metrics"), headers=given).status_code == 200
    response = client.post(reverse("metrics"), headers=given)
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")


@override_settings(DURABLE={})
def test_without_the_middleware_for_users_everybody_is_refused():
    request = RequestFactory().get("/")
    assert metrics_view.metrics(request).status_code == 403
    request.user = AnonymousUser()
    assert metrics_view.metrics(request).status_code == 403


def test_the_package_names_what_it_offers():
    assert set(metrics.__all__) <= set(vars(metrics))
