"""The newsletter: to every customer once, refused addresses noted, a crash notwithstanding."""

import pytest
from django.core import mail

from durable_django import MemberFailure
from durable_django.testing import assert_status, crash_after, drain
from example_project.shop.models import Customer, Letter
from example_project.shop.newsletter import SendNewsletter, refuses_mail, send_newsletter

pytestmark = pytest.mark.django_db

REFUSING = "00005"


@pytest.fixture(autouse=True)
def kit(durable):
    """Puts time back after each test."""


@pytest.fixture
def customers():
    """Twelve customers, one of whose addresses is refused."""
    return Customer.objects.bulk_create(Customer(number=f"{number:05}") for number in range(1, 13))


def send(django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        news = send_newsletter("News", "There is a new record.")
        drain()
    return news


@pytest.fixture
def sent(customers, django_capture_on_commit_callbacks):
    return send(django_capture_on_commit_callbacks)


def run_of(news):
    from durable_django import get_execution

    return get_execution(news.run)


def test_the_fixture_has_one_address_that_is_refused(customers):
    assert [c.number for c in customers if refuses_mail(c.number)] == [REFUSING]


def test_every_customer_gets_one_letter_but_those_whose_address_is_refused(sent, customers):
    run = run_of(sent)
    assert_status(run, "completed")
    assert run.result == {"sent": 11, "refused": 1}
    assert (
        Letter.objects.count() == len({letter.customer_id for letter in sent.letters.all()}) == 11
    )
    assert {message.to[0] for message in mail.outbox} == {
        c.email for c in customers if c.number != REFUSING
    }
    assert len(mail.outbox) == 11


def test_the_results_stand_in_the_order_of_the_customers(sent, customers):
    results = run_of(sent).outputs["sending"]
    expected = [customer.email for customer in customers]
    expected[4] = MemberFailure("AddressRefused", "customer-00005@example.com is unknown here.")
    assert results == expected


def test_a_crash_after_a_letter_was_written_sends_it_once(
    customers, django_capture_on_commit_callbacks
):
    with crash_after(SendNewsletter.send):
        news = send(django_capture_on_commit_callbacks)
    assert run_of(news).result == {"sent": 11, "refused": 1}
    assert (Letter.objects.count(), len(mail.outbox)) == (11, 11)


def test_more_refusals_than_are_borne_fail_the_run_after_all_have_been_tried(
    django_capture_on_commit_callbacks,
):
    numbers = [1, 2, 3, 4, 5, 28, 51]  # three of seven are refused
    Customer.objects.bulk_create(Customer(number=f"{number:05}") for number in numbers)
    run = run_of(send(django_capture_on_commit_callbacks))
    assert_status(run, "failed")
    assert (run.error["type"], run.error["node"]) == ("AddressRefused", "send")
    assert Letter.objects.count() == 4


def test_a_shop_without_customers_sends_nothing(django_capture_on_commit_callbacks):
    run = run_of(send(django_capture_on_commit_callbacks))
    assert run.result == {"sent": 0, "refused": 0}
