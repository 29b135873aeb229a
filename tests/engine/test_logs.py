"""The log of an attempt: bounded, in order, printable, whatever a step writes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_django.engine.logs import LogBuffer
from durable_django.engine.values import decode

BEGIN = datetime(2030, 1, 31, 12, tzinfo=UTC)


def filled(limit, messages, logger="shop"):
    logs = LogBuffer(limit)
    for number, message in enumerate(messages):
        logs.add(BEGIN + timedelta(seconds=number), "INFO", logger, message)
    return logs


def test_entries_are_kept_in_order_with_time_level_and_logger():
    logs = filled(10_000, ["one", "two"])
    assert logs.entries() == [
        {"at": BEGIN, "level": "INFO", "logger": "shop", "message": "one"},
        {
            "at": BEGIN + timedelta(seconds=1),
            "level": "INFO",
            "logger": "shop",
            "message": "two",
        },
    ]
    assert decode(logs.encoded()) == logs.entries()


def test_no_entries_are_an_empty_list():
    assert LogBuffer(1000).entries() == []
    assert LogBuffer(1000).encoded() == "[]"


def test_when_there_are_too_many_the_middle_goes_and_is_counted():
    messages = [f"line {number}" for number in range(1000)]
    found = [entry["message"] for entry in filled(4_000, messages).entries()]
    notes = [number for number, text in enumerate(found) if "dropped here" in text]
    assert len(notes) == 1
    first, last = found[: notes[0]], found[notes[0] + 1 :]
    assert first == messages[: len(first)]
    assert last == messages[-len(last) :]
    assert first
    assert last
    assert found[notes[0]].startswith(f"… {1000 - len(first) - len(last)} log lines dropped")


def test_what_is_printed_in_pieces_is_one_entry_a_line():
    logs = LogBuffer(8_000)
    for piece in ("one ", "line\ntwo", " lines\n\n", "three"):
        logs.write(BEGIN, "stdout", piece)
    logs.write(BEGIN, "stderr", "beside\n")
    found = [(entry["logger"], entry["message"]) for entry in logs.entries()]
    assert found == [
        ("stdout", "one line"),
        ("stdout", "two lines"),
        ("stderr", "beside"),
        ("stdout", "three"),
    ]


def test_a_line_that_never_ends_is_cut_and_not_kept_whole():
    logs = LogBuffer(4_000)
    for _ in range(5_000):
        logs.write(BEGIN, "stdout", "x" * 100)
    assert len(logs.encoded()) < 8_000


def test_a_megabyte_in_one_line_is_cut():
    (entry,) = filled(8_000, ["x" * 2**20]).entries()
    assert entry["message"].endswith("…")
    assert len(entry["message"].encode()) <= 2_000


def test_what_cannot_be_printed_is_made_visible():
    class Odd:
        def __str__(self):
            raise ValueError

    found = filled(8_000, ["nul \0", "surrogate \ud800", Odd()]).entries()
    assert [entry["message"] for entry in found] == [
        "nul \\x00",
        "surrogate \\ud800",
        "<Odd: its str() raised ValueError>",
    ]


@pytest.mark.parametrize("limit", [0, 1, 50, 200, 500])
def test_a_limit_too_small_for_one_line_loses_lines_but_nothing_else(limit):
    logs = filled(limit, ["a line that is longer than that", "another"])
    assert len(logs.entries()) in (1, 2)
    assert decode(logs.encoded()) == logs.entries()


@given(st.integers(0, 5_000), st.lists(st.text(max_size=400), max_size=60))
def test_whatever_is_written_stays_within_the_limit(limit, messages):
    logs = filled(limit, messages)
    kept = [entry for entry in logs.entries() if entry["logger"] == "shop"]
    assert sum(len(entry["message"].encode()) + 100 for entry in kept) <= limit
    dropped = len(messages) - len(kept)
    notes = [entry["message"] for entry in logs.entries() if entry["logger"] != "shop"]
    assert [f"… {dropped} log lines" in note for note in notes] == ([True] if dropped else [])
    assert [entry["at"] for entry in kept] == sorted(entry["at"] for entry in kept)
