"""The overview: what needs somebody, in which words, for whom, and at what cost."""

import re
from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from durable_django.admin.executions import ExecutionAdmin
from durable_django.admin.overview import OverviewAdmin
from durable_django.models import Execution, Queue, Wait
from durable_django.store import clock, tallies
from tests.admin.conftest import page_of
from tests.admin.rows import make_definition, make_run, make_worker, now

OVERVIEW = "/admin/durable_django/overview/"
EVIL = "</script><script>alert(1)</script>"
ALL_WELL = "Nothing. No run has failed"


@pytest.fixture(autouse=True)
def _nothing_pending():
    tallies.forget()
    yield
    clock.reset()


@pytest.fixture
def operator(staff):
    views = ("execution", "queue", "worker", "pendinginput", "workflowdefinition")
    return staff(*(f"view_{name}" for name in views), "answer_input")


def read(client, query=""):
    """The text of the page, without its tags."""
    response = client.get(f"{OVERVIEW}{query}")
    assert response.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def needs(client):
    """What it says needs somebody."""
    page = client.get(OVERVIEW).context
    return [" ".join((need.number, need.text)).strip() for need in page["needs"]]


def ended(status="completed", name="tests.order", seconds=1.0, times=1, ago=timedelta(0)):
    for _ in range(times):
        at = now() - ago
        tallies.count(name, status, at - timedelta(seconds=seconds), at)
    tallies.flush()


def ask(run, **fields):
    return Wait.objects.create(
        execution=run,
        member=run,
        path="ask",
        node="ask",
        kind="input",
        name="ask",
        created_at=now(),
        request_text='{"form": "text", "prompt": "Well?"}',
        **fields,
    )


# What needs me now?


def test_before_the_first_run_it_says_how_to_begin(operator):
    page = read(operator)
    assert "Nothing has run yet" in page
    assert "python manage.py durable_worker" in page
    assert "class Hello(Workflow):" in page
    assert ALL_WELL not in page


def test_where_all_is_well_it_says_so(operator):
    make_worker()
    make_run("completed")
    assert needs(operator) == []
    assert ALL_WELL in read(operator)


def test_without_a_worker_it_says_so_first(operator):
    make_run("failed")
    make_worker(status="stopped")
    first, *_ = needs(operator)
    assert first == "No worker is running: nothing moves until one is started."
    assert "python manage.py durable_worker" in read(operator)


def test_clusters_without_a_durable_worker_need_one(operator):
    make_run("sleeping")
    make_worker(threads=1, executor="django_q", cluster="heavy")
    assert needs(operator) == [
        "Only processes of clusters are running: nothing that comes due is woken."
    ]
    make_worker(threads=0, executor="django_q")
    assert needs(operator) == []


def test_what_went_wrong_is_told_the_gravest_first(operator):
    make_worker()
    silent = make_worker(heartbeat_at=now() - timedelta(minutes=5))
    make_run("running", worker=silent)
    for status in ("failed", "failed", "compensation_failed"):
        make_run(status)
    make_run("paused", paused_at=now())
    make_run("sleeping", due_at=now() - timedelta(minutes=3))
    assert needs(operator) == [
        "1 worker has stopped saying that it is alive",
        "1 run could not be undone completely",
        "2 runs failed and can be retried",
        "1 run should have gone on over a minute ago",
        "1 run is paused",
    ]
    assert "It holds 1 run." in read(operator)


def test_queues_in_which_nothing_moves_are_named(operator):
    make_worker(queues=["default", "held"])
    Queue.objects.create(name="held", created_at=now(), paused_at=now())
    for queue in ("default", "held", "nobody's", "nobody's"):
        make_run(queue=queue)
    assert needs(operator) == [
        "1 waits in the paused queue held",
        "2 wait in the queue nobody's, which no worker serves",
    ]


def test_runs_whose_code_no_worker_has_are_told(operator):
    make_worker(workflows=["tests.order v1"])
    make_definition()
    make_definition(name="tests.lost", version=3)
    make_run(
        "sleeping", due_at=now() + timedelta(seconds=20), workflow_name="tests.lost", version=3
    )
    make_run("sleeping", due_at=now() + timedelta(seconds=20))
    assert needs(operator) == ["1 run is of a workflow or a version that no worker has"]


def test_people_who_are_asked_are_told_others_only_how_many_are(operator):
    make_worker()
    run = make_run("waiting")
    ask(run, assignee_kind="user", assignee="somebody else")
    assert needs(operator) == ["1 request for input waits for others"]
    ask(make_run("waiting"))
    assert needs(operator) == ["1 request for input waits for you"]
    assert "2 for everybody" in read(operator)


# How all is going


def test_statuses_lead_to_the_runs_that_have_them(operator):
    make_run("failed")
    make_run("sleeping")
    page = operator.get(OVERVIEW)
    tiles = {tile.url: tile.number for tile in page.context["statuses"]}
    assert len(tiles) == 12
    assert tiles["/admin/durable_django/execution/?status=failed"] == "1"
    for address in tiles:
        assert operator.get(address).status_code == 200
        assert escape(address) in page.content.decode()


def test_a_chart_shows_the_period_that_is_chosen(operator):
    make_run("completed")
    ended(times=3)
    ended("failed", ago=timedelta(hours=3))
    assert "3 completed 0 failed" in read(operator)
    assert "3 completed 1 failed (25 %)" in read(operator, "?period=day")
    assert "3 completed 1 failed" in read(operator, "?period=week")
    assert read(operator, "?period=nonsense").count("3 completed 0 failed") == 1
    page = operator.get(f"{OVERVIEW}?period=day").content.decode()
    assert '<a href="?period=day" aria-current="true">' in page


def test_failures_differ_from_the_rest_by_more_than_colour(operator):
    make_run("completed")
    ended("failed")
    page = operator.get(OVERVIEW).content.decode()
    assert re.search(r'<rect class="durable-part-failed" fill="url\(#durable-failed-hatch\)"', page)
    assert re.search(r"<title>\d\d:\d\d.\d\d:\d\d: 0 completed, 1 failed, 0 cancelled", page)
    assert re.search(r'<th scope="row">\d\d:\d\d.\d\d:\d\d</th>', page)


def test_durations_and_failures_are_told_by_workflow(operator):
    make_run("completed")
    ended(name="tests.slow", seconds=7200)
    ended(name="tests.slow", status="failed", times=3)
    page = operator.get(OVERVIEW)
    [row] = page.context["paces"]
    assert (row.name, row.total, row.failed, row.share) == ("tests.slow", "4", "3", "75 %")
    assert re.fullmatch(r"[12] h \d+ min", row.times[0])
    assert "workflow=tests.slow&amp;status=failed" in page.content.decode()


def test_what_fails_most_leads_to_the_last_run(operator):
    error = {"type": EVIL, "message": EVIL, "traceback": "", "node": EVIL}
    run = make_run("failed", workflow_name=EVIL, error=error)
    page = operator.get(OVERVIEW).content.decode()
    assert page_of(run) in page
    assert EVIL not in page
    assert escape(EVIL) in page


def test_hostile_names_of_queues_and_hosts_are_shown_as_text(operator):
    make_worker(hostname=EVIL, queues=[EVIL], package_version=EVIL)
    Queue.objects.create(name=EVIL, created_at=now(), paused_at=now())
    make_run(queue=EVIL)
    ended(name=EVIL)
    page = operator.get(OVERVIEW).content.decode()
    assert EVIL not in page
    assert page.count(escape(EVIL)) >= 4


def test_queues_and_workers_are_listed(operator):
    worker = make_worker(hostname="oak", queues=["default"], threads=4, package_version="0.0.1")
    for _ in range(3):
        make_run("running", worker=worker)
    make_run(ready_at=now() - timedelta(minutes=5))
    page = read(operator)
    assert re.search(r"default open 1 5 min 0 s 3 . 1", page), page
    assert "oak:4711 alive default 3 on 4 threads 0.0.1 another one than here" in page


def test_the_page_follows_what_happens(operator):
    page = operator.get(OVERVIEW)
    assert 'data-durable-live="overview"' in page.content.decode()
    assert 'data-says="Nothing needs you now."' in page.content.decode()
    asks = {"HTTP_DURABLE_LIVE": "1", "HTTP_IF_NONE_MATCH": page["ETag"]}
    assert 304 in {operator.get(OVERVIEW, **asks).status_code for _ in range(2)}
    clock.advance(timedelta(minutes=1))
    make_run("failed")
    fresh = operator.get(OVERVIEW, **asks)
    assert fresh.status_code == 200
    assert 'data-says="2 things need you now."' in fresh.content.decode()


# For whom


def test_who_may_not_see_runs_may_not_see_the_overview(staff):
    assert staff("view_worker").get(OVERVIEW).status_code == 403
    assert staff().get(OVERVIEW).status_code == 403


def test_each_sees_only_what_he_may_open(staff):
    make_worker(hostname="oak")
    make_run("failed")
    ask(make_run("waiting"))
    page = staff("view_execution").get(OVERVIEW)
    assert (page.context["queues"], page.context["workers"]) == (None, None)
    text = page.content.decode()
    assert "oak" not in text
    assert "request for input" not in text
    assert "1</strong> run failed" in text


def limit_to_shop(monkeypatch):
    everything = ExecutionAdmin.get_queryset

    def limited(self, request):
        rows = everything(self, request)
        return rows if request.user.is_superuser else rows.filter(queue="shop")

    monkeypatch.setattr(ExecutionAdmin, "get_queryset", limited)


def test_who_may_see_only_some_runs_sees_figures_of_these_only(operator, monkeypatch):
    limit_to_shop(monkeypatch)
    make_worker()
    error = {"type": "SecretError", "message": "", "traceback": "", "node": "n"}
    make_run("failed", queue="secret", error=error)
    make_run("failed", queue="shop")
    make_run("completed", queue="secret")
    ended(name="tests.secret")
    page = operator.get(OVERVIEW)
    numbers = {tile.url.partition("=")[2]: tile.number for tile in page.context["statuses"]}
    assert (numbers["failed"], numbers["completed"]) == ("1", "0")
    assert page.context["throughput"] is None
    text = page.content.decode()
    assert "tests.secret" not in text
    assert "SecretError" not in text
    assert "you may see only some of them" in text


def test_who_may_see_all_runs_sees_charts_though_others_do_not(client, monkeypatch):
    limit_to_shop(monkeypatch)
    client.force_login(User.objects.create_superuser("root"))
    make_run("completed")
    ended()
    assert client.get(OVERVIEW).context["throughput"].total == 1


def test_sums_of_some_workflows_can_be_allowed(operator, monkeypatch):
    limit_to_shop(monkeypatch)
    monkeypatch.setattr(OverviewAdmin, "tallied_workflows", lambda *_: {"tests.order"})
    make_run("completed", queue="shop")
    ended()
    ended(name="tests.secret")
    page = operator.get(OVERVIEW)
    assert page.context["throughput"].total == 1
    assert "tests.secret" not in page.content.decode()


def test_the_overview_can_be_registered_without_its_neighbours(rf, db):
    site = admin.AdminSite()
    site.register(Execution, ExecutionAdmin)
    request = rf.get(OVERVIEW)
    request.user = User.objects.create_superuser("root")
    make_run("failed")
    model_admin = OverviewAdmin(Execution, site)
    page = model_admin._page(request, model_admin.get_queryset(request))
    assert (page["queues"], page["workers"]) == (None, None)


# Where


def test_the_start_page_leads_to_it(operator):
    assert f'href="{OVERVIEW}"' in operator.get("/admin/durable_django/").content.decode()


# At what cost


def test_the_number_of_queries_does_not_depend_on_how_much_there_is(operator):
    def asked():
        with CaptureQueriesContext(connection) as found:
            assert operator.get(OVERVIEW).status_code == 200
        return found.captured_queries

    worker = make_worker(workflows=["x v1"])
    make_definition()
    few = asked()
    for number in range(5):
        make_definition(name=f"tests.w{number}")
        Queue.objects.create(name=f"q{number}", created_at=now())
        make_run("running", worker=worker, queue=f"q{number}")
        make_run("failed", error={"type": f"E{number}", "node": "n"})
        make_run(queue=f"other{number}")
        ask(make_run("waiting"))
        ended(name=f"tests.w{number}")
    many = asked()
    assert len(many) == len(few) <= 15


def test_payloads_are_not_read(operator):
    make_run("failed", error={"type": "E", "node": "n"})
    with CaptureQueriesContext(connection) as found:
        operator.get(OVERVIEW)
    read = "".join(query["sql"] for query in found)
    assert [name for name in ("input_text", "snapshot", "result_text") if f'"{name}"' in read] == []
