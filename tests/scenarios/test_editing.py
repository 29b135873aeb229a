"""Changing the context of a run with members: who goes on reads it, in whichever process."""

# ruff: noqa: SIM117  one with per block is how a workflow is written

from datetime import timedelta

import pytest

import durable_django as durable_api
from durable_django import InvalidState, Retry, Workflow, foreach, parallel, sequence, step
from durable_django.store import clock, editing, inheriting, reopening


def after(durable, execution):
    durable.drain()
    execution.refresh_from_db()
    return execution


@pytest.fixture
def Sends(durable):
    class Sends(Workflow):
        @step
        def begin(self):
            self.context["sender"] = ""
            self.context["log"] = []

        with foreach(lambda self: range(3), on_error="collect", tolerate=0) as sending:

            @step
            def render(self):
                self.context.append("log", self.index)

            with parallel() as both:
                with sequence() as mail:

                    @step
                    def address(self):
                        self.context.append("log", "mailed")

                    @step
                    def send(self):
                        if self.index and not self.context["sender"]:
                            raise ValueError("no sender")
                        return self.context["sender"]

        @step
        def end(self):
            return [each["mail"] for each in self.outputs["sending"]]

    return Sends


def test_members_that_go_on_see_what_was_changed(durable, Sends):
    made = durable.run(Sends)
    durable_api.edit_context(made, {"sender": "ada"})
    durable_api.retry(made)
    found = after(durable, made)
    assert found.result == ["", "ada", "ada"]
    assert found.context == {"sender": "ada", "log": [0, "mailed", 1, "mailed", 2, "mailed"]}
    durable.assert_attempts(made, Sends.render, 3)


def test_a_process_that_kept_the_context_of_before_reads_it_again(durable, Sends, monkeypatch):
    # race: edited-between
    made = durable.run(Sends)
    kept = dict(inheriting._kept)
    assert {fork for _, fork in kept} >= {"sending", "sending[1]/both"}
    # What is changed and reopened by another process is not forgotten here.
    for module in (editing, reopening):
        monkeypatch.setattr(module, "forget", lambda parent_ids: None)
    durable_api.edit_context(made, {"sender": "ada"})
    durable_api.retry(made)
    assert dict(inheriting._kept) == kept
    assert after(durable, made).result == ["", "ada", "ada"]


def test_a_change_that_what_a_member_did_does_not_fit_is_refused(durable, Sends):
    made = durable.run(Sends)
    for changes in ({"log": 7}, {"log": "text"}):
        with pytest.raises(ValueError, match=r"a member of it did does not fit: context\[\"log"):
            durable_api.edit_context(made, changes)
    assert made.context == durable_api.get_execution(made).context
    durable_api.edit_context(made, {"log": ["from the start"], "sender": "ada"})
    durable_api.retry(made)
    assert after(durable, made).context["log"][0] == "from the start"


def test_a_change_that_what_members_below_members_did_does_not_fit_is_refused(durable):
    class Deep(Workflow):
        with foreach(lambda self: [1]) as outer:
            with parallel() as both:
                with sequence() as left:

                    @step
                    def counts(self):
                        self.context.increment("n")

                    @step
                    def fails(self):
                        raise ValueError("no")

    made = durable.run(Deep)
    with pytest.raises(ValueError, match="cannot increment"):
        durable_api.edit_context(made, {"n": "text"})
    durable_api.edit_context(made, {"n": 5})
    durable_api.skip(made)
    assert after(durable, made).context == {"n": 6}


def test_while_members_have_not_ended_the_context_stands(durable):
    class Sleeps(Workflow):
        with foreach(lambda self: range(2)) as each:

            @step(retry=Retry(2, backoff="constant", base=60))
            def send(self):
                if self.attempt == 1 and self.index:
                    raise ValueError("later")

    made = durable.run(Sleeps)
    assert made.status == "waiting"
    with pytest.raises(InvalidState, match="members of it have not ended") as caught:
        durable_api.edit_context(made, {"a": 1})
    assert caught.value.status == "waiting"
    durable_api.cancel(made)
    durable_api.edit_context(made, {"a": 1})
    durable_api.retry(made)
    assert after(durable, made).context == {"a": 1}


def test_a_run_that_waits_only_for_its_join_can_be_changed(durable, Sends):
    made = durable.run(Sends)
    durable_api.edit_context(made, {"log": ["edited"]})
    given = durable_api.skip(made, "skipped", node="mail")
    assert given.remaining == 2, "the items go on to their joins"
    assert after(durable, made).result == ["", "skipped", "skipped"]
    assert made.context["log"] == ["edited", 0, "mailed", 1, "mailed", 2, "mailed"]


@pytest.mark.parametrize("way", ["scheduled", "sleeping", "waiting", "paused", "cancelled"])
def test_a_parked_run_can_be_changed_whatever_it_is_parked_for(durable, way):
    class Parks(Workflow):
        @step
        def begin(self):
            self.context["n"] = [1]

        @step
        def park(self):
            if way == "sleeping":
                self.sleep_for(60)
            elif way in ("waiting", "paused"):
                self.wait_for_event("go")

        @step
        def end(self):
            return self.context.get("n"), self.context["m"]

    if way == "scheduled":
        made = Parks.start(scheduled_at=clock.now() + timedelta(minutes=1))
    elif way == "cancelled":
        made = Parks.start()
        durable_api.cancel(made)
    else:
        made = durable.run(Parks)
    if way == "paused":
        durable_api.pause(made)
    given = durable_api.edit_context(made, {"m": "set"})
    assert given.status == way
    {"cancelled": durable_api.retry, "paused": durable_api.resume}.get(way, str)(made)
    durable_api.send_event(made, "go")
    durable.advance(61)
    assert after(durable, made).result == ([1], "set")
