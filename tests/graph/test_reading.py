"""What a graph says of runs that the engine really drove, on either database."""

import pytest

from durable_django import (
    Retry,
    Workflow,
    branch,
    days,
    decision,
    foreach,
    loop,
    parallel,
    race,
    sequence,
    sleep_for,
    step,
    wait_for_event,
)
from durable_django.testing import advance, drain, run
from tests.graph.standing import states_of, statuses

pytestmark = pytest.mark.django_db


def test_a_run_that_ended_shows_what_it_reached_and_the_way_it_took():
    class Ship(Workflow):
        @step
        def weigh(self):
            return 3

        with branch(on=weigh) as route:
            with route.case(3):

                @step
                def by_post(self):
                    pass

            with route.default():

                @step
                def by_truck(self):
                    pass

        @step
        def tell(self):
            pass

    states = states_of(run(Ship))
    assert {name: state.status for name, state in states.nodes.items()} == {
        "weigh": "completed",
        "route": "completed",
        "route:3": "completed",
        "by_post": "completed",
        "tell": "completed",
    }
    assert states.nodes["route"].taken == "3"
    assert states.ways == {("weigh", "route"), ("route", "tell")}
    assert states.is_final


def test_attempts_and_visits_are_told_apart():
    class Flaky(Workflow):
        @step(retry=Retry(max_attempts=3, base=0.01))
        def charge(self):
            if self.attempt < 3:
                raise ValueError("not yet")

        @step
        def look(self):
            self.context.increment("looked")

        @decision(to=["look"])
        def again(self):
            return "look" if self.context["looked"] < 4 else None

    execution = run(Flaky)
    for _ in range(4):
        advance(1)
        drain()
    states = states_of(execution)
    assert (states.nodes["charge"].visits, states.nodes["charge"].attempts) == (1, 3)
    assert (states.nodes["look"].visits, states.nodes["look"].attempts) == (4, 4)
    assert states.nodes["again"].taken == ""
    assert ("again", "look") in states.ways


def test_a_run_that_waits_shows_where_and_what_it_has_not_reached():
    class Waiting(Workflow):
        @step
        def ask(self):
            pass

        answer = wait_for_event("answer")

        @step
        def file(self):
            pass

    execution = run(Waiting)
    assert statuses(execution) == {"ask": "completed", "answer": "waiting"}
    assert states_of(execution).nodes["answer"].here == 1


def test_a_loop_tells_its_iterations():
    class Polling(Workflow):
        with loop(until=lambda self: self.context["n"] >= 3) as polling:

            @step
            def poll(self):
                self.context.increment("n")

            pause = sleep_for(60)

        with loop(while_=lambda self: self.context["n"] < 5) as filling:

            @step
            def fill(self):
                self.context.increment("n")

    execution = run(Polling)
    assert statuses(execution) == {"polling": "running", "poll": "completed", "pause": "sleeping"}
    assert states_of(execution).nodes["polling"].iterations == 1
    for _ in range(3):
        advance(61)
        drain()
    states = states_of(execution)
    assert statuses(execution) == dict.fromkeys(
        ["polling", "poll", "pause", "filling", "fill"], "completed"
    )
    assert states.nodes["polling"].iterations == 3
    assert states.nodes["filling"].iterations == 2
    assert {("pause", "polling"), ("fill", "filling"), ("polling", "filling")} <= states.ways


def test_a_foreach_counts_its_members_and_the_nodes_inside_them():
    class Sending(Workflow):
        with foreach(lambda self: range(20), on_error="collect") as sending:

            @step
            def send(self):
                if self.item % 5 == 0:
                    raise ValueError("no address")

            @step
            def note(self):
                pass

        @step
        def count(self):
            pass

    states = states_of(run(Sending))
    assert states.nodes["sending"].status == "completed"
    assert states.nodes["sending"].counts == {"completed": 16, "failed": 4}
    assert states.nodes["send"].counts == {"completed": 16, "failed": 4}
    assert states.nodes["note"].counts == {"completed": 16}
    assert states.ways == {("send", "note"), ("sending", "count")}


def test_a_foreach_that_runs_tells_where_its_members_are():
    class Asking(Workflow):
        with foreach(lambda self: range(6), concurrency=4) as asking:

            @step
            def look(self):
                pass

            answer = wait_for_event("answer", key=lambda self: str(self.index))

        @step
        def count(self):
            pass

    states = states_of(run(Asking))
    assert states.nodes["asking"].status == "running"
    assert states.nodes["asking"].counts == {"waiting": 4, "held_back": 2}
    assert states.nodes["look"].status == "completed"
    assert states.nodes["answer"].status == "waiting"
    assert states.nodes["answer"].here == 4
    assert "count" not in states.nodes


def test_members_and_sequences_show_how_they_stand():
    class Fetching(Workflow):
        with parallel() as fetch:

            @step
            def user(self):
                pass

            with sequence() as billing:

                @step
                def invoices(self):
                    pass

                paid = wait_for_event("paid")

                @step
                def balance(self):
                    pass

        @step
        def show(self):
            pass

    assert statuses(run(Fetching)) == {
        "fetch": "running",
        "user": "completed",
        "billing": "running",
        "invoices": "completed",
        "paid": "waiting",
    }


def test_a_race_names_its_winner_and_those_that_lost():
    class Racing(Workflow):
        with race() as first:

            @step
            def quick(self):
                return "here"

            slow = sleep_for(days(7))

        @step
        def after(self):
            pass

    states = states_of(run(Racing))
    assert states.nodes["first"].taken == "quick"
    assert states.nodes["first"].status == "completed"
    assert states.nodes["quick"].status == "completed"
    assert states.nodes["slow"].status == "cancelled"
