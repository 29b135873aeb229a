"""`durable cancel`: one run, several, or all that a filter finds."""

import pytest

import durable_django as durable
from durable_django import Workflow, step, wait_for_event
from durable_django.models import AuditEntry, Execution
from durable_django.terminal import chosen
from durable_django.testing import drain
from tests.terminal.asking import Asked


@pytest.fixture
def Order(durable):
    class Order(Workflow):
        class Meta:
            name = "take_order"

        @step
        def charge(self):
            return 1

        @charge.compensate
        def refund(self):
            pass

        paid = wait_for_event("paid")

    return Order


def statuses():
    return [run.status for run in durable.list_executions().order_by("id")]


def test_a_run_is_cancelled_by_the_beginning_of_its_id(terminal, Order):
    run = Order.start()
    said = terminal("cancel", str(run.pk)[:30], "--reason", "ordered twice", "--by", "ada")
    assert (said.code, said.err) == (0, "")
    assert said.out == f"{run.pk} take_order: cancelled\n"
    found = durable.get_execution(run)
    assert (found.status, found.reason) == ("cancelled", "ordered twice")
    (entry,) = AuditEntry.objects.all()
    assert (entry.verb, entry.by, entry.reason) == ("cancel", "ada", "ordered twice")


def test_what_it_did_is_undone_when_asked(terminal, Order):
    run = Order.start()
    drain()
    said = terminal("cancel", run.pk, "--compensate")
    assert said.out == f"{run.pk} take_order: compensating\n"
    drain()
    assert durable.get_execution(run).status == "compensated"


def test_one_that_is_over_does_not_keep_the_others_from_being_cancelled(terminal, Order):
    runs = [Order.start() for _ in range(3)]
    durable.cancel(runs[1])
    said = terminal("cancel", *(run.pk for run in runs), "--json")
    assert said.code == 1
    told = said.json
    assert [run["id"] for run in told["executions"]] == [str(runs[0].pk), str(runs[2].pk)]
    assert [run["status"] for run in told["executions"]] == ["cancelled"] * 2
    (refused,) = told["refused"]
    assert refused["id"] == str(runs[1].pk)
    assert refused["error"].endswith("it is already cancelled")
    assert (told["dry_run"], statuses()) == (False, ["cancelled"] * 3)


def test_if_one_id_is_wrong_nothing_is_cancelled(terminal, Order):
    run = Order.start()
    said = terminal("cancel", run.pk, "00000000")
    assert (said.code, statuses()) == (3, ["pending"])
    assert terminal("cancel", run.pk, "orders").code == 3


def test_a_beginning_that_two_ids_have_is_refused_with_both(terminal, Order):
    runs = [Order.start(), Order.start()]
    said = terminal("cancel", str(runs[0].pk)[:6])
    assert said.code == 4
    assert all(str(run.pk) in said.err for run in runs)


def test_a_filter_finds_runs_that_are_not_over(terminal, Order):
    class Other(Workflow):
        class Meta:
            name = "other"

        @step
        def only(self):
            pass

    ended, waits = Order.start(), Order.start()
    durable.cancel(ended)
    drain()
    begun, later = Other.start(), Order.start(scheduled_at=waits.created_at.replace(year=2100))
    said = terminal("cancel", "--workflow", "take_order", "--yes", "--json")
    assert {run["id"] for run in said.json["executions"]} == {str(waits.pk), str(later.pk)}
    assert durable.get_execution(begun).status == "pending"


def test_several_statuses_tags_queues_and_the_newest_few_can_be_asked_for(terminal, Order):
    old = Order.start(tags=["vip"])
    new = Order.start(tags=["vip"])
    Order.start(tags=["vip"], queue="slow")
    Order.start()
    words = ["--status", "pending", "--status", "waiting", "--tag", "vip", "--queue", "default"]
    said = terminal("cancel", *words, "--dry-run", "--json")
    assert [run["id"] for run in said.json["executions"]] == [str(new.pk), str(old.pk)]
    words[:4] = ["--status", "active, pending"]
    said = terminal("cancel", *words, "--limit", "1", "--yes", "--json")
    assert [run["id"] for run in said.json["executions"]] == [str(new.pk)]


def test_a_tag_with_a_value_is_found_whether_that_is_a_text_or_a_number(terminal, Order):
    runs = [Order.start(tags={"customer": value}) for value in (42, "42", 7)]
    said = terminal("cancel", "--tag", "customer=42", "--dry-run", "--json")
    found = {run["id"] for run in said.json["executions"]}
    assert found == {str(runs[0].pk), str(runs[1].pk)}


def test_a_dry_run_tells_and_changes_nothing(terminal, Order):
    first, second = Order.start(), Order.start()
    durable.cancel(first)
    said = terminal("cancel", "--workflow", "take_order", "--dry-run")
    assert said.code == 0
    assert said.lines[0] == "This would cancel 1 execution (1 pending take_order)."
    assert str(second.pk) in said.lines[1]
    said = terminal("cancel", first.pk, second.pk, "--dry-run")
    assert said.code == 1
    assert f"cannot cancel execution {first.pk}: it is cancelled" in said.err
    assert statuses() == ["cancelled", "pending"]


@pytest.mark.parametrize("stream", ["sys.stdin", "sys.stderr"])
def test_where_nobody_can_be_asked_nothing_is_done(terminal, Order, monkeypatch, stream):
    Order.start()
    Asked(monkeypatch, "yes\n")
    with monkeypatch.context() as closed:
        closed.setattr(stream, None)
        with pytest.raises(chosen.Refused, match="Nobody can be asked here: say --yes"):
            chosen.confirm("Cancel 1 execution?")
    monkeypatch.setattr("sys.stdin", None)
    said = terminal("cancel", "--workflow", "take_order")
    assert (said.code, statuses()) == (2, ["pending"])
    assert "Nobody can be asked here: say --yes" in said.err


def test_a_filter_asks_before_it_cancels(terminal, Order, monkeypatch):
    Order.start()
    Asked(monkeypatch, "no\n")
    said = terminal("cancel", "--workflow", "take_order")
    assert (said.code, statuses()) == (1, ["pending"])
    assert said.err == (
        "Cancel 1 execution (1 pending take_order)? [y/N] error: nothing was done\n"
    )
    Asked(monkeypatch, "y\n")
    assert terminal("cancel", "--workflow", "take_order").code == 0
    assert statuses() == ["cancelled"]


def test_where_nobody_can_be_asked_it_says_so(terminal, Order, monkeypatch):
    Order.start()
    Asked(monkeypatch, "", is_terminal=False)
    said = terminal("cancel", "--workflow", "take_order")
    assert (said.code, "--yes" in said.err, statuses()) == (2, True, ["pending"])


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ([], 2, "Give ids, or filters"),
        (["00", "--status", "waiting"], 2, "not both"),
        (["--status", "wating"], 2, 'did you mean "waiting"?'),
        (["--status", "completed"], 2, "cannot be chosen to cancel"),
        (["--workflow", "take_ordr"], 3, 'did you mean "take_order"?'),
    ],
)
def test_what_is_wrong_is_named_and_cancels_nothing(terminal, Order, words, code, told):
    Order.start()
    said = terminal("cancel", *words)
    assert (said.code, told in said.err, statuses()) == (code, True, ["pending"])


def test_a_filter_that_finds_nothing_says_so(terminal, Order):
    said = terminal("cancel", "--workflow", "take_order")
    assert (said.code, said.out) == (0, "No execution matches.\n")


def test_of_many_it_is_told_how_many_there_were(terminal, Order):
    durable.start_many(Order, [{}] * 25)
    said = terminal("cancel", "--workflow", "take_order", "--yes")
    assert (said.lines, said.err) == (["25 executions were cancelled."], "")


def test_of_many_that_were_left_as_they_were_some_are_told(terminal, Order, monkeypatch):
    runs = durable.start_many(Order, [{}] * 25)

    def cancel(pk, *args, **given):
        if pk == runs[3]:
            return real(pk, *args, **given)
        raise durable.InvalidState(f"{pk} has moved on")

    real = durable.api.cancel
    monkeypatch.setattr("durable_django.api.cancel", cancel)
    said = terminal("cancel", "--workflow", "take_order", "--yes", is_terminal=True)
    assert (said.code, said.lines) == (1, ["1 execution was cancelled."])
    assert said.err.count("has moved on") == 20
    assert "24 were left as they were" in said.err


def test_whoever_stops_it_is_told_how_far_it_came(terminal, Order, monkeypatch):
    runs = [Order.start(), Order.start()]

    def cancel(pk, *args, **given):
        if pk == runs[1].pk:
            raise KeyboardInterrupt
        return real(pk, *args, **given)

    real = durable.api.cancel
    monkeypatch.setattr("durable_django.api.cancel", cancel)
    said = terminal("cancel", *(run.pk for run in runs))
    assert (said.code, said.err) == (130, "stopped: 1 of 2 were cancelled\n")


def test_runs_are_told_by_how_many_there_are_of_a_kind():
    runs = [chosen.Chosen(None, f"w{n % 8}", 1, "failed") for n in range(20)]
    assert chosen.told(runs).startswith("20 executions (3 failed w0, 3 failed w1")
    assert chosen.told(runs).endswith("and 4 others)")


def test_the_name_of_a_workflow_cannot_write_to_the_terminal(terminal, Order):
    run = Order.start()
    Execution.objects.filter(pk=run.pk).update(workflow_name="red\x1b[31m")
    said = terminal("cancel", run.pk, is_terminal=True)
    assert "red\\u001b[31m: cancelled" in said.out
