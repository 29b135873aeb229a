"""The page that publishes an event: it asks, says who waits, publishes when that is confirmed."""

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from durable_django import Workflow, testing, wait_for_any, wait_for_event
from durable_django.admin import awaiting, publishing
from durable_django.admin.executions import ExecutionAdmin
from durable_django.engine import values
from durable_django.models import AuditEntry, Event, Execution
from tests.admin.conftest import LIST
from tests.admin.rows import make_run
from tests.inputs.waits import make_wait

PAGE = f"{LIST}publish/"
ONCE = "0190f3d8-7a52-7c7e-8f2a-3d1f8c0f1a11"
EVIL = "<script>pwned()</script>"
RTL = "\N{RIGHT-TO-LEFT OVERRIDE}"


@pytest.fixture
def publisher(staff):
    return staff("view_execution", "send_event")


def waiting(name="payment", key="", **fields):
    return make_wait(make_run("waiting"), "event", name=name, key=key, **fields).execution


def waiting_for_several(*names, kind="any", key=""):
    names_text = values.encode(list(names), "names")
    return make_wait(make_run("waiting"), kind, name="", node="several", names_text=names_text)


def asked(**changed):
    return {"name": "payment", "payload": "{}", "once": ONCE, **changed}


def confirmed(client, **changed):
    """Publishes it; what is told where one is led to."""
    response = client.post(PAGE, asked(confirmed="1", **changed))
    assert response.status_code == 302, response.context["errors"]
    page = client.get(response["Location"])
    return [str(message) for message in page.context["messages"]]


def text(response):
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def published():
    return Event.objects.filter(execution=None).order_by("id")


def test_the_list_leads_to_it_only_who_may(staff, publisher, db):
    viewer, blind = staff("view_execution"), staff("send_event")
    assert f'href="{PAGE}"' in publisher.get(LIST).content.decode()
    assert PAGE not in viewer.get(LIST).content.decode()
    for client in (viewer, blind):
        assert client.get(PAGE).status_code == 403
        assert client.post(PAGE, asked(confirmed="1")).status_code == 403
    assert not published().exists()


def test_who_sees_only_some_runs_publishes_nothing(publisher, monkeypatch):
    """It would reach the others, too."""
    whole = ExecutionAdmin.get_queryset
    monkeypatch.setattr(
        ExecutionAdmin,
        "get_queryset",
        lambda self, request: whole(self, request).filter(workflow_name="tests.mine"),
    )
    waiting("0ccult")
    assert PAGE not in publisher.get(LIST).content.decode()
    page = publisher.get(PAGE)
    assert (page.status_code, "0ccult" in text(page)) == (403, False)
    assert publisher.post(PAGE, asked(confirmed="1")).status_code == 403
    assert not published().exists()


def test_it_asks_and_tells_what_runs_wait_for(publisher):
    for key in ("", "", "inv_1"):
        waiting("payment", key)
    waiting_for_several("approved", "payment")
    waiting("gone", status="completed")
    page = publisher.get(PAGE)
    rows = re.findall(r'<th scope="row">.*?</tr>', page.content.decode(), re.DOTALL)
    cells = [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in rows]
    assert cells == ["payment 3 1", "approved 1 0"]
    assert f'href="{PAGE}?name=payment"' in rows[0]
    assert "inv_1" not in text(page)  # keys come from what runs were given
    assert "for it now" not in text(page)


def test_where_nothing_is_waited_for_it_says_so(publisher):
    assert "No run waits for an event now." in text(publisher.get(PAGE))


def test_an_address_may_name_it_and_is_told_who_waits(publisher):
    waiting(key="inv_1")
    page = publisher.get(f"{PAGE}?name=payment&key=inv_1")
    for value in ("payment", "inv_1"):
        assert f'value="{value}"' in page.content.decode()
    assert "1 run waits for it now." in text(page)
    assert "No run waits for it now." in text(publisher.get(f"{PAGE}?name=payment"))


def test_it_says_who_waits_before_it_publishes(publisher):
    for key in ("inv_1", "inv_1", "inv_2", ""):
        waiting(key=key)
    page = publisher.post(PAGE, asked(key="inv_1", payload='{"paid": 12}', keep="2h"))
    said = text(page)
    assert "2 runs wait for it now." in said
    assert "2h" in said
    assert "&quot;paid&quot;: 12" in said
    hidden = dict(
        re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.content.decode())
    )
    sent = {"name": "payment", "key": "inv_1", "keep": "2h", "once": ONCE, "confirmed": "1"}
    assert sent.items() <= hidden.items()
    assert not published().exists()
    back = publisher.post(PAGE, asked(key="inv_9", confirmed="1", change="1"))
    assert 'value="inv_9"' in back.content.decode()
    assert not published().exists()


def test_each_run_is_counted_once_whatever_it_waits_with(publisher):
    run = waiting()
    make_wait(run, "event", node="again", name="payment")
    names_text = values.encode(["payment", "refund"], "names")
    make_wait(run, "all", node="both", name="", names_text=names_text)
    waiting_for_several("refund", "payment")
    waiting_for_several("refund", "cancelled")
    assert "2 runs wait for it now." in text(publisher.post(PAGE, asked()))


def test_it_warns_where_nobody_waits_and_nothing_is_kept(publisher):
    page = text(publisher.post(PAGE, asked()))
    assert "No run waits for it now. It is not kept either" in page
    page = text(publisher.post(PAGE, asked(keep="1d")))
    assert "No run waits for it now." in page
    assert "It is not kept either" not in page


def test_what_was_confirmed_is_published_and_told(publisher):
    runs = {waiting(key="inv_1").pk, waiting(key="inv_1").pk}
    waiting(key="inv_2")
    told = confirmed(publisher, key="inv_1", payload='{"paid": 12}', keep="90m")
    event = published().get()
    assert (event.name, event.key, event.payload) == ("payment", "inv_1", {"paid": 12})
    assert event.expires_at - event.created_at == timedelta(minutes=90)
    (said,) = told
    assert said.startswith(
        "The event payment with the key inv_1 was published. 2 runs wait for it now."
    )
    assert "It is kept until" in said
    entries = list(AuditEntry.objects.all())
    assert {entry.execution_id for entry in entries} == runs
    assert {(entry.verb, entry.by) for entry in entries} == {("send_event", "staff-0")}
    logged = LogEntry.objects.get()
    assert (logged.object_id, logged.change_message) == (str(event.pk), "Published")
    assert publisher.get("/admin/").status_code == 200  # which lists what one has done


@pytest.mark.usefixtures("isolated")
def test_runs_that_wait_go_on(publisher):
    class Pays(Workflow):
        paid = wait_for_event("payment", key="inv_1")

    class Either(Workflow):
        first = wait_for_any(["payment", "refund"], key="inv_1")

    runs = [testing.run(Pays), testing.run(Either)]
    (said,) = confirmed(publisher, key="inv_1", payload="7")
    assert "2 runs wait for it now." in said
    testing.drain()
    ended = [Execution.objects.get(pk=run.pk) for run in runs]
    assert [run.status for run in ended] == ["completed", "completed"]
    assert ended[0].result == 7


def test_the_same_form_sent_twice_publishes_once(publisher):
    waiting()
    confirmed(publisher)
    again = publisher.post(PAGE, asked(confirmed="1"), follow=True)
    (message,) = again.context["messages"]
    assert (message.level_tag, str(message)) == (
        "warning",
        "Nothing was published: this form has published it already.",
    )
    assert published().count() == AuditEntry.objects.count() == LogEntry.objects.count() == 1


@pytest.mark.parametrize(
    "changed",
    [{"once": ONCE[:-1] + "2"}, {"payload": "1"}, {"keep": "1h"}, {"key": "k"}, {"name": "other"}],
    ids=lambda changed: next(iter(changed)),
)
def test_another_form_or_one_that_was_changed_publishes_again(publisher, changed):
    confirmed(publisher)
    confirmed(publisher, **changed)
    assert published().count() == 2


def test_an_idempotency_key_is_kept_as_it_was_given(publisher):
    confirmed(publisher, idempotency_key="msg_77")
    assert published().get().idempotency_key == "msg_77"
    other = ONCE[:-1] + "2"
    page = publisher.post(PAGE, asked(idempotency_key="msg_77", once=other))
    (said,) = page.context["errors"]["idempotency_key"]
    assert "has this idempotency key" in said
    told = confirmed(publisher, idempotency_key="msg_77", payload="2", once=other)
    assert told == [said]
    assert published().count() == 1
    confirmed(publisher, idempotency_key="msg_77", key="inv_2")
    assert published().count() == 2


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "n" * 256}, "name"),
        ({"name": f"pay{RTL}ment"}, "name"),
        ({"name": "pay\0ment"}, "name"),
        ({"key": "k" * 256}, "key"),
        ({"key": "\0"}, "key"),
        ({"payload": "{"}, "payload"),
        ({"payload": "NaN"}, "payload"),
        ({"keep": "long"}, "keep"),
        ({"keep": "-1h"}, "keep"),
        ({"keep": "9999999999d"}, "keep"),
        ({"idempotency_key": "i" * 256}, "idempotency_key"),
        ({"idempotency_key": f"{RTL}1"}, "idempotency_key"),
        ({"once": "nonsense"}, "once"),
    ],
)
def test_what_cannot_be_published_is_told_beside_the_field(publisher, wrong, field):
    page = publisher.post(PAGE, asked(**wrong, confirmed="1"))
    assert page.status_code == 200
    assert list(page.context["errors"]) == [field]
    assert not published().exists()


def test_a_refusal_of_the_api_is_told_on_the_form(publisher, monkeypatch):
    def refuses(*args, **kwargs):
        raise ValueError(f"not today {EVIL}")

    monkeypatch.setattr(publishing.api_events, "publish_event", refuses)
    page = publisher.post(PAGE, asked(confirmed="1"))
    assert "This was refused: not today" in text(page)
    assert EVIL not in page.content.decode()
    assert not LogEntry.objects.exists()


def test_names_keys_and_payloads_are_text(publisher):
    hostile = f"{EVIL}{RTL}"
    waiting(EVIL)
    waiting_for_several(hostile)
    pages = [
        publisher.get(PAGE),
        publisher.get(PAGE, {"name": hostile, "key": hostile}),
        publisher.post(PAGE, asked(name=EVIL, key=hostile, payload=values.encode(hostile, "p"))),
        publisher.post(PAGE, asked(name=EVIL, key=hostile, confirmed="1"), follow=True),
    ]
    for page in pages:
        content = page.content.decode()
        assert EVIL not in content
        assert escape(EVIL) in content
        shown = re.sub(r'<textarea.*?</textarea>|value="[^"]*"', "", content, flags=re.DOTALL)
        assert RTL not in shown
    assert "was published" in text(pages[-1])


@pytest.mark.parametrize("nonsense", ["\0", "x" * 3_000, RTL, " "], ids=["NUL", "long", "RTL", ""])
def test_nonsense_in_the_address_is_told_nothing(publisher, nonsense):
    page = publisher.get(PAGE, {"name": nonsense, "key": nonsense})
    assert page.status_code == 200
    assert "for it now" not in text(page)


def test_of_many_that_wait_it_is_counted_how_many_at_least(publisher, monkeypatch):
    monkeypatch.setattr(awaiting, "WAITS_MAX", 2)
    monkeypatch.setattr(publishing, "NAMES_MAX", 1)
    for name in ("payment", "payment", "payment", "refund"):
        waiting(name)
    waiting_for_several("a", "b")
    page = text(publisher.get(f"{PAGE}?name=payment"))
    assert "2 runs or more wait for it now." in page
    assert "and 2 more" in page
    assert "There are more waits than are looked at here" in page


def test_it_asks_no_more_however_many_wait(publisher):
    waiting()
    publisher.get(f"{PAGE}?name=payment")

    def queries():
        with CaptureQueriesContext(
            connection,
        ) as captured:
            publisher.get(f"{PAGE}?name=payment")
        return len(captured)

    few = queries()
    for n in range(20):
        waiting(f"event-{n}")
        waiting_for_several("payment", f"other-{n}")
    assert queries() == few


def test_a_long_payload_is_shown_in_part_and_published_whole(publisher, monkeypatch):
    monkeypatch.setattr(publishing, "PAYLOAD_SHOWN_MAX", 10)
    page = publisher.post(PAGE, asked(payload='"0123456789abcdef"'))
    (shown,) = re.findall(r"<pre[^>]*>(.*?)</pre>", page.content.decode())
    assert shown == "&quot;012345678…"
    confirmed(publisher, payload='"0123456789abcdef"')
    assert published().get().payload == "0123456789abcdef"
