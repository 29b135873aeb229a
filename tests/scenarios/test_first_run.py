"""The first story: an order is validated, charged and confirmed, whatever happens on the way."""

import pytest

import durable_django as durable_api
from durable_django import Fatal, Retry, RetryAfter, Workflow, hours, minutes, step

ORDER = {"order": {"id": 7, "items": [{"sku": "A", "price": 10}, {"sku": "B", "price": 20}]}}


class Bank:
    """Charges an idempotency key once, and answers as it was told to."""

    def __init__(self):
        self.charges = {}
        self.errors = []

    def charge(self, order_id, total, key):
        self.charges.setdefault(key, (order_id, total))
        if self.errors:
            raise self.errors.pop(0)
        return f"charge of {total}"


@pytest.fixture
def bank():
    return Bank()


@pytest.fixture
def sent():
    return []


@pytest.fixture
def ProcessOrder(durable, bank, sent):
    class ProcessOrder(Workflow):
        class Meta:
            name = "scenarios.process_order"
            timeout = hours(2)

        @step
        def validate(self):
            order = self.input["order"]
            self.context["order_id"] = order["id"]
            self.context["items"] = order["items"]

        @step
        def calculate_total(self):
            self.context["total"] = sum(item["price"] for item in self.context["items"])

        @step(retry=Retry(max_attempts=3, backoff="exponential"), timeout=minutes(5))
        def charge_payment(self):
            self.context["charge_id"] = bank.charge(
                self.context["order_id"], self.context["total"], key=self.idempotency_key
            )

        @step
        def send_confirmation(self):
            sent.append((self.context["order_id"], self.context["charge_id"]))

    return ProcessOrder


NODES = ["validate", "calculate_total", "charge_payment", "send_confirmation"]


def test_an_order_is_charged_and_confirmed(durable, ProcessOrder, bank, sent):
    run = durable.run(ProcessOrder, ORDER)
    durable.assert_status(run, "completed")
    durable.assert_nodes_run(run, NODES)
    durable.assert_context(run, order_id=7, total=30, charge_id="charge of 30")
    assert list(bank.charges.values()) == [(7, 30)]
    assert sent == [(7, "charge of 30")]


def test_a_bank_that_is_down_is_asked_again_later_and_charges_once(
    durable, ProcessOrder, bank, sent
):
    bank.errors = [ConnectionError("lost"), ConnectionError("lost")]
    run = durable.run(ProcessOrder, ORDER)
    for delay in (2, 4):
        durable.assert_status(run, "sleeping")
        assert sent == []
        durable.advance(delay)
        durable.drain()
    durable.assert_status(run, "completed")
    durable.assert_attempts(run, "charge_payment", 3)
    assert len(bank.charges) == 1


def test_a_bank_that_names_a_delay_is_asked_then(durable, ProcessOrder, bank):
    bank.errors = [RetryAfter(minutes(10), "busy")]
    run = durable.run(ProcessOrder, ORDER)
    durable.advance(minutes(9))
    durable.drain()
    durable.assert_status(run, "sleeping")
    durable.advance(minutes(1))
    durable.drain()
    durable.assert_status(run, "completed")


def test_a_declined_card_fails_the_order_until_somebody_retries_it(
    durable, ProcessOrder, bank, sent
):
    bank.errors = [Fatal("card declined")]
    run = durable.run(ProcessOrder, ORDER)
    durable.assert_status(run, "failed")
    assert run.error["message"] == "card declined"
    durable_api.retry(run)
    durable.drain()
    durable.assert_status(run, "completed")
    durable.assert_nodes_run(run, NODES)
    assert len(sent) == 1


def test_a_wrong_order_fails_where_it_is_read(durable, ProcessOrder, bank):
    run = durable.run(ProcessOrder, {"order": {}})
    assert (run.status, run.error["type"], run.error["node"]) == ("failed", "KeyError", "validate")
    assert bank.charges == {}


def test_an_order_that_is_cancelled_while_it_waits_for_the_bank_is_not_confirmed(
    durable, ProcessOrder, bank, sent
):
    bank.errors = [ConnectionError("lost")]
    run = durable.run(ProcessOrder, ORDER)
    durable_api.cancel(run, "the customer changed her mind")
    durable.advance(hours(1))
    durable.drain()
    durable.assert_status(run, "cancelled")
    assert sent == []


def test_an_order_that_takes_too_long_fails(durable, ProcessOrder, bank):
    bank.errors = [RetryAfter(hours(3))]
    run = durable.run(ProcessOrder, ORDER)
    durable.advance(hours(2))
    durable.drain()
    durable.assert_status(run, "failed")
    assert durable_api.get_execution(run).error["type"] == "WorkflowTimeout"


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("fault", ["crash_before", "crash_after"])
def test_a_worker_that_dies_anywhere_changes_nothing_for_the_customer(
    durable, ProcessOrder, bank, sent, node, fault
):
    with getattr(durable, fault)(getattr(ProcessOrder, node)):
        run = durable.run(ProcessOrder, ORDER)
    durable.assert_status(run, "completed")
    durable.assert_nodes_run(run, NODES)
    durable.assert_context(run, total=30, charge_id="charge of 30")
    assert len(bank.charges) == 1
    # Sending is not exactly once: who minds gives it the idempotency key, or at_most_once.
    assert len(sent) == (2 if (fault, node) == ("crash_after", "send_confirmation") else 1)
