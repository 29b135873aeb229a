"""What a compensation sees: its item, its iteration, the outputs of its round, the context."""

import pytest

from durable_django import Workflow, branch, decision, foreach, loop, parallel, sequence, step
from durable_django.store import inheriting


@pytest.fixture(params=["in the process that forked", "in a fresh process"])
def memory(request):
    """A rollback must not see what happens to be kept in the memory of a worker."""

    def forget():
        if request.param == "in a fresh process":
            inheriting._kept.clear()

    return forget


def test_a_handler_sees_the_iteration_and_the_outputs_of_its_own_turn(durable):
    done = []

    class Turns(Workflow):
        with loop(until=lambda self: self.iteration == 3) as turns:

            @step
            def reserve(self):
                return self.iteration * 10

            @reserve.compensate
            def free(self):
                done.append((self.iteration, self.outputs["reserve"], self.outputs["confirm"]))

            @step
            def confirm(self):
                return self.outputs["reserve"] + 1

        @step
        def fail(self):
            raise ValueError

    assert durable.run(Turns).status == "compensated"
    assert done == [(3, 30, 31), (2, 20, 21), (1, 10, 11)]


def test_in_loops_within_loops_it_sees_the_outputs_of_each_turn_around_it(durable):
    done = []

    class Turns(Workflow):
        with loop(until=lambda self: self.iteration == 2) as outer:

            @step
            def order(self):
                return f"order {self.iteration}"

            with loop(until=lambda self: self.iteration == 2) as inner:

                @step
                def reserve(self):
                    return f"{self.outputs['order']} line {self.iteration}"

                @reserve.compensate
                def free(self):
                    done.append((self.outputs["order"], self.outputs["reserve"]))

        @step
        def fail(self):
            raise ValueError

    assert durable.run(Turns).status == "compensated"
    assert done == [
        ("order 2", "order 2 line 2"),
        ("order 2", "order 2 line 1"),
        ("order 1", "order 1 line 2"),
        ("order 1", "order 1 line 1"),
    ]


def test_in_a_foreach_within_a_loop_it_sees_the_outputs_of_that_turn(durable, memory):
    done = []

    class Turns(Workflow):
        with loop(until=lambda self: self.iteration == 2) as months:

            @step
            def order(self):
                return f"order {self.iteration}"

            with foreach(lambda self: ["a", "b"]) as lines:

                @step
                def reserve(self):
                    return f"{self.outputs['order']} {self.item}"

                @reserve.compensate
                def free(self):
                    seen = (self.iteration, self.item, self.outputs["order"])
                    done.append((*seen, self.outputs["reserve"]))

        @step
        def fail(self):
            memory()
            raise ValueError

    assert durable.run(Turns).status == "compensated"
    assert done == [
        (2, "b", "order 2", "order 2 b"),
        (2, "a", "order 2", "order 2 a"),
        (1, "b", "order 1", "order 1 b"),
        (1, "a", "order 1", "order 1 a"),
    ]


def test_a_handler_in_a_block_visited_twice_sees_the_outputs_of_its_own_visit(durable):
    done = []

    class Twice(Workflow):
        with sequence() as pair:

            @step
            def left(self):
                return self.context.increment("n")

            @left.compensate
            def unleft(self):
                done.append((self.outputs["left"], self.outputs["right"]))

            @step
            def right(self):
                return self.context.increment("n")

        @decision(to=["pair"])
        def again(self):
            return "pair" if self.context["n"] == 2 else None

        @step
        def fail(self):
            raise ValueError

    assert durable.run(Twice).status == "compensated"
    assert done == [(3, 4), (1, 2)]


def test_a_handler_of_a_node_visited_twice_sees_what_that_visit_gave(durable):
    done = []

    class Twice(Workflow):
        @step
        def collect(self):
            return self.context.increment("n")

        @collect.compensate
        def uncollect(self):
            done.append((self.outputs["collect"], self.idempotency_key.rpartition(":")[2]))

        @decision(to=["collect"])
        def again(self):
            return "collect" if self.context["n"] < 3 else None

        @again.compensate
        def unagain(self):
            done.append(self.outputs["again"])

        @step
        def fail(self):
            raise ValueError

    assert durable.run(Twice).status == "compensated"
    assert done == [
        None,
        (3, "collect#3~uncollect"),
        "collect",
        (2, "collect#2~uncollect"),
        "collect",
        (1, "collect~uncollect"),
    ]


def test_ten_items_are_undone_each_with_its_item_index_and_outputs(durable, memory):
    done = []

    class Trip(Workflow):
        @step
        def hotel(self):
            return "Ritz"

        with foreach(lambda self: [f"night {n}" for n in range(10)]) as nights:

            @step
            def room(self):
                return f"room {self.index}"

            @step
            def book(self):
                return self.outputs["room"].upper()

            @book.compensate
            def unbook(self):
                seen = (self.item, self.index, self.outputs["room"], self.outputs["book"])
                done.append((*seen, self.outputs["hotel"]))

        @nights.compensate
        def refund(self):
            done.append(list(self.outputs["nights"]))

        @step
        def pay(self):
            memory()
            raise ValueError

    assert durable.run(Trip).status == "compensated"
    assert done[0] == [f"ROOM {n}" for n in range(10)]
    assert done[1:] == [
        (f"night {n}", n, f"room {n}", f"ROOM {n}", "Ritz") for n in reversed(range(10))
    ]


def test_in_a_foreach_within_a_foreach_it_sees_the_item_it_ran_for(durable, memory):
    done = []

    class Trips(Workflow):
        with foreach(lambda self: ["x", "y"]) as trips:

            @step
            def plan(self):
                return f"plan {self.item}"

            with foreach(lambda self: [1, 2]) as nights:

                @step
                def book(self):
                    return self.item * 10

                @book.compensate
                def unbook(self):
                    seen = (self.item, self.index, self.outputs["book"])
                    done.append((*seen, self.outputs["plan"]))

            @nights.compensate
            def whole(self):
                done.append((self.item, self.index, list(self.outputs["nights"])))

        @step
        def fail(self):
            memory()
            raise ValueError

    run = durable.run(Trips)
    assert run.status == "compensated"
    of_x = [("x", 0, [10, 20]), (2, 1, 20, "plan x"), (1, 0, 10, "plan x")]
    of_y = [("y", 1, [10, 20]), (2, 1, 20, "plan y"), (1, 0, 10, "plan y")]
    assert [one for one in done if one in of_x] == of_x
    assert [one for one in done if one in of_y] == of_y
    assert len(done) == 6


def test_large_outputs_are_read_from_their_rows(durable, memory):
    done = []
    large = "x" * 5_000

    class Large(Workflow):
        @step
        def before(self):
            return f"before {large}"

        @before.compensate
        def unbefore(self):
            done.append(self.outputs["before"])

        with parallel() as both:
            with sequence() as pair:

                @step
                def first(self):
                    return f"first {large}"

                @step
                def second(self):
                    return f"second {large}"

                @second.compensate
                def unsecond(self):
                    seen = [self.outputs[name] for name in ("before", "first", "second")]
                    done.append(seen)

            @step
            def other(self): ...

        @step
        def fail(self):
            memory()
            raise ValueError

    run = durable.run(Large)
    assert run.status == "compensated"
    assert done == [
        [f"before {large}", f"first {large}", f"second {large}"],
        f"before {large}",
    ]


def test_a_handler_outside_a_loop_or_foreach_has_neither_iteration_nor_item(durable):
    done = []

    class Trip(Workflow):
        with loop(until=lambda self: True) as turns:

            @step
            def turn(self): ...

        @turns.compensate
        def unturns(self):
            for name in ("iteration", "item", "index"):
                with pytest.raises(Exception, match="not inside a"):
                    getattr(self, name)
            done.append(self.step_name)

        @step
        def fail(self):
            raise ValueError

    assert durable.run(Trip).status == "compensated"
    assert done == ["unturns"]


def test_a_branch_within_a_loop_is_undone_with_the_outputs_of_its_turn(durable):
    done = []

    class Turns(Workflow):
        with loop(until=lambda self: self.iteration == 2) as turns:
            with branch(on=lambda self: self.iteration) as way:
                with way.case(1):

                    @step
                    def odd(self):
                        return "odd"

                    @odd.compensate
                    def unodd(self):
                        done.append((self.iteration, self.outputs["odd"], self.outputs["way"]))

                with way.default():

                    @step
                    def even(self):
                        return "even"

            @way.compensate
            def unway(self):
                done.append((self.iteration, self.outputs["way"]))

        @step
        def fail(self):
            raise ValueError

    assert durable.run(Turns).status == "compensated"
    assert done == [(2, "even"), (1, "odd"), (1, "odd", "odd")]
