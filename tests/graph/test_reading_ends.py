"""What a graph says of runs that failed, stopped or stand still; and how much it reads."""

import pytest
from django.template.loader import render_to_string

from durable_django import (
    Retry,
    Workflow,
    cancel,
    days,
    foreach,
    loop,
    pause,
    sequence,
    skip,
    step,
    wait_for_event,
)
from durable_django.graph import graph_of, read_states, reading
from durable_django.models import Execution
from durable_django.testing import advance, drain, run
from tests.admin.rows import now
from tests.graph.standing import states_of, statuses

pytestmark = pytest.mark.django_db


def test_a_failure_shows_in_the_blocks_around_it_and_what_was_undone():
    class Trip(Workflow):
        @step
        def flight(self):
            pass

        @flight.compensate
        def cancel_flight(self):
            pass

        with sequence() as rest:

            @step
            def hotel(self):
                raise ValueError("full")

            @step
            def car(self):
                pass

    execution = run(Trip)
    assert execution.status == "compensated"
    states = states_of(execution)
    assert {name: state.status for name, state in states.nodes.items()} == {
        "flight": "completed",
        "rest": "failed",
        "hotel": "failed",
    }
    assert states.nodes["flight"].undone == "completed"


def test_a_retry_that_waits_for_its_time_sleeps():
    class Flaky(Workflow):
        @step(retry=Retry(max_attempts=2, base=60))
        def charge(self):
            raise ValueError("no")

    execution = run(Flaky)
    assert statuses(execution) == {"charge": "sleeping"}
    advance(3600)
    drain()
    assert statuses(execution) == {"charge": "failed"}


def test_a_run_that_has_not_begun_stands_at_its_first_node():
    class Late(Workflow):
        with sequence() as rest:

            @step
            def begin(self):
                pass

    assert statuses(Late.start(scheduled_at=now() + days(1))) == {
        "rest": "scheduled",
        "begin": "scheduled",
    }


def test_a_cancelled_run_shows_where_it_was():
    class Waiting(Workflow):
        @step
        def ask(self):
            pass

        answer = wait_for_event("answer")

    execution = run(Waiting)
    cancel(execution)
    assert statuses(execution) == {"ask": "completed", "answer": "cancelled"}


def test_a_paused_run_shows_where_it_stands_still():
    class Waiting(Workflow):
        with sequence() as inner:
            answer = wait_for_event("answer")

    execution = run(Waiting)
    pause(execution)
    assert statuses(execution) == {"inner": "paused", "answer": "paused"}


def test_a_node_that_was_skipped_says_so_and_the_run_goes_on_behind_it():
    class Order(Workflow):
        @step
        def charge(self):
            raise ValueError("no")

        @step
        def ship(self):
            pass

    execution = run(Order)
    skip(execution, 3)
    drain()
    assert statuses(execution) == {"charge": "skipped", "ship": "completed"}
    assert states_of(execution).ways == {("charge", "ship")}


def test_a_strand_has_a_graph_of_its_own():
    class Fetching(Workflow):
        with foreach(lambda self: ["a", "b"]) as each:

            @step
            def look(self):
                pass

            answer = wait_for_event("answer", key=lambda self: self.item)

    run(Fetching)
    strand = Execution.objects.filter(kind="strand").order_by("id")[0]
    assert statuses(strand) == {"each": "running", "look": "completed", "answer": "waiting"}


def test_however_large_a_run_is_it_takes_six_queries(django_assert_max_num_queries):
    class Many(Workflow):
        with loop(while_=lambda self: self.context.get("n", 0) < 5) as rounds:

            @step
            def turn(self):
                self.context.increment("n")

            with foreach(lambda self: range(10)) as each:

                @step
                def look(self):
                    pass

        end = wait_for_event("end")

    execution = Execution.objects.get(pk=run(Many).pk)
    structure = Many.definition.structure()
    with django_assert_max_num_queries(6):
        states = read_states(execution, structure)
    assert states.nodes["look"].counts == {"completed": 50}
    assert states.nodes["rounds"].iterations == 5


def test_more_members_than_are_counted_are_admitted(monkeypatch):
    class Many(Workflow):
        with foreach(lambda self: range(5)) as each:

            @step
            def look(self):
                pass

    execution = run(Many)
    assert not states_of(execution).is_partial
    monkeypatch.setattr(reading, "MEMBERS_MAX", 3)
    states = states_of(execution)
    assert states.is_partial
    assert states.nodes["each"].counts == {"completed": 3}
    assert states.nodes["look"].counts == {"completed": 3}
    page = render_to_string("durable_django/graph.html", {"graph": graph_of({}, states)})
    assert "There are more members than are counted here" in page
