"""The locks that order parking with delivery: which there are, and that those free are got.

Who gets which of two that want one stands in test_postgresql_waits.py.
"""

import pytest
from django.db import transaction

from durable_django.models.ids import uuid7
from durable_django.store import advisory

pytestmark = pytest.mark.django_db


def test_a_lock_is_a_number_that_the_database_takes_and_every_process_knows():
    run_id = uuid7()
    for number in (advisory.inbox_of(run_id), advisory.published("paid", "inv_1")):
        assert -(2**63) <= number < 2**63
    assert advisory.inbox_of(run_id) == advisory.inbox_of(type(run_id)(str(run_id)))


def test_a_name_and_a_key_are_told_apart():
    names = [("a", "bc"), ("ab", "c"), ("abc", ""), ("", "abc")]
    numbers = {advisory.published(name, key) for name, key in names}
    assert len(numbers) == 4


def test_locks_that_are_free_are_all_got():
    with transaction.atomic():
        assert advisory.share([3, 1, 2, 2]) == {1, 2, 3}
        assert advisory.share([]) == set()
    with transaction.atomic():
        assert advisory.hold([1, 2]) == {1, 2}
        assert advisory.hold([1, 2]) == {1, 2}, "once more in the same transaction"
        advisory.wait_for_sharers([1, 2])
