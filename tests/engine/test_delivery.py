"""Which event is for which wait: the rules one by one, and all of them against a plain reckoning.

The reckoning knows no order of loops: it looks, event by event, for the oldest wait that is for it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_django.engine.delivery import Arrived, Awaiting, deliver
from durable_django.engine.paths import item_scope
from durable_django.engine.values import decode, encode

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def wait(number: int = 1, name: str = "paid", **fields: Any) -> Awaiting:
    plain = {"kind": "event", "names": (), "key": "", "path": f"w{number}", "due_at": None}
    return Awaiting(number, UUID(int=number), name=name, **{**plain, **fields})


def several(kind: str, *names: str, number: int = 1, **fields: Any) -> Awaiting:
    return wait(number, "", kind=kind, names=names, **fields)


def event(number: int = 1, name: str = "paid", **fields: Any) -> Arrived:
    plain = {"kind": "event", "key": "", "scope": "", "payload": str(number), "created_at": BEGIN}
    return Arrived(number, name=name, **{**plain, **fields})


def told(waits: list[Awaiting], new: list[Arrived], kept: list[Arrived] | None = None) -> Any:
    """(wait, events) of each delivery, by number."""
    found = deliver(waits, new, kept or [])
    return [(d.wait.id, [each.id for each in d.events]) for d in found]


def test_an_event_ends_the_wait_for_its_name_with_its_payload():
    (found,) = deliver([wait(1, "paid")], [event(7, "paid", payload='{"n":1}')])
    assert (found.wait.id, found.value, [each.id for each in found.events]) == (1, '{"n":1}', [7])


def test_an_event_of_another_name_or_kind_is_none_for_a_wait():
    assert told([wait(1, "paid")], [event(1, "shipped")]) == []
    for kind, others in {
        "event": ("callback", "call", "sleep", "input"),
        "callback": ("event", "any", "all", "call", "sleep", "input"),
        "child": ("event", "any", "all", "callback", "sleep", "input"),
    }.items():
        for other in others:
            names = ("paid",) if other in ("any", "all") else ()
            name = "" if names else "paid"
            assert told([wait(1, name, kind=other, names=names)], [event(kind=kind)]) == []


def test_each_kind_of_event_ends_the_waits_that_are_for_it():
    assert told([wait(1, kind="callback")], [event(kind="callback")]) == [(1, [1])]
    assert told([several("any", "a", "paid")], [event()]) == [(1, [1])]
    assert told([several("all", "paid")], [event()]) == [(1, [1])]


def test_events_of_one_name_are_delivered_in_their_order_to_the_oldest_wait():
    waits = [wait(1), wait(2, "other"), wait(3)]
    events = [event(5), event(6), event(7)]
    assert told(waits, events) == [(1, [5]), (3, [6])]


def test_a_key_picks_a_wait_and_an_event_without_one_is_for_the_oldest():
    waits = [wait(1, key="a"), wait(2, key="b"), wait(3)]
    assert told(waits, [event(key="b")]) == [(2, [1])]
    assert told(waits, [event(key="c")]) == []
    assert told(waits, [event()]) == [(1, [1])]


def test_a_copy_of_a_published_event_is_for_waits_of_its_very_key():
    waits = [wait(1, key="a"), wait(2)]
    assert told(waits, [event(is_copy=True)]) == [(2, [1])]
    assert told(waits, [event(key="a", is_copy=True)]) == [(1, [1])]
    assert told([wait(1, key="a")], [event(is_copy=True)]) == []


def test_a_callback_made_in_an_item_is_for_waits_below_that_item_only():
    paths = [f"each[{number}]/answer" for number in (10, 1, 2)]
    waits = [wait(n, kind="callback", path=path) for n, path in enumerate(paths)]
    scope = item_scope("each[1]/ask", {"each"})
    assert told(waits, [event(kind="callback", scope=scope)]) == [(1, [1])]


def test_an_event_counts_up_to_the_due_time_and_not_after_it():
    assert told([wait(due_at=at(5))], [event(created_at=at(5))]) == [(1, [1])]
    assert told([wait(due_at=at(5))], [event(created_at=at(5.001))]) == []
    late = [wait(1, due_at=at(5)), wait(2)]
    assert told(late, [event(created_at=at(6))]) == [(2, [1])], "but perhaps for a younger wait"


def test_any_gives_the_name_with_the_payload():
    (found,) = deliver([several("any", "a", "b")], [event(1, "b", payload="null")])
    assert decode(found.value) == ("b", None)


def test_all_takes_nothing_before_it_can_take_everything():
    every = several("all", "a", "b")
    assert told([every], [event(1, "a")]) == []
    assert told([every], [event(2, "b")], [event(1, "a")]) == [(1, [1, 2])]
    assert told([every], [event(1, "b"), event(2, "a")]) == [(1, [2, 1])]
    (found,) = deliver([every], [event(1, "b"), event(2, "a")])
    assert decode(found.value) == {"a": 2, "b": 1}


def test_all_takes_the_first_of_each_name():
    kept = [event(1, "a"), event(2, "a"), event(3, "c")]
    assert told([several("all", "a", "b")], [event(4, "b")], kept) == [(1, [1, 4])]


def test_what_all_still_waits_for_goes_to_others():
    waits = [several("all", "a", "b", number=1), wait(2, "a")]
    assert told(waits, [event(1, "a"), event(2, "b")]) == [(2, [1])]
    assert told(waits, [event(1, "a"), event(2, "b"), event(3, "a")]) == [(2, [1]), (1, [3, 2])]


def test_two_that_wait_for_all_of_the_same_share_nothing():
    waits = [several("all", "a", "b", number=n) for n in (1, 2)]
    events = [event(n, "ab"[n % 2]) for n in (2, 4, 6, 1, 3)]
    assert told(waits, events) == [(1, [2, 1]), (2, [4, 3])]


def test_all_does_not_take_what_was_sent_after_its_time():
    every = several("all", "a", "b", due_at=at(5))
    assert told([every], [event(2, "b")], [event(1, "a", created_at=at(6))]) == []


def test_the_end_of_a_child_is_for_the_call_that_waits_for_it():
    calls = [wait(n, "ship", kind="call", key=UUID(int=n).hex) for n in (1, 2)]
    ended = event(9, "ship", kind="child", key=UUID(int=2).hex)
    (found,) = deliver(calls, [ended])
    assert (found.wait.id, found.value) == (2, "null")


@pytest.mark.parametrize("payload", ["null", '"text"', "[1,{}]", encode((1, b"x"), "payload")])
def test_a_payload_is_given_as_it_came(payload):
    (found,) = deliver([wait()], [event(payload=payload)])
    assert found.value == payload


# Against a plain reckoning


class Reckoning:
    """Event by event, and for each the oldest wait; what is taken is crossed out."""

    def __init__(self, waits: list[Awaiting], new: list[Arrived], kept: list[Arrived]) -> None:
        self.open = {each.id: each for each in waits}
        self.here = [*kept]
        self.found: list[tuple[int, list[int]]] = []
        for each in new:
            self.here.append(each)
            self._bring(each)

    def _bring(self, new: Arrived) -> None:
        for number in sorted(self.open):
            taken = self._taken(self.open[number], new)
            if taken:
                del self.open[number]
                self.here = [each for each in self.here if each.id not in taken]
                self.found.append((number, taken))
                return

    def _taken(self, wait: Awaiting, new: Arrived) -> list[int]:
        if not is_for(new, wait):
            return []
        if wait.kind != "all":
            return [new.id]
        by_name = [
            [each.id for each in self.here if each.name == name and is_for(each, wait)]
            for name in wait.names
        ]
        return [ids[0] for ids in by_name] if all(by_name) else []


def is_for(each: Arrived, wait: Awaiting) -> bool:
    """The rules, as DESIGN tells them."""
    kinds = {"event": "event any all", "callback": "callback", "child": "call"}
    names = wait.names or (wait.name,)
    key_fits = each.key == wait.key or (each.key == "" and not each.is_copy)
    in_time = wait.due_at is None or not each.created_at > wait.due_at
    below = wait.path[: len(each.scope)] == each.scope
    return (
        wait.kind in kinds[each.kind].split()
        and each.name in names
        and key_fits
        and (in_time and below)
    )


NAMES, KEYS = st.sampled_from("abc"), st.sampled_from(["", "", "k", "l"])
MOMENTS = st.integers(0, 6).map(at)
PATHS = st.sampled_from(["w", "each[1]/w", "each[2]/w"])


@st.composite
def waits(draw: st.DrawFn) -> list[Awaiting]:
    found = []
    for number in range(draw(st.integers(0, 5))):
        kind = draw(st.sampled_from(["event", "event", "any", "all", "all", "callback", "call"]))
        names: tuple[str, ...] = ()
        if kind in ("any", "all"):
            names = tuple(draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)))
        fields = {"kind": kind, "names": names, "key": draw(KEYS), "path": draw(PATHS)}
        due_at = draw(st.none() | MOMENTS)
        name = "" if names else draw(NAMES)
        found.append(wait(number, name, due_at=due_at, **fields))
    return found


@st.composite
def events(draw: st.DrawFn) -> list[Arrived]:
    found = []
    for number in range(draw(st.integers(0, 10))):
        kind = draw(st.sampled_from(["event", "event", "event", "callback", "child"]))
        scope = draw(st.sampled_from(["", "each[1]"])) if kind == "callback" else ""
        is_copy = kind == "event" and draw(st.booleans())
        found.append(
            event(
                number,
                draw(NAMES),
                kind=kind,
                key=draw(KEYS),
                scope=scope,
                created_at=draw(MOMENTS),
                is_copy=is_copy,
            )
        )
    return found


@given(waits(), events())
@settings(max_examples=250)
def test_what_is_delivered_is_what_a_plain_reckoning_finds(waits, events):
    assert told(waits, events) == Reckoning(waits, events, []).found


@given(waits(), events(), st.integers(0, 10))
@settings(max_examples=150)
def test_an_event_is_taken_once_and_a_wait_ends_once(waits, events, cut):
    """Also where events come in two lots: what the first left is kept for the second."""
    first = deliver(waits, events[:cut])
    taken = {each.id for d in first for each in d.events}
    ended = {d.wait.id for d in first}
    kept = [each for each in events[:cut] if each.id not in taken]
    second = deliver([w for w in waits if w.id not in ended], events[cut:], kept)
    both = [*first, *second]
    numbers = [each.id for d in both for each in d.events]
    assert len(numbers) == len(set(numbers))
    assert len({d.wait.id for d in both}) == len(both)
    at_once = [(d.wait.id, [each.id for each in d.events]) for d in both]
    assert at_once == told(waits, events), "it does not matter how many come at once"


@given(waits(), events())
@settings(max_examples=150)
def test_nothing_that_is_left_fits_anything_that_is_left(waits, events):
    """No wake-up is lost. Those that wait for all of several are complete, or miss something."""
    found = deliver(waits, events)
    taken = {each.id for d in found for each in d.events}
    ended = {d.wait.id for d in found}
    left = [each for each in events if each.id not in taken]
    for wait in waits:
        if wait.id not in ended:
            fitting = {each.name for each in left if is_for(each, wait)}
            assert fitting < set(wait.names) if wait.kind == "all" else not fitting
