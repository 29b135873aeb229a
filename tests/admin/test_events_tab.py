"""What arrived at a run, on its page: the newest first, masked, with the wait that got it."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from durable_django.admin import arrivals, waits
from durable_django.engine import values
from durable_django.models import Event, Wait
from durable_django.models.ids import uuid7
from tests.admin.conftest import page_of
from tests.admin.conftest import waits_of as shown_at
from tests.admin.rows import make_fork, make_run, now
from tests.admin.test_run_page import text_of
from tests.inputs.waits import make_wait

EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)>"
SECTION = 'aria-labelledby="durable-events"'


def make_event(run, name="paid", payload=None, wait=None, **fields):
    """An event in the inbox of a run, or one that `wait` got."""
    got = {}
    if wait is not None:
        got = {"status": "delivered", "wait_id": wait.pk, "ended_at": now(), "examined_at": now()}
    event = Event.objects.create(
        **{
            "execution": run,
            "name": name,
            "payload_text": values.encode(payload, "payload"),
            "created_at": now(),
            **got,
            **fields,
        }
    )
    if wait is not None:
        before = values.decode(wait.events_text)
        wait.events_text = values.encode([*before, event.pk], "events")
        wait.save()
    return event


def events_of(client, run, more=""):
    """The part of the page that tells of events."""
    return client.get(f"{shown_at(run)}{more}").content.decode().partition(SECTION)[2]


def names_of(client, run, more=""):
    return re.findall(r'durable-step-name"><code>(.*?)</code>', events_of(client, run, more))


def received(run, node="paid", **fields):
    return make_wait(run, "event", node=node, status="completed", **fields)


def test_a_run_at_which_nothing_arrived_says_so(viewer):
    assert "No event has arrived." in text_of(viewer, shown_at(make_run()))


def test_the_newest_comes_first_whether_it_waits_or_was_delivered(viewer):
    run = make_run("waiting")
    make_event(run, "first", wait=received(run))
    make_event(run, "second", status="kept", examined_at=now())
    make_event(run, "third", wait=received(run, "other"))
    make_event(run, "fourth")
    make_event(make_run(), "elsewhere")
    assert names_of(viewer, run) == ["fourth", "third", "second", "first"]
    part = events_of(viewer, run)
    for said in ("new", "delivered", "kept"):
        assert re.search(rf"</svg>{said}</span>", part)


def test_all_there_is_to_know_of_an_event_is_told(viewer):
    run = make_run("waiting")
    wait = received(run, path="polling[3]/paid")
    make_event(
        run,
        "payment.success",
        {"sum": 7},
        wait,
        key="inv_7",
        idempotency_key="once-7",
        source_id=9,
        created_at=now() - timedelta(hours=2, seconds=5),
    )
    part = events_of(viewer, run)
    text = re.sub(r"<[^>]+>", "", part).replace("&quot;", '"')
    for said in (
        "payment.success event (inv_7)",
        '{"sum": 7}',
        "2 h 0 min ago",
        "to everyone who waits for it",
        "once-7",
        "polling[3]/paid",
    ):
        assert said in text, said
    assert f'href="#wait-{wait.pk}"' in part


def test_the_end_of_a_called_workflow_leads_to_its_run(viewer):
    run, child = make_run("waiting"), make_run("completed")
    make_event(run, "shop.shipping", kind="child", key=child.pk.hex)
    part = events_of(viewer, run)
    assert f'href="{page_of(child)}"' in part
    assert "Payload" not in part


def test_a_member_shows_what_its_own_waits_got(viewer):
    run = make_run("waiting")
    strands = make_fork(run, ["completed", "completed"])
    for number, strand in enumerate(strands):
        wait = received(run, member=strand, path=f"sending[{number}]/paid")
        make_event(run, f"paid-{number}", wait=wait)
    make_event(run, "kept", status="kept", examined_at=now())
    assert names_of(viewer, run) == ["kept", "paid-1", "paid-0"]
    assert names_of(viewer, strands[1]) == ["paid-1"]
    other = make_fork(run, ["completed"], path="other", seq=3)[0]
    assert "No event has been delivered to it." in text_of(viewer, shown_at(other))


def test_pages_follow_one_another_and_end(viewer, monkeypatch):
    monkeypatch.setattr(arrivals, "EVENTS_PER_PAGE", 2)
    run = make_run("waiting")
    for number in range(5):
        make_event(run, f"e{number}")
    seen, more = [], ""
    for _ in range(3):
        part = events_of(viewer, run, more)
        seen += names_of(viewer, run, more)
        earlier = re.search(r'href="\?[^"]*before=(\d+)[^"]*">Earlier', part)
        more = f"&before={earlier[1]}" if earlier else ""
    assert seen == ["e4", "e3", "e2", "e1", "e0"]
    assert not more
    assert "There are no more." in events_of(viewer, run, "&before=1")


@pytest.mark.parametrize("number", ["x", "-1", "0", "9" * 30, "²", "1e3", ""])
def test_a_page_that_does_not_exist_shows_the_first(viewer, number):
    run = make_run("waiting")
    make_event(run)
    make_wait(run, "event", node="open")
    page = viewer.get(shown_at(run), {"tab": "events", "before": number, "waits": number})
    assert page.status_code == 200
    assert "wait_for" not in events_of(viewer, run)
    assert names_of(viewer, run, f"&before={number}") == ["paid"]


def test_waits_come_in_pages_too(viewer, monkeypatch):
    monkeypatch.setattr(waits, "LISTED_MAX", 2)
    run = make_run("waiting")
    for number in range(5):
        make_wait(run, "event", node=f"n{number}")
    found, number = [], 1
    while number:
        page = viewer.get(f"{shown_at(run)}&waits={number}").content.decode()
        part = page.partition(SECTION)[0]
        found += re.findall(r'durable-step-name"><code>(.*?)</code>', part)
        later = re.search(r'href="\?[^"]*waits=(\d+)[^"]*">More waits', part)
        number = int(later[1]) if later else 0
    assert found == ["n0", "n1", "n2", "n3", "n4"]
    assert "There are no more." in text_of(viewer, f"{shown_at(run)}&waits=9")


def test_who_may_send_is_led_to_what_is_awaited(staff, viewer):
    run = make_run("waiting")
    make_wait(run, "event", node="paid", name="payment & more")
    make_wait(run, "any", node="either", name="", names_text='["yes","no"]')
    make_wait(run, "callback", node="bank")
    sender = staff("view_execution", "send_event")
    page = sender.get(shown_at(run)).content.decode().partition("durable-waits")[2]
    links = re.findall(r'class="button" href="([^"]*)">(Send .*?)</a>', page)
    assert [said for _, said in links] == [
        "Send “payment &amp; more” …",
        "Send “yes” …",
        "Send “no” …",
    ]
    form = sender.get(links[0][0].replace("&amp;", "&")).content.decode()
    assert 'value="payment &amp; more"' in form
    assert "Send “" not in viewer.get(shown_at(run)).content.decode()
    over = make_run("completed")
    make_wait(over, "event", node="paid")
    assert "Send “" not in sender.get(shown_at(over)).content.decode()


def test_secrets_are_masked_wherever_an_event_holds_them(viewer, staff, settings):
    settings.DURABLE = {"SENSITIVE": ["card"]}
    run = make_run("waiting", context={"card": "4111-1111"})
    make_event(run, "a", {"order": {"card": "5500-5500"}}, received(run))
    make_event(run, "card", "6011-6011")
    make_event(run, "b", "7777-777", received(run, "card", path="card"))
    make_event(run, "c", key="4111-1111", idempotency_key="card=8888-888")
    make_event(run, "d", ["5500-5500"])
    secrets = ("4111-", "5500-", "6011-", "7777-", "8888-")
    page = viewer.get(shown_at(run)).content.decode()
    assert [secret for secret in secrets if secret in page] == []
    trusted = staff("view_execution", "view_sensitive").get(shown_at(run)).content.decode()
    assert [secret for secret in secrets if secret not in trusted] == []


def test_nothing_of_an_event_is_taken_for_html(viewer):
    run = make_run("waiting")
    wait = received(run, path=EVIL, name=EVIL)
    make_event(run, EVIL, {EVIL: EVIL}, wait, key=EVIL, idempotency_key=EVIL)
    make_wait(run, "event", node="open", name=EVIL)
    page = viewer.get(shown_at(run)).content.decode()
    assert "<script>alert" not in page
    assert "<img src=x" not in page


def test_a_payload_that_cannot_be_read_here_is_said_to_be_so(viewer):
    run = make_run("waiting")
    event = make_event(run)
    text = '{"$":["datetime","2030-01-01T00:00:00","No/Where"]}'
    Event.objects.filter(pk=event.pk).update(payload_text=text)
    assert "This value cannot be read on this machine." in text_of(viewer, shown_at(run))


def test_ten_thousand_events_take_as_many_queries_as_one(viewer):
    def queries(run):
        with CaptureQueriesContext(connection) as found:
            assert viewer.get(shown_at(run)).status_code == 200
        return len(found)

    def with_events(count):
        run = make_run("waiting")
        made = {"execution": run, "name": "paid", "created_at": now(), "payload_text": "[1]"}
        over = {"status": "delivered", "ended_at": now(), "examined_at": now()}
        events = Event.objects.bulk_create([Event(**made, **over) for _ in range(count)])
        Wait.objects.bulk_create(
            Wait(
                execution=run,
                member=run,
                path=f"p{event.pk}",
                node="paid",
                kind="event",
                status="completed",
                events_text=f"[{event.pk}]",
                created_at=now(),
                resolved_at=now(),
            )
            for event in events
        )
        Event.objects.bulk_create([Event(**made, key=uuid7().hex) for _ in range(count)])
        return run

    few, many = with_events(1), with_events(5_000)
    assert queries(many) == queries(few) <= 20
    assert len(names_of(viewer, many)) == arrivals.EVENTS_PER_PAGE
