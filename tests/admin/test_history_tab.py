"""The history of a run, on its page: who did what, when, why, and what exactly."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from durable_django.admin.tabs import history
from durable_django.engine import values
from durable_django.models import AuditEntry, AuditVerb
from durable_django.models.ids import uuid7
from tests.admin.conftest import page_of
from tests.admin.rows import make_fork, make_run, now
from tests.admin.test_run_page import text_of

EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)>"
SECTION = 'aria-labelledby="durable-history"'


def make_entry(run, verb="cancel", detail=None, **fields):
    return AuditEntry.objects.create(
        **{
            "execution": run,
            "verb": verb,
            "created_at": now(),
            "detail_text": values.encode(detail or {}, "detail"),
            **fields,
        }
    )


def shown_at(run):
    return f"{page_of(run)}?tab=history"


def part_of(client, run, more=""):
    """The part of the page that tells of what was done."""
    return client.get(f"{shown_at(run)}{more}").content.decode().partition(SECTION)[2]


def said_in(client, run, more=""):
    """What it says, without tags, in one line."""
    plain = re.sub(r"</?span[^>]*>", "", part_of(client, run, more))
    plain = re.sub(r"<[^>]+>", " ", plain).replace("&quot;", '"')
    return " ".join(plain.split())


def entries_of(client, run, more=""):
    return re.findall(r'id="entry-(\d+)"', part_of(client, run, more))


def test_a_run_to_which_nobody_did_anything_says_so(viewer):
    assert "Nobody has done anything to it." in said_in(viewer, make_run())


def test_who_what_when_and_why_are_told_the_newest_first(viewer):
    run = make_run("cancelled")
    at = now() - timedelta(hours=2, seconds=5)
    first = make_entry(run, "pause", by="ada", reason="The bank is closed.", created_at=at)
    second = make_entry(run, "cancel", {"compensate": True})
    make_entry(make_run(), "retry", by="mallory")
    assert entries_of(viewer, run) == [str(second.pk), str(first.pk)]
    said = said_in(viewer, run)
    for told in (
        "cancelled by code",
        "What it had completed is undone.",
        "paused by ada",
        "2 h 0 min ago",
        "The bank is closed.",
        f"{at:%Y-%m-%d %H:%M:%S}",
    ):
        assert told in said, told
    assert "mallory" not in said


def test_an_event_that_was_published_says_so(viewer):
    run = make_run("waiting")
    detail = {"name": "paid", "key": "inv_1", "event": 7, "published": True}
    make_entry(run, "send_event", detail, by="ada")
    said = said_in(viewer, run)
    assert "It was published to every run that waited for it." in said
    assert "Name paid" in said.replace(":", "")


@pytest.mark.parametrize("verb", AuditVerb.values)
def test_every_verb_has_words(viewer, verb):
    run = make_run()
    make_entry(run, verb, by="ada")
    assert f"{AuditVerb(verb).label} by ada" in said_in(viewer, run)


def test_a_change_of_the_context_is_told_as_before_and_after(viewer):
    run = make_run("paused")
    detail = {
        "set": {"total": 7, "note": "by hand"},
        "removed": ["gone"],
        "before": {"total": 12.5, "gone": [1, 2]},
        "seq": 3,
    }
    make_entry(run, "edit_context", detail, by="ada")
    said = said_in(viewer, run)
    for told in (
        "total Before 12.5 After 7",
        'note Before There was none. After "by hand"',
        "gone Before [1, 2] After It was removed.",
    ):
        assert told in said, told
    assert "seq" not in said


def test_many_changes_are_cut_and_can_be_seen(viewer, monkeypatch):
    monkeypatch.setattr(history, "CHANGES_MAX", 2)
    run = make_run("paused")
    make_entry(run, "edit_context", {"set": {f"key{n}": n for n in range(5)}})
    said = said_in(viewer, run)
    assert "key1" in said
    assert "key2" not in said
    assert "And 3 more." in said
    assert "key4" in said_in(viewer, run, "&whole=1")


def test_a_rerun_leads_to_the_other_run(viewer):
    old, new = make_run("failed"), make_run()
    make_entry(old, "rerun", {"node": "charge", "new": str(new.pk)}, by="ada")
    detail = {"node": "charge", "original": str(old.pk), "seq": 2, "new_input": True}
    make_entry(new, "rerun", detail | {"set": {"total": 7}, "before": {"total": 1}})
    assert f'href="{page_of(new)}"' in part_of(viewer, old)
    assert f'href="{page_of(old)}"' in part_of(viewer, new)
    assert "Node charge" in said_in(viewer, old)
    said = said_in(viewer, new)
    assert "total Before 1 After 7" in said
    assert "The new run has another input." in said


def test_a_skip_and_a_retry_tell_where_and_what(viewer):
    run = make_run("running")
    paths = [f"sending[{n}]/send" for n in range(25)]
    make_entry(run, "skip", {"node": "send", "paths": paths, "count": 40, "value": {"ok": True}})
    make_entry(run, "retry", {"node": "ask", "forgotten": [{"path": "ask"}, {"path": "ask"}]})
    said = said_in(viewer, run)
    for told in (
        "Node send",
        "sending[19]/send and 20 more",
        '{"ok": true}',
        "Node ask",
        "What 2 waits had given was forgotten.",
    ):
        assert told in said, told
    assert "sending[20]/send" not in said


def test_what_nobody_has_words_for_is_told_as_it_is(viewer):
    run = make_run("running")
    make_entry(run, "send_event", {"name": "paid", "key": "", "moon": [1, 2]})
    said = said_in(viewer, run)
    assert "Name paid" in said
    assert "moon [1, 2]" in said


def test_a_member_shows_the_history_of_its_run(viewer):
    run = make_run("failed")
    entry = make_entry(run, "retry", by="ada")
    (member,) = make_fork(run, ["failed"])
    assert entries_of(viewer, member) == [str(entry.pk)]
    assert "What people did to the run it belongs to." in said_in(viewer, member)


def test_pages_follow_one_another_and_end(viewer, monkeypatch):
    monkeypatch.setattr(history, "ENTRIES_PER_PAGE", 2)
    run = make_run("failed")
    made = [str(make_entry(run, "retry").pk) for _ in range(5)]
    seen, more = [], ""
    for _ in range(3):
        part = part_of(viewer, run, more)
        seen += re.findall(r'id="entry-(\d+)"', part)
        earlier = re.search(r'href="\?[^"]*before=(\d+)[^"]*">Earlier', part)
        more = f"&before={earlier[1]}" if earlier else ""
    assert seen == made[::-1]
    assert not more
    assert "There are no more." in said_in(viewer, run, "&before=1")


@pytest.mark.parametrize("number", ["x", "-1", "9" * 30, "²", ""])
def test_a_page_that_does_not_exist_shows_the_first(viewer, number):
    run = make_run("failed")
    entry = make_entry(run, "retry")
    assert entries_of(viewer, run, f"&before={number}") == [str(entry.pk)]


def test_secrets_are_masked_wherever_an_entry_holds_them(viewer, staff, settings):
    settings.DURABLE = {"SENSITIVE": ["card"]}
    run = make_run("failed")
    detail = {"set": {"card": "4111-1111", "note": "5500-5500"}, "before": {"card": "5500-5500"}}
    make_entry(run, "edit_context", detail, reason="instead of 4111-1111")
    make_entry(run, "skip", {"node": "card", "value": "6011-6011"}, reason="card=7777-777")
    make_entry(run, "send_event", {"name": "paid", "key": "6011-6011", "x": {"card": "8888-888"}})
    secrets = ("4111-", "5500-", "6011-", "7777-", "8888-")
    page = viewer.get(shown_at(run)).content.decode()
    assert [secret for secret in secrets if secret in page] == []
    trusted = staff("view_execution", "view_sensitive").get(shown_at(run)).content.decode()
    assert [secret for secret in secrets if secret not in trusted] == []


def test_nothing_of_an_entry_is_taken_for_html(viewer):
    run = make_run("failed")
    detail = {"node": EVIL, "paths": [EVIL], "value": {EVIL: EVIL}, EVIL: EVIL, "key": EVIL}
    edit = {"set": {EVIL: EVIL}, "removed": [EVIL], "before": {EVIL: EVIL}}
    make_entry(run, "skip", detail, by=EVIL, reason=EVIL)
    make_entry(run, "edit_context", edit)
    page = viewer.get(shown_at(run)).content.decode()
    assert "<script>alert" not in page
    assert "<img src=x" not in page


def test_an_entry_that_cannot_be_read_here_is_said_to_be_so(viewer):
    run = make_run("failed")
    entry = make_entry(run, "skip", by="ada")
    text = '{"value":{"$":["datetime","2030-01-01T00:00:00","No/Where"]}}'
    AuditEntry.objects.filter(pk=entry.pk).update(detail_text=text)
    assert "This value cannot be read on this machine." in text_of(viewer, shown_at(run))
    assert "skipped a node by ada" in said_in(viewer, run)


def test_ten_thousand_entries_take_as_many_queries_as_one(viewer):
    def queries(run):
        with CaptureQueriesContext(connection) as found:
            assert viewer.get(shown_at(run)).status_code == 200
        return len(found)

    few, many = make_run("failed"), make_run("failed")
    detail = values.encode({"node": "charge", "new": str(uuid7())}, "detail")
    made = {"verb": "rerun", "created_at": now(), "detail_text": detail}
    AuditEntry.objects.bulk_create(
        [AuditEntry(execution=run, **made) for run in (few, *[many] * 10_000)]
    )
    assert queries(many) == queries(few) <= 18
    assert len(entries_of(viewer, many)) == history.ENTRIES_PER_PAGE
