"""The tabs of steps and context: what can be filtered, compared and copied."""

import json
import re
from datetime import timedelta
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from durable_django import Workflow, step
from durable_django.admin import contexts
from durable_django.engine import values
from durable_django.models import AuditEntry
from durable_django.showing.masking import DOTS
from tests.admin.conftest import context_of, page_of, steps_of
from tests.admin.rows import make_definition, make_fork, make_run, make_step, now
from tests.admin.test_run_page import EVIL, text_of


@pytest.fixture
def pay(isolated):
    class Pay(Workflow):
        class Meta:
            name = "tests.pay"
            sensitive = ("card",)

        @step
        def charge(self):
            pass

    return Pay


def shown(client, address):
    """The paths of the attempts on a page."""
    page = client.get(address).content.decode()
    found = re.findall(r'"durable-step-name"><code>(.*?)</code>', page)
    return [unescape(re.sub(r"<[^>]+>", "", path)) for path in found]


def logs_text(*lines):
    at = now()
    return values.encode(
        [{"at": at, "level": lv, "logger": "shop", "message": said} for lv, said in lines], "logs"
    )


def test_the_attempts_at_a_node_are_found_wherever_they_were_made(viewer):
    run = make_run("running")
    make_step(run, "send", seq=1)
    strands = make_fork(run, ["completed"] * 3, seq=2)
    for strand in strands:
        make_step(strand, "send", path=f"{strand.path}/send")
        make_step(strand, "other", path=f"{strand.path}/other", seq=2)
    address = f"{steps_of(run)}&node=send"
    assert shown(viewer, address) == [
        "send",
        "sending[0]/send",
        "sending[1]/send",
        "sending[2]/send",
    ]
    text = text_of(viewer, address)
    assert '{"number": 2}' in text
    assert f'href="{page_of(strands[2])}"' in viewer.get(address).content.decode()


def test_the_attempts_of_a_status_are_found(viewer):
    run = make_run("failed")
    make_step(run, "validate", seq=1)
    make_step(run, "charge", "failed", seq=2)
    make_step(run, "charge", "timed_out", seq=3, attempt=2)
    assert shown(viewer, f"{steps_of(run)}&state=failed") == ["charge"]
    assert shown(viewer, f"{steps_of(run)}&node=validate&state=failed") == []
    assert "No attempt is like that." in text_of(viewer, f"{steps_of(run)}&node=x")
    assert len(shown(viewer, f"{steps_of(run)}&state=nonsense")) == 3


def test_the_nodes_to_choose_from_are_those_of_the_plan(viewer):
    nodes = [
        {"name": "charge", "kind": "step"},
        {"kind": "branch", "name": "decide", "children": []},
    ]
    make_definition({"nodes": nodes})
    page = viewer.get(f"{steps_of(make_run())}&node=decide").content.decode()
    assert "<option>charge</option><option selected>decide</option>" in page


def test_a_strand_shows_its_own_attempts_at_a_node_only(viewer):
    run = make_run("running")
    one, other = make_fork(run, ["completed"] * 2)
    for strand in (one, other):
        make_step(strand, "send", path=f"{strand.path}/send")
    assert shown(viewer, f"{steps_of(other)}&node=send") == ["sending[1]/send"]


def test_log_lines_are_filtered_by_level_and_by_what_they_say(viewer):
    run = make_run("running")
    lines = (("DEBUG", "calling"), ("INFO", "Charged 7"), ("ERROR", "it fell"), ("odd", "strange"))
    make_step(run, "charge", logs_text=logs_text(*lines))
    every = text_of(viewer, steps_of(run))
    assert all(said in every for _level, said in lines)
    loud = text_of(viewer, f"{steps_of(run)}&level=ERROR")
    assert "it fell" in loud
    assert "strange" in loud  # a level nobody knows is not hidden
    assert "calling" not in loud
    assert "Charged" not in loud
    some = text_of(viewer, f"{steps_of(run)}&q=CHARGED")
    assert "Charged 7" in some
    assert "it fell" not in some


def test_nobody_finds_a_secret_by_searching_for_it(staff, pay):
    run = make_run("running", workflow_name="tests.pay", context={"card": "4111-2222-3333"})
    make_step(run, "charge", logs=["paid with 4111-2222-3333", "done"])
    address = f"{steps_of(run)}&q=4111-2222"
    masked = text_of(staff("view_execution"), address)
    assert DOTS not in masked.partition("1 log line")[2]
    assert "log line" not in masked
    open_ = text_of(staff("view_execution", "view_sensitive"), address)
    assert "1 log line" in open_


def test_what_is_asked_for_is_escaped(viewer):
    page = viewer.get(f"{steps_of(make_run())}&node={EVIL}&q={EVIL}").content.decode()
    assert "<script>alert" not in page


@pytest.mark.parametrize("more", ["", "&node=node3", "&state=completed"])
def test_the_queries_of_the_steps_do_not_grow_with_the_run(viewer, more):
    make_definition()
    run = make_run("running")

    def queries():
        with CaptureQueriesContext(connection) as found:
            viewer.get(f"{steps_of(run)}{more}")
        return len(found)

    make_step(run, "node3", seq=1)
    few = queries()
    for seq in range(2, 40):
        make_step(run, f"node{seq}", seq=seq)
    assert queries() == few <= 20


# What steps did to the context.


def compared(client, run, first, second):
    page = client.get(f"{context_of(run)}&from={first}&to={second}").content.decode()
    part = page.partition('class="durable-differences"')[2].partition("</ul>\n")[0]
    item = r'<li class="durable-(\w+)">.*?<code>(.*?)</code>(.*?)</li>'
    found = re.findall(item, part, re.DOTALL)
    return {
        path: (kind, unescape(re.sub(r"<[^>]+>", "", rest)).split()) for kind, path, rest in found
    }


@pytest.fixture
def order():
    run = make_run("completed", context={"total": 5, "items": ["a", "b"], "who": {"name": "ada"}})
    make_step(run, "one", seq=1, changes=[("set", "total", 3), ("set", "who", {"name": "bob"})])
    make_step(run, "two", "failed", seq=2)
    make_step(run, "two", seq=3, attempt=2, changes=[("append", "items", "a"), ("set", "old", 1)])
    changes = [("increment", "total", 2), ("append", "items", "b"), ("delete", "old", None)]
    make_step(run, "three", seq=4, changes=[*changes, ("set", "who", {"name": "ada"})])
    return run


def test_any_two_steps_can_be_compared(viewer, order):
    assert {path: kind for path, (kind, _) in compared(viewer, order, 0, 1).items()} == {
        "total": "added",
        "who": "added",
    }
    found = compared(viewer, order, 3, 4)
    assert {path: kind for path, (kind, _) in found.items()} == {
        "total": "changed",
        "items[1]": "added",
        "old": "removed",
        "who.name": "changed",
    }
    assert found["total"][1] == ["changed", "3", "5"]
    assert compared(viewer, order, 4, 3)["old"][0] == "added"
    assert "There is no difference." in text_of(viewer, f"{context_of(order)}&from=2&to=1")


def test_a_difference_is_told_by_sign_and_word_and_not_by_colour_alone(viewer, order):
    page = viewer.get(f"{context_of(order)}&from=3&to=4").content.decode()
    for sign, word in (("+", "added"), ("\N{MINUS SIGN}", "removed"), ("~", "changed")):
        assert f'<span class="durable-sign" aria-hidden="true">{sign}</span>' in page
        assert f'<span class="quiet">{word}</span>' in page


def test_an_address_that_asks_for_nonsense_compares_the_beginning_with_the_end(viewer, order):
    assert compared(viewer, order, "x", "9" * 30) == compared(viewer, order, 0, 99)
    assert set(compared(viewer, order, 0, 99)) == {"total", "items", "who"}


def test_what_somebody_changed_between_two_steps_is_counted(viewer, order):
    detail = {"set": {"total": 10}, "removed": ["who"], "before": {}, "seq": 3}
    AuditEntry.objects.create(
        execution=order,
        verb="edit_context",
        detail_text=values.encode(detail, "detail"),
        created_at=now() - timedelta(seconds=1),
    )
    before, after = contexts.contexts_at(order, 2, 4)
    assert before["total"] == "3"
    assert after["total"] == "12"
    assert values.decode(after["who"]) == {"name": "ada"}


def test_the_last_checkpoint_is_the_context_as_it_is(order):
    assert contexts.contexts_at(order, 0, 4)[1] == dict(order.state.context)


def test_where_there_are_too_many_steps_to_choose_from_numbers_are_typed(
    viewer, order, monkeypatch
):
    assert (
        '<select form="durable-difference-form" name="from">'
        in viewer.get(context_of(order)).content.decode()
    )
    monkeypatch.setattr(contexts, "LISTED_MAX", 2)
    page = viewer.get(context_of(order)).content.decode()
    assert 'type="number" name="from" min="0"' in page


def test_a_difference_shows_nothing_that_is_masked(viewer, pay):
    run = make_run("completed", workflow_name="tests.pay")
    changes = [("set", "card", "4111-2222"), ("set", "note", "by 4111-2222")]
    make_step(run, "charge", seq=1, changes=changes)
    page = viewer.get(f"{context_of(run)}&from=0&to=1").content.decode()
    assert "4111" not in page
    assert DOTS in page


def test_a_change_that_cannot_be_read_here_is_said_to_be_so(viewer, order):
    order.own_steps.filter(seq=1).update(changes_text='[["set","total",{"$":["money",5]}]]')
    text = text_of(viewer, f"{context_of(order)}&from=0&to=4")
    assert "This value cannot be read on this machine." in text


def test_what_is_copied_is_what_is_shown(viewer, pay):
    known = {"card": "4111-2222", "total": 5, "note": "by 4111-2222"}
    run = make_run("running", workflow_name="tests.pay", context=known, input={"card": "1", "n": 2})
    page = viewer.get(context_of(run)).content.decode()
    found = re.findall(r'<pre id="durable-copy-(\w+)" hidden>(.*?)</pre>', page, re.DOTALL)
    texts = {name: json.loads(unescape(text)) for name, text in found}
    assert texts["context"] == {"card": DOTS, "total": 5, "note": f"by {DOTS}"}
    assert texts["input"] == {"card": DOTS, "n": 2}
    assert 'data-durable-copy="durable-copy-context"' in page


def test_a_value_that_is_cut_is_not_copied(viewer):
    run = make_run("running", context={"long": "a" * 30_000})
    assert "durable-copy-context" not in viewer.get(context_of(run)).content.decode()
    whole = viewer.get(f"{context_of(run)}&whole=1").content.decode()
    assert "durable-copy-context" in whole
