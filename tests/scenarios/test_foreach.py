"""Work over many items as a person would write it, run to its end with the kit."""

import pytest

from durable_django import MemberFailure, Retry, Workflow, foreach, sequence, step
from durable_django.conf import settings
from durable_django.engine.results import Results
from durable_django.models import Execution

LATER = Retry(2, backoff="constant", base=60)


def statuses_of(execution):
    rows = execution.members().filter(depth__gt=0).order_by("id")
    return list(rows.values_list("status", flat=True))


def make_each(items, **options):
    class Each(Workflow):
        with foreach(items, **options) as each:

            @step
            def double(self):
                return self.item * 2

        @step
        def end(self):
            return list(self.outputs["each"])

    return Each


def generated(self):
    yield from range(self.input["n"])


class Countable:
    """Iterable the old way, through its indexes."""

    def __getitem__(self, index):
        return [1, 2][index]


@pytest.mark.parametrize(
    ("items", "result"),
    [
        (lambda self: [3, 1, 2], [6, 2, 4]),
        (lambda self: (n for n in (3, 1)), [6, 2]),
        (generated, [0, 2, 4, 6]),
        (lambda self: {"a": 1, "b": 2}, ["aa", "bb"]),
        (lambda self: Countable(), [2, 4]),
        (lambda self: [], []),
        (lambda self: iter(()), []),
        (lambda self: Execution.objects.none(), []),
    ],
)
def test_whatever_can_be_gone_through_gives_items(durable, items, result):
    execution = durable.run(make_each(items), {"n": 4})
    assert execution.status == "completed", execution.error
    assert execution.result == result
    assert len(statuses_of(execution)) == len(result)


def test_items_come_from_a_node_or_a_context_key(durable):
    class News(Workflow):
        @step
        def recipients(self):
            self.context["names"] = ["ada", "bob"]
            return [1, 2, 3]

        with foreach(recipients) as sending:

            @step
            def send(self):
                return self.item, self.index

        with foreach("names") as greeting:

            @step
            def greet(self):
                return f"hello {self.item}"

    execution = durable.run(News)
    assert execution.outputs["sending"] == [(1, 0), (2, 1), (3, 2)]
    assert execution.result == ["hello ada", "hello bob"]


def test_a_foreach_over_the_results_of_another_one(durable):
    class Twice(Workflow):
        with foreach(lambda self: range(5)) as first:

            @step
            def square(self):
                return self.item**2

        with foreach(first, concurrency=2) as second:

            @step
            def negate(self):
                return -self.item

    assert durable.run(Twice).result == [0, -1, -4, -9, -16]


@pytest.mark.parametrize(
    ("items", "kind", "said"),
    [
        (lambda self: 1 / 0, "ZeroDivisionError", "division"),
        ("missing", "KeyError", "missing"),
        (lambda self: "text", "TypeError", "characters"),
        (lambda self: 5, "TypeError", "not iterable"),
        (lambda self: [1, object()], "NotSerializable", "item 1 of each"),
        (lambda self: (1 // (2 - n) for n in range(5)), "ZeroDivisionError", "modulo by zero"),
    ],
)
def test_items_that_cannot_be_had_fail_the_block_like_a_step_without_retry(
    durable, items, kind, said
):
    class Broken(Workflow):
        class Meta:
            retry = Retry(5)

        with foreach(items) as each:

            @step
            def never(self): ...

    execution = durable.run(Broken)
    assert execution.status == "failed"
    assert (execution.error["type"], execution.error["node"]) == (kind, "each")
    assert said in execution.error["message"] or said == "modulo by zero"
    durable.assert_attempts(execution, "each", 1)
    assert statuses_of(execution) == []


def test_an_item_that_is_too_large_is_named(durable, settings):
    settings.DURABLE = {**settings.DURABLE, "MAX_PAYLOAD_BYTES": 1_000}
    many = durable.run(make_each(lambda self: ["x" * 400] * 20))
    assert many.error["type"] == "PayloadTooLarge", "the list of `end`, not the items"
    assert many.error["node"] == "end"
    execution = durable.run(make_each(lambda self: ["x", "x" * 2_000]))
    assert (execution.status, execution.error["type"]) == ("failed", "PayloadTooLarge")
    assert "item 1 of each" in execution.error["message"]
    assert statuses_of(execution) == []


def test_items_together_may_be_larger_than_one_payload(durable):
    size = settings.MAX_PAYLOAD_BYTES // 3

    class Large(Workflow):
        with foreach(lambda self: [letter * size for letter in "abcde"]) as each:

            @step
            def measure(self):
                return self.item

        @step
        def end(self):
            return [value[0] for value in self.outputs["each"]]

    assert durable.run(Large).result == list("abcde")


def test_the_items_are_asked_for_once(durable):
    asked = []

    class Once(Workflow):
        with foreach(lambda self: asked.append(1) or [len(asked)] * 2) as each:

            @step
            def give(self):
                return self.item

    with durable.crash_after(Once.give):
        execution = durable.run(Once)
    assert execution.result == [1, 1]


def test_nodes_inside_are_seen_from_within_the_item_only(durable):
    class Scope(Workflow):
        with foreach(lambda self: "ab" and ["a", "b"]) as each:

            @step
            def first(self):
                return self.item

            with sequence() as pair:

                @step
                def second(self):
                    return self.outputs["first"] + self.item

                @step
                def third(self):
                    return self.outputs["second"] + self.outputs["first"]

        @step
        def end(self):
            return sorted(self.outputs)

    execution = durable.run(Scope)
    assert execution.outputs["each"] == ["aaa", "bbb"]
    assert execution.result == ["each"]


def test_no_more_than_the_given_number_run_at_once_and_in_item_order(durable):
    begun = []

    class Held(Workflow):
        with foreach(lambda self: range(7), concurrency=3) as each:

            @step(retry=LATER)
            def send(self):
                begun.append(self.index)
                if self.attempt == 1 and self.index in (0, 1, 2):
                    raise RuntimeError("later")
                return self.index

    execution = durable.run(Held)
    assert execution.status == "waiting"
    assert begun == [0, 1, 2], "a member that sleeps keeps its place"
    assert statuses_of(execution) == ["sleeping"] * 3 + ["waiting"] * 4
    durable.advance(61)
    durable.drain()
    execution.refresh_from_db()
    assert execution.result == list(range(7))
    assert begun == [0, 1, 2, 0, 1, 2, 3, 4, 5, 6]


def test_each_end_lets_one_more_begin(durable):
    class Held(Workflow):
        with foreach(lambda self: range(6), concurrency=2) as each:

            @step(retry=LATER)
            def send(self):
                if self.attempt == 1 and self.index in (1, 3):
                    raise RuntimeError("later")

    execution = durable.run(Held)
    ended = ["completed", "sleeping", "completed", "sleeping", "waiting", "waiting"]
    assert statuses_of(execution) == ended


@pytest.mark.parametrize(
    ("tolerate", "failing", "ends"),
    [
        (None, 1, "failed"),
        (None, 0, "completed"),
        (2, 2, "completed"),
        (2, 3, "failed"),
        (0.2, 2, "completed"),
        (0.2, 3, "failed"),
        (0.29, 2, "completed"),
        (0.29, 3, "failed"),
        (0.0, 1, "failed"),
        (1.0, 10, "completed"),
    ],
)
def test_failures_are_borne_up_to_the_tolerated_number(durable, tolerate, failing, ends):
    ran = []

    class Bears(Workflow):
        with foreach(lambda self: range(10), concurrency=1, tolerate=tolerate) as each:

            @step
            def send(self):
                ran.append(self.index)
                if self.index < failing:
                    raise ValueError(f"item {self.index}")
                return self.index

    execution = durable.run(Bears)
    assert execution.status == ends
    if ends == "failed":
        assert execution.error["message"] == f"item {failing - 1}", "the one that was too many"
        assert ran == list(range(failing)), "what had not started never starts"
        assert statuses_of(execution) == ["failed"] * failing + ["cancelled"] * (10 - failing)
    else:
        failures = [MemberFailure("ValueError", f"item {n}") for n in range(failing)]
        assert execution.result == [*failures, *range(failing, 10)]


@pytest.mark.parametrize(
    ("tolerate", "ends"), [(None, "completed"), (3, "completed"), (2, "failed")]
)
def test_collect_runs_all_and_judges_at_the_end(durable, tolerate, ends):
    ran = []

    class Collects(Workflow):
        with foreach(lambda self: range(6), on_error="collect", tolerate=tolerate) as each:

            @step
            def send(self):
                ran.append(self.index)
                if self.index % 2:
                    raise ValueError(f"item {self.index}")
                self.context.append("sent", self.index)
                return self.index

        @step
        def end(self):
            return [isinstance(each, MemberFailure) for each in self.outputs["each"]]

    execution = durable.run(Collects)
    assert execution.status == ends
    assert ran == list(range(6))
    if ends == "failed":
        assert execution.error["message"] == "item 1", "the first of those that failed"
        assert execution.context == {}
    else:
        assert execution.result == [False, True] * 3
        assert execution.context == {"sent": [0, 2, 4]}


def test_the_results_are_a_sequence_that_reads_its_rows_when_looked_at(durable):
    class Many(Workflow):
        with foreach(lambda self: range(520)) as each:

            @step
            def give(self):
                return self.item

        @step
        def end(self):
            found = self.outputs["each"]
            return [len(found), found[0], found[-1], found[517:], found[3:0:-1], sum(found)]

    execution = durable.run(Many)
    assert execution.result == [520, 0, 519, [517, 518, 519], [3, 2, 1], 134_940]
    found = execution.outputs["each"]
    assert isinstance(found, Results)
    assert repr(found) == "[0, 1, 2, 3, 4, … 515 more]"
    with pytest.raises(IndexError):
        found[520]


def test_finish_in_an_item_keeps_the_changes_of_the_items_before(durable):
    class Finishes(Workflow):
        with foreach(lambda self: range(4)) as each:

            @step(atomic=True)
            def look(self):
                self.context.append("did", self.index)
                if self.index == 2:
                    self.finish("found")

        @step
        def never(self): ...

    execution = durable.run(Finishes)
    assert (execution.status, execution.result) == ("completed", "found")
    assert execution.context == {"did": [0, 1, 2]}
    assert statuses_of(execution) == ["completed"] * 3 + ["cancelled"]
