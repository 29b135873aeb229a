"""uuid7: ids that ascend and never meet."""

import time
from concurrent.futures import ThreadPoolExecutor

from durable_django.models import ids
from durable_django.models.ids import uuid7


def test_an_id_is_a_uuid_of_version_7_and_of_the_rfc_variant():
    made = uuid7()
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"


def test_ids_of_one_process_ascend_also_within_a_millisecond():
    made = [uuid7() for _ in range(20_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_an_id_tells_the_millisecond_in_which_it_was_made():
    before = time.time_ns() // 1_000_000
    made = uuid7().int >> 80
    # The counter may have run ahead of the clock, by a millisecond for every 4,096 ids.
    assert before <= made <= time.time_ns() // 1_000_000 + 60_000


def test_ids_made_in_many_threads_are_all_different_and_ascend_in_each():
    def make(_):
        return [uuid7() for _ in range(2_000)]

    with ThreadPoolExecutor(8) as pool:
        batches = list(pool.map(make, range(8)))
    for batch in batches:
        assert batch == sorted(batch)
    assert len({made for batch in batches for made in batch}) == 16_000


def test_ids_ascend_when_the_clock_goes_back(monkeypatch):
    first = uuid7()
    monkeypatch.setattr(ids.time, "time_ns", lambda: 0)
    assert first < uuid7() < uuid7()
