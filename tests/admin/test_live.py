"""Pages that refresh themselves: a poll that changed nothing costs next to nothing."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from durable_django.admin import live
from durable_django.models import AuditEntry, Event, Execution, StepRun, Wait
from tests.admin.conftest import page_of, steps_of
from tests.admin.rows import make_fork, make_run, make_step, now
from tests.inputs.waits import make_wait


@pytest.fixture(autouse=True)
def still(monkeypatch):
    """No tag is outdated by the time that a test takes."""
    monkeypatch.setattr(live, "OUTDATED_SECONDS", 10_000_000_000)


def poll(client, address, tag):
    return client.get(address, headers={"durable-live": "1", "if-none-match": tag})


@pytest.fixture
def run(db):
    run = make_run("running")
    make_step(run, "charge", "running", seq=1)
    make_wait(run, kind="event", node="paid", name="payment")
    return run


def test_a_poll_of_a_page_that_stands_still_draws_nothing(viewer, run):
    for address in (page_of(run), steps_of(run)):
        page = viewer.get(address)
        assert poll(viewer, address, page["ETag"]).status_code == 304
        assert poll(viewer, address, '"another"').status_code == 200


def test_a_browser_that_only_reloads_gets_the_page(viewer, run):
    tag = viewer.get(page_of(run))["ETag"]
    assert viewer.get(page_of(run), headers={"if-none-match": tag}).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        lambda run: Execution.objects.filter(pk=run.pk).update(lease=2),
        lambda run: Execution.objects.filter(pk=run.pk).update(paused_at=now()),
        lambda run: make_step(run, "next", seq=2),
        lambda run: StepRun.objects.filter(execution=run).update(progress=0.5),
        lambda run: StepRun.objects.filter(execution=run).update(progress_message="half"),
        lambda run: Wait.objects.filter(execution=run).update(resolved_at=now()),
        lambda run: Wait.objects.filter(execution=run).update(answered_at=now()),
        lambda run: make_wait(run, kind="event", node="again"),
        lambda run: AuditEntry.objects.create(execution=run, verb="pause", created_at=now()),
        lambda run: Event.objects.create(execution=run, name="payment", created_at=now()),
    ],
)
def test_whatever_happens_in_a_run_changes_its_tag(viewer, run, change):
    tag = viewer.get(page_of(run))["ETag"]
    change(run)
    assert poll(viewer, page_of(run), tag).status_code == 200


def test_what_its_members_do_changes_the_tag_too(viewer):
    run = make_run("running", remaining=3)
    strands = make_fork(run, ["pending", "completed", "running"])
    make_step(strands[2], "send", "running", path="sending[2]/send")
    tag = viewer.get(page_of(run))["ETag"]
    assert poll(viewer, page_of(run), tag).status_code == 304
    for change in (
        lambda: Execution.objects.filter(pk=strands[0].pk).update(status="waiting"),
        lambda: Execution.objects.filter(pk=strands[0].pk).update(lease=1),
        lambda: StepRun.objects.filter(execution=strands[2]).update(progress=0.1),
        lambda: make_step(strands[2], "more", seq=2, path="sending[2]/more"),
    ):
        tag = viewer.get(page_of(run))["ETag"]
        change()
        assert poll(viewer, page_of(run), tag).status_code == 200


def test_what_no_tag_knows_of_is_seen_a_little_later(rf, admin_user):
    request = rf.get("/")
    request.user = admin_user
    at = now().replace(microsecond=0)
    live.OUTDATED_SECONDS = 20
    at = at - timedelta(seconds=int(at.timestamp()) % 20)
    tags = [live.tag_of(request, at + timedelta(seconds=n), "same") for n in (0, 19, 20)]
    assert tags[0] == tags[1] != tags[2]


def test_each_person_language_and_address_has_tags_of_its_own(viewer, staff, settings, run):
    tag = viewer.get(page_of(run))["ETag"]
    other = staff("view_execution")
    assert poll(other, page_of(run), tag).status_code == 200
    assert poll(viewer, steps_of(run), tag).status_code == 200
    settings.LANGUAGE_CODE = "de"
    assert poll(viewer, page_of(run), tag).status_code == 200


def test_a_poll_tells_nobody_of_a_run_that_they_may_not_see(staff, viewer, run):
    tag = viewer.get(page_of(run))["ETag"]
    assert poll(staff("view_worker"), page_of(run), tag).status_code == 403
    assert (
        poll(viewer, f"/admin/durable_django/execution/{'0' * 32}/change/", tag).status_code == 302
    )


def test_a_poll_costs_a_few_queries_however_large_the_run_is(viewer, run):
    Execution.objects.filter(pk=run.pk).update(remaining=1)
    make_fork(run, ["completed"] * 300 + ["running"] * 3, seq=2)
    tag = viewer.get(page_of(run))["ETag"]
    with CaptureQueriesContext(connection) as queries:
        assert poll(viewer, page_of(run), tag).status_code == 304
    # Session, person, two for permissions, the run, its mark, two for its members.
    assert len(queries) <= 8


@pytest.mark.parametrize(
    ("status", "seconds"),
    [
        ("running", 2),
        ("pending", 2),
        ("waiting", 5),
        ("sleeping", 5),
        ("completed", 0),
        ("failed", 0),
    ],
)
def test_a_page_polls_as_often_as_its_run_moves(viewer, status, seconds):
    page = viewer.get(page_of(make_run(status))).content.decode()
    assert re.search(rf'id="durable-live"[^>]* data-seconds="{seconds}"', page)


def test_what_is_shared_with_nobody_is_kept_by_no_proxy(viewer, run):
    assert "private" in viewer.get(page_of(run))["Cache-Control"]


def test_each_part_that_changes_is_named_once(viewer, run):
    page = viewer.get(page_of(run)).content.decode()
    found = re.findall(r'data-durable-live(?:-list)?="([\w-]+)"', page)
    assert sorted(found) == sorted({"tools", "live", "head", "tab-graph"})


def test_relative_times_can_be_told_anew(viewer, run):
    page = viewer.get(page_of(run)).content.decode()
    assert re.search(r'<time datetime="[^"]+" data-relative>', page)
