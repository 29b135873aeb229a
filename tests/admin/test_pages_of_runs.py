"""The list of executions page by page: each by an index, none by counting."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from durable_django.admin.executions import ExecutionAdmin
from durable_django.models import Execution, ExecutionStatus, Wait
from durable_django.models.names import names_of_runs
from tests.admin.conftest import LIST
from tests.admin.rows import make_definition, make_error, make_fork, make_run, make_step, now

EVIL = "<script>pwned()</script>"


@pytest.fixture
def secretive(settings):
    settings.DURABLE = {**settings.DURABLE, "SENSITIVE": ["password"]}


@pytest.fixture
def small(monkeypatch):
    """Pages of two runs."""
    monkeypatch.setattr(ExecutionAdmin, "list_per_page", 2)


def listed(response):
    return [row.pk for row in response.context["cl"].result_list]


def wait_of(run, kind, name="", **fields):
    return Wait.objects.create(
        **{
            "execution": run,
            "member": run,
            "path": f"{kind}-{name}",
            "node": "node",
            "kind": kind,
            "name": name,
            "created_at": now(),
            **fields,
        }
    )


# Pages


def test_one_turns_pages_there_and_back_by_id(viewer, small):
    runs = [make_run(workflow_name=f"tests.w{n % 3}").pk for n in range(5)][::-1]
    first = viewer.get(LIST)
    cl = first.context["cl"]
    assert listed(first) == runs[:2]
    assert (cl.newer, cl.newest) == ("", "")
    assert cl.older == f"?before={runs[1]}"
    second = viewer.get(LIST + cl.older)
    assert listed(second) == runs[2:4]
    third = viewer.get(LIST + second.context["cl"].older)
    assert listed(third) == runs[4:]
    assert third.context["cl"].older == ""
    back = viewer.get(LIST + third.context["cl"].newer)
    assert listed(back) == runs[2:4]
    assert listed(viewer.get(LIST + back.context["cl"].newer)) == runs[:2]
    assert back.context["cl"].newest == "?"


def test_a_page_stays_the_same_while_runs_are_started(viewer, small):
    runs = [make_run().pk for _ in range(4)][::-1]
    older = viewer.get(LIST).context["cl"].older
    make_run()
    assert listed(viewer.get(LIST + older)) == runs[2:]


def test_the_filters_are_kept_from_page_to_page_and_a_new_one_begins_at_the_top(viewer, small):
    failed = [make_run("failed").pk for _ in range(3)][::-1]
    make_run()
    response = viewer.get(f"{LIST}?status=failed")
    assert listed(response) == failed[:2]
    older = response.context["cl"].older
    assert older == f"?status=failed&before={failed[1]}"
    second = viewer.get(LIST + older)
    assert listed(second) == failed[2:]
    links = [line for line in second.content.decode().split('"') if "status=completed" in line]
    assert links
    assert [link for link in links if "before" in link] == []


@pytest.mark.parametrize("query", ["before=x", "after=1", "before=%00"])
def test_a_page_that_is_none_leads_back_to_the_list(viewer, query):
    response = viewer.get(f"{LIST}?{query}")
    assert (response.status_code, response["Location"]) == (302, f"{LIST}?e=1")


def test_behind_the_last_page_it_says_so(viewer):
    run = make_run()
    page = viewer.get(f"{LIST}?before={run.pk}")
    assert listed(page) == []
    assert "There are no older executions." in page.content.decode()


def test_runs_of_workflows_that_no_code_knows_are_listed(viewer):
    names = ["zebra", "Ärger", "a'b", EVIL]
    runs = [make_run(workflow_name=name).pk for name in names]
    make_fork(make_run("running", workflow_name="forks"), ["completed"] * 3)
    assert sorted(names_of_runs()) == sorted([*names, "forks"])
    assert set(runs) <= set(listed(viewer.get(LIST)))
    assert EVIL not in viewer.get(LIST).content.decode()


def test_without_runs_there_are_no_workflows(db):
    assert names_of_runs() == []


# What it costs


def plan_of(client, address):
    """How the database finds the ids of a page, in one text."""
    with CaptureQueriesContext(connection) as found:
        client.get(address)
    (sql,) = [query["sql"] for query in found if "AS part" in query["sql"]]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # In a table of a few rows any index is dearer than none.
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
            cursor.execute(f"EXPLAIN {sql}")
            return "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        return "\n".join(row[3] for row in cursor.fetchall())


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("", "durable_execution_workflow"),
        ("?workflow=tests.order", "durable_execution_workflow"),
        ("?status=completed", "durable_execution_workflow"),
        ("?created=hour", "durable_execution_workflow"),
        ("?before=01a204a9-6d2f-7675-8eb5-2f732b72fe0e", "durable_execution_workflow"),
        ("?status=failed", "durable_execution_rare"),
        ("?status=failed&workflow=tests.order", "durable_execution_rare"),
        ("?status=cancelled&after=01a204a9-6d2f-7675-8eb5-2f732b72fe0e", "durable_execution_rare"),
        ("?status=attention", "durable_execution_rare"),
        ("?status=pending", "durable_execution_ready"),
        ("?status=running", "durable_execution_running"),
        ("?tag=vip", "durable_execution_tags"),
        ("?parent=01a204a9-6d2f-7675-8eb5-2f732b72fe0e", "durable_execution_parent"),
    ],
)
def test_a_page_is_found_by_an_index_that_knows_no_strand(viewer, query, index):
    make_run(tags=["vip"])
    plan = plan_of(viewer, f"{LIST}{query}")
    # Of a table of one row PostgreSQL does not tell these two from any other.
    is_open = connection.vendor == "postgresql" and index in (
        "durable_execution_running",
        "durable_execution_tags",
    )
    assert index in plan or is_open, plan
    assert "execution_pkey" not in plan, plan
    assert "autoindex" not in plan, plan
    scans = [line for line in plan.splitlines() if "SCAN durable" in line or "Seq Scan" in line]
    assert [line for line in scans if "USING INDEX durable_execution_" not in line] == [], plan


@pytest.mark.parametrize("query", ["", "?status=active", "?q=vip%20tests", "?waiting=event"])
def test_a_full_page_takes_few_queries(viewer, query):
    make_definition()
    for number in range(40):
        name = f"tests.w{number % 7}"
        run = make_run("waiting", workflow_name=name, tags=["vip"])
        make_step(run, progress=0.5, progress_message="on it", status="running")
        wait_of(run, "event", "go")
    with CaptureQueriesContext(connection) as found:
        response = viewer.get(f"{LIST}{query}")
    assert len(listed(response)) == 40
    assert len(found) <= 15, [query["sql"][:200] for query in found]


# Filters


def test_runs_are_filtered_by_groups_of_statuses(viewer):
    runs = {status: make_run(status).pk for status in ExecutionStatus.values}
    attention = {runs[s] for s in ("failed", "compensation_failed", "paused")}
    assert set(listed(viewer.get(f"{LIST}?status=attention"))) == attention
    for status, pk in runs.items():
        assert listed(viewer.get(f"{LIST}?status={status}")) == [pk]


def test_runs_are_filtered_by_what_they_wait_for(viewer):
    kinds = {"event": "event", "any": "event", "all": "event", "input": "input"}
    kinds |= {"callback": "callback", "call": "child", "sleep": "timer"}
    found = {kind: make_run("waiting").pk for kind in kinds}
    for kind, pk in found.items():
        wait_of(Execution.objects.get(pk=pk), kind, "payment")
    over = make_run("waiting")
    wait_of(over, "event", "payment", status="completed", resolved_at=now())
    for word in set(kinds.values()):
        wanted = {pk for kind, pk in found.items() if kinds[kind] == word}
        assert set(listed(viewer.get(f"{LIST}?waiting={word}"))) == wanted
    assert set(listed(viewer.get(f"{LIST}?awaited=payment"))) == set(found.values())
    both = viewer.get(f"{LIST}?awaited=payment&waiting=input")
    assert listed(both) == [found["input"]]
    assert listed(viewer.get(f"{LIST}?awaited=another")) == []


def test_runs_are_filtered_by_tag_parent_and_pause(viewer):
    parent = make_run(tags={"customer": 42})
    child = make_run(parent=parent, tags=["vip"])
    make_fork(parent, ["completed"])
    paused = make_run("paused")
    about = make_run("running", paused_at=now())
    assert listed(viewer.get(f"{LIST}?tag=vip")) == [child.pk]
    assert listed(viewer.get(f"{LIST}?tag=customer%3D42")) == [parent.pk]
    assert listed(viewer.get(f"{LIST}?tag=nobody")) == []
    assert listed(viewer.get(f"{LIST}?parent={parent.pk}")) == [child.pk]
    assert listed(viewer.get(f"{LIST}?paused=yes")) == [about.pk, paused.pk]


@pytest.mark.parametrize(
    "query",
    ["waiting=nonsense", "paused=no", "parent=x", "tag=%00", "awaited=" + "x" * 300],
)
def test_a_filter_that_makes_no_sense_leads_back_to_the_list(viewer, query):
    make_run()
    assert viewer.get(f"{LIST}?{query}").status_code == 302


def test_a_field_of_a_filter_keeps_the_others(viewer):
    make_run("failed")
    page = viewer.get(f"{LIST}?status=failed&tag=vip&before=01a204a9-6d2f-7675-8eb5-2f732b72fe0e")
    (tag,) = [spec for spec in page.context["cl"].filter_specs if spec.title == "tag"]
    (field,) = tag.choices(page.context["cl"])
    assert field["kept"] == [("status", "failed")]
    assert field["without"] == "?status=failed"
    assert 'name="tag" value="vip"' in page.content.decode()


# Where a run stands


def where(client, run):
    response = client.get(f"{LIST}?q={run.pk}")
    (row,) = response.context["cl"].result_list
    return str(row.where)


def test_a_run_shows_the_node_it_is_at(viewer):
    running = make_run("running")
    make_step(running, "first", next_path="second")
    assert ">second<" in where(viewer, running)
    make_step(running, "second", "running", seq=2, progress=0.42, progress_message="page 3 of 7")
    shown = where(viewer, running)
    assert ">second<" in shown
    assert 'value="42"' in shown
    assert "42 %" in shown
    assert "page 3 of 7" in shown
    failed = make_run("failed")
    make_step(failed, "charge", "failed", error=make_error())
    assert ">charge<" in where(viewer, failed)
    done = make_run("completed")
    make_step(done, "charge")
    assert where(viewer, done) == ""


def test_a_run_that_forked_shows_how_many_members_are_left(viewer):
    run = make_run("waiting", remaining=3)
    make_fork(run, ["pending"] * 3)
    assert ">sending<" in where(viewer, run)
    assert "3 members left" in where(viewer, run)


def test_what_a_step_says_of_its_progress_is_masked_and_escaped(viewer, secretive):
    run = make_run("running", input={"password": "hunter2-hunter2"})
    said = f"logged in with hunter2-hunter2 {EVIL}"
    make_step(run, "login", "running", progress_message=said)
    shown = where(viewer, run)
    assert "hunter2" not in shown
    assert "logged in with" in shown
    assert "<script>" not in shown
    long = make_run("running", input={"password": "hunter2-hunter2", "x": "x" * 30_000})
    make_step(long, "login", "running", progress_message=said)
    assert "logged in" not in where(viewer, long)


# Export


def exported(response):
    assert response["Content-Type"].startswith("application/x-ndjson")
    assert "attachment" in response["Content-Disposition"]
    return [json.loads(line) for line in b"".join(response).decode().splitlines()]


def test_those_ticked_are_exported_as_json_lines(viewer, secretive):
    run = make_run(
        "failed",
        input={"order": 7, "password": "hunter2-hunter2"},
        error=make_error("no hunter2-hunter2"),
        tags={"customer": 42},
        created_at=now() - timedelta(hours=1),
        reason=EVIL,
    )
    make_run()
    ticked = {"action": "export_selected", "_selected_action": [run.pk]}
    (line,) = exported(viewer.post(LIST, ticked))
    assert line["id"] == str(run.pk)
    assert line["input"] == {"order": 7, "password": "••••••"}
    assert line["error"]["message"] == "no ••••••"
    assert (line["status"], line["tags"]) == ("failed", {"customer": 42})
    assert line["reason"] == EVIL
    assert line["created_at"] == run.created_at.isoformat()


def test_all_that_the_filters_find_is_exported_in_pages(viewer, monkeypatch):
    from durable_django.admin import exporting

    monkeypatch.setattr(exporting, "PAGE", 2)
    runs = [str(make_run("failed").pk) for _ in range(5)][::-1]
    make_run()
    address = f"{LIST}export/?_changelist_filters=status%3Dfailed"
    assert address in viewer.get(f"{LIST}?status=failed").content.decode()
    assert [line["id"] for line in exported(viewer.get(address))] == runs
    monkeypatch.setattr(exporting, "RUNS_MAX", 3)
    lines = exported(viewer.get(address))
    assert [line.get("id") for line in lines] == [*runs[:3], None]
    assert lines[-1] == {"more": True, "before": runs[2]}


def test_who_may_see_what_is_sensitive_exports_it(staff, secretive):
    make_run(input={"password": "hunter2-hunter2"})
    client = staff("view_execution", "view_sensitive")
    (line,) = exported(client.get(f"{LIST}export/"))
    assert line["input"] == {"password": "hunter2-hunter2"}


def test_nobody_exports_what_he_may_not_see(staff, viewer, monkeypatch):
    seen, _hidden = make_run(), make_run(queue="secret")
    for client in (staff(), staff("cancel_execution")):
        assert client.get(f"{LIST}export/").status_code == 403
    queryset = ExecutionAdmin.get_queryset
    monkeypatch.setattr(
        ExecutionAdmin,
        "get_queryset",
        lambda self, request: queryset(self, request).filter(queue="default"),
    )
    assert [line["id"] for line in exported(viewer.get(f"{LIST}export/"))] == [str(seen.pk)]
