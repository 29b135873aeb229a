"""The shop in the admin: to look at, and to give money back by hand.

Orders and newsletters link to the runs that handle them; a refund is a run, too.
"""

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from example_project.looking import LookOnly, link_to_run

from .models import Customer, Letter, Newsletter, Order, Payment, Product
from .workflows import start_refund


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
        return link_to_run(order.run)


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


@admin.register(Newsletter)
class NewsletterAdmin(LookOnly):
    list_display = ["subject", "run_link"]

    @admin.display(description="run")
    def run_link(self, newsletter: Newsletter) -> str:
        return link_to_run(newsletter.run)


@admin.register(Letter)
class LetterAdmin(LookOnly):
    list_display = ["customer", "newsletter", "sent_at"]
    list_filter = ["newsletter"]
    list_select_related = ["customer", "newsletter"]
    search_fields = ["=customer__number"]
