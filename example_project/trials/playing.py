"""Plays the customers who try the club: who ordered often joins, some only when reminded.

How often they ordered stands in the order book, so they do the same each time.
"""

from django.db import transaction
from django.db.models import Count

from example_project.shop.models import Customer

from .models import Trial
from .workflows import begin, join

# Orders from which a customer joins when reminded, and from which at once.
REMINDED_FROM, AT_ONCE_FROM = 2, 4


@transaction.atomic
def begin_trials(count: int) -> list[Trial]:
    """The first `count` customers of the shop begin a trial."""
    Trial.objects.all().delete()
    customers = Customer.objects.order_by("number")[:count]
    return [begin(Trial(customer=customer)) for customer in customers]


def join_who_likes_it() -> None:
    """Customers who would join by now do."""
    trials = Trial.objects.filter(status=Trial.Status.RUNNING)
    for trial in trials.annotate(ordered=Count("customer__orders")):
        if trial.ordered >= (REMINDED_FROM if trial.was_reminded else AT_ONCE_FROM):
            join(trial)
