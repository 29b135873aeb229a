"""The record club: a trial sleeps for days, and sees when it wakes up who has joined."""

from datetime import timedelta

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from durable_django import days, hours, list_executions
from durable_django.store import clock
from durable_django.testing import advance, assert_nodes_run, assert_status, drain
from example_project import days as example_days
from example_project.shop.models import Customer
from example_project.trials.models import Trial
from example_project.trials.workflows import RemindOfTrial, begin, join

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def kit(durable):
    """Puts time back after each test."""


@pytest.fixture
def trial(django_capture_on_commit_callbacks):
    """One that has begun."""
    made = begin(Trial(customer=Customer.objects.create(number="00004")))
    wait(django_capture_on_commit_callbacks, timedelta(0))
    return made


def wait(capture, duration):
    advance(duration)
    with capture(execute=True):
        drain()


def run_of(trial):
    [execution] = list_executions(workflow=RemindOfTrial)
    assert execution.pk == trial.run
    return execution


def subjects():
    return [message.subject for message in mail.outbox]


def morning_after(duration):
    """How long it is until nine on the business day that follows."""
    at = clock.now() + duration
    at = (at + days(1)).replace(hour=9, minute=0, second=0, microsecond=0)
    while at.weekday() > 4:
        at += days(1)
    return at - clock.now()


def test_who_has_not_joined_is_reminded_on_the_morning_of_a_business_day_and_then_it_ends(
    trial, django_capture_on_commit_callbacks
):
    assert subjects() == ["Welcome to the record club"]
    assert_status(run_of(trial), "sleeping")
    reminded_after = morning_after(days(10))
    wait(django_capture_on_commit_callbacks, days(10))
    assert_status(run_of(trial), "sleeping")
    assert len(subjects()) == 1, "ten days are over, and it is not yet morning"
    wait(django_capture_on_commit_callbacks, reminded_after - days(10))
    assert subjects()[1:] == ["Your trial is about to end"]
    wait(django_capture_on_commit_callbacks, days(4) - hours(1))
    assert_status(run_of(trial), "sleeping")
    wait(django_capture_on_commit_callbacks, hours(1))
    trial.refresh_from_db()
    assert (trial.status, trial.was_reminded) == ("ended", True)
    assert run_of(trial).result == "ended"


def test_who_joins_is_thanked_and_not_reminded(trial, django_capture_on_commit_callbacks):
    join(trial)
    wait(django_capture_on_commit_callbacks, days(10))
    wait(django_capture_on_commit_callbacks, days(4))
    assert run_of(trial).result == "joined"
    assert_nodes_run(
        run_of(trial),
        [*("welcome", "first_days", "morning", "has_joined", "outcome"), "thank", "result"],
    )
    assert subjects()[1:] == ["You have joined the record club"]


def test_who_joins_after_the_reminder_stays(trial, django_capture_on_commit_callbacks):
    wait(django_capture_on_commit_callbacks, days(10))
    wait(django_capture_on_commit_callbacks, days(3))
    assert len(subjects()) == 2, "no weekend is longer"
    join(trial)
    wait(django_capture_on_commit_callbacks, days(4))
    trial.refresh_from_db()
    assert (trial.status, trial.was_reminded) == ("joined", True)
    assert run_of(trial).result == "joined"


def test_nobody_joins_when_it_is_over(trial, django_capture_on_commit_callbacks):
    for duration in (10, 3, 4):
        wait(django_capture_on_commit_callbacks, days(duration))
    join(trial)
    trial.refresh_from_db()
    assert trial.status == "ended"


def test_a_trial_begins_and_is_joined_in_the_admin(admin_client):
    customer = Customer.objects.create(number="00004")
    admin_client.post(reverse("admin:trials_trial_add"), {"customer": customer.pk})
    trial = Trial.objects.get()
    page = reverse("admin:trials_trial_changelist")
    assert str(trial.run) in admin_client.get(page).content.decode()
    admin_client.post(page, {"action": "join", "_selected_action": [trial.pk]})
    trial.refresh_from_db()
    assert trial.status == "joined"
    assert run_of(trial).input == {"trial": trial.pk}


def test_a_day_lasts_as_long_as_the_setting_says(settings):
    assert example_days.days(2) == timedelta(days=2)
    assert example_days.next_business_morning().weekday() < 5
    assert example_days.next_business_morning().hour == 9
    settings.A_DAY = timedelta(seconds=3)
    assert example_days.days(2) == timedelta(seconds=6)
    soon = example_days.next_business_morning() - timezone.now()
    assert timedelta(seconds=2) < soon < timedelta(seconds=4)
