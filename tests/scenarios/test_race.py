"""Races as a person would write them, run to their ends with the kit."""

import pytest

from durable_django import Retry, Workflow, foreach, parallel, race, sequence, step
from durable_django.models import Execution

LATER = Retry(2, backoff="constant", base=60)


def members_of(execution):
    rows = execution.members().filter(depth__gt=0).order_by("id")
    return dict(rows.values_list("path", "status"))


def test_the_first_to_complete_wins_and_the_others_are_cancelled(durable):
    class Quotes(Workflow):
        with race() as first:

            @step
            def broken(self):
                self.context["by"] = "broken"
                raise ValueError("no quote")

            @step(retry=LATER)
            def slow(self):
                raise RuntimeError("ask again later")

            @step
            def good(self):
                self.context["by"] = "good"
                return 7

            @step
            def late(self):
                self.context["by"] = "late"
                return 8

        @step
        def end(self):
            return self.outputs["first"], self.outputs["good"], "late" in self.outputs

    execution = durable.run(Quotes)
    assert execution.result == ({"winner": "good", "value": 7}, 7, False)
    assert execution.context == {"by": "good"}
    assert members_of(execution) == {
        "first/broken": "failed",
        "first/slow": "cancelled",
        "first/good": "completed",
        "first/late": "cancelled",
    }
    durable.advance(100)
    assert durable.drain() == 0, "a cancelled member does not wake up"


def test_a_race_that_all_lose_fails_with_the_first_error(durable):
    class Lost(Workflow):
        with race() as first:

            @step(retry=LATER)
            def slow(self):
                raise ValueError(f"slow, attempt {self.attempt}")

            @step
            def quick(self):
                raise RuntimeError("quick")

    execution = durable.run(Lost)
    assert execution.status == "waiting"
    durable.advance(61)
    durable.drain()
    execution.refresh_from_db()
    assert execution.status == "failed"
    assert (execution.error["message"], execution.error["node"]) == ("quick", "quick")
    assert set(members_of(execution).values()) == {"failed"}


def test_a_member_that_wins_may_be_a_block(durable):
    class Blocks(Workflow):
        with race() as first:
            with sequence() as tries:

                @step
                def look(self):
                    raise ValueError("nothing there")

                @step
                def never(self): ...

            with foreach(lambda self: [1, 2, 3], concurrency=1) as each:

                @step
                def double(self):
                    self.context.append("seen", self.item)
                    return self.item * 2

        @step
        def end(self):
            found = self.outputs["first"]
            return found["winner"], list(found["value"]), list(self.outputs["each"])

    execution = durable.run(Blocks)
    assert execution.result == ("each", [2, 4, 6], [2, 4, 6])
    assert execution.context == {"seen": [1, 2, 3]}


def test_what_stands_below_a_loser_is_cancelled_with_it(durable):
    class Deep(Workflow):
        with race() as first:
            with parallel() as pair:

                @step(retry=LATER)
                def left(self):
                    raise RuntimeError("later")

                with foreach(lambda self: range(3), concurrency=1) as each:

                    @step(retry=LATER)
                    def right(self):
                        raise RuntimeError("later")

            @step(retry=Retry(2, backoff="constant", base=30))
            def wins(self):
                if self.attempt == 1:
                    raise RuntimeError("soon")
                return "won"

    execution = durable.run(Deep)
    assert execution.status == "waiting"
    durable.advance(31)
    durable.drain()
    execution.refresh_from_db()
    assert execution.result == {"winner": "wins", "value": "won"}
    assert members_of(execution) == {
        "first/pair": "cancelled",
        "first/wins": "completed",
        "first/pair/left": "cancelled",
        "first/pair/each": "cancelled",
        "first/pair/each[0]": "cancelled",
        "first/pair/each[1]": "cancelled",
        "first/pair/each[2]": "cancelled",
    }
    durable.advance(100)
    assert durable.drain() == 0
    assert not Execution.objects.filter(finished_at=None).exists()


def test_a_loser_cannot_finish_the_run_and_a_member_can(durable):
    class Finishes(Workflow):
        with race() as first:

            @step
            def ends(self):
                self.finish("finished")

            @step
            def other(self):
                return "other"

        @step
        def never(self): ...

    execution = durable.run(Finishes)
    assert (execution.status, execution.result) == ("completed", "finished")
    assert members_of(execution)["first/other"] == "cancelled"
    assert not execution.steps.filter(name="never").exists()


@pytest.mark.parametrize("node", ["first", "one", "end"])
def test_who_won_is_recorded_and_not_asked_again(durable, node):
    class Once(Workflow):
        with race() as first:

            @step
            def one(self):
                return 1

            @step
            def two(self):
                return 2

        @step
        def end(self):
            return self.outputs["first"]["winner"]

    with durable.crash_after(getattr(Once, node)):
        execution = durable.run(Once)
    assert execution.result == "one"
    completed = execution.steps.filter(status="completed").values_list("path", flat=True)
    assert list(completed) == ["first", "first/one", "first[]", "end"]
