"""The pages of queues: what they show, who may decide what, and that it is written down."""

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from durable_django import api_queues
from durable_django.models import AuditEntry, Queue
from tests.admin.rows import make_run, make_worker, now

QUEUES = "/admin/durable_django/queue/"
EVIL = "<script>alert(1)</script>/x y"


@pytest.fixture
def viewer(staff):
    return staff("view_queue", "view_execution", "view_worker")


@pytest.fixture
def operator(staff):
    return staff("view_queue", "view_execution", "view_worker", "manage_queue")


def make_queue(name="mail", **fields):
    return Queue.objects.create(name=name, created_at=now(), **fields)


def address(verb="change", name="mail"):
    return f"{QUEUES}{quote(name)}/{verb}/"


def text(response):
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def test_the_list_tells_what_waits_and_who_serves_it(viewer):
    make_queue(concurrency_limit=1)
    make_queue("held", paused_at=now())
    worker = make_worker(queues=["mail"])
    make_run("running", worker=worker, queue="mail")
    make_run(queue="mail", ready_at=now() - timedelta(minutes=5))
    page = viewer.get(QUEUES)
    assert re.search(r"mail full 1 5 min 0 s ago 1 1 1", text(page)), text(page)
    assert "held paused 0" in text(page)
    assert "Queues" in text(page)


def test_the_list_costs_the_same_for_many_queues(viewer):
    def asked():
        with CaptureQueriesContext(connection) as found:
            viewer.get(QUEUES)
        return len(found)

    make_queue()
    few = asked()
    for number in range(20):
        make_queue(f"q{number}")
        make_run(queue=f"q{number}")
    assert asked() == few <= 12


def test_a_queue_tells_its_workers_and_what_was_decided(operator):
    make_queue()
    make_worker(hostname="oak", queues=["mail"])
    make_worker(hostname="elm", queues=["other"])
    api_queues.pause_queue("mail", reason="provider down", by="ada")
    api_queues.limit_queue("mail", 7, by="bob")
    page = text(operator.get(address()))
    for said in ("paused", "oak", "provider down", "ada", "changed the limit: 7", "bob"):
        assert said in page
    assert "elm" not in page
    assert "Resume …" in page
    assert "Pause …" not in page


def test_a_queue_is_paused_and_goes_on(operator):
    make_queue()
    asking = operator.get(address("pause"))
    assert "Pause the queue mail" in text(asking)
    assert not Queue.objects.get().is_paused
    response = operator.post(address("pause"), {"reason": "too hot"}, follow=True)
    assert "The queue mail is paused." in text(response)
    assert Queue.objects.get().is_paused
    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.queue, entry.reason) == ("pause", "mail", "too hot")
    assert entry.by == response.context["user"].get_username()
    assert "too hot" in LogEntry.objects.get().change_message
    operator.post(address("resume"), {"reason": ""})
    assert not Queue.objects.get().is_paused


@pytest.mark.parametrize(("given", "kept"), [("3", 3), ("", None)])
def test_a_queue_is_limited_and_the_limit_taken_away(operator, given, kept):
    make_queue(concurrency_limit=9)
    assert 'value="9"' in operator.get(address("limit")).content.decode()
    operator.post(address("limit"), {"limit": given, "reason": ""})
    assert Queue.objects.get().concurrency_limit == kept


@pytest.mark.parametrize("given", ["0", "-1", "x", "99999999999"])
def test_a_limit_that_makes_no_sense_is_told_beside_the_field(operator, given):
    make_queue(concurrency_limit=9)
    response = operator.post(address("limit"), {"limit": given})
    assert response.status_code == 200
    assert response.context["errors"]
    assert Queue.objects.get().concurrency_limit == 9


def test_what_has_changed_meanwhile_is_told_and_nothing_is_written(operator):
    make_queue(paused_at=now())
    response = operator.post(address("pause"), {"reason": ""}, follow=True)
    assert "Nothing was changed" in text(response)
    assert (AuditEntry.objects.count(), LogEntry.objects.count()) == (0, 0)


@pytest.mark.parametrize("verb", ["pause", "resume", "limit"])
def test_nobody_decides_without_the_permission(viewer, staff, verb):
    make_queue()
    for client in (viewer, staff("manage_queue")):
        assert client.get(address(verb)).status_code == 403
        assert client.post(address(verb), {"reason": ""}).status_code == 403
    assert "Pause …" not in text(viewer.get(address()))
    assert Queue.objects.get().paused_at is None


def test_nobody_decides_without_a_csrf_token(operator):
    make_queue()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = operator.cookies
    assert strict.post(address("pause"), {"reason": ""}).status_code == 403
    assert Queue.objects.get().paused_at is None


def test_a_queue_that_is_not_there_is_not_found(operator):
    assert operator.get(address("pause", "nobody's")).status_code == 404


def test_a_hostile_name_is_shown_as_text_and_can_be_paused(operator):
    make_queue(EVIL)
    make_worker(queues=[EVIL])
    for page in (QUEUES, address(name=EVIL), address("pause", EVIL)):
        found = operator.get(page).content.decode()
        assert EVIL not in found
        assert escape(EVIL) in found
    response = operator.post(address("pause", EVIL), {"reason": EVIL}, follow=True)
    assert Queue.objects.get().is_paused
    assert EVIL not in response.content.decode()


def test_queues_are_neither_added_nor_deleted_by_hand(operator):
    make_queue()
    assert operator.get(f"{QUEUES}add/").status_code == 403
    assert operator.post(address("delete"), {"post": "yes"}).status_code == 403
    operator.post(address(), {"paused_at": "2030-01-01"})
    assert Queue.objects.get().paused_at is None
