"""The bank: declines, lost answers, and charges that are repeated under their key."""

from decimal import Decimal

import pytest

from example_project.shop import payments
from example_project.shop.models import Payment

from .conftest import DECLINED, ONE_ANSWER_LOST, PLAIN, TWO_ANSWERS_LOST

TOTAL = Decimal("22.95")


def charge(order, key="k"):
    return payments.charge(order.pk, order.number, TOTAL, key=key)


def test_a_charge_takes_the_money(make_order):
    payment = Payment.objects.get(pk=charge(make_order()))
    assert (payment.amount, payment.status, payment.requests) == (TOTAL, "charged", 1)


def test_a_charge_repeated_under_its_key_is_answered_not_made_twice(make_order):
    order = make_order()
    assert charge(order) == charge(order)
    assert Payment.objects.get().requests == 2


def test_a_charge_under_another_key_is_another_charge(make_order):
    order = make_order()
    assert charge(order, "a") != charge(order, "b")


def test_a_declined_charge_takes_nothing_however_often_it_is_tried(make_order):
    order = make_order(DECLINED)
    for _ in range(3):
        with pytest.raises(payments.PaymentDeclined, match=r"declined 22\.95 dollars for order 7"):
            charge(order)
    assert not Payment.objects.exists()


@pytest.mark.parametrize(("number", "lost"), [(ONE_ANSWER_LOST, 1), (TWO_ANSWERS_LOST, 2)])
def test_a_lost_answer_leaves_one_charge_that_a_repetition_finds(make_order, number, lost):
    order = make_order(number)
    for _ in range(lost):
        with pytest.raises(ConnectionError):
            charge(order)
    assert Payment.objects.get().pk == charge(order)


def test_no_order_loses_more_answers_than_the_shop_tries_again():
    assert max(payments.lost_answers(number) for number in range(1, 10_000)) == 2


def test_a_refund_is_made_once(make_order):
    payment_id = charge(make_order(PLAIN))
    assert payments.refund(payment_id) is True
    assert payments.refund(payment_id) is False
    assert Payment.objects.get().status == "refunded"
