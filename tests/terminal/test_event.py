"""`durable event`: an event for one run, or for all that wait for it."""

import pytest

import durable_django as durable
from durable_django import Workflow, step, wait_for_any, wait_for_event
from durable_django.models import AuditEntry, Event
from durable_django.testing import advance, drain, run


@pytest.fixture
def Order(durable):
    class Order(Workflow):
        class Meta:
            name = "take_order"

        paid = wait_for_event("payment", key=lambda self: self.input.get("invoice"))
        settled = wait_for_any(["shipped", "lost"])

        @step
        def tell(self):
            return [self.outputs["paid"], self.outputs["settled"]]

    return Order


def result(made):
    drain()
    return durable.get_execution(made).result


def test_a_run_is_sent_what_it_waits_for(terminal, Order):
    made = run(Order, {"invoice": "inv_1"})
    said = terminal(
        "event", made.pk, "payment", "--payload", '{"paid": 12}', "--key", "inv_1", "--by", "ada"
    )
    assert (said.code, said.out) == (0, f"Sent payment to take_order {made.pk}\n")
    drain()
    assert terminal("event", made.pk, "lost").code == 0
    assert result(made) == [{"paid": 12}, ("lost", None)]
    assert AuditEntry.objects.filter(verb="send_event").earliest("id").by == "ada"


def test_one_that_is_not_waited_for_is_kept_and_said_to_be(terminal, Order):
    made = run(Order)
    said = terminal("event", made.pk, "paymnt")
    assert "It does not wait for it now: the event is kept; it waits for: payment" in said.out
    keyed = run(Order, {"invoice": "inv_1"})
    said = terminal("event", keyed.pk, "payment", "--key", "inv_2")
    assert "it waits for: payment with the key inv_1" in said.out
    told = terminal("event", made.pk, "shipped", "--json").json
    assert list(told) == [
        "id", "execution", "name", "key", "idempotency_key", "status", "created_at", "expires_at",
        "awaited",
    ]  # fmt: skip
    assert (told["execution"], told["name"], told["awaited"]) == (str(made.pk), "shipped", False)


def test_what_was_sent_with_a_key_before_is_not_sent_again(terminal, Order):
    made = run(Order)
    words = ["event", made.pk, "payment", "--idempotency-key", "k1", "--json"]
    assert terminal(*words).json["id"] == terminal(*words).json["id"]
    assert Event.objects.count() == 1


def test_an_event_is_published_to_all_that_wait(terminal, Order):
    made = [run(Order, {"invoice": "inv_1"}), run(Order, {"invoice": "inv_2"})]
    said = terminal("event", "--publish", "payment", "--key", "inv_1", "--payload", "7")
    assert (said.code, said.out) == (0, "Published payment for inv_1\n")
    drain()
    waiting = [durable.get_execution(each).outputs.get("paid", "none") for each in made]
    assert waiting == [7, "none"]


def test_who_published_it_stands_in_the_history_of_the_run_that_waited(terminal, Order):
    made = run(Order, {"invoice": "inv_1"})
    terminal("event", "--publish", "payment", "--key", "inv_1", "--by", "ada")
    entry = made.history.get()
    assert (entry.verb, entry.by, entry.detail["published"]) == ("send_event", "ada", True)


def test_a_published_event_may_be_kept_for_those_that_come(terminal, Order):
    told = terminal("event", "--publish", "payment", "--keep", "1h", "--json").json
    assert (told["execution"], told["awaited"], told["expires_at"] is None) == (None, None, False)
    advance(1800)
    assert run(Order).outputs["paid"] is None


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ([], 2, "give the id of a run and a name"),
        (["ID"], 2, "give the id of a run and a name"),
        (["ID", ""], 2, "name"),
        (["ID", "payment", "--idempotency-key", ""], 2, "idempotency_key"),
        (["ID", "payment", "--payload", "paid"], 2, "a text stands in quotes"),
        (["ID", "payment", "--keep", "1h"], 2, "--keep goes with --publish"),
        (["ID", "--publish", "payment"], 2, "--publish goes to all that wait"),
        (["--publish", "payment", "--keep", "long"], 2, "--keep is written like"),
        (["--publish", "p" * 300], 2, "name"),
        (["--publish", " "], 2, "name"),
        (["00000000", "payment"], 3, "no run has an id"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_sent(terminal, Order, words, code, told):
    made = run(Order)
    said = terminal("event", *(str(made.pk) if word == "ID" else word for word in words))
    assert (said.code, told in said.err, said.out) == (code, True, "")
    assert not Event.objects.exists()


def test_a_run_that_is_over_is_sent_nothing(terminal, Order):
    made = Order.start()
    durable.cancel(made)
    said = terminal("event", made.pk, "payment")
    assert (said.code, "already cancelled" in said.err) == (1, True)
