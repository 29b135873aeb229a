"""The shop in the admin: to look at, and to give money back by hand.

Orders link to the run that handles them; a refund is a run, too.
"""

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from .models import Customer, Order, Payment, Product
from .workflows import start_refund


class LookOnly(admin.ModelAdmin):
    """Rows that only workflows and the order book change."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Customer)
class CustomerAdmin(LookOnly):
    list_display = ["number", "email", "reachable"]
    list_filter = ["reachable"]
    search_fields = ["number"]


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):
    list_display = ["sku", "title", "stock"]
    readonly_fields = ["sku"]
    search_fields = ["sku", "title"]


@admin.register(Order)
class OrderAdmin(LookOnly):
    list_display = ["number", "customer", "product", "quantity", "amount", "status", "run_link"]
    list_filter = ["status", "product"]
    list_select_related = ["customer", "product"]
    search_fields = ["=number", "=customer__number"]

    @admin.display(description="run")
    def run_link(self, order: Order) -> str:
        if order.run is None:
            return "-"
        url = reverse("admin:durable_django_execution_change", args=[order.run])
        return format_html('<a href="{}">{}</a>', url, order.run)


@admin.register(Payment)
class PaymentAdmin(LookOnly):
    list_display = ["id", "order", "amount", "status", "requests"]
    list_filter = ["status"]
    list_select_related = ["order"]
    search_fields = ["=order__number"]
    actions = ["refund"]

    @admin.action(description="Refund the selected payments", permissions=["refund"])
    def refund(self, request: HttpRequest, payments: QuerySet[Payment]) -> None:
        # All of them or, should one start fail, none: the runs commit with this transaction.
        with transaction.atomic():
            charged = payments.filter(status=Payment.Status.CHARGED).values_list("pk", flat=True)
            ids = list(charged)
            for payment_id in ids:
                start_refund(payment_id)
        self.message_user(request, f"{len(ids)} refunds started.", messages.SUCCESS)

    def has_refund_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("shop.change_payment")
