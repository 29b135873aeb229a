"""What a run waits for, on its page: open first, then what is over; who is asked finds the form."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from durable_django.admin import waits
from durable_django.engine import values
from tests.admin.conftest import page_of
from tests.admin.conftest import waits_of as shown_at
from tests.admin.rows import make_error, make_fork, make_run, now
from tests.admin.test_inputs import INBOX
from tests.admin.test_run_page import text_of
from tests.inputs.waits import ask, make_wait

EVIL = "<script>alert('x')</script>"
SECTION = 'aria-labelledby="durable-waits"'


@pytest.fixture
def all_seeing(staff):
    return staff("view_execution", "view_pendinginput", "answer_input")


def waits_of(client, run, more=""):
    """The part of the page that tells of waits."""
    page = client.get(f"{shown_at(run)}{more}").content.decode()
    return page.partition(SECTION)[2].partition('aria-labelledby="durable-steps"')[0]


def paths_of(client, run, more=""):
    part = waits_of(client, run, more)
    return re.findall(r'durable-step-name"><code>(.*?)</code>', part)


def test_a_run_that_waited_for_nothing_says_so(viewer):
    assert "It has waited for nothing." in text_of(viewer, shown_at(make_run()))


def test_what_is_open_comes_first_then_the_newest(viewer):
    run = make_run("waiting")
    for minutes, node in enumerate(("third", "second", "first")):
        over = now() - timedelta(minutes=9 - minutes)
        make_wait(run, kind="event", node=node, status="completed", resolved_at=over)
    make_wait(run, kind="event", node="open")
    ask(run, node="open_too")
    assert paths_of(viewer, run) == ["open", "open_too", "first", "second", "third"]


def test_every_kind_is_told_with_what_it_waits_for(viewer):
    run = make_run("waiting")
    due = now() + timedelta(hours=5, seconds=30)
    make_wait(run, kind="sleep", node="pause", due_at=due)
    make_wait(run, kind="event", node="paid", name="payment.success", key="inv_1")
    make_wait(run, kind="any", node="either", names_text='["yes","no"]')
    make_wait(run, kind="callback", node="bank", due_at=due, timeout_text='"nothing came"')
    make_wait(run, kind="call", node="ship", name="shop.shipping")
    text = re.sub(r"<[^>]+>", "", waits_of(viewer, run)).replace("&quot;", '"')
    for said in (
        "pause time",
        "due in 5 h 0 min",
        "paid event payment.success (inv_1)",
        "either any of several events yes, no",
        "bank callback",
        '"nothing came"',
        "ship called workflow shop.shipping",
        "since just now",
    ):
        assert said in text, said


def test_what_it_gave_is_shown_with_who_gave_it(viewer):
    run = make_run("waiting")
    make_wait(
        run,
        node="manager",
        status="completed",
        value_text='"approved"',
        answered_by="bob",
        answered_at=now(),
        comment="Fine <b>with</b> me.",
        request_text=values.encode({"form": "approval", "prompt": "Approve 7?"}, "r"),
    )
    text = text_of(viewer, shown_at(run))
    for said in ('"approved"', "bob", "Fine &lt;b>with&lt;/b> me.", "Approve 7?"):
        assert said in text


def test_one_whose_time_was_up_shows_what_it_gave_instead(viewer):
    run = make_run("waiting")
    make_wait(run, "event", node="a", status="timed_out", timeout_text='"nobody paid"')
    make_wait(run, "event", node="b", status="timed_out")
    part = waits_of(viewer, run)
    assert "nobody paid" in part
    assert part.count("<h3>Value</h3>") == 1


def test_a_wait_that_failed_tells_why_and_leads_to_its_child(viewer):
    child = make_run("failed")
    run = make_run("waiting")
    error = values.encode(make_error("no truck"), "error")
    make_wait(run, kind="call", node="ship", status="failed", error_text=error, child_id=child.pk)
    part = waits_of(viewer, run)
    assert "no truck" in part
    assert f'href="{page_of(child)}"' in part


def test_what_a_step_remembers_is_no_wait(viewer):
    run = make_run("waiting")
    make_wait(run, kind="once", node="charge", status="completed", value_text='"kept"')
    assert paths_of(viewer, run) == []


def test_the_one_who_is_asked_is_led_to_the_form(all_seeing):
    run = make_run("waiting")
    mine, bobs = ask(run, node="mine"), ask(run, node="bobs", to="user:bob")
    part = waits_of(all_seeing, run)
    to_form = re.findall(r'class="button" href="(.*?)">(.*?)</a>', part)
    assert to_form == [
        (f"{INBOX}{mine.pk}/change/", "Answer …"),
        (f"{INBOX}{bobs.pk}/change/", "Look at the request"),
    ]


def test_who_may_not_see_requests_is_led_to_none(viewer):
    run = make_run("waiting")
    ask(run)
    assert INBOX not in waits_of(viewer, run)


def test_a_member_shows_its_own_waits_and_the_run_those_of_all(viewer):
    run = make_run("waiting")
    strands = make_fork(run, ["waiting", "waiting"])
    for number, strand in enumerate(strands):
        make_wait(run, "event", member=strand, node="paid", path=f"sending[{number}]/paid")
    assert paths_of(viewer, run) == ["sending[0]/paid", "sending[1]/paid"]
    assert paths_of(viewer, strands[1]) == ["sending[1]/paid"]


def test_many_are_cut_and_can_be_seen(all_seeing, monkeypatch):
    monkeypatch.setattr(waits, "LISTED_MAX", 3)
    run = make_run("waiting")
    for number in range(5):
        ask(run, node=f"n{number}")
    part = waits_of(all_seeing, run)
    assert paths_of(all_seeing, run) == ["n0", "n1", "n2"]
    assert "There are more." in part
    assert f"{INBOX}?for=all&amp;execution={run.pk}" in part
    assert len(paths_of(all_seeing, run, "&whole=1")) == 5


def test_few_that_are_open_are_unfolded_and_many_are_not(viewer):
    run = make_run("waiting")
    for number in range(waits.UNFOLDED_MAX):
        make_wait(run, "event", node=f"n{number}")
    make_wait(run, "event", node="over", status="completed")
    opened = '<details class="durable-step durable-wait-line" open>'
    assert waits_of(viewer, run).count(opened) == waits.UNFOLDED_MAX
    make_wait(run, "event", node="more")
    assert waits_of(viewer, run).count(opened) == 0


def test_secrets_are_masked_wherever_a_wait_holds_them(viewer, settings):
    settings.DURABLE = {"SENSITIVE": ["card"]}
    run = make_run("waiting", context={"card": "4111-1111"})
    make_wait(run, "event", node="a", status="completed", value_text='{"card":"5500-5500"}')
    make_wait(run, "event", node="card", status="completed", value_text='"6011-6011"')
    make_wait(run, "event", node="c", name="card", status="completed", value_text='"7777-777"')
    make_wait(run, "event", node="d", key="4111-1111", timeout_text='{"card":"8888-888"}')
    ask(run, node="e", prompt="Charge 5500-5500?")
    make_wait(run, node="f", status="completed", comment="I saw 6011-6011")
    page = viewer.get(shown_at(run)).content.decode()
    for secret in ("4111-", "5500-", "6011-", "7777-", "8888-"):
        assert secret not in page


def test_nothing_of_a_wait_is_taken_for_html(viewer):
    run = make_run("waiting")
    text = values.encode({EVIL: EVIL}, "value")
    make_wait(run, "event", node="a", path=EVIL, name=EVIL, key=EVIL, timeout_text=text)
    over = {"status": "completed", "value_text": text, "answered_by": EVIL, "comment": EVIL}
    make_wait(run, node="b", answered_at=now(), assignee_kind="user", assignee=EVIL, **over)
    ask(run, node="c", prompt=EVIL)
    assert "<script>alert" not in viewer.get(shown_at(run)).content.decode()


def test_many_waits_need_as_many_queries_as_one(all_seeing):
    run = make_run("waiting")

    def queries():
        with CaptureQueriesContext(connection) as found:
            all_seeing.get(shown_at(run))
        return len(found)

    ask(run, node="n", to="group:Managers")
    few = queries()
    for number in range(20):
        ask(run, node=f"n{number}", to="group:Managers")
        make_wait(run, "call", node=f"c{number}", status="completed", child_id=run.pk)
    assert queries() == few
