"""Repairs with values, ids and moments at the edge of what is legal: each is done whole, or refused
with nothing changed and nothing told."""

import math
import uuid

import pytest
from django.db import transaction

import durable_django as durable_api
from durable_django import (
    InvalidState,
    NotSerializable,
    PayloadTooLarge,
    Workflow,
    foreach,
    parallel,
    step,
)
from durable_django.models import AuditEntry, Execution

from ..repairs import detail_of, history, make_order


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


def kind(value):
    """A name for a parameter that has none that could be printed."""
    return type(value).__name__


def facts_of(run):
    """All that may change of a run: its row, and how many other rows there are of it."""
    row = Execution.objects.filter(pk=run.pk).values().get()
    return row, run.steps.count(), AuditEntry.objects.count(), Execution.objects.count()


@pytest.fixture
def failed(durable):
    return durable.run(make_order())


@pytest.fixture
def done(durable):
    return durable.run(make_order(), {"email": "a@b"})


# Values

WIDE = [
    2**10_000,
    -(10**3_999),
    0.1,
    -0.0,
    "\u2028\u202e<b>&\"'\\",
    "𝄞" * 1000,
    {"$": ["results", str(uuid.UUID(int=1)), 3, "foreach"]},
    {"$": 1},
    {"": {"": ""}},
    {"__proto__": 1, "seq": 10**6, "set": {"email": 1}},
    b"\x00\xff",
    {1, 2},
    (1, (2,)),
    None,
    '{"$":["results","00000000-0000-0000-0000-000000000001",1,"foreach"]}',
]


@pytest.mark.parametrize("value", [*WIDE, nested(99), nested(98)], ids=kind)
def test_any_value_that_the_gate_lets_through_can_be_given_by_a_person(durable, value, failed):
    durable_api.edit_context(failed, {"given": value, "email": ""})
    assert durable_api.get_execution(failed).context["given"] == value
    assert detail_of(failed)["set"]["given"] == value
    durable_api.edit_context(failed, {"given": 1})
    assert detail_of(failed)["before"]["given"] == value
    durable_api.edit_context(failed, {"given": value})
    durable_api.skip(failed, value)
    assert detail_of(failed)["value"] == value
    durable.drain()
    run = durable_api.get_execution(failed)
    assert run.status == "completed"
    assert run.outputs["charge"] == value
    again = durable_api.rerun_from(run, "confirm", context={"more": value})
    assert detail_of(again)["set"] == {"more": value}
    durable.drain()
    again = durable_api.get_execution(again)
    assert (again.result, again.context["given"]) == (run.result, value)
    assert again.context["more"] == value
    last = durable_api.rerun_from(again, "confirm")
    durable.drain()
    assert durable_api.get_execution(last).context["more"] == value


def test_a_value_nested_as_deep_as_any_is_told_with_what_was_done(durable, failed):
    durable_api.edit_context(failed, {"email": nested(100)})
    durable_api.edit_context(failed, {"email": {"a": nested(99)}})
    assert detail_of(failed)["before"] == {"email": nested(100)}
    durable_api.skip(failed, nested(100))
    assert detail_of(failed)["value"] == nested(100)
    durable_api.cancel(failed)
    again = durable_api.rerun_from(failed, "charge", context={"more": nested(100)})
    assert durable_api.get_execution(again).context["more"] == nested(100)
    durable_api.cancel(again)
    assert durable_api.rerun_from(again, "charge").context == again.context


REFUSED = [
    (math.nan, NotSerializable),
    ([math.inf], NotSerializable),
    ("\ud800", NotSerializable),
    ("a\x00b", NotSerializable),
    ({1: 2}, NotSerializable),
    ({"a\ud800": 2}, NotSerializable),
    (object(), NotSerializable),
    (10**4_000, NotSerializable),
    (nested(101), NotSerializable),
    ("x" * 1_100_000, PayloadTooLarge),
    (iter([1]), NotSerializable),
]


@pytest.mark.parametrize(("value", "error"), REFUSED, ids=kind)
def test_a_value_that_the_gate_refuses_changes_nothing(value, error, failed, done):
    for call in (
        lambda: durable_api.skip(failed, value),
        lambda: durable_api.edit_context(failed, {"email": value}),
        lambda: durable_api.edit_context(failed, {"a": 1, "b": value}, remove=["email"]),
        lambda: durable_api.rerun_from(done, "confirm", input={"email": value}),
        lambda: durable_api.rerun_from(done, "confirm", context={"email": value}),
    ):
        before = facts_of(failed), facts_of(done)
        with pytest.raises(error):
            call()
        assert (facts_of(failed), facts_of(done)) == before


@pytest.mark.parametrize(
    "key", ["", "a\x00b", "\ud800", 7, None, ("a",), "x" * 2_000_000], ids=kind
)
def test_a_key_is_a_key_that_a_step_could_have_set_or_is_refused(key, failed):
    before = facts_of(failed)
    try:
        durable_api.edit_context(failed, {key: 1})
    except (NotSerializable, PayloadTooLarge, TypeError):
        assert facts_of(failed) == before
    else:
        assert durable_api.get_execution(failed).context[key] == 1
        assert detail_of(failed)["set"] == {key: 1}
        durable_api.edit_context(failed, remove=[key])
        assert key not in durable_api.get_execution(failed).context


TEXTS = ["\x00", "\ud800", "x" * 100_000, "\u2028\u202e", "<script>", "%s {} %(a)s", ""]


@pytest.mark.parametrize("text", TEXTS, ids=kind)
def test_any_text_may_be_the_reason_and_the_name_of_who_did_it(durable, text, failed, done):
    waiting = make_order().start()
    durable_api.pause(waiting, text, by=text)
    durable_api.resume(waiting, text, by=text)
    durable_api.cancel(waiting, text, by=text)
    durable_api.edit_context(failed, {"a": 1}, reason=text, by=text)
    durable_api.skip(failed, 1, reason=text, by=text)
    durable.drain()
    durable_api.rerun_from(done, "charge", reason=text, by=text)
    durable_api.pause_queue("default", reason=text, by=text)
    durable_api.limit_queue("default", 3, reason=text, by=text)
    durable_api.resume_queue("default", reason=text, by=text)
    durable_api.send_event(make_order().start(), "x", by=text)
    told = AuditEntry.objects.order_by("id")
    assert len(told) == 10 + 1  # a rerun is told in both runs
    for entry in told:
        assert len(entry.by) <= 255
        assert entry.by[:5] == told[0].by[:5]


@pytest.mark.parametrize("by", [7, object(), b"ada", ["ada"]], ids=kind)
def test_who_is_nobody_changes_nothing(by, failed, done):
    waiting = make_order().start()
    for call in (
        lambda: durable_api.pause(waiting, by=by),
        lambda: durable_api.cancel(waiting, by=by),
        lambda: durable_api.edit_context(failed, {"a": 1}, by=by),
        lambda: durable_api.skip(failed, 1, by=by),
        lambda: durable_api.retry(failed, by=by),
        lambda: durable_api.rerun_from(done, "charge", by=by),
        lambda: durable_api.pause_queue("default", by=by),
        lambda: durable_api.send_event(done, "x", by=by),
        lambda: durable_api.start("take_order", by=by),
    ):
        before = facts_of(failed), facts_of(done), facts_of(waiting)
        with pytest.raises(TypeError, match="by"):
            call()
        assert (facts_of(failed), facts_of(done), facts_of(waiting)) == before


# Ids


def calls_on(given):
    """Every call that takes a run."""
    return [
        lambda: durable_api.pause(given),
        lambda: durable_api.resume(given),
        lambda: durable_api.skip(given, 1),
        lambda: durable_api.edit_context(given, {"a": 1}),
        lambda: durable_api.retry(given),
        lambda: durable_api.retry(given, node="charge"),
        lambda: durable_api.retry(given, forget_waits=True),
        lambda: durable_api.rerun_from(given, "charge"),
        lambda: durable_api.cancel(given),
    ]


def reads_of(given):
    """Every call that tells what could be done to a run."""
    return [
        lambda: durable_api.nodes_to_skip(given),
        lambda: durable_api.nodes_to_go_on_at(given),
        lambda: durable_api.nodes_to_rerun_from(given),
        lambda: durable_api.preview_rerun(given, "charge"),
    ]


def test_a_member_of_a_run_is_refused_by_every_call_and_nothing_is_changed(durable):
    class Fetches(Workflow):
        with parallel() as fetch:

            @step
            def charge(self):
                raise ValueError("no")

            @step
            def ship(self):
                self.wait_for_event("paid")

    run = durable.run(Fetches)
    for member in run.members().filter(kind="strand"):
        before = facts_of(run), facts_of(member)
        for given in (member, member.pk, str(member.pk)):
            for call in calls_on(given):
                with pytest.raises(InvalidState):
                    call()
            for read in reads_of(given):
                with pytest.raises(durable_api.ExecutionNotFound):
                    read()
        assert (facts_of(run), facts_of(member)) == before


@pytest.mark.parametrize(
    "given", [uuid.UUID(int=7), str(uuid.UUID(int=7)), "lost", 7, None], ids=kind
)
def test_an_id_that_is_no_runs_is_told_by_every_call(durable, given):
    for call in (
        *calls_on(given),
        *reads_of(given),
    ):
        with pytest.raises((durable_api.ExecutionNotFound, TypeError, ValueError)):
            call()
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(
    "form", [str, lambda pk: pk.hex, lambda pk: pk, lambda pk: str(pk).upper()]
)
def test_an_id_may_have_any_form(durable, form, failed):
    given = form(failed.pk)
    durable_api.edit_context(given, {"a": 1})
    durable_api.skip(given, {"a": 1})
    durable_api.pause(given)
    durable_api.resume(given)
    durable.drain()
    assert durable_api.rerun_from(given, "confirm").status == "pending"
    assert [verb for verb, _, _ in history(failed)] == [
        *("edit_context", "skip", "pause", "resume", "rerun"),
    ]


# A caller's transaction


def test_what_is_done_in_a_transaction_that_is_rolled_back_never_was(durable, failed, done):
    parked = make_order().start()
    paused = durable_api.pause(make_order().start())

    def rerun():
        durable_api.rerun_from(done, "charge")  # told in both runs

    for call in (
        lambda: durable_api.pause(parked),
        lambda: durable_api.resume(paused),
        lambda: durable_api.cancel(parked),
        lambda: durable_api.cancel(paused),
        lambda: durable_api.skip(failed, 1),
        lambda: durable_api.edit_context(failed, {"a": 1}),
        lambda: durable_api.retry(failed),
        lambda: durable_api.retry(failed, node="validate"),
        rerun,
        lambda: durable_api.pause_queue("default"),
        lambda: durable_api.limit_queue("default", 1),
    ):
        before = [facts_of(run) for run in (failed, done, parked, paused)]
        told = AuditEntry.objects.count()
        with transaction.atomic():
            call()
            assert AuditEntry.objects.count() == told + 1 + (call is rerun)
            transaction.set_rollback(True)
        assert [facts_of(run) for run in (failed, done, parked, paused)] == before
    assert not any(
        queue.is_paused or queue.concurrency_limit for queue in durable_api.list_queues()
    )


def test_a_call_that_is_refused_leaves_the_callers_transaction_whole(durable, failed):
    with transaction.atomic():
        for call in (
            lambda: durable_api.pause(failed),
            lambda: durable_api.resume(failed),
            lambda: durable_api.skip(failed, 1, node="lost"),
            lambda: durable_api.edit_context(failed, remove=["lost"]),
            lambda: durable_api.retry(failed, node="lost"),
            lambda: durable_api.rerun_from(failed, "confirm"),
        ):
            with pytest.raises((InvalidState, ValueError)):
                call()
        durable_api.edit_context(failed, {"email": "x"})
        durable_api.retry(failed)
    durable.drain()
    assert durable_api.get_execution(failed).status == "completed"
    assert [verb for verb, _, _ in history(failed)] == ["edit_context", "retry"]


# Code


def test_a_run_whose_code_is_not_here_is_paused_edited_cancelled_and_retried(durable):
    from durable_django.testing import isolate_registry

    with isolate_registry():
        run = durable.run(make_order())
        waiting = durable_api.start("take_order")
    for call in (
        lambda: durable_api.skip(run, 1),
        lambda: durable_api.retry(run, node="charge"),
        lambda: durable_api.rerun_from(run, "charge"),
        lambda: durable_api.preview_rerun(run, "charge"),
    ):
        before = facts_of(run)
        with pytest.raises((InvalidState, durable_api.WorkflowNotFound)):
            call()
        assert facts_of(run) == before
    assert durable_api.nodes_to_skip(run) == durable_api.nodes_to_go_on_at(run) == []
    durable_api.edit_context(run, {"a": 1})
    durable_api.retry(run)
    durable_api.pause(run)
    durable_api.resume(run)
    durable_api.pause(waiting)
    durable_api.edit_context(waiting, {"a": 1})
    durable_api.resume(waiting)
    assert durable_api.get_execution(waiting).status == "pending"
    durable_api.cancel(run)
    durable_api.cancel(waiting, compensate=True)
    assert {row.status for row in Execution.objects.all()} == {"cancelled"}


def test_a_huge_number_of_members_that_failed_is_skipped_by_one_name(durable):
    class Mails(Workflow):
        with foreach(lambda self: range(2_000), on_error="collect", tolerate=0) as each:

            @step
            def send(self):
                if self.index % 2:
                    raise ValueError("no")
                return self.index

    run = durable.run(Mails)
    assert run.status == "failed"
    assert len(durable_api.nodes_to_skip(run)) == 1001
    durable_api.skip(run, "none", node="send")
    assert detail_of(run)["count"] == 1000
    durable.drain()
    given = list(durable_api.get_execution(run).result)
    assert given == [index if not index % 2 else "none" for index in range(2_000)]
