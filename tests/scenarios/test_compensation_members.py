"""What is undone of the members of a parallel, a race and a foreach, however they ended."""

from durable_django import RetryAfter, Workflow, foreach, parallel, race, sequence, step


def undone(execution):
    """The paths of the visits that were undone, in order."""
    rows = execution.steps.filter(kind="compensation", status="completed")
    return [path.partition("~")[0] for path in rows.values_list("path", flat=True)]


def make_trip():
    class Trip(Workflow):
        with parallel(on_error="fail_fast") as book:
            with sequence() as flight:

                @step
                def seat(self): ...

                @seat.compensate
                def unseat(self): ...

                @step
                def meal(self): ...

                @meal.compensate
                def unmeal(self): ...

            @flight.compensate
            def unflight(self): ...

            with sequence() as hotel:

                @step
                def room(self): ...

                @room.compensate
                def unroom(self): ...

                @step
                def breakfast(self):
                    if self.input["fails"] == "breakfast":
                        raise ValueError

                @breakfast.compensate
                def unbreakfast(self): ...

            @hotel.compensate
            def unhotel(self): ...

        @book.compensate
        def unbook(self): ...

        @step
        def pay(self):
            raise ValueError

    return Trip


def test_a_parallel_that_had_ended_is_undone_from_the_block_to_its_members(durable):
    run = durable.run(make_trip(), {"fails": "pay"})
    assert run.status == "compensated"
    assert undone(run)[0] == "book"
    of_flight = ["book/flight", "book/flight/meal", "book/flight/seat"]
    of_hotel = ["book/hotel", "book/hotel/breakfast", "book/hotel/room"]
    assert [path for path in undone(run) if "flight" in path] == of_flight
    assert [path for path in undone(run) if "hotel" in path] == of_hotel


def test_what_completed_members_did_is_undone_when_another_one_failed(durable):
    run = durable.run(make_trip(), {"fails": "breakfast"})
    assert run.status == "compensated"
    assert run.error["node"] == "breakfast"
    assert "book" not in undone(run)
    assert "book/hotel" not in undone(run)
    assert [path for path in undone(run) if "hotel" in path] == ["book/hotel/room"]
    assert undone(run)[-1] == "book/flight/seat"


def test_of_a_member_that_was_cancelled_the_completed_steps_are_undone(durable):
    class Trip(Workflow):
        with parallel() as book:
            with sequence() as long:

                @step
                def one(self): ...

                @one.compensate
                def unone(self): ...

                @step
                def two(self):
                    raise RetryAfter(60)

                @two.compensate
                def untwo(self): ...

            @long.compensate
            def unlong(self): ...

            @step
            def fail(self):
                raise ValueError("the first failure")

    run = durable.run(Trip)
    assert (run.status, run.error["message"]) == ("compensated", "the first failure")
    assert undone(run) == ["book/long/one"]


def test_all_members_of_a_race_are_undone_the_losers_too(durable):
    class Offers(Workflow):
        with race() as first:
            with sequence() as slow:

                @step
                def ask(self): ...

                @ask.compensate
                def withdraw(self): ...

                @step
                def wait(self):
                    raise RetryAfter(60)

            @slow.compensate
            def unslow(self): ...

            @step
            def quick(self): ...

            @quick.compensate
            def unquick(self): ...

        @first.compensate
        def unfirst(self): ...

        @step
        def fail(self):
            raise ValueError

    run = durable.run(Offers)
    assert (run.status, run.outputs["first"]["winner"]) == ("compensated", "quick")
    assert undone(run) == ["first", "first/quick", "first/slow/ask"]


def test_a_member_that_failed_under_collect_is_undone_when_the_run_fails_later(durable):
    class Sends(Workflow):
        with foreach(lambda self: range(3), on_error="collect") as each:

            @step
            def pack(self): ...

            @pack.compensate
            def unpack(self): ...

            @step
            def send(self):
                if self.index == 1:
                    raise ValueError

            @send.compensate
            def unsend(self): ...

        @step
        def end(self):
            if self.input["fails"]:
                raise ValueError("later")

    assert undone(durable.run(Sends, {"fails": False})) == []
    run = durable.run(Sends, {"fails": True})
    assert (run.status, run.error["message"]) == ("compensated", "later")
    assert sorted(undone(run)) == [
        "each[0]/pack",
        "each[0]/send",
        "each[1]/pack",
        "each[2]/pack",
        "each[2]/send",
    ]


def test_items_that_never_began_are_not_undone(durable):
    class Sends(Workflow):
        with foreach(lambda self: range(10), concurrency=2, tolerate=1) as each:

            @step
            def pack(self): ...

            @pack.compensate
            def unpack(self):
                self.context.append("undone", self.item)

            @step
            def send(self):
                if self.index in (1, 4):
                    raise ValueError(f"item {self.index}")

            @send.compensate
            def unsend(self): ...

        @each.compensate
        def uneach(self): ...

    run = durable.run(Sends)
    assert (run.status, run.error["message"]) == ("compensated", "item 4")
    packed = list(run.steps.filter(name="pack").values_list("path", flat=True))
    sent = list(run.steps.filter(name="send", status="completed").values_list("path", flat=True))
    assert 5 <= len(packed) <= 6
    assert sorted(undone(run)) == sorted(packed + sent)
    assert sorted(run.context["undone"]) == list(range(len(packed)))


def test_a_fork_within_a_fork_is_undone_as_far_as_each_member_got(durable):
    class Trips(Workflow):
        with foreach(lambda self: ["x", "y"]) as trips:
            with parallel() as book:

                @step
                def hotel(self): ...

                @hotel.compensate
                def unhotel(self): ...

                @step
                def flight(self):
                    if self.item == "y":
                        raise ValueError("no flight")

                @flight.compensate
                def unflight(self): ...

            @book.compensate
            def unbook(self): ...

            @step
            def rest(self):
                raise RetryAfter(60)

        @trips.compensate
        def untrips(self): ...

    run = durable.run(Trips)
    assert (run.status, run.error["message"]) == ("compensated", "no flight")
    there = list(run.steps.filter(status="completed").exclude(kind="compensation"))
    assert sorted(undone(run)) == [
        "trips[0]/book",
        "trips[0]/book/flight",
        "trips[0]/book/hotel",
        "trips[1]/book/hotel",
    ]
    # A fork is recorded twice: when it opens and when it is joined, which completes it.
    newest = dict.fromkeys(row.path.removesuffix("[]") for row in reversed(there))
    assert undone(run) == [path for path in newest if path in undone(run)]


def test_a_run_that_cannot_finish_as_a_member_wanted_has_failed_and_is_undone(durable):
    class Early(Workflow):
        @step
        def first(self): ...

        @first.compensate
        def unfirst(self): ...

        with parallel() as both:

            @step
            def one(self):
                self.context["n"] = "text"

            @one.compensate
            def unone(self): ...

            @step
            def two(self):
                self.context.increment("n")
                self.finish("enough")

            @two.compensate
            def untwo(self): ...

    run = durable.run(Early)
    assert (run.status, run.error["type"], run.result) == ("compensated", "TypeError", None)
    assert undone(run) == ["both/two", "both/one", "first"]
