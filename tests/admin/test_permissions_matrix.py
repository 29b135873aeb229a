"""Every address of the admin, by everybody, in every way: refused unless it is theirs, and nothing
is done but by a POST of who may."""

import re
from urllib.parse import quote

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from durable_django import Workflow, step
from durable_django.definition import registry
from durable_django.models import (
    AuditEntry,
    Event,
    Execution,
    Queue,
    Schedule,
    ScheduleTick,
    StepRun,
    Wait,
    Worker,
    WorkflowDefinition,
)
from tests.admin.conftest import LIST
from tests.admin.rows import (
    make_definition,
    make_fork,
    make_run,
    make_schedule,
    make_step,
    make_worker,
    now,
)
from tests.admin.urls import NOBODY, Page, needs, pages, permissions
from tests.inputs.waits import ask

pytestmark = pytest.mark.django_db

METHODS = ("get", "head", "post", "put", "patch", "delete", "options", "trace")
SAFE = tuple(method for method in METHODS if method != "post")
NEEDS = needs()
PAGES = pages()
# All that some form of ours takes, so that a POST lacks nothing but the right to be done.
SENT = {
    "reason": "enough",
    "how": "stop",
    "node": "charge",
    "value": "null",
    "context": '{"n": 2}',
    "input": "{}",
    "name": "go",
    "payload": "1",
    "limit": "3",
    "workflow": "tests.order",
    "cron": "@daily",
    "previewed": "@daily|||",
    "overlap": "skip",
    "catch_up": "one",
    "start_0": "2020-01-01",
    "start_1": "00:00:00",
    "end_0": "2020-01-02",
    "end_1": "00:00:00",
    "confirmed": "1",
    "answer-value": '"approved"',
    "post": "yes",
    "_save": "1",
    "once": "0190f3d8-7a52-7c7e-8f2a-3d1f8c0f1a11",
}


@pytest.fixture(params=PAGES, ids=str)
def page(request):
    return request.param


class World:
    """A row of each kind, in the state that most can be done to."""

    def __init__(self) -> None:
        class Pays(Workflow):
            class Meta:
                name = "tests.order"

            @step
            def charge(self):
                self.context["n"] = 1

        self.run = make_run("failed", context={"n": 1}, error={"type": "E", "node": "charge"})
        make_step(self.run, "charge", "failed", error={"type": "E", "message": "no"})
        self.waiting = make_run("waiting")
        self.input = ask(self.waiting)
        self.worker = make_worker()
        make_run("running", worker=self.worker)
        self.paused = make_run("paused")
        self.definition = make_definition()
        self.queue = Queue.objects.create(name="default", created_at=now())
        self.schedule = make_schedule("tests.order")

    def row_of(self, page: Page):
        rows = {
            "execution": self.run,
            "overview": self.run,
            "pendinginput": self.input,
            "queue": self.queue,
            "schedule": self.schedule,
            "worker": self.worker,
            "workflowdefinition": self.definition,
        }
        active = ("_cancel", "_pause", "_send_event")
        if page.model == "execution" and page.name.endswith(active):
            return self.waiting
        return self.paused if page.name.endswith("execution_resume") else rows[page.model]

    def address(self, page: Page) -> str:
        address = page.address(self.row_of(page).pk)
        starts = page.name.endswith(("_start", "_start_many"))
        return f"{address}?workflow=tests.order" if starts else address

    def data(self) -> dict[str, str]:
        runs = (self.run, self.waiting, self.paused)
        lines = SimpleUploadedFile("lines", b"{}")
        return {**SENT, "ids": " ".join(str(run.pk) for run in runs), "file": lines}


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker):
    """One for all tests here, which are about what may not change it; each in a savepoint."""
    with django_db_blocker.unblock(), registry.isolate(), transaction.atomic():
        yield World()
        transaction.set_rollback(True)


def everything():
    """All rows that somebody's doing could have changed."""
    models = (AuditEntry, Event, Execution, Queue, StepRun, Wait, Worker, WorkflowDefinition)
    found = []
    with connection.cursor() as cursor:
        for model in (*models, LogEntry, Schedule, ScheduleTick):
            cursor.execute(f"SELECT * FROM {model._meta.db_table} ORDER BY 1")
            found.append(cursor.fetchall())
    return found


def sent(client, method, address, data):
    return getattr(client, method)(address, data if method in ("get", "head", "post") else "")


def answers(client, world, page, methods=METHODS):
    """The statuses of the answers to an address, by method."""
    address, data = world.address(page), world.data()
    return {method: sent(client, method, address, data).status_code for method in methods}


def test_it_is_said_of_every_address_who_may_open_it():
    assert {page.name for page in PAGES} <= set(NEEDS)
    # And nothing is said of what is not there any more, but for pages that Django would have.
    gone = set(NEEDS) - {page.name for page in PAGES}
    of_rows = ("change", "history", "add", "delete")
    assert gone == {f"durable_django_overview_{name}" for name in of_rows}


def test_who_is_not_logged_in_is_asked_to_whatever_he_sends(client, world, page):
    before = everything()
    for method in METHODS:
        response = sent(client, method, world.address(page), world.data())
        assert response.status_code == 302, method
        assert response["Location"].startswith(reverse("admin:login")), method
    assert everything() == before


def test_who_is_no_staff_is_asked_to_log_in_as_somebody_else(world, page, django_user_model):
    client = Client()
    client.force_login(django_user_model.objects.create_user("customer"))
    before = everything()
    assert set(answers(client, world, page).values()) == {302}
    assert everything() == before


def test_staff_without_a_permission_is_refused(staff, world, page):
    before = everything()
    assert set(answers(staff(), world, page).values()) == {403}
    assert everything() == before


def test_one_permission_opens_what_needs_just_that_and_does_nothing(staff, world):
    """Each permission alone, on every address: none but what needs just that one answers. Half of
    them are asked to show the page, half to do it: what is refused to who may all but one thing, in
    whatever way, is tried below."""
    before = everything()
    for i, codename in enumerate(permissions()):
        client = staff(codename)
        for j, page in enumerate(PAGES):
            if NEEDS[page.name] is not NOBODY and NEEDS[page.name] <= {codename}:
                continue
            method = ("get", "post")[(i + j) % 2]
            found = answers(client, world, page, (method,))
            assert found == {method: 403}, (codename, str(page))
    assert everything() == before


def test_who_lacks_one_of_the_permissions_is_refused(staff, world, page):
    needed = NEEDS[page.name]
    if needed is NOBODY:
        needed = frozenset()
        others = permissions()
        assert set(answers(staff(*others), world, page).values()) == {403}
    before = everything()
    for lacking in needed:
        client = staff(*(set(permissions()) - {lacking}))
        assert set(answers(client, world, page).values()) == {403}, lacking
    assert everything() == before


def test_who_has_the_permissions_is_let_in(staff, world, page):
    needed = NEEDS[page.name]
    client = staff(*(needed or ()))
    expected = (403,) if needed is NOBODY else (200, 302)
    assert client.get(world.address(page)).status_code in expected


def test_nothing_is_done_without_a_post(admin_client, world, page):
    before = everything()
    for method in SAFE:
        response = sent(admin_client, method, world.address(page), world.data())
        assert response.status_code < 500, method
    assert everything() == before


def test_nothing_is_done_without_a_token(admin_user, world, page):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(admin_user)
    before = everything()
    for method in ("post", "put", "patch", "delete"):
        response = sent(strict, method, world.address(page), world.data())
        assert response.status_code == 403, method
    assert everything() == before


def test_with_the_token_of_somebody_else_nothing_is_done(admin_user, staff, world, page):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(admin_user)
    before = everything()
    data = {**world.data(), "csrfmiddlewaretoken": "a" * 64}
    assert strict.post(world.address(page), data).status_code == 403
    assert everything() == before


# What is no id of anything that one can do this to


def _garbage(world: World) -> list[str]:
    strand = make_fork(make_run("running"), ["failed"])[0]
    others = (world.worker, world.queue, world.input, world.definition, world.run)
    return [
        "nonsense",
        "0" * 36,
        "0" * 32,
        "00000000-0000-7000-8000-000000000000",
        "9" * 400,
        "-1",
        "1.5",
        "_00",
        "%00",
        quote("'\"><script>alert(1)</script>", safe=""),
        quote("\u202e/../..", safe=""),
        "..%2f..%2fauth%2fuser%2f1",
        str(strand.pk),
        str(strand.pk).upper(),
        *(str(row.pk) for row in others),
    ]


def test_an_id_of_something_else_does_nothing_and_is_no_failure(admin_client, world, page):
    if not page.has_id:
        return
    # Rows of two models may have one number.
    own = {str(world.row_of(page).pk), str(world.run.pk)}
    garbage = [pk for pk in _garbage(world) if pk not in own]
    before = everything()
    for pk in garbage:
        for method in ("get", "post"):
            response = sent(admin_client, method, page.address(pk), world.data())
            assert response.status_code in (200, 302, 403, 404), (method, pk)
    assert everything() == before


@pytest.mark.parametrize("verb", ["cancel", "retry", "pause", "resume"])
def test_forged_ids_of_many_do_nothing_to_what_is_not_meant(admin_client, world, verb):
    """Strands, other models' ids, words, too many: a refusal, and nothing done."""
    strand = make_fork(make_run("running"), ["failed", "pending"])[1]
    address = f"{LIST}bulk/{verb}/"
    before = everything()
    found = [
        admin_client.post(address, {"reason": "why", "ids": ids}).status_code
        for ids in (
            str(strand.pk),
            str(world.worker.pk),
            "nonsense",
            "",
            "\0",
            " ".join(["00000000-0000-7000-8000-000000000000"] * 1_001),
            str(world.input.pk),
        )
    ]
    assert set(found) <= {302, 400}
    assert everything() == before


def test_no_page_of_ours_is_kept_by_anybody(admin_client, world, page):
    """Neither by a proxy nor by the browser: they hold payloads; nor are 304 and redirects."""
    response = admin_client.get(world.address(page))
    if response.status_code == 403:  # which says nothing
        return
    for directive in ("private", "no-store", "no-cache"):
        assert directive in response["Cache-Control"], str(page)
    if "ETag" in response:
        headers = {"If-None-Match": response["ETag"], "durable-live": "1"}
        again = admin_client.get(world.address(page), headers=headers)
        assert again.status_code == 304
        assert again.content == b""
        for directive in ("private", "no-store", "no-cache"):
            assert directive in again["Cache-Control"]


def test_an_answer_to_the_poll_needs_the_permission_still(staff, world):
    client = staff("view_execution")
    (page,) = (p for p in PAGES if p.name == "durable_django_execution_change")
    tag = client.get(page.address(world.waiting.pk))["ETag"]
    headers = {"If-None-Match": tag, "durable-live": "1"}
    assert client.get(page.address(world.waiting.pk), headers=headers).status_code == 304
    user = client.get(LIST).context["user"]
    user.user_permissions.clear()
    assert client.get(page.address(world.waiting.pk), headers=headers).status_code == 403


def test_a_redirect_of_ours_leads_to_our_own_pages(admin_client, world, page):
    """Whatever the address says: no other host, and no header of somebody's making."""
    evil = "https://evil.example/\r\nSet-Cookie: a=b"
    query = "&".join(
        f"{name}={quote(evil)}"
        for name in ("next", "_changelist_filters", "_popup", "_to_field", "back", "url", "q")
    )
    address = world.address(page)
    address += ("&" if "?" in address else "?") + query
    for method in ("get", "post"):
        response = sent(admin_client, method, address, world.data() if method == "post" else {})
        assert response.status_code < 500
        assert "evil.example" not in re.sub(r"\?.*", "", response.get("Location", ""))
        assert not any("evil.example" in key for key in response.cookies)
        location = response.get("Location", "/")
        assert location.startswith("/")
        assert not location.startswith("//")
