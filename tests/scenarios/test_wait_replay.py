"""Waits inside a step: replayed by position, made anew by a later attempt, and never mixed up."""

from __future__ import annotations

import pytest

from durable_django import (
    Retry,
    Workflow,
    hours,
    minutes,
    step,
)
from durable_django.api import get_execution
from durable_django.api_events import send_event
from durable_django.models import Wait


def error_of(run):
    return get_execution(run).error


def result_of(run):
    return get_execution(run).result


def positions(run):
    return list(
        Wait.objects.filter(execution=run).order_by("position").values_list("name", "status")
    )


# Not the same calls


def changing(first, then):
    """A workflow whose step does `first` when it runs first, and `then` when it runs again."""
    did = []

    class Changing(Workflow):
        @step(retry=Retry(5, backoff="constant", base=0))
        def talk(self):
            act = then if did else first
            did.append(1)
            return act(self)

    Changing.did = did
    return Changing


def two_events(self):
    return [self.wait_for_event("a"), self.wait_for_event("b")]


CHANGES = {
    "another name": (lambda self: self.wait_for_event("c"), "wait_for_event('c')"),
    "another kind": (lambda self: self.sleep_for(5), "sleep_for"),
    "others of several": (lambda self: self.wait_for_any(["a", "x"]), "wait_for_any('a', 'x')"),
    "remembered instead": (lambda self: self.once("a", int), "once('a')"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_body_that_comes_to_another_wait_fails_and_says_which(durable, change):
    then, found = CHANGES[change]
    made = changing(two_events, then)
    run = durable.run(made)
    send_event(run, "a", 1)
    durable.drain()
    error = error_of(run)
    assert error["type"] == "NonDeterministicStep"
    assert "position 1 was recorded as wait_for_event('a')" in error["message"]
    assert f"but found {found};" in error["message"]
    assert len(made.did) == 2, "it is never tried again"


def test_what_was_never_come_to_need_not_be_come_to(durable):
    run = durable.run(changing(two_events, lambda self: self.wait_for_event("a")))
    send_event(run, "a", 1)
    durable.drain()
    assert result_of(run) == 1


def test_the_names_of_several_have_to_be_the_same_in_the_same_order(durable):
    made = changing(
        lambda self: self.wait_for_any(["a", "b"]), lambda self: self.wait_for_any(["b"])
    )
    run = durable.run(made)
    send_event(run, "a", 1)
    durable.drain()
    assert (
        "recorded as wait_for_any('a', 'b'), but found wait_for_any('b')"
        in (error_of(run)["message"])
    )


def test_a_body_that_comes_to_fewer_waits_fails(durable):
    run = durable.run(
        changing(
            lambda self: [self.once("x", int), self.wait_for_event("a")],
            lambda self: self.once("x", int),
        )
    )
    send_event(run, "a", 1)
    durable.drain()
    message = error_of(run)["message"]
    assert (
        "position 2 was recorded as wait_for_event('a'), but found the end of the body" in message
    )


def test_a_body_that_comes_to_no_wait_at_all_any_more_fails(durable):
    made = changing(two_events, lambda self: "nothing")
    run = durable.run(made)
    send_event(run, "a", 1)
    durable.drain()
    error = error_of(run)
    assert error is not None, get_execution(run).result
    assert error["type"] == "NonDeterministicStep"
    assert "position 1" in error["message"]


def test_a_body_that_leaves_by_finish_before_its_waits_fails_too(durable):
    run = durable.run(changing(two_events, lambda self: self.finish("early")))
    send_event(run, "a", 1)
    durable.drain()
    assert (error_of(run) or {}).get("type") == "NonDeterministicStep"


def test_swallowing_the_error_does_not_help(durable):
    def swallow(self):
        try:
            self.wait_for_event("c")
        except Exception:
            pass
        return "as if nothing had happened"

    run = durable.run(changing(two_events, swallow))
    send_event(run, "a", 1)
    durable.drain()
    assert error_of(run)["type"] == "NonDeterministicStep"


def test_a_body_that_raises_before_its_waits_is_tried_again_like_any_other(durable):
    tries = []

    class Shaky(Workflow):
        @step(retry=Retry(3, backoff="constant", base=0))
        def talk(self):
            tries.append(1)
            if len(tries) == 2:
                raise ValueError("no")
            return self.wait_for_event("a")

    run = durable.run(Shaky)
    send_event(run, "a", 1)
    durable.drain()
    assert (result_of(run), len(tries)) == (1, 3)
    durable.assert_attempts(run, "talk", 2)


def test_keys_and_timeouts_may_change_since_what_was_recorded_counts(durable):
    run = durable.run(
        changing(
            lambda self: self.wait_for_event("a", key="k", timeout=minutes(1)),
            lambda self: self.wait_for_event("a", key="other", timeout=hours(1), timeout_value=5),
        )
    )
    send_event(run, "a", 1, key="k")
    durable.drain()
    assert result_of(run) == 1


# What leaves the body


def test_a_body_that_catches_everything_is_parked_all_the_same(durable):
    class Catching(Workflow):
        @step
        def talk(self):
            try:
                return self.wait_for_event("a")
            except BaseException:
                self.context["caught"] = True
                return "caught"

    run = durable.run(Catching)
    durable.assert_status(run, "waiting")
    assert "caught" not in get_execution(run).context
    send_event(run, "a", 1)
    durable.drain()
    assert result_of(run) == 1


def test_a_finally_that_returns_does_not_end_the_step(durable):
    class Returning(Workflow):
        @step
        def talk(self):
            value = None
            try:
                value = self.wait_for_event("a")
            finally:
                return value  # noqa: B012

    run = durable.run(Returning)
    durable.assert_status(run, "waiting")
    send_event(run, "a", 1)
    durable.drain()
    assert result_of(run) == 1


def test_whoever_catches_the_end_of_a_body_cannot_wait_for_more(durable):
    class Greedy(Workflow):
        @step
        def talk(self):
            found = []
            for name in ("a", "b"):
                try:
                    found.append(self.wait_for_event(name))
                except BaseException:
                    found.append(None)
            return found

    run = durable.run(Greedy)
    assert positions(run) == [("a", "open")]
    send_event(run, "a", 1)
    durable.drain()
    assert positions(run) == [("a", "completed"), ("b", "open")]
    send_event(run, "b", 2)
    durable.drain()
    assert result_of(run) == [1, 2]


def test_an_except_exception_does_not_see_the_parking(durable):
    class Careful(Workflow):
        @step
        def talk(self):
            try:
                return self.wait_for_event("a")
            except Exception:
                return "an error"

    run = durable.run(Careful)
    send_event(run, "a", 1)
    durable.drain()
    assert result_of(run) == 1
