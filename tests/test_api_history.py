"""Who did what to a run, and why: what the API writes into its history."""

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext

import durable_django as durable
from durable_django import (
    ExecutionNotFound,
    Workflow,
    call_workflow,
    parallel,
    step,
    wait_for_all,
    wait_for_any,
    wait_for_approval,
    wait_for_event,
)
from durable_django.api_events import publish_event
from durable_django.models import AuditEntry, Event, Execution
from durable_django.store import spreading
from durable_django.testing import drain, run

from .repairs import after, detail_of, history, make_order

PUBLISHED = {"published": True}


@pytest.fixture
def Order(durable):
    return make_order()


def test_an_action_says_who_did_it_and_why(Order):
    made = Order.start({}, by="shop")
    durable.send_event(made, "paid", by="bank", key="k")
    drain()
    durable.retry(made, by="ada", reason="again")
    durable.cancel(made, "enough", by="grace")
    assert history(made) == [
        ("start", "shop", ""),
        ("send_event", "bank", ""),
        ("retry", "ada", "again"),
        ("cancel", "grace", "enough"),
    ]
    assert detail_of(made) == {"compensate": False}


def test_code_that_names_nobody_leaves_no_word_of_starts_and_events(Order):
    made = Order.start()
    durable.send_event(made, "paid")
    assert history(made) == []


def test_an_event_or_a_start_that_was_there_already_leaves_no_word(Order):
    made = Order.start(idempotency_key="k", by="a")
    assert Order.start(idempotency_key="k", by="b") == made
    for by in "ab":
        durable.send_event(made, "paid", idempotency_key="e", by=by)
    assert [by for _, by, _ in history(made)] == ["a", "a"]


def test_each_of_many_runs_says_who_started_it(Order):
    ids = durable.start_many(Order, [{}, {}, {}], by="ada")
    assert [history(durable.get_execution(pk)) for pk in ids] == [[("start", "ada", "")]] * 3
    entry = AuditEntry.objects.filter(execution=ids[2]).get()
    assert (entry.queue, entry.schedule, entry.detail) == ("", "", {})
    assert entry.created_at is not None
    assert durable.start_many(Order, [], by="ada") == []


def test_many_runs_that_nobody_is_named_for_are_started_without_another_statement(Order):
    with CaptureQueriesContext(connection) as asked:
        durable.start_many(Order, [{}, {}])
    assert not any(AuditEntry._meta.db_table in query["sql"] for query in asked)
    assert AuditEntry.objects.count() == 0


def test_who_published_an_event_is_told_by_the_runs_that_waited_for_it_once_each(durable):
    class Waits(Workflow):
        class Meta:
            name = "waits"

        with parallel() as both:
            one = wait_for_event("paid", key=lambda self: self.input)
            two = wait_for_event("paid", key=lambda self: self.input)

    class Any(Workflow):
        class Meta:
            name = "any"

        first = wait_for_any(["paid", "lost"], key="a")

    class Other(Workflow):
        class Meta:
            name = "other"

        all_of = wait_for_all(["lost", "found"], key="a")

    mine, other_key, either, neither = (
        run(cls, given) for cls, given in ((Waits, "a"), (Waits, "b"), (Any, {}), (Other, {}))
    )
    event = publish_event("paid", "a", 1, by="bank", idempotency_key="k")
    publish_event("paid", "a", 1, by="bank", idempotency_key="k")
    publish_event("paid", "b")
    for made in (mine, either):
        assert history(made) == [("send_event", "bank", "")]
        assert detail_of(made) == {"name": "paid", "key": "a", "event": event.pk} | PUBLISHED
    assert history(other_key) == history(neither) == []
    drain()
    publish_event("paid", "a", by="late")  # mine waits for a second one
    assert [by for _, by, _ in history(mine)] == ["bank", "late"]
    assert [by for _, by, _ in history(either)] == ["bank"]


def test_an_event_is_published_to_more_runs_than_are_read_at_once(durable, monkeypatch):
    class Waits(Workflow):
        class Meta:
            name = "waits"

        paid = wait_for_event("paid")

    monkeypatch.setattr(spreading, "COPIES", 2)
    made = [run(Waits) for _ in range(5)]
    publish_event("paid", by="bank")
    assert [history(each) for each in made] == [[("send_event", "bank", "")]] * 5


def test_who_and_why_are_judged_before_anything_is_written(Order):
    made = run(Order)
    live = Order.start()
    for act in (
        lambda **how: durable.skip(made, **how),
        lambda **how: durable.edit_context(made, {"a": 1}, **how),
        lambda **how: durable.retry(made, **how),
    ):
        with pytest.raises(TypeError, match="reason"):
            act(reason=7)
        with pytest.raises(TypeError, match="by"):
            act(by=7)
    with pytest.raises(TypeError, match="by"):
        durable.cancel(live, by=7)
    with pytest.raises(TypeError, match="by"):
        durable.send_event(live, "paid", by=7)
    with pytest.raises(TypeError, match="by"):
        publish_event("paid", by=7)
    with pytest.raises(TypeError, match="by"):
        Order.start(by=7)
    with pytest.raises(TypeError, match="by"):
        durable.start_many(Order, [{}], by=7)
    assert AuditEntry.objects.count() == Event.objects.count() == 0
    assert Execution.objects.count() == 2


@pytest.mark.parametrize(
    "act",
    [
        durable.skip,
        durable.retry,
        durable.nodes_to_skip,
        durable.nodes_to_go_on_at,
        lambda it: durable.edit_context(it, {"a": 1}),
    ],
)
def test_a_run_that_does_not_exist_is_not_found(db, act):
    for wrong in ("nonsense", "01890000-0000-7000-8000-000000000000"):
        with pytest.raises(ExecutionNotFound):
            act(wrong)


@pytest.mark.django_db(transaction=True)
def test_each_has_a_coroutine(Order):
    made = run(Order)

    async def act():
        assert await durable.anodes_to_skip(made) == ["charge"]
        assert "charge" in await durable.anodes_to_go_on_at(made)
        await durable.aedit_context(made, {"email": "a@b"})
        await durable.aretry(made, node="charge")
        await durable.acancel(made, by="ada")
        await durable.aretry(made, node="validate")

    async_to_sync(act)()
    made = run(Order)
    async_to_sync(durable.askip)(made, 1)
    assert after(made).result == [1, ""]


def test_an_answer_of_somebody_is_told_and_one_of_code_is_not(Order):
    class Asks(Workflow):
        approval = wait_for_approval(prompt="Go?")

        @step
        def text(self):
            return self.wait_for_text("why")

    ada = get_user_model().objects.create_user("ada")
    made = run(Asks)
    durable.provide_input(made, "approval", "approved", by=ada, comment="at last")
    drain()
    assert history(made) == [("answer", "ada", "at last")]
    assert detail_of(made) == {"name": "approval", "node": "approval", "path": "approval"}
    durable.provide_input(made, "why", "because")
    assert after(made).result == "because"
    assert len(history(made)) == 1


def test_a_cancel_tells_of_the_run_it_was_asked_for_only(Order):
    class Asks(Workflow):
        paid = wait_for_event("paid")

    class Calls(Workflow):
        called = call_workflow(Asks)

    made = run(Calls)
    child = durable.list_children(made).get()
    durable.cancel(made, "enough", by="ada")
    assert after(child).status == "cancelled"
    assert (history(made), history(child)) == ([("cancel", "ada", "enough")], [])
