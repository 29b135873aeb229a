"""A newsletter to all customers: many at a time, to each of them once, whatever dies meanwhile.

Imported by workflows.py, which is where durable_django looks.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any, TypedDict

from django.core.mail import send_mail
from django.db import transaction

import durable_django as durable
from durable_django import MemberFailure, Workflow, foreach, hours, step

from .models import Customer, Letter, Newsletter


class NewsletterInput(TypedDict):
    newsletter: int


class AddressRefused(Exception):
    """The mail server does not take anything for this address."""


def all_customers(run: Any) -> Iterable[int]:
    """Asked once, when the run comes to the foreach; who joins later gets the next newsletter."""
    return Customer.objects.order_by("pk").values_list("pk", flat=True).iterator()


class SendNewsletter(Workflow):
    """Writes to every customer, ten at a time. Single refused addresses are noted; more than a
    fifth of them mean that something is wrong with us, and fail the run."""

    input: NewsletterInput

    class Meta:
        name = "send_newsletter"
        timeout = hours(6)

    with foreach(all_customers, concurrency=10, on_error="collect", tolerate=0.2) as sending:

        @step(atomic=True)
        def send(self) -> str:
            """The letter's row and this step's checkpoint are one transaction, so there is one row
            for each letter. The mail leaves after the commit: rather never than twice."""
            news = Newsletter.objects.get(pk=self.input["newsletter"])
            customer = Customer.objects.get(pk=self.item)
            if refuses_mail(customer.number):
                raise AddressRefused(f"{customer.email} is unknown here.")
            Letter.objects.create(newsletter=news, customer=customer)
            mail = partial(send_mail, news.subject, news.text, None, [customer.email])
            transaction.on_commit(mail, robust=True)
            return customer.email

    @step
    def count(self) -> dict[str, int]:
        """Results stand in the order of the customers; a failed one is a MemberFailure."""
        refused = 0
        for result in self.outputs["sending"]:
            if isinstance(result, MemberFailure):
                self.logger.info("refused: %s", result.message)
                refused += 1
        return {"sent": len(self.outputs["sending"]) - refused, "refused": refused}


def send_newsletter(subject: str, text: str) -> Newsletter:
    """Writes a newsletter and starts the run that sends it, both or neither."""
    with transaction.atomic():
        news = Newsletter.objects.create(subject=subject, text=text)
        news.run = durable.start(SendNewsletter, {"newsletter": news.pk}).pk
        news.save(update_fields=["run"])
    return news


def refuses_mail(customer: str) -> bool:
    """Whether the customer's address is refused; one in 23."""
    return int(customer) % 23 == 5
