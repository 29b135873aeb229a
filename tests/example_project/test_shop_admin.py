"""The shop's pages in the admin, and the refund by hand."""

import uuid

import pytest
from django.urls import reverse

from durable_django import list_executions
from example_project.shop.models import Invoice, Letter, Newsletter, Parcel, Payment

MODELS = ["customer", "product", "order", "payment", "invoice", "parcel", "newsletter", "letter"]


@pytest.mark.parametrize("model", MODELS)
def test_every_list_opens(admin_client, make_order, model):
    order = make_order()
    Payment.objects.create(order=order, idempotency_key="k", amount=5)
    news = Newsletter.objects.create(subject="News", text="New.", run=uuid.uuid4())
    Letter.objects.create(newsletter=news, customer=order.customer)
    Invoice.objects.create(order=order, amount=5)
    Parcel.objects.create(order=order, idempotency_key="p")
    response = admin_client.get(reverse(f"admin:shop_{model}_changelist"))
    assert response.status_code == 200


def test_an_order_links_to_its_run(admin_client, make_order):
    order = make_order()
    order.run = uuid.uuid4()
    order.save()
    page = admin_client.get(reverse("admin:shop_order_changelist")).content.decode()
    assert f'href="/admin/durable_django/execution/{order.run}/change/"' in page


def test_selected_payments_are_refunded_by_a_run_each(admin_client, make_order):
    order = make_order()
    charged = Payment.objects.create(order=order, idempotency_key="a", amount=5)
    refunded = Payment.objects.create(order=order, idempotency_key="b", amount=5, status="refunded")
    admin_client.post(
        reverse("admin:shop_payment_changelist"),
        {"action": "refund", "_selected_action": [charged.pk, refunded.pk]},
    )
    (run,) = list_executions(workflow="refund_payment")
    assert run.input == {"payment": charged.pk}


def test_payments_cannot_be_edited_by_hand(admin_client, make_order):
    payment = Payment.objects.create(order=make_order(), idempotency_key="k", amount=5)
    page = reverse("admin:shop_payment_change", args=[payment.pk])
    assert admin_client.post(page, {"amount": "1"}).status_code == 403
