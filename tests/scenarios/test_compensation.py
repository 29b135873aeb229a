"""What is undone, and in which order: every block, on failure, with the kit."""

from durable_django import (
    Workflow,
    branch,
    decision,
    foreach,
    loop,
    parallel,
    sequence,
    step,
)


def undone(execution):
    """The paths of the visits that were undone, in order."""
    rows = execution.steps.filter(kind="compensation", status="completed")
    return [path.partition("~")[0] for path in rows.values_list("path", flat=True)]


def test_steps_are_undone_newest_first_and_only_those_that_completed(durable):
    class Order(Workflow):
        @step
        def reserve(self): ...

        @reserve.compensate
        def free(self): ...

        @step
        def log(self): ...

        @step
        def charge(self): ...

        @charge.compensate
        def refund(self): ...

        @step
        def ship(self):
            raise ValueError("no stock")

        @ship.compensate
        def unship(self): ...

        @step
        def thank(self): ...

        @thank.compensate
        def unthank(self): ...

    run = durable.run(Order)
    assert (run.status, run.error["message"], run.error["node"]) == (
        "compensated",
        "no stock",
        "ship",
    )
    assert undone(run) == ["charge", "reserve"]
    assert [s.name for s in run.steps] == ["reserve", "log", "charge", "ship", "refund", "free"]
    assert run.finished_at is not None
    assert run.result is None


def test_a_run_that_completes_undoes_nothing(durable):
    class Fine(Workflow):
        @step
        def first(self): ...

        @first.compensate
        def undo(self): ...

    run = durable.run(Fine)
    assert (run.status, undone(run)) == ("completed", [])


def test_a_run_that_finishes_undoes_nothing_not_even_from_within_a_member(durable):
    class Early(Workflow):
        @step
        def first(self): ...

        @first.compensate
        def undo(self): ...

        with parallel() as both:

            @step
            def done(self):
                self.finish("enough")

            @step
            def other(self): ...

            @other.compensate
            def unother(self): ...

        @step
        def never(self):
            raise ValueError

    run = durable.run(Early)
    assert (run.status, run.result, undone(run)) == ("completed", "enough", [])


def test_only_the_case_that_was_taken_is_undone_and_its_branch_before_it(durable):
    class Route(Workflow):
        with branch(on=lambda self: self.input["way"]) as way:
            with way.case("left"):

                @step
                def left(self): ...

                @left.compensate
                def unleft(self): ...

            with way.case("right"):

                @step
                def right(self): ...

                @right.compensate
                def unright(self): ...

        @way.compensate
        def unway(self): ...

        @step
        def fail(self):
            raise ValueError

    assert undone(durable.run(Route, {"way": "left"})) == ["way", "way/left"]
    assert undone(durable.run(Route, {"way": "right"})) == ["way", "way/right"]
    # A branch that was skipped has completed as well.
    assert undone(durable.run(Route, {"way": "neither"})) == ["way"]


def test_a_block_that_had_not_ended_is_not_undone_but_what_is_in_it_is(durable):
    class Half(Workflow):
        with sequence() as outer:
            with sequence() as inner:

                @step
                def one(self): ...

                @one.compensate
                def unone(self): ...

            @inner.compensate
            def uninner(self): ...

            @step
            def fail(self):
                raise ValueError

        @outer.compensate
        def unouter(self): ...

    assert undone(durable.run(Half)) == ["outer/inner", "outer/inner/one"]


def test_blocks_that_end_together_are_undone_from_the_outside_in(durable):
    class Deep(Workflow):
        with sequence() as outer:
            with loop(until=lambda self: self.iteration == 2) as turns:
                with sequence() as inner:

                    @step
                    def one(self): ...

                    @one.compensate
                    def unone(self): ...

                @inner.compensate
                def uninner(self): ...

            @turns.compensate
            def unturns(self): ...

        @outer.compensate
        def unouter(self): ...

        @step
        def fail(self):
            raise ValueError

    assert undone(durable.run(Deep)) == [
        "outer",
        "outer/turns",
        "outer/turns[2]/inner",
        "outer/turns[2]/inner/one",
        "outer/turns[1]/inner",
        "outer/turns[1]/inner/one",
    ]


def test_a_loop_that_failed_in_its_third_turn_undoes_the_two_before(durable):
    class Turns(Workflow):
        with loop(until=lambda self: False) as turns:

            @step
            def book(self): ...

            @book.compensate
            def unbook(self): ...

            @step
            def check(self):
                if self.iteration == 3:
                    raise ValueError

            @check.compensate
            def uncheck(self): ...

        @turns.compensate
        def unturns(self): ...

    assert undone(durable.run(Turns)) == [
        "turns[3]/book",
        "turns[2]/check",
        "turns[2]/book",
        "turns[1]/check",
        "turns[1]/book",
    ]


def test_a_loop_without_a_turn_has_completed(durable):
    class Never(Workflow):
        with loop(while_=lambda self: False) as turns:

            @step
            def book(self): ...

        @turns.compensate
        def unturns(self): ...

        with foreach(lambda self: []) as each:

            @step
            def send(self): ...

        @each.compensate
        def uneach(self): ...

        @step
        def fail(self):
            raise ValueError

    assert undone(durable.run(Never)) == ["each", "turns"]


def test_each_visit_of_a_jump_is_undone(durable):
    class Claim(Workflow):
        @step
        def collect(self):
            self.context.increment("n")

        @collect.compensate
        def uncollect(self): ...

        @decision(to=["collect", "fail"])
        def complete(self):
            return "collect" if self.context["n"] < 3 else "fail"

        @complete.compensate
        def uncomplete(self): ...

        @step
        def skipped(self): ...

        @skipped.compensate
        def unskipped(self): ...

        @step
        def fail(self):
            raise ValueError

    assert undone(durable.run(Claim)) == [
        "complete#3",
        "collect#3",
        "complete#2",
        "collect#2",
        "complete",
        "collect",
    ]
