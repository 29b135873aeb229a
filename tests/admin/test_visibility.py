"""A project that shows somebody only some runs: nothing tells him of the others, anywhere.

``ExecutionAdmin.get_queryset`` is all that such a project writes.
"""

import json
import re
from datetime import timedelta
from urllib.parse import quote, urlencode

import pytest
from django.urls import reverse

from durable_django import Workflow, step
from durable_django.admin.executions import ExecutionAdmin
from durable_django.admin.tabs import TABS
from durable_django.models import Execution, Queue, Tally
from tests.admin.conftest import DEFINITIONS, LIST, WORKERS, page_of
from tests.admin.rows import (
    make_definition,
    make_error,
    make_fork,
    make_run,
    make_schedule,
    make_step,
    make_tick,
    make_worker,
    now,
)
from tests.admin.test_events_tab import make_event
from tests.admin.test_history_tab import make_entry
from tests.admin.test_permissions_matrix import everything
from tests.admin.urls import NOBODY, VIEWS, needs, pages, permissions
from tests.inputs.waits import ask, make_wait

pytestmark = pytest.mark.usefixtures("isolated")

MINE, HIDDEN = "tests.mine", "tests.0ccult"
INBOX = "/admin/durable_django/pendinginput/"
OVERVIEW = "/admin/durable_django/overview/"
# What only hidden runs hold: whatever page says one of these tells of them.
WORDS = ("0ccult", "5ecret")


class World:
    """Runs of a workflow that may be seen, and as many of one that may not, tied together in every
    way that there is."""

    def __init__(self) -> None:
        class Mine(Workflow):
            class Meta:
                name = MINE

            @step
            def charge(self):
                pass

        class Hidden(Workflow):
            """All about the 5ecret."""

            class Meta:
                name = HIDDEN
                queue = "0ccult-queue"

            @step
            def x0ccult(self):
                pass

        self.worker = make_worker(queues=["default", "0ccult-queue"], workflows=[f"{MINE} v1"])
        self.parent = self.make("waiting", tags=["0ccult"], idempotency_key="0ccult-key")
        self.hidden = [
            self.make("failed", error=make_error("5ecret") | {"node": "x0ccult"}),
            self.make("completed", result="5ecret"),
            self.make("running", worker=self.worker),
            self.make("sleeping", due_at=now() - timedelta(minutes=3)),
            self.make("paused"),
            self.make("compensation_failed", error=make_error("5ecret")),
            self.make("pending"),
        ]
        make_step(self.hidden[0], "x0ccult", "failed", error=make_error("5ecret"))
        self.strand = make_fork(self.hidden[2], ["running"], path="x0ccult_fork")[0]
        self.mine = make_run(
            "waiting",
            workflow_name=MINE,
            parent=self.parent,
            root_id=self.parent.pk,
        )
        self.child = self.make("waiting", parent=self.mine, root_id=self.parent.pk)
        make_wait(self.mine, "call", node="called", child_id=self.child.pk)
        made = make_wait(
            self.mine, "start", node="made", child_id=self.child.pk, status="completed"
        )
        make_event(self.mine, "ended", None, made, kind="child", key=str(self.child.pk))
        make_entry(self.mine, "rerun", {"new": str(self.child.pk), "node": "charge"})
        make_entry(self.mine, "rerun", {"original": str(self.parent.pk), "node": "charge"})
        self.failed = make_run("failed", workflow_name=MINE, error=make_error())
        make_step(self.failed, "charge", "failed", error=make_error())
        self.asked = ask(self.parent, prompt="What is the 5ecret?", to="user:somebody-else")
        ask(self.mine, prompt="Is it mine?")
        make_event(self.parent, "0ccult-event", "5ecret")
        make_entry(self.parent, "pause", by="0ccult-person", reason="5ecret")
        make_definition(name=MINE)
        self.schedule = make_schedule(MINE)
        make_tick(self.schedule, execution=self.child)
        secret = {"input_text": '{"card": "5ecret"}', "error": "5ecret"}
        make_tick(make_schedule(HIDDEN, "0ccult-schedule", **secret), detail="5ecret")
        Tally.objects.create(
            workflow_name=HIDDEN,
            span_seconds=60,
            begins_at=now().replace(second=0, microsecond=0),
            status="failed",
            duration_class=1,
            number=5,
        )

    @staticmethod
    def make(status, **fields):
        return make_run(
            status,
            **{"workflow_name": HIDDEN, "queue": "0ccult-queue", "input": "5ecret", **fields},
        )

    @property
    def concealed(self) -> list[Execution]:
        return [self.parent, self.child, self.strand, *self.hidden]

    def traces(self) -> tuple[str, ...]:
        """What a page would say of what is hidden."""
        ids = [str(run.pk) for run in self.concealed]
        return (*WORDS, *ids, *(pk[-6:] for pk in ids))


@pytest.fixture
def limited(monkeypatch):
    """Only the runs of one workflow are shown."""
    queryset = ExecutionAdmin.get_queryset
    monkeypatch.setattr(
        ExecutionAdmin,
        "get_queryset",
        lambda self, request: queryset(self, request).filter(workflow_name=MINE),
    )


@pytest.fixture
def world(db, limited):
    return World()


@pytest.fixture
def clerk(staff):
    """Who may do everything, but sees nothing of queues, workers, definitions."""
    apart = {"view_queue", "view_worker", "view_workflowdefinition", "manage_queue"}
    return staff(*(set(permissions()) - apart))


def text_of(response) -> str:
    if response.streaming:
        return b"".join(response.streaming_content).decode()
    return response.content.decode()


def tells(response, world, but=()):
    """What an answer says of what is hidden."""
    text = text_of(response)
    return [word for word in world.traces() if word in text and word not in but]


ADDRESSES = {
    "overview": OVERVIEW,
    "overview of a week": f"{OVERVIEW}?period=week",
    "list": LIST,
    **{
        f"list {query}": f"{LIST}?{query}"
        for query in (
            "status=failed",
            "status=active",
            "status=attention",
            "status=running",
            "waiting=event",
            "waiting=child",
            "awaited=ended",
            "paused=yes",
            "created=hour",
            "q=charge",
            "q=vip",
        )
    },
    "export": f"{LIST}export/",
    "start": f"{LIST}start/",
    "start many": f"{LIST}start/many/",
    "inbox": INBOX,
    "inbox of everybody": f"{INBOX}?for=all",
    "index": "/admin/",
    "index of the app": "/admin/durable_django/",
}


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_no_list_tells_of_hidden_runs(clerk, world, address):
    response = clerk.get(address)
    assert response.status_code == 200
    assert tells(response, world) == []


@pytest.mark.parametrize("tab", TABS)
def test_the_page_of_a_run_tells_nothing_of_its_hidden_parent_and_children(clerk, world, tab):
    for run in (world.mine, world.failed):
        response = clerk.get(f"{page_of(run)}?tab={tab}")
        assert response.status_code == 200
        assert tells(response, world) == []


def test_of_what_was_called_it_is_still_said_how_it_stands(clerk, world):
    """That is the reason why the run does not move."""
    page = clerk.get(page_of(world.mine)).content.decode()
    assert "It waits for the workflow" in page


def test_who_may_see_all_is_led_to_parent_children_and_what_was_called(
    admin_client, world, monkeypatch
):
    monkeypatch.undo()
    page = "".join(text_of(admin_client.get(f"{page_of(world.mine)}?tab={t}")) for t in TABS)
    for run in (world.parent, world.child):
        assert page_of(run) in page


@pytest.mark.parametrize("query", ["0ccult", "5ecret", "0ccult-key", "0ccult-queue", HIDDEN])
def test_a_search_or_a_filter_finds_no_hidden_run(clerk, world, query):
    for parameter in ("q", "workflow", "queue", "tag", "awaited"):
        response = clerk.get(f"{LIST}?{urlencode({parameter: query})}")
        # What somebody has written himself is said again; nothing else is.
        assert tells(response, world, but=("0ccult", "5ecret")) == []
        assert response.context["cl"].result_list == []


def test_a_search_for_an_id_finds_no_hidden_run(clerk, world):
    for run in world.concealed:
        for found in (f"q={run.pk}", f"q={str(run.pk)[:13]}", f"parent={run.pk}"):
            listed = clerk.get(f"{LIST}?{found}").context["cl"].result_list
            assert {row.workflow_name for row in listed} <= {MINE}


def test_every_page_of_a_hidden_run_is_as_that_of_one_that_is_not_there(clerk, world):
    """Its own page, each of its actions by GET and POST, its history, that of its strands."""
    before = everything()
    nowhere = "00000000-0000-7000-8000-000000000000"
    for page in pages():
        if not page.has_id or page.model not in ("execution", "overview"):
            continue
        for method in ("get", "post"):
            missing = getattr(clerk, method)(page.address(nowhere), {"reason": "x"})
            for run in world.concealed:
                found = getattr(clerk, method)(page.address(run.pk), {"reason": "x"})
                assert found.status_code == missing.status_code, (str(page), method)
                assert found.get("Location") == missing.get("Location")
                said = text_of(found).replace(str(run.pk), nowhere)
                assert not any(word in said for word in WORDS)
    assert everything() == before


def test_the_poll_of_a_hidden_run_tells_nothing(clerk, admin_client, world):
    for run in world.concealed:
        tag = admin_client.get(page_of(run)).get("ETag", 'W/"x"')
        response = clerk.get(page_of(run), headers={"If-None-Match": tag, "durable-live": "1"})
        assert response.status_code == 302
        assert "ETag" not in response


def test_forged_ids_of_hidden_runs_are_left_alone_and_not_told_from_gone_ones(clerk, world):
    before = everything()
    ids = " ".join(str(run.pk) for run in world.concealed)
    for verb in ("cancel", "retry", "pause", "resume"):
        response = clerk.post(f"{LIST}bulk/{verb}/", {"ids": ids, "reason": "x"}, follow=True)
        said = " ".join(map(str, response.context["messages"]))
        assert f"{len(world.concealed)} executions are gone." in said
        assert not any(word in said for word in world.traces())
        ticked = [str(run.pk) for run in world.concealed]
        for action in (f"{verb}_selected", "export_selected"):
            response = clerk.post(LIST, {"action": action, "_selected_action": ticked})
            assert not any(word in text_of(response) for word in WORDS)
    assert everything() == before


def test_an_action_on_all_that_filters_find_finds_no_hidden_run(clerk, world):
    for query in ("status=failed", "workflow=tests.0ccult", "queue=0ccult-queue", ""):
        kept = urlencode({"_changelist_filters": query})
        for verb in ("cancel", "retry", "pause", "resume"):
            response = clerk.get(f"{LIST}bulk/{verb}/?{kept}", follow=True)
            assert tells(response, world, but=("0ccult",)) == []
        lines = text_of(clerk.get(f"{LIST}export/?{kept}"))
        assert tells_of(lines) <= {MINE}


def tells_of(lines: str) -> set[str]:
    return {json.loads(line)["workflow"] for line in lines.splitlines()}


def test_counts_are_of_the_runs_that_may_be_seen(clerk, world):
    page = clerk.get(OVERVIEW).content.decode()
    numbers = dict(
        re.findall(r'status=(\w+)"><strong>([\d,+]+)</strong>', page.replace("&amp;", "&"))
    )
    kinds = ("failed", "running", "sleeping", "paused", "completed", "pending")
    assert {kind: numbers[kind] for kind in kinds} == {
        "failed": "1",
        "running": "0",
        "sleeping": "0",
        "paused": "0",
        "completed": "0",
        "pending": "0",
    }
    assert "could not be undone" not in page
    assert "gone on over a minute ago" not in page


def test_a_worker_says_how_much_it_holds_but_of_hidden_runs_not_what(staff, world):
    """Workers are machines: who may see them sees how busy they are."""
    viewer = staff("view_worker", "view_execution")
    page = viewer.get(f"{WORKERS}{world.worker.pk}/change/")
    names = ("0ccult", *WORDS)
    assert tells(page, world, but=names) == []
    # The queues it serves are its own; that of the hidden runs is one of them.
    assert set(re.findall(r"[\w.-]*0ccult[\w.-]*", text_of(page))) == {"0ccult-queue"}


def test_a_queue_says_how_much_waits_but_of_hidden_runs_not_what(staff, world):
    Queue.objects.create(name="0ccult-queue", created_at=now())
    viewer = staff("view_queue", "view_execution")
    for address in ("/admin/durable_django/queue/", "/admin/durable_django/queue/0ccult_2Dqueue/"):
        page = viewer.get(address, follow=True)
        assert set(re.findall(r"[\w.-]*0ccult[\w.-]*", text_of(page))) <= {
            "0ccult-queue",
            "0ccult_2Dqueue",
        }


def test_definitions_tell_of_no_hidden_runs_but_that_there_is_such_a_workflow(staff, world):
    """Who may see definitions sees all of them, and the runs of none that he may not."""
    row = make_definition(name=HIDDEN)
    viewer = staff("view_workflowdefinition", "view_execution")
    listed = text_of(viewer.get(DEFINITIONS))
    shown = text_of(viewer.get(f"{DEFINITIONS}{row.pk}/change/"))
    for page in (listed, shown):
        assert "durable-count" not in page
        for run in world.concealed:
            assert str(run.pk) not in page
    assert re.findall(r"(\d+) (?:failed|running|sleeping|paused|pending|completed)", shown) == []


def test_who_answers_only_is_told_of_no_workflow_that_asks_others(staff, world):
    answerer = staff("view_pendinginput", "answer_input")
    for address in (INBOX, f"{INBOX}?workflow={quote(HIDDEN)}"):
        response = answerer.get(address)
        assert tells(response, world, but=("0ccult",) if "?" in address else ()) == []
    assert answerer.get(f"{INBOX}{world.asked.pk}/change/").status_code == 302
    assert answerer.get(f"{INBOX}{world.asked.pk}/history/").status_code == 302
    posted = answerer.post(f"{INBOX}{world.asked.pk}/change/", {"answer-value": '"approved"'})
    assert posted.status_code == 302
    world.asked.refresh_from_db()
    assert world.asked.status == "open"


def test_what_one_is_asked_is_shown_though_its_run_is_hidden(staff, world):
    answerer = staff("view_pendinginput", "answer_input", "view_execution")
    wait = ask(world.child, prompt="Are you there?", to=f"user:{_name_of(answerer)}")
    assert "Are you there?" in text_of(answerer.get(INBOX))
    page = text_of(answerer.get(f"{INBOX}{wait.pk}/change/"))
    assert "Are you there?" in page
    assert str(world.child.pk) not in page


def _name_of(client):
    return client.get("/admin/").context["user"].username


def test_every_page_that_could_tell_is_looked_at(clerk, world):
    """Each address of the admin, by somebody who may open all of it, tells of no hidden run."""
    rows = {"pendinginput": world.asked, "execution": world.mine, "overview": world.mine}
    rows["schedule"] = world.schedule
    apart = ("queue", "worker", "workflowdefinition")
    for page in pages():
        if page.model in apart or needs()[page.name] is NOBODY:
            continue
        response = clerk.get(page.address(rows[page.model].pk), follow=True)
        own = ("0ccult",) if page.model == "pendinginput" else ()
        assert tells(response, world, but=own) == [], str(page)


def test_the_views_are_those_of_the_matrix():
    assert set(VIEWS) == {page.model for page in pages()}
    assert reverse("admin:durable_django_execution_changelist") == LIST
