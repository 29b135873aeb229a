"""What people call to send events: to one run, and to all that wait."""

from datetime import date, timedelta
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction

from durable_django import (
    ExecutionNotFound,
    InvalidState,
    NotSerializable,
    PayloadTooLarge,
    Workflow,
    days,
    get_execution,
    step,
    wait_for_all,
    wait_for_any,
    wait_for_approval,
    wait_for_callback,
    wait_for_event,
)
from durable_django.api_events import apublish_event, asend_event, publish_event, send_event
from durable_django.models import FINAL, Event, Execution
from durable_django.store import clock, sending
from durable_django.testing import drain


@pytest.fixture
def Order(durable):
    class Order(Workflow):
        class Meta:
            name = "take_order"

        @step
        def charge(self): ...

    return Order


def in_row(event):
    return Event.objects.get(pk=event.pk)


# To one run


def test_an_event_is_sent_to_a_run_by_its_id_its_text_or_itself(Order):
    made = Order.start()
    for way in (made.pk, str(made.pk), made.pk.hex, made):
        event = in_row(send_event(way, "payment.success", {"due": date(2030, 1, 31)}))
        assert (event.execution_id, event.name, event.key) == (made.pk, "payment.success", "")
        assert event.payload == {"due": date(2030, 1, 31)}


def test_nothing_is_a_payload(Order):
    made = Order.start()
    assert in_row(send_event(made, "paid")).payload is None
    assert in_row(send_event(made, "paid", None)).payload is None
    assert in_row(publish_event("paid")).payload is None


def test_an_event_carries_the_key_by_which_a_wait_is_picked(Order):
    event = in_row(send_event(Order.start(), "paid", 1, key="inv_1", idempotency_key="once"))
    assert (event.key, event.idempotency_key) == ("inv_1", "once")


@pytest.mark.parametrize("wrong", [uuid4(), "nonsense", "", None, 42, object(), b"x"], ids=repr)
def test_what_is_no_execution_is_not_found(db, wrong):
    with pytest.raises(ExecutionNotFound):
        send_event(wrong, "paid")
    assert Event.objects.count() == 0


def test_a_member_of_a_block_is_no_execution_to_send_to(Order):
    made, strand = Order.start(), Order.start()
    Execution.objects.filter(pk=strand.pk).update(parent=made, kind="strand", path="a/b")
    with pytest.raises(ExecutionNotFound):
        send_event(strand.pk, "paid")


@pytest.mark.parametrize("status", [status.value for status in FINAL])
def test_a_run_that_has_ended_takes_no_event_and_its_status_is_named(Order, status):
    made = Order.start()
    Execution.objects.filter(pk=made.pk).update(status=status, finished_at=clock.now(), due_at=None)
    with pytest.raises(InvalidState, match=rf"'paid'.*{made.pk}.*already {status}$") as caught:
        send_event(made, "paid", idempotency_key="new")
    assert caught.value.status == status
    assert Event.objects.count() == 0


def test_who_sends_again_after_the_run_has_ended_is_told_that_it_was_sent(Order):
    made = Order.start()
    first = send_event(made, "paid", 1, idempotency_key="k")
    drain()
    assert get_execution(made).status == "completed"
    assert send_event(made, "paid", 2, idempotency_key="k").pk == first.pk


def test_a_run_that_is_retried_while_an_event_is_refused_gets_it(Order, monkeypatch):
    """Failed when the event was to be written, and pending when its status was asked for."""
    made = Order.start()
    insert = sending.send
    refused = []

    def refuse_once(*args, **kwargs):
        if not refused:
            refused.append(args)
            return None
        return insert(*args, **kwargs)

    monkeypatch.setattr(sending, "send", refuse_once)
    assert in_row(send_event(made, "paid", 1)).execution_id == made.pk
    assert refused


# To all who wait


def test_a_published_event_is_for_no_run(db):
    event = in_row(publish_event("payment", key="inv_1", payload={"paid": 12}))
    assert (event.execution_id, event.name, event.key) == (None, "payment", "inv_1")
    assert (event.payload, event.expires_at) == ({"paid": 12}, None)
    assert in_row(publish_event("payment", "inv_1", 3)).payload == 3


@pytest.mark.parametrize("keep", [days(2), 172_800, 172_800.0])
def test_a_published_event_is_kept_as_long_as_it_is_said(db, keep):
    event = in_row(publish_event("payment", keep=keep))
    assert event.expires_at - event.created_at == timedelta(days=2)


@pytest.mark.parametrize("keep", [None, 0, timedelta(0)])
def test_a_published_event_need_not_be_kept(db, keep):
    assert in_row(publish_event("payment", keep=keep)).expires_at is None


def test_publishing_twice_under_one_key_publishes_once(db):
    first = publish_event("payment", "a", 1, idempotency_key="k")
    assert publish_event("payment", "a", 2, idempotency_key="k").pk == first.pk
    assert publish_event("payment", "b", 2, idempotency_key="k").pk != first.pk
    assert publish_event("payment", "a", 2).pk != first.pk


# Arguments

NO_TEXTS = ["", "a\0b", "\ud800", "x" * 256, 7, b"paid", ["paid"], True]
WRONG = {
    "name": [*NO_TEXTS, None, " paid", "paid\n"],
    "key": NO_TEXTS,
    "idempotency_key": [*NO_TEXTS, " paid", "paid\n"],
}


def everywhere(Order, name="paid", **arguments):
    """Both calls, with these arguments."""
    made = Order.start()
    return (
        lambda: send_event(made, name, **arguments),
        lambda: publish_event(name, **arguments),
    )


@pytest.mark.parametrize(
    ("argument", "wrong"),
    [(argument, wrong) for argument in WRONG for wrong in WRONG[argument]],
    ids=lambda value: repr(value)[:20],
)
def test_a_name_or_key_that_is_no_fit_text_is_refused_by_its_argument(Order, argument, wrong):
    for call in everywhere(Order, **{argument: wrong}):
        with pytest.raises((TypeError, ValueError), match=f"^{argument} "):
            call()
    assert Event.objects.count() == 0


def test_names_and_keys_may_have_255_characters(Order):
    long = "ü" * 255
    for call in everywhere(Order, name=long, key=long, idempotency_key=long):
        event = in_row(call())
        assert (event.name, event.key, event.idempotency_key) == (long, long, long)


@pytest.fixture
def Waiting(durable):
    class Waiting(Workflow):
        @step
        def charge(self): ...

        paid = wait_for_event()
        shipped = wait_for_event("parcel.shipped")
        either = wait_for_any(["parcel.shipped", "paid"])
        both = wait_for_all(["parcel.shipped", "paid"])
        answered = wait_for_callback()
        approved = wait_for_approval()

    return Waiting


def test_an_event_can_be_named_by_the_node_that_waits_for_it(Waiting):
    for node, name in ((Waiting.paid, "paid"), (Waiting.shipped, "parcel.shipped")):
        assert [in_row(call()).name for call in everywhere(Waiting, name=node)] == [name, name]


@pytest.mark.parametrize("name", ["charge", "answered", "approved"])
def test_a_node_that_waits_for_no_event_is_refused(Waiting, name):
    for call in everywhere(Waiting, name=getattr(Waiting, name)):
        with pytest.raises(TypeError, match=rf"^name .*{name}.* waits for none"):
            call()


@pytest.mark.parametrize("name", ["either", "both"])
def test_of_a_node_that_waits_for_several_events_one_has_to_be_named(Waiting, name):
    for call in everywhere(Waiting, name=getattr(Waiting, name)):
        with pytest.raises(TypeError, match=rf"^name .*{name}.* waits for several"):
            call()


@pytest.mark.parametrize("wrong", ["2 days", True, -1, timedelta(-1), float("nan")], ids=repr)
def test_what_is_no_duration_to_keep_an_event_is_refused(db, wrong):
    with pytest.raises((TypeError, ValueError), match=r"^keep "):
        publish_event("payment", keep=wrong)


def test_a_payload_passes_the_gate(Order, settings):
    settings.DURABLE = {"MAX_PAYLOAD_BYTES": 1024}
    for call in everywhere(Order, payload={"at": [object()]}):
        with pytest.raises(NotSerializable, match=r'payload\["at"\]\[0\]'):
            call()
    for call in everywhere(Order, payload="x" * 1023):
        with pytest.raises(PayloadTooLarge, match=r"payload: 1,025 bytes"):
            call()
    for call in everywhere(Order, payload="x" * 1022):
        assert len(in_row(call()).payload) == 1022


# Transactions and coroutines


@pytest.mark.django_db(transaction=True)
def test_an_event_sent_in_a_transaction_rolls_back_with_it(Order):
    made = Order.start()
    with transaction.atomic():
        send_event(made, "paid", idempotency_key="k")
        publish_event("paid")
        transaction.set_rollback(True)
    assert Event.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_events_are_sent_from_coroutines(Order):
    made = Order.start()

    async def act():
        sent = await asend_event(made, "paid", 1, key="a", idempotency_key="k")
        published = await apublish_event("paid", "a", 2, keep=60, idempotency_key="k")
        with pytest.raises(ExecutionNotFound):
            await asend_event("nonsense", "paid")
        return [sent, published]

    assert [in_row(event).payload for event in async_to_sync(act)()] == [1, 2]
