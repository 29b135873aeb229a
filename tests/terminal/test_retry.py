"""`durable retry`, `durable pause` and `durable resume`: runs that go on, or stop for a while."""

import pytest

import durable_django as durable
from durable_django.models import AuditEntry
from durable_django.testing import drain, run
from tests.repairs import after, history, make_order


@pytest.fixture
def Order(durable):
    return make_order()


def statuses():
    return [run.status for run in durable.list_executions().order_by("id")]


def test_a_failed_run_goes_on_from_the_node_it_stopped_at(terminal, Order):
    made = run(Order)
    durable.edit_context(made, {"email": "a@b"})
    said = terminal("retry", made.pk, "--by", "ada", "--reason", "an email was found")
    assert (said.code, said.out) == (0, f"{made.pk} take_order: goes on, pending\n")
    assert after(made).status == "completed"
    assert history(made)[-1] == ("retry", "ada", "an email was found")


def test_it_may_go_on_at_another_node(terminal, Order):
    made = run(Order)
    assert terminal("retry", made.pk, "--node", "confirm").code == 0
    drain()
    entry = AuditEntry.objects.filter(verb="retry").get()
    assert entry.detail["node"] == "confirm"


def test_a_node_that_is_not_there_is_told_with_those_that_are(terminal, Order):
    made = run(Order)
    said = terminal("retry", made.pk, "--node", "charg")
    assert (said.code, statuses()) == (1, ["failed"])
    assert "charge" in said.err
    assert "validate" in said.err


def test_what_its_waits_gave_is_forgotten_when_asked(terminal, Order):
    made = run(Order)
    assert terminal("retry", made.pk, "--forget-waits").code == 0
    assert AuditEntry.objects.get().detail == {"forgotten": []}


def test_a_filter_means_those_that_failed_unless_it_says_otherwise(terminal, Order):
    failed, cancelled = run(Order), Order.start()
    durable.cancel(cancelled)
    said = terminal("retry", "--workflow", "take_order", "--dry-run", "--json")
    assert [each["id"] for each in said.json["executions"]] == [str(failed.pk)]
    said = terminal("retry", "--status", "cancelled", "--yes", "--json")
    assert [each["status"] for each in said.json["executions"]] == ["pending"]


def test_one_node_is_not_meant_for_runs_of_two_workflows(terminal, Order):
    class Other(durable.Workflow):
        @durable.step
        def charge(self):
            raise ValueError("no")

    made = [run(Order), run(Other)]
    said = terminal("retry", *(each.pk for each in made), "--node", "charge")
    assert (said.code, statuses()) == (2, ["failed", "failed"])


def test_a_run_that_is_not_over_cannot_be_retried(terminal, Order):
    made = Order.start()
    said = terminal("retry", made.pk)
    assert (said.code, said.out, statuses()) == (1, "", ["pending"])
    assert "only a failed or cancelled run can be retried" in said.err


def test_a_run_is_paused_and_resumed(terminal, Order):
    made = Order.start()
    said = terminal("pause", made.pk, "--reason", "the provider is down", "--by", "ada")
    assert (said.code, said.out) == (0, f"{made.pk} take_order: paused\n")
    assert statuses() == ["paused"]
    said = terminal("resume", made.pk, "--by", "ada")
    assert (said.code, said.out) == (0, f"{made.pk} take_order: goes on, pending\n")
    assert history(made) == [("pause", "ada", "the provider is down"), ("resume", "ada", "")]


def test_all_of_a_workflow_are_paused_and_resumed(terminal, Order):
    durable.start_many(Order, [{}, {}])
    assert terminal("pause", "--workflow", "take_order", "--yes").code == 0
    assert statuses() == ["paused", "paused"]
    said = terminal("resume", "--status", "paused", "--yes", "--json")
    assert (said.code, len(said.json["executions"]), statuses()) == (0, 2, ["pending", "pending"])


def test_what_is_not_paused_cannot_be_resumed(terminal, Order):
    made = Order.start()
    said = terminal("resume", made.pk)
    assert (said.code, "it is pending, not paused" in said.err) == (1, True)
    assert terminal("resume", "--status", "pending").code == 2


def test_a_run_that_a_worker_holds_is_said_to_be_paused_later(terminal, Order, monkeypatch):
    made = Order.start()
    held = durable.get_execution(made)
    held.status = "running"
    monkeypatch.setattr("durable_django.api_pausing.pause", lambda *args, **given: held)
    said = terminal("pause", made.pk)
    assert said.out == f"{made.pk} take_order: will be paused when its node has ended\n"
