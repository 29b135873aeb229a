"""Going on at another node, since somebody says so."""

import pytest

import durable_django as durable_api
from durable_django import (
    Workflow,
    branch,
    foreach,
    loop,
    parallel,
    step,
    wait_for_event,
)
from durable_django.models import Wait
from durable_django.testing import isolate_registry


def fail(*args):
    raise ValueError("no")


def paths_of(execution, status="completed"):
    rows = execution.steps.filter(status=status).order_by("id")
    return list(rows.values_list("path", flat=True))


def after(durable, execution):
    durable.drain()
    execution.refresh_from_db()
    return execution


def test_going_on_at_the_fork_it_failed_in_lets_its_members_go_on(durable):
    class Sends(Workflow):
        with foreach(lambda self: range(3)) as sending:

            @step
            def send(self):
                return fail() if self.index == 1 and not self.context.get("go") else self.index

    made = durable.run(Sends)
    durable_api.edit_context(made, {"go": True})
    durable_api.retry(made, node=Sends.sending)
    assert after(durable, made).result == [0, 1, 2]
    assert paths_of(made).count("sending[0]/send") == 1


def test_a_fork_before_is_forked_anew_with_the_context_of_now(durable):
    class Sends(Workflow):
        with foreach(lambda self: range(self.context.get("count", 1))) as sending:

            @step
            def send(self):
                return self.index, self.context.get("count")

        @step
        def end(self):
            return list(self.outputs["sending"]) if "count" in self.context else fail()

    made = durable.run(Sends)
    durable_api.edit_context(made, {"count": 2})
    durable_api.retry(made, node="sending")
    assert after(durable, made).result == [(0, 2), (1, 2)]
    assert paths_of(made) == [
        *("sending", "sending[0]/send", "sending[]"),
        *("sending#2", "sending#2[0]/send", "sending#2[1]/send", "sending#2[]", "end#2"),
    ]


@pytest.fixture
def Nests(durable):
    class Nests(Workflow):
        @step
        def begin(self):
            self.context.increment("begun")

        with loop(until=lambda self: self.iteration >= 2) as polling:

            @step
            def poll(self):
                self.context.increment("polled")

            with branch(on=lambda self: "a") as decide:
                with decide.case("a"):

                    @step
                    def first(self): ...

                    @step
                    def second(self):
                        if self.iteration == 2 and not self.context.get("go"):
                            fail()

                with decide.case("b"):

                    @step
                    def other(self): ...

        @step
        def end(self):
            return dict(self.context)

    return Nests


def test_inside_blocks_a_run_goes_on_at_nodes_of_all_levels(durable, Nests):
    names = ["begin", "polling", "poll", "decide", "first", "second", "other", "end"]
    made = durable.run(Nests)
    assert durable_api.nodes_to_go_on_at(made) == names
    before = paths_of(made)
    expected = {
        "begin": ["begin#2", "polling#2[1]/poll"],
        "polling": ["polling#2[1]/poll", "polling#2[1]/decide"],
        "poll": ["polling[2]/poll#2", "polling[2]/decide#2", "polling[2]/decide#2/first"],
        "decide": ["polling[2]/decide#2", "polling[2]/decide#2/first"],
        "first": ["polling[2]/decide/first#2", "polling[2]/decide/second#2", "polling[2]"],
        "second": ["polling[2]/decide/second", "polling[2]", "end"],
        "other": ["polling[2]/decide/other", "polling[2]", "end"],
        "end": ["end"],
    }
    for name in names:
        made = durable.run(Nests)
        durable_api.edit_context(made, {"go": True})
        durable_api.retry(made, node=name)
        assert after(durable, made).status == "completed", made.error
        ran = paths_of(made)[len(before) :]
        assert ran[: len(expected[name])] == expected[name]
        assert len(set(paths_of(made))) == len(paths_of(made)), "no visit twice"


def test_a_run_goes_back_more_than_once(durable, Nests):
    made = durable.run(Nests)
    for number in (2, 3):
        durable_api.retry(made, node="begin")
        assert after(durable, made).error["node"] == "second"
        assert f"begin#{number}" in paths_of(made)
        assert f"polling#{number}[2]/poll" in paths_of(made)
    durable_api.edit_context(made, {"go": True})
    durable_api.retry(made)
    assert after(durable, made).result == {"begun": 3, "polled": 6, "go": True}


def test_waits_and_keys_of_a_new_visit_are_its_own(durable):
    keys, drawn = [], iter(range(9))

    class Asks(Workflow):
        paid = wait_for_event("paid")

        @step
        def draw(self):
            keys.append(self.idempotency_key)
            return self.once("n", lambda: next(drawn)), self.wait_for_event("more")

        @step
        def end(self):
            return self.outputs["paid"], self.outputs["draw"], fail() if len(keys) < 4 else 0

    made = durable.run(Asks)
    for payload in (1, 2):
        durable_api.send_event(made, "paid", payload)
        durable_api.send_event(made, "more", payload)
        after(durable, made)
        if payload == 1:
            durable_api.retry(made, node="paid")
    assert made.result == (2, (1, 2), 0)
    assert len(set(keys)) == 2
    assert Wait.objects.filter(execution=made).count() == 6


def test_both_visits_are_undone_each_with_what_it_gave(durable):
    undone = []

    def make(is_gone):
        class Books(Workflow):
            class Meta:
                name = "scenarios.books"

            @step
            def ask(self):
                return self.context.increment("n")

            @step
            def book(self):
                return self.outputs["ask"] * 10

            @book.compensate
            def free(self):
                undone.append((self.outputs["ask"], self.outputs["book"]))

            if is_gone:

                @step
                def last(self):
                    fail()
            else:
                waits = wait_for_event("never", timeout=60)

    with isolate_registry():
        make(False)
        made = durable.run("scenarios.books")
    make(True)
    durable.advance(61)
    assert after(durable, made).error["type"] == "DefinitionChanged"
    durable_api.retry(made, node="ask")
    assert after(durable, made).status == "compensated"
    assert undone == [(2, 20), (1, 10)]


class TestMembers:
    @pytest.fixture
    def Deep(self, durable):
        class Deep(Workflow):
            with foreach(lambda self: range(2)) as outer:

                @step
                def before(self): ...

                with parallel() as both:
                    with loop(until=lambda self: self.iteration >= 2) as left:

                        @step
                        def first(self):
                            self.context.increment("n")

                        @step
                        def second(self):
                            if self.index == 1 and not self.context.get("go"):
                                fail()

                    @step
                    def right(self):
                        return "right"

                @step
                def behind(self):
                    return self.index

            @step
            def end(self):
                return list(self.outputs["outer"])

        return Deep

    def test_a_member_goes_on_at_nodes_of_its_own_blocks(self, durable, Deep):
        made = durable.run(Deep)
        names = ["outer", "before", "both", "first", "second", "behind", "end"]
        assert durable_api.nodes_to_go_on_at(made) == names
        with pytest.raises(ValueError, match="cannot go on at 'right'"):
            durable_api.retry(made, node=Deep.right)

    def test_a_member_goes_back_within_its_iteration(self, durable, Deep):
        made = durable.run(Deep)
        durable_api.edit_context(made, {"go": True})
        durable_api.retry(made, node="first")
        assert after(durable, made).result == [0, 1]
        assert "outer[1]/both/left[1]/first#2" in paths_of(made)
        assert made.context == {"go": True, "n": 5}

    def test_a_member_leaves_a_fork_of_its_own(self, durable, Deep):
        made = durable.run(Deep)
        durable_api.retry(made, node="behind")
        assert after(durable, made).result == [0, 1]
        assert made.context == {"n": 2}, "what the members of that fork did is not kept"
        assert paths_of(made)[-3:] == ["outer[1]/behind", "outer[]", "end"]

    def test_a_member_goes_back_before_a_fork_of_its_own(self, durable, Deep):
        made = durable.run(Deep)
        durable_api.edit_context(made, {"go": True})
        durable_api.retry(made, node="before")
        assert after(durable, made).result == [0, 1]
        assert "outer[1]/both#2/left[2]/second" in paths_of(made)
        assert len(paths_of(made)) == len(set(paths_of(made)))
