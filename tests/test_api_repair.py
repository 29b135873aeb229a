"""Changing the context of a run, and letting it go on elsewhere: as people call it."""

import pytest
from django.contrib.auth import get_user_model

import durable_django as durable
from durable_django import (
    InvalidState,
    NotSerializable,
    PayloadTooLarge,
    Workflow,
    step,
)
from durable_django.models import AuditEntry, Execution
from durable_django.testing import drain, run

from .repairs import after, detail_of, history, make_order, rows_of


@pytest.fixture
def Order(durable):
    return make_order()


# The context


def test_the_context_of_a_failed_run_is_changed_and_the_retry_sees_it(Order):
    made = run(Order)
    user = get_user_model()(username="grace")
    given = durable.edit_context(
        made, {"email": "a@b", "n": 1}, by=user, reason="forgotten in the form"
    )
    assert (given.status, given.context) == ("failed", {"email": "a@b", "n": 1})
    durable.retry(made)
    assert after(made).result == [{"paid": True}, "a@b"]
    assert history(made) == [
        ("edit_context", "grace", "forgotten in the form"),
        ("retry", "", ""),
    ]
    detail = AuditEntry.objects.get(verb="edit_context").detail
    assert detail == {
        "set": {"email": "a@b", "n": 1},
        "removed": [],
        "before": {"email": ""},
        "seq": 3,
    }


def test_keys_are_removed_and_what_was_before_is_kept(Order):
    made = run(Order)
    durable.edit_context(made, remove=["email"])
    assert durable.get_execution(made).context == {}
    assert detail_of(made)["removed"] == ["email"]
    assert detail_of(made)["before"] == {"email": ""}


def test_a_run_that_has_not_begun_begins_with_the_context_it_was_given(Order):
    class Reads(Workflow):
        @step
        def only(self):
            return self.context["given"]

    made = Reads.start()
    durable.edit_context(made, {"given": 7})
    assert durable.get_execution(made).context == {"given": 7}
    assert after(made).result == 7


def test_the_context_of_a_parked_run_is_changed_and_it_stays_parked(Order):
    class Waits(Workflow):
        @step
        def begin(self):
            self.context["n"] = 1

        @step
        def asks(self):
            self.context["asked"] = self.context["n"]
            return self.wait_for_event("paid"), self.context["n"]

    made = run(Waits)
    assert made.status == "waiting"
    given = durable.edit_context(made, {"n": 2})
    assert (given.status, given.context) == ("waiting", {"n": 2})
    durable.send_event(made, "paid", 5)
    found = after(made)
    assert (found.result, found.context) == ((5, 2), {"n": 2, "asked": 2})


@pytest.mark.parametrize(
    ("changes", "remove", "error", "match"),
    [
        (None, (), ValueError, "nothing to change"),
        ({}, [], ValueError, "nothing to change"),
        ({"a": 1}, ["a"], ValueError, "'a' is to be set, and to be removed"),
        (None, ["lost"], ValueError, "cannot remove 'lost'"),
        (None, "email", TypeError, "remove"),
        (None, [7], TypeError, "remove"),
        ([("a", 1)], (), TypeError, "changes"),
        ({7: 1}, (), NotSerializable, "context key"),
        ({"a": object()}, (), NotSerializable, r'context\["a"\]'),
        ({"a": "x" * 200}, (), PayloadTooLarge, r'context\["a"\]'),
    ],
)
def test_what_cannot_be_changed_is_refused(Order, settings, changes, remove, error, match):
    settings.DURABLE = {**settings.DURABLE, "MAX_PAYLOAD_BYTES": 100}
    made = run(Order)
    with pytest.raises(error, match=match):
        durable.edit_context(made, changes, remove=remove)
    assert durable.get_execution(made).context == {"email": ""}
    assert history(made) == []


@pytest.mark.parametrize("status", ["completed", "running", "compensating", "held"])
def test_the_context_of_a_run_that_is_driven_or_over_cannot_be_changed(Order, status):
    made = Order.start({"email": "a@b"})
    if status == "completed":
        drain()
    else:
        held = {"worker_id": made.pk, "lease": 1, "status": "running"}
        if status == "compensating":
            held = {"status": status}
        Execution.objects.filter(pk=made.pk).update(**held)
    with pytest.raises(InvalidState, match="cannot change the context"):
        durable.edit_context(made, {"a": 1})


# Going on at another node


def test_a_run_goes_on_at_a_node_before_and_visits_all_anew(Order):
    made = run(Order)
    assert durable.nodes_to_go_on_at(made) == ["validate", "charge", "confirm"]
    Execution.objects.filter(pk=made.pk).update(input_text='{"email":"a@b"}')
    given = durable.retry(made, node="validate", by="ada", reason="corrected")
    assert given.status == "pending"
    found = after(made)
    assert found.result == [{"paid": True}, "a@b"]
    assert [(path, status) for path, status, *_ in rows_of(found)] == [
        ("validate", "completed"),
        ("charge", "failed"),
        ("charge", "failed"),
        ("validate#2", "completed"),
        ("charge#2", "completed"),
        ("confirm", "completed"),
    ]
    assert history(found) == [("retry", "ada", "corrected")]
    assert detail_of(found) == {"node": "validate"}


def test_a_run_goes_on_at_a_node_behind_and_leaves_out_what_is_between(Order):
    class Three(Workflow):
        @step
        def first(self):
            raise ValueError("no")

        @step
        def second(self): ...

        @step
        def third(self):
            return sorted(self.outputs)

    made = run(Three)
    durable.retry(made, node=Three.third)
    assert after(made).result == []
    assert [path for path, *_ in rows_of(made)] == ["first", "third"]


def test_going_on_where_it_stopped_is_a_plain_retry(Order):
    made = run(Order)
    Execution.objects.filter(pk=made.pk).update(
        snapshot=made.snapshot.replace('"email":""', '"email":"x"')
    )
    durable.retry(made, node="charge")
    assert [path for path, *_ in rows_of(after(made))][2:] == ["charge", "charge", "confirm"]


def test_a_node_at_which_a_run_cannot_go_on_is_refused_with_those_there_are(Order):
    made = run(Order)
    with pytest.raises(ValueError, match=r"cannot go on at 'lost', but at: validate, charge"):
        durable.retry(made, node="lost")
    with pytest.raises(TypeError, match="node"):
        durable.retry(made, node=3)
    assert durable.get_execution(made).status == "failed"


def test_a_run_that_was_cancelled_before_it_began_goes_on_where_one_likes(Order):
    class Two(Workflow):
        @step
        def first(self): ...

        @step
        def second(self):
            return "second"

    made = Two.start()
    durable.cancel(made)
    assert durable.nodes_to_go_on_at(made) == ["first", "second"]
    durable.retry(made, node="second")
    assert after(made).result == "second"
    assert [path for path, *_ in rows_of(made)] == ["second"]


# Forgetting


def test_a_body_whose_waits_are_forgotten_runs_afresh(Order):
    names = ["one"]

    class Changes(Workflow):
        @step
        def asks(self):
            got = [self.wait_for_event(name) for name in names]
            return got, self.once("drawn", lambda: len(names))

    made = run(Changes)
    durable.send_event(made, "one", 1)
    names[:] = ["other", "one"]
    assert after(made).error["type"] == "NonDeterministicStep"
    durable.retry(made)
    assert after(made).error["type"] == "NonDeterministicStep"
    durable.retry(made, forget_waits=True, by="ada")
    found = after(made)
    assert found.status == "waiting", found.error
    durable.send_event(made, "other", 2)
    assert after(made).result == ([2, 1], 2)
    assert detail_of(made) == {
        "forgotten": [{"path": "asks", "position": 1, "kind": "event", "name": "one"}]
    }
