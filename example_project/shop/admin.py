"""The shop in the admin: to look at, to give money back, to order again, and to play the pay page,
the bank and the carrier.

Orders and newsletters link to the runs that handle them; a refund is a run, too.
"""

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from example_project.looking import LookOnly, link_to_run

from . import outside
from .invoices import order_again
from .models import Customer, Invoice, Letter, Newsletter, Order, Parcel, Payment, Product
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
    actions = ["order_again"]

    @admin.display(description="run")
    def run_link(self, order: Order) -> str:
        return link_to_run(order.run)

    @admin.action(description="Order the same again, on invoice", permissions=["order"])
    def order_again(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        for order in orders:
            again = order_again(order)
            told = f"Made {again}. Its invoice follows, if there are copies left."
            self.message_user(request, told, messages.SUCCESS)

    def has_order_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("shop.add_order")


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


@admin.register(Invoice)
class InvoiceAdmin(LookOnly):
    list_display = ["number", "order", "amount", "status"]
    list_filter = ["status"]
    list_select_related = ["order"]
    actions = ["pay_by_card", "pay_by_transfer"]

    @admin.action(description="Play the pay page: paid by card", permissions=["play"])
    def pay_by_card(self, request: HttpRequest, invoices: QuerySet[Invoice]) -> None:
        for invoice in invoices:
            outside.pay_by_card(invoice)
        self.message_user(request, "Posted to the callback URLs.", messages.SUCCESS)

    @admin.action(description="Play the bank: paid by transfer", permissions=["play"])
    def pay_by_transfer(self, request: HttpRequest, invoices: QuerySet[Invoice]) -> None:
        for invoice in invoices:
            outside.pay_by_transfer(invoice)
        self.message_user(request, "Published.", messages.SUCCESS)

    def has_play_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("shop.change_invoice")


@admin.register(Parcel)
class ParcelAdmin(LookOnly):
    list_display = ["tracking", "order", "status"]
    list_filter = ["status"]
    list_select_related = ["order"]
    actions = ["deliver", "bring_back"]

    @admin.action(description="Play the carrier: delivered", permissions=["play"])
    def deliver(self, request: HttpRequest, parcels: QuerySet[Parcel]) -> None:
        self._report(request, parcels, delivered=True)

    @admin.action(description="Play the carrier: came back", permissions=["play"])
    def bring_back(self, request: HttpRequest, parcels: QuerySet[Parcel]) -> None:
        self._report(request, parcels, delivered=False)

    def _report(self, request: HttpRequest, parcels: QuerySet[Parcel], *, delivered: bool) -> None:
        under_way = parcels.filter(status=Parcel.Status.UNDER_WAY)
        for parcel in under_way:
            outside.report_parcel(parcel, delivered=delivered)
        self.message_user(request, "Reported.", messages.SUCCESS)

    def has_play_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("shop.change_parcel")


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
