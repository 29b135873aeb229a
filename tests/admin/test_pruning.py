"""The page that deletes old runs: it asks, counts, deletes when that is confirmed, and tells."""

import re
from datetime import timedelta

import pytest
from django.utils.html import escape

from durable_django.admin import pruning
from durable_django.admin.executions import ExecutionAdmin
from durable_django.models import AuditEntry, Execution
from durable_django.models.ids import first_at, following
from tests.admin.conftest import LIST
from tests.admin.rows import make_run, make_step, now

PAGE = f"{LIST}prune/"
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def viewer(staff):
    return staff("view_execution")


@pytest.fixture
def cleaner(staff):
    return staff("view_execution", "prune_execution")


@pytest.fixture
def old(db):
    """Two runs that ended a month ago, one of them failed, and one that did today."""
    month_ago = now() - timedelta(days=31)
    make_run("completed")
    ids = following(first_at(month_ago), 2)
    found = [
        make_run(status, workflow_name=name, id=pk, root_id=pk, created_at=month_ago)
        for pk, status, name in zip(ids, ("completed", "failed"), ("tests.paid", EVIL), strict=True)
    ]
    for run in found:
        make_step(run, "charge")
    return found


def text(response):
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def answered(**changed):
    return {"older_than": "30d", "workflow": "", "reason": "", **changed}


def test_the_list_leads_to_it_only_who_may(viewer, cleaner):
    assert PAGE in cleaner.get(LIST).content.decode()
    assert PAGE not in viewer.get(LIST).content.decode()
    assert viewer.get(PAGE).status_code == 403
    assert viewer.post(PAGE, answered(confirmed="1")).status_code == 403


def test_it_asks_which(cleaner, old):
    page = cleaner.get(PAGE)
    assert 'value="30d"' in page.content.decode()
    assert "RETENTION is not set" in text(page)
    assert EVIL not in page.content.decode()
    assert escape(EVIL) in page.content.decode()


def test_it_says_what_is_deleted_without_asking(cleaner, settings):
    settings.DURABLE = {**settings.DURABLE, "RETENTION": timedelta(days=90)}
    page = cleaner.get(PAGE)
    assert 'value="90d"' in page.content.decode()
    assert "runs that ended 90d ago" in text(page)


def test_it_counts_before_it_deletes(cleaner, old):
    page = text(cleaner.post(PAGE, answered()))
    assert "2 runs would be deleted." in page
    assert "2 executions and 2 step runs" in page
    assert "They ended in any way, failed runs included." in page
    assert Execution.objects.count() == 3


def test_it_deletes_what_was_confirmed_and_tells(cleaner, old):
    asked = answered(status=["failed"], workflow=EVIL, reason="room")
    review = cleaner.post(PAGE, asked).content.decode()
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', review)
    assert ("status", "failed") in hidden
    assert ("workflow", escape(EVIL)) in hidden
    assert ("confirmed", "1") in hidden
    response = cleaner.post(PAGE, {**asked, "confirmed": "1"}, follow=True)
    assert "1 run was deleted" in text(response)
    assert set(Execution.objects.values_list("status", flat=True)) == {"completed"}
    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.reason) == ("prune", "room")
    assert entry.by == response.context["user"].get_username()
    assert f"{escape(EVIL)}" in response.content.decode()  # in what was deleted by hand
    assert "room" in text(response)


def test_one_may_go_back_to_the_form(cleaner, old):
    page = cleaner.post(PAGE, answered(older_than="9d", confirmed="1", change="1"))
    assert 'value="9d"' in page.content.decode()
    assert Execution.objects.count() == 3


@pytest.mark.parametrize("wrong", ["", "a month", "-1d", "30 x", "9" * 30])
def test_an_age_that_is_none_is_told_beside_the_field(cleaner, old, wrong):
    page = cleaner.post(PAGE, answered(older_than=wrong, confirmed="1"))
    assert page.status_code == 200
    assert page.context["errors"]["older_than"]
    assert Execution.objects.count() == 3


@pytest.mark.parametrize("number", ["30", " 0 ", "1.5"])
def test_a_number_without_its_unit_deletes_nothing(cleaner, old, number):
    """Thirty seconds are hardly what is meant."""
    before = Execution.objects.count()
    for more in ({}, {"confirmed": "1"}):
        page = cleaner.post(PAGE, answered(older_than=number, **more))
        assert "30d is 30 days" in page.context["errors"]["older_than"][0]
    assert Execution.objects.count() == before


def test_what_is_no_status_or_workflow_is_told(cleaner, old):
    for wrong in ({"status": ["running"]}, {"workflow": "none"}):
        page = cleaner.post(PAGE, answered(**wrong, confirmed="1"))
        assert list(page.context["errors"]) == list(wrong)
    assert Execution.objects.count() == 3


def test_what_is_too_much_to_count_or_to_delete_at_once_is_told(cleaner, old, monkeypatch):
    monkeypatch.setattr(pruning, "COUNTED_MAX", 1)
    assert "1 runs or more would be deleted." in text(cleaner.post(PAGE, answered()))
    monkeypatch.setattr(pruning, "DELETING_SECONDS", 0)
    page = text(cleaner.post(PAGE, answered(confirmed="1"), follow=True))
    assert "There are more" in page
    assert Execution.objects.count() == 3


def test_what_has_not_all_ended_stays_and_is_told(cleaner, old):
    make_run("running", parent=old[0], root_id=old[0].pk, depth=1)
    assert "1 more stays" in text(cleaner.post(PAGE, answered()))
    page = text(cleaner.post(PAGE, answered(confirmed="1"), follow=True))
    assert "1 run was deleted" in page
    assert "1 run stays" in page
    assert "1 run stays" in text(cleaner.post(PAGE, answered()))


def test_where_there_is_nothing_it_says_so(cleaner):
    page = text(cleaner.post(PAGE, answered()))
    assert "There is nothing to delete of what you chose." in page
    assert "Count them" in cleaner.post(PAGE, answered()).content.decode()


def test_who_sees_only_some_runs_deletes_none(cleaner, old, monkeypatch):
    whole = ExecutionAdmin.get_queryset
    monkeypatch.setattr(
        ExecutionAdmin,
        "get_queryset",
        lambda self, request: whole(self, request).filter(workflow_name="tests.paid"),
    )
    assert PAGE not in cleaner.get(LIST).content.decode()
    assert cleaner.post(PAGE, answered(confirmed="1")).status_code == 403
    assert Execution.objects.count() == 3
