"""Definitions as somebody sees them: graphs, versions side by side, runs that wait for code."""

from datetime import timedelta

import pytest

from durable_django import Workflow, step
from durable_django.admin import definition_runs
from durable_django.admin.executions import ExecutionAdmin
from tests.admin.conftest import DEFINITIONS, LIST
from tests.admin.rows import make_definition, make_run, make_worker, now

STEP = {"name": "charge", "kind": "step"}
OLD = {"nodes": [STEP, {"name": "ship", "kind": "step"}]}
NEW = {"nodes": [{**STEP, "atomic": True}, {"name": "send", "kind": "step"}], "timeout": 60}


def page_of(row, query=""):
    return f"{DEFINITIONS}{row.pk}/change/{query}"


def text_of(client, address):
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def test_a_definition_is_drawn_and_each_node_leads_to_what_is_written_of_it(viewer):
    page = text_of(viewer, page_of(make_definition(OLD)))
    assert 'aria-label="Graph of 2 nodes"' in page
    assert '<a href="#node-charge"' in page
    assert '<li id="node-charge">' in page


def test_two_versions_stand_side_by_side_the_older_first(viewer):
    make_definition(OLD, version=1)
    row = make_definition(NEW, version=2)
    for address in (page_of(row, "?with=1"), page_of(make_definition(OLD, version=3), "?with=2")):
        assert text_of(viewer, address).count('class="durable-graph-window"') == 2
    page = text_of(viewer, page_of(row, "?with=1"))
    assert page.index("From v1 to v2") < page.index("<h3>v1</h3>") < page.index("<h3>v2</h3>")
    for said in ("</svg>added</span> <code>send</code>", "</svg>removed</span> <code>ship</code>"):
        assert said in page
    for said in ("atomic: nothing → True", "timeout: nothing → 60", "changed · atomic</text>"):
        assert said in page


def test_versions_that_say_the_same_are_told_so(viewer):
    make_definition(OLD, version=1)
    page = text_of(viewer, page_of(make_definition(OLD, version=2), "?with=1"))
    assert "They say the same." in page


@pytest.mark.parametrize("asked", ["", "2", "99", "x", "-1", "1e3", "9" * 30, "²"])
def test_a_version_that_is_not_there_is_not_compared(viewer, asked):
    page = text_of(viewer, page_of(make_definition(OLD, version=2), f"?with={asked}"))
    assert "durable-compared" not in page


def test_versions_tell_their_runs_and_lead_to_them(viewer):
    row = make_definition(OLD, version=1)
    make_definition(NEW, version=2)
    for status in ("completed", "completed", "failed", "waiting"):
        make_run(status, version=1)
    make_run("completed", version=2)
    page = text_of(viewer, page_of(row))
    for said in ("2 completed", "1 failed", "1 waiting", "1 completed"):
        assert f"</svg>{said}</span>" in page
    assert f"{LIST}?workflow=tests.order&amp;version=1" in page
    assert 'href="?with=2"' in page


def test_more_runs_than_are_counted_are_admitted(viewer, monkeypatch):
    monkeypatch.setattr(definition_runs, "NEWEST_MAX", 2)
    monkeypatch.setattr(definition_runs, "UNENDED_MAX", 2)
    row = make_definition(OLD)
    for _ in range(4):
        make_run("waiting")
    assert "Counted among the newest" in text_of(viewer, page_of(row))
    assert "</svg>3+ waiting</span>" in text_of(viewer, DEFINITIONS)


def test_runs_whose_code_no_worker_has_are_told(viewer):
    row, fine = make_definition(OLD, version=1), make_definition(NEW, version=2)
    make_worker(workflows=["tests.order v2"])
    make_run("pending", version=1)
    make_run("waiting", version=2)
    assert "no worker that is alive has its code" in text_of(viewer, page_of(row))
    assert "durable-stranded" not in text_of(viewer, page_of(fine))
    assert text_of(viewer, DEFINITIONS).count("no worker has its code") == 1


@pytest.mark.parametrize(
    "worker",
    [
        {"workflows": ["tests.order v1"], "status": "dead"},
        {"workflows": ["tests.order v1"], "heartbeat_at": now() - timedelta(hours=1)},
    ],
)
def test_a_worker_that_is_gone_has_no_code(viewer, worker):
    make_worker(**worker)
    make_worker(workflows=["other v1"])
    make_run("waiting", version=1)
    assert "no worker that is alive" in text_of(viewer, page_of(make_definition(OLD, version=1)))


def test_without_workers_that_tell_this_server_tells_what_it_has(viewer, isolated):
    class Order(Workflow):
        class Meta:
            name = "tests.order"

        @step
        def charge(self):
            pass

    make_worker(workflows=[])
    make_run("waiting", version=1)
    make_run("waiting", version=2)
    here = make_definition(Order.definition.structure(), version=1)
    assert "durable-stranded" not in text_of(viewer, page_of(here))
    gone = text_of(viewer, page_of(make_definition(OLD, version=2)))
    assert "Whether a worker has it is not known." in gone


def test_a_version_with_all_runs_ended_is_not_stranded(viewer):
    make_worker(workflows=["other v1"])
    make_run("completed")
    make_run("failed")
    assert "durable-stranded" not in text_of(viewer, page_of(make_definition(OLD)))


def test_only_runs_that_one_may_see_are_counted(viewer, staff, monkeypatch):
    row = make_definition(OLD)
    make_run("waiting", queue="secret")
    everything = ExecutionAdmin.get_queryset
    monkeypatch.setattr(
        ExecutionAdmin, "get_queryset", lambda self, r: everything(self, r).exclude(queue="secret")
    )
    for address in (DEFINITIONS, page_of(row)):
        assert "1 waiting" not in text_of(viewer, address)
    blind = staff("view_workflowdefinition")
    for address in (DEFINITIONS, page_of(row)):
        page = text_of(blind, address)
        assert "waiting" not in page
        assert LIST not in page


def test_a_run_is_started_from_the_newest_version_by_who_may(staff, viewer, isolated):
    class Order(Workflow):
        class Meta:
            name = "tests.order"
            version = 2

        @step
        def charge(self):
            pass

    old, row = make_definition(OLD, version=1), make_definition(NEW, version=2)
    starter = staff("view_workflowdefinition", "view_execution", "start_execution")
    link = f'{LIST}start/?workflow=tests.order"'
    assert link in text_of(starter, page_of(row))
    assert link not in text_of(starter, page_of(old))
    assert link not in text_of(viewer, page_of(row))


def test_the_pages_take_few_queries_however_many_runs_there_are(
    viewer, django_assert_max_num_queries
):
    row = make_definition(OLD)
    for number in range(2, 9):
        make_definition(NEW, version=number)
    for status in ("waiting", "sleeping", "completed", "failed", "pending", "running"):
        make_run(status)
    with django_assert_max_num_queries(12):
        viewer.get(DEFINITIONS)
    with django_assert_max_num_queries(12):
        viewer.get(page_of(row, "?with=2"))


def test_what_a_definition_holds_is_never_markup(viewer):
    evil = "</svg><script>alert(1)</script>"
    nodes = [{"name": evil, "kind": evil, "doc": evil}]
    make_definition({"nodes": nodes}, name=evil, version=1)
    row = make_definition({"nodes": [], "timeout": evil}, name=evil, version=2, doc=evil)
    for address in (DEFINITIONS, page_of(row), page_of(row, "?with=1")):
        assert "<script>alert" not in text_of(viewer, address)
