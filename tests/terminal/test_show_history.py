"""`durable show`: what people did to a run, in its timeline and for programs."""

import json

import pytest

import durable_django
from durable_django import Workflow, sleep_for, step
from durable_django.engine import values
from durable_django.exceptions import NotSerializable
from durable_django.models import AuditEntry
from durable_django.store import clock
from durable_django.terminal import following

from .workflows import HOSTILE


@pytest.fixture
def Nap(durable):
    class Nap(Workflow):
        class Meta:
            name = "nap"
            sensitive = ["card"]

        @step
        def first(self):
            self.context["total"] = 12

        nap = sleep_for(60)

    return Nap


def make_entry(run, verb="retry", detail=None, **fields):
    detail_text = values.encode(detail or {}, "detail")
    made = {"verb": verb, "created_at": clock.now(), "detail_text": detail_text}
    return AuditEntry.objects.create(execution_id=run.pk, **(made | fields))


def told(said):
    """The lines that tell what was done."""
    return [line[10:] for line in said.lines if " by " in line[10:]]


def test_who_did_what_and_why_stands_in_the_timeline(terminal, Nap, durable):
    run = durable.run(Nap)
    durable_django.pause(run, by="ada", reason="The bank is closed.")
    durable_django.resume(run)
    said = terminal("show", run.pk)
    assert told(said) == ["paused by ada  The bank is closed.", "resumed by code"]
    text = said.out
    assert text.index("Timeline") < text.index("first  ") < text.index("paused by ada")


def test_a_change_of_the_context_a_rerun_and_a_skip_are_told_exactly(terminal, Nap, durable):
    run = durable.run(Nap)
    edit = {"set": {"total": 7, "note": "new"}, "removed": ["gone"], "before": {"total": 12.5}}
    edit["before"]["gone"] = [1]
    make_entry(run, "edit_context", edit | {"seq": 2}, by="ada")
    make_entry(run, "rerun", {"node": "first", "new": str(run.pk)}, by="bob")
    make_entry(run, "skip", {"node": "x", "paths": ["a/x", "b/x"], "count": 2, "value": {"ok": 1}})
    edited, again, skipped = told(terminal("show", run.pk))
    assert edited == ('changed the context by ada  total: 12.5 → 7  + note: "new"  - gone: [1]')
    assert again == f"re-run by bob  Node: first  New run: {run.pk}"
    assert skipped == 'skipped a node by code  Node: x  a/x, b/x  value: {"ok": 1}'


def test_programs_get_it_under_history_the_oldest_first(terminal, Nap, durable):
    run = durable.run(Nap)
    assert terminal("show", run.pk, "--json").json["history"] == []
    durable_django.pause(run, by="ada", reason="late")
    durable_django.resume(run)
    first, second = terminal("show", run.pk, "--json").json["history"]
    entry = AuditEntry.objects.get(verb="pause")
    assert first == {
        "id": entry.pk,
        "verb": "pause",
        "by": "ada",
        "reason": "late",
        "created_at": entry.created_at.isoformat(),
        "detail": {},
    }
    assert (second["verb"], second["by"]) == ("resume", "")


def test_what_it_holds_is_masked_and_revealed_where_that_is_asked_for(terminal, Nap, durable):
    run = durable.run(Nap)
    edit = {"set": {"card": "4111-1111", "note": "5500-5500"}, "before": {"card": "5500-5500"}}
    make_entry(run, "edit_context", edit, reason="instead of 4111-1111")
    make_entry(run, "skip", {"node": "card", "value": "6011-6011"}, reason="card=7777-777")
    make_entry(run, "send_event", {"name": "paid", "key": "6011-6011", "x": {"card": "8888-88"}})
    secrets = ("4111-", "5500-", "6011-", "7777-", "8888-")
    for words in ([], ["--whole"], ["--json"]):
        said = terminal("show", run.pk, *words).out
        assert [secret for secret in secrets if secret in said] == [], words
        said = terminal("show", run.pk, "--reveal", *words).out
        assert [secret for secret in secrets if secret not in said] == [], words


def test_hostile_reasons_names_and_values_reach_no_terminal(terminal, Nap, durable):
    run = durable.run(Nap)
    detail = {"node": HOSTILE, "paths": [HOSTILE], "value": {HOSTILE: HOSTILE}, HOSTILE: HOSTILE}
    make_entry(run, "skip", detail, by=HOSTILE, reason=HOSTILE)
    edit = {"set": {HOSTILE: HOSTILE}, "removed": [HOSTILE], "before": {HOSTILE: HOSTILE}}
    make_entry(run, "edit_context", edit)
    for words in ([], ["--whole"], ["--json"]):
        said = terminal("show", run.pk, *words, is_terminal=True, width=90)
        for evil in ("\x1b[31m", "\x1b[2J", "\x07", "\x9b", "\u202e"):
            assert evil not in said.out, (words, evil)
        assert "red" in said.out


def test_an_entry_that_cannot_be_read_here_is_said_to_be_so(terminal, Nap, durable):
    run = durable.run(Nap)
    broken = '{"value":{"$":["datetime","2030-01-31T10:00:00+00:00","Mars/Olympus"]}}'
    make_entry(run, "skip", by="ada", detail_text=broken)
    said = terminal("show", run.pk)
    assert told(said) == ["skipped a node by ada  This value cannot be read on this machine."]
    assert terminal("show", run.pk, "--json").json["history"][0]["detail"] is None


def test_a_value_as_deep_as_a_context_may_hold_it_is_told(terminal, Nap, durable):
    run = durable.run(Nap)
    deep = json.loads("[" * 100 + "]" * 100)
    with pytest.raises(NotSerializable):
        values.encode([deep], "deeper")
    text = values.encode({"set": {"deep": deep}, "before": {}}, "detail", around=2)
    make_entry(run, "edit_context", by="ada", detail_text=text)
    (entry,) = terminal("show", run.pk, "--json").json["history"]
    assert entry["detail"]["set"]["deep"] == deep
    assert terminal("show", run.pk).code == 0


def test_of_a_long_history_the_newest_are_told(terminal, Nap, durable):
    run = durable.run(Nap)
    for number in range(4):
        make_entry(run, by=f"clerk {number}")
    assert told(terminal("show", run.pk, "--limit", "2")) == [
        "retried by clerk 2",
        "retried by clerk 3",
    ]
    found = terminal("show", run.pk, "--limit", "2", "--json").json
    assert [entry["by"] for entry in found["history"]] == ["clerk 2", "clerk 3"]
    assert found["more"] is True


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_a_follower_is_told_of_it_once(terminal, Nap, durable, monkeypatch, words):
    run = durable.run(Nap)
    make_entry(run, "pause", by="ada")
    looks = [
        lambda: make_entry(run, "resume", by="bob"),
        lambda: durable_django.cancel(run, by="eve", reason="enough"),
    ]
    monkeypatch.setattr(following, "pause", lambda: looks.pop(0)())
    said = terminal("show", run.pk, "--follow", *words)
    if not words:
        assert told(said) == ["paused by ada", "resumed by bob", "cancelled by eve  enough"]
        return
    lines = [json.loads(line) for line in said.out.splitlines()]
    found = [(line["verb"], line["by"]) for line in lines if line["type"] == "history"]
    assert found == [("pause", "ada"), ("resume", "bob"), ("cancel", "eve")]
