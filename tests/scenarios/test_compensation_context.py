"""The context that compensations see and change, inside members and outside."""

import pytest

from durable_django import Workflow, foreach, parallel, race, sequence, step
from durable_django.store import inheriting


@pytest.fixture(params=["in the process that forked", "in a fresh process"])
def memory(request):
    """A rollback must not see what happens to be kept in the memory of a worker."""

    def forget():
        if request.param == "in a fresh process":
            inheriting._kept.clear()

    return forget


def test_a_handler_sees_the_context_as_it_was_when_the_run_failed(durable):
    done = []

    class Trip(Workflow):
        @step
        def first(self):
            self.context["stage"] = 1

        @first.compensate
        def undo(self):
            done.append(dict(self.context))

        @step
        def second(self):
            self.context["stage"] = 2
            self.context["more"] = True

        @step
        def third(self):
            self.context["never"] = "recorded"
            raise ValueError

    run = durable.run(Trip)
    assert done == [{"stage": 2, "more": True}]
    assert run.context == {"stage": 2, "more": True}


def test_what_handlers_do_to_the_context_later_ones_see_and_people_too(durable):
    class Trip(Workflow):
        @step
        def first(self):
            self.context["booked"] = ["first"]

        @first.compensate
        def undo_first(self):
            self.context["seen"] = list(self.context["undone"])
            del self.context["booked"]

        @step
        def second(self): ...

        @second.compensate
        def undo_second(self):
            self.context.append("undone", "second")
            raise ValueError("this attempt changed nothing")

        @step
        def third(self): ...

        @third.compensate
        def undo_third(self):
            self.context.append("undone", "third")

        @step
        def fail(self):
            raise ValueError

    run = durable.run(Trip)
    assert run.status == "compensation_failed"
    assert run.context == {"undone": ["third"], "seen": ["third"]}


def test_members_of_one_key_see_what_each_had_set(durable, memory):
    done = []

    class Trip(Workflow):
        with parallel() as book:
            with sequence() as one:

                @step
                def first(self):
                    self.context["room"] = "one"

                @first.compensate
                def unfirst(self):
                    done.append((self.context["room"], self.context["total"]))

            with sequence() as two:

                @step
                def second(self):
                    self.context["room"] = "two"
                    self.context.increment("total")

                @second.compensate
                def unsecond(self):
                    done.append((self.context["room"], self.context["total"]))

            @step
            def fail(self):
                memory()
                raise ValueError

    assert durable.run(Trip).status == "compensated"
    assert done == [("two", 1), ("one", 1)]


def test_a_handler_inside_two_forks_sees_what_its_item_set_after_the_inner_one(durable, memory):
    done = []

    class Trips(Workflow):
        with foreach(lambda self: ["x", "y"]) as trips:
            with parallel() as pair:

                @step
                def book(self):
                    return 1

                @book.compensate
                def unbook(self):
                    done.append((self.context["state"], self.context["total"]))

                @step
                def other(self): ...

            @step
            def after(self):
                memory()
                self.context["state"] = f"after {self.index}"
                self.context.increment("total")

    run = durable.run(Trips)
    assert (run.status, run.error["type"]) == ("compensated", "ContextConflict")
    assert done == [("after 1", 2), ("after 0", 2)]


def test_a_fork_whose_name_begins_another_one_is_not_taken_for_it(durable):
    class Trip(Workflow):
        with parallel() as booking:

            @step
            def one(self):
                self.context.increment("n")

            @one.compensate
            def unone(self):
                self.context["seen"] = self.context["n"]

            @step
            def two(self): ...

        with parallel() as book:

            @step
            def three(self):
                self.context.increment("n")

            @step
            def fail(self):
                raise ValueError

    run = durable.run(Trip)
    assert run.status == "compensated"
    assert (run.context["seen"], run.context["n"]) == (2, 2)


def test_numbers_of_members_that_cannot_be_added_up_stop_no_rollback(durable):
    done = []

    class Trip(Workflow):
        with parallel() as both:

            @step
            def one(self):
                self.context.increment("n", 1e308)

            @one.compensate
            def unone(self):
                done.append("one")

            @step
            def two(self):
                self.context.increment("n", 1e308)

            @two.compensate
            def untwo(self):
                done.append("two")

            @step
            def fail(self):
                raise ValueError("original")

    run = durable.run(Trip)
    assert (run.status, run.error["message"], done) == ("compensated", "original", ["two", "one"])


def test_changes_of_members_that_do_not_go_together_stop_no_rollback(durable):
    done = []

    class Trip(Workflow):
        with parallel() as both:

            @step
            def one(self):
                self.context["n"] = "text"

            @one.compensate
            def unone(self):
                done.append(self.context["n"])

            @step
            def two(self):
                self.context.increment("n")

            @two.compensate
            def untwo(self):
                done.append(self.context["n"])

            @step
            def fail(self):
                raise ValueError("original")

    run = durable.run(Trip)
    assert (run.status, run.error["message"]) == ("compensated", "original")
    assert done == ["text", "text"]


def test_a_key_that_changed_its_type_since_stops_no_handler_of_a_member(durable):
    done = []

    class Trip(Workflow):
        with foreach(lambda self: [1, 2]) as each:

            @step
            def book(self):
                self.context.increment("n", self.item)
                return self.item

            @book.compensate
            def unbook(self):
                done.append((self.item, self.outputs["book"], self.context["n"]))

        @step
        def later(self):
            self.context["n"] = f"{self.context['n']} booked"

        @step
        def fail(self):
            raise ValueError

    run = durable.run(Trip)
    assert (run.status, done) == ("compensated", [(2, 2, "3 booked"), (1, 1, "3 booked")])


def test_a_handler_of_a_loser_sees_what_that_had_set(durable):
    done = []

    class Offers(Workflow):
        with race() as first:
            with sequence() as slow:

                @step
                def ask(self):
                    self.context["asked"] = "slow"
                    return "slow offer"

                @ask.compensate
                def withdraw(self):
                    done.append((self.context["asked"], self.outputs["ask"]))

                @step
                def wait(self): ...

            @step
            def quick(self):
                self.context["asked"] = "quick"

        @step
        def fail(self):
            raise ValueError

    run = durable.run(Offers)
    assert run.status == "compensated"
    assert run.context["asked"] == "slow"
    assert done == [("slow", "slow offer")]


def test_handlers_of_one_item_see_what_those_before_them_changed(durable):
    done = []

    class Trip(Workflow):
        with foreach(lambda self: ["x"]) as nights:

            @step
            def hold(self):
                self.context["state"] = "held"

            @hold.compensate
            def release(self):
                done.append(self.context["state"])

            @step
            def book(self): ...

            @book.compensate
            def unbook(self):
                self.context["state"] = "unbooked"

        @step
        def fail(self):
            raise ValueError

    run = durable.run(Trip)
    assert (run.status, done) == ("compensated", ["unbooked"])
    assert run.context == {"state": "unbooked"}
