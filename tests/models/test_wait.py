"""Wait and PendingInput: what they tell, what the database refuses, and which index serves whom."""

from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, connection, transaction

from durable_django.engine import values
from durable_django.models import Execution, PendingInput, Wait
from tests.store.rows import make_run

pytestmark = pytest.mark.django_db

AT = datetime(2030, 1, 31, tzinfo=UTC)


def make_wait(run=None, **fields):
    run = run or make_run()
    plain = {"path": "paid", "node": "paid", "kind": "event", "name": "payment", "created_at": AT}
    return Wait.objects.create(execution=run, member=run, **{**plain, **fields})


def test_a_wait_tells_its_values_decoded():
    error = {"type": "ChildFailed", "message": "no"}
    wait = make_wait(
        names_text='["a","b"]',
        value_text=values.encode((1, AT), "value"),
        error_text=values.encode(error, "error"),
        timeout_text='"late"',
        request_text='{"prompt":"Approve?"}',
    )
    wait.refresh_from_db()
    assert (wait.names, wait.value, wait.error) == (["a", "b"], (1, AT), error)
    assert (wait.timeout_value, wait.request, wait.is_open) == (
        "late",
        {"prompt": "Approve?"},
        True,
    )
    assert str(wait) == "event payment"


def test_what_a_wait_does_not_have_is_none():
    wait = make_wait(name="", kind="sleep")
    assert (wait.names, wait.value, wait.error, wait.timeout_value) == ([], None, None, None)
    assert (wait.request, str(wait)) == ({}, "time paid")


def test_one_place_of_one_visit_has_one_wait():
    run = make_run()
    make_wait(run)
    make_wait(run, position=1)
    make_wait(run, path="polling[2]/paid")
    make_wait(make_run())
    with pytest.raises(IntegrityError), transaction.atomic():
        make_wait(run)


@pytest.mark.parametrize("wrong", [{"status": "lost"}, {"kind": "hope"}])
def test_a_status_or_a_kind_that_there_is_not_is_refused(wrong):
    with pytest.raises(IntegrityError, match="durable_wait_"), transaction.atomic():
        make_wait(**wrong)


def test_only_inputs_that_are_open_are_pending():
    run = make_run()
    asked = make_wait(run, kind="input", path="a")
    make_wait(run, kind="event", path="b")
    make_wait(run, kind="input", path="c", status="answered", answered_at=AT)
    make_wait(run, kind="input", path="d", status="completed", resolved_at=AT)
    assert [pending.pk for pending in PendingInput.objects.all()] == [asked.pk]
    assert PendingInput.objects.get().execution == run


def test_a_pending_input_tells_what_is_asked():
    request = {"form": "choice", "prompt": "Which?", "choices": [[1, "One"]], "index": 3}
    make_wait(kind="input", request_text=values.encode(request, "request"))
    pending = PendingInput.objects.get()
    assert (pending.prompt, pending.form, pending.index) == ("Which?", "choice", 3)
    assert (pending.choices, pending.fields) == ([[1, "One"]], [])


def test_a_pending_input_that_says_little_is_a_plain_one():
    make_wait(kind="input")
    pending = PendingInput.objects.get()
    assert (pending.prompt, pending.form, pending.index) == ("", "input", None)
    assert (pending.choices, pending.fields) == ([], [])


def test_a_list_of_pending_inputs_does_not_load_what_is_large():
    make_wait(kind="input")
    pending = PendingInput.objects.get()
    assert {"input_text", "snapshot", "result_text"} <= pending.execution.get_deferred_fields()


def test_waits_go_with_their_run():
    run = make_run()
    make_wait(run)
    Execution.objects.filter(pk=run.pk).delete()
    assert not Wait.objects.exists()


OPEN = {"resolved_at__isnull": True}
ASKED = {
    "durable_wait_member": {"member_id": "member", **OPEN},
    "durable_wait_awaited": {"execution_id": "run", "kind": "event", "name": "paid", **OPEN},
    "durable_wait_published": {"kind": "event", "key": "k", "name": "paid", **OPEN},
    "durable_wait_answered": {"answered_at__isnull": False, **OPEN},
}


@pytest.mark.parametrize("index", ASKED)
def test_what_workers_ask_for_is_answered_by_an_index(index):
    """Partial ones: SQLite takes them only where the query says so in the same words."""
    run = make_run()
    wanted = {k: run.pk if v in ("member", "run") else v for k, v in ASKED[index].items()}
    rows = Wait.objects.filter(**wanted)
    if index == "durable_wait_answered":
        rows = rows.order_by("answered_at")
    assert_index(index, rows)


def assert_index(index, rows):
    """PostgreSQL, which knows that there are no rows, may take any of them; not the whole table."""
    if connection.vendor != "postgresql":
        assert index in rows.explain()
        return
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
    assert f"Index Scan using {index[:11]}" in rows.order_by().explain()
